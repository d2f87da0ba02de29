//! push0 on many machines: a real `push0 serve` over NATS. Client and dispatchers are in this
//! process, each behind a connection of its own.

use std::any::Any;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use futures_util::stream::{self, FuturesOrdered};
use futures_util::{StreamExt as _, future};
use push0::cluster::{Answer, Ask, BEAT, Bus, Down, LeaderBeat, life, read};
use push0_core::{Block, Epoch, Life};
use push0_dispatch::Store;
use push0_log::{NatsConfig, NatsLog, ReadError, nats_client};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use crate::baseline::{floor, pull};
use crate::cli::say;
use crate::fault::Fault;

use super::fake::{Fake, LIFE, Up};
use super::pipeline::{self, PROGRAM};
use super::watch::Watch;
use super::{Payload, Running, Shape, Submit, runtime};

/// Where the servers are.
#[derive(Clone, Debug)]
pub(crate) struct Servers {
    pub(crate) urls: Vec<String>,
    pub(crate) replicas: usize,
    /// What all subjects and streams begin with.
    pub(crate) name: String,
}

impl Servers {
    /// That were started for it, and hold nothing else.
    pub(crate) fn started(urls: Vec<String>, replicas: usize) -> Self {
        Self { urls, replicas, name: NAME.to_owned() }
    }

    /// That the user names: what is made on them has a name that nothing else has, and is to be
    /// [`clear`]ed.
    pub(crate) fn named(urls: Vec<String>, replicas: usize) -> Self {
        let name = format!("{NAME}-bench-{}", push0::clock::wall().0);
        Self { urls, replicas, name }
    }
}

/// Starts an engine on these servers, which hold no log of push0 yet, and all that works with it.
///
/// # Errors
///
/// That `push0` is not beside this program, or that the engine does not come to lead within 20 s.
pub(crate) fn start(servers: &Servers, shape: Shape) -> Result<Running, Fault> {
    let dir = tempfile::Builder::new().prefix("push0-bench-").tempdir()?;
    let engine = Process(engine(dir.path(), "engine", servers, shape.has_backlog)?);
    let Running { submit, done, _parts } = around(servers, shape, dir.path())?;
    let parts = Parts { _others: _parts, _engine: engine, _dir: dir };
    Ok(Running { submit, done, _parts: Box::new(parts) })
}

/// All but the engine: waits until one leads, and starts client and dispatchers. `dir` is that of
/// the engine.
///
/// # Errors
///
/// That none comes to lead within 20 s.
pub(crate) fn around(servers: &Servers, shape: Shape, dir: &Path) -> Result<Running, Fault> {
    let config = settings(servers);
    let runtime = runtime()?;
    let (sender, done) = channel();
    let bus = runtime.block_on(async {
        let (client, _) = nats_client(&config).await?;
        let bus = Bus::over(client, &servers.name);
        if let Err(error) = led(&bus).await {
            let words = fs::read_to_string(dir.join("engine.err")).unwrap_or_default();
            return Err(Fault::new(format!("{error}: {}", words.trim())));
        }
        let log = NatsLog::open(&config).await?;
        let mut follower = log.follow(log.start().clone());
        tokio::spawn(async move {
            let mut watch = Watch::new(sender);
            loop {
                match follower.next(FOLLOW).await {
                    Ok(turns) if turns.iter().all(|turn| watch.turn(turn)) => {}
                    Err(ReadError::Unavailable(_)) => {} // servers may be killed
                    Ok(_) => return,
                    Err(error) => return say(&format!("the log cannot be followed: {error}")),
                }
            }
        });
        Ok::<_, Fault>(bus)
    })?;
    let store = Store::open(&dir.join("store"))?;
    runtime.block_on(dispatchers(servers, shape, &store))?;
    let submit = submit(&runtime, bus, shape, store);
    Ok(Running { submit, done, _parts: Box::new(Background(Some(runtime))) })
}

/// Ends before anything else is measured: what is under way is dropped at its next wait.
pub(crate) struct Background(pub(crate) Option<Runtime>);

impl Drop for Background {
    fn drop(&mut self) {
        let Some(runtime) = self.0.take() else { return };
        let began = Instant::now();
        runtime.shutdown_timeout(END_MAX);
        let has_ended = began.elapsed() < END_MAX;
        assert!(
            has_ended || std::thread::panicking(),
            "a task never waits: it would take a core from all that is measured after it"
        );
    }
}

/// What belongs to it; ended in order.
struct Parts {
    _others: Box<dyn Any>,
    _engine: Process,
    _dir: TempDir,
}

/// Killed when it is dropped.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// As the files say that an engine reads.
pub(crate) fn settings(servers: &Servers) -> NatsConfig {
    NatsConfig {
        urls: servers.urls.iter().map(|url| url.as_str().into()).collect(),
        replicas: servers.replicas,
        max_bytes: LOG_BYTES,
        stream: servers.name.clone(),
        subject: format!("{}.log", servers.name),
        name: "push0-bench".to_owned(),
        inbox: "_INBOX".to_owned(),
        ..NatsConfig::default()
    }
}

