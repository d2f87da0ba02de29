//! `push0 run`: engine and dispatcher in one process, until the source ends.
//!
//! ```text
//!   feeder ──blocks──▶ engine ──grants──▶ dispatcher ──spawns──▶ provers
//!                        │ ▲ └──reports──────┘
//!                        │ └─────────────── relay
//!                        ▼ releases
//!                     deliverer ──▶ proof files
//! ```
//!
//! Each box is a thread with one owner, this one: it hears news of all of them, shows it, and
//! decides only when to stop. Everything that matters is in the data directory, so stopping is
//! always safe.
//!
//! Not here: what happens (`engine`, `push0_core`), how provers run (`push0_dispatch`).

pub(crate) mod args;
mod deliver;
mod difference;
mod ending;
mod error;
mod exit;
mod feed;
mod ground;
mod inspect;
mod open;
mod screen;
mod sight;
mod standing;
mod summary;
pub(crate) mod sweeper;
mod take_back;
mod threads;
mod verdict;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use push0_core::{BlockHash, Height, Input, ReleaseNumber, TaskId};
use push0_dispatch::{Dispatcher, Notice};
use push0_source::Rules;
use tokio::sync::{mpsc, watch};

pub use self::args::{MachineArgs, RunArgs};
pub(crate) use self::deliver::due;
use self::deliver::{Delivered, Deliverer};
pub(crate) use self::difference::difference;
pub(crate) use self::error::RunError;
pub(crate) use self::feed::follow;
use self::feed::{FeedEnd, Waits};
use self::ground::Ground;
use self::open::RunSetup;
use self::screen::Screen;
use self::sight::{NoRoom, Sight};
pub(crate) use self::sweeper::Holders;
pub(crate) use self::take_back::{TakenBack, consequences, discard, record, results_named, words};
use self::threads::{relay, run_engine, spawn};
use crate::engine::{Engine, EngineError, EngineGone, Handle, Ports, TurnReport};
use crate::exit::Exit;
use crate::interrupts;
use crate::notices;
use crate::publish::Published;
pub use crate::telemetry::TelemetryArgs;
use crate::telemetry::{EngineMetrics, Passing, Scrape};
use crate::tell;

/// Runs the pipeline.
pub fn run(args: &RunArgs) -> Exit {
    match Run::start(args).and_then(|run| run.finish(args)) {
        Ok(exit) => exit,
        Err(error) => {
            if let RunError::Pipeline(faults) = &error {
                tell::errors(faults.lines());
            } else {
                tell::error(&error);
            }
            Exit::from(&error)
        }
    }
}

/// Something that one of the threads has to tell.
pub(crate) enum News {
    Seen(TurnReport),
    Notice(Notice),
    Fed(Result<FeedEnd, RunError>),
    /// The store's copy of this block's payload was damaged, and the file's took its place.
    Mended(Height),
    /// The store's copy of this task's result is missing or damaged.
    Unsound(TaskId),
    Delivered(Delivered),
    EngineEnded(Result<(), EngineError>),
    Interrupted,
}

/// A run, and all its threads.
struct Run {
    began: Instant,
    was_resumed: bool,
    handle: Handle,
    news: Receiver<News>,
    dispatcher: Option<Dispatcher>,
    engine: Option<JoinHandle<()>>,
    /// Ends once all that the dispatcher reports has been handed on.
    reports: JoinHandle<()>,
    deliverer: Deliverer,
    screen: Screen,
    overheads: Vec<Duration>,
    published: BTreeMap<ReleaseNumber, Vec<Published>>,
    feed: Option<FeedEnd>,
    /// What the feeder waits for.
    waits: Arc<Waits>,
    /// A look that the engine has not answered yet, and where the deliverer was when it was asked
    /// for.
    looking: Option<(Receiver<Sight>, ReleaseNumber)>,
    /// Since when a disk has no room, when a person was last told, and of what.
    no_room: Option<NoRoom>,
    /// Since when nothing happens and nothing will.
    stuck: Option<Instant>,
    /// Since when a program is held, and with how many accepted results.
    held: Option<(Instant, u64)>,
    patience: Duration,
    interrupts: u32,
    gone: BTreeMap<String, String>,
    /// Since when only programs are wanted that nobody can run.
    unoffered: Option<Instant>,
    ground: Ground,
    /// What is scraped, where somebody wants that.
    metrics: Option<EngineMetrics>,
    /// Where `push0 logs` asks what runs.
    _socket: Option<crate::live::Socket>,
}

