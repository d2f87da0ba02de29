//! What is wrong with `[source]`.
//!
//! Not here: reading blocks (`push0_source`).

use std::time::Duration;

use super::Faults;
use crate::pipeline::{
    BlockHashing, Canonical, Finality, NodePayload, NodeSource, Source, SourceKind, SourceSpec,
};
use crate::{ChainId, Height};

pub(super) fn source(spec: &SourceSpec, faults: &mut Faults) -> Option<Source> {
    let kind = match (spec.kind.as_str(), spec.path.as_deref()) {
        ("file", Some(path)) if !path.is_empty() && !path.contains('\0') => {
            Some(SourceKind::File { path: path.to_owned() })
        }
        ("file", path) => {
            let what = if path.is_some() { "no path that could be opened" } else { "no path" };
            faults.add(&["source", "path"], what, "name the block file, relative to this file");
            None
        }
        ("submit", None) => Some(SourceKind::Submit),
        ("submit", Some(_)) => {
            let remedy = "remove it, or write `kind = \"file\"`";
            faults.add(&["source", "path"], "a path, where blocks are submitted", remedy);
            None
        }
        ("node", None) => node(spec, faults).map(SourceKind::Node),
        ("node", Some(_)) => {
            let remedy = "remove it, or write `kind = \"file\"`";
            faults.add(&["source", "path"], "a path, where blocks are of a node", remedy);
            None
        }
        ("", _) => {
            let remedy = "write `kind = \"file\"`, \"submit\" or \"node\"";
            faults.add(&["source", "kind"], "no source", remedy);
            None
        }
        (other, _) => {
            faults.not_one_of(&["source", "kind"], other, &["file", "submit", "node"]);
            None
        }
    };
    if spec.kind != "node" {
        only_of_nodes(spec, faults);
    }
    if spec.chain.is_none() {
        let remedy = "write the chain's id, as in `chain = 534352`";
        faults.add(&["source", "chain"], "no chain", remedy);
    }
    let hash = match spec.hash.as_deref() {
        None => Some(BlockHashing::OfHeader),
        Some("trusted") => Some(BlockHashing::Trusted),
        Some(other) => {
            let what = format!("unknown value `{other}`");
            let remedy = "write \"trusted\" to take hashes on the source's word; to have them checked, remove it";
            faults.add(&["source", "hash"], what, remedy);
            None
        }
    };
    let start = start(spec, kind.as_ref(), faults);
    let canonical = canonical(spec, faults);
    Some(Source { chain: ChainId(spec.chain?), kind: kind?, hash: hash?, start, canonical })
}

/// What makes a block canonical: its arrival, unless the source says heads.
fn canonical(spec: &SourceSpec, faults: &mut Faults) -> Canonical {
    if spec.heads && spec.kind == "file" {
        let remedy = "remove it: a file's blocks are one chain, and stay so";
        faults.add(&["source", "heads"], "`heads`, where blocks are in a file", remedy);
    }
    match spec.heads {
        true => Canonical::ByHead,
        false => Canonical::ByArrival,
    }
}

/// The height at which the chain begins, by the source's word.
fn start(spec: &SourceSpec, kind: Option<&SourceKind>, faults: &mut Faults) -> Option<Height> {
    let from = match (spec.from.as_deref().and_then(number), spec.start) {
        (Some(_), Some(_)) => {
            let remedy = "keep one of them: both say where the chain begins";
            faults.add(&["source", "from"], "a `from` beside a `start`", remedy);
            return None;
        }
        (from, start) => from.or(start),
    };
    let start = Height(from?);
    if start > Height::MAX {
        let remedy = format!("write {} or less", Height::MAX);
        faults.add(&["source", "start"], format!("a start at {start}"), remedy);
    }
    if let Some(SourceKind::File { .. }) = kind {
        let remedy = "remove it: the file's first block is where the chain begins";
        faults.add(&["source", "start"], "a start, where blocks are in a file", remedy);
    }
    Some(start)
}

