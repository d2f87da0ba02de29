//! What one client, one dispatcher, or one operator does to the servers, and what it costs the
//! others: no lead, no work.

use std::fs;
use std::process::{Command, Stdio};

use async_nats::Client;
use push0::cluster::{Answer, Ask, Bus};
use push0_core::{Block, BlockHash, Digest, Height};
use push0_testbed::until;
use serde_json::{Value, json};

use crate::binaries::workspace;
use crate::world::{BLOCKS, World, at};

/// Six at once of 600 kB ended each engine in turn.
#[test]
fn what_is_too_large_is_refused_to_who_asks_and_ends_no_engine() {
    let world = World::usual(1, "20ms");
    let client = world.connected();
    let bus = Bus::over(client, "push0");
    let asks: Vec<_> = (1..=6).map(|salt| Ask::Submit(vec![block(salt, 55_000)])).collect();
    let ask = |ask| {
        let bus = &bus;
        async move {
            loop {
                if let Some(answer) = bus.ask(ask).await {
                    return answer; // on a busy machine it is asked again, as a client does
                }
            }
        }
    };
    let answers = world.block_on(futures_util::future::join_all(asks.iter().map(ask)));
    for answer in answers {
        match answer {
            Answer::Refused { reason, .. } => {
                assert!(reason.contains("bytes of the log"), "{reason}");
            }
            Answer::Done(_)
            | Answer::Status(_)
            | Answer::Later { .. }
            | Answer::Added { .. }
            | Answer::Discarded { .. }
            | Answer::Position(_)
            | Answer::Leaving { .. }
            | Answer::Cordoned { .. } => panic!("{answer:?}"),
        }
    }
    world.submit();
    assert!(!world.said("e2").contains("e2: leads"), "{}", world.said("e2"));
    world.finish(BLOCKS);
}

/// A record is no longer than a message: half of one is more than a block may take of it.
#[test]
fn servers_of_short_messages_are_worked_with_and_of_too_short_ones_refused_by_name() {
    let mut world = World::with_payload(65_536);
    world.serve("e1");
    world.wait_for("e1", "leads in");
    world.dispatch("d1");
    world.submit();
    let bus = Bus::over(world.connected(), "push0");
    let large = Ask::Submit(vec![block(1, 3_000)]);
    let answer = until("nobody answers", || world.block_on(bus.ask(&large)));
    assert!(
        matches!(&answer, Answer::Refused { reason, .. } if reason.contains("bytes of the log"))
    );
    world.wait_accepted(BLOCKS);
    assert_eq!(world.said("e1").matches("leads in").count(), 1, "{}", world.said("e1"));
    world.finish(BLOCKS);

    let mut world = World::with_payload(32_768);
    world.serve("e1");
    assert_eq!(world.wait_end("e1").code(), Some(2), "{}", world.said("e1"));
    let said = world.said("e1");
    assert!(said.contains("32768") && said.contains("max_payload"), "{said}");
}

/// The servers drop a connection that is too slow for it: not that of the beats, nor that of the
/// log.
#[test]
fn a_flood_of_one_dispatcher_costs_neither_the_lead_nor_the_work_of_others() {
    let mut world = World::usual(1, "20ms");
    let client = world.connected();
    world.start_submit();
    world.block_on(async {
        let junk = vec![b' '; 950_000];
        for round in 0..300 {
            let junk = junk.clone().into();
            client.publish("push0.engine.hear.d9", junk).await.expect("it is connected");
            if round % 20 == 0 {
                client.flush().await.expect("it is connected");
            }
        }
    });
    assert!(world.wait_end("submit").success());
    world.wait_for("e1", " of dispatcher d9: it says more than ");
    assert!(!world.said("e2").contains("e2: leads"), "{}", world.said("e2"));
    world.finish(BLOCKS);
}

#[test]
fn a_stream_that_is_purged_under_a_leader_ends_it_within_seconds() {
    let mut world = World::usual(1, "20ms");
    world.submit();
    world.wait_accepted(5);
    let client = world.connected();
    asks(&world, &client, "PURGE", &json!({"keep": 1}));
    assert_eq!(world.wait_end("e1").code(), Some(4), "{}", world.said("e1"));
    let said = world.said("e1");
    assert!(
        said.contains(" at its beginning went") && said.contains("restore the stream"),
        "{said}"
    );
}

