//! Decides what is due: leases that ended, batches to close, tasks to open, spans to release.
//!
//! One call decides one of these; the caller repeats it until nothing is decided. So each decision
//! sees the state that the one before it led to, and none yields more than `decision_max` facts.

use std::time::Duration;

use super::Scheduler;
use crate::collect::Collector;
use crate::{
    Bounds, ClosedBy, Collect, Deadline, Event, Height, InputId, Key, Stage, StageIndex, TaskId,
    Timestamp,
};

impl Scheduler {
    pub(super) fn advance(&self, now: Timestamp) -> Vec<Event> {
        let mut events = self.expire(now);
        if events.is_empty() {
            events = self.abandon(now);
        }
        if events.is_empty() {
            events = self.close(now);
        }
        if events.is_empty() {
            events = self.open();
        }
        if events.is_empty() {
            events = self.release();
        }
        if events.is_empty() && self.is_choked() {
            events = self.close_at(now, self.chain.tip().map(|(tip, _)| tip));
        }
        if events.is_empty() && self.next_led().is_some_and(|due| due.at <= now) {
            events = vec![Event::Led {}];
        }
        events
    }

    /// When it is to be recorded that an engine leads, if nothing else is: something runs out that
    /// would be given the time in which nobody led.
    pub(super) fn next_led(&self) -> Option<Deadline> {
        let runs_out = !self.attempts.is_empty() || self.next_abandoned(self.now).is_some();
        let at = self.now + LED_EVERY;
        runs_out.then_some(Deadline { at, why: "it is recorded that this engine leads" })
    }

    /// When a batch will be old enough to close, if that is after `now`.
    pub(super) fn next_age(&self, now: Timestamp) -> Option<Timestamp> {
        let stages = self.batching().filter_map(|(index, _, bounds)| {
            let extent = self.extent(index, self.chain.ended())?;
            let at = extent.oldest? + bounds.age?;
            let weighed = self.weigh(&extent, extent.whole, &bounds.min);
            (at > now && !weighed.is_under).then_some(at)
        });
        stages.min()
    }

    fn close(&self, now: Timestamp) -> Vec<Event> {
        self.close_at(now, self.chain.ended())
    }

    /// Whether no block is admitted before one is released, and none will be: nothing is being
    /// proved, and what waits for its batch waits for blocks that cannot come.
    fn is_choked(&self) -> bool {
        let is_final = self.feed.next().is_none_or(|next| self.is_final(next));
        is_final && self.unreleased() >= self.limits.blocks_max && self.tasks_ahead() == 0
    }

    /// The batches to close, where no block follows `end`.
    fn close_at(&self, now: Timestamp, end: Option<Height>) -> Vec<Event> {
        let closings = self.batching().filter_map(|(index, stage, bounds)| {
            let extent = self.extent(index, end)?;
            let (items, why) = self.closing(now, &extent, bounds)?;
            let last = self.extent_span(&extent, items - 1)?;
            let key = Key {
                chain: self.pipeline.source.chain,
                first: self.extent_span(&extent, 0)?.first,
                last: last.last,
                part: None,
                tip: last.tip,
            };
            Some(Event::BatchClosed { stage: stage.name.clone(), key, items: items as u64, why })
        });
        closings.take(self.limits.decision_max).collect()
    }

    /// How many of the first items to close, and why, if any.
    fn closing(
        &self,
        now: Timestamp,
        extent: &super::flow::Extent<'_>,
        bounds: &Bounds,
    ) -> Option<(usize, ClosedBy)> {
        // The shortest run that reaches a limit: a longer one would depend on what had arrived by
        // now.
        let short =
            partition(extent.known, |items| !self.weigh(extent, items, &bounds.max).is_reached);
        if short < extent.known {
            let is_over = self.weigh(extent, short + 1, &bounds.max).is_over;
            let items = if is_over { short.max(1) } else { short + 1 };
            return Some((items.max(extent.joined), ClosedBy::Max));
        }
        if extent.known == 0 {
            return None;
        }
        if extent.is_full {
            return Some((extent.known, ClosedBy::Max));
        }
        if extent.is_last {
            return Some((extent.known, ClosedBy::Boundary));
        }
        let is_old = extent.oldest? + bounds.age? <= now;
        let is_under = self.weigh(extent, extent.whole, &bounds.min).is_under;
        let items = extent.whole.max(extent.joined);
        (is_old && !is_under).then_some((items, ClosedBy::Age))
    }

