//! Tasks: one proof to make, and everything that can happen to it.
//!
//! ```text
//!   TaskOpened          Granted            Accepted
//!  ───────────▶ Ready ──────────▶ Leased ───────────▶ Accepted
//!                │ ▲   Failed, Rejected,  │               │ Surplus, Remade: stay
//!         Parked │ │   Lost, Withdrawn    │ Parked        │
//!                ▼ └──────────────────────┘               │
//!              Parked ◀──────────────────────────────────┤ Parked (lost too often)
//!                └──────────▶ Ready ◀─────────────────────┘ Reopened
//! ```
//!
//! A result is taken in any state but Accepted, whoever brings it and however late. A failure
//! counts only for the attempt that holds the lease. From any state in which it has a result, or
//! reads one, a task is Ready again when that is taken back (`Discarded`, see
//! `scheduler::discard`).
//!
//! From any state it is Superseded when the chain leaves what it is about (`HeadMoved`, see
//! `scheduler::heads`). A result is kept then, and does not flow. Where the chain comes back the
//! task is opened again: with its result, if there is one.
//!
//! Not here: which task is granted (`queue`), what a failure costs (`failure`), what becomes of a
//! result (`collect`).

use crate::failure::Tally;
use crate::{
    AttemptId, DispatcherId, Event, InputId, Key, ParkedBy, ReopenedBy, ResultRef, Seq, StageIndex,
    Timestamp,
};

/// Where a task stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TaskState {
    /// May be tried from `at` on, if its inputs are there.
    Ready {
        /// When it became so, or will.
        at: Timestamp,
    },
    /// Is being tried, by so many attempts: which, `attempt` knows.
    Leased {
        /// How many live; never none.
        live: u32,
    },
    /// Has a verified result.
    Accepted,
    /// Waits for a person to look at it.
    Parked,
    /// Is about what is not canonical any more.
    Superseded,
}

/// One proof to make.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Task {
    /// Its stage.
    pub stage: StageIndex,
    /// What it proves.
    pub key: Key,
    /// From what, in key order.
    pub inputs: Box<[InputId]>,
    /// The position of its opening in the log.
    pub opened: Seq,
    /// Where it stands.
    pub state: TaskState,
    /// How its attempts ended since it was last opened.
    pub tally: Tally,
    /// Its latest result; kept when it is opened again, for the next must say the same.
    pub result: Option<Box<TaskResult>>,
    /// How often it was opened again because its result was lost.
    pub remakes: u32,
    /// Why it is parked.
    pub parked: Option<(ParkedBy, Box<str>)>,
    /// That a result of it was taken back, or one that it read.
    pub discarded: Option<Box<Discarded>>,
    /// No result of an attempt that was granted before is taken: what it reads was taken back then,
    /// and a task of its id with it.
    pub not_before: AttemptId,
}

/// What is left of a result that was taken back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Discarded {
    /// The position of that.
    pub at: Seq,
    /// No result of an attempt below this one is taken: it was granted before, maybe by an engine
    /// whose grant was lost with the end of its log, at a higher position.
    pub(crate) since: AttemptId,
    /// Whether the result before had flowed on to what reads it.
    pub(crate) has_flowed: bool,
    /// Into how many parts, where there must be as many again.
    pub(crate) parts: Option<usize>,
}

/// An accepted result.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TaskResult {
    /// What it is.
    pub what: ResultRef,
    /// Who made it.
    pub attempt: AttemptId,
    /// The position of its acceptance.
    pub seq: Seq,
    /// The attempts whose results came too late, as far as they are remembered.
    pub surplus: Box<[AttemptId]>,
    /// The attempts whose results it took the place of, as far as they are remembered: told again,
    /// they are as lost as before.
    pub before: Box<[AttemptId]>,
}