/// Deletes all streams that the bench has made on these servers.
pub(crate) fn clear(servers: &Servers) {
    let streams = [
        vec![servers.name.clone(), floor::stream_name(servers)],
        pull::stream_names(servers).to_vec(),
    ];
    let delete = async {
        let (client, _) = nats_client(&settings(servers)).await?;
        for stream in streams.concat() {
            // Most are not there: each bench makes its own.
            client.request(format!("$JS.API.STREAM.DELETE.{stream}"), "".into()).await?;
        }
        Ok::<_, Fault>(())
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    if let Err(fault) = runtime.map_err(Fault::from).and_then(|runtime| runtime.block_on(delete)) {
        say(&format!("warning: streams named {}* are left behind: {fault}", servers.name));
    }
}

/// Starts `push0 serve` under this name.
pub(crate) fn engine(
    dir: &Path,
    name: &str,
    servers: &Servers,
    has_backlog: bool,
) -> Result<Child, Fault> {
    fs::write(dir.join("pipeline.toml"), pipeline::file(WINDOW, has_backlog, &[PROGRAM]))?;
    let mib = LOG_BYTES >> 20;
    let Servers { replicas, name: prefix, .. } = servers;
    let machine = format!(
        "[nats]\nreplicas = {replicas}\nmax_bytes = \"{mib}MiB\"\nprefix = \"{prefix}\"\nstream = \"{prefix}\"\n"
    );
    fs::write(dir.join("push0.toml"), machine)?;
    fs::create_dir_all(dir.join("store"))?;
    let mut command = Command::new(push0()?);
    command
        .args(["serve", "pipeline.toml", "--name", name, "--config", "push0.toml"])
        .args(["--store", "store", "--nats"])
        .arg(servers.urls.join(","))
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(dir.join(name).with_extension("err"))?);
    push0_dispatch::die_with_parent(&mut command);
    Ok(command.spawn()?)
}

/// Starts `push0 dispatch` under this name beside an engine, whose `dir` it shares; its provers are
/// this program, and take a time.
pub(crate) fn dispatcher(
    dir: &Path,
    name: &str,
    servers: &Servers,
    slots: u32,
    takes: Duration,
) -> Result<Process, Fault> {
    let own = std::env::current_exe()?;
    let takes = takes.as_millis().to_string();
    let prover = [&*own.to_string_lossy(), "prover", "--takes-ms", &takes];
    // Each has its own: one that is starting reads it while the next is written.
    let own_pipeline = format!("{name}.toml");
    fs::write(dir.join(&own_pipeline), pipeline::file(WINDOW, false, &prover))?;
    let mut command = Command::new(push0()?);
    command
        .args(["dispatch", &own_pipeline, "--config", "push0.toml", "--store", "store"])
        .args(["--id", name, "--slots", &slots.to_string(), "--memory", "1GiB", "--nats"])
        .arg(servers.urls.join(","))
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    push0_dispatch::die_with_parent(&mut command);
    Ok(Process(command.spawn()?))
}

/// The `push0` that was built beside this program.
///
/// # Errors
///
/// That there is none.
pub(crate) fn push0() -> Result<PathBuf, Fault> {
    let beside = std::env::current_exe()?.with_file_name("push0");
    match beside.is_file() {
        true => Ok(beside),
        false => Err(Fault::new(format!(
            "there is no {}: build it, `cargo build --release`",
            beside.display()
        ))),
    }
}

/// Waits until an engine leads.
pub(crate) async fn led(bus: &Bus) -> Result<LeaderBeat, Fault> {
    let mut beats = bus.subscribe(BEAT).await;
    let first = async {
        loop {
            let message = beats.next().await?;
            if let Some(beat) = read::<LeaderBeat>(&message.payload) {
                return Some(beat);
            }
        }
    };
    let first = timeout(LEAD_MAX, first).await.ok().flatten();
    first.ok_or_else(|| Fault::new(format!("no engine led within {} s", LEAD_MAX.as_secs())))
}

/// Starts the dispatchers, some hundreds to a connection.
async fn dispatchers(servers: &Servers, shape: Shape, store: &Store) -> Result<(), Fault> {
    let config = settings(servers);
    let numbers: Vec<u32> = (0..shape.dispatchers).collect();
    for some in numbers.chunks(TO_A_CONNECTION) {
        let (client, _) = nats_client(&config).await?;
        let bus = Bus::over(client, &servers.name);
        let (leads, led) = watch::channel(Epoch(0));
        tokio::spawn(follow(bus.clone(), leads));
        for number in some {
            let id = pipeline::dispatcher(*number);
            let messages =
                bus.subscribe(&life(&Life { dispatcher: id.clone(), incarnation: LIFE })).await;
            let messages = messages.filter_map(|message| {
                let down = read::<Down>(&message.payload);
                future::ready(down.map(|down| down.messages))
            });
            // A new leader knows nothing of a dispatcher until it says that it is there.
            let led = stream::unfold(led.clone(), |mut led| async move {
                led.changed().await.ok()?;
                Some((Vec::new(), led))
            });
            let messages = stream::select(messages, led);
            let fake = Fake { id, shape, store: Some(store.clone()), up: Up::Bus(bus.clone()) };
            tokio::spawn(fake.run(messages));
        }
        bus.flush().await;
    }
    // One beat has reached the engine by then.
    sleep(push0_dispatch::Config::HEARTBEAT).await;
    Ok(())
}

