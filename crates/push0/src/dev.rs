//! `push0 dev`: a whole cluster on this machine, for trying things out: a NATS server, an engine, a
//! dispatcher.
//!
//! ```text
//!   push0 dev ──spawns──▶ nats-server (127.0.0.1, a port of the system's choice, and the same from then on)
//!        ├─────spawns──▶ push0 serve
//!        └─────spawns──▶ push0 dispatch ──▶ provers
//! ```
//!
//! Each is a process of its own, as on many machines, in a process group of its own: a Ctrl-C
//! reaches this one alone, which ends the others in order. If this one is killed, the kernel kills
//! them, and what they started goes as it does when they are killed: nothing is left.
//!
//! Everything is in one marked directory, so the same command goes on where it was.
//!
//! Not here: what an engine and a dispatcher do (`cluster`), and a server that others can reach
//! (`deploy`).

mod args;
mod child;
mod server;

use std::fs::{self, File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use push0_core::SourceKind;
use push0_dispatch::mark::{self, Kind, MarkError};
use push0_log::ServerUrl;
use push0_pipeline::PipelineFileError;
use rustix::fs::Mode;

pub(crate) use self::args::DevArgs;
use self::child::{Child, Exited};
use crate::cluster::{ClusterArgs, is_led};
use crate::exit::Exit;
use crate::interrupts;
use crate::output::quoted;
use crate::tell;

/// Why there is no cluster, or no more.
#[derive(Debug, thiserror::Error)]
enum DevError {
    #[error("{0}")]
    Pipeline(#[from] PipelineFileError),
    #[error(
        "the source is not \"submit\" ({}, source.kind): a cluster takes blocks from `push0 submit`; use kind = \"submit\", \
         or `push0 run`", .0.display()
    )]
    NotSubmitted(PathBuf),
    #[error("{0}")]
    Foreign(#[from] MarkError),
    #[error("another push0 dev uses {}: end it, or name another directory (--data)", .0.display())]
    Busy(PathBuf),
    #[error("{}: {source}: see to it, or name another directory (--data)", path.display())]
    Dir { path: PathBuf, source: io::Error },
    #[error(
        "there is no nats-server in PATH{named}: install it (in a clone of push0, tools/nats-server puts one into \
         target, and prints where), and name it in PUSH0_NATS_SERVER"
    )]
    NoServer { named: String },
    #[error("{what} could not be started: {source}: see to that")]
    Spawn { what: &'static str, source: io::Error },
    #[error("{what} was not ready within {} s: {words}; all were ended", .within.as_secs())]
    Late { what: &'static str, within: Duration, words: String },
    #[error("{exited}; all others were ended{}", other_log(.exited))]
    Ended { exited: Exited },
    #[error("no thread to be had ({0}): try again")]
    Thread(#[source] io::Error),
}

/// The directory, as it is laid out.
struct Place {
    root: PathBuf,
    /// Held while it is used.
    _lock: File,
}

/// The three, in the order in which they were started.
#[derive(Default)]
struct Cluster(Vec<Child>);

/// Runs a cluster until it is told to stop.
pub(crate) fn dev(args: &DevArgs) -> Exit {
    match run(args) {
        Ok(()) => Exit::Done,
        Err(error) => {
            if let DevError::Pipeline(faults) = &error {
                tell::errors(faults.lines());
            } else {
                tell::error(&error);
            }
            match error {
                DevError::Pipeline(_)
                | DevError::NotSubmitted(_)
                | DevError::Foreign(_)
                | DevError::NoServer { .. } => Exit::Usage,
                DevError::Busy(_) => Exit::Busy,
                DevError::Dir { .. }
                | DevError::Spawn { .. }
                | DevError::Late { .. }
                | DevError::Thread(_) => Exit::OutOfReach,
                DevError::Ended { exited } => exited.exit(),
            }
        }
    }
}

fn run(args: &DevArgs) -> Result<(), DevError> {
    let loaded = push0_pipeline::load(&args.pipeline)?;
    if loaded.pipeline.source.kind != SourceKind::Submit {
        return Err(DevError::NotSubmitted(args.pipeline.clone()));
    }
    let binary = server::find()?;
    let name = &loaded.pipeline.name;
    let root = args.data.clone().unwrap_or_else(|| PathBuf::from(format!("./{name}.dev")));
    let place = Place::take(&root, name.as_str())?;
    let interrupts = interrupts::count().map_err(DevError::Thread)?;
    // Dropped on every way out, it ends what runs, the last that was started first.
    let mut cluster = Cluster::default();
    let nats = cluster.start_server(&place, &binary, &interrupts)?;
    let is_ready = cluster.start_push0(args, &place, &nats, &interrupts)?;
    if is_ready {
        let page = place.next(args, &nats);
        let path = place.path(PAGE);
        fs::write(&path, format!("{page}\n")).map_err(|source| DevError::Dir { path, source })?;
        tell::page(&page);
    }
    cluster.watch(&interrupts)?;
    tell::info("ending: dispatcher, engine, server");
    cluster.end();
    Ok(())
}

impl Place {
    fn take(root: &Path, of: &str) -> Result<Self, DevError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| DevError::Dir { path, source }
        };
        // For this process and all that it starts: nothing in there is for others.
        rustix::process::umask(Mode::RWXG | Mode::RWXO);
        mark::take(root, Kind::Dev, of, |_| false)?;
        close(root).map_err(at(root))?;
        let root = fs::canonicalize(root).map_err(at(root))?;
        let path = root.join("lock");
        let lock = File::options().create(true).append(true).open(&path).map_err(at(&path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { root, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(DevError::Busy(root)),
            Err(TryLockError::Error(source)) => Err(DevError::Dir { path, source }),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// What to type next.
    fn next(&self, args: &DevArgs, nats: &str) -> String {
        let (pipeline, store) = (quoted(&args.pipeline), quoted(&self.path("store")));
        format!(
            "ready: a NATS server, an engine and a dispatcher; Ctrl-C ends them, and the same command goes on. In another \
             terminal:\n  \
             push0 submit {pipeline} BLOCKS --nats {nats} --store {store}\n  \
             push0 status --nats {nats}\n  \
             push0 finish --yes --nats {nats}\n  \
             push0 proofs {pipeline} --nats {nats} --store {store} --follow\n\
             or, for all of them: export PUSH0_NATS={nats} PUSH0_STORE={store}\n\
             To read this again: cat {}",
            quoted(&self.path(PAGE))
        )
    }
}

/// Keeps others out of the directory, and from what an older push0 left open in it.
fn close(root: &Path) -> io::Result<()> {
    push0_dispatch::own_dir(root)?;
    for entry in fs::read_dir(root)?.flatten() {
        let mode = match entry.file_type()? {
            kind if kind.is_dir() => 0o700,
            kind if kind.is_file() => 0o600,
            _ => continue,
        };
        fs::set_permissions(entry.path(), Permissions::from_mode(mode))?;
    }
    Ok(())
}

impl Cluster {
    /// Starts the server, and waits until it says where it listens.
    fn start_server(
        &mut self,
        place: &Place,
        binary: &Path,
        interrupts: &AtomicU32,
    ) -> Result<String, DevError> {
        let started = server::start(place, binary)?;
        let (file, child) = (started.ports, started.child);
        self.0.push(child);
        let mut url = None;
        self.wait(interrupts, || {
            url = server::url(&file);
            url.is_some()
        })?;
        let url = url.unwrap_or_default();
        server::keep_port(place, &url);
        Ok(url)
    }

    /// Starts the engine and the dispatcher; whether both are ready, rather than told to stop.
    fn start_push0(
        &mut self,
        args: &DevArgs,
        place: &Place,
        nats: &str,
        interrupts: &AtomicU32,
    ) -> Result<bool, DevError> {
        let slots = args.slots.map(|slots| slots.to_string());
        let own: [(&'static str, &[&str]); 2] = [
            ("the engine", &["serve", "--name", "engine"]),
            ("the dispatcher", &["dispatch", "--id", "dispatcher", "--drain", "5s"]),
        ];
        for (what, words) in own {
            if interrupts.load(Ordering::Relaxed) > 0 {
                return Ok(false);
            }
            let alive = place.path(&format!("{}.alive", words.first().unwrap_or(&"")));
            remove(&alive)?;
            let mut command = child::push0().map_err(|source| DevError::Spawn { what, source })?;
            command.args(words).args(tell::flags()).arg(&args.pipeline).args(["--nats", nats]);
            command.arg("--store").arg(place.path("store")).arg("--alive").arg(&alive);
            if words.contains(&"dispatch") {
                command.arg("--dir").arg(place.path("dispatcher"));
                command.args(slots.iter().flat_map(|slots| ["--slots", slots]));
            }
            let child = Child::spawn(what, command, None);
            self.0.push(child.map_err(|source| DevError::Spawn { what, source })?);
            self.wait(interrupts, || is_alive(&alive))?;
        }
        let urls = vec![ServerUrl::from(nats)];
        let cluster = ClusterArgs { config: None, nats: urls, store: None };
        self.wait(interrupts, || is_led(&cluster))?;
        Ok(interrupts.load(Ordering::Relaxed) == 0)
    }

    /// Waits until the last that was started `is_ready`, or somebody wants it to end; not longer
    /// than it may take.
    fn wait(
        &mut self,
        interrupts: &AtomicU32,
        mut is_ready: impl FnMut() -> bool,
    ) -> Result<(), DevError> {
        let until = Instant::now() + READY_MAX;
        while !is_ready() && interrupts.load(Ordering::Relaxed) == 0 {
            self.check()?;
            if Instant::now() > until {
                let last = self.0.last();
                let what = last.map_or("it", Child::what);
                let words = child::words(last.and_then(Child::log));
                return Err(DevError::Late { what, within: READY_MAX, words });
            }
            sleep(LOOK);
        }
        Ok(())
    }

    /// Until somebody wants it to end. No process may end before.
    fn watch(&mut self, interrupts: &AtomicU32) -> Result<(), DevError> {
        while interrupts.load(Ordering::Relaxed) == 0 {
            self.check()?;
            sleep(LOOK);
        }
        Ok(())
    }

    fn check(&mut self) -> Result<(), DevError> {
        match self.0.iter_mut().find_map(Child::exited) {
            None => Ok(()),
            Some(exited) => Err(DevError::Ended { exited }),
        }
    }

    /// Ends all, the last that was started first.
    fn end(&mut self) {
        while let Some(child) = self.0.pop() {
            child.end();
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.end();
    }
}

/// What to do where the directory is of another pipeline.
fn other_log(exited: &Exited) -> &'static str {
    match exited.exit() {
        Exit::Data => {
            ". To begin anew with the file as it is, name another directory (--data); to keep what is proved, undo the \
             change, and give it to `push0 apply` while the cluster runs"
        }
        Exit::Done
        | Exit::Unproved
        | Exit::Usage
        | Exit::Source
        | Exit::Busy
        | Exit::OutOfReach
        | Exit::Bug
        | Exit::Interrupted => "",
    }
}

/// Whether a process shows that it has its log, or its connection.
fn is_alive(file: &Path) -> bool {
    crate::alive::age(file).is_ok_and(|age| age.is_some_and(|age| age < ALIVE_WITHIN))
}

fn remove(path: &Path) -> Result<(), DevError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(DevError::Dir { path: path.to_owned(), source })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// For a server to recover what it has, or an engine to lead.
const READY_MAX: Duration = Duration::from_secs(60);

/// So lately one was touched that is alive.
const ALIVE_WITHIN: Duration = Duration::from_secs(10);

/// What to type next: on a terminal it scrolls away with the first block.
const PAGE: &str = "next.txt";

/// From one look at the processes to the next.
const LOOK: Duration = Duration::from_millis(50);
