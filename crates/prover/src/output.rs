//! Writes what a prover made, so that it is there whole or not at all.
//!
//! Not here: what is in it (`prover`, `wire`).

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::process;

use crate::wire::{Base64, Hex, ResultFile, ResultFormat};
use crate::{Failure, Output, Prover};

/// Writes `output` to `path`: a temporary name beside it, a sync, a rename, a sync of the folder.
pub(crate) fn store<P: Prover>(prover: &P, output: Output, path: &Path) -> Result<(), Failure> {
    let bytes = encode(prover, output)?;
    write(path, &bytes).map_err(|error| {
        let message = format!("output {}: {error}", path.display());
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        let class =
            if full.contains(&error.kind()) { Failure::resource } else { Failure::transient };
        class(message)
    })
}

fn encode<P: Prover>(prover: &P, output: Output) -> Result<Vec<u8>, Failure> {
    let encoded = match output {
        Output::Proof { public_values, proof } => serde_json::to_vec(&ResultFile {
            format: ResultFormat::V1,
            vkey: prover.vkey(),
            mock: P::IS_MOCK,
            public_values: Hex(public_values),
            proof: Base64(proof),
        }),
        Output::Parts(parts) if parts.is_empty() => {
            return Err(Failure::failed("split into no parts"));
        }
        Output::Parts(parts) => serde_json::to_vec(&parts),
        Output::Raw(bytes) => Ok(bytes),
    };
    encoded.map_err(|error| Failure::failed(format!("output: {error}")))
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?.to_owned();
    name.push(format!(".{}.tmp", process::id()));
    let temporary = folder.join(name);

    let written = write_synced(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // Best effort: the folder is the attempt's own and goes with it.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    File::open(folder)?.sync_all()
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
