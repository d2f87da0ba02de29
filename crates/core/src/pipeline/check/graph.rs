//! How stages hang together: references, cycles, parts and spans.
//!
//! Works on names. What it makes of them is indices, in topological order, ties by name.
//!
//! Not here: a stage's own keys (`stage`).

use std::collections::{BTreeMap, BTreeSet};

use super::hash::stage_digest;
use super::stage::{Draft, Rule, STAGES_MAX, rule};
use super::{Faults, WINDOW};
use crate::{
    Digest, Inflow, PipelineName, PipelineSpec, Program, ProgramName, Stage, StageIndex, StageSpec,
    counted,
};

/// The stages of a pipeline whose references, order and shapes are right.
pub(super) struct Graph<'a> {
    spec: &'a PipelineSpec,
    /// In topological order.
    nodes: Vec<Node<'a>>,
    places: BTreeMap<&'a str, usize>,
}

struct Node<'a> {
    name: &'a str,
    input: Inflow,
    /// The stage whose parts flow in.
    split: Option<StageIndex>,
    spans: Inflow,
}

/// The graph, or `None` if a fault leaves it without sense.
pub(super) fn check<'a>(spec: &'a PipelineSpec, faults: &mut Faults) -> Option<Graph<'a>> {
    if spec.stages.len() > STAGES_MAX {
        return None;
    }
    let stages_ok = stage_references(spec, faults);
    let release_ok = release_references(spec, faults);
    let cycles_ok = cycles(spec, faults);
    if !(stages_ok && cycles_ok) {
        return None;
    }
    let mut graph = Graph { spec, nodes: Vec::new(), places: BTreeMap::new() };
    graph.order();
    for index in 0..graph.nodes.len() {
        graph.check_parts(index, faults);
        graph.check_window(index, faults);
    }
    if release_ok {
        graph.check_release(faults);
        graph.check_unused(faults);
    }
    Some(graph)
}

fn stage_references(spec: &PipelineSpec, faults: &mut Faults) -> bool {
    let before = faults.0.len();
    for (name, stage) in &spec.stages {
        let keys = ["stages", name, "inputs"];
        match stage.inputs.as_slice() {
            [] => faults.add(&keys, "no inputs", "write `inputs = [\"blocks\"]`, or name a stage"),
            [_] => {}
            // A quorum is refused for its `collect`.
            [..] if stage.collect.as_deref() == Some("quorum") => {}
            [..] => faults.add(
                &keys,
                format!("{} inputs", stage.inputs.len()),
                "name one: joining provers is a quorum, which is not built yet",
            ),
        }
        let stages = || spec.stages.keys().map(String::as_str).filter(|name| *name != "blocks");
        let known = || ["blocks"].into_iter().chain(stages());
        for input in &stage.inputs {
            if input != "blocks" && !spec.stages.contains_key(input) {
                let what = format!("no stage `{}`", input.escape_debug());
                faults.unknown(&keys, &what, &mut known().filter(|other| other != name));
            }
        }
    }
    let has_one = |stage: &StageSpec| stage.inputs.len() == 1;
    faults.0.len() == before && spec.stages.values().all(has_one)
}

fn release_references(spec: &PipelineSpec, faults: &mut Faults) -> bool {
    let before = faults.0.len();
    let keys = ["release", "inputs"];
    let inputs = &spec.release.inputs;
    if inputs.is_empty() {
        let remedy = "name the stages whose proofs are released, as in `inputs = [\"range\"]`";
        faults.add(&keys, "nothing is released", remedy);
    }
    for (index, input) in inputs.iter().enumerate() {
        if inputs.iter().take(index).any(|earlier| earlier == input) {
            faults.add(&keys, format!("`{}` twice", input.escape_debug()), "name it once");
        } else if input == "blocks" {
            let remedy = "only proofs are released: name a stage";
            faults.add(&keys, "the source's blocks", remedy);
        } else if !spec.stages.contains_key(input) {
            let known = &mut spec.stages.keys().map(String::as_str);
            let what = format!("no stage `{}`", input.escape_debug());
            faults.unknown(&keys, &what, known);
        }
    }
    match spec.release.order.as_deref() {
        None | Some("in-order") => {}
        Some("as-ready") => faults.not_built(&["release", "order"], "as-ready"),
        Some(other) => faults.not_one_of(&["release", "order"], other, &["in-order"]),
    }
    faults.0.len() == before
}

/// Refuses each cycle once, at the stage of it that sorts first.
fn cycles(spec: &PipelineSpec, faults: &mut Faults) -> bool {
    let before = faults.0.len();
    // A stage named `blocks` is refused for its name, and would look like a cycle.
    for name in spec.stages.keys().filter(|name| *name != "blocks") {
        if let Some(way) = way_round(spec, name) {
            let remedy = "break it: every stage must lead back to `blocks`";
            let what = format!("a cycle: {}", way.join(" -> "));
            faults.add(&["stages", name, "inputs"], what, remedy);
        }
    }
    faults.0.len() == before && !spec.stages.contains_key("blocks")
}

