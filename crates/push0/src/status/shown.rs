//! The text of a status. On a terminal that is drawn anew, what needs a person stands first, and
//! the rest takes the rows that are left.
//!
//! Not here: the words of each section.

use super::cordoned::Cordoned;
use super::held::WaitingBlocks;
use super::layout::{Amount, RECENT, fit, long, rows_of, short};
use super::parked::Parked;
use super::runs::Run;
use super::stages::Stage;
use super::{Blocks, Frame, Heads, LogRoom, Place, Space, Status, StoreUsage, local};
use crate::tell::counted;

impl Status {
    /// The text for people.
    pub(crate) fn shown(&self, place: Place<'_>, frame: Frame) -> String {
        let Frame { width, rows, blocks } = frame;
        let led_for = self.led_seconds.filter(|seconds| *seconds < RECENT);
        let engine = match (&self.cluster, self.running) {
            (Some(cluster), running) => cluster.engines_shown(running, led_for),
            (None, running) => engine(running).to_owned(),
        };
        let (Some(pipeline), Some(at)) = (&self.pipeline, &self.at) else {
            if let Some(cluster) = self.cluster.as_ref().filter(|_| self.is_wiped()) {
                return fit(&cluster.wiped(&engine), width);
            }
            return fit(&format!("nothing has run here yet; {engine}"), width);
        };
        let complete = if self.complete { "complete" } else { "not complete" };
        let at = match self.at_seconds.filter(|seconds| *seconds < RECENT) {
            Some(seconds) => format!("{} ago", long(seconds)),
            None => at.clone(),
        };
        let head = format!(
            "pipeline {pipeline}: {complete}; {engine}; last event {at}\n{}",
            self.blocks.shown()
        );
        let Some(rows) = rows else {
            // What needs a person stands next to the prompt.
            let [work, space, needs] = self.sections(place, Amount::whole(width, blocks));
            let needs = needs.into_iter().rev().collect();
            return fit(&[vec![head], work, space, needs].concat().join("\n\n"), width);
        };
        let mut text = String::new();
        for amount in Amount::ladder(width, blocks) {
            let [work, space, needs] = self.sections(place, amount);
            let all = [vec![head.clone()], needs, work, space].concat();
            text = fit(&all.join(amount.between), width);
            if rows_of(&text, width) <= rows {
                break;
            }
        }
        text
    }

    /// What is worked on; what there is to work with; and what needs a person.
    fn sections(&self, place: Place<'_>, amount: Amount) -> [Vec<String>; 3] {
        let width = amount.width;
        let mut work = vec![Stage::shown(&self.stages, width)];
        work.push(format!("attempts: {}", self.attempts.shown()));
        work.extend(self.unreleased_shown(place, amount));
        work.extend(Run::shown(&self.runs, self.attempts.running, amount));
        let mut needs = Vec::new();
        let cordoned = Cordoned::shown(&self.cordoned);
        let log = self.log.as_ref().map(LogRoom::shown);
        let space = self.space.as_ref().map(Space::shown);
        let store = self.store.as_ref().map(StoreUsage::shown);
        let space: Vec<_> = log.into_iter().chain(store).chain(space).collect();
        let mut machines = Vec::new();
        let now = self.dispatcher_now.as_ref();
        machines.extend(self.dispatcher.as_ref().map(|about| local::shown(about, now)));
        if let Some(cluster) = &self.cluster {
            let table = cluster.dispatchers_shown(&self.by_dispatcher, &self.runs, width);
            needs.extend(cluster.warnings());
            match cluster.misses_any() {
                true => needs.push(table),
                false => machines.push(table),
            }
        }
        needs.splice(0..0, self.trouble.shown());
        if !self.parked.is_empty() {
            let all = self.stages.iter().map(|stage| stage.parked).sum();
            let parked = Parked::shown(&self.parked, all, place, amount);
            needs.insert(0, parked);
        }
        let rest = [
            machines,
            Vec::from_iter(cordoned),
            Vec::from_iter((!space.is_empty()).then(|| space.join("\n"))),
        ];
        [work, rest.concat(), needs]
    }

    fn unreleased_shown(&self, place: Place<'_>, amount: Amount) -> Option<String> {
        let head = self.head.as_ref()?;
        let why = |held: &WaitingBlocks| short(&held.why, amount.why);
        let mut lines = vec![format!("head of the chain: {}: {}", head.name(), why(head))];
        if let Some((task, class)) = head.parked() {
            let it = if head.is_of_each { "the first" } else { "it" };
            lines.push(format!("  to try {it} again: {}", place.retries(task, class)));
        }
        let shown = self.unreleased.iter().take(amount.blocks.max(1));
        let told: u64 = shown.clone().map(WaitingBlocks::count).sum();
        let mut before = vec![head];
        for held in shown.skip(1) {
            let is_told = before.iter().any(|before| before.is_about_the_task_of(held));
            let why = if is_told { held.behind() } else { why(held) };
            lines.push(format!("  {}: {why}", held.name()));
            before.push(held);
        }
        if let Some(more) = self.blocks.waiting.checked_sub(told).filter(|more| *more > 0) {
            lines.push(format!("  and {}", counted(more, "more block")));
        }
        Some(lines.join("\n"))
    }
}

impl Blocks {
    fn shown(&self) -> String {
        let Self { submitted, released, waiting, beside, ahead, ended, chain } = self;
        let more = if *ended { "" } else { ", more may come" };
        let beside = match beside {
            0 => String::new(),
            count => format!(", {count} beside the chain (kept, not proved)"),
        };
        let ahead = match ahead {
            0 => String::new(),
            count if chain.is_some() => format!(", {count} off the chain (no head is on them)"),
            count => format!(", {count} ahead of the chain (they wait for blocks before them)"),
        };
        let chain = chain.as_ref().map(|chain| format!("\n{}", chain.shown())).unwrap_or_default();
        format!(
            "blocks: {submitted} submitted, {released} released, {waiting} waiting{beside}{ahead}{more}{chain}"
        )
    }
}

impl Heads {
    fn shown(&self) -> String {
        let Self { head, hash, is_final, superseded } = self;
        let (Some(head), Some(hash)) = (head, hash) else {
            return "chain: no head was said yet".to_owned();
        };
        let last = is_final.map_or_else(
            || "nothing is final yet".to_owned(),
            |last| format!("final to block {last}"),
        );
        let left = match superseded {
            0 => String::new(),
            count => format!("; {} left it in reorgs", counted(count, "block")),
        };
        let hash = hash.get(..HASH_DIGITS).unwrap_or(hash);
        format!("chain: ends in block {head} ({hash}), {last}{left}")
    }
}

/// Of a hash that is shown: `0x` and the first eight digits.
const HASH_DIGITS: usize = 10;

const fn engine(running: Option<bool>) -> &'static str {
    match running {
        Some(true) => "an engine runs",
        Some(false) => "no engine runs",
        None => "whether an engine runs cannot be told",
    }
}
