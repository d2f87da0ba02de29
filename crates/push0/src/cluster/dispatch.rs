//! `push0 dispatch`: a dispatcher on a machine of its own, which comes and goes as it likes.
//!
//! It proves on while no engine is there, and holds what it has made until one takes it.

use std::hash::BuildHasher as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use push0_core::{DispatcherId, Epoch, FromDispatcher};
use push0_dispatch::{Config, Dispatcher, Started};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::bound::Bound;
use super::bus::{BEAT, Bus, PRESENT, hear, life, read};
use super::departures::connection;
use super::error::{ClusterError, told};
use super::host::host;
use super::lives::Origin;
use super::role::Role;
use super::serve::{CALLS_A_SECOND, runtime, sign};
use super::wire::{Down, LeaderBeat, Present};
use crate::alive::Sign;
use crate::cli::{DispatchArgs, Exit};
use crate::pipeline_file::{self, LoadedPipeline, unit};
use crate::programs;
use crate::run::say;
use crate::status::DispatcherView;

/// Dispatches until it is told to stop.
pub(crate) fn dispatch(args: &DispatchArgs) -> Exit {
    told(start(args))
}

fn start(args: &DispatchArgs) -> Result<(), ClusterError> {
    let loaded = pipeline_file::load(&args.pipeline)?;
    let mut settings = args.cluster.settings(Role::Dispatcher, "push0-dispatch")?;
    let config = config(args, &loaded, &settings)?;
    let number = std::hash::RandomState::new().hash_one(config.id.as_str());
    settings.nats.name = connection(config.id.as_str(), number);
    let sign = sign(args.alive.as_deref())?;
    let runtime = runtime()?;
    let bus = runtime.block_on(Bus::connect(&settings))?;
    let mut beats = runtime.block_on(bus.subscribe(BEAT));
    let mut stop = runtime.block_on(async { Stop::new() })?;
    say(&format!("{}: waits for an engine", config.id));
    let Some(first) = runtime.block_on(first_beat(&bus, &mut beats, &sign, &mut stop)) else {
        say("stops: no engine was heard");
        return Ok(());
    };
    let own = config.store.identity().to_owned();
    if first.store != own {
        let store = config.store.to_string();
        return Err(ClusterError::OtherStore { store, own, theirs: first.store });
    }
    let after = push0_dispatch::last_life(&config.dir);
    let bus = bus.speaking_as(Origin { connection: Some(number), after });
    let started = push0_dispatch::start(config)?;
    runtime.block_on(carry(bus, started, beats, stop, sign))
}

