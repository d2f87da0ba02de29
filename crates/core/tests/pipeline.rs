//! What `Pipeline::check` accepts, refuses, and says.
//!
//! Not here: the TOML around it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use push0_core::{
    Collect, Contract, Digest, Fault, Give, Inflow, Output, Pipeline, PipelineSpec, ProgramSpec,
    Stage, StageIndex, StageSpec,
};

#[test]
fn one_machine_with_a_tree_is_a_pipeline() {
    let pipeline = checked(&scroll());
    assert_eq!(pipeline.window, 1024);
    let leaf = stage(&pipeline, "leaf");
    assert_eq!((leaf.input, leaf.from_end), (Inflow::Blocks, 1));
    assert_eq!((leaf.timeout, leaf.grace), (Duration::from_secs(3600), Duration::from_secs(10)));
    let range = stage(&pipeline, "range");
    assert_eq!((range.input, range.from_end), (Inflow::Stage(StageIndex(0)), 0));
    assert_eq!((leaf.spans, range.spans), (Inflow::Blocks, Inflow::Stage(StageIndex(1))));
    assert!(matches!(&range.collect, Collect::Tree(arity, _) if arity.get() == 2));
    let chain = pipeline.programs.values().next().expect("one program");
    assert_eq!((chain.contract, chain.give), (Contract::Serve, Give::Bundle));
    assert_eq!(chain.verifier, ["push0-prover-chain", "verify"]);
}

#[test]
fn several_provers_on_every_block_are_a_pipeline() {
    let mut spec = demo(&["sp1", "risc0", "zisk"]);
    for name in ["sp1", "risc0", "zisk"] {
        add(&mut spec, name, "blocks", "mock", |_| {});
    }
    let pipeline = checked(&spec);
    let names: Vec<_> = pipeline.stages.iter().map(|stage| stage.name.as_str()).collect();
    assert_eq!(names, ["risc0", "sp1", "zisk"]);
    assert_eq!(pipeline.release, [StageIndex(1), StageIndex(0), StageIndex(2)]);
    assert!(pipeline.programs.values().all(|program| program.verifier.is_empty()));
}

#[test]
fn a_single_prover_is_a_pipeline() {
    let mut spec = demo(&["prove"]);
    add(&mut spec, "prove", "blocks", "mock", |_| {});
    checked(&spec);
}

#[test]
fn parts_are_split_proved_and_joined() {
    let pipeline = checked(&parts());
    let [split, step, join] = ["split", "step", "join"].map(|name| stage(&pipeline, name));
    let first = Some(StageIndex(0));
    assert_eq!(split.output, Output::Parts);
    assert_eq!([split.split, step.split, join.split], [None, first, first]);
    assert_eq!([split.from_end, step.from_end, join.from_end], [2, 1, 0]);
    assert_eq!(split.feeds, [StageIndex(1)]);
}

#[test]
fn parts_stand_beside_a_prover_of_whole_blocks() {
    let mut spec = parts();
    add(&mut spec, "zisk", "blocks", "mock", |_| {});
    spec.release.inputs = words(&["join", "zisk"]);
    checked(&spec);
}

#[test]
fn a_rollup_is_a_pipeline() {
    let pipeline = checked(&rollup());
    let wrap = stage(&pipeline, "wrap");
    let aggregate = pipeline.find(&"aggregate".parse().expect("a name")).expect("a stage");
    assert_eq!(wrap.spans, Inflow::Stage(aggregate));
}

#[test]
fn block_fields_are_weighed_by_index() {
    let mut spec = rollup();
    bound(&mut spec, "range", "max", "gasUsed", 9);
    bound(&mut spec, "aggregate", "max", "blobGasUsed", 7);
    let pipeline = checked(&spec);
    assert_eq!(pipeline.fields, ["blobGasUsed", "gasUsed"]);
    let Collect::Sequence(bounds) = &stage(&pipeline, "range").collect else {
        panic!("a sequence");
    };
    assert_eq!(bounds.max.fields, [(1, 9)]);
}

#[test]
fn policy_does_not_change_what_is_proved() {
    let mut spec = rollup();
    let before = checked(&spec);
    spec.window = Some(30_000);
    bound(&mut spec, "range", "max", "blocks", 50);
    edit(&mut spec, "range", |stage| stage.timeout = Some(Duration::from_secs(1)));
    edit(&mut spec, "range", |stage| stage.retry = BTreeMap::from([("lost".into(), 1)]));
    program(&mut spec, "range", |program| program.command = words(&["other", "--fast"]));
    let after = checked(&spec);
    assert_eq!(before.digest(), after.digest());
    let digests = |of: &Pipeline| of.stages.iter().map(|stage| stage.digest).collect::<Vec<_>>();
    assert_eq!(digests(&before), digests(&after));
}

