//! What `Pipeline::check` refuses, and what it says: every fault with its path and its text.

use std::collections::BTreeMap;
use std::time::Duration;

use push0_core::{Pipeline, PipelineSpec};

use crate::specs::{
    add, bound, chain, edit, leaf, parts, programs, range, rollup, scroll, stages, words,
};

#[test]
fn every_fault_of_the_head_is_named() {
    let faults: &[Case<'_>] = &[
        (|s| s.push0 = None, "push0", "no version of the format"),
        (|s| s.push0 = Some(2), "push0", "version 2 of the format"),
        (|s| s.name.clear(), "name", "no name"),
        (|s| s.name = "My Rollup".into(), "name", "the name `My Rollup`"),
        (|s| s.order = Some("newest-first".into()), "order", "`newest-first` is not built yet"),
        (|s| s.order = Some("fifo".into()), "order", "unknown value `fifo`"),
        (|s| s.window = Some(0), "window", "a window of no blocks"),
        (|s| s.window = Some(2_000_000), "window", "a window of 2000000 blocks"),
        (|s| s.source.kind.clear(), "source.kind", "no source"),
        (|s| s.source.kind = "rpc".into(), "source.kind", "unknown value `rpc`"),
        (|s| s.source.path = None, "source.path", "no path"),
        (|s| s.source.path = Some(String::new()), "source.path", "no path that could be opened"),
        (|s| s.source.chain = None, "source.chain", "no chain"),
        (|s| s.source.hash = Some("checked".into()), "source.hash", "unknown value `checked`"),
    ];
    faults.iter().for_each(|case| refused(scroll(), *case));
}

#[test]
fn every_fault_of_a_program_is_named() {
    let faults: &[Case<'_>] = &[
        (|s| chain(s, |p| p.command.clear()), "command", "no command"),
        (|s| chain(s, |p| p.command = words(&[""])), "command", "a command without a name"),
        (|s| chain(s, |p| p.command = words(&["\0"])), "command", "an argument with a NUL in it"),
        (|s| chain(s, |p| p.contract = Some("ere".into())), "contract", "`ere` is not built yet"),
        (|s| chain(s, |p| p.contract = Some("http".into())), "contract", "unknown value `http`"),
        (|s| chain(s, |p| p.give = Some("json".into())), "give", "unknown value `json`"),
        (|s| chain(s, |p| p.memory = None), "memory", "no memory"),
        (|s| chain(s, |p| p.memory = Some(0)), "memory", "no memory at all"),
        (|s| chain(s, |p| p.gpus = 1 << 32), "gpus", "4294967296 gpus"),
        (
            |s| chain(s, |p| p.mock = true),
            "mock",
            "a mock, which proves nothing, in a pipeline that allows none",
        ),
        (|s| chain(s, |p| p.verifier = Some(Vec::new())), "verifier", "a verifier without a name"),
        (
            |s| chain(s, |p| p.verdict = Some("exit".into())),
            "verdict",
            "the exit code of a verifier that nobody named",
        ),
        (|s| chain(s, |p| p.verdict = Some("yes".into())), "verdict", "unknown value `yes`"),
        (|s| chain(s, |p| p.verifier_memory = Some(0)), "verifier_memory", "no memory at all"),
        (
            |s| chain(s, |p| p.verifier_timeout = Some(Duration::ZERO)),
            "verifier_timeout",
            "no time at all",
        ),
        (|s| chain(s, |p| p.start = Some(Duration::MAX)), "start", "more than a year"),
        (
            |s| chain(s, |p| p.vkey = Some("sha256:9F".into())),
            "vkey",
            "`sha256:9F` is no verification key",
        ),
    ];
    for (change, key, what) in faults {
        refused(scroll(), (*change, &format!("programs.chain.{key}"), what));
    }
}

#[test]
fn a_mock_has_nothing_to_verify() {
    let case: Case<'_> = (
        |s| chain(s, |p| p.verifier = Some(words(&["v"]))),
        "programs.chain.verifier",
        "a verifier of a mock, which has nothing to verify",
    );
    let mut spec = scroll();
    spec.allow_mock = true;
    chain(&mut spec, |program| program.mock = true);
    refused(spec, case);
}

