//! What leaves when, over a log that is held back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use push0_core::{
    Beat, Block, BlockHash, Capacity, Digest, Epoch, FromDispatcher, Grant, Height, Input, Limits,
    Outcome, Report, ResultRef, Scheduler, Seq, ToDispatcher, Turn, Verdict,
};
use push0_log::{AppendError, Log, Memory, MemoryLog, ReadError};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use push0_engine::TURNS_MAX;

use super::{Engine, Handle, Ports, TurnReport};
use crate::fixture::one_stage;
use crate::tell::Level;

#[tokio::test]
async fn a_grant_leaves_before_it_is_durable_and_its_verdict_after() {
    let mut world = World::begin().await;
    let submitted = world.handle.clone();
    let submitted = tokio::spawn(async move { submitted.decide(vec![submit(0)]).await });
    let grant = world.grant().await;
    assert!(world.memory.history().iter().all(|turn| turn.last() < grant.attempt.position()));
    world.hears(FromDispatcher::Report(proved(&grant)));
    world.hears_nothing().await;
    assert!(!submitted.is_finished(), "nothing was promised");
    world.gate.add_permits(1);
    let answer = submitted.await.expect("it does not panic");
    answer.expect("the engine runs").expect("the block is taken");
    let Some(ToDispatcher::Verdict(_, Verdict::Accepted(at))) = world.to.recv().await else {
        panic!("a verdict was to come")
    };
    let history = world.memory.history();
    assert!(history.iter().any(|turn| turn.first <= at && at <= turn.last()), "it is durable");
    assert!(Scheduler::replay(Limits::default(), &history).is_ok());
}

#[tokio::test]
async fn nothing_is_granted_before_the_claim_is_durable() {
    let mut world = World::new();
    let handle = world.handle.clone();
    let claimed = tokio::spawn(async move { handle.decide(claim()).await });
    world.hears(FromDispatcher::Beat(beat()));
    let handle = world.handle.clone();
    let submitted = tokio::spawn(async move { handle.decide(vec![submit(0)]).await });
    world.hears_nothing().await;
    assert!(!claimed.is_finished() && !submitted.is_finished());
    world.gate.add_permits(1);
    world.grant().await;
}

#[tokio::test]
async fn a_look_is_at_what_is_durable() {
    let mut world = World::begin().await;
    let handle = world.handle.clone();
    tokio::spawn(async move { handle.decide(vec![submit(0)]).await });
    world.grant().await;
    let (memory, handle) = (world.memory.clone(), world.handle.clone());
    let last = move || memory.history().last().map_or(Seq(0), Turn::last);
    let look = handle.see(move |scheduler, _| (scheduler.last(), last()));
    let mut look = std::pin::pin!(look);
    assert!(timeout(MOMENT, &mut look).await.is_err(), "it waits");
    let handle = world.handle.clone();
    tokio::spawn(async move { handle.decide(vec![submit(1)]).await });
    world.hears_nothing().await; // it is not decided behind the look
    world.gate.add_permits(1);
    let (seen, durable) = look.await.expect("the engine runs");
    assert_eq!(seen, durable);
    world.grant().await;
}

#[tokio::test]
async fn an_engine_decides_so_far_ahead_of_its_log_and_goes_on_where_it_was() {
    const BLOCKS: u64 = 2 * TURNS_MAX as u64;
    let world = World::begin().await;
    let (answered, mut answers) = mpsc::unbounded_channel();
    for number in 0..BLOCKS {
        let (handle, answered) = (world.handle.clone(), answered.clone());
        tokio::spawn(async move {
            let answer = handle.decide(vec![submit(number)]).await;
            let _ = answered.send(answer); // the test may be over
        });
        tokio::task::yield_now().await;
    }
    assert!(timeout(MOMENT, answers.recv()).await.is_err(), "nothing is durable");
    let before = world.memory.history().len();
    world.gate.add_permits(1);
    answers.recv().await.expect("one is answered").expect("the engine runs").expect("it is taken");
    assert!(
        world.memory.history().len() - before <= TURNS_MAX,
        "it waits for its log at some point"
    );
    world.gate.add_permits(4 * TURNS_MAX);
    for _ in 1..BLOCKS {
        answers.recv().await.expect("all are").expect("the engine runs").expect("it is taken");
    }
    let replayed = Scheduler::replay(Limits::default(), &world.memory.history());
    assert_eq!(replayed.expect("it is legal").totals().blocks_submitted, BLOCKS);
}

#[tokio::test]
async fn what_a_full_log_forgot_is_begun_again() {
    let mut world = World::begin().await;
    let handle = world.handle.clone();
    let submitted = tokio::spawn(async move { handle.decide(vec![submit(0)]).await });
    world.grant().await;
    world.fills.add_permits(1);
    world.gate.add_permits(2);
    submitted.await.expect("no panic").expect("the engine runs").expect("the block is taken");
    assert!(Scheduler::replay(Limits::default(), &world.memory.history()).is_ok());
}

