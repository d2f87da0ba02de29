//! What can be seen of the scheduler.

use std::collections::{BTreeMap, BTreeSet};

use super::{RunStats, Scheduler};
use crate::attempt::Leases;
use crate::collect::Collector;
use crate::release::Release;
use crate::{
    Attempt, AttemptId, Collect, DispatcherId, Event, FailureClass, Height, ProgramName,
    ReleaseNumber, Report, StageIndex, StageName, Task, TaskId, TaskState, Timestamp,
};

/// Counts over the whole log.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Totals {
    /// Blocks that joined the tree.
    pub blocks_submitted: u64,
    /// Blocks under released proofs.
    pub blocks_released: u64,
    /// How often a block left the chain.
    pub blocks_superseded: u64,
    /// How often a task did with it.
    pub tasks_superseded: u64,
    /// Tasks that are open, of whatever state.
    pub tasks_open: usize,
    /// Attempts that were granted.
    pub started: u64,
    /// Attempts whose result was accepted.
    pub accepted: u64,
    /// Attempts whose result came too late.
    pub surplus: u64,
    /// Attempts whose dispatcher went.
    pub lost: u64,
    /// Attempts that were ended for no fault of theirs.
    pub withdrawn: u64,
    /// Attempts whose result did not verify.
    pub rejected: u64,
    /// Attempts that failed otherwise.
    pub failed: BTreeMap<FailureClass, u64>,
    /// Attempts whose task was closed by another's result, parked or superseded, while they held
    /// its lease.
    pub overtaken: u64,
    /// Of those that were accepted, the ones that had been given up before. With them each attempt
    /// that started is counted once: `started + late` are those that run, and all that ended.
    pub late: u64,
    /// Results that were taken back by hand, without what was made from them.
    pub discarded: u64,
    /// How long provers ran. Unit: microseconds.
    pub ran_us: u64,
    pub(super) stages: Vec<StageCounts>,
}

/// How many tasks of a stage stand where.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct StageCounts {
    ready: u64,
    leased: u64,
    accepted: u64,
    parked: u64,
    superseded: u64,
}

/// How a stage stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StageView {
    /// Its name.
    pub name: StageName,
    /// Items that flowed in and have not become a task.
    pub waiting: u64,
    /// Tasks to be tried, at once or later.
    pub ready: u64,
    /// Tasks being tried.
    pub leased: u64,
    /// Tasks with a result.
    pub accepted: u64,
    /// Tasks that wait for a person.
    pub parked: u64,
    /// Tasks about blocks that are not canonical any more, and not forgotten yet.
    pub superseded: u64,
}

impl Totals {
    pub(super) fn count_of(&mut self, stage: StageIndex, state: &TaskState) -> Option<&mut u64> {
        let counts = self.stages.get_mut(stage.0)?;
        Some(match state {
            TaskState::Ready { .. } => &mut counts.ready,
            TaskState::Leased { .. } => &mut counts.leased,
            TaskState::Accepted => &mut counts.accepted,
            TaskState::Parked => &mut counts.parked,
            TaskState::Superseded => &mut counts.superseded,
        })
    }

    pub(super) fn count(&mut self, event: &Event) {
        match event {
            Event::BlockSubmitted { .. } => self.blocks_submitted += 1,
            Event::Released { key, .. } => self.blocks_released += key.blocks(),
            Event::Granted { .. } => self.started += 1,
            Event::Accepted { ran_us, .. } => {
                self.accepted += 1;
                self.ran_us = self.ran_us.saturating_add(*ran_us);
            }
            Event::Surplus { .. } => self.surplus += 1,
            Event::Lost { .. } => self.lost += 1,
            Event::Withdrawn { .. } => self.withdrawn += 1,
            Event::Rejected { ran_us, .. } => {
                self.rejected += 1;
                self.ran_us = self.ran_us.saturating_add(*ran_us);
            }
            Event::Failed { class, ran_us, .. } => {
                *self.failed.entry(*class).or_default() += 1;
                self.ran_us = self.ran_us.saturating_add(*ran_us);
            }
            Event::Discarded { .. } => self.discarded += 1,
            Event::Configured { .. }
            | Event::Claimed { .. }
            | Event::HeadMoved { .. }
            | Event::Finalized { .. }
            | Event::SourceEnded { .. }
            | Event::Resupplied { .. }
            | Event::PayloadLost { .. }
            | Event::BatchClosed { .. }
            | Event::TaskOpened { .. }
            | Event::Remade { .. }
            | Event::Parked { .. }
            | Event::Reopened { .. }
            | Event::Pinned { .. }
            | Event::KeyNamed { .. }
            | Event::Unpinned { .. }
            | Event::SetAside { .. }
            | Event::Restored { .. }
            | Event::Cordoned { .. }
            | Event::Uncordoned { .. }
            | Event::SourceResumed { .. }
            | Event::Led {} => {}
        }
    }
}