/// The nodes that blocks come from.
fn node(spec: &SourceSpec, faults: &mut Faults) -> Option<NodeSource> {
    match spec.http.len() {
        0 => {
            let remedy = "name one or more nodes, as in `http = [\"http://127.0.0.1:8545\"]`";
            faults.add(&["source", "http"], "no node", remedy);
        }
        1..=NODES_MAX => {}
        count => {
            let remedy = format!("name {NODES_MAX} at the most");
            faults.add(&["source", "http"], format!("{count} nodes"), remedy);
        }
    }
    for url in &spec.http {
        if let Some((what, remedy)) = no_address(url) {
            faults.add(&["source", "http"], what, remedy);
        }
    }
    from(spec, faults);
    let finality = match spec.finality.as_deref() {
        None | Some("finalized") => Some(Finality::Finalized),
        Some("safe") => Some(Finality::Safe),
        Some(word) => match number(word) {
            Some(depth) if depth > 0 => Some(Finality::Depth(depth)),
            Some(_) => {
                let remedy = "write 1 or more: the last block of a chain is never final";
                faults.add(&["source", "finality"], "a depth of 0", remedy);
                None
            }
            None => {
                let remedy = "write \"finalized\", \"safe\", or how many blocks must be above";
                faults.add(&["source", "finality"], format!("unknown value `{word}`"), remedy);
                None
            }
        },
    };
    let payload = match spec.payload.as_deref() {
        None | Some("block") => Some(NodePayload::Block),
        Some("header") => Some(NodePayload::Header),
        Some("block+receipts") => Some(NodePayload::BlockAndReceipts),
        Some("block+prestate") => Some(NodePayload::BlockAndPreState),
        Some(other) => {
            faults.not_one_of(
                &["source", "payload"],
                other,
                &["header", "block", "block+receipts", "block+prestate"],
            );
            None
        }
    };
    let poll = spec.poll.unwrap_or(POLL);
    if poll < POLL_MIN || poll > POLL_MAX {
        let remedy = "write a time from 50ms to 1h";
        faults.add(&["source", "poll"], format!("a poll every {poll:?}"), remedy);
    }
    Some(NodeSource {
        http: spec.http.clone(),
        begins_at_head: spec.from.as_deref() == Some("latest"),
        finality: finality?,
        poll,
        payload: payload?,
    })
}

/// Where the chain begins, by a word or a number.
fn from(spec: &SourceSpec, faults: &mut Faults) {
    match spec.from.as_deref() {
        None | Some("finalized") => {}
        Some("latest") if spec.heads => {}
        Some("latest") => {
            let remedy =
                "add `heads = true`, so that the chain's head is followed; or write \"finalized\"";
            faults.add(&["source", "from"], "a start at the head, whose block may change", remedy);
        }
        Some(from) if number(from).is_some() => {}
        Some(word) => {
            let remedy = "write \"finalized\", \"latest\", or the number of the first block";
            faults.add(&["source", "from"], format!("unknown value `{word}`"), remedy);
        }
    }
}

/// A number in decimal.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// What is wrong with the address of a node. It never quotes one: it may hold a key.
fn no_address(url: &str) -> Option<(&'static str, &'static str)> {
    if let Some(name) = url.strip_prefix('$') {
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let is_right = !name.is_empty() && name.chars().all(is_name);
        return (!is_right)
            .then_some(("a `$` without the name of a variable", "write it like \"$ETH_NODE\""));
    }
    let rest = ["http://", "https://"].iter().find_map(|scheme| url.strip_prefix(scheme));
    let Some(rest) = rest else {
        return Some((
            "no address of a node",
            "write it like \"http://127.0.0.1:8545\", or name a variable: \"$ETH_NODE\"",
        ));
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.contains('@') {
        return Some((
            "a user or a password in the address of a node, which stands in the log for ever",
            "put the address into a variable of the environment, and name that: \"$ETH_NODE\"",
        ));
    }
    host.is_empty()
        .then_some(("no host in the address of a node", "write it like \"http://127.0.0.1:8545\""))
}

/// Keys that say nothing to other kinds of sources.
fn only_of_nodes(spec: &SourceSpec, faults: &mut Faults) {
    for (key, is_there) in [
        ("http", !spec.http.is_empty()),
        ("from", spec.from.is_some()),
        ("finality", spec.finality.is_some()),
        ("poll", spec.poll.is_some()),
        ("payload", spec.payload.is_some()),
    ] {
        if is_there {
            let remedy = "remove it, or write `kind = \"node\"`";
            faults.add(&["source", key], format!("`{key}`, where no node is asked"), remedy);
        }
    }
}

/// As many as anybody has reason to name: one is asked, one more is compared with it.
const NODES_MAX: usize = 8;

/// Half of the shortest time between blocks of a chain that is proved in real time.
const POLL: Duration = Duration::from_secs(1);

/// A node that is asked more often is a node that is flooded.
const POLL_MIN: Duration = Duration::from_millis(50);

/// A chain whose blocks come more seldom has none.
const POLL_MAX: Duration = Duration::from_secs(3_600);
