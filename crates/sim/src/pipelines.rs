//! Pipelines drawn at random: every collector, over every other that is legal, 1 to 6 stages.
//!
//! What is drawn is a file's text; the real check says whether it is legal, and what is not is
//! drawn anew.

use std::collections::{BTreeMap, BTreeSet};

use push0_core::{Pipeline, PipelineSpec, ProgramName, ProgramSpec, StageSpec};

use crate::chance::Chance;
use crate::truth;

/// A legal pipeline.
pub(crate) fn draw(chance: &mut Chance) -> PipelineSpec {
    for _ in 0..TRIES_MAX {
        let spec = attempt(chance);
        if Pipeline::check(&spec).is_ok() {
            return spec;
        }
    }
    let mut spec = head(chance, 4);
    let stage = StageSpec {
        inputs: vec!["blocks".to_owned()],
        program: Some("small".to_owned()),
        timeout: Some(chance.millis(3_000, 8_000)),
        retry: retry(chance),
        patience: Some(chance.millis(0, 20_000)),
        ..StageSpec::default()
    };
    spec.stages.insert("leaf".to_owned(), stage);
    spec.release.inputs = vec!["leaf".to_owned()];
    spec
}

/// In some worlds the pipeline says which key its proofs are under, or how long to wait between two
/// tries.
pub(crate) fn declare(spec: &mut PipelineSpec, chance: &mut Chance) {
    if chance.permille(200) {
        for (name, program) in &mut spec.programs {
            let name: ProgramName = name.parse().expect("it is a name");
            program.vkey = chance.flip().then(|| truth::vkey(&name).to_string());
        }
    }
    if chance.permille(200) {
        for stage in spec.stages.values_mut() {
            stage.backoff = Some((chance.millis(20, 400), chance.millis(400, 4_000)));
        }
    }
}

/// The same under another policy: nothing that it proves differs.
pub(crate) fn with_other_policy(spec: &PipelineSpec, chance: &mut Chance) -> PipelineSpec {
    let mut other = spec.clone();
    other.window = Some(WINDOW_MAX - chance.below(4));
    for stage in other.stages.values_mut() {
        let more = chance.below(3);
        stage.max.values_mut().for_each(|max| *max = (*max + more).clamp(1, WINDOW_MAX / 2));
        stage.min.clear();
        stage.timeout = Some(chance.millis(3_000, 8_000));
    }
    match Pipeline::check(&other) {
        Ok(_) => other,
        Err(_) => spec.clone(),
    }
}

fn attempt(chance: &mut Chance) -> PipelineSpec {
    let window = chance.within(2, WINDOW_MAX);
    let mut spec = head(chance, window);
    let count = chance.within(1, 6);
    let mut names: Vec<String> = Vec::new();
    let mut last = "blocks".to_owned();
    for index in 0..count {
        let from = match chance.below(10) {
            0 => "blocks".to_owned(),
            1 => chance.pick(&names).cloned().unwrap_or_else(|| "blocks".to_owned()),
            _ => last.clone(),
        };
        // Names sort otherwise than the stages follow one another.
        let name = format!("{}{index}", chance.pick(&["a", "m", "z"]).copied().unwrap_or("a"));
        let drawn = StageSpec { inputs: vec![from], ..stage(chance) };
        spec.stages.insert(name.clone(), drawn);
        names.push(name.clone());
        last = name;
    }
    let fed: BTreeSet<_> = spec.stages.values().flat_map(|stage| stage.inputs.clone()).collect();
    let also = chance.permille(200);
    let released = names.iter().filter(|name| !fed.contains(*name) || (also && names.len() < 4));
    spec.release.inputs = released.cloned().collect();
    spec
}

fn stage(chance: &mut Chance) -> StageSpec {
    let mut stage = StageSpec {
        program: Some(if chance.permille(700) { "small" } else { "large" }.to_owned()),
        timeout: Some(chance.millis(3_000, 8_000)),
        grace: Some(chance.millis(200, 1_000)),
        retry: retry(chance),
        patience: Some(chance.millis(0, 20_000)),
        ..StageSpec::default()
    };
    let collect = match chance.below(10) {
        0..=3 => "each",
        4..=5 => "parts",
        6..=7 => "sequence",
        _ => "tree",
    };
    stage.collect = Some(collect.to_owned());
    if matches!(collect, "each" | "sequence") && chance.permille(400) {
        stage.output = Some("parts".to_owned());
    }
    if collect == "tree" {
        stage.arity = Some(chance.within(2, 4));
    }
    if matches!(collect, "sequence" | "tree") {
        bounds(&mut stage, chance);
    }
    stage
}

fn bounds(stage: &mut StageSpec, chance: &mut Chance) {
    let kinds: [(&str, u64, u64); 4] =
        [("blocks", 1, 7), ("items", 1, 6), ("bytes", 400, 4_000), ("gasUsed", 3, 30)];
    for (kind, low, high) in kinds {
        if chance.permille(350) {
            stage.max.insert(kind.to_owned(), chance.within(low, high));
        }
    }
    if chance.permille(300) {
        stage.age = Some(chance.millis(500, 6_000));
        if chance.permille(400) {
            stage.min.insert("blocks".to_owned(), chance.within(1, 3));
        }
    }
}

/// Small, so that worlds reach them.
fn retry(chance: &mut Chance) -> BTreeMap<String, u64> {
    let classes = ["transient", "resource", "timeout", "failed", "rejected", "lost"];
    classes.into_iter().map(|class| (class.to_owned(), chance.within(1, 5))).collect()
}

fn head(chance: &mut Chance, window: u64) -> PipelineSpec {
    let mut spec = PipelineSpec {
        push0: Some(1),
        name: "world".to_owned(),
        window: Some(window),
        ..PipelineSpec::default()
    };
    spec.source.kind = "file".to_owned();
    spec.source.path = Some("blocks.jsonl".to_owned());
    spec.source.chain = Some(7);
    for (name, memory) in [("small", 1 << 30), ("large", chance.within(1, 6) << 30)] {
        let program = ProgramSpec {
            command: vec![name.to_owned()],
            contract: Some("serve".to_owned()),
            memory: Some(memory),
            ..ProgramSpec::default()
        };
        spec.programs.insert(name.to_owned(), program);
    }
    spec
}

const WINDOW_MAX: u64 = 16;
const TRIES_MAX: usize = 60;
