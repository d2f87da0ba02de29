//! The pipeline file: TOML in, a checked pipeline out, or every fault at once with its line.
//!
//! ```text
//!   bytes ──text──▶ str ──toml──▶ keys with places ──spec──▶ PipelineSpec ──core──▶ Pipeline
//! ```
//!
//! A wrong type, an unknown key and a fault that the core finds are told together, in the order of
//! the file. Where TOML itself is broken, only that is told: the rest would be guesswork.
//!
//! Not here: what makes a pipeline wrong (`push0_core::Pipeline::check`).

mod lines;
mod paths;
mod spec;
mod table;
mod text;
pub mod unit;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use push0_core::{Pipeline, PipelineSpec};
use toml::de::DeTable;

use self::lines::Lines;
use self::table::{FaultList, Keys};

/// A pipeline, and where its file lies.
#[derive(Clone, Debug)]
pub struct LoadedPipeline {
    /// What the file says.
    pub spec: PipelineSpec,
    /// The same, checked.
    pub pipeline: Pipeline,
    /// The file's directory, absolute: its paths are relative to it.
    pub dir: PathBuf,
}

/// Why a pipeline file cannot be used. Its display is lines for stderr, each a fault: show it as it
/// is, and exit 2.
#[derive(Debug, thiserror::Error)]
pub enum PipelineFileError {
    /// Nothing could be read. Name another file.
    #[error("{what} ({}): {remedy}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        what: String,
        /// What to do.
        remedy: &'static str,
        /// What the system said, where it did.
        #[source]
        source: Option<io::Error>,
    },
    /// The file was read, and is wrong. Correct it: these are all its faults.
    #[error("{}", joined(.0))]
    Faulty(Vec<FileFault>),
}

impl PipelineFileError {
    /// All that is wrong, a line for each fault.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::Unreadable { .. } => vec![self.to_string()],
            Self::Faulty(faults) => faults.iter().map(ToString::to_string).collect(),
        }
    }
}

/// One fault, and where it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileFault {
    /// The file, as it was named.
    pub file: PathBuf,
    /// Counted from 1. A missing key has the line of the table it is missing from.
    pub line: usize,
    /// The key's path; absent where the text is no TOML.
    pub key: Option<String>,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, key, what, remedy } = self;
        write!(f, "{} ({}:{line}", shown(what), file.display())?;
        if let Some(key) = key {
            write!(f, ", {}", shown(key))?;
        }
        write!(f, "): {}", shown(remedy))
    }
}

/// Reads and checks the pipeline file at `path`.
///
/// # Errors
///
/// [`PipelineFileError`]: all that is wrong with it. Nothing was changed.
pub fn load(path: &Path) -> Result<LoadedPipeline, PipelineFileError> {
    let text = text::read(path)?;
    let (spec, pipeline) = parse(&text).map_err(|faults| {
        let in_file = |fault: Fault| fault.of(path);
        PipelineFileError::Faulty(faults.into_iter().map(in_file).collect())
    })?;
    let file = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let dir = file.parent().map_or_else(|| PathBuf::from("."), Path::to_owned);
    Ok(LoadedPipeline { spec, pipeline, dir })
}

/// A fault before it knows its file.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Fault {
    line: usize,
    key: Option<String>,
    what: String,
    remedy: String,
}

impl Fault {
    fn of(self, file: &Path) -> FileFault {
        let Self { line, key, what, remedy } = self;
        FileFault { file: file.to_owned(), line, key, what, remedy }
    }
}

fn parse(text: &str) -> Result<(PipelineSpec, Pipeline), Vec<Fault>> {
    let lines = Lines::of(text);
    let (document, broken) = DeTable::parse_recoverable(text);
    if !broken.is_empty() {
        let first = broken.iter().take(BROKEN_MAX);
        let mut faults: Vec<_> = first.map(|error| no_toml(text, &lines, error)).collect();
        faults.sort_by_key(|fault| fault.line);
        faults.dedup();
        return Err(faults);
    }
    let places = lines.places(document.get_ref());
    let mut found = FaultList::new(&lines);
    let spec = spec::read(&mut Keys::root(document.get_ref(), &mut found));
    let checked = Pipeline::check(&spec);
    let (mut faults, covered) = found.into_parts();
    let mut pipeline = paths::check(&spec);
    match checked {
        Ok(checked) if faults.is_empty() && pipeline.is_empty() => return Ok((spec, checked)),
        Ok(_) => {}
        Err(faults) => pipeline.extend(faults),
    }
    // What was refused here reached the core as absent: it must not be told twice.
    let is_told = |path: &str| covered.iter().any(|told| lines::is_within(path, told));
    for fault in pipeline.into_iter().filter(|fault| !is_told(&fault.path)) {
        let line = places.line(&fault.path);
        let (what, remedy) = (fault.what, fault.remedy);
        faults.push(Fault { line, key: Some(fault.path), what, remedy });
    }
    faults.sort_by_key(|fault| fault.line);
    Err(faults)
}

fn no_toml(text: &str, lines: &Lines<'_>, error: &toml::de::Error) -> Fault {
    let line = error.span().map_or(1, |span| lines.line(span.start));
    let place = error.span().and_then(|span| text.get(span)).map(str::trim).unwrap_or_default();
    let place = if place.is_empty() { String::new() } else { format!(": `{place}`") };
    let what = format!("not TOML: {}{place}", error.message());
    Fault { line, key: None, what, remedy: "correct the line".to_owned() }
}

fn joined(faults: &[FileFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Text on one line of bounded length, whatever the file holds.
fn shown(text: &str) -> String {
    let is_long = text.chars().nth(SHOWN_MAX).is_some();
    let text: String = text.chars().take(SHOWN_MAX).collect();
    let mut shown = push0_core::plain(&text).into_owned();
    shown.push_str(if is_long { "…" } else { "" });
    shown
}

/// Past the first few, a broken file's errors follow from one another.
const BROKEN_MAX: usize = 8;
/// The longest text of a fault. Unit: characters.
const SHOWN_MAX: usize = 240;

#[cfg(test)]
mod tests;
