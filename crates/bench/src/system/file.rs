//! push0 on one machine: the real engine over the file log, in this process, as `push0 run` has it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures_util::StreamExt as _;
use push0::engine::{Engine, EngineError, Handle, Ports, Post};
use push0_core::{
    Asking, Believes, Contract, DispatcherId, Epoch, Give, Input, Life, Limits, Scheduler,
    ToDispatcher,
};
use push0_dispatch::{Config, Dispatcher, ProgramConfig, Started, Store};
use push0_log::FileLog;
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::fake::{Fake, LIFE, Up};
use super::watch::Watch;
use super::{Payload, Prover, Running, Shape, Submit, pipeline};
use crate::fault::Fault;

/// Starts it below `dir`.
///
/// # Errors
///
/// That the log or the dispatcher cannot be started.
pub(crate) fn start(dir: &Path, shape: Shape) -> Result<Running, Fault> {
    let own = tempfile::Builder::new().prefix("push0-bench-").tempdir_in(dir)?;
    let (log, _, _) = FileLog::open(own.path())?;
    let store = Store::open(&own.path().join("store"))?;
    let limits = Limits { blocks_max: OPEN_MAX, tasks_max: OPEN_MAX, ..Limits::default() };
    let (to, from_engine) = routes(shape);
    let (source, _) = mpsc::channel(1);
    let (turns, mut seen) = mpsc::channel(TURNS_MAX);
    let ports = Ports { post: Box::new(to), source, turns, lines: false };
    let (engine, handle) = Engine::new(Scheduler::new(limits), log, ports);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let engine = thread::spawn(move || {
        push0_dispatch::shorten_time_slice();
        runtime.block_on(engine.run())
    });
    let (sender, done) = channel();
    let watcher = thread::spawn(move || {
        push0_dispatch::shorten_time_slice();
        let mut watch = Watch::new(sender);
        while let Some(seen) = seen.blocking_recv() {
            if seen.turn.is_some_and(|turn| !watch.turn(&turn)) {
                break;
            }
        }
    });
    let configure = Input::Configure(Box::new(pipeline::spec(OPEN_MAX as u64, shape)));
    handle.ask_all(vec![Input::Claim(Epoch(1)), configure])??;
    let dispatchers = match shape.prover {
        Prover::Echo | Prover::Sleep(_) => {
            fakes(shape, from_engine, &handle, &store)?;
            None
        }
        Prover::Serve | Prover::File => {
            Some(real(own.path(), shape, from_engine, &handle, &store)?)
        }
    };
    wait_for_dispatchers(&handle, shape)?;
    let submit = submit(handle.clone(), shape, store);
    let parts =
        Parts { handle, engine: Some(engine), watcher: Some(watcher), dispatchers, _dir: own };
    Ok(Running { submit, done, _parts: Box::new(parts) })
}

/// What is in this process; ended in order.
struct Parts {
    handle: Handle,
    engine: Option<JoinHandle<Result<(), EngineError>>>,
    watcher: Option<JoinHandle<()>>,
    dispatchers: Option<Dispatcher>,
    _dir: TempDir,
}

impl Drop for Parts {
    fn drop(&mut self) {
        self.handle.stop();
        drop(self.dispatchers.take());
        let _ = self.engine.take().map(JoinHandle::join);
        let _ = self.watcher.take().map(JoinHandle::join);
    }
}

/// A way to each dispatcher.
struct Routes(BTreeMap<DispatcherId, mpsc::Sender<Vec<ToDispatcher>>>);

type Inboxes = Vec<(DispatcherId, mpsc::Receiver<Vec<ToDispatcher>>)>;

impl Post for Routes {
    fn send(&self, to: &Life, messages: Vec<ToDispatcher>) {
        if let Some(route) = self.0.get(&to.dispatcher) {
            let _ = route.try_send(messages); // without room it is left out: it comes again with a beat
        }
    }
}

fn routes(shape: Shape) -> (Routes, Inboxes) {
    let ids = (0..shape.dispatchers).map(pipeline::dispatcher);
    let made = ids.map(|id| (id, mpsc::channel(MESSAGES_MAX)));
    let (mut routes, mut inboxes) = (BTreeMap::new(), Vec::new());
    for (id, (sender, receiver)) in made {
        routes.insert(id.clone(), sender);
        inboxes.push((id, receiver));
    }
    (Routes(routes), inboxes)
}

