//! What a prover reads: the task's artifacts, each checked, copied to where only the attempt goes.
//!
//! A prover gets copies, never paths or links into the store, so that it can damage nothing but its
//! own.
//!
//! A dispatcher may have reported a result as none that says itself that it is a mock. Nothing is
//! built on such a one: it is refused here, by name, before any prover reads it.
//!
//! Not here: what the bytes mean (the prover knows).

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use push0_core::{Bound, Digest, Give, Grant, InputId, Key, ProgramName, TaskId};
use push0_prover::wire;

use crate::output::{self, Form};
use crate::room::is_full;
use crate::{Config, ReadError};

/// Why a prover cannot be given its input.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    /// Report it: it must be made again.
    #[error("{0}")]
    Lost(Digest, #[source] ReadError),
    /// Try again.
    #[error("the input could not be read: {0}")]
    Store(#[source] ReadError),
    /// Try again.
    #[error("the input could not be written to {path}: {source}", path = path.display())]
    Write { path: PathBuf, source: io::Error },
    /// An operator takes that result back.
    #[error(
        "the result of task {task} says itself that it is a mock, and program {program} is declared as none: no proof can \
         be built on it; take it back: push0 discard {task} --why TEXT"
    )]
    Mock { task: TaskId, program: ProgramName },
}

impl InputError {
    /// Whether the disk of the copy takes no more.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Write { source, .. } | Self::Store(ReadError::Write { source, .. }) => {
                is_full(source)
            }
            Self::Lost(..) | Self::Store(_) | Self::Mock { .. } => false,
        }
    }
}

/// Writes the input of `grant` into `dir`, in the form that the program asks for.
pub(crate) fn write(
    config: &Config,
    grant: &Grant,
    give: Give,
    dir: &Path,
) -> Result<PathBuf, InputError> {
    let path = dir.join(INPUT);
    match give {
        Give::Number => {
            let number = grant.key.first.to_string();
            fs::write(&path, number).map_err(|source| unwritten(&path, source))?;
        }
        Give::Raw => raw(config, &grant.inputs, &path)?,
        Give::Bundle => {
            let bundle = wire::Bundle::new(items(config, &grant.inputs, dir)?);
            let json = serde_json::to_vec(&bundle).map_err(io::Error::from);
            json.and_then(|json| fs::write(&path, json)).map_err(|e| unwritten(&path, e))?;
        }
    }
    Ok(path)
}

/// Copies the inputs into `dir`, and lists them.
pub(crate) fn items(
    config: &Config,
    inputs: &[Bound],
    dir: &Path,
) -> Result<Vec<wire::BundleItem>, InputError> {
    let folder = dir.join(ITEMS);
    fs::create_dir_all(&folder).map_err(|source| unwritten(&folder, source))?;
    let numbered = inputs.iter().enumerate();
    numbered.map(|(number, bound)| item(config, bound, folder.join(number.to_string()))).collect()
}

/// A key as provers read it.
pub(crate) fn wire_key(key: Key) -> wire::Key {
    wire::Key {
        chain: key.chain.0,
        first: key.first.0,
        last: key.last.0,
        part: key.part.map(u64::from),
        tip: wire::Hash32(key.tip.0),
    }
}

fn item(config: &Config, bound: &Bound, path: PathBuf) -> Result<wire::BundleItem, InputError> {
    let public_values = match bound.input {
        InputId::Task(task) => {
            let (bytes, public_values) = result(config, bound, task)?;
            fs::write(&path, &bytes).map_err(|source| unwritten(&path, source))?;
            public_values
        }
        // A payload may be large, and nobody looks into it here.
        InputId::Block(_) | InputId::Part(..) => {
            let mut file = File::create(&path).map_err(|source| unwritten(&path, source))?;
            config.store.copy(bound.artifact, &mut file).map_err(lost)?;
            None
        }
    };
    Ok(wire::BundleItem {
        key: wire_key(bound.key),
        task: bound.input.maker().map(|task| task.to_string()),
        program: bound.program.as_ref().map(ToString::to_string),
        path,
        sha256: wire::Digest(bound.artifact.0),
        public_values,
    })
}

/// Another task's result, and its public values where it names them; unless it says that it is a
/// mock, and is of a program that is none.
fn result(
    config: &Config,
    bound: &Bound,
    task: TaskId,
) -> Result<(Vec<u8>, Option<wire::Hex>), InputError> {
    let bytes = config.store.read(bound.artifact).map_err(lost)?;
    let form = output::proof(&bytes, true).ok();
    let is_mock = form.as_ref().is_some_and(Form::says_mock);
    let maker = bound.program.as_ref().filter(|_| is_mock);
    let maker = maker.and_then(|name| Some((name, config.programs.get(name)?)));
    if let Some((program, _)) = maker.filter(|(_, program)| !program.is_mock) {
        return Err(InputError::Mock { task, program: program.clone() });
    }
    let public_values = match form {
        Some(Form::Result(result)) => Some(result.public_values),
        Some(Form::Other { .. } | Form::Parts(_)) | None => None,
    };
    Ok((bytes, public_values))
}

/// One item is its bytes; several are a JSON array. Copied piece by piece: it may be large.
fn raw(config: &Config, inputs: &[Bound], path: &Path) -> Result<(), InputError> {
    let unwritten = |source| unwritten(path, source);
    let mut file = BufWriter::new(File::create(path).map_err(unwritten)?);
    let is_array = inputs.len() != 1;
    for (number, bound) in inputs.iter().enumerate() {
        if is_array {
            let separator = if number == 0 { b"[" } else { b"," };
            file.write_all(separator).map_err(unwritten)?;
        }
        match bound.input {
            InputId::Task(task) => {
                let (bytes, _) = result(config, bound, task)?;
                file.write_all(&bytes).map_err(unwritten)?;
            }
            InputId::Block(_) | InputId::Part(..) => {
                config.store.copy(bound.artifact, &mut file).map_err(lost)?;
            }
        }
    }
    if is_array {
        let end: &[u8] = if inputs.is_empty() { b"[]" } else { b"]" };
        file.write_all(end).map_err(unwritten)?;
    }
    file.flush().map_err(unwritten)
}

fn lost(error: ReadError) -> InputError {
    match error {
        ReadError::Missing { digest } | ReadError::Damaged { digest, .. } => {
            InputError::Lost(digest, error)
        }
        ReadError::Io { .. } | ReadError::Write { .. } => InputError::Store(error),
    }
}

fn unwritten(path: &Path, source: io::Error) -> InputError {
    InputError::Write { path: path.to_owned(), source }
}

/// The name of what a prover reads.
pub(crate) const INPUT: &str = "input";
const ITEMS: &str = "items";
