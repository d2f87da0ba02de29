//! The disks that attempts and results are written to: nothing is begun while one of them is short,
//! and an attempt that fills one is ended before it costs the others anything.
//!
//! Each disk is looked at by a thread of its own, since one that hangs holds whoever asks it. What
//! it last said has an age, and one that has said nothing for too long is as good as full.
//!
//! Not here: how short is short (`room`).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use push0_core::AttemptId;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::Notice;
use crate::context::Context;
use crate::folder::blocking;
use crate::room::{Room, taken_bytes};

/// What is known of the disks.
#[derive(Debug)]
pub(crate) struct Rooms {
    disks: Vec<Arc<Disk>>,
    /// Until when nothing is begun whatever the disks say: a quota shows only when something is
    /// written.
    closed: Mutex<Option<Instant>>,
    /// When one was last seen to be short.
    short: Mutex<Option<Instant>>,
    /// Whether the last reason to close was that one did not answer.
    was_silent: AtomicBool,
}

/// One disk, and what it last said.
#[derive(Debug)]
struct Disk {
    path: PathBuf,
    said: Mutex<DiskReport>,
}

/// What a disk said, if it said anything of its room, and when.
#[derive(Clone, Debug)]
struct DiskReport {
    room: Option<Room>,
    at: Instant,
}