/// Answers scrapes of this run from here on, where it is told to. `dir` is its dispatcher's.
fn scraped(
    args: &RunArgs,
    passing: Option<Passing>,
    handle: &Handle,
    dir: &Path,
) -> Result<Option<EngineMetrics>, RunError> {
    let Some((address, passing)) = args.telemetry.metrics.zip(passing) else { return Ok(None) };
    let metrics = EngineMetrics::new();
    metrics.lead(passing);
    let (_, led) = watch::channel(Some(handle.clone()));
    let scrape = Scrape {
        engine: Some((metrics.clone(), led)),
        disk: Some(dir.to_owned()),
        log: dir.parent().map(|data| data.join("log")),
        ..Scrape::default()
    };
    scrape.serve(address)?;
    Ok(Some(metrics))
}

impl Run {
    fn start(args: &RunArgs) -> Result<Self, RunError> {
        let began = Instant::now();
        let opened = open::open(args)?;
        if let Some(note) = crate::programs::without_key(&opened.loaded.pipeline) {
            tell::info(&note);
        }
        let RunSetup { loaded, source, scheduler, log, store, config, programs, .. } = opened;
        let RunSetup { out, cache, was_resumed, ground, passing, .. } = opened;
        let (teller, news) = sync_channel(NEWS_MAX);
        let heard = teller.clone();
        let listens = interrupts::listen(move || heard.send(News::Interrupted).is_ok());
        listens.map_err(RunError::Thread)?;
        notices::begins(&config);
        let dir = config.dir.clone();
        let started = push0_dispatch::start(config)?;
        let socket = crate::live::open(&dir, started.dispatcher.outputs());
        let (ask_source, asked) = mpsc::channel(ASKED_MAX);
        let (turns, seen) = mpsc::channel(NEWS_MAX);
        let screen = Screen::new(&loaded.pipeline);
        let lines = screen.wants_lines();
        let ports = Ports { post: Box::new(started.to), source: ask_source, turns, lines };
        let (engine, handle) = Engine::new(scheduler, log, ports);
        let metrics = scraped(args, passing, &handle, &dir)?;
        let engine = spawn("engine", run_engine(engine, teller.clone()))?;
        // Before any beat is heard: the leases of the engine before must not be granted again.
        open::begin(args, &handle, &loaded)?;
        let reports = relay(&handle, &teller, started.from, started.notices, seen)?;
        let rules = Rules::of(&loaded.pipeline);
        let waits =
            feed::start(source, rules, store.clone(), handle.clone(), asked, teller.clone())?;
        sweeper::start(store.clone(), handle.clone(), Holders::None)?;
        let deliverer = Deliverer::start(store, programs, cache, out, teller)?;
        Ok(Self {
            began,
            was_resumed,
            handle,
            news,
            dispatcher: Some(started.dispatcher),
            engine: Some(engine),
            reports,
            deliverer,
            screen,
            overheads: Vec::new(),
            published: BTreeMap::new(),
            feed: None,
            waits,
            looking: None,
            no_room: None,
            stuck: None,
            held: None,
            patience: args.patience,
            interrupts: 0,
            gone: BTreeMap::new(),
            unoffered: None,
            ground,
            metrics,
            _socket: socket,
        })
    }

    /// Watches until there is nothing left to do, then ends everything and tells the result.
    fn finish(mut self, args: &RunArgs) -> Result<Exit, RunError> {
        let watched = self.watch().map_err(|error| self.explained(error));
        let ended = self.end();
        self.screen.end(ended.as_ref().ok());
        let (watched, standing) = (watched?, ended?);
        let exit = self.ended_as(watched, &standing);
        let printed = summary::print(args, &standing, &self.summary(exit));
        if exit == Exit::Unproved {
            tell::error(standing.held_words(&args.data_dir(&standing.pipeline)));
        }
        if exit == Exit::Interrupted {
            tell::info("interrupted: the same command goes on from here");
        }
        Ok(if exit == Exit::Done && !printed { Exit::OutOfReach } else { exit })
    }

    /// Why the engine ended, where that is why something else did not get an answer.
    fn explained(&mut self, error: RunError) -> RunError {
        if !matches!(error, RunError::Gone(_)) {
            return error;
        }
        let until = Instant::now() + EXPLAINED_MAX;
        while let Ok(news) = self.news.recv_timeout(until.saturating_duration_since(Instant::now()))
        {
            if let News::EngineEnded(Err(error)) = news {
                return RunError::Engine(error);
            }
        }
        error
    }

