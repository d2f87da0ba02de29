//! The dispatcher's face: started with a configuration, spoken to in messages, and shut down.
//!
//! Not here: what its threads do (`desk`, `beat`).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use push0_core::{Capacity, FromDispatcher, Life, ProgramName, ToDispatcher};
use tokio::sync::{mpsc, watch};

use crate::aside::{Aside, FILES_MAX};
use crate::away::Away;
use crate::board::{Board, View};
use crate::context::{Context, stays};
use crate::desk::Desk;
use crate::folder::own;
use crate::gpus::{Devices, GpuScan};
use crate::held::HeldResults;
use crate::judges::Judges;
use crate::lives::Lives;
use crate::logs::Logs;
use crate::notice::Notice;
use crate::outputs::Outputs;
use crate::pool::Pool;
use crate::programs::{Programs, Stamps, fault};
use crate::rooms::Rooms;
use crate::shelf::Shelf;
use crate::spares::Spares;
use crate::unjudged::Unjudged;
use crate::{About, Config, Now, Retry, beat, incarnation, mark, place, sys, users};

/// A dispatcher that runs, and the ends of its channels.
#[derive(Debug)]
pub struct Started {
    /// Owns its threads.
    pub dispatcher: Dispatcher,
    /// To it. When full, leave the message out: what matters is sent again.
    pub to: mpsc::Sender<ToDispatcher>,
    /// From it. When full, messages are left out: the next beat brings what matters again.
    pub from: mpsc::Receiver<FromDispatcher>,
    /// What an operator should know. When full, notices are left out.
    pub notices: mpsc::Receiver<Notice>,
}

/// A dispatcher that runs. Dropped, it ends everything at once.
#[derive(Debug)]
pub struct Dispatcher {
    context: Arc<Context>,
    about: About,
    stop: watch::Sender<Option<Duration>>,
    threads: Vec<JoinHandle<()>>,
    /// Held until nothing runs any more.
    _lock: File,
}

impl Dispatcher {
    /// What it does at the moment.
    #[must_use]
    pub fn view(&self) -> View {
        View(Arc::clone(&self.context.board))
    }

    /// What its attempts print, and printed.
    #[must_use]
    pub fn outputs(&self) -> Outputs {
        self.context.outputs.clone()
    }

    /// What it was started with, and what it found.
    #[must_use]
    pub const fn about(&self) -> &About {
        &self.about
    }

    /// Which life of which dispatcher this is.
    #[must_use]
    pub fn life(&self) -> Life {
        let board = &self.context.board;
        Life { dispatcher: self.context.config.id.clone(), incarnation: board.incarnation() }
    }

    /// How many attempts have not ended, and how many results wait for a verdict.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        self.context.board.counts()
    }

    /// What it does, as it is told to other processes.
    #[must_use]
    pub fn now(&self) -> Now {
        self.context.now()
    }

    /// Whether it announces that it takes nothing more.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.context.board.is_leaving()
    }

    /// Announces from here on that it takes nothing more, and says so at once. What runs goes on.
    pub fn leave(&self) {
        self.context.board.leave();
        self.beat_now();
    }

    /// Says at once what it runs and holds, to an engine that has not heard of it yet.
    pub fn beat_now(&self) {
        beat::send(&self.context.board, &self.context.from);
    }

    /// Starts to end everything: SIGTERM to all provers, SIGKILL after `grace`. Returns at once;
    /// said again, the shorter grace counts. Attempts that this ends are reported as not run.
    pub fn begin_shutdown(&self, grace: Duration) {
        self.stop
            .send_modify(|stop| *stop = Some(stop.map_or(grace, |earlier| earlier.min(grace))));
    }

    /// Ends everything and waits until nothing is left: no process, no thread, no attempt's
    /// directory. Blocks for about as long as `grace`.
    pub fn shutdown(mut self, grace: Duration) {
        self.end(grace);
    }

    fn end(&mut self, grace: Duration) {
        self.begin_shutdown(grace);
        for thread in self.threads.drain(..) {
            // A panic there was printed; nothing more can be done about it here.
            let _ = thread.join();
        }
        self.context.devices.release();
    }
}

