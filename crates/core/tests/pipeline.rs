//! What `Pipeline::check` accepts, and what it makes of it.
//!
//! Not here: what it refuses (`faults`), and the TOML around it.

#[path = "pipeline/faults.rs"]
mod faults;
#[path = "pipeline/specs.rs"]
mod specs;
#[path = "pipeline/surroundings.rs"]
mod surroundings;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use push0_core::{
    Believes, Collect, Contract, Digest, Fault, Give, Inflow, Output, Pipeline, PipelineSpec,
    Stage, StageIndex,
};

use crate::specs::{
    add, bound, chain, demo, edit, leaf, parts, program, programs, range, rollup, scroll, stages,
    words,
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
fn a_command_that_takes_its_paths_by_flags_verifies_without_them() {
    let verifier = |contract: &str, command: &[&str]| {
        let mut spec = scroll();
        let program = spec.programs.get_mut("chain").expect("a program");
        program.contract = Some(contract.to_owned());
        program.command = words(command);
        checked(&spec).programs.into_values().next().expect("one program").verifier
    };
    assert_eq!(verifier("file", &["p", "-i", "--fast", "-o"]), ["p", "--fast", "verify"]);
    assert_eq!(verifier("file", &["p", "--output-path", "--input-path"]), ["p", "verify"]);
    assert_eq!(verifier("serve", &["p", "-i", "-o"]), ["p", "-i", "-o", "verify"]);
}

#[test]
fn a_verifier_is_believed_by_its_exit_code_only_where_it_is_named_and_the_file_says_so() {
    let believes = |verifier: Option<&str>, verdict: Option<&str>| {
        let mut spec = scroll();
        let program = spec.programs.get_mut("chain").expect("a program");
        program.verifier = verifier.map(|word| words(&[word]));
        program.verdict = verdict.map(ToOwned::to_owned);
        program.verifier_memory = Some(7);
        let asking = checked(&spec).programs.into_values().next().expect("one program").asking;
        assert_eq!((asking.memory_bytes, asking.timeout), (7, Duration::from_secs(120)));
        asking.believes
    };
    assert_eq!(believes(None, None), Believes::LineOfGuess);
    assert_eq!(believes(None, Some("line")), Believes::LineOfGuess);
    assert_eq!(believes(Some("v"), None), Believes::Line);
    assert_eq!(believes(Some("v"), Some("exit")), Believes::Exit);
}

#[test]
fn a_program_that_never_says_that_it_is_ready_has_no_time_for_it() {
    let faults = |contract: &str| {
        let mut spec = scroll();
        let program = spec.programs.get_mut("chain").expect("a program");
        program.contract = Some(contract.to_owned());
        program.start = Some(Duration::from_secs(1200));
        Pipeline::check(&spec).err().unwrap_or_default()
    };
    assert!(faults("serve").is_empty());
    assert!(faults("file").iter().any(|fault| fault.path == "programs.chain.start"));
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
fn what_is_at_a_limit_is_within_it() {
    let changes: [fn(&mut PipelineSpec); 6] = [
        |spec| spec.window = Some(1_000_000),
        |spec| leaf(spec, |leaf| leaf.timeout = Some(Duration::from_hours(366 * 24))),
        |spec| leaf(spec, |leaf| leaf.timeout = Some(Duration::from_millis(1))),
        |spec| leaf(spec, |leaf| leaf.grace = Some(Duration::from_hours(366 * 24))),
        |spec| {
            bound(spec, "range", "max", "gasUsed", 3);
            bound(spec, "range", "min", "gasUsed", 3);
        },
        |spec| programs(spec, 256),
    ];
    for change in changes {
        let mut spec = scroll();
        change(&mut spec);
        checked(&spec);
    }
    assert_eq!(checked(&stages(256)).stages.len(), 256);
}

#[test]
fn the_window_limits_blocks_and_not_what_holds_many() {
    let mut spec = rollup();
    let more = spec.window.expect("it has one") + 1;
    bound(&mut spec, "aggregate", "max", "items", more);
    checked(&spec);
    spec.window = Some(3);
    bound(&mut spec, "range", "max", "blocks", 3);
    edit(&mut spec, "aggregate", |stage| {
        (stage.collect, stage.arity) = (Some("tree".into()), Some(8));
        (stage.max, stage.min) = (BTreeMap::new(), BTreeMap::new());
    });
    checked(&spec);
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
    let changes: [fn(&mut PipelineSpec); 5] = [
        |_| {},
        |spec| spec.source.chain = Some(1),
        |spec| spec.source.hash = Some("trusted".into()),
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
    assert_eq!(digests.len(), 5);
}

#[test]
fn a_released_stage_may_feed_another() {
    let mut spec = rollup();
    spec.release.inputs = words(&["aggregate", "wrap"]);
    let pipeline = checked(&spec);
    assert_eq!([stage(&pipeline, "aggregate").from_end, stage(&pipeline, "wrap").from_end], [1, 0]);
}

#[test]
fn a_near_word_is_offered_and_a_far_one_is_not() {
    assert_eq!(Fault::nearest("aggregat", ["range", "aggregate"]), Some("aggregate"));
    assert_eq!(Fault::nearest("zisk", ["range", "aggregate"]), None);
}

fn checked(spec: &PipelineSpec) -> Pipeline {
    Pipeline::check(spec).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

fn stage<'a>(pipeline: &'a Pipeline, name: &str) -> &'a Stage {
    pipeline.stages.iter().find(|stage| stage.name.as_str() == name).expect("a stage")
}
