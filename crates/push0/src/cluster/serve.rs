//! `push0 serve`: an engine that stands by until it leads.
//!
//! ```text
//!   open ──▶ follow ──silence of the leader──▶ claim ──landed──▶ lead
//!     ▲         ▲                                │ fenced          │ fenced, out of reach
//!     └─────────┴────────────────────────────────┴─────────────────┘
//! ```
//!
//! A claim is an append like any other: of two engines one's lands. One that led is told by its
//! next append that it does not any more, and stands by again from the log.
//!
//! Not here: what is done while it leads (`lead`).

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use push0_core::SourceKind;
use push0_dispatch::{Access, Store};
use push0_engine::{
    APART_PATIENCE, Beat, Claims, LEADER_BEAT, LEADER_SILENCE, ReadOutcome, STEP, Standby,
};
use push0_log::{AppendError, Known};
use push0_pipeline::LoadedPipeline;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::args::ServeArgs;
use super::asked::Desk;
use super::bus::{BEAT, Bus, read};
use super::ears::hear;
use super::error::{ClusterError, told};
use super::lead::{LeadEnd, lead};
use super::lives::Lives;
use super::metrics::scraped;
use super::owned::{fits, owned};
use super::replica::Replica;
use super::role::Role;
use super::settings::Settings;
use super::threads::Threads;
use super::wire::LeaderBeat;
use super::witness::Witness;
use crate::alive::Sign;
use crate::clock::wall;
use crate::engine::{EngineError, Handle};
use crate::exit::Exit;
use crate::interrupts::Hangup;
use crate::telemetry::EngineMetrics;
use crate::tell::{self, Repeats};

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
    pub(super) reign: watch::Sender<Reign>,
    pub(super) stop: watch::Receiver<bool>,
    sign: Sign,
    /// What was read and written of the log, at whichever opening.
    known: Known,
    /// What is scraped, where somebody wants that.
    pub(super) metrics: Option<EngineMetrics>,
    /// The last word of another engine that leads.
    seen: watch::Receiver<Option<Beat>>,
    /// Where the time of what is seen begins.
    began: Instant,
}

/// What is led: which log, and which history of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Reign {
    pub(super) log: String,
    pub(super) history: String,
}

/// Serves until it is told to stop.
pub(crate) fn serve(args: &ServeArgs) -> Exit {
    told(start(args))
}

fn start(args: &ServeArgs) -> Result<(), ClusterError> {
    let loaded = push0_pipeline::load(&args.pipeline)?;
    if let SourceKind::File { .. } = loaded.pipeline.source.kind {
        return Err(ClusterError::OfFile { pipeline: args.pipeline.clone() });
    }
    if let Some(note) = crate::programs::without_key(&loaded.pipeline) {
        tell::info(&note);
    }
    let settings = args.cluster.settings(Role::Engine, &args.name())?;
    let sign = sign(args.alive.as_deref())?;
    let store = settings.store(Access::Make)?;
    let aside = runtime()?;
    let (leading, led) = watch::channel(None);
    let metrics = scraped(args, &settings, (&store, &led), &aside)?;
    // The engine's own thread reads nothing that others say. What dispatchers say has a thread and
    // a connection of its own; so have questions, and so have the beats: where servers drop a
    // connection that is too slow for a flood, the lead stays, grants leave, and who asks has no
    // dispatcher given up.
    let own = Threads::new(&mut Builder::new_current_thread()).map_err(ClusterError::Thread)?;
    let ears = hearing_thread().map_err(ClusterError::Thread)?;
    let desk = hearing_thread().map_err(ClusterError::Thread)?;
    let bus = own.block_on(Bus::connect(&settings))?;
    let heard_by = ears.block_on(Bus::connect(&settings))?;
    let beats_by = aside.block_on(Bus::connect(&settings))?;
    let (reign, reigns) = watch::channel(Reign::default());
    let (heard, seen) = watch::channel(None);
    let began = Instant::now();
    let (stopper, stop) = watch::channel(false);
    aside.spawn(listen(beats_by.clone(), (heard, began), args.name()));
    let lives = Arc::new(Lives::default());
    let witness = aside.block_on(async { Witness::start(store.clone(), led.clone()) });
    let hearing = (Arc::clone(&lives), witness);
    ears.spawn(hear(heard_by, led.clone(), hearing, args.name()));
    if let Some(system) = &settings.system {
        aside.block_on(super::departures::listen(system, led.clone(), Arc::clone(&lives)))?;
    }
    Desk::open(&settings, &led, &store, &(args.name(), lives), &desk)?;
    let named = (args.name(), store.identity().to_owned(), reigns);
    aside.spawn(beat(beats_by, led, named, sign.clone()));
    aside.spawn(signals(stopper));
    let shared = Shared {
        settings,
        loaded,
        args: args.clone(),
        store,
        bus,
        aside: aside.handle().clone(),
        leading,
        reign,
        stop,
        sign,
        known: Known::default(),
        metrics,
        seen,
        began,
    };
    push0_dispatch::shorten_time_slice();
    own.block_on(serve_on(&Arc::new(shared)))
}

