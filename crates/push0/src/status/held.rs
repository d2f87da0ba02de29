//! The blocks that are not released, and one true reason for each: the head of the chain first.
//!
//! Looked at are the first few alone, with the tasks that begin in them: how much waits behind
//! costs nothing.
//!
//! Not here: any decision; the scheduler has made them.

use std::collections::BTreeMap;

use push0_core::{Height, Scheduler, Task, TaskId, TaskState, Whereabouts};
use push0_dispatch::Step;
use serde::{Deserialize, Serialize};

use super::cluster::Cluster;
use super::explain::Subject;
use super::heard::BeatView;
use super::layout;
use super::reason::{Reason, Wait};
use super::watch::Watch;
use super::{Place, SHORT};
use crate::lines;

/// A block that is not released, or several in a row that wait for the same.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct WaitingBlocks {
    /// The number of the first.
    pub(super) block: u64,
    /// That of the last, where they are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<u64>,
    /// What holds it, in words.
    pub(super) why: String,
    /// The task that does, if it is one.
    pub(super) task: Option<String>,
    /// What of it waits, before that task; empty where nothing does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    before: String,
    /// The same for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    waits: Option<Wait>,
    /// The task as people name it: its stage and its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    what: Option<String>,
    /// Whether each of several blocks has a task of its own, of that stage, and the first is named.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) is_of_each: bool,
    /// Why that task stands where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<Reason>,
    /// Since when it could be tried, where it could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    /// The same as a duration; absent where only the log is known. Unit: seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seconds: Option<u64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

impl WaitingBlocks {
    /// The first blocks that are not released, in no more than `entries_max` entries. None where no
    /// block is known, or all are released.
    pub(super) fn all(watch: &Watch<'_>, entries_max: usize) -> Vec<Self> {
        let scheduler = watch.scheduler;
        let next = scheduler.next_release().or_else(|| scheduler.chain().start());
        let Some(next) = next.filter(|_| !scheduler.is_complete()) else { return Vec::new() };
        if scheduler.chain().hash_at(next).is_none() {
            return vec![Self::waiting(watch, next, Wait::Undelivered, None)];
        }
        let tip = scheduler.chain().tip().map_or(next, |(tip, _)| tip);
        let last = Height(tip.0.min(next.0.saturating_add(HEIGHTS_MAX - 1)));
        let tasks = by_height(scheduler, next, last);
        let mut all: Vec<Self> = Vec::new();
        for height in (next.0..=last.0).map(Height) {
            let own = tasks.get(&height).map(Vec::as_slice).unwrap_or_default();
            let mut held = Self::of(watch, (next, height), own);
            let is_past_window = matches!(held.waits, Some(Wait::Window { .. }));
            if is_past_window && tip > height {
                held.last = Some(tip.0); // and so are all that follow
            }
            if let Some(held) = joined(&mut all, held) {
                if all.len() == entries_max {
                    break;
                }
                all.push(held);
            }
            if is_past_window {
                break;
            }
        }
        all.into_iter().map(Self::told).collect()
    }

    /// The same where no engine runs: nearly all wait for one.
    pub(super) fn all_without_engine(all: Vec<Self>, has_dispatchers: bool) -> Vec<Self> {
        let mut fewer = Vec::new();
        for held in all {
            let held = joined(&mut fewer, held.without_engine(has_dispatchers));
            fewer.extend(held);
        }
        fewer.into_iter().map(Self::told).collect()
    }

    /// Why a block or a task is where it is; none where it is released, or is not known.
    pub(super) fn about(watch: &Watch<'_>, subject: Subject) -> Option<Self> {
        let scheduler = watch.scheduler;
        match subject {
            Subject::Task(id) => {
                let task = scheduler.task(&id)?;
                let reason = watch.reason(id, task);
                Some(Self::at(watch, task.key.first, None, Some((reason, id, task))).told())
            }
            Subject::Block(height) => {
                let next = scheduler.next_release().or_else(|| scheduler.chain().start())?;
                if height < next {
                    return None;
                }
                if scheduler.chain().hash_at(height).is_none() {
                    return Some(Self::waiting(watch, height, Wait::Undelivered, None));
                }
                let own = by_height(scheduler, height, height).remove(&height).unwrap_or_default();
                Some(Self::of(watch, (next, height), &own).told())
            }
        }
    }

