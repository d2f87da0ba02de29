//! How full the log is, as people are shown it.

use push0_log::Room;
use serde::{Deserialize, Serialize};

use crate::engine::{is_short, raise, used};

/// How full the log is.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct LogRoom {
    bytes: u64,
    bytes_max: u64,
    stream: String,
}

impl LogRoom {
    pub(super) fn room(&self) -> Room {
        Room { bytes: self.bytes, bytes_max: self.bytes_max, name: self.stream.as_str().into() }
    }

    pub(super) fn shown(&self) -> String {
        let room = self.room();
        match is_short(&room) {
            true => format!("{}: no block is taken: {}", used(&room), raise(&room)),
            false => used(&room),
        }
    }
}

impl From<Room> for LogRoom {
    fn from(room: Room) -> Self {
        let Room { bytes, bytes_max, name } = room;
        Self { bytes, bytes_max, stream: name.to_string() }
    }
}