/// A way from a stage along what it feeds back to it, over stages that sort after it.
fn way_round<'a>(spec: &'a PipelineSpec, start: &'a str) -> Option<Vec<&'a str>> {
    let mut after: BTreeMap<&str, &str> = BTreeMap::new();
    let mut open = vec![start];
    while let Some(name) = open.pop() {
        for input in spec.stages.get(name).into_iter().flat_map(|stage| &stage.inputs) {
            if input == start {
                let mut way = vec![start, name];
                while let Some(next) = way.last().and_then(|last| after.get(last)) {
                    way.push(next);
                }
                return Some(way);
            }
            if input.as_str() > start && !after.contains_key(input.as_str()) {
                after.insert(input, name);
                open.push(input);
            }
        }
    }
    None
}

impl<'a> Graph<'a> {
    /// The stages whose proofs are released.
    pub(super) fn release(&self) -> Vec<StageIndex> {
        let place = |name: &String| self.places.get(name.as_str()).copied().map(StageIndex);
        self.spec.release.inputs.iter().filter_map(place).collect()
    }

    /// The stages, each from what it says of itself.
    pub(super) fn stages(
        &self,
        pipeline: &PipelineName,
        programs: &BTreeMap<ProgramName, Program>,
        mut drafts: BTreeMap<String, Draft>,
    ) -> Vec<Stage> {
        let mut stages: Vec<Stage> = Vec::new();
        for (index, node) in self.nodes.iter().enumerate() {
            let named = self.stage(node.name).program.as_deref();
            let program = programs.iter().find(|(name, _)| Some(name.as_str()) == named);
            let (Some(draft), Some((name, program))) = (drafts.remove(node.name), program) else {
                continue;
            };
            let feeds = self.feeds(index);
            let mut stage = Stage {
                name: draft.name,
                input: node.input,
                collect: draft.collect,
                output: draft.output,
                program: name.clone(),
                args: draft.args,
                timeout: draft.timeout,
                grace: draft.grace,
                retry: draft.retry,
                digest: Digest([0; 32]),
                from_end: 0,
                spans: node.spans,
                split: node.split,
                feeds,
            };
            let input = match node.input {
                Inflow::Blocks => None,
                Inflow::Stage(StageIndex(input)) => stages.get(input).map(|stage| stage.digest),
            };
            stage.digest = stage_digest(pipeline, &stage, program, input);
            stages.push(stage);
        }
        measure(&mut stages);
        stages
    }

    /// Puts the stages in order; each has one input, and there are no cycles.
    fn order(&mut self) {
        let mut feeds: BTreeMap<&str, BTreeSet<&'a str>> = BTreeMap::new();
        for (name, stage) in &self.spec.stages {
            for input in &stage.inputs {
                feeds.entry(input).or_default().insert(name);
            }
        }
        let mut ready = feeds.remove("blocks").unwrap_or_default();
        while let Some(name) = ready.pop_first() {
            ready.extend(feeds.remove(name).unwrap_or_default());
            let place = self.nodes.len();
            self.places.insert(name, place);
            let input = self.stage(name).inputs.first().map_or("", String::as_str);
            let input =
                self.places.get(input).map_or(Inflow::Blocks, |at| Inflow::Stage(StageIndex(*at)));
            let spans = match rule(self.stage(name)) {
                Some(Rule::Sequence | Rule::Tree) => Inflow::Stage(StageIndex(place)),
                Some(Rule::Each | Rule::Parts) | None => self.spans(input),
            };
            let split = self.split(input);
            self.nodes.push(Node { name, input, split, spans });
        }
    }

    fn check_parts(&self, index: usize, faults: &mut Faults) {
        let Some(node) = self.nodes.get(index) else { return };
        let stage = self.stage(node.name);
        let keys = ["stages", node.name, "inputs"];
        let splitter = node.split.map(|split| self.name(split));
        match (rule(stage), splitter) {
            (Some(Rule::Tree), None) if node.input == Inflow::Blocks => faults.add(
                &keys,
                "a tree of blocks, in which a lone block has no proof",
                "feed it from a stage that collects `each` block",
            ),
            (Some(Rule::Parts), None) => faults.add(
                &["stages", node.name, "collect"],
                "nothing splits what flows in",
                "feed it from a stage with `output = \"parts\"`, or remove `collect`",
            ),
            (Some(Rule::Sequence | Rule::Tree), Some(splitter)) => faults.add(
                &keys,
                format!("parts, made by `{splitter}`"),
                "join them first, with `collect = \"parts\"`",
            ),
            (Some(Rule::Each), Some(splitter)) if stage.output.as_deref() == Some("parts") => {
                faults.add(
                    &["stages", node.name, "output"],
                    format!("parts of parts, made by `{splitter}`"),
                    "split once, or join them first with `collect = \"parts\"`",
                );
            }
            _ => {}
        }
    }