    /// Why no task is about it, where none is.
    pub(super) const fn wait(&self) -> Option<&Wait> {
        self.waits.as_ref()
    }

    /// Since when it could be tried. Unit: seconds.
    pub(super) const fn seconds(&self) -> Option<u64> {
        self.seconds
    }

    /// What makes it move.
    pub(super) fn to_do(&self, place: Place<'_>) -> String {
        let task = self.task.as_deref().unwrap_or_default();
        let task = task.get(..SHORT).unwrap_or(task);
        match (&self.reason, &self.waits) {
            (Some(reason), _) => reason.to_do(task, place),
            (None, Some(wait)) => wait.to_do(place),
            (None, None) => String::new(),
        }
    }

    /// How many blocks it stands for.
    pub(super) fn count(&self) -> u64 {
        self.last.map_or(1, |last| last.saturating_sub(self.block).saturating_add(1))
    }

    fn without_engine(mut self, has_dispatchers: bool) -> Self {
        if self.waits == Some(Wait::Unopened) {
            (self.waits, self.reason) = (None, Some(Reason::NoEngine));
        }
        self.reason = self.reason.map(|reason| reason.without_engine(has_dispatchers));
        self.told()
    }

    /// Takes a dispatcher's word on what it does, and on what it cannot run.
    pub(super) fn hear(
        &mut self,
        dispatcher: &str,
        steps: &[Step],
        cannot: &BTreeMap<String, String>,
    ) {
        if let Some(reason) = &mut self.reason {
            reason.hear(dispatcher, steps);
            reason.hear_cannot(dispatcher, cannot);
        }
        *self = self.clone().told();
    }

    /// Notes what dispatchers answer, where no engine leads that would hear them.
    pub(super) fn without_leader(&mut self, there: &Cluster) {
        if let Some(reason) = &mut self.reason {
            reason.without_leader(there);
        }
        *self = self.clone().told();
    }

    /// Notes that so much time has passed since it was looked at. Unit: seconds.
    pub(super) fn grow_older(&mut self, by: u64) {
        self.seconds = self.seconds.map(|seconds| seconds.saturating_add(by));
        self.reason.iter_mut().for_each(|reason| reason.grow_older(by));
        if let Some(Wait::Blocks { seconds, .. }) = &mut self.waits {
            *seconds = seconds.map(|seconds| seconds.saturating_sub(by));
        }
        *self = self.clone().told();
    }

    /// Notes that a dispatcher of which the engine has heard does not answer.
    pub(super) fn is_silent(&mut self, heard: &BeatView) {
        if let Some(reason) = &mut self.reason {
            reason.is_silent(heard);
        }
        *self = self.clone().told();
    }

    /// No more of it than goes into a message.
    pub(super) fn bounded(mut self) -> Self {
        if let Some(Reason::Parked { message, .. }) = &mut self.reason
            && message.chars().count() > MESSAGE_MAX
        {
            *message = layout::middle(message, MESSAGE_MAX);
        }
        self.told()
    }

    /// As people name it: `block 5`, `blocks 5-8`.
    pub(super) fn name(&self) -> String {
        match self.last {
            None => format!("block {}", self.block),
            Some(last) => format!("blocks {}-{last}", self.block),
        }
    }

    /// Whether the task that holds another block was told of with this one.
    pub(super) fn is_about_the_task_of(&self, other: &Self) -> bool {
        self.task.is_some() && self.task == other.task
    }

    /// What holds it, where its task was told of before.
    pub(super) fn behind(&self) -> String {
        let what = self.what.as_deref().unwrap_or_default();
        match self.before.is_empty() {
            true => format!("likewise: {what}"),
            false => format!("{}, held behind {what}", self.before),
        }
    }