#[tokio::test]
async fn a_log_out_of_reach_is_told_once_however_much_it_takes_meanwhile() {
    let mut world = World::begin().await;
    for number in 0..2 {
        let handle = world.handle.clone();
        tokio::spawn(async move { handle.decide(vec![submit(number)]).await });
        world.grant().await;
        world.away.add_permits(1);
        world.gate.add_permits(1);
        while world.away.available_permits() > 0 {
            tokio::time::sleep(MOMENT).await;
        }
    }
    let handle = world.handle.clone();
    let submitted = tokio::spawn(async move { handle.decide(vec![submit(2)]).await });
    world.gate.add_permits(2);
    submitted.await.expect("no panic").expect("the engine runs").expect("the block is taken");
    let seen = std::iter::from_fn(|| world.turns.try_recv().ok());
    let told: Vec<_> = seen.flat_map(|seen| seen.lines).map(|line| line.level()).collect();
    assert_eq!(told, [Level::Warn, Level::Info], "that it is out of reach, and that it is back");
}

#[tokio::test]
async fn what_was_asked_while_the_log_was_full_is_answered_before_the_engine_ends() {
    let mut world = World::begin().await;
    let handle = world.handle.clone();
    let before = tokio::spawn(async move { handle.decide(vec![submit(0)]).await });
    world.grant().await;
    world.fills.add_permits(1);
    world.gate.add_permits(1);
    world.is_told_of_trouble().await;
    let handle = world.handle.clone();
    let asked = tokio::spawn(async move { handle.decide(vec![submit(1)]).await });
    tokio::task::yield_now().await;
    let handle = world.handle.clone();
    let stopped = tokio::task::spawn_blocking(move || handle.stop());
    world.gate.add_permits(3);
    for answer in [before, asked] {
        let answer = answer.await.expect("no panic").expect("the engine decides it");
        answer.expect("the block is taken");
    }
    stopped.await.expect("no panic");
    timeout(PATIENCE, world.handle.ended()).await.expect("it has ended");
}

#[tokio::test]
async fn an_engine_that_nobody_can_ask_any_more_ends_though_something_waited() {
    let mut world = World::begin().await;
    let handle = world.handle.clone();
    let before = tokio::spawn(async move { handle.decide(vec![submit(0)]).await });
    world.grant().await;
    world.fills.add_permits(1);
    world.gate.add_permits(1);
    world.is_told_of_trouble().await;
    let handle = world.handle.clone();
    let waits = tokio::spawn(async move { handle.decide(vec![submit(1)]).await });
    tokio::task::yield_now().await; // it asks
    let World { handle, memory, looks, gate, turns, .. } = world;
    let (mut gone, looked) = (handle.pulse(), looks.load(Ordering::Relaxed));
    before.abort();
    waits.abort();
    drop(handle);
    gate.add_permits(1_000);
    let closed = timeout(PATIENCE, async { while gone.changed().await.is_ok() {} });
    closed.await.expect("it ends");
    let replayed = Scheduler::replay(Limits::default(), &memory.history()).expect("it is legal");
    assert_eq!(replayed.totals().blocks_submitted, 2, "what waited was decided");
    let looked = looks.load(Ordering::Relaxed) - looked;
    assert!(looked < LOOKS_MAX, "it looked {looked} times while nothing could be done");
    drop(turns);
}

/// An engine over a log in memory, whose appends land when the test lets them.
struct World {
    memory: Memory,
    /// A permit lets all that was begun land.
    gate: Arc<Semaphore>,
    /// A permit has the next landing find the log full.
    fills: Arc<Semaphore>,
    /// A permit has the next landing find the log out of reach.
    away: Arc<Semaphore>,
    /// How often the engine has looked for room: each time it does anything.
    looks: Arc<AtomicUsize>,
    handle: Handle,
    to: mpsc::Receiver<ToDispatcher>,
    turns: mpsc::Receiver<TurnReport>,
}

impl World {
    fn new() -> Self {
        let (memory, gate) = (Memory::default(), Arc::new(Semaphore::new(0)));
        let [fills, away] = [(); 2].map(|()| Arc::new(Semaphore::new(0)));
        let looks = Arc::<AtomicUsize>::default();
        let log = HeldBack {
            log: memory.open(),
            begun: Vec::new(),
            gate: Arc::clone(&gate),
            fills: Arc::clone(&fills),
            away: Arc::clone(&away),
            looks: Arc::clone(&looks),
        };
        let (post, to) = mpsc::channel(64);
        let ((source, _), (seen, turns)) = (mpsc::channel(1), mpsc::channel(64));
        let ports = Ports { post: Box::new(post), source, turns: seen, lines: false };
        let (engine, handle) = Engine::new(Scheduler::new(Limits::default()), log, ports);
        tokio::spawn(engine.run());
        Self { memory, gate, fills, away, looks, handle, to, turns }
    }