    /// Refuses a count of blocks that the window keeps from ever being there.
    fn check_window(&self, index: usize, faults: &mut Faults) {
        // A window of nothing is refused as such.
        let window = self.spec.window.filter(|window| *window > 0).unwrap_or(WINDOW);
        let Some(node) = self.nodes.get(index) else { return };
        let stage = self.stage(node.name);
        if !matches!(rule(stage), Some(Rule::Sequence | Rule::Tree)) || node.split.is_some() {
            return;
        }
        let is_of_blocks = self.spans(node.input) == Inflow::Blocks;
        let mut counts = Vec::new();
        for (bound, weights) in [("max", &stage.max), ("min", &stage.min)] {
            for key in ["blocks", "items"] {
                if let Some(count) = weights.get(key).filter(|_| key == "blocks" || is_of_blocks) {
                    counts.push((vec!["stages", node.name, bound, key], *count));
                }
            }
        }
        let arity = stage.arity.filter(|_| is_of_blocks && rule(stage) == Some(Rule::Tree));
        counts.extend(arity.map(|arity| (vec!["stages", node.name, "arity"], arity)));
        for (keys, count) in counts.iter().filter(|(_, count)| *count > window) {
            let what = format!("{}, in a window of {window}", counted(count, "block"));
            faults.add(keys, what, "lower it, or raise `window`");
        }
    }

    fn check_release(&self, faults: &mut Faults) {
        let keys = ["release", "inputs"];
        let mut first: Option<(StageIndex, Inflow)> = None;
        for index in self.release() {
            if self.split(Inflow::Stage(index)).is_some() {
                let what = format!("`{}` makes parts", self.name(index));
                faults.add(&keys, what, "join them first, with `collect = \"parts\"`");
            }
            let spans = self.spans(Inflow::Stage(index));
            let (other, expected) = *first.get_or_insert((index, spans));
            if spans != expected {
                let what =
                    format!("`{}` and `{}` have other spans", self.name(other), self.name(index));
                let remedy = "a span is released once each input has proved it: they must have the \
                              same sequence or tree, or none, before them";
                faults.add(&keys, what, remedy);
            }
        }
    }

    fn check_unused(&self, faults: &mut Faults) {
        let mut used = vec![false; self.nodes.len()];
        for start in self.release() {
            let mut next = Some(start.0);
            while let Some(index) = next {
                if let Some(is_used) = used.get_mut(index) {
                    *is_used = true;
                }
                next = match self.nodes.get(index).map(|node| node.input) {
                    Some(Inflow::Stage(StageIndex(input))) => Some(input),
                    Some(Inflow::Blocks) | None => None,
                };
            }
        }
        for (node, _) in self.nodes.iter().zip(used).filter(|(_, is_used)| !is_used) {
            let remedy = "remove it, or name it in `release.inputs` or in the inputs of a stage that \
                          leads there";
            faults.add(&["stages", node.name], "nothing that is released needs this stage", remedy);
        }
    }

    fn feeds(&self, index: usize) -> Vec<StageIndex> {
        let is_fed = |node: &Node<'_>| node.input == Inflow::Stage(StageIndex(index));
        let fed = self.nodes.iter().enumerate().filter(|(_, node)| is_fed(node));
        fed.map(|(index, _)| StageIndex(index)).collect()
    }

    /// Whose spans the items have that flow out of `inflow`.
    fn spans(&self, inflow: Inflow) -> Inflow {
        match inflow {
            Inflow::Blocks => Inflow::Blocks,
            Inflow::Stage(StageIndex(index)) => {
                self.nodes.get(index).map_or(Inflow::Blocks, |node| node.spans)
            }
        }
    }

    /// The stage that made parts of what flows out of `inflow`, if they are parts.
    fn split(&self, inflow: Inflow) -> Option<StageIndex> {
        let Inflow::Stage(index) = inflow else { return None };
        let node = self.nodes.get(index.0)?;
        let stage = self.stage(node.name);
        match (rule(stage), stage.output.as_deref()) {
            (_, Some("parts")) => Some(index),
            (Some(Rule::Each), _) => node.split,
            (Some(Rule::Parts | Rule::Sequence | Rule::Tree) | None, _) => None,
        }
    }

    fn name(&self, StageIndex(index): StageIndex) -> &'a str {
        self.nodes.get(index).map_or("", |node| node.name)
    }

    fn stage(&self, name: &str) -> &'a StageSpec {
        self.spec.stages.get(name).expect("a node is made of a stage")
    }
}

/// Sets how far each stage is from the end: all it feeds come after it.
fn measure(stages: &mut [Stage]) {
    let mut distances = vec![0; stages.len()];
    for (index, stage) in stages.iter_mut().enumerate().rev() {
        let after = stage.feeds.iter().filter_map(|fed| distances.get(fed.0));
        stage.from_end = after.map(|distance| distance + 1).max().unwrap_or(0);
        if let Some(distance) = distances.get_mut(index) {
            *distance = stage.from_end;
        }
    }
}
