//! `push0 dispatch`: a dispatcher on a machine of its own, which comes and goes as it likes.
//!
//! It proves on while no engine is there, and holds what it has made until one takes it.

use std::hash::BuildHasher as _;
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use push0_core::{DispatcherId, FromDispatcher, ToDispatcher};
use push0_dispatch::{Access, Config, Dispatcher, Reclaim, Started, Store};
use push0_engine::{BeatMeaning, Followed, Reign};
use push0_pipeline::{LoadedPipeline, unit};
use tokio::sync::{mpsc, watch};

use super::args::DispatchArgs;
use super::bus::{BEAT, Bus, hear, life, read};
use super::departures::connection;
use super::error::{ClusterError, told};
use super::host::host;
use super::leaving::{Ends, Leaving, STOP_GRACE, Stop, stops};
use super::lives::Origin;
use super::role::Role;
use super::serve::{runtime, sign};
use super::settings::Settings;
use super::unled::Unled;
use super::wire::{Down, LeaderBeat};
use super::{outputs, present};
use crate::alive::Sign;
use crate::exit::Exit;
use crate::gpus::Gpus;
use crate::notices::{self, Failures};
use crate::programs::{self, Programs};
use crate::status::DispatcherView;
use crate::telemetry::{DispatcherMetrics, Scrape};
use crate::tell;

/// Dispatches until it is told to stop.
pub(crate) fn dispatch(args: &DispatchArgs) -> Exit {
    told(start(args))
}

fn start(args: &DispatchArgs) -> Result<(), ClusterError> {
    let loaded = push0_pipeline::load(&args.pipeline)?;
    let mut settings = args.cluster.settings(Role::Dispatcher, "push0-dispatch")?;
    let wanted = wanted(args, &loaded, &settings)?;
    push0_dispatch::take_dir(&wanted.dir, &wanted.id)?;
    match settings.store(Access::Write) {
        // The first engine makes it.
        Err(ClusterError::Store(error)) if error.source.kind() == ErrorKind::NotFound => {}
        opened => drop(opened?),
    }
    let number = std::hash::RandomState::new().hash_one(wanted.id.as_str());
    settings.nats.name = connection(wanted.id.as_str(), number);
    let sign = sign(args.alive.as_deref())?;
    let runtime = runtime()?;
    let bus = runtime.block_on(Bus::connect(&settings))?;
    settings.nats.name = present::connection(&wanted.id);
    let called_over = runtime.block_on(Bus::connect(&settings))?;
    let mut beats = runtime.block_on(bus.subscribe(BEAT));
    let mut stop = runtime.block_on(async { Stop::new(wanted.notice.clone()) })?;
    tell::info(format_args!("{}: waits for an engine", wanted.id));
    let Some(first) = runtime.block_on(first_beat(&bus, &mut beats, &sign, &mut stop)) else {
        tell::info(format_args!("{}: stops: no engine was heard", wanted.id));
        return Ok(());
    };
    // An engine that leads has made it: where there is none, it is this machine that does not see
    // it.
    let store = settings.store(Access::Write)?;
    let wanted_drain = wanted.drain;
    let config = config(&loaded, wanted, store);
    let own = config.store.identity().to_owned();
    if first.store != own {
        let store = config.store.to_string();
        return Err(ClusterError::OtherStore { store, own, theirs: first.store });
    }
    let graces = loaded.pipeline.stages.iter().map(|stage| stage.grace);
    let ends = Ends { drain: wanted_drain, grace: graces.max().unwrap_or(STOP_GRACE) };
    let metrics = scraped(args, &settings, &config)?;
    let (views, view) = watch::channel(None);
    let (outputs, printed) = watch::channel(None);
    runtime.spawn(outputs::answer(called_over.clone(), printed, config.id.clone()));
    runtime.spawn(present::dispatcher(called_over, view, config.id.clone()));
    let mut leader = first;
    loop {
        let after = push0_dispatch::last_life(&config.dir);
        let bus = bus.clone().speaking_as(Origin { connection: Some(number), after });
        notices::begins(&config);
        let started = push0_dispatch::start(config.clone())?;
        outputs.send_replace(Some(started.dispatcher.outputs()));
        metrics.iter().for_each(|metrics| metrics.begin(started.dispatcher.view()));
        let shown = Shown { sign: &sign, views: &views, metrics: metrics.as_ref() };
        let carried = carry(&bus, started, (&mut beats, leader), &mut stop, (shown, ends));
        leader = match runtime.block_on(carried)? {
            LifeEnd::Stopped => return Ok(()),
            LifeEnd::OtherHistory(leader) => leader,
        };
    }
}

/// Why a life of the dispatcher has ended.
enum LifeEnd {
    /// It was told to leave, and what it ran has ended; or to stop.
    Stopped,
    /// The log of the engine that leads is another than that of the grants which this life has.
    OtherHistory(LeaderBeat),
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
            _ = stop.comes() => return None,
        }
    }
}