/// All fakes share a thread, as all that a dispatcher does has one.
fn fakes(shape: Shape, inboxes: Inboxes, handle: &Handle, store: &Store) -> Result<(), Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let (handle, store) = (handle.clone(), store.clone());
    // It ends when the engine drops its senders.
    thread::spawn(move || {
        push0_dispatch::shorten_time_slice();
        let all = inboxes.into_iter().map(|(id, inbox)| {
            let up = Up::Engine(handle.clone());
            let fake = Fake { id, shape, store: Some(store.clone()), up };
            fake.run(futures_util::stream::unfold(inbox, |mut inbox| async move {
                Some((inbox.recv().await?, inbox))
            }))
        });
        let all: futures_util::stream::FuturesUnordered<_> = all.collect();
        runtime.block_on(all.for_each(|()| async {}));
    });
    Ok(())
}

/// A real dispatcher, whose prover is this program.
fn real(
    dir: &Path,
    shape: Shape,
    inboxes: Inboxes,
    handle: &Handle,
    store: &Store,
) -> Result<Dispatcher, Fault> {
    let (id, mut inbox) = inboxes.into_iter().next().ok_or_else(|| Fault::new("no dispatcher"))?;
    let own = std::env::current_exe()?.to_string_lossy().into_owned();
    let contract = if shape.prover == Prover::File { Contract::File } else { Contract::Serve };
    let program = ProgramConfig {
        argv: vec![own, "prover".to_owned()],
        contract,
        give: Give::Number,
        memory_bytes: 1 << 20,
        gpus: 0,
        verifier: Vec::new(),
        asking: Asking { believes: Believes::Line, memory_bytes: 0, timeout: Duration::ZERO },
        start: Duration::from_secs(60),
        is_mock: true,
        vkey: None,
        surroundings: push0_core::Surroundings::default(),
    };
    let config = Config {
        id,
        pipeline: pipeline::NAME.parse()?,
        dir: dir.join("dispatch"),
        store: store.clone(),
        slots: shape.slots,
        memory_bytes: 1 << 40,
        gpus: push0_dispatch::Gpus::default(),
        programs: BTreeMap::from([(pipeline::program(), program)]),
        heartbeat: Config::HEARTBEAT,
        uses_cgroups: false,
        adopts_orphans: true,
        keeps_results: false,
    };
    let Started { dispatcher, to, mut from, .. } = push0_dispatch::start(config)?;
    let engine = handle.clone();
    thread::spawn(move || {
        while let Some(message) = from.blocking_recv() {
            if engine.heard(message).is_err() {
                return;
            }
        }
    });
    thread::spawn(move || {
        while let Some(messages) = inbox.blocking_recv() {
            for message in messages {
                let _ = to.try_send(message);
            }
        }
    });
    Ok(dispatcher)
}

fn wait_for_dispatchers(handle: &Handle, shape: Shape) -> Result<(), Fault> {
    let lives = (0..shape.dispatchers).map(pipeline::dispatcher);
    for id in lives {
        let give_up = std::time::Instant::now() + Duration::from_secs(10);
        let of = id.clone();
        while !handle.look({
            let of = of.clone();
            move |_, fleet| fleet.life(&of).is_some()
        })? {
            if std::time::Instant::now() > give_up {
                return Err(Fault::new(format!("{id} was not heard of within 10 s")));
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
    let _ = LIFE;
    Ok(())
}

fn submit(handle: Handle, shape: Shape, store: Store) -> Submit {
    Box::new(move |tasks| {
        let input = |number: u64| {
            let payload = match shape.payload {
                Payload::Reference => None,
                Payload::Bytes500 => store.put(&payload(number)).ok(),
            };
            Input::Submit(Box::new(pipeline::block(number, payload)))
        };
        let inputs: Vec<_> = tasks.map(input).collect();
        while !handle.try_ask(inputs.clone()) {
            if handle.has_ended() {
                return;
            }
            thread::sleep(Duration::from_micros(100));
        }
    })
}

/// 500 bytes that no other task has.
pub(super) fn payload(number: u64) -> Vec<u8> {
    number.to_le_bytes().into_iter().cycle().take(500).collect()
}

/// Blocks and tasks that may be open: far more than are.
pub(super) const OPEN_MAX: usize = 1_000_000;

/// Turns that the client has not looked at: none may be left out.
const TURNS_MAX: usize = 100_000;

/// On their way to one dispatcher.
const MESSAGES_MAX: usize = 16_384;
