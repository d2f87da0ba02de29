//! Why something could not be measured, in words for a person. Nobody branches on it, so it has no
//! variants.

use std::error::Error;
use std::path::Path;
use std::{fmt, io};

/// It ends the command, or the part of it.
#[derive(Debug)]
pub(crate) struct Fault(String);

impl Fault {
    /// With these words.
    pub(crate) fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }

    /// Of a file or directory.
    pub(crate) fn at(path: &Path, error: &io::Error) -> Self {
        Self(format!("{}: {error}", path.display()))
    }
}

// Not an error itself: else every error could not become one.
impl<E: Error> From<E> for Fault {
    fn from(error: E) -> Self {
        Self(push0_core::causes(&error))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