impl Scheduler {
    /// Counts over the whole log.
    #[must_use]
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// How each stage stands, in the pipeline's order.
    pub fn stages(&self) -> impl Iterator<Item = StageView> {
        let stages = self.pipeline.stages.iter().zip(&self.totals.stages).zip(&self.collectors);
        stages.map(|((stage, counts), collector)| StageView {
            name: stage.name.clone(),
            waiting: collector.waiting() as u64,
            ready: counts.ready,
            leased: counts.leased,
            accepted: counts.accepted,
            parked: counts.parked,
            superseded: counts.superseded,
        })
    }

    /// A task.
    #[must_use]
    pub fn task(&self, id: &TaskId) -> Option<&Task> {
        self.tasks.get(id).map(|task| &**task)
    }

    /// Every task, in the order of their ids.
    pub fn tasks(&self) -> impl Iterator<Item = (&TaskId, &Task)> {
        self.tasks.iter().map(|(id, task)| (id, &**task))
    }

    /// The tasks that are parked.
    pub fn parked(&self) -> impl Iterator<Item = (&TaskId, &Task)> {
        self.parked.iter().filter_map(|id| Some((id, self.task(id)?)))
    }

    /// Those of them whose ids begin with these digits.
    pub fn parked_named(&self, digits: &str) -> impl Iterator<Item = (&TaskId, &Task)> {
        let first: Option<TaskId> = format!("{digits:0<64}").parse().ok();
        let from = first.into_iter().flat_map(|first| self.parked.range(first..));
        let named = from.take_while(move |id| id.to_string().starts_with(digits));
        named.filter_map(|id| Some((id, self.task(id)?)))
    }

    /// The open tasks that begin at `height` or before, lowest first.
    pub fn open_up_to(&self, height: Height) -> impl Iterator<Item = (&TaskId, &Task)> {
        self.open_between(Height(0), height).filter_map(|id| Some((id, self.task(id)?)))
    }

    /// The open tasks that begin at these heights, lowest first.
    pub(super) fn open_between(
        &self,
        lowest: Height,
        highest: Height,
    ) -> impl Iterator<Item = &TaskId> {
        let first = (lowest, TaskId([0; 32]));
        self.open.range(first..).take_while(move |(height, _)| *height <= highest).map(|(_, id)| id)
    }

    /// The open tasks that begin within these heights, lowest first.
    pub fn open_within(
        &self,
        heights: std::ops::RangeInclusive<Height>,
    ) -> impl Iterator<Item = (&TaskId, &Task)> {
        let tasks = self.open_between(*heights.start(), *heights.end());
        tasks.filter_map(|id| Some((id, self.task(id)?)))
    }

    /// The lowest block that is not released.
    #[must_use]
    pub const fn next_release(&self) -> Option<Height> {
        self.feed.next()
    }

    /// When the open batch of a stage is old enough to close, if that ever comes.
    #[must_use]
    pub fn closes_by_age(&self, stage: StageIndex) -> Option<Timestamp> {
        let bounds = match &self.pipeline.stage(stage).collect {
            Collect::Sequence(bounds) | Collect::Tree(_, bounds) => bounds,
            Collect::Each | Collect::Parts => return None,
        };
        let extent = self.extent(stage, self.chain.ended())?;
        let at = extent.oldest? + bounds.age?;
        (!self.weigh(&extent, extent.whole, &bounds.min).is_under).then_some(at)
    }

    /// How attempts ended until now, by whom, and how long they took.
    #[must_use]
    pub const fn ran(&self) -> &RunStats {
        &self.ran
    }

    /// The last stage in which what was made of `height` waits for others of its batch.
    #[must_use]
    pub fn waits_at(&self, height: Height) -> Option<StageIndex> {
        self.collectors.iter().rposition(|collector| collector.holds(height)).map(StageIndex)
    }

