//! How much is read of the files that a person names.
//!
//! Not here: the reading (`push0_dispatch::bounded`).

pub(crate) use push0_dispatch::bounded::{open, read};

/// A page of text, a thousand times over. Unit: bytes.
pub(crate) const TEXT_BYTES_MAX: u64 = 1 << 20;
/// A result of the largest size in Base64, and its history. Unit: bytes.
pub(crate) const PROOF_BYTES_MAX: u64 = 512 << 20;
