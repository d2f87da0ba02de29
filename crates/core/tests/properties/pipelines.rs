//! The pipelines that worlds run: every collector, alone and over every other.
//!
//! Not here: pipelines with faults (`tests/pipeline.rs`).

use std::collections::BTreeMap;
use std::time::Duration;

use push0_core::{Pipeline, PipelineSpec, ProgramSpec, StageSpec};

/// How many there are.
pub(crate) const COUNT: usize = PIPELINES.len();

/// The one that splits blocks into parts, and joins them.
pub(crate) const PARTS: usize = 8;

/// One of them.
pub(crate) fn pipeline(index: usize) -> PipelineSpec {
    let make = PIPELINES.get(index % COUNT).expect("it is below the count");
    let mut spec = head();
    make(&mut spec);
    let faults = Pipeline::check(&spec).err();
    assert_eq!(faults, None, "pipeline {index}");
    spec
}

/// The same, under another policy: nothing that it proves differs.
pub(crate) fn with_policy(index: usize, heads: bool, by: u8) -> PipelineSpec {
    let mut spec = pipeline(index);
    if heads {
        says_heads(&mut spec);
    }
    spec.window = Some(8 + u64::from(by));
    for stage in spec.stages.values_mut() {
        stage.max.values_mut().for_each(|max| *max = max.saturating_sub(by.into()).max(1));
        stage.min.clear();
        stage.age = stage.age.map(|age| age * u32::from(by + 1));
    }
    spec
}

/// The same, where the source says which blocks are its chain.
pub(crate) fn says_heads(spec: &mut PipelineSpec) {
    (spec.source.kind, spec.source.path) = ("submit".into(), None);
    spec.source.heads = true;
    // Such a source may never end, so that every batch needs another rule that closes it.
    for stage in spec.stages.values_mut() {
        let is_batch = matches!(stage.collect.as_deref(), Some("sequence" | "tree"));
        if is_batch && stage.max.is_empty() && stage.age.is_none() {
            stage.max.insert("blocks".into(), 8);
        }
    }
}

/// Whether time decides what some stage of it closes.
pub(crate) fn has_age(index: usize) -> bool {
    pipeline(index).stages.values().any(|stage| stage.age.is_some())
}

const PIPELINES: &[fn(&mut PipelineSpec)] = &[
    |spec| {
        add(spec, "leaf", "blocks", "each", &[]);
        release(spec, &["leaf"]);
    },
    |spec| {
        add(spec, "leaf", "blocks", "each", &[]);
        tree(spec, "range", "leaf", 2, &[]);
        release(spec, &["range"]);
    },
    |spec| {
        add(spec, "leaf", "blocks", "each", &[]);
        tree(spec, "range", "leaf", 3, &[("blocks", 7)]);
        add(spec, "wrap", "range", "each", &[]);
        release(spec, &["wrap"]);
    },
    |spec| {
        add(spec, "leaf", "blocks", "each", &[]);
        tree(spec, "range", "leaf", 2, &[("gasUsed", 20)]);
        release(spec, &["range"]);
    },
    |spec| {
        add(spec, "leaf", "blocks", "each", &[]);
        tree(spec, "range", "leaf", 2, &[("items", 6)]).age = Some(Duration::from_secs(3));
        release(spec, &["range"]);
    },
    |spec| {
        add(spec, "range", "blocks", "sequence", &[("blocks", 4)]);
        release(spec, &["range"]);
    },
    |spec| {
        let range = add(spec, "range", "blocks", "sequence", &[("blocks", 6)]);
        range.min.insert("blocks".into(), 2);
        range.age = Some(Duration::from_secs(2));
        release(spec, &["range"]);
    },
    |spec| {
        add(spec, "leaf", "blocks", "each", &[]);
        let range = add(spec, "range", "leaf", "sequence", &[("bytes", 2_000), ("items", 5)]);
        range.age = Some(Duration::from_secs(4));
        release(spec, &["range"]);
    },
    |spec| {
        parts(spec, "blocks");
        release(spec, &["join"]);
    },
    |spec| {
        add(spec, "range", "blocks", "sequence", &[("blocks", 3)]);
        add(spec, "whole", "range", "sequence", &[("blocks", 8), ("items", 4)]);
        release(spec, &["whole"]);
    },
    |spec| {
        add(spec, "range", "blocks", "sequence", &[("gasUsed", 12)]);
        tree(spec, "whole", "range", 2, &[("items", 4)]);
        release(spec, &["whole"]);
    },
    |spec| {
        add(spec, "leaf", "blocks", "each", &[]);
        tree(spec, "range", "leaf", 2, &[("blocks", 3)]);
        tree(spec, "whole", "range", 3, &[]);
        release(spec, &["whole"]);
    },
    |spec| {
        parts(spec, "blocks");
        add(spec, "other", "blocks", "each", &[]);
        add(spec, "checked", "other", "each", &[]);
        release(spec, &["join", "other", "checked"]);
    },
    |spec| {
        add(spec, "leaf", "blocks", "each", &[]);
        add(spec, "last", "leaf", "sequence", &[("blocks", 4)]);
        add(spec, "heavy", "last", "each", &[]).program = Some("large".into());
        release(spec, &["last", "heavy"]);
    },
    |spec| {
        parts(spec, "blocks");
        tree(spec, "range", "join", 2, &[("blocks", 5)]);
        release(spec, &["range"]);
    },
    |spec| {
        add(spec, "batch", "blocks", "sequence", &[("blocks", 3)]);
        parts(spec, "batch");
        release(spec, &["join"]);
    },
    // Its group has a join that no open one has, and that leaves out the last block.
    |spec| {
        add(spec, "leaf", "blocks", "each", &[]);
        tree(spec, "range", "leaf", 3, &[("blocks", 8)]);
        release(spec, &["range"]);
    },
];

