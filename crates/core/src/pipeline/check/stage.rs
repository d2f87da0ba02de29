//! A stage's own keys.
//!
//! Not here: what its inputs are (`graph`).

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::time::Duration;

use super::Faults;
use crate::{
    Bounds, Budgets, Collect, Output, PipelineSpec, StageName, StageSpec, Weights, counted,
};

/// What a stage says of itself.
pub(super) struct Draft {
    pub(super) name: StageName,
    pub(super) collect: Collect,
    pub(super) output: Output,
    pub(super) args: Vec<String>,
    pub(super) timeout: Duration,
    pub(super) grace: Duration,
    pub(super) retry: Budgets,
}

/// The numeric block fields that some stage weighs, sorted.
pub(super) fn fields(spec: &PipelineSpec) -> Vec<String> {
    let weights = spec.stages.values().flat_map(|stage| stage.max.keys().chain(stage.min.keys()));
    let fields = weights.filter(|key| !COUNTED.contains(&key.as_str()));
    fields.cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

/// The stages without a fault of their own.
pub(super) fn check(
    spec: &PipelineSpec,
    fields: &[String],
    faults: &mut Faults,
) -> BTreeMap<String, Draft> {
    if spec.stages.len() > STAGES_MAX {
        let what = format!("{} stages", spec.stages.len());
        faults.add(&["stages"], what, format!("write {STAGES_MAX} or fewer"));
        return BTreeMap::new();
    }
    if spec.stages.is_empty() {
        faults.add(&["stages"], "no stages", "add one, as in `[stages.leaf]`");
    }
    let is_endless = spec.source.kind == "submit";
    let mut drafts = BTreeMap::new();
    for (name, stage) in &spec.stages {
        let mut at = At { name, spec: stage, fields, faults };
        drafts.extend(one(&mut at, is_endless).map(|draft| (name.clone(), draft)));
        program(&mut at, spec);
    }
    drafts
}

/// How a stage groups, as far as its text tells.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Rule {
    Each,
    Parts,
    Sequence,
    Tree,
}

/// The rule a stage names, if it is one that is built.
pub(super) fn rule(stage: &StageSpec) -> Option<Rule> {
    match stage.collect.as_deref() {
        None | Some("each") => Some(Rule::Each),
        Some("parts") => Some(Rule::Parts),
        Some("sequence") => Some(Rule::Sequence),
        Some("tree") => Some(Rule::Tree),
        Some(_) => None,
    }
}

fn one(at: &mut At<'_>, is_endless: bool) -> Option<Draft> {
    let name = match at.name {
        "blocks" => {
            at.faults.add(
                &["stages", at.name],
                "a stage named `blocks`",
                "that name is the source's: choose another",
            );
            None
        }
        name => at.faults.name(&["stages", name], name),
    };
    let collect = collect(at, is_endless);
    let output = output(at);
    let retry = retry(at);
    let timeout = at.duration("timeout", at.spec.timeout, TIMEOUT);
    let grace = at.spec.grace.unwrap_or(GRACE);
    if grace > DURATION_MAX {
        at.fault("grace", "a grace of more than a year", "write a shorter one, as in \"10s\"");
    }
    at.faults.argv(&["stages", at.name, "args"], &at.spec.args);
    match at.spec.verify.as_deref() {
        None | Some("maker") => {}
        Some("other") => at.faults.not_built(&["stages", at.name, "verify"], "other"),
        Some(value) => at.faults.not_one_of(&["stages", at.name, "verify"], value, &["maker"]),
    }
    let args = at.spec.args.clone();
    Some(Draft { name: name?, collect: collect?, output: output?, args, timeout, grace, retry })
}

fn program(at: &mut At<'_>, spec: &PipelineSpec) {
    match &at.spec.program {
        // A quorum has none, and it is refused elsewhere.
        None if at.spec.collect.as_deref() == Some("quorum") => {}
        None => at.fault("program", "no program", "name the program that proves its tasks"),
        Some(name) if spec.programs.contains_key(name) => {}
        Some(name) => {
            let known = &mut spec.programs.keys().map(String::as_str);
            let what = format!("no program `{}`", name.escape_debug());
            at.faults.unknown(&["stages", at.name, "program"], &what, known);
        }
    }
}