/// Where what a dispatcher does is shown.
#[derive(Clone, Copy)]
struct Shown<'a> {
    sign: &'a Sign,
    views: &'a watch::Sender<Option<DispatcherView>>,
    metrics: Option<&'a DispatcherMetrics>,
}

/// Answers scrapes of it from here on, where it is told to.
fn scraped(
    args: &DispatchArgs,
    settings: &Settings,
    config: &Config,
) -> Result<Option<DispatcherMetrics>, ClusterError> {
    let Some(address) = args.telemetry.metrics.or(settings.telemetry.metrics) else {
        return Ok(None);
    };
    let metrics = DispatcherMetrics::new(config.slots, config.memory_bytes, config.gpus.count());
    let (dispatcher, disk) = (Some(metrics.clone()), Some(config.dir.clone()));
    Scrape { dispatcher, disk, ..Scrape::default() }.serve(address)?;
    Ok(Some(metrics))
}

/// Carries messages until it has left, is told to stop, or what it was granted is of no log any
/// more; then ends the provers that still run, and says so. Results that wait for a verdict are the
/// next life's.
async fn carry(
    bus: &Bus,
    started: Started,
    (beats, leader): (&mut async_nats::Subscriber, LeaderBeat),
    stop: &mut Stop,
    (Shown { sign, views, metrics }, ends): (Shown<'_>, Ends),
) -> Result<LifeEnd, ClusterError> {
    let Started { dispatcher, to, mut from, mut notices } = started;
    let own = dispatcher.life();
    tell::info(format_args!("{}: takes work", own.dispatcher));
    let up = hear(&own.dispatcher);
    let mut down = bus.subscribe(&life(&own)).await;
    let shows = || {
        drop(views.send_replace(Some(DispatcherView::of(&dispatcher))));
        let kept = dispatcher.counts().1;
        metrics.iter().for_each(|metrics| metrics.stands(kept, bus.is_connected()));
    };
    shows();
    let (mut leaving, mut ticks) = (Leaving::new(&dispatcher, ends), tokio::time::interval(LOOK));
    let (mut said, mut failures) = (Vec::new(), Failures::default());
    let began = Instant::now();
    let mut leader = Followed::new(began.elapsed(), reign(&leader));
    let (mut unled, id) = (Unled::new(Instant::now()), own.dispatcher.as_str());
    let mut connects = bus.connects();
    let ended = loop {
        tokio::select! {
            1.. = from.recv_many(&mut said, TOGETHER) => {
                if said.iter().any(|said| matches!(said, FromDispatcher::Beat(_))) {
                    shows();
                    failures.look();
                    unled.look((Instant::now(), id), bus.is_connected(), dispatcher.counts());
                }
                if bus.say(&up, std::mem::take(&mut said)).await {
                    sign.touch();
                }
            }
            Some(message) = down.next() => {
                if take(&message.payload, &mut leader, &mut leaving, &to).is_break() {
                    break Err(ClusterError::NameTaken(own.dispatcher.clone()));
                }
            }
            Some(message) = beats.next() => {
                if let Some(beat) = read::<LeaderBeat>(&message.payload) {
                    unled.beat(Instant::now(), id);
                    let was = std::mem::replace(&mut connects, bus.connects());
                    match leader.beat(began.elapsed(), reign(&beat)) {
                        BeatMeaning::OtherHistory => break Ok(LifeEnd::OtherHistory(beat)),
                        // It knows nothing of this dispatcher, or has given it up.
                        BeatMeaning::Successor => dispatcher.beat_now(),
                        BeatMeaning::Known if was != connects => dispatcher.beat_now(),
                        BeatMeaning::Known => {}
                    }
                }
            }
            Some(notice) = notices.recv() => {
                failures.notice(&notice);
                metrics.iter().for_each(|metrics| metrics.notice(&notice));
                shows();
            }
            told = stop.comes() => leaving.told(told),
            _ = ticks.tick(), if leaving.has_begun() => {
                if leaving.is_over() {
                    break Ok(LifeEnd::Stopped);
                }
            }
        }
    };
    let ended = match ended {
        // No other life of it is begun.
        Ok(LifeEnd::OtherHistory(_)) if leaving.has_begun() => Ok(LifeEnd::Stopped),
        ended => ended,
    };
    let grace = leaving.grace();
    tell_of(&ended, own.dispatcher.as_str(), dispatcher.counts());
    stop_at_once(bus, &up, dispatcher, from, grace).await;
    ended
}

/// Tells how a life has ended, with so many attempts and results.
fn tell_of(ended: &Result<LifeEnd, ClusterError>, id: &str, counts: (usize, usize)) {
    match ended {
        Ok(LifeEnd::OtherHistory(_)) => tell::warn(format_args!("{id}: {OTHER_HISTORY}")),
        Err(_) if counts == (0, 0) => {} // its error is all there is to say
        Ok(LifeEnd::Stopped) | Err(_) => tell::info(format_args!("{id}: {}", stops(counts))),
    }
}

/// Takes what the leading engine says; breaks where it is that another dispatcher of this name is
/// at work.
fn take(
    payload: &[u8],
    leader: &mut Followed,
    leaving: &mut Leaving<'_>,
    to: &mpsc::Sender<ToDispatcher>,
) -> ControlFlow<()> {
    let Some(down) = read::<Down>(payload) else { return ControlFlow::Continue(()) };
    if down.name_is_taken {
        return ControlFlow::Break(());
    }
    if leader.takes(down.epoch) {
        down.leave.iter().for_each(|by| leaving.asked(by));
        for message in down.messages {
            let _ = to.try_send(message); // what matters is sent again
        }
    }
    ControlFlow::Continue(())
}

fn reign(beat: &LeaderBeat) -> Reign {
    let LeaderBeat { epoch, last, log, history, .. } = beat.clone();
    Reign { epoch, last, log, history }
}

/// Ends the provers, and tells that what they worked on was not run.
async fn stop_at_once(
    bus: &Bus,
    up: &str,
    dispatcher: Dispatcher,
    mut from: mpsc::Receiver<FromDispatcher>,
    grace: Duration,
) {
    dispatcher.leave();
    let ended = tokio::task::spawn_blocking(move || dispatcher.shutdown(grace));
    while let Some(message) = from.recv().await {
        bus.say(up, vec![message]).await;
    }
    let _ = ended.await;
    bus.flush().await;
}

/// What it was told of itself.
struct DispatcherSetup {
    id: DispatcherId,
    dir: PathBuf,
    memory_bytes: u64,
    slots: u32,
    gpus: push0_dispatch::Gpus,
    programs: Programs,
    drain: Duration,
    notice: Option<Reclaim>,
}

fn wanted(
    args: &DispatchArgs,
    loaded: &LoadedPipeline,
    settings: &Settings,
) -> Result<DispatcherSetup, ClusterError> {
    let fault = |what: String| ClusterError::Setting {
        file: args.cluster.config.clone(),
        line: None,
        what,
    };
    let table = &settings.dispatch;
    let id = args.id.clone().or_else(|| table.id.clone()).unwrap_or_else(host);
    let id: DispatcherId = id
        .parse()
        .map_err(|error| fault(format!("dispatch.id: {id:?}: {error}: name another (--id)")))?;
    let own = table.dir.as_deref().map(|dir| {
        let named = crate::directory::named(&dir.to_string_lossy());
        named.map_err(|what| fault(format!("dispatch.dir: {what}")))
    });
    let dir = args.dir.clone().or(own.transpose()?);
    let dir = dir.unwrap_or_else(|| PathBuf::from(format!("./{}.{id}", loaded.pipeline.name)));
    let memory_bytes = match (args.machine.memory, table.memory.as_deref()) {
        (None, Some(text)) => unit::size(text).ok_or_else(|| {
            fault(format!("dispatch.memory: {text:?} is no size: write one like \"8GiB\""))
        })?,
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
    let gpus = Gpus::find(args.machine.gpus.or(table.gpus), Gpus::wanted(&loaded.pipeline));
    gpus.warning.iter().for_each(tell::warn);
    let dir = std::path::absolute(&dir).unwrap_or(dir);
    let programs = programs::resolve(loaded).map_err(ClusterError::missing(&args.pipeline))?;
    let drain = table.drain.as_deref().map(|text| {
        unit::duration(text).ok_or_else(|| {
            fault(format!("dispatch.drain: {text:?} is no time: write one like \"30m\""))
        })
    });
    let drain = args.drain.or(drain.transpose()?).unwrap_or(DRAIN);
    let notice = table.notice.as_ref().map(|text| {
        let parsed = text.expose().parse();
        parsed.map_err(|error| fault(format!("dispatch.notice: {text:?}: {error}")))
    });
    let notice = args.notice.clone().or(notice.transpose()?);
    Ok(DispatcherSetup {
        id,
        dir,
        memory_bytes,
        slots,
        gpus: gpus.devices,
        programs,
        drain,
        notice,
    })
}

fn config(loaded: &LoadedPipeline, wanted: DispatcherSetup, store: Store) -> Config {
    let DispatcherSetup { id, dir, memory_bytes, slots, gpus, programs, .. } = wanted;
    Config {
        id,
        pipeline: loaded.pipeline.name.clone(),
        dir,
        store,
        slots,
        memory_bytes,
        gpus,
        programs: programs.configs(),
        heartbeat: Config::HEARTBEAT,
        uses_cgroups: true,
        adopts_orphans: true,
        keeps_results: true,
    }
}

/// Messages of a dispatcher that are taken at once.
const TOGETHER: usize = 64;

/// How long what runs is waited for, where nobody says otherwise.
const DRAIN: Duration = Duration::from_secs(1_800);

/// From one look at what still runs to the next.
const LOOK: Duration = Duration::from_millis(50);

const OTHER_HISTORY: &str = "the engines' log was put back to an older copy, or made again: attempts of before are \
    given up, results that wait are kept, and work goes on";
