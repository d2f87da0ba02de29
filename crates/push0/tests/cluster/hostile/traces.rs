//! What hostile peers leave in a log: the facts that would not be there without them, by their
//! kind.
//!
//! Not here: what keeps them few (the rules of `push0_core`, the bounds of asking).

use std::collections::{BTreeMap, BTreeSet};

use push0_core::{AttemptId, Event, Seq, Turn};

/// Facts of one kind, and what they take. Unit: bytes of JSON, which is more than they take in the
/// log.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Left {
    pub(crate) facts: u64,
    pub(crate) bytes: u64,
}

/// What machines of these names, and blocks of nobody's chain, came to, and what a person did about
/// it.
pub(crate) fn traces(history: &[Turn], machines: &[&str]) -> BTreeMap<&'static str, Left> {
    let (mut theirs, mut left) = (BTreeSet::new(), BTreeMap::<_, Left>::new());
    for turn in history {
        for (at, event) in (turn.first.0..).zip(&turn.events) {
            let Some(kind) = kind(event, AttemptId::of(turn.epoch, Seq(at)), machines, &mut theirs)
            else {
                continue;
            };
            let bytes = serde_json::to_vec(event).expect("it is JSON").len();
            let left = left.entry(kind).or_default();
            left.facts += 1;
            left.bytes += bytes as u64;
        }
    }
    left
}

/// What kind of trace it is, if it is one. An attempt that they are granted is `theirs`.
fn kind(
    event: &Event,
    at: AttemptId,
    machines: &[&str],
    theirs: &mut BTreeSet<AttemptId>,
) -> Option<&'static str> {
    let json = serde_json::to_value(event).expect("it is JSON");
    let name = json.get("event").and_then(serde_json::Value::as_str)?;
    let dispatcher = json.get("dispatcher").and_then(serde_json::Value::as_str);
    let is_theirs = dispatcher.is_some_and(|it| machines.contains(&it));
    if let Event::Granted { .. } = event {
        return is_theirs.then(|| {
            theirs.insert(at);
            "granted"
        });
    }
    let attempt = json.get("attempt").and_then(serde_json::Value::as_u64).map(AttemptId);
    if let Event::BlockSubmitted { block } = event {
        return block.hash.0.ends_with(&[0xbb; 8]).then_some("blocks");
    }
    let is_mending =
        ["parked", "reopened", "discarded", "remade", "resupplied", "payload_lost", "unpinned"];
    if is_theirs || attempt.is_some_and(|attempt| theirs.contains(&attempt)) {
        return Some(if name == "accepted" { "lies" } else { "ends" });
    }
    is_mending.contains(&name).then_some("mended")
}