fn collect(at: &mut At<'_>, is_endless: bool) -> Option<Collect> {
    let Some(rule) = rule(at.spec) else {
        match at.spec.collect.as_deref() {
            Some("quorum") => at.faults.not_built(&["stages", at.name, "collect"], "quorum"),
            other => {
                let known = ["each", "parts", "sequence", "tree"];
                let other = other.unwrap_or_default();
                at.faults.not_one_of(&["stages", at.name, "collect"], other, &known);
            }
        }
        return None;
    };
    let arity = arity(at, rule);
    match rule {
        Rule::Each | Rule::Parts => {
            let keys = [
                ("max", !at.spec.max.is_empty()),
                ("min", !at.spec.min.is_empty()),
                ("age", at.spec.age.is_some()),
            ];
            for (key, _) in keys.into_iter().filter(|(_, is_given)| *is_given) {
                let remedy = "remove it, or write `collect = \"sequence\"` or \"tree\"";
                at.fault(key, "only a sequence or a tree is closed by a bound", remedy);
            }
            Some(if rule == Rule::Each { Collect::Each } else { Collect::Parts })
        }
        Rule::Sequence => Some(Collect::Sequence(bounds(at, is_endless))),
        Rule::Tree => Some(Collect::Tree(arity?, bounds(at, is_endless))),
    }
}

fn arity(at: &mut At<'_>, rule: Rule) -> Option<NonZeroU32> {
    let arity = at.spec.arity.unwrap_or(ARITY);
    if at.spec.arity.is_some() && rule != Rule::Tree {
        at.fault("arity", "only a tree has an arity", "remove it, or write `collect = \"tree\"`");
    } else if !(2..=ARITY_MAX).contains(&arity) {
        at.fault("arity", format!("an arity of {arity}"), format!("write 2 to {ARITY_MAX}"));
    }
    u32::try_from(arity).ok().and_then(NonZeroU32::new)
}

fn bounds(at: &mut At<'_>, is_endless: bool) -> Bounds {
    let (max, min) = (&at.spec.max, &at.spec.min);
    for (key, limit) in max {
        at.weight("max", key);
        if *limit == 0 {
            let remedy = "nothing would ever fit: write 1 or more, or remove it";
            at.faults.add(&["stages", at.name, "max", key], "a maximum of 0", remedy);
        }
    }
    for (key, least) in min {
        at.weight("min", key);
        if let Some(most) = max.get(key).filter(|most| *most < least) {
            let what = format!("a minimum of {least}, above the maximum of {most}");
            at.faults.add(&["stages", at.name, "min", key], what, "lower it, or raise the maximum");
        }
    }
    if is_endless && max.is_empty() && at.spec.age.is_none() {
        at.faults.add(
            &["stages", at.name],
            "nothing would close a batch, on a source that never ends",
            "add a `max` or an `age`, as in `age = \"30m\"`",
        );
    }
    let age = at.spec.age.map(|age| at.duration("age", Some(age), age));
    Bounds { max: at.weights(max), min: at.weights(min), age }
}

fn output(at: &mut At<'_>) -> Option<Output> {
    match (at.spec.output.as_deref(), rule(at.spec)) {
        (None | Some("proof"), _) => Some(Output::Proof),
        (Some("parts"), Some(Rule::Parts | Rule::Tree)) => {
            let remedy = "remove it: only what collects `each` or a `sequence` can split";
            at.fault("output", "parts made by what joins", remedy);
            None
        }
        (Some("parts"), Some(Rule::Each | Rule::Sequence) | None) => Some(Output::Parts),
        (Some(other), _) => {
            at.faults.not_one_of(&["stages", at.name, "output"], other, &["proof", "parts"]);
            None
        }
    }
}

