//! That a store is the log's whose engine, or reader, uses it.
//!
//! An engine ties a store to its log before it leads; a reader, and an engine that stands by, look whose it is.
//! Dispatchers compare the store's identity with the leader's. Not here: how it is written (`push0_dispatch`).

use std::io;

use push0_core::{PipelineName, Scheduler};
use push0_dispatch::{Owner, Store, StoreError, TieError};

use super::error::ClusterError;

/// Makes sure that the store is not another log's; whether it is this one's.
///
/// # Errors
///
/// [`ClusterError::StoreOfOther`], or that the store does not answer.
pub(super) fn owned(store: &Store, log: &str) -> Result<bool, ClusterError> {
    match store.owner().map_err(silent(store))? {
        Some(owner) if owner.log != log => {
            Err(ClusterError::StoreOfOther { store: store.to_string(), owner })
        }
        owner => Ok(owner.is_some()),
    }
}

/// Ties the store to a log that is about to be led. One that is tied to none and holds artifacts, none of which this log
/// knows, is of a log that an older push0 led: it is not taken from that.
///
/// # Errors
///
/// [`ClusterError::StoreOfOther`], [`ClusterError::StoreOfUnknown`], or that the store does not answer.
pub(super) fn tie(
    store: &Store,
    log: &str,
    pipeline: &PipelineName,
    scheduler: &Scheduler,
) -> Result<(), ClusterError> {
    if store.owner().map_err(silent(store))?.is_none() && is_strange(store, scheduler)? {
        return Err(ClusterError::StoreOfUnknown { store: store.to_string() });
    }
    let owner = Owner { log: log.to_owned(), pipeline: pipeline.to_string() };
    store.tie(&owner).map_err(|error| match error {
        TieError::Other { owner } => ClusterError::StoreOfOther { store: store.to_string(), owner },
        error @ (TieError::Io(_) | _) => silent(store)(io::Error::other(error)),
    })
}

/// Whether there are artifacts, and none of the first of them is one that the log refers to.
fn is_strange(store: &Store, scheduler: &Scheduler) -> Result<bool, ClusterError> {
    let mut found = Vec::new();
    let walked = store.walk(&mut |stored| {
        found.extend(stored.digest);
        match found.len() < LOOKED_AT_MAX {
            true => Ok(()),
            false => Err(io::ErrorKind::Interrupted.into()), // enough is known
        }
    });
    match walked {
        Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(silent(store)(error)),
        Ok(()) | Err(_) => {
            let is_known = scheduler.references().any(|known| found.contains(&known.artifact));
            Ok(!found.is_empty() && !is_known)
        }
    }
}

/// That the store does not answer.
pub(super) fn silent(store: &Store) -> impl Fn(io::Error) -> ClusterError + use<> {
    let path = store.to_string();
    move |source| StoreError { path: path.clone().into(), source }.into()
}

/// Artifacts of a store that is tied to no log, which are looked for in the log.
const LOOKED_AT_MAX: usize = 1_000;
