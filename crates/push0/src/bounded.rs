//! The bytes of a file, as far as a bound: what is larger, or endless, is not read to its end.
//!
//! Not here: what the bytes mean.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// All bytes of the file.
///
/// # Errors
///
/// It cannot be read, or holds more than `bytes_max` ([`io::ErrorKind::FileTooLarge`]).
pub(crate) fn read(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        let words = format!("more than {bytes_max} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, words));
    }
    Ok(bytes)
}

/// A page of text, a thousand times over. Unit: bytes.
pub(crate) const TEXT_BYTES_MAX: u64 = 1 << 20;
/// A result of the largest size in Base64, and its history. Unit: bytes.
pub(crate) const PROOF_BYTES_MAX: u64 = 512 << 20;