#[test]
fn what_is_proved_changes_every_digest_from_there_on() {
    let changes: [fn(&mut PipelineSpec); 6] = [
        |_| {},
        |spec| spec.name = "other".into(),
        |spec| edit(spec, "leaf", |stage| stage.args = words(&["le", "af"])),
        |spec| edit(spec, "leaf", |stage| stage.args = words(&["leaf", ""])),
        |spec| chain(spec, |p| p.vkey = Some(format!("sha256:{}", "ab".repeat(32)))),
        |spec| {
            spec.allow_mock = true;
            chain(spec, |program| program.mock = true);
        },
    ];
    let (mut leaves, mut ranges, mut wholes) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for change in changes {
        let mut spec = scroll();
        change(&mut spec);
        let pipeline = checked(&spec);
        leaves.insert(stage(&pipeline, "leaf").digest);
        ranges.insert(stage(&pipeline, "range").digest);
        wholes.insert(pipeline.digest());
    }
    assert_eq!([leaves.len(), ranges.len(), wholes.len()], [6, 6, 6]);
}

#[test]
fn a_default_that_is_written_out_changes_nothing() {
    let (before, mut spec) = (checked(&scroll()), scroll());
    leaf(&mut spec, |leaf| leaf.output = Some("proof".into()));
    leaf(&mut spec, |leaf| leaf.collect = Some("each".into()));
    range(&mut spec, |range| range.arity = None);
    assert_eq!(before, checked(&spec));
}

#[test]
fn the_arity_changes_the_tree_alone() {
    let (before, mut spec) = (checked(&scroll()), scroll());
    range(&mut spec, |stage| stage.arity = Some(3));
    let after = checked(&spec);
    assert_eq!(stage(&before, "leaf").digest, stage(&after, "leaf").digest);
    assert_ne!(stage(&before, "range").digest, stage(&after, "range").digest);
}

#[test]
fn the_chain_the_release_and_the_fields_are_of_the_pipeline() {
    let changes: [fn(&mut PipelineSpec); 4] = [
        |_| {},
        |spec| spec.source.chain = Some(1),
        |spec| spec.release.inputs.reverse(),
        |spec| bound(spec, "range", "max", "gasUsed", 1),
    ];
    let mut digests = BTreeSet::<Digest>::new();
    for change in changes {
        let mut spec = rollup();
        spec.release.inputs = words(&["aggregate", "wrap"]);
        change(&mut spec);
        digests.insert(checked(&spec).digest());
    }
    assert_eq!(digests.len(), 4);
}

#[test]
fn a_released_stage_may_feed_another() {
    let mut spec = rollup();
    spec.release.inputs = words(&["aggregate", "wrap"]);
    let pipeline = checked(&spec);
    assert_eq!([stage(&pipeline, "aggregate").from_end, stage(&pipeline, "wrap").from_end], [1, 0]);
}

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
    ];
    faults.iter().for_each(|case| refused(scroll(), *case));
}

