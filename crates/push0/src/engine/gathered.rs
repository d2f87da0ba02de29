//! What a turn gathers: the events that go into its one record, and what leaves once that is durable.

use std::time::Duration;

use push0_core::{Event, Life, Rejection, Seq, Timestamp, ToDispatcher, Verdict};

use tokio::sync::oneshot;

use super::handle::{Look, Pulse, Reply, Taken};

/// An answer, and who waits for it.
type Answered = (Reply, Result<(), Rejection>);

/// What a turn has gathered.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) events: Vec<Event>,
    /// What its events weigh in the log, roughly. Unit: bytes.
    bytes: usize,
    pub(super) answers: Vec<Answered>,
    pub(super) taken: Vec<(oneshot::Sender<Taken>, Taken)>,
    pub(super) messages: Vec<(Life, ToDispatcher)>,
    pub(super) looks: Vec<Look>,
    pub(super) probes: Vec<Pulse>,
    /// For each accepted result, when its attempt was granted and how long the prover ran.
    pub(super) accepted: Vec<(Timestamp, Duration)>,
}

impl Gathered {
    pub(super) fn add(&mut self, events: Vec<Event>) {
        let bytes = |event: &Event| match event {
            Event::Accepted { result, .. } => EVENT_BYTES + result.parts.len() * DIGEST_BYTES,
            Event::TaskOpened { inputs, .. } => EVENT_BYTES + inputs.len() * DIGEST_BYTES,
            Event::Released { tasks, .. } => EVENT_BYTES + tasks.len() * DIGEST_BYTES,
            Event::Failed { message, .. }
            | Event::Rejected { message, .. }
            | Event::Lost { message, .. }
            | Event::Withdrawn { message, .. }
            | Event::Parked { message, .. } => EVENT_BYTES + message.len(),
            Event::Configured { .. }
            | Event::Claimed { .. }
            | Event::BlockSubmitted { .. }
            | Event::SourceEnded { .. }
            | Event::Resupplied { .. }
            | Event::PayloadLost { .. }
            | Event::BatchClosed { .. }
            | Event::Granted { .. }
            | Event::Surplus { .. }
            | Event::Remade { .. }
            | Event::Reopened { .. }
            | Event::Pinned { .. } => EVENT_BYTES,
        };
        self.bytes += events.iter().map(bytes).sum::<usize>();
        self.events.extend(events);
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) const fn is_full(&self) -> bool {
        self.bytes >= TURN_BYTES_MAX
    }

    /// What a dispatcher is told of the events from `before` on, of which the last is at `last`.
    pub(super) fn verdict(&self, before: usize, last: Seq) -> Verdict {
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

/// A turn takes no further request past this size. Unit: bytes. Well below what a log takes for one record.
pub(super) const TURN_BYTES_MAX: usize = 256 * 1024;

/// An event in JSON, roughly.
const EVENT_BYTES: usize = 512;

/// A digest or an id in JSON.
const DIGEST_BYTES: usize = 72;
