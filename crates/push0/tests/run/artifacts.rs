//! What the store holds, as a person asks for it, and what goes from it.

use std::fs::{self, File};
use std::time::Duration;

use crate::support::{World, blocks, flip, leaf_and_tree};

#[test]
fn what_is_held_is_told_with_its_reason_and_what_is_lost_by_name() {
    let world = World::new(&leaf_and_tree("1ms"), &blocks(1, 4));
    world.run(&[]).with(0);
    let told = world.push0(&["artifacts", "--data", "data", "--json", "--verify"]).with(0).json();
    assert_eq!(told["missing"].as_array().map(Vec::len), Some(0), "{told}");
    let held = |why: &str| {
        let kinds = told["held"].as_array().expect("a list");
        kinds.iter().find(|kind| kind["why"] == why).map(|kind| kind["artifacts"].clone())
    };
    // Four payloads, four leaves, two joins beneath the last.
    assert_eq!(held("what went into released proofs"), Some(10.into()), "{told}");
    assert_eq!(held("final proof of stage range"), Some(1.into()), "{told}");
    assert_eq!(told["unreferenced"]["artifacts"], 0, "{told}");

    let history = world.history();
    let [gone, damaged] = [1, 3].map(|first| history.output(history.task("leaf", first)));
    fs::remove_file(world.artifact(gone)).expect("removed");
    flip(&world.artifact(damaged), 3);
    let told = world.push0(&["artifacts", "--data", "data", "--verify"]).with(1);
    for (what, digest) in [("missing", gone), ("damaged", damaged)] {
        let line = format!("{what}: 1; it is made again when it is needed\n  {digest}");
        assert!(told.stdout.contains(&line), "{}", told.stdout);
    }
    let listed = world.push0(&["artifacts", "--data", "data", "--list", "--verify"]).with(1);
    assert!(listed.stdout.contains(&format!("{gone}  missing")), "{}", listed.stdout);
    assert_eq!(listed.stdout.lines().filter(|line| line.ends_with(", damaged")).count(), 1);
}

#[test]
fn what_nothing_refers_to_goes_once_it_is_old_and_nothing_else_does() {
    let world = World::new(&leaf_and_tree("200ms"), &blocks(1, 4));
    let run = world.start(&[]);
    run.await_line(" granted "); // the directories are push0's
    run.kill();
    let orphan = |name: &str, age: Duration| {
        let path = world.path("data/store").join(&name[..2]).join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        let file = File::create(&path).expect("a file");
        make_older(&file, age);
        path
    };
    let day = Duration::from_secs(100 * 3600);
    let old = orphan(&"ab".repeat(32), day);
    let fresh = orphan(&"cd".repeat(32), Duration::ZERO);
    let half = world.path("data/store/tmp").join(format!("{}-1", "7".repeat(32)));
    make_older(&File::create(&half).expect("a file"), day);
    let ended = world.run(&[]).with(0);
    assert_eq!(ended.said("swept: 2 artifacts").len(), 1, "{}", ended.stderr);
    assert!(!old.exists() && !half.exists() && fresh.exists());
    // Everything that the run made is old by now, and it stays.
    for folder in fs::read_dir(world.path("data/store")).expect("a store").flatten() {
        for file in fs::read_dir(folder.path()).into_iter().flatten().flatten() {
            make_older(&File::options().append(true).open(file.path()).expect("a file"), day);
        }
    }
    let ended = world.run(&[]).with(0);
    assert!(ended.said("released proofs").is_empty());
    let told = world.push0(&["artifacts", "--data", "data", "--json"]).with(0).json();
    assert_eq!(told["missing"].as_array().map(Vec::len), Some(0), "{told}");
}

fn make_older(file: &File, age: Duration) {
    let put = file.metadata().and_then(|metadata| metadata.modified()).expect("its time");
    file.set_modified(put - age).expect("its time");
}
