//! What nobody else draws.
//!
//! Not here: what is named by it.

use std::fs::File;
use std::io::{self, Read as _};

/// Bytes from the kernel, for names that must differ from all others.
pub(crate) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}