#[test]
fn every_fault_of_a_program_is_named() {
    let faults: &[Case<'_>] = &[
        (|s| chain(s, |p| p.command.clear()), "command", "no command"),
        (|s| chain(s, |p| p.command = words(&[""])), "command", "a command without a name"),
        (
            |s| chain(s, |p| p.command = words(&["a", "b\0"])),
            "command",
            "an argument with a NUL in it",
        ),
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

#[test]
fn a_near_word_is_offered_and_a_far_one_is_not() {
    assert_eq!(Fault::nearest("aggregat", ["range", "aggregate"]), Some("aggregate"));
    assert_eq!(Fault::nearest("zisk", ["range", "aggregate"]), None);
}

type Case<'a> = (fn(&mut PipelineSpec), &'a str, &'a str);

/// The change makes exactly this one fault.
fn refused(mut spec: PipelineSpec, (change, path, what): Case<'_>) {
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

fn checked(spec: &PipelineSpec) -> Pipeline {
    Pipeline::check(spec).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

fn stage<'a>(pipeline: &'a Pipeline, name: &str) -> &'a Stage {
    pipeline.stages.iter().find(|stage| stage.name.as_str() == name).expect("a stage")
}

fn scroll() -> PipelineSpec {
    let mut spec = head("scroll", "file");
    spec.programs.insert("chain".into(), serve("push0-prover-chain"));
    add(&mut spec, "leaf", "blocks", "chain", |leaf| leaf.args = words(&["leaf"]));
    add(&mut spec, "range", "leaf", "chain", |range| {
        (range.collect, range.arity) = (Some("tree".into()), Some(2));
    });
    spec.release.inputs = words(&["range"]);
    spec
}

fn demo(released: &[&str]) -> PipelineSpec {
    let mut spec = head("demo", "file");
    spec.allow_mock = true;
    let mock = ProgramSpec { contract: Some("file".into()), mock: true, ..serve("mock") };
    let number = ProgramSpec { give: Some("number".into()), ..mock.clone() };
    spec.programs.insert("mock".into(), number);
    spec.programs.insert("merge".into(), ProgramSpec { give: Some("raw".into()), ..mock });
    spec.release.inputs = words(released);
    spec
}

fn parts() -> PipelineSpec {
    let mut spec = demo(&["join"]);
    add(&mut spec, "split", "blocks", "mock", |split| split.output = Some("parts".into()));
    add(&mut spec, "step", "split", "merge", |_| {});
    add(&mut spec, "join", "step", "merge", |join| join.collect = Some("parts".into()));
    spec
}

fn rollup() -> PipelineSpec {
    let mut spec = head("rollup", "submit");
    spec.window = Some(20_000);
    for name in ["range", "aggregate", "wrap"] {
        spec.programs.insert(name.into(), serve(name));
    }
    let sequence = |stage: &mut StageSpec| stage.collect = Some("sequence".into());
    add(&mut spec, "range", "blocks", "range", sequence);
    add(&mut spec, "aggregate", "range", "aggregate", sequence);
    add(&mut spec, "wrap", "aggregate", "wrap", |_| {});
    bound(&mut spec, "range", "max", "blocks", 100);
    bound(&mut spec, "aggregate", "max", "blocks", 2000);
    bound(&mut spec, "aggregate", "min", "blocks", 1500);
    edit(&mut spec, "aggregate", |stage| stage.age = Some(Duration::from_secs(7200)));
    spec.release.inputs = words(&["wrap"]);
    spec
}

fn head(name: &str, kind: &str) -> PipelineSpec {
    let mut spec = PipelineSpec { push0: Some(1), name: name.into(), ..PipelineSpec::default() };
    spec.source.kind = kind.into();
    spec.source.path = (kind == "file").then(|| "blocks.jsonl".into());
    spec.source.chain = Some(534_352);
    spec
}

fn serve(command: &str) -> ProgramSpec {
    ProgramSpec {
        command: words(&[command]),
        contract: Some("serve".into()),
        memory: Some(1 << 30),
        ..ProgramSpec::default()
    }
}

fn add(
    spec: &mut PipelineSpec,
    name: &str,
    input: &str,
    program: &str,
    set: impl Fn(&mut StageSpec),
) {
    let (inputs, program) = (words(&[input]), Some(program.into()));
    let mut stage = StageSpec { inputs, program, ..StageSpec::default() };
    set(&mut stage);
    spec.stages.insert(name.into(), stage);
}

fn edit(spec: &mut PipelineSpec, name: &str, set: impl Fn(&mut StageSpec)) {
    set(spec.stages.get_mut(name).expect("a stage"));
}

fn leaf(spec: &mut PipelineSpec, set: fn(&mut StageSpec)) {
    edit(spec, "leaf", set);
}

fn range(spec: &mut PipelineSpec, set: fn(&mut StageSpec)) {
    edit(spec, "range", set);
}

fn program(spec: &mut PipelineSpec, name: &str, set: impl Fn(&mut ProgramSpec)) {
    set(spec.programs.get_mut(name).expect("a program"));
}

fn chain(spec: &mut PipelineSpec, set: fn(&mut ProgramSpec)) {
    program(spec, "chain", set);
}

fn bound(spec: &mut PipelineSpec, name: &str, bound: &str, key: &str, value: u64) {
    edit(spec, name, |stage| {
        let bounds = if bound == "max" { &mut stage.max } else { &mut stage.min };
        bounds.insert(key.into(), value);
    });
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
