//! What is wrong with a store, in words of its own for each cause, with what helps against that
//! one.
//!
//! An error of the system says what failed, and not what to do. Where push0 knows more, the error
//! is a [`Fault`].
//!
//! Not here: finding it (`dir/probe`, `s3/fault`).

use std::io;

use crate::mark::MarkError;

/// A cause that push0 knows, and its remedy.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub(super) struct Fault {
    what: String,
    remedy: &'static str,
}

/// An error that says `what` is so, and how it is mended.
pub(super) fn fault(
    kind: io::ErrorKind,
    what: impl Into<String>,
    remedy: &'static str,
) -> io::Error {
    io::Error::new(kind, Fault { what: what.into(), remedy })
}

/// What helps against `error`.
pub(super) fn remedy(error: &io::Error) -> &'static str {
    let inner = error.get_ref();
    if let Some(fault) = inner.and_then(|inner| inner.downcast_ref::<Fault>()) {
        return fault.remedy;
    }
    if inner.is_some_and(|inner| inner.is::<MarkError>()) {
        return "nothing there was changed"; // its own words say what to do
    }
    remedy_for(error.kind())
}

/// What helps against an error of the system in a directory that push0 uses.
#[must_use]
pub fn remedy_for(kind: io::ErrorKind) -> &'static str {
    of_kind(kind).unwrap_or("see to that; then the same command goes on")
}

/// The same, where its kind tells.
pub(super) fn of_kind(kind: io::ErrorKind) -> Option<&'static str> {
    let known = [
        (io::ErrorKind::PermissionDenied, "give this user the right to read and write there"),
        (io::ErrorKind::ReadOnlyFilesystem, "mount it so that it can be written"),
        (io::ErrorKind::StorageFull, "make room; then the same command goes on"),
        (io::ErrorKind::QuotaExceeded, "make room; then the same command goes on"),
        (io::ErrorKind::NotFound, "mount or make it; then the same command goes on"),
        (io::ErrorKind::StaleNetworkFileHandle, "mount it again; then the same command goes on"),
        (io::ErrorKind::TimedOut, "see to the mount; then the same command goes on"),
    ];
    known.into_iter().find(|(of, _)| *of == kind).map(|(_, remedy)| remedy)
}