    /// The most inputs that a task has which may be tried yet, or could be opened.
    #[must_use]
    pub fn inputs_most(&self) -> usize {
        let open = self.open.iter().filter_map(|(_, id)| Some(self.task(id)?.inputs.len()));
        let ripe = self.collectors.iter().filter_map(Collector::ripe);
        let ripe = ripe.flat_map(|ripe| ripe.values().map(Vec::len));
        open.chain(ripe).max().unwrap_or_default()
    }

    /// The attempts that live, oldest first.
    pub fn attempts(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts.iter()
    }

    /// An attempt, while it lives.
    #[must_use]
    pub fn attempt(&self, id: AttemptId) -> Option<&Attempt> {
        self.attempts.get(id)
    }

    /// Those at a task, oldest first.
    pub fn attempts_at(&self, task: TaskId) -> impl Iterator<Item = &Attempt> {
        self.attempts.at(task)
    }

    /// Those that a dispatcher holds, oldest first.
    pub fn attempts_of(&self, dispatcher: &DispatcherId) -> impl Iterator<Item = &Attempt> {
        let held = self.held(dispatcher).into_iter().flat_map(Leases::attempts);
        held.filter_map(|id| self.attempt(*id))
    }

    /// Whether a report is of an attempt that lives, and from who holds it.
    #[must_use]
    pub fn is_holders(&self, report: &Report) -> bool {
        self.held_by(report).is_some()
    }

    /// The attempt of a report, if it lives, and its holder says so: numbers can be guessed.
    pub(super) fn held_by(&self, report: &Report) -> Option<&Attempt> {
        let attempt = self.attempt(report.attempt).filter(|it| it.task == report.task)?;
        (attempt.dispatcher == report.dispatcher).then_some(attempt)
    }

    /// What a dispatcher holds, if anything.
    pub(crate) fn held(&self, dispatcher: &DispatcherId) -> Option<&Leases> {
        self.attempts.held(dispatcher)
    }

    /// The dispatchers that hold an attempt, by name, each with what it holds.
    pub(crate) fn holdings(&self) -> impl Iterator<Item = (&DispatcherId, &Leases)> {
        self.attempts.holdings()
    }

    /// The dispatchers that hold an attempt.
    pub fn holders(&self) -> impl Iterator<Item = &DispatcherId> {
        self.holdings().map(|(holder, _)| holder)
    }

    /// The programs that something waits for.
    #[must_use]
    pub fn wanted(&self) -> BTreeSet<&ProgramName> {
        self.queue.wanted()
    }

    /// The programs that something may be tried of at `now`.
    #[must_use]
    pub fn wanted_at(&self, now: Timestamp) -> BTreeSet<&ProgramName> {
        self.queue.wanted_at(now)
    }

    /// What was released after `cursor`, oldest first.
    pub fn releases(&self, cursor: ReleaseNumber) -> &[Release] {
        let from = usize::try_from(cursor.0).unwrap_or(usize::MAX);
        self.feed.released().get(from..).unwrap_or_default()
    }

    /// Whether the source has ended and everything it gave is released.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let next = self.feed.next();
        self.chain.ended().is_some_and(|last| next.is_some_and(|next| next > last))
    }

    /// Whether nothing more will happen unless something is asked of it: nothing runs, nothing
    /// waits to be tried, and no time changes that.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.attempts.is_empty() && self.queue.is_empty() && self.poll_timeout(self.now).is_none()
    }

    /// The tasks beneath these and themselves, inputs before what reads them.
    #[must_use]
    pub fn history(&self, tasks: &[TaskId]) -> Vec<TaskId> {
        let mut found = BTreeSet::new();
        let mut pending = tasks.to_vec();
        while let Some(id) = pending.pop() {
            if let Some(task) = self.task(&id)
                && found.insert((task.stage, task.key, id))
            {
                pending.extend(task.inputs.iter().filter_map(|input| input.maker()));
            }
        }
        let mut ordered: Vec<_> = found.into_iter().collect();
        ordered.sort_by_key(|(stage, key, _)| (*stage, key.blocks(), *key));
        ordered.into_iter().map(|(_, _, id)| id).collect()
    }

    /// Whether what begins at `height` is below what is released. It is made again, if at all, for
    /// whoever reads the feed again: nothing that is to be released waits for it.
    pub(super) fn is_behind(&self, height: Height) -> bool {
        self.feed.next().is_some_and(|next| height < next)
    }

    /// The open tasks that something waits for which is to be released yet.
    pub(super) const fn tasks_ahead(&self) -> usize {
        self.totals.tasks_open - self.open_behind
    }
}
