//! What a turn gathers: the events that go into its one record, and what leaves once that is durable.

use push0_core::{Event, Life, Seq, ToDispatcher, Verdict};

use super::{Answer, Asker};

/// What a turn has gathered.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) events: Vec<Event>,
    pub(super) answers: Vec<(Asker, Answer)>,
    pub(super) messages: Vec<(Life, ToDispatcher)>,
    /// What its events take in the log at most. Unit: bytes.
    bytes: usize,
}

impl Gathered {
    pub(super) fn add(&mut self, events: Vec<Event>) {
        self.bytes += events.iter().map(Event::bytes_max).sum::<usize>();
        self.events.extend(events);
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

/// A turn takes no further request past this size: as small a share of what the log takes for one record as
/// in the shell, where segments are larger.
const TURN_BYTES_MAX: usize = 8 * 1024;
