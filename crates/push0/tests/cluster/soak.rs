//! A cluster to which something happens all the time: `cargo test -p push0 --test soak -- --minutes
//! 30`.
//!
//! Real servers, engines, dispatchers and provers are killed, frozen and started again at random,
//! while blocks come in, and a peer of each role that means harm is at work all the time. What they
//! do that only a person can put right, one puts right. After each blow something is released
//! again, or it fails; at the end every block was released once, in order, and nothing was accepted
//! twice; each peer was refused what it may not, and has left no more in the log than its acts may
//! come to. Without `--minutes` it takes half a minute. `PUSH0_TEST_SEED` repeats the blows, as far
//! as real processes repeat themselves.

#[expect(dead_code, reason = "shared with the tests of `run`, which need more of it")]
#[path = "../run/support/binaries.rs"]
mod binaries;
#[expect(dead_code, reason = "shared with the tests of `run`, which need more of it")]
#[path = "../run/support/blocks.rs"]
mod blocks;
mod blow;
#[expect(dead_code, reason = "shared with the tests of `run`, which need more of it")]
#[path = "../run/support/chance.rs"]
mod chance;
#[path = "hostile/crew.rs"]
mod crew;
#[path = "hostile/peer.rs"]
mod peer;
mod person;
#[path = "hostile/traces.rs"]
mod traces;
#[expect(dead_code, reason = "shared with the scenarios, which need more of it")]
mod user;
#[expect(dead_code, reason = "shared with the scenarios, which need more of it")]
mod world;

use std::io::{self, Write as _};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use push0_core::{Block, Digest, Height};
use serde_json::Value;

use self::blow::Blow;
use self::chance::Chance;
use self::crew::{Crew, MACHINES};
use self::person::Person;
use self::traces::traces;
use self::world::{World, at};

fn main() {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        let given = args.iter().skip_while(|arg| *arg != name).nth(1)?;
        Some(given.parse::<f64>().unwrap_or_else(|_| panic!("{name} {given}: not a number")))
    };
    // As other tests do: one that another name asks for is left out.
    let others = args.first().is_some_and(|arg| !arg.starts_with("--") && !"soak".contains(&**arg));
    if others || args.iter().any(|arg| arg == "--list") {
        return;
    }
    let minutes = value("--minutes").unwrap_or(0.5);
    soak(Duration::from_secs_f64(60.0 * minutes), Chance::new());
}

fn soak(time: Duration, mut chance: Chance) {
    let mut world = World::for_long(time).peopled();
    world.follow_proofs();
    let (crew, mut person) = (Crew::hire(&world), Person::default());
    let mut supply =
        Supply { chain: Box::new(blocks::chain(FIRST)), submitted: 0, last: Vec::new() };
    let began = Instant::now();
    let mut blows = 0;
    while began.elapsed() < time {
        if supply.keep_up(&world) {
            crew.learn(supply.last.iter().rev().take(KNOWN).rev().map(block).collect());
        }
        let before = released(&world);
        let blow = Blow::draw(&mut chance);
        let told = format!("{blow:?}");
        let struck = Instant::now();
        blow.strike(&mut world, &mut chance);
        if chance.below(4) == 0 {
            supply.again(&world);
        }
        goes_on(&world, before, &told);
        blows += 1;
        let (at, took) = (began.elapsed().as_secs(), struck.elapsed());
        let _ = writeln!(io::stderr(), "soak: {at} s: {told}: released again after {took:.1?}");
        person.tend(&mut world);
    }
    let blocks = supply.submitted;
    let acts = judged(&crew);
    let lies = crew.lies();
    drop(crew);
    let ends = Instant::now() + END_MAX + LIE_MAX * u32::try_from(lies).expect("few");
    while !person.has_all(&mut world, blocks) {
        assert!(Instant::now() < ends, "not all is written: {}", status(&world));
        std::thread::sleep(Duration::from_secs(1));
    }
    let parked = at(&status(&world), "/parked");
    assert_eq!(parked.as_array().map(Vec::len), Some(0), "{parked}");
    weighed(&world, acts, blocks);
    world.finish(blocks);
    let _ = writeln!(io::stderr(), "soak: {lies} lies of a machine; by a person: {person:?}");
    let _ = writeln!(io::stderr(), "soak: {blows} blows, {blocks} blocks released once, in order");
}