impl TaskState {
    /// The state after `event`, which stands at `seq` and happened at `at`; `None` is a task that
    /// nobody opened. An attempt that the event ends is one of those that live: the table of them
    /// says so.
    ///
    /// # Errors
    ///
    /// [`IllegalEvent`] where no history leads here: live, a bug in the scheduler; on replay, a
    /// damaged log. There is no right state to go on from, so stop.
    pub fn after(
        state: Option<&Self>,
        seq: Seq,
        at: Timestamp,
        event: &Event,
    ) -> Result<Self, IllegalEvent> {
        use TaskState::{Accepted, Leased, Parked, Ready, Superseded};

        Ok(match (state, event) {
            (None | Some(Superseded), Event::TaskOpened { .. }) => Ready { at },
            (Some(Ready { .. }), Event::Granted { .. }) => Leased { live: 1 },
            (
                Some(Leased { live }),
                Event::Failed { retry_at, .. }
                | Event::Rejected { retry_at, .. }
                | Event::Lost { retry_at, .. }
                | Event::Withdrawn { retry_at, .. },
            ) => match live.saturating_sub(1) {
                0 => Ready { at: *retry_at },
                live => Leased { live },
            },
            (Some(Ready { .. } | Leased { .. } | Accepted), Event::Parked { .. }) => Parked,
            (Some(Ready { .. } | Leased { .. } | Parked), Event::Accepted { .. }) => Accepted,
            (Some(Accepted), Event::Surplus { .. } | Event::Remade { .. }) => Accepted,
            (Some(Superseded), Event::Accepted { .. } | Event::Surplus { .. }) => Superseded,
            (Some(Accepted | Parked), Event::Reopened { .. }) => Ready { at },
            (state, event) => {
                return Err(IllegalEvent {
                    seq,
                    what: format!("{event:?} cannot follow {state:?}").into(),
                });
            }
        })
    }
}

impl Task {
    /// Whether a person or a prover still has something to do for it.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        match self.state {
            TaskState::Ready { .. } | TaskState::Leased { .. } | TaskState::Parked => true,
            TaskState::Accepted | TaskState::Superseded => false,
        }
    }

    /// When it, or what it reads, was last taken back: no result of an attempt below this one
    /// counts.
    pub(crate) fn taken_back(&self) -> AttemptId {
        self.discarded.as_ref().map_or(self.not_before, |gone| gone.since.max(self.not_before))
    }

    /// Whether a result of it has flowed on: that happens once.
    pub(crate) fn has_flowed(&self) -> bool {
        self.result.is_some() || self.discarded.as_ref().is_some_and(|gone| gone.has_flowed)
    }

    /// Remembers what an event says beside the state it leads to; `holder` held the attempt that it
    /// names, or under which it parks.
    pub(crate) fn note(&mut self, at: Timestamp, event: &Event, holder: Option<DispatcherId>) {
        self.tally.count(at, event, holder.clone());
        if let Event::Parked { class, message, .. } = event {
            self.parked = Some((*class, message.as_str().into()));
            self.tally.came_to_nothing_on(holder);
        } else if let Event::Reopened { why, .. } = event {
            self.tally.begin_anew();
            self.parked = None;
            self.remakes = match why {
                ReopenedBy::ResultLost => self.remakes + 1,
                ReopenedBy::Operator => 0,
                ReopenedBy::Resupplied => self.remakes,
            };
        } else if let (Event::Surplus { attempt, .. }, Some(result)) = (event, &mut self.result) {
            result.surplus = result.surplus.iter().copied().chain([*attempt]).collect();
        }
    }
}

impl TaskResult {
    /// Whether a result of this attempt is known, and is not the one that counts.
    pub(crate) fn has_overtaken(&self, attempt: AttemptId) -> bool {
        self.surplus.contains(&attempt) || self.before.contains(&attempt)
    }

    /// Those whose results the next one takes the place of; of very many the latest.
    pub(crate) fn overtaken_by_the_next(&self) -> Box<[AttemptId]> {
        let all = self.before.iter().chain(&self.surplus).chain([&self.attempt]);
        let all: Vec<_> = all.copied().collect();
        all.get(all.len().saturating_sub(BEFORE_MAX)..).unwrap_or_default().into()
    }
}

/// Results that were replaced of which it is known who made them: more than a task is made again.
const BEFORE_MAX: usize = 64;

/// An event that cannot follow the state it was applied to.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("event {seq}: {what}")]
pub struct IllegalEvent {
    /// Its position in the log.
    pub seq: Seq,
    /// What is wrong with it.
    pub what: Box<str>,
}
