//! `push0 serve`: an engine that stands by until it leads.
//!
//! ```text
//!   open ──▶ follow ──silence of the leader──▶ claim ──landed──▶ lead
//!     ▲         ▲                                │ fenced          │ fenced, out of reach
//!     └─────────┴────────────────────────────────┴─────────────────┘
//! ```
//!
//! A claim is an append like any other: of two engines one's lands. One that led is told by its next append
//! that it does not any more, and stands by again from the log.
//!
//! Not here: what is done while it leads (`lead`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use push0_core::{Epoch, Seq, SourceKind};
use push0_dispatch::Store;
use push0_log::AppendError;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::bus::{ASK, BEAT, Bus, HEAR, read};
use super::error::{ClusterError, told};
use super::lead::{Led, answer, lead};
use super::replica::{Came, Replica};
use super::settings::Settings;
use super::wire::LeaderBeat;
use crate::cli::{Exit, ServeArgs};
use crate::engine::{EngineError, Handle};
use crate::pipeline_file::{self, LoadedPipeline};
use crate::run::say;

/// What all parts of this process share.
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) loaded: LoadedPipeline,
    pub(super) args: ServeArgs,
    pub(super) store: Store,
    pub(super) bus: Bus,
    /// For whatever must go on while the engine decides.
    pub(super) aside: tokio::runtime::Handle,
    pub(super) leading: watch::Sender<Option<Handle>>,
    pub(super) stop: watch::Receiver<bool>,
    /// The last word of another engine that leads.
    seen: watch::Receiver<Option<Seen>>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    epoch: Epoch,
    /// How far its log was durable.
    last: Seq,
    at: Instant,
}

/// Serves until it is told to stop.
pub(crate) fn serve(args: &ServeArgs) -> Exit {
    told(start(args))
}

fn start(args: &ServeArgs) -> Result<(), ClusterError> {
    let loaded = pipeline_file::load(&args.pipeline)?;
    if matches!(loaded.pipeline.source.kind, SourceKind::File { .. }) {
        return Err(ClusterError::FromFile { pipeline: args.pipeline.clone() });
    }
    let settings = args.cluster.settings(&args.name())?;
    let store = settings.store()?;
    let aside = runtime()?;
    let bus = aside.block_on(Bus::connect(&settings))?;
    let (leading, led) = watch::channel(None);
    let (heard, seen) = watch::channel(None);
    let (stopper, stop) = watch::channel(false);
    aside.spawn(listen(bus.clone(), heard, args.name()));
    aside.spawn(hear(bus.clone(), led.clone()));
    if let Some(system) = &settings.system {
        aside.block_on(super::departures::listen(system, led.clone()))?;
    }
    aside.spawn(ask(bus.clone(), led.clone()));
    aside.spawn(beat(bus.clone(), led, args.name(), store.identity().to_owned()));
    aside.spawn(signals(stopper));
    let shared = Shared {
        settings,
        loaded,
        args: args.clone(),
        store,
        bus,
        aside: aside.handle().clone(),
        leading,
        stop,
        seen,
    };
    let own = tokio::runtime::Builder::new_current_thread().enable_all().build();
    push0_dispatch::shorten_time_slice();
    own.map_err(ClusterError::Thread)?.block_on(serve_on(&Arc::new(shared)))
}

async fn serve_on(shared: &Arc<Shared>) -> Result<(), ClusterError> {
    let mut patience = SILENCE;
    say(&format!("{}: stands by", shared.args.name()));
    loop {
        match once(shared, patience).await? {
            Led::Stopped => return Ok(()),
            // Whoever has it now is given time to beat.
            Led::Deposed => {
                let own = shared.args.name();
                say(&format!("{own}: leads no more (another engine writes the log), stands by"));
            }
            Led::OutOfReach(_) if *shared.stop.borrow() => return Ok(()),
            Led::OutOfReach(why) => {
                say(&format!("warning: {why}: it is tried again"));
                tokio::time::sleep(PAUSE).await;
            }
        }
        patience = SILENCE * 3;
    }
}

/// Stands by, and leads then.
async fn once(shared: &Arc<Shared>, patience: Duration) -> Result<Led, ClusterError> {
    let mut replica = match Replica::open(&shared.settings.nats).await {
        Err(ClusterError::Nats(error)) if is_passing(&error) => {
            return Ok(Led::OutOfReach(error.to_string()));
        }
        opened => opened?,
    };
    let mut since = Instant::now();
    let mut looked = Instant::now();
    while !*shared.stop.borrow() {
        let came = replica.go_on(STEP).await?;
        // What was not heard while this engine stood still is no silence.
        if looked.elapsed() > STEP * GAP || came == Came::Silence {
            since = Instant::now();
        }
        looked = Instant::now();
        let seen = *shared.seen.borrow();
        let heard = seen.map_or(since, |seen| seen.at.max(since));
        let is_behind = seen.is_some_and(|seen| replica.scheduler().last() < seen.last);
        if came == Came::Nothing && !is_behind && heard.elapsed() >= patience {
            let above = seen.map_or(Epoch(0), |seen| seen.epoch);
            return lead(shared, replica, above).await;
        }
    }
    Ok(Led::Stopped)
}