#[test]
fn every_fault_of_a_key_of_a_stage_is_named() {
    let faults: &[Case<'_>] = &[
        (|s| leaf(s, |l| l.program = None), "leaf.program", "no program"),
        (|s| leaf(s, |l| l.program = Some("no".into())), "leaf.program", "no program `no`"),
        (|s| leaf(s, |l| l.collect = Some("all".into())), "leaf.collect", "unknown value `all`"),
        (
            |s| leaf(s, |l| l.collect = Some("quorum".into())),
            "leaf.collect",
            "`quorum` is not built yet",
        ),
        (|s| leaf(s, |l| l.timeout = Some(Duration::MAX)), "leaf.timeout", "more than a year"),
        (
            |s| leaf(s, |l| l.grace = Some(Duration::MAX)),
            "leaf.grace",
            "a grace of more than a year",
        ),
        (|s| leaf(s, |l| l.output = Some("file".into())), "leaf.output", "unknown value `file`"),
        (
            |s| range(s, |r| r.output = Some("parts".into())),
            "range.output",
            "parts made by what joins",
        ),
        (
            |s| leaf(s, |l| l.retry = BTreeMap::from([("lost".into(), 0)])),
            "leaf.retry.lost",
            "0 attempts",
        ),
        (
            |s| leaf(s, |l| l.retry = BTreeMap::from([("transiet".into(), 1)])),
            "leaf.retry.transiet",
            "no class of failure `transiet`",
        ),
        (
            |s| leaf(s, |l| l.retry = BTreeMap::from([("unprovable".into(), 2)])),
            "leaf.retry.unprovable",
            "`unprovable` is not retried",
        ),
        (
            |s| leaf(s, |l| l.verify = Some("other".into())),
            "leaf.verify",
            "`other` is not built yet",
        ),
        (|s| leaf(s, |l| l.args = words(&["\0"])), "leaf.args", "an argument with a NUL in it"),
    ];
    for (change, path, what) in faults {
        among(scroll(), (*change, &format!("stages.{path}"), what));
    }
}

#[test]
fn every_fault_of_a_bound_is_named() {
    let alien = "only a sequence or a tree is closed by a bound";
    let faults: &[Case<'_>] = &[
        (|s| leaf(s, |l| l.arity = Some(2)), "leaf.arity", "only a tree has an arity"),
        (|s| range(s, |r| r.arity = Some(1)), "range.arity", "an arity of 1"),
        (|s| range(s, |r| r.arity = Some(1 << 40)), "range.arity", "an arity of 1099511627776"),
        (|s| leaf(s, |l| l.age = Some(Duration::from_secs(1))), "leaf.age", alien),
        (|s| bound(s, "leaf", "max", "blocks", 3), "leaf.max", alien),
        (|s| bound(s, "leaf", "min", "blocks", 3), "leaf.min", alien),
        (|s| bound(s, "range", "max", "items", 0), "range.max.items", "a maximum of 0"),
        (
            |s| bound(s, "range", "max", "gas used", 1),
            "range.max.\"gas used\"",
            "nothing to weigh by: `gas used`",
        ),
        (
            |s| {
                bound(s, "range", "max", "gasUsed", 3);
                bound(s, "range", "min", "gasUsed", 4);
            },
            "range.min.gasUsed",
            "a minimum of 4, above the maximum of 3",
        ),
        (
            |s| bound(s, "range", "max", "blocks", 1025),
            "range.max.blocks",
            "1025 blocks, in a window of 1024",
        ),
        (
            |s| bound(s, "range", "max", "items", 1025),
            "range.max.items",
            "1025 blocks, in a window of 1024",
        ),
        (|s| range(s, |r| r.arity = Some(1025)), "range.arity", "1025 blocks, in a window of 1024"),
        (|s| range(s, |r| r.age = Some(Duration::ZERO)), "range.age", "no time at all"),
    ];
    for (change, path, what) in faults {
        among(scroll(), (*change, &format!("stages.{path}"), what));
    }
}