impl Drop for Dispatcher {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

/// Why a dispatcher cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Wait for the other to end, or use another directory.
    #[error("another dispatcher uses {}", dir.display())]
    Locked { dir: PathBuf },
    /// Name another directory, as it says.
    #[error("{0}")]
    Foreign(#[from] mark::MarkError),
    /// Mend the directory.
    #[error("{}: {source}", path.display())]
    Dir { path: PathBuf, source: io::Error },
    /// Mend the configuration.
    #[error("program {program} has no command, or neither a verifier nor the mark of a mock")]
    Program { program: ProgramName },
    /// Try again: the system has no thread or memory to give.
    #[error("the system gives no thread: {0}")]
    Thread(#[source] io::Error),
}

/// Starts a dispatcher. What a former life of it left behind is ended first.
///
/// # Errors
///
/// [`StartError`]; nothing runs then.
pub fn start(config: Config) -> Result<Started, StartError> {
    start_with(config, Config::VERIFY_RETRY)
}

/// As [`start`], with other pauses than [`Config::VERIFY_RETRY`].
///
/// # Errors
///
/// [`StartError`]; nothing runs then.
pub fn start_with(config: Config, retry: Retry) -> Result<Started, StartError> {
    if let Some(program) = config.without_command() {
        return Err(StartError::Program { program: program.clone() });
    }
    place::take(&config.dir, &config.id)?;
    let dir = own(&config.dir).and_then(|()| fs::canonicalize(&config.dir));
    let dir = dir.map_err(at(&config.dir))?;
    let lock = place::lock(&dir).map_err(at(&dir))?;
    let Some(lock) = lock else { return Err(StartError::Locked { dir }) };
    let mark = place::processes_mark(&dir).map_err(at(&dir))?;
    let incarnation = incarnation::next(&dir);
    let aside = Arc::new(Aside::start("files", FILES_MAX).map_err(StartError::Thread)?);
    let lives = Lives::new(&dir, mark, incarnation, config.uses_cgroups, &aside);
    let lives = lives.map_err(StartError::Thread)?;
    let leftovers = lives.end_former();
    let (work, spares) = (dir.join(WORK), dir.join(SPARE));
    let stay = place::clear(&dir).map(|left| left.map(|folder| stays(&folder)));
    for folder in [&work, &spares, &dir.join("cache")] {
        own(folder).map_err(at(folder))?;
    }
    let users = Mutex::new(users::find(&config, &dir, &BTreeMap::new())?);
    // Best effort: it is for people, and a full disk must not stop what goes on without it.
    let (devices, found) = devices(&config);
    let gpus = u32::try_from(found.own.len()).unwrap_or(u32::MAX);
    Now::clear(&dir); // a life that was killed said it
    let about = About::new(&config, gpus, lives.memory_limit());
    let _ = about.write(&dir);
    sys::adopt_orphans(config.adopts_orphans).map_err(StartError::Thread)?;

    let (to, to_receiver) = mpsc::channel(TO_MAX);
    let (from_sender, from) = mpsc::channel(FROM_MAX);
    let (notices_sender, notices) = mpsc::channel(NOTICES_MAX);
    let (stop, stop_receiver) = watch::channel(None);
    let board = Board::new(config.id.clone(), incarnation, capacity(&config, gpus));
    let held = HeldResults::open(&dir, config.keeps_results).map_err(at(&dir))?;
    held.load(incarnation).into_iter().for_each(|report| board.finish(report));
    let context = Context {
        board: Arc::new(board),
        held,
        aside,
        users,
        pool: Pool::new(&config, found.own.clone()),
        devices,
        programs: Programs::default(),
        judges: Judges::default(),
        lives: Arc::new(lives),
        unjudged: Arc::new(Unjudged::open(&dir)),
        logs: Logs::open(&dir).map_err(at(&dir))?,
        outputs: Outputs::new(&dir),
        shelf: Shelf::of(&config).map_err(StartError::Thread)?,
        rooms: Rooms::new([Some(&*work), config.store.dir()].into_iter().flatten())
            .map_err(StartError::Thread)?,
        away: Away::default(),
        spares: Spares::new(spares, config.slots),
        work,
        from: from_sender,
        notices: notices_sender,
        troubles: Mutex::default(),
        config: Config { dir, ..config },
        retry,
    };
    context.tell_of_gpus(found);
    tell_of_before(&context, stay.into_iter().flatten(), leftovers);
    for (name, program) in &context.config.programs {
        if let Some(fault) = fault(&context.config, program) {
            context.take_out(name, &fault, Some(Stamps::of(program)));
        }
    }
    let context = Arc::new(context);
    let threads = spawn_threads(Arc::clone(&context), to_receiver, stop_receiver)?;
    let dispatcher = Dispatcher { context, about, stop, threads, _lock: lock };
    Ok(Started { dispatcher, to, from, notices })
}

/// Tells what a former life left behind, and what of it could not be removed.
fn tell_of_before(context: &Context, stay: impl Iterator<Item = String>, leftovers: usize) {
    for message in stay {
        context.notify(Notice::Trouble { message });
    }
    if leftovers > 0 {
        context.notify(Notice::LeftoversEnded { processes: leftovers });
    }
}

/// The beat thread ends when the dispatch thread drops its end of a channel, however it ends.
fn spawn_threads(
    context: Arc<Context>,
    to: mpsc::Receiver<ToDispatcher>,
    stop: watch::Receiver<Option<Duration>>,
) -> Result<Vec<JoinHandle<()>>, StartError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .on_thread_start(sys::shorten_time_slice)
        .build();
    let runtime = runtime.map_err(StartError::Thread)?;
    let (alive, is_alive) = std::sync::mpsc::channel::<()>();
    let beats = Arc::clone(&context);
    let desk = thread::Builder::new().name("dispatch".to_owned()).spawn(move || {
        let _alive = alive;
        sys::shorten_time_slice();
        let dir = context.config.dir.clone();
        runtime.block_on(Desk::new(context, stop).run(to));
        runtime.shutdown_timeout(LAST_WORK);
        clear(dir);
    });
    let desk = desk.map_err(StartError::Thread)?;
    let beat = thread::Builder::new().name("beat".to_owned()).spawn(move || {
        sys::shorten_time_slice();
        beat::run(&beats.board, beats.config.heartbeat, &beats.from, &is_alive);
    });
    // Without it the dispatch thread ends too: it is told to stop when `start` fails.
    Ok(vec![desk, beat.map_err(StartError::Thread)?])
}

/// Removes what attempts worked in; a disk that hangs keeps it until the next start.
fn clear(dir: PathBuf) {
    let (done, end) = std::sync::mpsc::channel();
    let clearing = thread::Builder::new().name("clear".to_owned()).spawn(move || {
        Now::clear(&dir);
        place::clear(&dir);
        for folder in [WORK, SPARE] {
            let _ = fs::remove_dir(dir.join(folder)); // unless something of another name is there
        }
        let _ = done.send(());
    });
    if clearing.is_ok() {
        let _ = end.recv_timeout(LAST_WORK);
    }
}

/// The GPUs that are free; kept from other dispatchers, if a program reserves any.
fn devices(config: &Config) -> (Devices, GpuScan) {
    let are_reserved = config.programs.values().any(|program| program.gpus > 0);
    let owner = format!("dispatcher {}, process {},", config.id, std::process::id());
    Devices::take(&config.gpus, are_reserved, owner)
}

fn capacity(config: &Config, gpus: u32) -> Capacity {
    Capacity {
        programs: config.programs.keys().cloned().collect(),
        slots: config.slots,
        memory_bytes: config.memory_bytes,
        gpus,
    }
}

pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> StartError {
    let path = path.to_owned();
    move |source| StartError::Dir { path, source }
}

/// Messages on their way to it.
const TO_MAX: usize = 1024;

/// Messages on their way from it.
const FROM_MAX: usize = 1024;

/// Notices that nobody has read.
const NOTICES_MAX: usize = 256;

/// How long a write that hangs is waited for at the very end, and then once more for what was
/// worked in.
const LAST_WORK: Duration = Duration::from_secs(3);

/// Where attempts work.
pub(crate) const WORK: &str = "work";

/// Where directories for them are made ahead of time.
const SPARE: &str = "spare";
