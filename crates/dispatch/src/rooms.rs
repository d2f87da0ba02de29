//! The disks that attempts and results are written to: nothing is begun while one of them is short, and
//! an attempt that fills one is ended before it costs the others anything.
//!
//! Not here: how short is short (`room`).

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use push0_core::AttemptId;
use tokio::task::JoinHandle;

use crate::Notice;
use crate::context::Context;
use crate::folder::blocking;
use crate::room::{Room, taken_bytes};

/// What is known of the disks.
#[derive(Debug)]
pub(crate) struct Rooms {
    dirs: Vec<PathBuf>,
    /// Until when nothing is begun whatever the disks say: a quota shows only when something is written.
    closed: Mutex<Option<Instant>>,
    /// When one was last seen to be short.
    short: Mutex<Option<Instant>>,
}

/// Who has filled a disk.
pub(crate) enum Blame {
    /// None is full.
    NotFull,
    /// The attempt that is asked about.
    This {
        /// What its directories hold.
        bytes: u64,
    },
    /// Somebody else.
    Other,
}

/// What attempts were seen to hold.
#[derive(Debug, Default)]
pub(crate) struct Measuring(Option<JoinHandle<Option<(AttemptId, u64)>>>);

impl Rooms {
    pub(crate) fn new<'a>(dirs: impl Iterator<Item = &'a Path>) -> Self {
        let dirs = dirs.map(Path::to_owned).collect();
        Self { dirs, closed: Mutex::new(None), short: Mutex::new(None) }
    }

    /// Begins nothing for a while: a disk has just refused a write.
    pub(crate) fn close(&self, context: &Context) {
        *self.closed() = Some(Instant::now() + CLOSED);
        let rooms = self.look();
        let short = rooms.iter().find(|room| room.is_short()).or_else(|| rooms.first()).cloned();
        self.shut(context, short);
    }

    /// Looks at the disks, and opens or closes.
    pub(crate) fn tend(&self, context: &Context) {
        let rooms = self.look();
        if context.board.is_open() {
            if let Some(room) = rooms.into_iter().find(Room::is_short) {
                self.shut(context, Some(room));
            }
        } else if rooms.iter().all(Room::is_ample) {
            let mut closed = self.closed();
            if closed.is_none_or(|until| until <= Instant::now()) {
                *closed = None;
                drop(closed);
                context.board.open(true);
                context.notify(Notice::RoomAgain);
                context.beat_now();
            }
        }
    }

    /// Whose fault it is that an attempt failed, if that may be for want of room.
    pub(crate) async fn blame(&self, context: &Context, attempt: AttemptId) -> Blame {
        let Ok(room) = Room::look(&context.work) else { return Blame::NotFull };
        if context.board.is_open() && !room.is_short() {
            // Whoever filled it may have made room as it ended, before this one was asked about.
            return match self.was_short() {
                true => Blame::Other,
                false => Blame::NotFull,
            };
        }
        self.note_short();
        let dirs = context.board.dirs().into_iter().filter(|(of, _)| *of == attempt).collect();
        let enough = room.reserve_bytes() / BLAME_SHARE;
        match blocking(move || most(dirs, enough)).await {
            Some((_, bytes)) => Blame::This { bytes },
            None => Blame::Other,
        }
    }

    fn shut(&self, context: &Context, room: Option<Room>) {
        self.note_short();
        if !context.board.is_open() {
            return;
        }
        context.board.open(false);
        if let Some(room) = room {
            context.notify(Notice::NoRoom { room });
        }
        context.beat_now();
    }

    fn note_short(&self) {
        *self.short.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether one was short a moment ago.
    fn was_short(&self) -> bool {
        let short = *self.short.lock().unwrap_or_else(PoisonError::into_inner);
        short.is_some_and(|at| at.elapsed() < MOMENT)
    }

    /// Those that can be looked at. A disk that does not answer says nothing about its room.
    fn look(&self) -> Vec<Room> {
        self.dirs.iter().filter_map(|dir| Room::look(dir).ok()).collect()
    }

    fn closed(&self) -> MutexGuard<'_, Option<Instant>> {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Measuring {
    /// The attempt that holds most of a disk that is short, once that is known, with what it holds.
    pub(crate) async fn greediest(&mut self, context: &Context) -> Option<(AttemptId, u64)> {
        if let Some(measured) = self.0.take_if(|measuring| measuring.is_finished()) {
            return measured.await.ok().flatten();
        }
        let room = Room::look(&context.work).ok()?;
        if self.0.is_none() && room.is_short() && !room.is_read_only {
            let (dirs, enough) = (context.board.dirs(), room.reserve_bytes() / BLAME_SHARE);
            self.0 = Some(tokio::task::spawn_blocking(move || most(dirs, enough)));
        }
        None
    }
}

fn most(dirs: Vec<(AttemptId, Vec<PathBuf>)>, enough: u64) -> Option<(AttemptId, u64)> {
    let held = dirs
        .into_iter()
        .map(|(attempt, dirs)| (attempt, dirs.iter().map(|dir| taken_bytes(dir)).sum::<u64>()));
    held.filter(|(_, bytes)| *bytes >= enough).max_by_key(|(_, bytes)| *bytes)
}

/// From one look to the next. A prover that writes 2 GB/s takes a fifth of the largest reserve meanwhile.
pub(crate) const LOOK: Duration = Duration::from_millis(100);

/// How long nothing is begun after a write was refused, at least.
const CLOSED: Duration = Duration::from_secs(5);

/// A failure so soon after a disk was short is put down to that. Longer than a failure takes to be looked at.
const MOMENT: Duration = Duration::from_secs(1);

/// An attempt that holds less than this part of the reserve is not to blame for a disk that is short.
const BLAME_SHARE: u64 = 4;
