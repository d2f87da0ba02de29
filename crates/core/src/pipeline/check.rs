//! What is wrong with a pipeline, all of it at once.
//!
//! First each key for itself (`program`, `stage`), then how stages hang together (`graph`). What
//! only follows from another fault is not reported.
//!
//! Not here: lines of a file; a fault names its key path and the shell finds the line.

mod graph;
mod hash;
mod program;
mod source;
mod stage;

use std::fmt;

pub(super) use self::hash::pipeline_digest;
use super::{Pipeline, PipelineSpec};
use crate::PipelineName;

/// One thing wrong with a pipeline.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// The key, as in `stages.range.arity`. It may be absent from the file, if that is the fault.
    pub path: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl Fault {
    /// The path of nested keys, quoted as TOML quotes them.
    #[must_use]
    pub fn path(keys: &[&str]) -> String {
        keys.iter().map(|key| quoted(key)).collect::<Vec<_>>().join(".")
    }

    /// The word of `known` that `word` is most likely meant to be, if one is near.
    #[must_use]
    pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
        let reach = (word.chars().count() / 3).clamp(1, 3);
        let with_distance = known.into_iter().map(|other| (distance(word, other), other));
        with_distance.filter(|(far, _)| *far <= reach).min().map(|(_, other)| other)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.what, self.path, self.remedy)
    }
}

pub(super) fn check(spec: &PipelineSpec) -> Result<Pipeline, Vec<Fault>> {
    match built(spec) {
        (Some(pipeline), faults) if faults.is_empty() => Ok(pipeline),
        (_, faults) => Err(faults),
    }
}

/// The pipeline, unless something is missing that it cannot be made without; and all that is wrong
/// with it.
pub(super) fn built(spec: &PipelineSpec) -> (Option<Pipeline>, Vec<Fault>) {
    let mut faults = Faults::default();
    let name = head(spec, &mut faults);
    let source = source::source(&spec.source, &mut faults);
    let programs = program::check(spec, &mut faults);
    let fields = stage::fields(spec);
    let drafts = stage::check(spec, &fields, &mut faults);
    let graph = graph::check(spec, &mut faults);

    let (Some(name), Some(source), Some(graph)) = (name, source, graph) else {
        return (None, faults.0);
    };
    let release = graph.release();
    let stages = graph.stages(&name, &programs, drafts);
    let is_whole = !stages.is_empty()
        && (stages.len(), programs.len()) == (spec.stages.len(), spec.programs.len());
    let window = spec.window.unwrap_or(WINDOW);
    let allow_mock = spec.allow_mock;
    let pipeline = Pipeline { name, window, allow_mock, source, programs, stages, release, fields };
    (is_whole.then_some(pipeline), faults.0)
}

fn head(spec: &PipelineSpec, faults: &mut Faults) -> Option<PipelineName> {
    match spec.push0 {
        Some(1) => {}
        Some(other) => faults.add(
            &["push0"],
            format!("version {other} of the format"),
            "this push0 reads version 1: write `push0 = 1`, or update push0",
        ),
        None => faults.add(&["push0"], "no version of the format", "write `push0 = 1`"),
    }
    match spec.order.as_deref() {
        None | Some("oldest-first") => {}
        Some("newest-first") => faults.not_built(&["order"], "newest-first"),
        Some(other) => faults.not_one_of(&["order"], other, &["oldest-first"]),
    }
    match spec.window {
        Some(0) => faults.add(&["window"], "a window of no blocks", "write 1 or more"),
        Some(window) if window > WINDOW_MAX => faults.add(
            &["window"],
            format!("a window of {window} blocks"),
            format!("write {WINDOW_MAX} or less"),
        ),
        _ => {}
    }
    match spec.name.as_str() {
        "" => {
            faults.add(&["name"], "no name", "name the pipeline, as in `name = \"scroll\"`");
            None
        }
        name => faults.name(&["name"], name),
    }
}

/// The faults found so far.
#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, keys: &[&str], what: impl Into<String>, remedy: impl Into<String>) {
        let (what, remedy) = (what.into(), remedy.into());
        self.0.push(Fault { path: Fault::path(keys), what, remedy });
    }

    fn not_built(&mut self, keys: &[&str], value: &str) {
        let remedy = "remove it, or use a version of push0 that has it";
        self.add(keys, format!("`{value}` is not built yet"), remedy);
    }

    fn not_one_of(&mut self, keys: &[&str], value: &str, known: &[&str]) {
        let listed: Vec<_> = known.iter().map(|word| format!("\"{word}\"")).collect();
        let remedy = format!("write {}", listed.join(" or "));
        self.add(keys, format!("unknown value `{value}`"), remedy);
    }

    fn unknown(&mut self, keys: &[&str], what: &str, known: &mut dyn Iterator<Item = &str>) {
        let known: Vec<_> = known.collect();
        let word = what.split('`').nth(1).unwrap_or(what);
        let remedy = match Fault::nearest(word, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "there is none yet: add it".to_owned(),
            None => format!("add it, or name one of: {}", listed(&known)),
        };
        self.add(keys, what, remedy);
    }

    fn name<T: std::str::FromStr>(&mut self, keys: &[&str], name: &str) -> Option<T> {
        let parsed = name.parse().ok();
        if parsed.is_none() {
            let what = format!("the name `{}`", name.escape_debug());
            self.add(keys, what, "write 1 to 40 of a-z, 0-9 and -");
        }
        parsed
    }

    fn argv(&mut self, keys: &[&str], words: &[String]) {
        if words.iter().any(|word| word.contains('\0')) {
            self.add(
                keys,
                "an argument with a NUL in it",
                "no program can be given one: remove it",
            );
        }
    }
}

fn listed(known: &[&str]) -> String {
    let mut text = known.iter().copied().take(LISTED_MAX).collect::<Vec<_>>().join(", ");
    if known.len() > LISTED_MAX {
        text.push_str(", …");
    }
    text
}

fn quoted(key: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    match !key.is_empty() && key.bytes().all(bare) {
        true => key.to_owned(),
        false => format!("\"{}\"", key.escape_debug()),
    }
}

/// How many characters to insert, delete or replace to get from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().take(WORD_MAX).collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, letter) in from.chars().take(WORD_MAX).enumerate() {
        let mut left = line + 1;
        let mut next = vec![left];
        for (other, above) in to.iter().zip(row.windows(2)) {
            let &[diagonal, above] = above else { continue };
            left = (diagonal + usize::from(*other != letter)).min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

/// As `docs/formats.md` fixes it.
const WINDOW: u64 = 1024;
/// A bound on the blocks in memory.
const WINDOW_MAX: u64 = 1_000_000;
/// How many of the known names an error shows.
const LISTED_MAX: usize = 8;
/// Names are at most 40 long; what is longer is near none of them.
const WORD_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_one_that_could_be_meant() {
        let distances = [
            ("", "abc", 3),
            ("abc", "", 3),
            ("abc", "axbxc", 2),
            ("kitten", "sitting", 3),
            ("same", "same", 0),
        ];
        for (from, to, far) in distances {
            assert_eq!(distance(from, to), far, "{from} to {to}");
        }
        assert_eq!(Fault::nearest("sequense", ["each", "sequence"]), Some("sequence"));
        assert_eq!(Fault::nearest("abc", ["xyz", "ab"]), Some("ab"));
        assert_eq!(Fault::nearest("abc", ["axy"]), None);
        assert_eq!(Fault::nearest("sequnc", ["sequence"]), Some("sequence"));
        assert_eq!(Fault::nearest("seqnc", ["sequnce"]), None);
    }
}
