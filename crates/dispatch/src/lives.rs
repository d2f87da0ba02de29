//! Which processes live, as a file tells it to the next life of this dispatcher.
//!
//! ```text
//!   DIR/processes     boot id and mark, then `pid start` for each process group
//!   PUSH0_PROCESS     <mark of the dispatcher's directory>.<life>.<number>, in every process's environment
//! ```
//!
//! A prover dies with the thread that spawned it, and its group by the guardian; what had left the
//! group may not. The next life ends that: by the session, known from the file, and by the mark in
//! the environment.
//!
//! What a version left behind that had no mark, but the directory's identity, is not ended. A copy
//! of the directory has the same identity: what bears it may be a prover of the first one's
//! dispatcher, at work, and nothing tells which.
//!
//! Not here: what is ended while this life lasts (`orphans`).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use rustix::process::Pid;

use crate::aside::Aside;
use crate::bounded::{self, REPORT_BYTES_MAX};
use crate::cgroup::{Groups, MemoryLimit};
use crate::folder::write_own;
use crate::guardian::Guardian;
use crate::spawner::Spawner;
use crate::{procfs, sys};

/// The variable that marks a process and all that it starts.
pub const TAG: &str = "PUSH0_PROCESS";

/// A process, as what it left behind is known by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Of {
    pub(crate) number: u64,
    pub(crate) session: i32,
    pub(crate) started: u64,
}

/// All processes of this life.
#[derive(Debug)]
pub(crate) struct Lives {
    path: PathBuf,
    /// The mark of everything that this directory's dispatchers ever start.
    mark: String,
    incarnation: u64,
    boot: String,
    next: AtomicU64,
    alive: Arc<Mutex<BTreeMap<u64, Born>>>,
    guardian: Guardian,
    spawner: Arc<Spawner>,
    aside: Arc<Aside>,
    /// Whether the file is about to be written.
    is_due: Arc<AtomicBool>,
    has_strays: AtomicBool,
    /// Where the kernel keeps provers to their memory; why not, where it does not.
    groups: Result<Arc<Groups>, String>,
}

#[derive(Clone, Copy, Debug)]
struct Born {
    pid: Pid,
    started: u64,
}

impl Lives {
    pub(crate) fn new(
        dir: &Path,
        mark: String,
        incarnation: u64,
        uses_cgroups: bool,
        aside: &Arc<Aside>,
    ) -> io::Result<Self> {
        let groups = match uses_cgroups {
            true => Groups::open(&mark, incarnation),
            false => Err("they are not wanted".to_owned()),
        };
        let guardian = Guardian::start(groups.as_ref().ok().map(|groups| groups.path()));
        Ok(Self {
            path: dir.join(FILE),
            // The file of a directory that was copied names the processes of the first.
            boot: format!("{} {mark}", procfs::boot_id()),
            mark,
            incarnation,
            next: AtomicU64::new(1),
            alive: Arc::default(),
            guardian,
            spawner: Arc::new(Spawner::start()?),
            aside: Arc::clone(aside),
            is_due: Arc::default(),
            has_strays: AtomicBool::new(false),
            groups,
        })
    }

    /// What starts processes.
    pub(crate) const fn spawner(&self) -> &Arc<Spawner> {
        &self.spawner
    }

    /// Where there are any.
    pub(crate) fn groups(&self) -> Option<&Arc<Groups>> {
        self.groups.as_ref().ok()
    }

    /// Who keeps provers to their memory.
    pub(crate) fn memory_limit(&self) -> MemoryLimit {
        match &self.groups {
            Ok(groups) => groups.limit(),
            Err(why) => MemoryLimit::Watched { why: why.clone() },
        }
    }

    /// A number for a process that is about to start.
    pub(crate) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// The mark of one process, and of all that it starts.
    pub(crate) fn tag(&self, number: u64) -> String {
        format!("{}.{:x}.{number}", self.mark, self.incarnation)
    }

    /// The number in a tag, if it is of this life.
    pub(crate) fn number_of(&self, tag: &str) -> Option<u64> {
        let (life, number) = tag.rsplit_once('.')?;
        let is_own = life == format!("{}.{:x}", self.mark, self.incarnation);
        number.parse().ok().filter(|_| is_own)
    }

    pub(crate) fn is_alive(&self, number: u64) -> bool {
        self.lock().contains_key(&number)
    }

    /// Says that something a process left behind could not be ended.
    pub(crate) fn note_stray(&self) {
        self.has_strays.store(true, Ordering::Relaxed);
    }