    /// One that leads, and has heard of a dispatcher.
    async fn begin() -> Self {
        let world = Self::new();
        world.gate.add_permits(1);
        world.handle.decide(claim()).await.expect("the engine runs").expect("nobody else leads");
        world.hears(FromDispatcher::Beat(beat()));
        world
    }

    fn hears(&self, message: FromDispatcher) {
        assert!(self.handle.try_heard(vec![message]), "it has room");
    }

    async fn grant(&mut self) -> Box<Grant> {
        match timeout(PATIENCE, self.to.recv()).await {
            Ok(Some(ToDispatcher::Grant(grant))) => grant,
            other => panic!("a grant was to come, not {other:?}"),
        }
    }

    /// Until people are told that the log takes nothing.
    async fn is_told_of_trouble(&mut self) {
        let told = timeout(PATIENCE, async {
            while self.turns.recv().await.is_some_and(|seen| seen.lines.is_empty()) {}
        });
        told.await.expect("people are told of it");
    }

    async fn hears_nothing(&mut self) {
        let heard = timeout(MOMENT, self.to.recv()).await;
        assert!(heard.is_err(), "{heard:?}");
    }
}

struct HeldBack {
    log: MemoryLog,
    begun: Vec<Turn>,
    gate: Arc<Semaphore>,
    fills: Arc<Semaphore>,
    away: Arc<Semaphore>,
    looks: Arc<AtomicUsize>,
}

impl Log for HeldBack {
    async fn append(&mut self, turn: &Turn) -> Result<(), AppendError> {
        self.log.append(turn).await
    }

    async fn begin(&mut self, turn: &Turn) -> Result<(), AppendError> {
        let expected = self.begun.last().map_or_else(|| self.log.last(), Turn::last).next();
        assert_eq!(turn.first, expected, "turns are begun in order, and once");
        self.begun.push(turn.clone());
        Ok(())
    }

    fn leaves_at_once(&self) -> bool {
        self.begun.is_empty()
    }

    async fn landed(&mut self) -> Result<Seq, AppendError> {
        self.gate.acquire().await.expect("it is not closed").forget();
        if let Ok(permit) = self.fills.try_acquire() {
            permit.forget();
            self.begun.clear();
            return Err(AppendError::Full(std::io::Error::other("full")));
        }
        if let Ok(permit) = self.away.try_acquire() {
            permit.forget();
            return Err(AppendError::Unavailable(std::io::Error::other("away")));
        }
        for turn in self.begun.drain(..) {
            self.log.append(&turn).await?;
        }
        Ok(self.log.last())
    }

    async fn read(&self, after: Seq) -> Result<Vec<Turn>, ReadError> {
        self.log.read(after).await
    }

    async fn close(self) -> Result<(), AppendError> {
        self.log.close().await
    }

    fn last(&self) -> Seq {
        self.log.last()
    }

    fn room(&self) -> Option<push0_log::Room> {
        self.looks.fetch_add(1, Ordering::Relaxed);
        self.log.room()
    }

    fn record_bytes_max(&self) -> usize {
        self.log.record_bytes_max()
    }
}

fn claim() -> Vec<Input> {
    vec![Input::Claim(Epoch(1)), Input::Configure(Box::new(one_stage("held")))]
}

fn submit(number: u64) -> Input {
    let hash = |number: u64| BlockHash(Digest::of(&number.to_be_bytes()).0);
    Input::Submit(Box::new(Block {
        number: Height(number),
        hash: hash(number),
        parent: hash(number.wrapping_sub(1)),
        payload: Digest::of(b"payload"),
        bytes: 1,
        fields: BTreeMap::new(),
    }))
}

fn beat() -> Beat {
    let programs = std::iter::once("prover".parse().expect("a name")).collect();
    Beat {
        dispatcher: "one".parse().expect("a name"),
        incarnation: 1,
        capacity: Capacity { programs, slots: 2, memory_bytes: 1 << 40, gpus: 0 },
        running: BTreeMap::new(),
        held: BTreeMap::new(),
        leaving: false,
    }
}

fn proved(grant: &Grant) -> Report {
    let Beat { dispatcher, incarnation, .. } = beat();
    let (output, statement) = (Digest::of(b"proof"), Digest::of(b"values"));
    let result =
        ResultRef { output, bytes: 5, statement, vkey: None, mock: false, parts: Vec::new() };
    let (attempt, task) = (grant.attempt, grant.task);
    let (outcome, ran) = (Outcome::Proved(result), Duration::ZERO);
    Report { dispatcher, incarnation, attempt, task, outcome, ran }
}

/// Far more often than an engine has something to do in a moment in which its log is full.
const LOOKS_MAX: usize = 1_000;

/// Nothing comes in it.
const MOMENT: Duration = Duration::from_millis(100);

const PATIENCE: Duration = Duration::from_secs(20);
