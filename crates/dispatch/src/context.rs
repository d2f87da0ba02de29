//! What every attempt of a dispatcher works with: its configuration, store, seats, and ways to
//! speak.
//!
//! Not here: any decision.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use push0_core::{AttemptId, FromDispatcher, ProgramName, Report};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::about::STEPS_MAX;
use crate::aside::Aside;
use crate::away::Away;
use crate::board::{Board, Running};
use crate::environment::{ProcessContext, Whom, environment};
use crate::folder::blocking;
use crate::gpus::{Devices, GpuScan};
use crate::held::HeldResults;
use crate::judges::Judges;
use crate::lives::Lives;
use crate::logs::Logs;
use crate::outputs::Outputs;
use crate::pool::{Pool, Seat};
use crate::programs::{Programs, Stamps};
use crate::rooms::Rooms;
use crate::shelf::Shelf;
use crate::spares::Spares;
use crate::unjudged::Unjudged;
use crate::user::User;
use crate::{Config, Elsewhere, Notice, Now, ProgramConfig, Retry, Step, users};

/// What every attempt works with.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) config: Config,
    pub(crate) retry: Retry,
    pub(crate) board: Arc<Board>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) devices: Devices,
    pub(crate) programs: Programs,
    pub(crate) judges: Judges,
    pub(crate) lives: Arc<Lives>,
    pub(crate) logs: Logs,
    /// What they print, for who asks.
    pub(crate) outputs: Outputs,
    /// Where that goes which came to nothing, so that it outlives this machine; nowhere in a run of
    /// one machine.
    pub(crate) shelf: Option<Shelf>,
    pub(crate) rooms: Rooms,
    pub(crate) away: Away,
    /// Where attempts and processes have their directories.
    pub(crate) work: PathBuf,
    pub(crate) spares: Spares,
    pub(crate) held: HeldResults,
    /// What writes small files that nobody waits for.
    pub(crate) aside: Arc<Aside>,
    pub(crate) unjudged: Arc<Unjudged>,
    pub(crate) from: mpsc::Sender<FromDispatcher>,
    pub(crate) notices: mpsc::Sender<Notice>,
    /// When an operator was last told of a program's verifier, or of the store.
    pub(crate) troubles: Mutex<BTreeMap<String, Instant>>,
    /// Those that programs name, by the names that they give them.
    pub(crate) users: Mutex<BTreeMap<String, User>>,
}

impl Context {
    /// Lets go of a report: its fate is durable.
    pub(crate) fn let_go(&self, attempt: AttemptId) {
        self.board.let_go(attempt);
        if self.held.is_kept() {
            let held = self.held.clone();
            self.aside.run(move || held.forget(attempt)); // left out: the next life asks for its verdict again
        }
    }

    /// Holds a report until there is a verdict, and sends it.
    pub(crate) fn report(&self, report: Report) {
        if self.held.is_kept() {
            let (held, report) = (self.held.clone(), report.clone());
            self.aside.run(move || held.keep(&report));
        }
        self.board.finish(report.clone());
        // A full channel is no loss: it goes again with the next beat.
        let _ = self.from.try_send(FromDispatcher::Report(report));
    }

    /// Stops offering a program, and says why, before the next beat is due.
    pub(crate) async fn withdraw(&self, name: &ProgramName, message: &str) {
        let Some(program) = self.config.programs.get(name).cloned() else { return };
        let looked = timeout(LOOK, blocking(move || Stamps::of(&program))).await;
        self.take_out(name, message, looked.ok());
        self.beat_now();
    }

    /// Says how things stand before the next beat is due.
    pub(crate) fn beat_now(&self) {
        let (beat, _) = self.board.beat();
        let _ = self.from.try_send(FromDispatcher::Beat(beat));
    }

    /// Does not offer a program, whose files are so, and says why.
    pub(crate) fn take_out(&self, name: &ProgramName, message: &str, files: Option<Stamps>) {
        if self.programs.take_out(name, message, files) {
            let message = message.to_owned();
            self.notify(Notice::ProgramGone { program: name.clone(), message });
        }
        self.board.offer(name, false);
    }

    /// Offers the programs again that can be run again. Looks at their files: not for a thread that
    /// must not wait.
    pub(crate) fn offer_returned(&self) {
        self.find_users();
        for program in self.programs.returned(&self.config) {
            self.board.offer(&program, true);
            self.notify(Notice::ProgramBack { program });
        }
    }

    /// What is done at the moment, as it is told to other processes.
    pub(crate) fn now(&self) -> Now {
        let step = |running: Running| Step {
            attempt: running.attempt,
            doing: running.doing.word().to_owned(),
            fraction: running.fraction,
        };
        let running = self.board.running().into_iter().take(STEPS_MAX).map(step);
        let ended = |attempt| Step { attempt, doing: Step::ENDED.to_owned(), fraction: None };
        let held = self.board.held().into_iter().take(STEPS_MAX).map(ended);
        Now {
            gpus: self.board.gpus(),
            gpus_elsewhere: self.devices.elsewhere(),
            cannot: self.programs.gone(),
            steps: running.chain(held).collect(),
        }
    }

    /// Writes that down, where it is another than last time. Best effort.
    pub(crate) fn tell_now(&self, last: &mut Now) {
        let now = self.now();
        if now != *last {
            let (told, dir) = (now.clone(), self.config.dir.clone());
            if self.aside.run(move || drop(told.write(&dir))) {
                *last = now;
            }
        }
    }