/// What a later try may find otherwise.
const fn is_passing(error: &push0_log::NatsError) -> bool {
    matches!(error, push0_log::NatsError::Unreachable { .. } | push0_log::NatsError::Unavailable(_))
}

/// What an engine's end means for this process.
pub(super) fn ended(error: EngineError) -> Result<Led, ClusterError> {
    match error {
        EngineError::Append(AppendError::Fenced { .. }) => Ok(Led::Deposed),
        EngineError::Append(AppendError::Unavailable(error) | AppendError::Full(error)) => {
            Ok(Led::OutOfReach(format!("the log takes nothing ({error})")))
        }
        error @ (EngineError::Append(_) | EngineError::Bug(_)) => Err(error.into()),
    }
}

/// Listens to whoever leads.
async fn listen(bus: Bus, heard: watch::Sender<Option<Seen>>, own: String) {
    let mut messages = bus.subscribe(BEAT).await;
    while let Some(message) = messages.next().await {
        let Some(beat) = read::<LeaderBeat>(&message.payload) else { continue };
        let known = heard.borrow().map(|seen| seen.epoch);
        if known.is_some_and(|known| beat.epoch < known) {
            continue;
        }
        if known != Some(beat.epoch) && beat.engine != own {
            say(&format!("{own}: {} leads in {}", beat.engine, beat.epoch));
        }
        let LeaderBeat { epoch, last, .. } = beat;
        heard.send_replace(Some(Seen { epoch, last, at: Instant::now() }));
    }
}

/// Hands on what dispatchers say, while this engine leads.
async fn hear(bus: Bus, led: watch::Receiver<Option<Handle>>) {
    let mut messages = bus.subscribe(HEAR).await;
    while let Some(message) = messages.next().await {
        let handle = led.borrow().clone();
        if let (Some(handle), Some(said)) = (handle, read(&message.payload)) {
            let _ = handle.try_heard(said); // the next beat brings what matters again
        }
    }
}

/// Answers clients, while this engine leads.
async fn ask(bus: Bus, led: watch::Receiver<Option<Handle>>) {
    let room = Arc::new(tokio::sync::Semaphore::new(ASKS_MAX));
    let mut messages = bus.subscribe(ASK).await;
    while let Some(message) = messages.next().await {
        let handle = led.borrow().clone();
        let (Some(handle), Some(asked)) = (handle, read(&message.payload)) else { continue };
        let Ok(seat) = Arc::clone(&room).try_acquire_owned() else { continue }; // they ask again
        let bus = bus.clone();
        tokio::spawn(async move {
            if let Some(answer) = answer(&handle, asked).await {
                bus.answer(&message, &answer).await;
            }
            drop(seat);
        });
    }
}

/// Says that this engine leads, as long as its log says so too.
async fn beat(bus: Bus, led: watch::Receiver<Option<Handle>>, engine: String, store: String) {
    let mut ticks = tokio::time::interval(HEARTBEAT);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let handle = led.borrow().clone();
        let Some(handle) = handle else { continue };
        if let Ok((epoch, last)) = handle.probe().await {
            let (engine, store) = (engine.clone(), store.clone());
            bus.publish(BEAT, &LeaderBeat { epoch, engine, last, store }).await;
        }
    }
}

async fn signals(stop: watch::Sender<bool>) {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    stop.send_replace(true);
}

/// For what must go on beside the engine.
pub(super) fn runtime() -> Result<Runtime, ClusterError> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(ClusterError::Thread)
}

/// From one beat of the leader to the next.
const HEARTBEAT: Duration = Duration::from_millis(100);

/// A leader that says nothing for so long has gone: three beats, and some for the wire. Its append decides, so a
/// claim too early costs work and breaks nothing.
const SILENCE: Duration = Duration::from_millis(350);

/// How long a standby waits for the log at once.
const STEP: Duration = Duration::from_millis(50);

/// So many steps late, it was this engine that stood still.
const GAP: u32 = 4;

/// Before a log that was out of reach is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// Questions that are answered at once.
const ASKS_MAX: usize = 256;
