//! How a run tells what it does: the time and the level of each line, how much is told, and in
//! which form.
//!
//! Not here: what is told (`told`), and how commands tell that end at once (`tests/cli`).

use serde_json::Value;

use crate::support::{Ended, World, blocks, head, leaf_and_tree};

#[test]
fn every_line_has_a_time_and_a_level() {
    let world = broken();
    let ended = world.run(&[]).with(1);
    assert!(levels(&ended).contains(&"INFO"), "{}", ended.stderr);
}

#[test]
fn a_quiet_run_tells_what_somebody_should_see_to_and_nothing_else() {
    for flag in ["-q", "--quiet"] {
        let well = World::new(&leaf_and_tree("1ms"), &blocks(100, 2));
        assert_eq!(well.run(&[flag]).with(0).stderr, "");
    }
    let ended = broken().run(&["-q"]).with(1);
    let levels = levels(&ended);
    assert!(levels.contains(&"WARN") && levels.contains(&"ERROR"), "{}", ended.stderr);
    assert!(levels.iter().all(|level| ["WARN", "ERROR"].contains(level)), "{}", ended.stderr);
}

#[test]
fn details_are_told_where_they_are_asked_for() {
    let usual = broken().run(&[]).with(1);
    assert!(!levels(&usual).contains(&"DEBUG"), "{}", usual.stderr);
    for flag in ["-v", "--verbose"] {
        let told = broken().run(&[flag]).with(1);
        assert!(levels(&told).contains(&"DEBUG"), "{}", told.stderr);
    }
}

#[test]
fn programs_get_an_object_a_line_with_the_fields_of_each_event() {
    let world = broken();
    let by_flag = objects(&world.run(&["--log-format", "json"]).with(1));
    let mut command = world.command(&["run", "pipeline.toml", "--data", "data"]);
    let by_variable = command.env("PUSH0_LOG_FORMAT", "json").output().expect("it starts");
    let text = String::from_utf8(by_variable.stderr).expect("text");
    assert!(text.lines().all(|line| line.starts_with("{\"time\":")), "{text}");
    let granted = by_flag.iter().find(|line| line["message"] == "granted").expect("one");
    assert_eq!((&granted["level"], &granted["stage"]), (&"info".into(), &"prove".into()));
    assert!(granted["task"].is_string() && granted["key"].is_string(), "{granted}");
    let failed = by_flag.iter().find(|line| line["message"] == "failed").expect("one");
    assert_eq!((&failed["level"], &failed["class"]), (&"warn".into(), &"failed".into()));
    let last = by_flag.last().expect("the last word");
    assert_eq!(last["level"], "error");
    assert!(last["message"].as_str().is_some_and(|it| it.contains("not released")), "{last}");
}

/// One of its three blocks cannot be proved.
fn broken() -> World {
    let world = World::new(&(head() + PICKY), &blocks(10, 3));
    let body = "grep -q 11 \"$2\" && echo I cannot prove eleven >&2 && exit 1\necho '{}' > \"$4\"";
    world.write_program("picky", body);
    world
}

/// The level of each line, where each has a time before.
fn levels(ended: &Ended) -> Vec<&str> {
    let mut levels = Vec::new();
    for line in ended.stderr.lines() {
        let (time, rest) = line.split_once(' ').expect("a time and more");
        humantime::parse_rfc3339(time).unwrap_or_else(|error| panic!("{error}: {line}"));
        levels.push(rest.split(' ').next().expect("a level"));
    }
    levels
}

fn objects(ended: &Ended) -> Vec<Value> {
    let object =
        |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    ended.stderr.lines().map(object).collect()
}

const PICKY: &str = r#"
picky = { command = ["./picky"], contract = "file", give = "number", memory = "64MiB", mock = true }
[stages]
prove = { inputs = ["blocks"], program = "picky", retry = { failed = 2 } }
[release]
inputs = ["prove"]
"#;
