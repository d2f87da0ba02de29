//! Blocks from outside.
