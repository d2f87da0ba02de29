//! What runs, looked at and followed from another process.

use push0_testbed::until;

use crate::support::{World, blocks, leaf_and_tree, mock};

#[test]
fn what_an_attempt_prints_is_shown_while_it_runs_and_followed_to_its_end() {
    let world = talking();
    // Longer than the path of a socket may be.
    let data = format!("{}/{}", "d".repeat(90), "e".repeat(90));
    std::fs::create_dir(world.path(&"d".repeat(90))).expect("room on the disk");
    let run = world.start_bare(&["run", "pipeline.toml", "--data", &data, "--slots", "2"]);
    run.await_lines(" granted ", 1);
    let shown = until("it does not say what it prints", || {
        let shown = world.push0(&["logs", "--block", "1", "--data", &data]);
        shown.stdout.contains("begins").then_some(shown.stdout)
    });
    assert!(shown.contains("no end yet") && shown.contains("is running, for "), "{shown}");
    let block = world.start_bare(&["logs", "--block", "1", "-f", "--data", &data]);
    world.write("gate", "");
    run.end().with(0);
    let ended = block.end().with(0);
    let said = ["begins", "no end yet, and now it has one", "goes on", ": accepted at"];
    let at =
        said.map(|words| ended.stdout.find(words).unwrap_or_else(|| panic!("{}", ended.stdout)));
    assert!(at.is_sorted(), "{}", ended.stdout);
    assert_eq!(ended.stdout.matches("begins").count(), 2, "of leaf and range: {}", ended.stdout);
    let after = world.push0(&["logs", "--block", "1", "--data", &data]).with(0);
    assert!(after.stdout.contains("goes on"), "{}", after.stdout);
}

/// A world whose mocks say this and that, and go on once the gate is open.
fn talking() -> World {
    let pipeline = leaf_and_tree("1ms").replace("push0-prover-mock", "./talks");
    let world = World::new(&pipeline, &blocks(1, 2));
    let (gate, mock) = (world.path("gate"), mock());
    let body = format!(
        "echo begins >&2\nprintf 'no end yet' >&2\nuntil [ -e '{}' ]; do sleep 0.02; done\n\
         echo ', and now it has one' >&2\necho goes on >&2\nexec '{}' \"$@\"",
        gate.display(),
        mock.display()
    );
    world.write_program("talks", &body);
    world
}