/// What tells this process to stop.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    /// Listens from here on.
    fn new() -> Result<Self, ClusterError> {
        let on = |kind| signal(kind).map_err(ClusterError::Thread);
        Ok(Self {
            interrupt: on(SignalKind::interrupt())?,
            terminate: on(SignalKind::terminate())?,
        })
    }

    async fn comes(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Waits for a leader to be heard; nothing, where it is told to stop before.
async fn first_beat(
    bus: &Bus,
    beats: &mut async_nats::Subscriber,
    sign: &Sign,
    stop: &mut Stop,
) -> Option<LeaderBeat> {
    let mut ticks = tokio::time::interval(Config::HEARTBEAT);
    loop {
        tokio::select! {
            message = beats.next() => {
                if let Some(beat) = read::<LeaderBeat>(&message?.payload) {
                    return Some(beat);
                }
            }
            _ = ticks.tick() => {
                if bus.is_connected() {
                    sign.touch();
                }
            }
            () = stop.comes() => return None,
        }
    }
}

/// Carries messages until it is told to stop; then ends the provers, and says so.
async fn carry(
    bus: Bus,
    started: Started,
    mut beats: async_nats::Subscriber,
    mut stop: Stop,
    sign: Sign,
) -> Result<(), ClusterError> {
    let Started { dispatcher, to, mut from, mut notices } = started;
    let own = dispatcher.life();
    say(&format!("{}: takes work", own.dispatcher));
    let up = hear(&own.dispatcher);
    let mut down = bus.subscribe(&life(&own)).await;
    let (mut calls, mut bound) = (bus.subscribe(PRESENT).await, Bound::new(CALLS_A_SECOND));
    let mut ended = Ok(());
    let (mut running, mut held) = (0, 0);
    let mut said = Vec::new();
    let (mut leader, mut connects) = (Epoch(0), bus.connects());
    loop {
        tokio::select! {
            1.. = from.recv_many(&mut said, TOGETHER) => {
                for message in &said {
                    if let FromDispatcher::Beat(beat) = message {
                        (running, held) = (beat.running.len(), beat.held.len());
                    }
                }
                if bus.say(&up, std::mem::take(&mut said)).await {
                    sign.touch();
                }
            }
            Some(call) = calls.next() => {
                if bound.takes(Instant::now()) {
                    let view = DispatcherView::new(dispatcher.about().clone(), running, held);
                    bus.answer(&call, &Present::Dispatcher(view)).await;
                }
            }
            Some(message) = down.next() => {
                let down = read::<Down>(&message.payload);
                if down.as_ref().is_some_and(|down| down.name_is_taken) {
                    ended = Err(ClusterError::NameTaken(own.dispatcher.clone()));
                    break;
                }
                // What an engine says that leads no more was decided without knowing what is.
                if let Some(said) = down.filter(|said| said.epoch >= leader) {
                    leader = said.epoch;
                    for message in said.messages {
                        let _ = to.try_send(message); // what matters is sent again
                    }
                }
            }
            Some(message) = beats.next() => {
                if let Some(beat) = read::<LeaderBeat>(&message.payload) {
                    let was = (leader, connects);
                    (leader, connects) = (leader.max(beat.epoch), bus.connects());
                    if (leader, connects) != was {
                        dispatcher.beat_now(); // it knows nothing of this dispatcher, or has given it up
                    }
                }
            }
            Some(notice) = notices.recv() => say(&notice.to_string()),
            () = stop.comes() => break,
        }
    }
    leave(bus, &up, dispatcher, from).await;
    ended
}

/// Ends the provers, and tells that what they worked on was not run.
async fn leave(
    bus: Bus,
    up: &str,
    dispatcher: Dispatcher,
    mut from: mpsc::Receiver<FromDispatcher>,
) {
    say("stops: its attempts are taken back");
    dispatcher.leave();
    let ended = tokio::task::spawn_blocking(move || dispatcher.shutdown(STOP_GRACE));
    while let Some(message) = from.recv().await {
        bus.say(up, vec![message]).await;
    }
    let _ = ended.await;
    bus.flush().await;
}

fn config(
    args: &DispatchArgs,
    loaded: &LoadedPipeline,
    settings: &super::settings::Settings,
) -> Result<Config, ClusterError> {
    let fault = |what: String| ClusterError::Setting {
        file: args.cluster.config.clone(),
        line: None,
        what,
    };
    let table = &settings.dispatch;
    let id = args.id.clone().or_else(|| table.id.clone()).unwrap_or_else(host);
    let id: DispatcherId =
        id.parse().map_err(|error| fault(format!("dispatch.id: {id:?}: {error} (--id)")))?;
    let dir = args.dir.clone().or_else(|| table.dir.clone());
    let dir = dir.unwrap_or_else(|| PathBuf::from(format!("./{}.{id}", loaded.pipeline.name)));
    std::fs::create_dir_all(&dir)
        .map_err(|source| ClusterError::Dir { path: dir.clone(), source })?;
    let memory = match (args.machine.memory, table.memory.as_deref()) {
        (None, Some(text)) => unit::size(text)
            .ok_or_else(|| fault(format!("dispatch.memory: {text:?} is no size")))?,
        _ => args.machine.memory_bytes().map_err(|error| {
            fault(format!(
                "the memory of this machine is not known ({error}): say it with --memory"
            ))
        })?,
    };
    let slots = match (args.machine.slots, table.slots) {
        (None, Some(slots)) => slots,
        _ => args.machine.slots(),
    };
    let programs = programs::resolve(loaded).map_err(ClusterError::missing(&args.pipeline))?;
    Ok(Config {
        id,
        pipeline: loaded.pipeline.name.clone(),
        dir: std::path::absolute(&dir).unwrap_or(dir),
        store: settings.store()?,
        slots,
        memory_bytes: memory,
        gpus: loaded
            .pipeline
            .programs
            .values()
            .map(|program| program.gpus)
            .max()
            .unwrap_or_default(),
        programs: programs.configs(),
        heartbeat: Config::HEARTBEAT,
        uses_cgroups: true,
        keeps_results: true,
    })
}

/// Messages of a dispatcher that are taken at once.
const TOGETHER: usize = 64;

/// For provers that are stopped while they work.
const STOP_GRACE: Duration = Duration::from_secs(2);
