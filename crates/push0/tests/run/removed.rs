//! What a run stands on, removed, replaced or copied while it runs.

use std::fs;
use std::path::Path;

use crate::support::{World, blocks, leaf_and_tree};

#[test]
fn a_store_that_is_removed_is_made_again_and_the_run_goes_on() {
    let world = World::gated(&leaf_and_tree("1ms"), &blocks(1, 6));
    let run = world.start(TWO);
    run.await_lines(" granted ", 2);
    let identity = read(&world.path("data/store/identity"));
    // At once: a store that is made again while it is being removed is not empty at the end of
    // that.
    fs::rename(world.path("data/store"), world.path("gone")).expect("it is there");
    world.open_gate();
    let ended = run.end().with(0);
    assert_eq!(
        ended.said("the store was removed while this run used it").len(),
        1,
        "{}",
        ended.stderr
    );
    assert_eq!(read(&world.path("data/store/identity")), identity);
    world.history().complete();
    world.run(&["--json"]).with(0);
}

#[test]
fn a_run_whose_log_is_removed_ends_at_once_and_says_so() {
    let world = World::gated(&leaf_and_tree("1ms"), &blocks(1, 6));
    let run = world.start(TWO);
    run.await_lines(" granted ", 2);
    fs::rename(world.path("data/log"), world.path("elsewhere")).expect("it is there");
    let ended = run.end().with(6);
    assert!(
        ended.error().contains("was removed or replaced while this run used it"),
        "{}",
        ended.stderr
    );
    world.await_no_process();
}

/// A copy that was made at any moment has the identity, and the list of processes, of the first.
#[test]
fn a_copy_that_runs_too_leaves_the_provers_of_the_first_alone() {
    let world = World::gated(&leaf_and_tree("1ms"), &blocks(1, 6));
    let first = world.start(TWO);
    first.await_lines(" granted ", 2);
    world.await_process(|found| found.words.contains("/gated"));
    copy(&world.path("data"), &world.path("copy"));
    let second = world.start_bare(&["run", "pipeline.toml", "--data", "copy", "--slots", "2"]);
    second.await_lines(" granted ", 2);
    world.open_gate();
    for run in [first, second] {
        let ended = run.end().with(0);
        assert!(
            !ended.stderr.contains(" failed ") && !ended.stderr.contains("left over"),
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn a_store_that_was_copied_from_another_run_is_refused() {
    let world = World::new(&leaf_and_tree("1ms"), &blocks(1, 3));
    world.run(&[]).with(0);
    world.push0(&["run", "pipeline.toml", "--data", "other"]).with(0);
    fs::remove_dir_all(world.path("other/store")).expect("it is there");
    copy(&world.path("data/store"), &world.path("other/store"));
    let ended = world.push0(&["run", "pipeline.toml", "--data", "other"]).with(4);
    assert!(ended.error().contains("belongs to another log"), "{}", ended.stderr);
}

#[test]
fn one_that_an_older_push0_made_goes_on_and_is_marked() {
    let world = World::new(&leaf_and_tree("1ms"), &blocks(1, 3));
    world.run(&[]).with(0);
    let marks = ["data", "data/store", "data/dispatch"];
    let marks = marks.map(|dir| world.path(dir).join("push0.mark"));
    for path in marks.iter().chain([&world.path("data/store/owner")]) {
        fs::remove_file(path).expect("it is there");
    }
    let resumed = world.run(&["--json"]).with(0).json();
    assert_eq!(resumed["resumed"], true);
    assert_eq!(marks.map(|path| path.exists()), [true; 3]);
}

#[test]
fn proofs_are_not_written_among_other_things() {
    let world = World::new(&leaf_and_tree("1ms"), &blocks(1, 3));
    fs::create_dir_all(world.path("home/photos")).expect("a directory");
    let ended = world.run(&["--out", "home"]).with(2);
    for word in ["home", "photos", "name a directory that is empty or not there"] {
        assert!(ended.error().contains(word), "no {word:?} in {}", ended.stderr);
    }
    assert_eq!(fs::read_dir(world.path("home")).expect("a directory").count(), 1);
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("it is there")
}

/// Copies a directory, as far as its files stay where they are.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory").flatten() {
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        match path.is_dir() {
            true => copy(&path, &to),
            false => {
                let _ = fs::copy(path, to); // it may have gone meanwhile
            }
        }
    }
}

const TWO: &[&str] = &["--slots", "2"];