async fn serve_on(shared: &Arc<Shared>) -> Result<(), ClusterError> {
    let (mut patience, mut troubles) = (LEADER_SILENCE, Repeats::default());
    tell::info(format_args!("{}: stands by", shared.args.name()));
    loop {
        let led = match Box::pin(once(shared, patience, &mut troubles)).await {
            // The store does not answer, and may the next time.
            Err(ClusterError::Store(error)) if !error.is_final() => {
                LeadEnd::OutOfReach(error.to_string())
            }
            led => led?,
        };
        match led {
            LeadEnd::Stopped => return Ok(()),
            // Whoever has it now is given time to beat.
            LeadEnd::Deposed => {
                let own = shared.args.name();
                tell::info(format_args!(
                    "{own}: leads no more (another engine writes the log), stands by"
                ));
            }
            LeadEnd::Refused(why) => return Err(ClusterError::NotClaimed(why)),
            LeadEnd::OutOfReach(_) if *shared.stop.borrow() => return Ok(()),
            LeadEnd::OutOfReach(why) => {
                troubles.fails(&format!("{why}: it is tried again"));
                tokio::time::sleep(PAUSE).await;
            }
        }
        patience = LEADER_SILENCE * 3;
    }
}

/// Stands by, and leads then.
async fn once(
    shared: &Arc<Shared>,
    patience: Duration,
    troubles: &mut Repeats,
) -> Result<LeadEnd, ClusterError> {
    let mut replica = match Replica::open(&shared.settings.nats).await {
        Err(ClusterError::Nats(error)) if is_passing(&error) => {
            return Ok(LeadEnd::OutOfReach(push0_core::causes(&error)));
        }
        opened => opened?,
    };
    let is_tied = owned(&shared.store, &replica.log.id().to_string())?;
    let mut is_compared = is_tied;
    troubles.works("log and store answer again");
    replica.log.watch(&shared.known)?;
    if shared.metrics.is_some() {
        replica.follow_passing();
    }
    let mut standby = Standby::new(shared.began.elapsed(), patience);
    let mut is_warned = false;
    while !*shared.stop.borrow() {
        let came = replica.go_on(STEP).await?;
        if came != ReadOutcome::Silence {
            shared.sign.touch();
        }
        // Now, and not on the night on which it is to lead.
        if came == ReadOutcome::Nothing && !std::mem::replace(&mut is_compared, true) {
            fits(&shared.store, replica.scheduler(), shared.args.is_store_lost)?;
        }
        let seen = *shared.seen.borrow();
        seen.into_iter().for_each(|beat| standby.handle_beat(beat));
        match standby.handle_read(shared.began.elapsed(), came, replica.scheduler().last()) {
            Claims::No => {}
            Claims::ClockApart(apart) => warn_of_clock(shared, apart, &mut is_warned),
            // What the last leader wrote may be on its way here: a claim without it would be
            // refused, and a second lost.
            // A log that was set back is no log to lead: the watch says so in a moment.
            Claims::Yes if replica.message() < shared.known.message() => {}
            Claims::Yes if !replica.is_at_end().await => {}
            Claims::Yes => {
                return Box::pin(lead(shared, replica, standby.above(), is_tied)).await;
            }
        }
    }
    Ok(LeadEnd::Stopped)
}

