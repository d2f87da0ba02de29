//! What a prover reads: the task's artifacts, each checked, copied to where only the attempt goes.
//!
//! A prover gets copies, never paths or links into the store, so that it can damage nothing but its
//! own.
//!
//! Not here: what the bytes mean (the prover knows).

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use push0_core::{Bound, Digest, Give, Grant, InputId, Key};
use push0_prover::wire;

use crate::room::is_full;
use crate::{ReadError, Store};

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
}

impl InputError {
    /// Whether the disk of the copy takes no more.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Write { source, .. } | Self::Store(ReadError::Write { source, .. }) => {
                is_full(source)
            }
            Self::Lost(..) | Self::Store(_) => false,
        }
    }
}

/// Writes the input of `grant` into `dir`, in the form that the program asks for.
pub(crate) fn write(
    store: &Store,
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
        Give::Raw => raw(store, &grant.inputs, &path)?,
        Give::Bundle => {
            let bundle = wire::Bundle::new(items(store, &grant.inputs, dir)?);
            let json = serde_json::to_vec(&bundle).map_err(io::Error::from);
            json.and_then(|json| fs::write(&path, json)).map_err(|e| unwritten(&path, e))?;
        }
    }
    Ok(path)
}

/// Copies the inputs into `dir`, and lists them.
pub(crate) fn items(
    store: &Store,
    inputs: &[Bound],
    dir: &Path,
) -> Result<Vec<wire::BundleItem>, InputError> {
    let folder = dir.join(ITEMS);
    fs::create_dir_all(&folder).map_err(|source| unwritten(&folder, source))?;
    let numbered = inputs.iter().enumerate();
    numbered.map(|(number, bound)| item(store, bound, folder.join(number.to_string()))).collect()
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

fn item(store: &Store, bound: &Bound, path: PathBuf) -> Result<wire::BundleItem, InputError> {
    let result = match bound.input {
        InputId::Task(_) => {
            let bytes = store.read(bound.artifact).map_err(lost)?;
            fs::write(&path, &bytes).map_err(|source| unwritten(&path, source))?;
            serde_json::from_slice::<wire::ResultFile>(&bytes).ok()
        }
        // A payload may be large, and nobody looks into it here.
        InputId::Block(_) | InputId::Part(..) => {
            let mut file = File::create(&path).map_err(|source| unwritten(&path, source))?;
            store.copy(bound.artifact, &mut file).map_err(lost)?;
            None
        }
    };
    Ok(wire::BundleItem {
        key: wire_key(bound.key),
        task: bound.input.maker().map(|task| task.to_string()),
        program: bound.program.as_ref().map(ToString::to_string),
        path,
        sha256: wire::Digest(bound.artifact.0),
        public_values: result.map(|result| result.public_values),
    })
}

/// One item is its bytes; several are a JSON array. Copied piece by piece: it may be large.
fn raw(store: &Store, inputs: &[Bound], path: &Path) -> Result<(), InputError> {
    let unwritten = |source| unwritten(path, source);
    let mut file = BufWriter::new(File::create(path).map_err(unwritten)?);
    let is_array = inputs.len() != 1;
    for (number, bound) in inputs.iter().enumerate() {
        if is_array {
            let separator = if number == 0 { b"[" } else { b"," };
            file.write_all(separator).map_err(unwritten)?;
        }
        store.copy(bound.artifact, &mut file).map_err(lost)?;
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
