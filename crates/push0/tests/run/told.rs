//! What a run tells: one JSON object on stdout, a line for each event on stderr.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{World, blocks, leaf_and_tree};

#[test]
fn the_json_of_a_run_has_the_fields_that_are_fixed_and_no_others() {
    let run = trial().run(&["--json"]).with(0).json();
    assert_eq!(names(&run), FIELDS);
    assert_eq!(names(&run["blocks"]), ["missed", "parked", "released", "submitted", "superseded"]);
    assert_eq!(names(&run["tasks"]), ["accepted", "parked", "superseded"]);
    assert_eq!(
        names(&run["attempts"]),
        ["accepted", "failed", "lost", "started", "surplus", "withdrawn"]
    );
    let proof = ["key", "mock", "path", "program", "public_values", "stage", "vkey"];
    assert_eq!(names(&run["proofs"][0]), proof);
}

#[test]
fn the_json_of_a_run_counts_the_whole_log() {
    let world = trial();
    let first = world.run(&["--json", "--slots", "2"]).with(0).json();
    let run = world.run(&["--json"]).with(0).json();
    assert_eq!((&run["format"], &run["pipeline"]), (&json!("push0.run/1"), &json!("trial")));
    assert_eq!((&run["complete"], &run["resumed"]), (&json!(true), &json!(true)));
    let none = json!({"missed": 0, "parked": 0, "released": 5, "submitted": 5, "superseded": 0});
    assert_eq!(run["blocks"], none);
    assert_eq!(run["tasks"], json!({"accepted": 9, "parked": 0, "superseded": 0}));
    let attempts = json!({
        "accepted": 9, "failed": {}, "lost": 0, "started": 9, "surplus": 0, "withdrawn": 0,
    });
    assert_eq!(run["attempts"], attempts);
    let of_two_slots = 2.0 * first["wall_ms"].as_f64().expect("it took a time");
    let prover_ms = run["prover_ms"].as_f64().expect("it has them");
    assert!((9.0 * 20.0..=of_two_slots).contains(&prover_ms), "{prover_ms} of {of_two_slots}");
}

#[test]
fn the_json_of_a_run_names_the_mock_it_is_by() {
    let run = trial().run(&["--json"]).with(0).json();
    let proof = &run["proofs"][0];
    assert_eq!((&proof["mock"], &proof["program"]), (&json!(true), &json!("cold")));
    assert_eq!((&proof["key"]["first"], &proof["key"]["last"]), (&json!(100), &json!(104)));
    assert_eq!(run["proofs"].as_array().map(Vec::len), Some(1));
    assert!(run["overhead_p50_ms"].as_f64().is_some_and(|millis| millis > 0.0), "{run}");
}

#[test]
fn stdout_has_the_result_alone() {
    let ended = trial().run(&["--json"]).with(0);
    assert_eq!(ended.stdout.lines().count(), 1, "{}", ended.stdout);
    let table = trial().run(&[]).with(0).stdout;
    assert!(table.starts_with("trial: complete\n") && table.contains("proves nothing"), "{table}");
}

#[test]
fn every_event_of_the_log_has_a_line_on_stderr_of_the_fixed_form() {
    let world = trial();
    let ended = world.run(&[]).with(0);
    let names: Vec<_> = ended.stderr.lines().map(event).collect();
    let history = world.history();
    let logged = history.events().iter().map(|event| event["event"].as_str().expect("a name"));
    assert_eq!(names, logged.collect::<Vec<_>>());
}

/// The name in a line `TIME INFO  EVENT key=value …`; a value with spaces is in quotes.
fn event(line: &str) -> &str {
    let (time, rest) = line.split_once(' ').expect("a time and more");
    humantime::parse_rfc3339(time).unwrap_or_else(|error| panic!("{error}: {line}"));
    let rest = rest.strip_prefix("INFO  ").unwrap_or_else(|| panic!("no level: {line}"));
    let (name, fields) = rest.split_once(' ').unwrap_or((rest, ""));
    let is_field = |field: &str| field.split_once('=').is_some_and(|(key, _)| is_name(key));
    let bare = fields.split(" message=").next().unwrap_or_default();
    assert!(is_name(name) && bare.split_whitespace().all(is_field), "{line}");
    name
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_')
}

fn names(object: &Value) -> Vec<&str> {
    let object = object.as_object().expect("an object");
    object.keys().map(String::as_str).collect::<BTreeSet<_>>().into_iter().collect()
}

fn trial() -> World {
    World::new(&leaf_and_tree("20ms"), &blocks(100, 5))
}

const FIELDS: [&str; 11] = [
    "attempts",
    "blocks",
    "complete",
    "format",
    "overhead_p50_ms",
    "pipeline",
    "proofs",
    "prover_ms",
    "resumed",
    "tasks",
    "wall_ms",
];