    /// The task that is parked, if that is what it waits for, and as what.
    pub(super) fn parked(&self) -> Option<(&str, &str)> {
        match (&self.task, &self.reason) {
            (Some(task), Some(Reason::Parked { class, .. })) => Some((task, class)),
            _ => None,
        }
    }

    fn of(watch: &Watch<'_>, (next, height): (Height, Height), own: &[(&TaskId, &Task)]) -> Self {
        let reasons = own.iter().map(|(id, task)| (watch.reason(**id, task), **id, *task));
        let worst = reasons.min_by_key(|(reason, _, task)| (reason.rank(), task.stage, task.key));
        if let Some((reason, id, task)) = worst {
            return Self::at(watch, height, None, Some((reason, id, task)));
        }
        let scheduler = watch.scheduler;
        let wait = match scheduler.whereabouts(height) {
            Whereabouts::NotFinal => {
                Wait::Final { last: scheduler.chain().finalized().map(|last| last.0) }
            }
            Whereabouts::Proved if height == next => Wait::Unopened,
            Whereabouts::Proved => Wait::Behind { block: next.0 },
            Whereabouts::PastWindow(_) => Wait::Window { blocks: scheduler.pipeline().window },
            Whereabouts::Unopened => Wait::Unopened,
            Whereabouts::Collected(stage) => {
                let cause = cause(scheduler, (next, height));
                let open = scheduler.open_within(next..=Height(u64::MAX)).next();
                let name = scheduler.pipeline().stage(stage).name.to_string();
                if open.is_some() {
                    return Self::waiting(watch, height, Wait::Batch { stage: name }, cause);
                }
                let closes = scheduler.closes_by_age(stage);
                let seconds = closes.map(|at| at.since(watch.now).as_secs());
                Wait::Blocks { stage: name, closes_at: closes.map(lines::time), seconds }
            }
        };
        Self::waiting(watch, height, wait, None)
    }

    fn waiting(
        watch: &Watch<'_>,
        height: Height,
        wait: Wait,
        cause: Option<(&TaskId, &Task)>,
    ) -> Self {
        let cause = cause.map(|(id, task)| (watch.reason(*id, task), *id, task));
        Self::at(watch, height, Some(wait), cause).told()
    }

    fn at(
        watch: &Watch<'_>,
        height: Height,
        waits: Option<Wait>,
        task: Option<(Reason, TaskId, &Task)>,
    ) -> Self {
        let since = task.as_ref().and_then(|(.., task)| watch.waits_since(task));
        let scheduler = watch.scheduler;
        Self {
            block: height.0,
            last: None,
            why: String::new(),
            before: String::new(),
            waits,
            task: task.as_ref().map(|(_, id, _)| id.to_string()),
            what: task.as_ref().map(|(.., task)| {
                format!("{} {}", scheduler.pipeline().stage(task.stage).name, task.key)
            }),
            is_of_each: false,
            reason: task.map(|(reason, ..)| reason),
            since: since.map(lines::time),
            seconds: watch.fleet.and(since).map(|since| watch.now.since(since).as_secs()),
        }
    }

    /// Whether the same holds both, which follow one another.
    fn is_like(&self, next: &Self) -> bool {
        let is_shared = self.reason.as_ref().is_some_and(Reason::is_shared);
        self.last.unwrap_or(self.block).checked_add(1) == Some(next.block)
            && (&self.waits, &self.reason) == (&next.waits, &next.reason)
            && (self.task == next.task || is_shared && self.stage() == next.stage())
    }

    fn stage(&self) -> Option<&str> {
        self.what.as_ref()?.split(' ').next()
    }

    /// With its words.
    fn told(mut self) -> Self {
        let are_several = self.last.is_some();
        self.before = self.waits.as_ref().map(|wait| wait.words(are_several)).unwrap_or_default();
        let what = match self.is_of_each {
            true => self.stage().map(|stage| format!("{stage} of each")),
            false => self.what.clone(),
        };
        let task = match (&what, &self.reason) {
            (Some(what), Some(reason)) => format!("{what} {}", reason.words(self.seconds)),
            (None, Some(reason)) => reason.to_string(),
            (_, None) => String::new(),
        };
        let both = [&self.before, &task].into_iter().filter(|words| !words.is_empty());
        self.why = both.map(String::as_str).collect::<Vec<_>>().join("; ");
        self
    }
}

