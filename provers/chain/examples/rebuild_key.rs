//! Builds the circuits and writes their key to `src/verification.key`.
//!
//! To be run whenever the circuits, or the version of plonky2, have changed. Proofs that were made
//! before are not accepted any more: a change of the key is a new program.
//!
//! Not here: whether the key is the right one, which a test says.

use std::io::{self, Write as _};
use std::path::Path;

use push0_prover_chain::{Key, Shape};

fn main() -> io::Result<()> {
    let shape = Shape::build().map_err(io::Error::other)?;
    let key = Key::of(&shape);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/verification.key");
    std::fs::write(&path, key.encode())?;
    writeln!(io::stdout(), "{}: {}, {} rows", path.display(), key.vkey(), shape.rows)
}
