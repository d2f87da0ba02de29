//! Built circuits on disk: a tenth of a second to load, a second to build.
//!
//! ```text
//! leaf-0.1.0-1a2b3c4d5e6f7081.circuit     magic | SHA-256 of the rest | circuit | wires     70 MB
//! leaf-0.1.0-1a2b3c4d5e6f7081.lock        held by whoever writes
//! ```
//!
//! The name holds this crate's version and the digest of its key, so another version reads other
//! files. A file is written under another name and renamed, so it is whole or not there; its hash
//! is checked when it is read, and a damaged one is built again. Of several processes that start at
//! once one writes; the others build for themselves instead of waiting for it, for it may never
//! end.
//!
//! Nothing rests on a cache being honest: what is loaded must have the pinned key, a proof is
//! checked before it is handed out, and a verifier reads no cache.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use plonky2::util::serialization::{
    Buffer, DefaultGateSerializer, DefaultGeneratorSerializer, IoResult, Read as _, Remaining as _,
    Write as _,
};
use sha2::{Digest as _, Sha256};

use crate::circuit::{C, Circuit, D, F, Wires, guard};
use crate::{Key, SetUp, Stage};

/// Where a circuit is from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Source {
    /// It was there.
    Cache,
    /// It was not.
    Built,
}

/// Why the cache was of no use. Go on without it, and tell the user.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// Free space, or mend the directory's rights.
    #[error("cache {name}: {source}")]
    Io { name: String, source: io::Error },
    /// Nothing to do: it has been built again.
    #[error("cache {0} is damaged")]
    Damaged(String),
    /// Nothing to do: another process is writing it.
    #[error("cache {0} is being written by another process")]
    Busy(String),
    /// A bug: plonky2 cannot write what it built.
    #[error("cache {0} cannot be encoded")]
    Encode(String),
}

/// The circuit of `stage` from the cache, else from `build`, and then into the cache.
pub(crate) fn load_or_build<W: Wires>(
    dir: Option<&Path>,
    key: &Key,
    stage: Stage,
    build: impl FnOnce() -> Circuit<W>,
) -> (Circuit<W>, SetUp) {
    let Some(dir) = dir else {
        return (build(), SetUp { source: Source::Built, problem: None });
    };
    let name = name(key, stage);
    let damage = match load(dir, &name, key, stage) {
        Ok(Some(circuit)) => return (circuit, SetUp { source: Source::Cache, problem: None }),
        Ok(None) => None,
        Err(error) => Some(error),
    };
    let circuit = build();
    let problem = store(dir, &name, &circuit).err().or(damage);
    (circuit, SetUp { source: Source::Built, problem })
}

/// The circuit in `dir`; `None` if there is none.
fn load<W: Wires>(
    dir: &Path,
    name: &str,
    key: &Key,
    stage: Stage,
) -> Result<Option<Circuit<W>>, CacheError> {
    let lost = |source| CacheError::Io { name: name.into(), source };
    let mut file = match File::open(dir.join(format!("{name}.circuit"))) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(lost(error)),
    };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(lost)?;
    let circuit = decode(&bytes).filter(|circuit| key.is_of(stage, &circuit.data));
    circuit.map(Some).ok_or_else(|| CacheError::Damaged(name.into()))
}

fn store<W: Wires>(dir: &Path, name: &str, circuit: &Circuit<W>) -> Result<(), CacheError> {
    let lost = |source| CacheError::Io { name: name.into(), source };
    let lock = File::create(dir.join(format!("{name}.lock"))).map_err(lost)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(CacheError::Busy(name.into())),
        Err(TryLockError::Error(error)) => return Err(lost(error)),
    }
    let bytes = encode(circuit).map_err(|_| CacheError::Encode(name.into()))?;
    let whole = dir.join(format!("{name}.circuit"));
    // One name will do, since there is one writer; what a killed one left is overwritten.
    let partial = dir.join(format!("{name}.partial"));
    let write = || {
        let mut file = File::create(&partial)?;
        file.write_all(MAGIC)?;
        file.write_all(&Sha256::digest(&bytes))?;
        file.write_all(&bytes)?;
        fs::rename(&partial, &whole)
    };
    let written = write();
    if written.is_err() {
        // It may not be there, and there is no more to be done.
        let _ = fs::remove_file(&partial);
    }
    written.map_err(lost)
}

fn encode<W: Wires>(circuit: &Circuit<W>) -> IoResult<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.write_circuit_data(&circuit.data, &DefaultGateSerializer, &generators())?;
    circuit.wires.write(&mut bytes)?;
    Ok(bytes)
}

fn decode<W: Wires>(bytes: &[u8]) -> Option<Circuit<W>> {
    let (digest, body) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<32>()?;
    if Sha256::digest(body)[..] != digest[..] {
        return None;
    }
    let read = || -> IoResult<_> {
        let mut buffer = Buffer::new(body);
        let data = buffer.read_circuit_data::<F, C, D>(&DefaultGateSerializer, &generators())?;
        let wires = W::read(&mut buffer)?;
        Ok((Circuit { data, wires }, buffer.is_empty()))
    };
    let (circuit, is_whole) = guard(read).ok()?.ok()?;
    is_whole.then_some(circuit)
}

fn generators() -> DefaultGeneratorSerializer<C, D> {
    DefaultGeneratorSerializer::default()
}

fn name(key: &Key, stage: Stage) -> String {
    let stage = match stage {
        Stage::Leaf => "leaf",
        Stage::Range => "range",
    };
    let digest = key.vkey().0.to_string();
    let (short, _) = digest.split_at(16);
    format!("{stage}-{}-{short}", env!("CARGO_PKG_VERSION"))
}

const MAGIC: &[u8] = b"push0.circuit/1\n";

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::*;
    use crate::Chain;

    #[test]
    fn what_was_built_once_is_loaded_until_it_is_damaged() {
        let dir = TempDir::new().expect("a directory");
        let set_up = || start(dir.path());
        assert!(matches!(set_up(), SetUp { source: Source::Built, problem: None }));
        assert!(matches!(set_up(), SetUp { source: Source::Cache, problem: None }));

        let path = circuit_in(dir.path());
        let mut bytes = fs::read(&path).expect("the cached circuit");
        *bytes.get_mut(1 << 20).expect("a byte") ^= 1;
        fs::write(&path, &bytes).expect("write");
        let damaged = set_up();
        assert!(matches!(damaged.problem, Some(CacheError::Damaged(_))), "{damaged:?}");
        assert_eq!(damaged.source, Source::Built);
        assert!(matches!(set_up(), SetUp { source: Source::Cache, problem: None }));
    }

    #[test]
    fn a_circuit_that_another_process_writes_is_not_waited_for() {
        let dir = TempDir::new().expect("a directory");
        let name = name(Key::pinned(), Stage::Leaf);
        let lock = File::create(dir.path().join(format!("{name}.lock"))).expect("a file");
        lock.lock().expect("nobody else has it");
        let set_up = start(dir.path());
        assert!(matches!(set_up.problem, Some(CacheError::Busy(_))), "{set_up:?}");
        assert_eq!(set_up.source, Source::Built);
    }

    fn start(dir: &Path) -> SetUp {
        let set_up = Chain::new(Some(dir.into())).set_up(Stage::Leaf).expect("a circuit");
        set_up.expect("it was not there")
    }

    fn circuit_in(dir: &Path) -> PathBuf {
        dir.join(format!("{}.circuit", name(Key::pinned(), Stage::Leaf)))
    }
}
