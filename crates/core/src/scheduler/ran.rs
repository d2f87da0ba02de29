//! What the log says of who tries and how long that takes, for people: kept as facts come, so that
//! nobody walks the tasks to tell it.
//!
//! Not here: any decision; none reads this.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::{DispatcherId, Event, StageIndex, Timestamp};

/// How attempts ended, by stage and by dispatcher, and since when the engine leads that does.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RunStats {
    /// How long the latest that were accepted took. Unit: microseconds.
    took: BTreeMap<StageIndex, VecDeque<u64>>,
    by: BTreeMap<DispatcherId, EndCounts>,
    led_since: Option<Timestamp>,
}

/// How the attempts of one dispatcher ended.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct EndCounts {
    /// With a result that was accepted.
    pub accepted: u64,
    /// Without one, or with one that did not verify.
    pub failed: u64,
    /// It was gone.
    pub lost: u64,
    /// Before its prover did, for a reason of its own.
    pub withdrawn: u64,
    /// When the last of them did.
    pub at: Timestamp,
}

impl RunStats {
    /// How long a prover of this stage took until now: the median of the latest results. None where
    /// there is none.
    #[must_use]
    pub fn usual(&self, stage: StageIndex) -> Option<Duration> {
        let mut took: Vec<u64> = self.took.get(&stage)?.iter().copied().collect();
        took.sort_unstable();
        took.get(took.len() / 2).map(|micros| Duration::from_micros(*micros))
    }

    /// The dispatchers whose attempts have ended, by name; of very many the first that came.
    pub fn by(&self) -> impl Iterator<Item = (&DispatcherId, &EndCounts)> {
        self.by.iter()
    }

    /// Since when the epoch is that holds.
    #[must_use]
    pub const fn led_since(&self) -> Option<Timestamp> {
        self.led_since
    }

    /// An engine has claimed the log.
    pub(super) const fn led(&mut self, at: Timestamp) {
        self.led_since = Some(at);
    }

    /// Counts what an event says of the attempt of `holder` at a task of `stage`.
    pub(super) fn count(
        &mut self,
        at: Timestamp,
        stage: StageIndex,
        event: &Event,
        holder: Option<&DispatcherId>,
    ) {
        if let Event::Accepted { ran_us, .. } = event
            && *ran_us > 0
        {
            let took = self.took.entry(stage).or_default();
            if took.len() == TOOK_MAX {
                took.pop_front();
            }
            took.push_back(*ran_us);
        }
        let Some(holder) = holder else { return };
        if !self.by.contains_key(holder) && self.by.len() >= NAMES_MAX {
            return;
        }
        let Some(count) = EndCounts::counted_by(event) else { return };
        let ended = self.by.entry(holder.clone()).or_default();
        *count(ended) += 1;
        ended.at = at;
    }
}

impl EndCounts {
    fn counted_by(event: &Event) -> Option<fn(&mut Self) -> &mut u64> {
        if let Event::Accepted { .. } = event {
            Some(|ended| &mut ended.accepted)
        } else if let Event::Failed { .. } | Event::Rejected { .. } = event {
            Some(|ended| &mut ended.failed)
        } else if let Event::Lost { .. } = event {
            Some(|ended| &mut ended.lost)
        } else if let Event::Withdrawn { .. } = event {
            Some(|ended| &mut ended.withdrawn)
        } else {
            None
        }
    }
}

/// Results whose time is kept, of each stage: an odd number has a middle, and a few slow ones do
/// not move that.
const TOOK_MAX: usize = 31;

/// Names that are kept: more than a fleet has. A log may name as many as there ever were.
const NAMES_MAX: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AttemptId, Digest, ResultRef, TaskId};

    const AT: Timestamp = Timestamp(7);

    fn accepted(ran_us: u64) -> Event {
        let result = ResultRef {
            output: Digest([0; 32]),
            bytes: 1,
            statement: Digest([0; 32]),
            vkey: None,
            mock: false,
            parts: Vec::new(),
        };
        Event::Accepted { task: TaskId([0; 32]), attempt: AttemptId(1), result, ran_us }
    }

    #[test]
    fn what_is_usual_is_the_middle_of_the_latest() {
        let (mut ran, stage) = (RunStats::default(), StageIndex(0));
        assert_eq!(ran.usual(stage), None);
        [9, 1, 5].into_iter().for_each(|took| ran.count(AT, stage, &accepted(took), None));
        assert_eq!(ran.usual(stage), Some(Duration::from_micros(5)));
        assert_eq!(ran.usual(StageIndex(1)), None);
        (0..TOOK_MAX).for_each(|_| ran.count(AT, stage, &accepted(70), None));
        assert_eq!(ran.usual(stage), Some(Duration::from_micros(70)));
        assert_eq!(ran.took.get(&stage).map(VecDeque::len), Some(TOOK_MAX));
    }

    #[test]
    fn each_dispatcher_has_its_own_ends() {
        let (mut ran, who): (RunStats, DispatcherId) =
            (RunStats::default(), "gpu-1".parse().expect("a name"));
        let lost = Event::Lost {
            task: TaskId([0; 32]),
            attempt: AttemptId(1),
            message: String::new(),
            retry_at: Timestamp(0),
        };
        ran.count(Timestamp(1), StageIndex(0), &accepted(1), Some(&who));
        ran.count(AT, StageIndex(0), &lost, Some(&who));
        let ended = EndCounts { accepted: 1, lost: 1, at: AT, ..EndCounts::default() };
        assert_eq!(ran.by().collect::<Vec<_>>(), [(&who, &ended)]);
    }
}
