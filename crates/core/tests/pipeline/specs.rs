//! Pipelines to begin with, and ways to change them.

use std::time::Duration;

use push0_core::{PipelineSpec, ProgramSpec, StageSpec};

pub(crate) fn scroll() -> PipelineSpec {
    let mut spec = head("scroll", "file");
    spec.programs.insert("chain".into(), serve("push0-prover-chain"));
    add(&mut spec, "leaf", "blocks", "chain", |leaf| leaf.args = words(&["leaf"]));
    add(&mut spec, "range", "leaf", "chain", |range| {
        (range.collect, range.arity) = (Some("tree".into()), Some(2));
    });
    spec.release.inputs = words(&["range"]);
    spec
}

pub(crate) fn demo(released: &[&str]) -> PipelineSpec {
    let mut spec = head("demo", "file");
    spec.allow_mock = true;
    let mock = ProgramSpec { contract: Some("file".into()), mock: true, ..serve("mock") };
    let number = ProgramSpec { give: Some("number".into()), ..mock.clone() };
    spec.programs.insert("mock".into(), number);
    spec.programs.insert("merge".into(), ProgramSpec { give: Some("raw".into()), ..mock });
    spec.release.inputs = words(released);
    spec
}

pub(crate) fn parts() -> PipelineSpec {
    let mut spec = demo(&["join"]);
    add(&mut spec, "split", "blocks", "mock", |split| split.output = Some("parts".into()));
    add(&mut spec, "step", "split", "merge", |_| {});
    add(&mut spec, "join", "step", "merge", |join| join.collect = Some("parts".into()));
    spec
}

pub(crate) fn rollup() -> PipelineSpec {
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

/// So many stages, each fed by the one before.
pub(crate) fn stages(count: usize) -> PipelineSpec {
    let mut spec = scroll();
    spec.stages.clear();
    let mut before = "blocks".to_owned();
    for index in 0..count {
        let name = format!("stage-{index}");
        add(&mut spec, &name, &before, "chain", |_| {});
        before = name;
    }
    spec.release.inputs = vec![before];
    spec
}

/// Adds programs until there are so many.
pub(crate) fn programs(spec: &mut PipelineSpec, count: usize) {
    for index in spec.programs.len()..count {
        spec.programs.insert(format!("program-{index}"), serve("prover"));
    }
}

pub(crate) fn head(name: &str, kind: &str) -> PipelineSpec {
    let mut spec = PipelineSpec { push0: Some(1), name: name.into(), ..PipelineSpec::default() };
    spec.source.kind = kind.into();
    spec.source.path = (kind == "file").then(|| "blocks.jsonl".into());
    spec.source.chain = Some(534_352);
    spec
}

pub(crate) fn serve(command: &str) -> ProgramSpec {
    ProgramSpec {
        command: words(&[command]),
        contract: Some("serve".into()),
        memory: Some(1 << 30),
        ..ProgramSpec::default()
    }
}

pub(crate) fn add(
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

pub(crate) fn edit(spec: &mut PipelineSpec, name: &str, set: impl Fn(&mut StageSpec)) {
    set(spec.stages.get_mut(name).expect("a stage"));
}

pub(crate) fn leaf(spec: &mut PipelineSpec, set: fn(&mut StageSpec)) {
    edit(spec, "leaf", set);
}

pub(crate) fn range(spec: &mut PipelineSpec, set: fn(&mut StageSpec)) {
    edit(spec, "range", set);
}

pub(crate) fn program(spec: &mut PipelineSpec, name: &str, set: impl Fn(&mut ProgramSpec)) {
    set(spec.programs.get_mut(name).expect("a program"));
}

pub(crate) fn chain(spec: &mut PipelineSpec, set: fn(&mut ProgramSpec)) {
    program(spec, "chain", set);
}

pub(crate) fn bound(spec: &mut PipelineSpec, name: &str, bound: &str, key: &str, value: u64) {
    edit(spec, name, |stage| {
        let bounds = if bound == "max" { &mut stage.max } else { &mut stage.min };
        bounds.insert(key.into(), value);
    });
}

pub(crate) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
