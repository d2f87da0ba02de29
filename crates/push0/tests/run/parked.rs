//! Tasks that are parked: told, explained, and taken up again.

use crate::support::{World, blocks, head, leaf_and_tree};

#[test]
fn a_task_that_always_fails_is_tried_as_often_as_its_budget_allows_and_named() {
    let world = broken();
    let ended = world.run(&[]).with(1);
    let history = world.history();
    assert_eq!((history.count("failed"), history.count("parked")), (2, 1));
    let task = history.task("prove", 11).get(..8).expect("it is long").to_owned();
    assert!(ended.error().contains(&task), "no {task} in:\n{}", ended.stderr);
    assert!(ended.error().contains("11") && ended.error().contains("--retry-parked"));
}

#[test]
fn a_parked_task_holds_back_no_more_than_what_needs_it() {
    let world = broken();
    let run = world.run(&["--json"]).with(1).json();
    assert_eq!(run["complete"], false);
    assert_eq!(run["blocks"]["parked"], 1);
    assert_eq!(run["tasks"]["accepted"], 2);
    assert_eq!(run["blocks"]["released"], 1, "block 12 is proved, and waits for 11");
}

#[test]
fn the_output_of_a_parked_tasks_prover_is_shown() {
    let world = broken();
    world.run(&[]).with(1);
    let history = world.history();
    let logs = world.push0(&["logs", history.task("prove", 11), "--data", "data"]).with(0);
    assert!(logs.stdout.contains("I cannot prove eleven"), "{}", logs.stdout);
}

#[test]
fn a_parked_task_stays_so_until_it_is_tried_again_with_a_prover_that_works() {
    let world = broken();
    world.run(&[]).with(1);
    repair(&world);
    world.run(&[]).with(1);
    let ended = world.run(&["--retry-parked"]).with(0);
    assert_eq!(ended.said(" reopened ").len(), 1, "{}", ended.stderr);
    world.history().complete();
}

#[test]
fn a_mock_proves_nothing_where_the_pipeline_does_not_allow_it() {
    let honest = leaf_and_tree("0ms").replace(", mock = true", "").replace("allow_mock = true", "");
    let world = World::new(&honest, &blocks(10, 1));
    let ended = world.run(&[]).with(1);
    assert!(ended.error().contains("mock"), "{}", ended.stderr);
    let history = world.history();
    assert_eq!((history.count("rejected"), history.count("accepted")), (3, 0));
}

#[test]
fn what_the_verifier_refuses_is_not_accepted() {
    let refusing = r#""./picky"], verifier = ["sh", "-c", "echo not by me >&2; exit 196"],"#;
    let strict = PICKY.replace(r#""./picky"],"#, refusing).replace(", mock = true", "");
    let world = World::new(&(head() + &strict), &blocks(10, 1));
    prover(&world, "");
    let ended = world.run(&[]).with(1);
    assert!(ended.error().contains("not by me"), "{}", ended.stderr);
    assert_eq!(world.history().count("accepted"), 0);
}

#[test]
fn a_prover_that_knows_no_verify_parks_soon_and_says_what_to_do() {
    let guessed = PICKY.replace(", mock = true", "");
    let world = World::new(&(head() + &guessed), &blocks(10, 2));
    prover(&world, "[ \"$1\" = verify ] && echo usage >&2 && exit 2");
    let ended = world.run(&[]).with(1);
    assert!(ended.stderr.contains("name a verifier by the key `verifier`"), "{}", ended.stderr);
    let history = world.history();
    assert_eq!((history.count("parked"), history.count("accepted")), (2, 0));
}

#[test]
fn a_proof_of_a_prover_that_never_ends_is_taken() {
    let hanging = PICKY
        .replace(", mock = true", "")
        .replace("retry = {", "timeout = \"2s\", grace = \"1s\", retry = {");
    let world = World::new(&(head() + &hanging), &blocks(10, 1));
    let verdict = r#"[ "$1" = verify ] && echo '{"vkey":null,"claim":null}' && exit 0"#;
    world.write_program("picky", &format!("{verdict}\necho '{{}}' > \"$4\"; exec sleep 1000"));
    let ended = world.run(&[]).with(0);
    assert!(ended.stderr.contains("did not end well (timeout)"), "{}", ended.stderr);
    assert_eq!(world.history().complete().count("failed"), 0);
}

/// Three blocks, of which the prover fails on the second.
fn broken() -> World {
    let world = World::new(&(head() + PICKY), &blocks(10, 3));
    prover(&world, "grep -q 11 \"$2\" && echo I cannot prove eleven >&2 && exit 1");
    world
}

fn repair(world: &World) {
    prover(world, "");
}

/// Its arguments are --input-path, a file with a number, --output-path and a file.
fn prover(world: &World, before: &str) {
    world.write_program("picky", &format!("{before}\necho '{{}}' > \"$4\""));
}

const PICKY: &str = r#"
picky = { command = ["./picky"], contract = "file", give = "number", memory = "64MiB", mock = true }
[stages]
prove = { inputs = ["blocks"], program = "picky", retry = { failed = 2 } }
[release]
inputs = ["prove"]
"#;