/// Log time follows the leader's wall clock, and never goes back: an engine with another clock
/// leaves the lead to others, as long as there may be any.
fn warn_of_clock(shared: &Shared, apart: Duration, is_warned: &mut bool) {
    if !std::mem::replace(is_warned, true) {
        let (own, apart) = (shared.args.name(), apart.as_secs_f64());
        let patience = APART_PATIENCE.as_secs();
        tell::warn(format_args!(
            "{own}: no engine leads, and this one's clock is {apart:.1} s off that of the last one: it does not \
             claim the log for {patience} s; set the clocks, or start another engine"
        ));
    }
}

/// What a later try may find otherwise.
const fn is_passing(error: &push0_log::NatsError) -> bool {
    matches!(
        error,
        push0_log::NatsError::Unreachable { .. }
            | push0_log::NatsError::Unavailable(_)
            | push0_log::NatsError::Forbidden { .. } // a server whose settings are read again may say so for a moment
    )
}

/// What an engine's end means for this process.
pub(super) fn ended(error: EngineError) -> Result<LeadEnd, ClusterError> {
    match error {
        EngineError::Append(AppendError::Fenced { .. }) => Ok(LeadEnd::Deposed),
        EngineError::Append(AppendError::Unavailable(error) | AppendError::Full(error)) => {
            Ok(LeadEnd::OutOfReach(format!("the log takes nothing ({error})")))
        }
        // The servers take less than when the log was opened: opened anew it has other limits, and
        // refuses what was too large to who asked for it.
        error @ EngineError::Append(AppendError::TooLarge { .. }) => {
            Ok(LeadEnd::OutOfReach(format!("{error} (max_payload of the NATS servers)")))
        }
        error @ (EngineError::Append(_) | EngineError::Bug(_)) => Err(error.into()),
    }
}

/// Listens to whoever leads.
async fn listen(bus: Bus, (heard, began): (watch::Sender<Option<Beat>>, Instant), own: String) {
    let mut messages = bus.subscribe(BEAT).await;
    while let Some(message) = messages.next().await {
        let Some(beat) = read::<LeaderBeat>(&message.payload) else { continue };
        let known = heard.borrow().map(|seen: Beat| seen.epoch);
        if known.is_some_and(|known| beat.epoch < known) {
            continue;
        }
        if known != Some(beat.epoch) && beat.engine != own {
            tell::info(format_args!("{own}: {} leads in {}", beat.engine, beat.epoch));
        }
        let LeaderBeat { epoch, last, at: theirs, .. } = beat;
        let (ours, at) = (wall(), began.elapsed());
        let clocks_apart = ours.since(theirs).max(theirs.since(ours));
        heard.send_replace(Some(Beat { epoch, last, clocks_apart, at }));
    }
}

/// Says that this engine leads, as long as its log says so too.
async fn beat(
    bus: Bus,
    led: watch::Receiver<Option<Handle>>,
    (engine, store, reigns): (String, String, watch::Receiver<Reign>),
    sign: Sign,
) {
    let mut ticks = tokio::time::interval(LEADER_BEAT);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let handle = led.borrow().clone();
        let Some(handle) = handle else { continue };
        if let Ok((epoch, last)) = handle.probe().await {
            let (engine, store, at) = (engine.clone(), store.clone(), wall());
            let Reign { log, history } = reigns.borrow().clone();
            let beat = LeaderBeat { epoch, engine, last, store, at, log, history };
            if bus.publish(BEAT, &beat).await {
                sign.touch();
            }
        }
    }
}

async fn signals(stop: watch::Sender<bool>) {
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), Hangup::new())
    else {
        return;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        () = hangup.comes() => {}
    }
    stop.send_replace(true);
}

/// The sign of life that this process was asked for.
pub(super) fn sign(alive: Option<&Path>) -> Result<Sign, ClusterError> {
    Sign::at(alive).map_err(|source| {
        let path = alive.unwrap_or_else(|| Path::new("")).to_owned();
        ClusterError::Dir { path, source }
    })
}

/// For what must go on beside the engine.
pub(crate) fn runtime() -> Result<Threads, ClusterError> {
    Threads::new(Builder::new_multi_thread().worker_threads(2)).map_err(ClusterError::Thread)
}

/// Where what others say is read. One thread, so that between its connection and its words there is
/// no other to wake.
fn hearing_thread() -> std::io::Result<Threads> {
    let mut one = Builder::new_multi_thread();
    Threads::new(one.worker_threads(1).on_thread_start(push0_dispatch::shorten_time_slice))
}

/// Before a log that was out of reach is tried again.
const PAUSE: Duration = Duration::from_millis(500);
