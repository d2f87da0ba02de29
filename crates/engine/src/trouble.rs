//! A log that takes nothing: how long the engine waits, and what it does meanwhile.
//!
//! It keeps what it has decided, and goes on where it was: no promise has left. While a log is full
//! it decides nothing more, and still says that it leads: no other engine would find more room.

use std::time::Duration;

use push0_core::Timestamp;

/// Why a log takes nothing at the moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refused {
    /// It has no room. What was begun behind its last record is forgotten there.
    Full,
    /// It is out of reach. What was begun is under way still.
    Away,
}

/// A log in trouble.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trouble {
    pub(crate) since: Timestamp,
    /// When it is tried again; none once it is.
    pub(crate) again: Option<Timestamp>,
    pub(crate) refused: Refused,
}

/// How long an engine waits for its log: long enough for a person to come.
pub const ROOM_WAIT: Duration = Duration::from_secs(600);

/// Between two tries.
pub(crate) const ROOM_PAUSE: Duration = Duration::from_millis(500);