fn retry(at: &mut At<'_>) -> Budgets {
    let mut budgets = Budgets::default();
    for (class, attempts) in &at.spec.retry {
        let keys = ["stages", at.name, "retry", class.as_str()];
        let budget = match class.as_str() {
            "transient" => &mut budgets.transient,
            "resource" => &mut budgets.resource,
            "timeout" => &mut budgets.timeout,
            "failed" => &mut budgets.failed,
            "rejected" => &mut budgets.rejected,
            "lost" => &mut budgets.lost,
            "unjudged" => &mut budgets.unjudged,
            "unprovable" | "invalid_input" => {
                let remedy = "the next attempt would end alike: remove it";
                at.faults.add(&keys, format!("`{class}` is not retried"), remedy);
                continue;
            }
            other => {
                let what = format!("no class of failure `{}`", other.escape_debug());
                at.faults.unknown(&keys, &what, &mut RETRIED.into_iter());
                continue;
            }
        };
        match u32::try_from(*attempts) {
            Ok(attempts @ 1..=ATTEMPTS_MAX) => *budget = attempts,
            _ => at.faults.add(
                &keys,
                counted(attempts, "attempt"),
                format!("write 1 to {ATTEMPTS_MAX}; the first attempt counts"),
            ),
        }
    }
    if let Some((min, max)) = at.spec.backoff {
        let keys = ["stages", at.name, "retry", "backoff"];
        match (DURATION_MIN..=DURATION_MAX).contains(&min) && min <= max && max <= DURATION_MAX {
            true => budgets.backoff = Some((min, max)),
            false => at.faults.add(
                &keys,
                format!("no waits from {min:?} to {max:?}"),
                "write the first wait and the longest, as in \"1s..5m\"",
            ),
        }
    }
    if let Some(patience) = at.spec.patience {
        match patience <= DURATION_MAX {
            true => budgets.patience = patience,
            false => at.faults.add(
                &["stages", at.name, "retry", "patience"],
                "more than a year",
                "write a shorter one, as in \"30m\"",
            ),
        }
    }
    budgets
}

/// The stage under check.
struct At<'a> {
    name: &'a str,
    spec: &'a StageSpec,
    fields: &'a [String],
    faults: &'a mut Faults,
}

impl At<'_> {
    fn fault(&mut self, key: &str, what: impl Into<String>, remedy: impl Into<String>) {
        self.faults.add(&["stages", self.name, key], what, remedy);
    }

    fn duration(&mut self, key: &str, given: Option<Duration>, default: Duration) -> Duration {
        let duration = given.unwrap_or(default);
        if duration < DURATION_MIN {
            self.fault(key, "no time at all", "write 1ms or more, as in \"30m\"");
        } else if duration > DURATION_MAX {
            self.fault(key, "more than a year", "write a shorter one, as in \"30m\"");
        }
        duration
    }

    /// Refuses what cannot be a block field's name.
    fn weight(&mut self, bound: &str, key: &str) {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let has_sense = (1..=FIELD_BYTES_MAX).contains(&key.len()) && key.bytes().all(legal);
        if !has_sense {
            self.faults.add(
                &["stages", self.name, bound, key],
                format!("nothing to weigh by: `{}`", key.escape_debug()),
                "write items, blocks, bytes, or a numeric field of a block, as in gasUsed",
            );
        }
    }

    fn weights(&self, given: &BTreeMap<String, u64>) -> Weights {
        let at = |field: &String| given.get(field).copied();
        let weighed = self.fields.iter().enumerate();
        Weights {
            items: given.get("items").copied(),
            blocks: given.get("blocks").copied(),
            bytes: given.get("bytes").copied(),
            fields: weighed.filter_map(|(index, field)| Some((index, at(field)?))).collect(),
        }
    }
}

/// The weights that are no block field.
const COUNTED: [&str; 3] = ["items", "blocks", "bytes"];
/// The classes of failure with a budget of their own.
const RETRIED: [&str; 9] = [
    "transient",
    "resource",
    "timeout",
    "failed",
    "rejected",
    "lost",
    "unjudged",
    "backoff",
    "patience",
];
/// As `docs/formats.md` fixes it.
const TIMEOUT: Duration = Duration::from_secs(3600);
/// As `docs/formats.md` fixes it.
const GRACE: Duration = Duration::from_secs(10);
/// Time is counted in milliseconds.
const DURATION_MIN: Duration = Duration::from_millis(1);
/// What is longer is a slip of the pen, and would overflow a deadline.
const DURATION_MAX: Duration = Duration::from_secs(366 * 24 * 3600);
/// As `docs/formats.md` shows it.
const ARITY: u64 = 2;
/// The inputs of one task are listed in one event.
const ARITY_MAX: u64 = 256;
/// A retry policy, not a loop.
const ATTEMPTS_MAX: u32 = 1000;
/// The longest field of a header by far.
const FIELD_BYTES_MAX: usize = 64;
/// The whole graph is in every engine's memory and on every screen.
pub(super) const STAGES_MAX: usize = 256;