/// Tells of each engine that comes to lead.
async fn follow(bus: Bus, leads: watch::Sender<Epoch>) {
    let mut beats = bus.subscribe(BEAT).await;
    while let Some(message) = beats.next().await {
        if let Some(beat) = read::<LeaderBeat>(&message.payload) {
            leads.send_if_modified(|epoch| {
                let is_new = *epoch < beat.epoch;
                *epoch = (*epoch).max(beat.epoch);
                is_new
            });
        }
    }
}

fn submit(runtime: &Runtime, bus: Bus, shape: Shape, store: Store) -> Submit {
    let (blocks, mut queued) = mpsc::unbounded_channel();
    runtime.spawn(async move {
        // Some requests are under way at once. An engine may take them in another order, which
        // blocks may come in; but the first is where the chain starts, and must be there before the
        // others, and none may be far ahead of one that is not answered.
        let (mut asked, mut asks) = (FuturesOrdered::new(), 1);
        let mut some = Vec::new();
        loop {
            tokio::select! {
                count = queued.recv_many(&mut some, TOGETHER), if asked.len() < asks => {
                    if count == 0 {
                        return;
                    }
                    asked.push_back(ask(bus.clone(), std::mem::take(&mut some)));
                }
                Some(()) = asked.next() => asks = ASKS,
            }
        }
    });
    Box::new(move |tasks| {
        for number in tasks {
            let payload = match shape.payload {
                Payload::Reference => None,
                Payload::Bytes500 => store.put(&super::file::payload(number)).ok(),
            };
            let _ = blocks.send(pipeline::block(number, payload));
        }
    })
}

/// Asks until all are taken, as a client does.
async fn ask(bus: Bus, mut blocks: Vec<Block>) {
    while !blocks.is_empty() {
        let taken = match bus.ask(&Ask::Submit(blocks.clone())).await {
            Some(Answer::Done(_)) => return,
            Some(Answer::Later { taken }) => {
                sleep(LATER).await;
                taken
            }
            Some(Answer::Refused { reason, .. }) => {
                return say(&format!("a block is refused: {reason}"));
            }
            Some(
                Answer::Status(_)
                | Answer::Added { .. }
                | Answer::Discarded { .. }
                | Answer::Position(_)
                | Answer::Leaving { .. }
                | Answer::Cordoned { .. },
            ) => 0,
            // At once, where there is no connection.
            None => {
                sleep(LATER).await;
                0
            }
        };
        blocks.drain(..taken.min(blocks.len()));
    }
}

/// As the files have it that say no other.
const NAME: &str = "push0";

/// Of the pipeline: more than is ever under way.
const WINDOW: u64 = 1_000_000;

/// Of the stream. Servers of the bench have 1 GB.
const LOG_BYTES: u64 = 900 << 20;

const LEAD_MAX: Duration = Duration::from_secs(20);

const FOLLOW: Duration = Duration::from_secs(1);

const TO_A_CONNECTION: usize = 250;

/// As `push0 submit` has it.
const TOGETHER: usize = 64;

/// Requests of a client that are under way at once.
const ASKS: usize = 8;

/// Before a block is submitted again.
const LATER: Duration = Duration::from_millis(20);

/// The end of what was measured. It takes milliseconds.
const END_MAX: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::Prover;

    #[test]
    fn a_client_whose_connection_has_ended_ends_with_its_runtime() {
        let nats = push0_testbed::Nats::start(1);
        let servers = Servers::started(nats.urls(), 1);
        let dir = tempfile::tempdir().expect("there is room");
        let store = Store::open(dir.path()).expect("it can be made");
        let runtime = runtime().expect("threads can be started");
        let bus = runtime.block_on(async {
            let (client, _) = nats_client(&settings(&servers)).await.expect("it runs");
            client.drain().await.expect("it is connected");
            Bus::over(client, NAME)
        });
        let (prover, payload) = (Prover::Echo, Payload::Reference);
        let shape = Shape { dispatchers: 1, slots: 1, prover, payload, has_backlog: false };
        let mut submit = submit(&runtime, bus, shape, store);
        submit(0..1);
        std::thread::sleep(LATER); // it asks in vain
        drop(Background(Some(runtime))); // which panics if it goes on
    }
}
