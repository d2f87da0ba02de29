//! What both measurements of appends share: the turns, and how times are told.

use std::time::Duration;

use push0_core::{AttemptId, Digest, Epoch, Event, ResultRef, Seq, TaskId, Timestamp, Turn};

/// The middle of the times, and their upper ends.
pub(crate) fn spread(mut took: Vec<Duration>) -> String {
    took.sort_unstable();
    let at = |per_mille| took.get(took.len() * per_mille / 1000).copied().unwrap_or_default();
    format!("p50 {:.0?}, p99 {:.0?}, p99.9 {:.0?}", at(500), at(990), at(999))
}

/// A turn of as many acceptances, as a prover of proofs of 133 kB leads to.
pub(crate) fn turn(first: Seq, events: u64) -> Turn {
    let accepted = |_| Event::Accepted {
        task: TaskId([0x5a; 32]),
        attempt: AttemptId(first.0),
        result: ResultRef {
            output: Digest([0xa5; 32]),
            bytes: 133_000,
            statement: Digest([0x77; 32]),
            vkey: None,
            mock: false,
            parts: Vec::new(),
        },
        ran_us: 1_300_000,
    };
    let events = (0..events).map(accepted).collect();
    Turn { epoch: Epoch(1), first, at: Timestamp(1_790_000_000_000_000), events }
}
