//! What a turn gathers: the events that go into its one record, and what leaves once that is
//! durable.

use std::time::Duration;

use push0_core::{Event, Life, Rejection, Seq, Timestamp, ToDispatcher, Verdict};

use crate::request::{Admission, Askers};

/// What a turn has gathered.
#[derive(Clone, Debug)]
pub(crate) struct Gathered<A: Askers> {
    pub(crate) events: Vec<Event>,
    /// What its events take in the log at most. Unit: bytes.
    bytes: usize,
    /// It takes no further request past this size. Unit: bytes.
    bytes_max: usize,
    pub(crate) answers: Vec<(A::Ask, Result<(), Rejection>)>,
    pub(crate) taken: Vec<(A::Add, Admission)>,
    pub(crate) messages: Vec<(Life, ToDispatcher)>,
    pub(crate) looks: Vec<A::Look>,
    pub(crate) probes: Vec<A::Probe>,
    /// For each accepted result, when its attempt was granted and how long the prover ran.
    pub(crate) accepted: Vec<(Timestamp, Duration)>,
}

impl<A: Askers> Gathered<A> {
    /// Nothing yet; full at `bytes_max`, well below what a log takes for one record.
    pub(crate) const fn of_at_most(bytes_max: usize) -> Self {
        Self {
            events: Vec::new(),
            bytes: 0,
            bytes_max,
            answers: Vec::new(),
            taken: Vec::new(),
            messages: Vec::new(),
            looks: Vec::new(),
            probes: Vec::new(),
            accepted: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, events: Vec<Event>) {
        self.bytes += events.iter().map(Event::bytes_max).sum::<usize>();
        self.events.extend(events);
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) const fn is_full(&self) -> bool {
        self.bytes >= self.bytes_max
    }

    /// Whether what was decided last leaves no room for grants beside it.
    pub(crate) const fn is_overfull(&self) -> bool {
        self.bytes >= 2 * self.bytes_max
    }

    /// What a dispatcher is told of the events from `before` on, of which the last is at `last`.
    pub(crate) fn verdict(&self, before: usize, last: Seq) -> Verdict {
        let events = self.events.get(before..).unwrap_or_default();
        let accepted = events.iter().rposition(|event| matches!(event, Event::Accepted { .. }));
        match accepted {
            Some(index) => Verdict::Accepted(Seq(last.0 + 1 + index as u64 - events.len() as u64)),
            None if events.iter().any(|event| matches!(event, Event::Surplus { .. })) => {
                Verdict::AlreadyAccepted
            }
            None => Verdict::Recorded,
        }
    }
}