#[test]
fn every_fault_of_the_graph_is_named() {
    let faults: &[Case<'_>] = &[
        (|s| leaf(s, |l| l.inputs.clear()), "stages.leaf.inputs", "no inputs"),
        (|s| range(s, |r| r.inputs = words(&["laef"])), "stages.range.inputs", "no stage `laef`"),
        (
            |s| range(s, |r| r.inputs = words(&["leaf", "blocks"])),
            "stages.range.inputs",
            "2 inputs",
        ),
        (
            |s| leaf(s, |l| l.inputs = words(&["range"])),
            "stages.leaf.inputs",
            "a cycle: leaf -> range -> leaf",
        ),
        (
            |s| range(s, |r| r.inputs = words(&["range"])),
            "stages.range.inputs",
            "a cycle: range -> range",
        ),
        (
            |s| add(s, "extra", "leaf", "chain", |_| {}),
            "stages.extra",
            "nothing that is released needs this stage",
        ),
        (
            |s| range(s, |r| r.collect = Some("parts".into())),
            "stages.range.collect",
            "nothing splits what flows in",
        ),
        (
            |s| leaf(s, |l| l.collect = Some("parts".into())),
            "stages.leaf.collect",
            "nothing splits what flows in",
        ),
        (
            |s| leaf(s, |l| l.collect = Some("tree".into())),
            "stages.leaf.inputs",
            "a tree of blocks, in which a lone block has no proof",
        ),
        (
            |s| leaf(s, |l| l.output = Some("parts".into())),
            "stages.range.inputs",
            "parts, made by `leaf`",
        ),
    ];
    faults.iter().for_each(|case| among(scroll(), *case));
}

#[test]
fn every_fault_of_the_release_is_named() {
    let faults: &[Case<'_>] = &[
        (|s| s.release.inputs.clear(), "inputs", "nothing is released"),
        (|s| s.release.inputs = words(&["rang"]), "inputs", "no stage `rang`"),
        (|s| s.release.inputs = words(&["blocks"]), "inputs", "the source's blocks"),
        (|s| s.release.inputs = words(&["range", "range"]), "inputs", "`range` twice"),
        (
            |s| s.release.inputs = words(&["leaf", "range"]),
            "inputs",
            "`leaf` and `range` have other spans",
        ),
        (|s| s.release.order = Some("as-ready".into()), "order", "`as-ready` is not built yet"),
        (|s| s.release.order = Some("random".into()), "order", "unknown value `random`"),
    ];
    for (change, key, what) in faults {
        refused(scroll(), (*change, &format!("release.{key}"), what));
    }
}

#[test]
fn parts_are_neither_split_again_nor_released() {
    let again: Case<'_> = (
        |s| edit(s, "step", |step| step.output = Some("parts".into())),
        "stages.step.output",
        "parts of parts, made by `split`",
    );
    refused(parts(), again);
    let released: Case<'_> = (
        |s| {
            s.stages.remove("join");
            s.release.inputs = words(&["step"]);
        },
        "release.inputs",
        "`step` makes parts",
    );
    refused(parts(), released);
}

#[test]
fn an_endless_source_needs_a_closing_rule() {
    let case: Case<'_> = (
        |s| edit(s, "range", |range| range.max.clear()),
        "stages.range",
        "nothing would close a batch, on a source that never ends",
    );
    refused(rollup(), case);
}

#[test]
fn submitted_blocks_come_from_no_path() {
    let case: Case<'_> = (
        |s| s.source.path = Some("blocks.jsonl".into()),
        "source.path",
        "a path, where blocks are submitted",
    );
    refused(rollup(), case);
}

#[test]
fn more_than_anyone_needs_is_refused_at_once() {
    refused(stages(257), (|_| {}, "stages", "257 stages"));
    refused(scroll(), (|s| programs(s, 257), "programs", "257 programs"));
}

