//! What the ledger keeps of a task, and of a batch.

use std::collections::{BTreeMap, BTreeSet};

use push0_core::{
    AttemptId, ClosedBy, DispatcherId, FailureClass, InputId, Key, ResultRef, Seq, StageIndex,
    Timestamp,
};

/// A task.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) stage: StageIndex,
    pub(crate) key: Key,
    pub(crate) inputs: Vec<InputId>,
    pub(crate) opened: Seq,
    pub(crate) state: State,
    /// How its attempts ended since it was last opened.
    pub(crate) ends: BTreeMap<How, u32>,
    /// Those that are at no budget.
    pub(crate) excused: u32,
    pub(crate) failed_on: BTreeSet<DispatcherId>,
    /// Likewise, and those that are at no budget.
    pub(crate) tried_on: BTreeSet<DispatcherId>,
    /// Who tried it last and came to nothing.
    pub(crate) last_on: Option<DispatcherId>,
    /// Whether it ran out of memory: who has the most of it is tried first then.
    pub(crate) lacked_memory: bool,
    /// Whether nobody else had tried it when it last ended so.
    pub(crate) was_alone: BTreeMap<How, bool>,
    /// When it ended as transient first, and last.
    pub(crate) transient: Option<(Timestamp, Timestamp)>,
    /// Its latest result, kept while it is made again.
    pub(crate) result: Option<ResultRef>,
    /// Whether that says something false.
    pub(crate) is_lie: bool,
    /// Where it was accepted.
    pub(crate) accepted: Seq,
    /// The attempts whose results came, in any order; those of before are forgotten when it is
    /// taken back.
    pub(crate) made: BTreeSet<AttemptId>,
    /// Whether what it made has flowed on.
    pub(crate) has_flowed: bool,
    /// The parts of a result that was taken back, where as many must come again.
    pub(crate) joined_parts: Option<usize>,
    /// Attempts below this one were granted before its result, or one that it read, was taken back
    /// last.
    pub(crate) discarded: AttemptId,
    /// The same of a task of its id that is no more.
    pub(crate) superseded: AttemptId,
}

/// Where a task stands.
#[derive(Clone, Debug)]
pub(crate) enum State {
    Ready(Timestamp),
    Leased {
        attempt: AttemptId,
        dispatcher: DispatcherId,
        until: Timestamp,
    },
    Accepted,
    Parked,
    /// The chain has left what it is about.
    Superseded,
}

/// How an attempt came to nothing, as budgets count it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum How {
    Failed(FailureClass),
    Rejected,
    Lost,
    Withdrawn,
}

/// A batch, as its closing says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub(crate) key: Key,
    pub(crate) items: u64,
    pub(crate) why: ClosedBy,
    pub(crate) at: Timestamp,
    /// Whether the source had ended.
    pub(crate) is_at_end: bool,
}

impl Entry {
    pub(crate) const fn new(
        stage: StageIndex,
        key: Key,
        inputs: Vec<InputId>,
        opened: Seq,
        at: Timestamp,
    ) -> Self {
        Self {
            stage,
            key,
            inputs,
            opened,
            state: State::Ready(at),
            ends: BTreeMap::new(),
            excused: 0,
            failed_on: BTreeSet::new(),
            tried_on: BTreeSet::new(),
            last_on: None,
            lacked_memory: false,
            was_alone: BTreeMap::new(),
            transient: None,
            result: None,
            is_lie: false,
            accepted: Seq(0),
            made: BTreeSet::new(),
            has_flowed: false,
            joined_parts: None,
            discarded: AttemptId(0),
            superseded: AttemptId(0),
        }
    }

    pub(crate) const fn is_open(&self) -> bool {
        match self.state {
            State::Ready(_) | State::Leased { .. } | State::Parked => true,
            State::Accepted | State::Superseded => false,
        }
    }

    /// Who holds its lease, and by which attempt.
    pub(crate) const fn holder(&self) -> Option<(AttemptId, &DispatcherId)> {
        match &self.state {
            State::Leased { attempt, dispatcher, .. } => Some((*attempt, dispatcher)),
            State::Ready(_) | State::Accepted | State::Parked | State::Superseded => None,
        }
    }

    /// What came of its attempts counts no more.
    /// All but who had it last is forgotten.
    pub(super) fn begins_anew(&mut self) {
        self.ends.clear();
        self.excused = 0;
        self.failed_on.clear();
        self.tried_on.clear();
        self.lacked_memory = false;
        self.transient = None;
    }

    /// How ill a dispatcher is placed for the next try: the last that failed it is placed worst.
    pub(crate) fn place(&self, dispatcher: &DispatcherId) -> u8 {
        let is_last = self.last_on.as_ref() == Some(dispatcher);
        u8::from(self.tried_on.contains(dispatcher)) + u8::from(is_last)
    }
}

impl How {
    /// Whether it is what the prover says of its task.
    pub(crate) const fn is_a_word(self) -> bool {
        matches!(self, Self::Failed(FailureClass::Unprovable | FailureClass::InvalidInput))
    }

    /// Whether it says something of the task on that dispatcher.
    pub(super) const fn is_of_the_task(self) -> bool {
        !matches!(self, Self::Lost | Self::Withdrawn | Self::Failed(FailureClass::Transient))
    }
}
