//! An operator takes back what was accepted and released.

use std::fs;

use push0::cluster::{Answer, Ask, Bus};
use push0_core::{Event, ReleaseNumber, TaskId};
use push0_testbed::until;
use serde_json::json;

use crate::world::{BLOCKS, World};

#[test]
fn its_proof_is_set_aside_made_again_and_written() {
    let mut world = World::usual(1, "20ms");
    world.submit();
    world.wait_accepted(BLOCKS);
    assert!(world.run(&["proofs", "pipeline.toml", "--out", "out"]).success());
    ["d1", "d2"].into_iter().for_each(|id| assert!(world.stop(id).success()));
    let task = first_released(&world).to_string();
    assert_eq!(world.run(&["retry", &task]).code(), Some(2), "it is not parked");
    assert!(!world.run(&["discard", &task]).success(), "it is to be said why");
    assert!(world.run(&["discard", &task, "--why", "a test", "--by", "nobody"]).success());
    world.wait_for("e1", "by=\"nobody\" tasks=1 released=1");
    let events: Vec<_> = world.history().into_iter().flat_map(|turn| turn.events).collect();
    let is_it = |event: &Event| matches!(event, Event::Discarded { released, .. } if *released == [ReleaseNumber(1)]);
    assert!(events.iter().any(is_it));
    world.follow_proofs();
    until("its file is not set aside", || {
        let mut files = fs::read_dir(world.path("out")).expect("it was made").flatten();
        files.find(|file| file.file_name().to_string_lossy().ends_with(".json.recalled"))
    });
    world.dispatch("d1");
    world.finish(BLOCKS);
}

/// A client that gets no answer asks again.
#[test]
fn a_question_that_comes_twice_takes_back_once() {
    let world = World::usual(1, "20ms");
    world.submit();
    world.wait_accepted(BLOCKS);
    let task = first_released(&world);
    let count = |is_it: &dyn Fn(&Event) -> bool| {
        world.history().iter().flat_map(|turn| &turn.events).filter(|event| is_it(event)).count()
    };
    let made = |times: usize| {
        let is_it =
            |event: &Event| matches!(event, Event::Accepted { task: of, .. } if *of == task);
        until("it is not made again", || (count(&is_it) == times).then_some(()));
    };
    let discards = || count(&|event| matches!(event, Event::Discarded { .. }));
    let Answer::Position(seen) = ask(&world, &Ask::Position) else { panic!("no position") };
    let of = |tasks, seen| Ask::Discard { tasks, by: "nobody".into(), why: "a test".into(), seen };
    let short: String = task.to_string().chars().take(8).collect();
    let asked = of(vec![short.clone()], Some(seen));
    let wanted = json!({ "discarded": { "tasks": 1, "released": [1] } });
    let told = |answer: &Answer| serde_json::to_value(answer).expect("it is JSON");
    assert_eq!(told(&ask(&world, &asked)), wanted);
    made(2);
    assert_eq!(told(&ask(&world, &asked)), wanted);
    assert_eq!(discards(), 1);
    // Who asks as clients did before is not known again.
    assert_eq!(told(&ask(&world, &of(vec![short.clone()], None))), wanted);
    assert_eq!(discards(), 2);
    made(3);
    let Answer::Refused { reason, .. } = ask(&world, &of(vec![short; 65], Some(seen))) else {
        panic!("it is taken")
    };
    assert!(reason.contains("64 results to take back at the most"), "{reason}");
    world.finish(BLOCKS);
}

fn first_released(world: &World) -> TaskId {
    let first = world.history().into_iter().flat_map(|turn| turn.events).find_map(|event| {
        if let Event::Released { tasks, .. } = event { tasks.first().copied() } else { None }
    });
    first.expect("all were released")
}

/// Asks until there is an answer, as a client does.
fn ask(world: &World, ask: &Ask) -> Answer {
    let bus = Bus::over(world.connected(), "push0");
    world.block_on(async {
        loop {
            if let Some(answer) = bus.ask(ask).await {
                return answer;
            }
        }
    })
}