    /// Offers the GPUs that others have let go of. Asks a disk: not for a thread that must not
    /// wait.
    pub(crate) fn look_for_gpus(&self) {
        let found = self.devices.look();
        self.pool.add_gpus(&found.own);
        self.board.add_gpus(u32::try_from(found.own.len()).unwrap_or(u32::MAX));
        for index in &found.own {
            self.notify(Notice::GpuFree { gpu: self.devices.name(*index) });
        }
        self.tell_of_gpus(found);
    }

    /// Tells an operator which GPUs others have, and why they cannot be kept from these.
    pub(crate) fn tell_of_gpus(&self, found: GpuScan) {
        for Elsewhere { gpu, by } in found.elsewhere {
            self.notify(Notice::GpuElsewhere { gpu, by });
        }
        if let Some(why) = found.unlocked {
            self.trouble("gpus", format!("{NOT_LOCKED} ({why})"));
        }
    }

    /// Tells an operator, unless nobody reads.
    pub(crate) fn notify(&self, notice: Notice) {
        let _ = self.notices.try_send(notice);
    }

    /// Tells an operator what is in trouble, and how; of the same thing not again for a while.
    pub(crate) fn trouble(&self, what: &str, message: String) {
        let now = Instant::now();
        let mut told = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        if told.get(what).is_none_or(|last| now.duration_since(*last) >= TROUBLE_PAUSE) {
            told.insert(what.to_owned(), now);
            self.notify(Notice::Trouble { message });
        }
    }

    /// What a program's processes have around them, whatever they are asked.
    pub(crate) fn environment(
        &self,
        program: &ProgramConfig,
        seat: Option<&Seat>,
        dir: &Path,
    ) -> ProcessContext {
        let (env, wrap) = (environment(&program.surroundings), program.surroundings.wrap.clone());
        let mut made = ProcessContext { env, wrap, whom: self.whom(program) };
        let user = made.whom.user().cloned();
        if let Some(user) = &user {
            made.set("HOME", &user.home);
            made.set("USER", &user.name);
            made.set("LOGNAME", &user.name);
        }
        made.set("PUSH0_CACHE", self.cache(user.as_ref()));
        // What a killed prover leaves in a shared directory for temporary files is never cleaned.
        made.set("TMPDIR", dir);
        if let Some(seat) = seat {
            let (variable, names) = self.devices.visible(seat.gpus());
            // HIP reads both: the other would show more.
            for other in ["CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"] {
                made.env.remove(OsStr::new(other));
            }
            made.set(variable, names);
            // Numbers are those of the buses here; CUDA's own begin with the fastest.
            made.set("CUDA_DEVICE_ORDER", "PCI_BUS_ID");
        }
        if !program.is_mock {
            // With these a prover makes, and its verifier accepts, proofs of nothing.
            made.env.remove(OsStr::new("RISC0_DEV_MODE"));
            made.env.retain(|name, value| name != "SP1_PROVER" || value != "mock");
        }
        if let Some(threads) = self.threads()
            && !made.env.contains_key(OsStr::new("RAYON_NUM_THREADS"))
        {
            made.set("RAYON_NUM_THREADS", threads.to_string());
        }
        made
    }

    /// Whom a program's processes run as. Does not look anybody up.
    pub(crate) fn whom(&self, program: &ProgramConfig) -> Whom {
        let Some(name) = &program.surroundings.user else { return Whom::Push0 };
        let found = self.users().get(name).cloned();
        found.map_or_else(|| Whom::Unfound(name.clone()), Whom::User)
    }

    /// Looks those up that were not found when it started. Blocks.
    pub(crate) fn find_users(&self) {
        let known = self.users().clone(); // the lock is not held meanwhile
        let found = users::find(&self.config, &self.config.dir, &known);
        if let Ok(found) = found {
            self.users().extend(found); // the others are told of with their programs
        }
    }

    fn users(&self) -> MutexGuard<'_, BTreeMap<String, User>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The directory that is kept: a user of its own can write to its own alone.
    fn cache(&self, user: Option<&User>) -> PathBuf {
        let cache = env::var_os("PUSH0_CACHE").filter(|path| !path.is_empty()).map(PathBuf::from);
        match user.filter(|user| user.is_other()) {
            Some(user) => self.config.dir.join(CACHES).join(&user.name),
            None => cache.unwrap_or_else(|| self.config.dir.join("cache")),
        }
    }

    /// Threads for each prover, where they would otherwise each take all cores: twice its share, so
    /// that cores are busy while others wait, yet no machine runs cores times slots threads.
    fn threads(&self) -> Option<usize> {
        let cores = available_parallelism().map_or(1, usize::from);
        let slots = usize::try_from(self.config.slots).unwrap_or(usize::MAX).max(1);
        (slots > 2).then(|| (2 * cores).div_ceil(slots).min(cores))
    }
}

/// What is said of a directory that cannot be removed.
pub(crate) fn stays(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "{dir} cannot be removed, and stays: see to it (ls -la, lsattr, mount), and remove it by hand"
    )
}

/// Where users that provers run as have their kept directories, each one its own.
pub(crate) const CACHES: &str = "caches";

/// How long a program's files are looked at. Without that it returns after a while, and not when
/// they change.
pub(crate) const LOOK: Duration = Duration::from_secs(1);

/// Without locks nobody knows.
const NOT_LOCKED: &str = "other dispatchers of this machine cannot be kept from the GPUs that this one uses: give each its \
    own CUDA_VISIBLE_DEVICES, or mend this";

/// From one notice of the same trouble to the next.
const TROUBLE_PAUSE: Duration = Duration::from_secs(60);