/// Each peer has done something, and was told of what it may not: by the servers, and by whoever it
/// asked. Answers how much all have done.
fn judged(crew: &Crew) -> u64 {
    let mut all = 0;
    for (role, counts) in crew.counts() {
        let acts = counts.acts.load(Ordering::Relaxed);
        let refused = counts.refused.load(Ordering::Relaxed);
        let told = counts.told.load(Ordering::Relaxed);
        let _ = writeln!(
            io::stderr(),
            "soak: {role}: {acts} acts, refused {refused} times by servers, {told} by who was asked"
        );
        assert!(acts > 0 && refused > 0, "{role}: {counts:?}");
        let asks = ["client", "reader", "operator"].contains(&role);
        assert!(told > 0 || !asks, "{role}: {counts:?}");
        all += acts;
    }
    assert!(crew.lies() > 0, "no lie was told");
    all
}

/// What is in the log for the sake of peers: so much for each of their acts, and no more.
fn weighed(world: &World, acts: u64, blocks: usize) {
    let history = world.history();
    let left = traces(&history, &MACHINES);
    let bytes: u64 = left.values().map(|left| left.bytes).sum();
    let facts: usize = history.iter().map(|turn| turn.events.len()).sum();
    let _ = writeln!(
        io::stderr(),
        "soak: of {facts} facts on {blocks} blocks, by {acts} acts of hostile peers: {left:?}"
    );
    assert!(bytes < acts * BYTES_OF_AN_ACT, "{bytes} bytes of {acts} acts: {left:?}");
}

/// A block as a client has it, its payload aside.
fn block(json: &Value) -> Block {
    let hash = |name: &str| json[name].as_str().expect("text").parse().expect("a hash");
    let number = json["number"].as_str().expect("text").trim_start_matches("0x");
    Block {
        number: Height(u64::from_str_radix(number, 16).expect("a number")),
        hash: hash("hash"),
        parent: hash("parentHash"),
        payload: Digest([0; 32]),
        bytes: 1,
        fields: std::collections::BTreeMap::new(),
    }
}

/// Blocks without end.
struct Supply {
    chain: Box<dyn Iterator<Item = Value>>,
    submitted: usize,
    /// What was submitted last.
    last: Vec<Value>,
}

impl Supply {
    /// Submits more, where the cluster would run out of them; answers whether it did.
    fn keep_up(&mut self, world: &World) -> bool {
        let waiting = at(&status(world), "/blocks/waiting").as_u64().unwrap_or_default();
        if waiting >= WAITING_MIN {
            return false;
        }
        self.last = self.chain.by_ref().take(BATCH).collect();
        self.submitted += self.last.len();
        self.again(world);
        true
    }

    /// Submits what was submitted last.
    fn again(&self, world: &World) {
        let lines = blocks::lines(&self.last);
        std::fs::write(world.path("more.jsonl"), lines).expect("a writable directory");
        assert!(world.run(&["submit", "pipeline.toml", "more.jsonl"]).success());
    }
}

/// Waits until something more is released; where nothing is, says what the cluster says of it.
fn goes_on(world: &World, before: u64, told: &str) {
    let give_up = Instant::now() + push0_testbed::PATIENCE;
    while released(world) <= before {
        let is_late = Instant::now() >= give_up;
        assert!(!is_late, "after {told} nothing is released: {:#}", status(world));
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn released(world: &World) -> u64 {
    at(&status(world), "/blocks/released").as_u64().expect("a number")
}

/// The status, once there is somebody to ask.
fn status(world: &World) -> Value {
    push0_testbed::until("nobody tells how far it is", || world.status_now())
}

/// As the scenarios have it.
const FIRST: u64 = 16_525_000;

/// Fewer than these may be gone before the next blow has passed.
const WAITING_MIN: u64 = 100;

/// Submitted at once.
const BATCH: usize = 200;

/// Blocks that a hostile client knows.
const KNOWN: usize = 30;

/// What one act of a peer may come to in the log, as all of them go. The client's dearest has eight
/// blocks of some 300 bytes, four acts of fourteen: 700 bytes. A machine is granted some attempts
/// of two facts until it is set aside, and one a probe from there on. What asks, reads or is
/// refused leaves nothing, which is most of them: some fifty bytes an act came to be.
const BYTES_OF_AN_ACT: u64 = 512;

/// How long the last blocks take once nobody strikes any more.
const END_MAX: Duration = Duration::from_secs(300);

/// And each lie that nobody came to yet: once it is taken back, all proofs are read again from the
/// first.
const LIE_MAX: Duration = Duration::from_secs(60);