    fn summary(&self, exit: Exit) -> summary::Run<'_> {
        summary::Run {
            is_complete: exit == Exit::Done,
            was_resumed: self.was_resumed,
            wall: self.began.elapsed(),
            overheads: &self.overheads,
            published: self.published.values().flatten().collect(),
        }
    }

    fn watch(&mut self) -> Result<Exit, RunError> {
        loop {
            match self.news.recv_timeout(TICK) {
                Ok(news) => {
                    if let Some(exit) = self.hear(news)? {
                        return Ok(exit);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(RunError::Gone(EngineGone)),
            }
            self.tell_of_room();
            self.look_at_ground()?;
            let Some(standing) = self.look()? else { continue };
            if let Some(dispatcher) = &self.dispatcher {
                self.screen.draw(&standing, &dispatcher.view().running());
            }
            if let Some(exit) = self.verdict(&standing)? {
                return Ok(exit);
            }
        }
    }

    fn hear(&mut self, news: News) -> Result<Option<Exit>, RunError> {
        match news {
            News::Seen(seen) => {
                self.metrics.iter().for_each(|metrics| metrics.turn(&seen));
                tell::tell(&seen.lines);
                seen.warning.iter().for_each(tell::warn);
                let room = OVERHEADS_MAX.saturating_sub(self.overheads.len());
                self.overheads.extend(seen.overheads.into_iter().take(room));
            }
            News::Notice(notice) => self.notice(&notice),
            News::Fed(fed) => self.feed = Some(fed?),
            News::Unsound(task) => tell::warn(format_args!(
                "the result of task {} is missing from the store or damaged there; if it is needed \
                 again, it is made again",
                task.short()
            )),
            News::Mended(number) => tell::warn(format_args!(
                "the payload of block {number} was damaged in the store; it is the file's again"
            )),
            News::Delivered(Delivered::Written(number, delivery)) => {
                self.deliverer.succeeded();
                for task in delivery.mended {
                    let (task, words) = (task.short(), "missing from the store or damaged there");
                    tell::warn(format_args!(
                        "the result of task {task} was {words}; it is its proof file's again"
                    ));
                }
                self.published.insert(number, delivery.published);
            }
            News::Delivered(Delivered::Missing(number, task)) => self.remake(number, task)?,
            News::Delivered(Delivered::Failed(number, error)) => {
                self.deliverer.failed(number, error)?;
            }
            News::EngineEnded(Ok(())) => return Err(RunError::Gone(EngineGone)),
            News::EngineEnded(Err(error)) => return Err(RunError::Engine(error)),
            News::Interrupted => {
                self.interrupts += 1;
                if self.interrupts > 1 {
                    return Ok(Some(Exit::Interrupted));
                }
                self.handle.drain()?;
                tell::info(
                    "draining: running provers finish, nothing starts; a second signal stops them",
                );
            }
        }
        Ok(None)
    }

    /// A released proof is not in the store any more: it is made again, and delivered then.
    fn remake(&mut self, number: ReleaseNumber, task: TaskId) -> Result<(), RunError> {
        tell::warn(format_args!(
            "the result of task {} is missing from the store or damaged there; it is made again",
            task.short()
        ));
        self.deliverer.rewind(number);
        self.handle.ask(Input::Remake(task))?.map_err(|refused| RunError::Remake { task, refused })
    }
}

/// Blocks whose payload is asked for again.
pub(crate) type Asked = mpsc::Receiver<BlockHash>;

/// Nothing may happen for so long before a run is over for that: whoever waits for room looks
/// meanwhile.
const STUCK_MIN: Duration = Duration::from_millis(200);

/// How often the run looks without being told anything.
const TICK: Duration = Duration::from_millis(50);

/// News that nobody has heard. At it the threads wait, and the engine leaves lines out.
const NEWS_MAX: usize = 1_024;

/// Payloads asked for and not delivered; the rest is asked for at the next start.
const ASKED_MAX: usize = 1_024;

/// Overheads kept for the median.
const OVERHEADS_MAX: usize = 1 << 20;

/// How long an engine that has ended may take to say why.
const EXPLAINED_MAX: Duration = Duration::from_secs(5);

/// How long a program may be away before a run that needs nothing else gives up.
const UNOFFERED_MAX: Duration = Duration::from_secs(5);