    /// Whether that was said since it was last asked.
    pub(crate) fn had_strays(&self) -> bool {
        self.has_strays.swap(false, Ordering::Relaxed)
    }

    pub(crate) fn none_alive(&self) -> bool {
        self.lock().is_empty()
    }

    /// Ends what earlier lives left behind, and says how many processes that were.
    pub(crate) fn end_former(&self) -> usize {
        let text = bounded::read_text(&self.path, REPORT_BYTES_MAX).unwrap_or_default();
        let mut lines = text.lines();
        let is_of_this_boot = lines.next() == Some(self.boot.as_str());
        let named: Vec<(i32, u64)> = lines.filter_map(parse).filter(|_| is_of_this_boot).collect();
        let mut ended = 0;
        let give_up = Instant::now() + LEFTOVERS;
        loop {
            let left: Vec<Pid> =
                procfs::all().into_iter().filter(|pid| self.is_leftover(*pid, &named)).collect();
            if left.is_empty() || Instant::now() > give_up {
                return ended;
            }
            ended = ended.max(left.len());
            left.into_iter().for_each(sys::kill);
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn is_leftover(&self, pid: Pid, named: &[(i32, u64)]) -> bool {
        let Some(stat) = procfs::stat(pid).filter(|stat| !stat.is_zombie) else { return false };
        if let Some(tag) = procfs::variable(pid, TAG)
            && tag.starts_with(&format!("{}.", self.mark))
        {
            return self.number_of(&tag).is_none();
        }
        // A group's number is not given away while one of it lives; but the whole of it may be
        // gone.
        named.iter().any(|(leader, started)| {
            let is_member = stat.session == *leader && stat.started >= *started;
            let is_leader = procfs::raw(pid) == *leader;
            let leader = Pid::from_raw(*leader).and_then(procfs::stat);
            let is_same = leader.is_none_or(|leader| leader.started == *started);
            is_member && is_same && (!is_leader || stat.started == *started)
        })
    }

    /// Has the file written, once for all that changes until then.
    fn note(&self) {
        if self.is_due.swap(true, Ordering::AcqRel) {
            return;
        }
        let (is_due, alive) = (Arc::clone(&self.is_due), Arc::clone(&self.alive));
        let (path, boot) = (self.path.clone(), self.boot.clone());
        let is_taken = self.aside.run(move || {
            is_due.store(false, Ordering::Release);
            let alive = alive.lock().unwrap_or_else(PoisonError::into_inner).clone();
            write(&path, &boot, &alive);
        });
        if !is_taken {
            self.is_due.store(false, Ordering::Release);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Born>> {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One process of this life, from its start until it is dropped.
#[derive(Debug)]
pub(crate) struct Life {
    lives: Arc<Lives>,
    pub(crate) number: u64,
    pub(crate) pid: Pid,
    pub(crate) started: u64,
}

impl Life {
    pub(crate) fn begin(lives: &Arc<Lives>, number: u64, pid: Pid) -> Self {
        lives.guardian.add(pid);
        let started = procfs::stat(pid).map_or(0, |stat| stat.started);
        lives.lock().insert(number, Born { pid, started });
        lives.note();
        Self { lives: Arc::clone(lives), number, pid, started }
    }

    pub(crate) const fn lives(&self) -> &Arc<Lives> {
        &self.lives
    }

    /// How what it leaves behind is known.
    pub(crate) fn of(&self) -> Of {
        Of { number: self.number, session: procfs::raw(self.pid), started: self.started }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.lives.guardian.remove(self.pid);
        self.lives.lock().remove(&self.number);
        self.lives.note();
    }
}

/// Best effort: the marks tell the next life as much. A full disk must not stop provers.
fn write(path: &Path, boot: &str, alive: &BTreeMap<u64, Born>) {
    let mut text = format!("{boot}\n");
    for born in alive.values() {
        let _ = writeln!(text, "{} {}", procfs::raw(born.pid), born.started);
    }
    let temporary = path.with_extension("tmp");
    if write_own(&temporary, text).is_ok() {
        let _ = fs::rename(&temporary, path);
    }
}

fn parse(line: &str) -> Option<(i32, u64)> {
    let (pid, started) = line.split_once(' ')?;
    Some((pid.parse().ok()?, started.parse().ok()?))
}

const FILE: &str = "processes";

/// How long killed processes are waited for: until the kernel has freed their memory.
const LEFTOVERS: Duration = Duration::from_secs(5);