fn parts(spec: &mut PipelineSpec, from: &str) {
    add(spec, "split", from, "each", &[]).output = Some("parts".into());
    add(spec, "step", "split", "each", &[]).program = Some("large".into());
    add(spec, "join", "step", "parts", &[]);
}

fn tree<'a>(
    spec: &'a mut PipelineSpec,
    name: &str,
    from: &str,
    arity: u64,
    max: &[(&str, u64)],
) -> &'a mut StageSpec {
    let stage = add(spec, name, from, "tree", max);
    stage.arity = Some(arity);
    stage
}

fn add<'a>(
    spec: &'a mut PipelineSpec,
    name: &str,
    from: &str,
    collect: &str,
    max: &[(&str, u64)],
) -> &'a mut StageSpec {
    let stage = StageSpec {
        inputs: vec![from.to_owned()],
        collect: Some(collect.to_owned()),
        program: Some("small".to_owned()),
        max: max.iter().map(|(key, limit)| ((*key).to_owned(), *limit)).collect(),
        timeout: Some(Duration::from_secs(5)),
        grace: Some(Duration::from_secs(1)),
        retry: retry(),
        patience: Some(Duration::ZERO),
        ..StageSpec::default()
    };
    spec.stages.insert(name.to_owned(), stage);
    spec.stages.get_mut(name).expect("it was just put there")
}

/// Small, so that worlds reach them; and each another, so that none is taken for another's.
fn retry() -> BTreeMap<String, u64> {
    let classes = [
        ("transient", 3),
        ("resource", 5),
        ("timeout", 4),
        ("failed", 2),
        ("rejected", 7),
        ("lost", 6),
        ("unjudged", 8),
    ];
    classes.into_iter().map(|(class, attempts)| (class.to_owned(), attempts)).collect()
}

fn release(spec: &mut PipelineSpec, inputs: &[&str]) {
    spec.release.inputs = inputs.iter().map(|input| (*input).to_owned()).collect();
}

fn head() -> PipelineSpec {
    let mut spec = PipelineSpec {
        push0: Some(1),
        name: "world".into(),
        window: Some(8),
        ..PipelineSpec::default()
    };
    spec.source.kind = "file".into();
    spec.source.path = Some("blocks.jsonl".into());
    spec.source.chain = Some(7);
    for (name, memory, gpus) in [("small", 1 << 30, 0), ("large", 5 << 30, 1)] {
        let program = ProgramSpec {
            command: vec![name.to_owned()],
            contract: Some("serve".into()),
            memory: Some(memory),
            gpus,
            ..ProgramSpec::default()
        };
        spec.programs.insert(name.to_owned(), program);
    }
    spec
}