/// How a disk is asked.
type Look = fn(&Path) -> io::Result<Room>;

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
    /// Begins to look at the disks under these directories.
    pub(crate) fn new<'a>(dirs: impl Iterator<Item = &'a Path>) -> io::Result<Self> {
        Self::with(dirs, Room::look)
    }

    fn with<'a>(dirs: impl Iterator<Item = &'a Path>, look: Look) -> io::Result<Self> {
        let disks = dirs.map(|dir| Disk::watch(dir, look)).collect::<io::Result<_>>()?;
        let (closed, short) = (Mutex::default(), Mutex::default());
        Ok(Self { disks, closed, short, was_silent: AtomicBool::new(false) })
    }

    /// Begins nothing for a while: a disk has just refused a write.
    pub(crate) fn close(&self, context: &Context) {
        *self.closed() = Some(Instant::now() + CLOSED);
        let rooms = self.rooms();
        let short = rooms.iter().find(|room| room.is_short()).or_else(|| rooms.first()).cloned();
        self.shut(context, short);
    }

    /// Opens or closes, by what the disks last said.
    pub(crate) fn tend(&self, context: &Context) {
        if let Some((path, silence)) = self.silent() {
            if context.board.is_open() {
                self.was_silent.store(true, Ordering::Relaxed);
                context.board.open(false);
                context.notify(Notice::DiskSilent { path, silence });
                context.beat_now();
            }
            return;
        }
        let rooms = self.rooms();
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
                context.notify(match self.was_silent.swap(false, Ordering::Relaxed) {
                    true => Notice::DiskAgain,
                    false => Notice::RoomAgain,
                });
                context.beat_now();
            }
        }
    }

    /// Whose fault it is that an attempt failed, if that may be for want of room.
    pub(crate) async fn blame(&self, context: &Context, attempt: AttemptId) -> Blame {
        let work = context.work.clone();
        let now = timeout(ANSWER, blocking(move || Room::look(&work).ok())).await;
        let Some(room) = now.ok().flatten() else { return Blame::NotFull };
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

    /// What those say that say anything. A disk that gives an error says nothing about its room.
    fn rooms(&self) -> Vec<Room> {
        self.disks.iter().filter_map(|disk| disk.said().room).collect()
    }

    /// A disk that has not answered for too long, and for how long.
    fn silent(&self) -> Option<(PathBuf, Duration)> {
        let silences = self.disks.iter().map(|disk| (disk.path.clone(), disk.said().at.elapsed()));
        silences.into_iter().find(|(_, silence)| *silence > SILENT)
    }

    /// Whether the disk of the attempts has answered a moment ago.
    pub(crate) fn answers(&self) -> bool {
        self.disks.first().is_some_and(|disk| disk.said().at.elapsed() < FRESH)
    }

    /// What the disk of the attempts last said.
    fn of_work(&self) -> Option<Room> {
        self.disks.first()?.said().room
    }

    fn closed(&self) -> MutexGuard<'_, Option<Instant>> {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk {
    /// Looks at the disk for as long as somebody wants to know.
    fn watch(path: &Path, look: Look) -> io::Result<Arc<Self>> {
        let said = Mutex::new(DiskReport { room: None, at: Instant::now() });
        let disk = Arc::new(Self { path: path.to_owned(), said });
        let wanted = Arc::downgrade(&disk);
        let path = path.to_owned();
        thread::Builder::new().name("disk".to_owned()).spawn(move || {
            while wanted.strong_count() > 0 {
                let room = look(&path).ok();
                let Some(disk) = wanted.upgrade() else { return };
                *disk.lock() = DiskReport { room, at: Instant::now() };
                drop(disk);
                thread::sleep(LOOK);
            }
        })?;
        Ok(disk)
    }

    fn said(&self) -> DiskReport {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, DiskReport> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Measuring {
    /// The attempt that holds most of a disk that is short, once that is known, with what it holds.
    pub(crate) async fn greediest(&mut self, context: &Context) -> Option<(AttemptId, u64)> {
        if let Some(measured) = self.0.take_if(|measuring| measuring.is_finished()) {
            return measured.await.ok().flatten();
        }
        let room = context.rooms.of_work()?;
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

/// From one look to the next. A prover that writes 2 GB/s takes a fifth of the largest reserve
/// meanwhile.
pub(crate) const LOOK: Duration = Duration::from_millis(100);

/// A disk that has said nothing for so long hangs: what is begun on it would hang, too. One that is
/// merely busy answers within a second.
const SILENT: Duration = Duration::from_secs(5);

/// An answer that is younger is of now: two looks, and what a busy machine adds.
const FRESH: Duration = Duration::from_millis(250);

/// How long a disk is waited for that is asked whether it is full.
const ANSWER: Duration = Duration::from_secs(1);

/// How long nothing is begun after a write was refused, at least.
const CLOSED: Duration = Duration::from_secs(5);

/// A failure so soon after a disk was short is put down to that. Longer than a failure takes to be
/// looked at.
const MOMENT: Duration = Duration::from_secs(1);

/// An attempt that holds less than this part of the reserve is not to blame for a disk that is
/// short.
const BLAME_SHARE: u64 = 4;

#[cfg(test)]
mod tests {
    use std::sync::RwLock;

    use super::*;

    #[test]
    fn a_disk_that_hangs_holds_nobody_and_is_known_to_hang_until_it_answers() {
        let dir = tempfile::tempdir().expect("a directory");
        let hung = HANGS.write().expect("no panic");
        let rooms = Rooms::with([dir.path()].into_iter(), when_it_may).expect("a thread");
        assert!(rooms.rooms().is_empty() && rooms.of_work().is_none());
        until(|| rooms.silent().is_some());
        let (path, silence) = rooms.silent().expect("it hangs");
        assert_eq!(path, dir.path());
        assert!(silence > SILENT);
        drop(hung);
        until(|| rooms.silent().is_none() && rooms.of_work().is_some());
    }

    fn when_it_may(path: &Path) -> io::Result<Room> {
        let _may = HANGS.read().map_err(|_| io::ErrorKind::Other)?;
        Room::look(path)
    }

    fn until(is_so: impl Fn() -> bool) {
        let give_up = Instant::now() + Duration::from_secs(60);
        while !is_so() {
            assert!(Instant::now() < give_up, "it takes too long");
            thread::sleep(Duration::from_millis(20));
        }
    }

    static HANGS: RwLock<()> = RwLock::new(());
}