/// Epochs and attempts' numbers are used a second time.
#[test]
fn a_dispatcher_that_lives_works_for_engines_whose_log_was_put_back() {
    let mut world = World::new(1, "20ms");
    let lead = |world: &mut World, name: &str| {
        world.serve(name);
        world.wait_for(name, "leads in");
    };
    lead(&mut world, "e1");
    world.dispatch("d1");
    world.wait_for("d1", "takes work");
    first_blocks(&world, 5);
    assert!(world.run(&["submit", "pipeline.toml", "few.jsonl"]).success());
    world.wait_accepted(5);
    world.nats.freeze(0);
    let (store, copy) = (world.nats.store(0), world.path("copy"));
    copied(&store, &copy);
    world.nats.thaw(0);
    for (before, next) in [("e1", "e2"), ("e2", "e3")] {
        world.kill(before);
        lead(&mut world, next);
    }
    world.submit();
    world.wait_accepted(BLOCKS);
    world.kill("e3");
    world.nats.kill(0);
    fs::remove_dir_all(&store).expect("it is the test's");
    copied(&copy, &store);
    world.nats.restart(0);
    world.nats.wait_ready();
    lead(&mut world, "e4");
    world.wait_for("d1", "was put back to an older copy");
    world.submit();
    world.wait_accepted(BLOCKS);
}

#[test]
fn a_stream_that_fills_takes_no_block_and_says_what_to_raise_while_its_leader_stays() {
    let world = World::usual(1, "20ms");
    first_blocks(&world, 5);
    assert!(world.run(&["submit", "pipeline.toml", "few.jsonl"]).success());
    world.wait_accepted(5);
    let client = world.connected();
    let bound = |bytes_max: &dyn Fn(u64) -> u64| {
        let info = asks(&world, &client, "INFO", &Value::Null);
        let taken = at(&info, "/state/bytes").as_u64().expect("a number");
        let mut config = at(&info, "/config");
        *config.get_mut("max_bytes").expect("a bound") = json!(bytes_max(taken));
        asks(&world, &client, "UPDATE", &config);
    };
    bound(&|taken| taken * 100 / 85);
    let status = until("status does not end with 6", || {
        let ran = ran(&world, &["status"]);
        (ran.0 == Some(6)).then_some(ran.1)
    });
    assert!(status.contains("no block is taken: raise max_bytes"), "{status}");
    let (code, told) = ran(&world, &["submit", "pipeline.toml", &all()]);
    assert!(told.contains("nats stream edit push0 --max-bytes"), "{told}");
    assert_eq!(code, Some(6), "{told}");
    bound(&|_| 16 << 20);
    until("it takes no block though there is room", || {
        world.run(&["submit", "pipeline.toml", &all()]).success().then_some(())
    });
    assert!(!world.said("e2").contains("e2: leads"), "{}", world.said("e2"));
    world.finish(BLOCKS);
}

/// Asks the servers about the log's stream, as an operator may.
fn asks(world: &World, client: &Client, verb: &str, body: &Value) -> Value {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let answer = world.block_on(async {
        let subject = format!("$JS.API.STREAM.{verb}.push0");
        client.request(subject, body.into()).await.expect("it answers")
    });
    let answer: Value = serde_json::from_slice(&answer.payload).expect("it is JSON");
    assert!(answer.get("error").is_none(), "{answer}");
    answer
}

/// A command's exit code, and all that it says.
fn ran(world: &World, args: &[&str]) -> (Option<i32>, String) {
    let mut command: Command = world.command(args);
    let ran = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().expect("it starts");
    let said = [ran.stdout, ran.stderr].concat();
    (ran.status.code(), String::from_utf8_lossy(&said).into_owned())
}

fn all() -> String {
    let blocks = workspace().join("examples/scroll/scroll-mainnet-16525000-20.jsonl");
    blocks.to_string_lossy().into_owned()
}

/// A file `few.jsonl` of the first blocks.
fn first_blocks(world: &World, count: usize) {
    let blocks = fs::read_to_string(all()).expect("it ships");
    let few: Vec<_> = blocks.lines().take(count).collect();
    fs::write(world.path("few.jsonl"), few.join("\n") + "\n").expect("a writable directory");
}

fn copied(from: &std::path::Path, to: &std::path::Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status().expect("it starts");
    assert!(copied.success());
}

fn block(salt: u8, fields: u32) -> Block {
    Block {
        number: Height(1),
        hash: BlockHash([salt; 32]),
        parent: BlockHash([0; 32]),
        payload: Digest([salt; 32]),
        bytes: 1,
        fields: (0..fields).map(|at| (format!("{at:06}"), 1)).collect(),
    }
}
