//! What the log and the store take on disk, and what is left of it.

use std::path::Path;

use push0_dispatch::{Room, taken_bytes};
use serde::{Deserialize, Serialize};

use super::layout::{long, size};
use crate::data::Layout;
use crate::tell::counted;

/// What is taken, and what is left. Unit: bytes.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Space {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    log_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    store_bytes: Option<u64>,
    /// Of the disk that the store is on.
    free_bytes: u64,
    disk_bytes: u64,
    /// Below so much nothing new is begun.
    reserve_bytes: u64,
}

/// What a store that machines share held when it was counted.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct StoreUsage {
    /// Unit: bytes.
    pub(crate) bytes: u64,
    pub(crate) files: u64,
    /// How long ago that was. Unit: seconds.
    pub(crate) seconds: u64,
}

impl StoreUsage {
    pub(super) fn shown(&self) -> String {
        let Self { bytes, files, seconds } = self;
        let (size, files, ago) = (size(*bytes), counted(files, "file"), long(*seconds));
        format!("the store holds {size} in {files}, counted {ago} ago")
    }
}

impl Space {
    /// Of a data directory.
    pub(crate) fn of_data(data: &Layout) -> Option<Self> {
        let space = Self::of_store(&data.store())?;
        let (log, store) = (taken_bytes(&data.log()), taken_bytes(&data.store()));
        Some(Self { log_bytes: Some(log), store_bytes: Some(store), ..space })
    }

    /// Of a directory that machines share, whatever is in it: to count that takes too long.
    pub(crate) fn of_store(store: &Path) -> Option<Self> {
        let room = Room::look(store).ok()?;
        let (free_bytes, disk_bytes) = (room.free_bytes, room.total_bytes);
        let reserve_bytes = room.reserve_bytes();
        Some(Self { free_bytes, disk_bytes, reserve_bytes, ..Self::default() })
    }

    pub(super) fn shown(&self) -> String {
        let Self { free_bytes, disk_bytes, reserve_bytes, .. } = self;
        let taken = match (self.log_bytes, self.store_bytes) {
            (Some(log), Some(store)) => {
                format!("the log takes {}, the store {}; ", size(log), size(store))
            }
            _ => String::new(),
        };
        let short = match free_bytes < reserve_bytes {
            true => ": nothing new is begun before there is room",
            false => "",
        };
        format!(
            "{taken}the store's disk has {} of {} free{short}",
            size(*free_bytes),
            size(*disk_bytes)
        )
    }
}