    /// The tasks to open next, in the order of the queue: the head's first, of whatever stage.
    fn open(&self) -> Vec<Event> {
        let limits = &self.limits;
        let mut room = limits.tasks_max.saturating_sub(self.tasks_ahead());
        let horizon = self.horizon();
        let stages = (0..self.collectors.len()).map(StageIndex).rev();
        let mut lines: Vec<_> =
            stages.map(|index| self.candidates(index, horizon).peekable()).collect();
        let next = std::iter::from_fn(|| {
            let firsts = lines.iter_mut().enumerate().filter_map(|(index, line)| {
                let (stage, key, _) = line.peek()?;
                Some((key.first, stage.from_end, index))
            });
            let (.., index) = firsts.min()?;
            lines.get_mut(index)?.next()
        });
        let mut read = 0;
        let chosen = next.take(limits.decision_max).take_while(|(_, key, inputs)| {
            let (is_first, is_ahead) = (read == 0, !self.is_behind(key.first));
            read += inputs.len();
            let has_room = !is_ahead || room > 0;
            room = room.saturating_sub(usize::from(is_ahead));
            has_room && (is_first || read <= limits.inputs_max)
        });
        chosen.map(|(stage, key, inputs)| self.opened(stage, key, inputs)).collect()
    }

    /// The tasks that a stage could open up to `horizon`, in key order.
    fn candidates(
        &self,
        index: StageIndex,
        horizon: Height,
    ) -> impl Iterator<Item = (&Stage, Key, Vec<InputId>)> {
        let stage = self.pipeline.stage(index);
        let collector = self.collectors.get(index.0);
        let next = match collector {
            Some(Collector::EachBlock { next }) => next.or_else(|| self.chain.start()),
            Some(
                Collector::Each(_)
                | Collector::Parts(_)
                | Collector::Sequence(_)
                | Collector::Tree(_),
            )
            | None => None,
        };
        let heights = next.into_iter().flat_map(move |next| next.0..=horizon.0);
        let blocks = heights.map_while(|height| self.height_key(Height(height)));
        let ripe = collector.and_then(Collector::ripe).into_iter().flatten();
        let ripe = ripe.take_while(move |(key, _)| key.first <= horizon);
        let ripe = ripe.map(move |(key, inputs)| (stage, *key, inputs.clone()));
        blocks.map(move |key| (stage, key, vec![InputId::Block(key.tip)])).chain(ripe)
    }

    fn opened(&self, stage: &Stage, key: Key, inputs: Vec<InputId>) -> Event {
        let name = stage.program.clone();
        let program = self.pipeline.programs.get(&name).expect("check saw that the program exists");
        let task = TaskId::of(stage, &name, program, &key, &inputs);
        Event::TaskOpened { task, stage: stage.name.clone(), program: name, key, inputs }
    }

    fn release(&self) -> Vec<Event> {
        let ready = self.feed.ready(&self.pipeline.release);
        let has_result = |task: &TaskId| self.task(task).is_some_and(|task| task.result.is_some());
        let ready = ready.filter(|release| release.tasks.iter().all(has_result));
        let ready = ready.filter(|release| self.is_final(release.key.last));
        let event = ready.map(|release| Event::Released {
            number: release.number,
            key: release.key,
            tasks: release.tasks,
        });
        event.into_iter().collect()
    }

    /// The highest block that may have tasks: the window, measured from the lowest with an open
    /// task that is to be released yet.
    pub(super) fn horizon(&self) -> Height {
        let ahead = self.feed.next().unwrap_or_default();
        let lowest = self.open.range((ahead, TaskId([0; 32]))..).next().map(|(height, _)| *height);
        let lowest = lowest.or_else(|| self.lowest_waiting()).unwrap_or_default().max(ahead);
        Height(lowest.0.saturating_add(self.pipeline.window - 1))
    }

    /// The lowest block whose task could be opened.
    fn lowest_waiting(&self) -> Option<Height> {
        let lowest = self.collectors.iter().filter_map(|collector| match collector {
            Collector::EachBlock { next } => next.or_else(|| self.chain.start()),
            Collector::Each(_)
            | Collector::Parts(_)
            | Collector::Sequence(_)
            | Collector::Tree(_) => collector.ripe()?.first_key_value().map(|(key, _)| key.first),
        });
        lowest.min()
    }

    /// The stages that close batches.
    fn batching(&self) -> impl Iterator<Item = (StageIndex, &Stage, &Bounds)> {
        self.pipeline.stages.iter().enumerate().filter_map(|(index, stage)| match &stage.collect {
            Collect::Sequence(bounds) | Collect::Tree(_, bounds) => {
                Some((StageIndex(index), stage, bounds))
            }
            Collect::Each | Collect::Parts => None,
        })
    }
}

/// A takeover gives what runs so much more than it should have, at most; and a quiet log grows by a
/// fact as often.
const LED_EVERY: Duration = Duration::from_secs(30);

/// The most items in `1..=known` that fit, given that fewer fit where more do; 0 if none.
fn partition(known: usize, fits: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, known);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if fits(middle) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    low
}