#[test]
fn a_window_that_is_too_small_for_a_batch_of_batches_is_named() {
    let case: Case<'_> = (
        |s| bound(s, "aggregate", "max", "blocks", 20_001),
        "stages.aggregate.max.blocks",
        "20001 blocks, in a window of 20000",
    );
    refused(rollup(), case);
}

#[test]
fn a_quorum_is_refused_for_what_it_is_and_for_nothing_else() {
    let quorum: Case<'_> = (
        |s| {
            range(s, |r| r.collect = Some("quorum".into()));
            range(s, |r| (r.inputs, r.program) = (words(&["leaf", "blocks"]), None));
        },
        "stages.range.collect",
        "`quorum` is not built yet",
    );
    refused(scroll(), quorum);
}

#[test]
fn a_remedy_names_what_there_is_as_far_as_that_is_few() {
    let remedy = |path: &str, change: &dyn Fn(&mut PipelineSpec)| {
        let mut spec = scroll();
        change(&mut spec);
        let faults = Pipeline::check(&spec).expect_err(path);
        let fault = faults.into_iter().find(|fault| fault.path == path).expect(path);
        fault.remedy
    };
    let program = |count| {
        remedy("stages.leaf.program", &|s| {
            programs(s, count);
            leaf(s, |leaf| leaf.program = Some("zisk".into()));
        })
    };
    assert!(program(8).contains("chain") && !program(8).ends_with('…'));
    assert!(program(9).ends_with('…'));
    let none = remedy("stages.leaf.program", &|s| s.programs.clear());
    assert!(none.starts_with("there is none"), "{none}");
    let input = remedy("stages.range.inputs", &|s| range(s, |r| r.inputs = words(&["zisk"])));
    assert!(input.contains("blocks") && input.contains("leaf"), "{input}");
}

#[test]
fn a_name_that_is_no_name_is_refused_where_it_stands() {
    let mut spec = scroll();
    add(&mut spec, "blocks", "leaf", "chain", |_| {});
    add(&mut spec, "Leaf 2", "leaf", "chain", |_| {});
    let chain = spec.programs.get("chain").cloned().expect("a program");
    spec.programs.insert("a.b".into(), chain);
    let faults = Pipeline::check(&spec).expect_err("three bad names");
    let paths: Vec<_> = faults.iter().take(3).map(|fault| fault.path.as_str()).collect();
    assert_eq!(paths, ["programs.\"a.b\"", "stages.\"Leaf 2\"", "stages.blocks"]);
}

#[test]
fn two_faults_are_told_at_once() {
    let mut spec = scroll();
    spec.name = "No".into();
    leaf(&mut spec, |leaf| leaf.program = Some("chan".into()));
    let faults = Pipeline::check(&spec).expect_err("two faults");
    let told: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "the name `No` (name): write 1 to 40 of a-z, 0-9 and -",
            "no program `chan` (stages.leaf.program): did you mean `chain`?",
        ]
    );
}

#[test]
fn an_empty_file_is_told_all_it_lacks() {
    let faults = Pipeline::check(&PipelineSpec::default()).expect_err("nothing there");
    let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(
        paths,
        ["push0", "name", "source.kind", "source.chain", "programs", "stages", "release.inputs"]
    );
}

pub(crate) type Case<'a> = (fn(&mut PipelineSpec), &'a str, &'a str);

/// The change makes exactly this one fault.
pub(crate) fn refused(mut spec: PipelineSpec, (change, path, what): Case<'_>) {
    change(&mut spec);
    let faults = Pipeline::check(&spec).expect_err(what);
    let found: Vec<_> = faults.iter().map(|f| (f.path.as_str(), f.what.as_str())).collect();
    assert_eq!(found, [(path, what)]);
    assert!(faults.iter().all(|fault| !fault.remedy.is_empty()));
}

/// The change makes this fault, be it with others.
fn among(mut spec: PipelineSpec, (change, path, what): Case<'_>) {
    change(&mut spec);
    let faults = Pipeline::check(&spec).expect_err(what);
    let is_found = faults.iter().any(|fault| fault.path == path && fault.what == what);
    assert!(is_found, "{path}: {what}: {faults:#?}");
}