/// Counts a block to the last entry, where the same holds both; else gives it back.
fn joined(all: &mut [WaitingBlocks], next: WaitingBlocks) -> Option<WaitingBlocks> {
    let before = all.last_mut().filter(|before| before.is_like(&next));
    let Some(before) = before else { return Some(next) };
    before.is_of_each |= next.is_of_each || before.task != next.task;
    before.last = next.last.or(Some(next.block));
    None
}

/// The open tasks that are about each of these heights, as far as they are looked at.
fn by_height(
    scheduler: &Scheduler,
    first: Height,
    last: Height,
) -> BTreeMap<Height, Vec<(&TaskId, &Task)>> {
    let mut tasks: BTreeMap<Height, Vec<_>> = BTreeMap::new();
    for (id, task) in scheduler.open_within(first..=last).take(TASKS_MAX) {
        for height in task.key.first.0..=task.key.last.0.min(last.0) {
            let of = tasks.entry(Height(height)).or_default();
            // One that is parked is worse than all that may be left out.
            if of.len() < TASKS_A_BLOCK || matches!(task.state, TaskState::Parked) {
                of.push((id, task));
            }
        }
    }
    tasks
}

/// The task that a block's batch waits for: the lowest that is parked, where it is not behind the
/// block or nothing else is left to do; of the head also the lowest that is open.
fn cause(scheduler: &Scheduler, (next, height): (Height, Height)) -> Option<(&TaskId, &Task)> {
    let open = scheduler.open_within(next..=Height(u64::MAX)).next();
    let parked = scheduler.parked().take(PARKED_MAX);
    let parked = parked.min_by_key(|(_, task)| (task.key.first, task.stage));
    let holds = |task: &Task| {
        task.key.first <= height || open.is_some_and(|(_, open)| open.key.first >= task.key.first)
    };
    parked.filter(|(_, task)| holds(task)).or_else(|| open.filter(|_| height == next))
}

/// Heights that are looked at.
const HEIGHTS_MAX: u64 = 256;

/// Tasks that are looked at in them.
const TASKS_MAX: usize = 1_024;

/// Tasks of one block, likewise.
const TASKS_A_BLOCK: usize = 16;

/// Parked tasks that are looked at for the lowest.
const PARKED_MAX: usize = 1_000;

/// What a message holds of a prover's words. Unit: characters.
const MESSAGE_MAX: usize = 300;

#[cfg(test)]
mod tests {
    use push0_core::{FailureClass, Input, Outcome, PipelineSpec};

    use super::*;
    use crate::fixture::{Place, WELL, one_stage};

    fn words(place: &Place, entries: usize) -> Vec<String> {
        let watch = Watch::new(&place.scheduler, Some(&place.fleet), place.now);
        let all = WaitingBlocks::all(&watch, entries);
        all.iter().map(|held| format!("{}: {}", held.name(), held.why)).collect()
    }

    fn windowed(window: u64) -> PipelineSpec {
        PipelineSpec { window: Some(window), ..one_stage("day") }
    }

    fn batched(max: u64) -> PipelineSpec {
        let mut spec = one_stage("day");
        let prove = spec.stages.get("prove").cloned().expect("it is there");
        let batch = push0_core::StageSpec {
            inputs: vec!["prove".into()],
            collect: Some("sequence".into()),
            max: [("blocks".to_owned(), max)].into(),
            ..prove
        };
        spec.stages.insert("batch".into(), batch);
        spec.release.inputs = vec!["batch".into()];
        spec
    }

