//! A cluster to which something happens all the time: `cargo test -p push0 --test soak -- --minutes 30`.
//!
//! Real servers, engines, dispatchers and provers are killed, frozen and started again at random, while blocks come
//! in, and a peer of each role that means harm is at work all the time. After each blow something is released again, or it
//! fails; at the end every block was released once, in order, and nothing was accepted twice. Without `--minutes` it takes half a minute. `PUSH0_TEST_SEED` repeats the blows,
//! as far as real processes repeat themselves.

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
#[expect(dead_code, reason = "shared with the scenarios, which need more of it")]
mod user;
#[expect(dead_code, reason = "shared with the scenarios, which need more of it")]
mod world;

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use serde_json::Value;

use self::blow::Blow;
use self::chance::Chance;
use self::crew::Crew;
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
    let crew = Crew::hire(&world);
    let mut supply =
        Supply { chain: Box::new(blocks::chain(FIRST)), submitted: 0, last: String::new() };
    let began = Instant::now();
    let mut blows = 0;
    while began.elapsed() < time {
        supply.keep_up(&world);
        let before = released(&world);
        let blow = Blow::draw(&mut chance);
        let told = format!("{blow:?}");
        let struck = Instant::now();
        blow.strike(&mut world, &mut chance);
        if chance.below(4) == 0 {
            supply.again(&world);
        }
        push0_testbed::until(&format!("after {told} nothing is released"), || {
            (released(&world) > before).then_some(())
        });
        blows += 1;
        let (at, took) = (began.elapsed().as_secs(), struck.elapsed());
        let _ = writeln!(io::stderr(), "soak: {at} s: {told}: released again after {took:.1?}");
    }
    let acts = crew.acts();
    drop(crew);
    assert!(acts.iter().all(|(_, acts)| *acts > 0), "{acts:?}");
    let _ = writeln!(io::stderr(), "soak: acts of hostile peers: {acts:?}");
    let blocks = supply.submitted;
    let parked = at(&status(&world), "/parked");
    assert_eq!(parked.as_array().map(Vec::len), Some(0), "{parked}");
    world.finish(blocks);
    let _ = writeln!(io::stderr(), "soak: {blows} blows, {blocks} blocks released once, in order");
}

/// Blocks without end.
struct Supply {
    chain: Box<dyn Iterator<Item = Value>>,
    submitted: usize,
    /// What was submitted last.
    last: String,
}

impl Supply {
    /// Submits more, where the cluster would run out of them.
    fn keep_up(&mut self, world: &World) {
        let waiting = at(&status(world), "/blocks/waiting").as_u64().unwrap_or_default();
        if waiting >= WAITING_MIN {
            return;
        }
        let more: Vec<_> = self.chain.by_ref().take(BATCH).collect();
        self.submitted += more.len();
        self.last = blocks::lines(&more);
        self.again(world);
    }

    /// Submits what was submitted last.
    fn again(&self, world: &World) {
        std::fs::write(world.path("more.jsonl"), &self.last).expect("a writable directory");
        assert!(world.run(&["submit", "pipeline.toml", "more.jsonl"]).success());
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
