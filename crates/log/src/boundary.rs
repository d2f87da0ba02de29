//! Where a frame begins: what it begins with, and at which positions one may. Nothing that is no
//! frame may look like one there.
//!
//! Not here: what a frame holds (`frame`), and what is written so that it does not look like one
//! (`payload`).

/// Whether a frame begins in `bytes` at a multiple of [`ALIGN`], be it whole or not.
pub(crate) fn begins_in(bytes: &[u8]) -> bool {
    bytes.chunks(ALIGN).any(|chunk| chunk.starts_with(&MAGIC))
}

/// Whether a reader of a frame with this payload could take some of it for the beginning of
/// another.
pub(crate) fn seems_begun_in(payload: &[u8]) -> bool {
    payload.get(ALIGN - HEADER_BYTES % ALIGN..).is_some_and(begins_in)
}

/// Every frame begins at a multiple of this in its segment.
pub(crate) const ALIGN: usize = 64;

/// What every frame begins with, and so every segment.
pub const MAGIC: [u8; 8] = *b"\x89push0\r\n";

/// What stands before a frame's payload (`frame`).
pub(crate) const HEADER_BYTES: usize = 88;