    #[test]
    fn each_block_has_its_reason_and_those_that_wait_for_the_same_share_one() {
        let mut place = Place::new(&windowed(3), 5..12);
        place.beat(WELL);
        place.assign();
        let said = words(&place, 10);
        let [five, next, rest] = said.as_slice() else { panic!("{said:?}") };
        assert!(five.starts_with("block 5: prove 5 is being proved: attempt"), "{five}");
        assert_eq!(
            next,
            "blocks 6-7: prove of each waits: the only dispatcher that can run prover is busy"
        );
        assert!(rest.starts_with("blocks 8-11: not begun: the window is 3 blocks"), "{rest}");
        assert_eq!(words(&place, 2).len(), 2);
    }

    #[test]
    fn without_an_engine_all_wait_for_one() {
        let mut place = Place::new(&windowed(3), 5..8);
        place.beat(WELL);
        place.assign();
        let watch = Watch::new(&place.scheduler, Some(&place.fleet), place.now);
        let all = WaitingBlocks::all_without_engine(WaitingBlocks::all(&watch, 10), false);
        let said: Vec<_> = all.iter().map(|held| (held.name(), held.why.as_str())).collect();
        assert_eq!(
            said,
            [("blocks 5-7".to_owned(), "prove of each waits for an engine: none leads")]
        );
        let all = WaitingBlocks::all_without_engine(WaitingBlocks::all(&watch, 10), true);
        assert_eq!(all.len(), 2, "what a dispatcher of a cluster has goes on");
    }

    #[test]
    fn how_much_waits_behind_is_not_looked_at() {
        let place = Place::new(&windowed(3), 5..255);
        let watch = Watch::new(&place.scheduler, Some(&place.fleet), place.now);
        let all = WaitingBlocks::all(&watch, 10);
        assert_eq!(all.iter().map(WaitingBlocks::count).sum::<u64>(), 250);
        assert_eq!(all.len(), 2);
    }

    #[test]
    fn what_is_proved_goes_out_behind_what_is_not() {
        let mut place = Place::new(&one_stage("day"), 5..7);
        place.beat(("two", "prover", 2, 16 << 30, 0));
        place.assign();
        let second = place.scheduler.attempts().nth(1).expect("both run").clone();
        place.ask(&Input::Report(push0_core::Report {
            dispatcher: second.dispatcher,
            incarnation: 1,
            attempt: second.id,
            task: second.task,
            outcome: Place::proof(),
            ran: std::time::Duration::from_secs(60),
        }));
        place.settle();
        let said = words(&place, 10);
        let [five, six] = said.as_slice() else { panic!("{said:?}") };
        assert!(five.contains("usually 1m0s"), "{five}");
        assert_eq!(six, "block 6: is proved, and goes out after block 5");
    }

    #[test]
    fn an_open_batch_waits_for_blocks_and_what_is_held_behind_a_parked_task_says_so() {
        let mut place = Place::new(&batched(3), 5..7);
        place.beat(WELL);
        place.assign();
        place.report(Place::proof());
        place.assign();
        let said = words(&place, 10);
        let [five, six] = said.as_slice() else { panic!("{said:?}") };
        let waits = "its proof waits at stage batch for the rest of the batch";
        assert!(five.starts_with(&format!("block 5: {waits}; prove 6 is being proved")), "{five}");
        assert!(six.starts_with("block 6: prove 6 is being proved"), "{six}");
        place.report(Outcome::Failed {
            class: FailureClass::Unprovable,
            message: "over a limit".to_owned(),
        });
        let said = words(&place, 10);
        let [five, six] = said.as_slice() else { panic!("{said:?}") };
        assert!(five.starts_with(&format!("block 5: {waits}; prove 6 is parked: unp")), "{five}");
        assert!(six.starts_with("block 6: prove 6 is parked"), "{six}");
    }

    #[test]
    fn a_batch_that_is_not_full_waits_for_more_blocks() {
        let mut place = Place::new(&batched(3), 5..6);
        place.beat(WELL);
        place.assign();
        place.report(Place::proof());
        let said = words(&place, 10);
        assert_eq!(
            said,
            [
                "block 5: its proof waits at stage batch for more blocks: the batch closes when it is full, or by `push0 finish`"
            ]
        );
    }
}
