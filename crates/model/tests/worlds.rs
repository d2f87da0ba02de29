//! Every way of each small world is gone: every check holds, there is a way to the end from
//! everywhere, and what the world is there for has happened.

use std::io::Write as _;

use push0_model::{Happened, SMALL, Search, explore};

/// What happens in a world somewhere, or it shows nothing.
const HAPPENS: &[(&str, &[Happened])] = &[
    ("nobody leads", &[Happened::FENCED, Happened::TAKEN_OVER, Happened::IGNORED]),
    ("one engine dies", &[Happened::FENCED, Happened::TAKEN_OVER, Happened::SURPLUS]),
    ("an engine dies", &[Happened::FENCED, Happened::TAKEN_OVER, Happened::SURPLUS]),
    (
        "an append lands late",
        &[Happened::FENCED, Happened::REPEATED, Happened::TAKEN_OVER, Happened::DROPPED],
    ),
    ("grants come late", &[Happened::FENCED, Happened::TAKEN_OVER, Happened::IGNORED]),
    ("the answer to an append", &[Happened::REPEATED]),
    ("a dispatcher dies and starts again", &[Happened::LOST]),
    ("a dispatcher dies for good", &[Happened::LOST]),
];

#[test]
fn in_no_small_world_is_there_a_way_to_go_wrong_or_to_get_stuck() {
    let mut table = String::new();
    for setting in SMALL {
        let explored = explore(*setting, 1, Search::Wide);
        if let Some(found) = explored.violated.first() {
            panic!("{}: {}: {}\n{}", setting.name, found.check, found.what, found.way);
        }
        let (states, steps) = (explored.states, explored.steps);
        let (depth, took) = (explored.depth, explored.took.as_secs_f64());
        table.push_str(&format!(
            "| {} | {states} | {steps} | {depth} | {took:.1} s |\n",
            setting.name
        ));
        let named = HAPPENS.iter().filter(|(name, _)| setting.name.contains(name));
        for what in named.flat_map(|(_, happens)| happens.iter()) {
            let words = Happened::ALL.iter().find(|(one, _)| one == what).map(|(_, words)| words);
            assert!(explored.happened.has(*what), "never in {}: {words:?}", setting.name);
        }
    }
    let _ = std::io::stderr().write_all(table.as_bytes());
}
