//! That a store is the log's whose engine, or reader, uses it.
//!
//! An engine ties a store to its log before it leads; a reader, and an engine that stands by, look
//! whose it is. Dispatchers compare the store's identity with the leader's. Not here: how it is
//! written (`push0_dispatch`).

use std::collections::BTreeSet;
use std::io;

use push0_core::{Digest, PipelineName, Scheduler};
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

/// Ties the store to a log that is about to be led.
///
/// # Errors
///
/// [`ClusterError::StoreOfOther`], or that the store does not answer.
pub(super) fn tie(store: &Store, log: &str, pipeline: &PipelineName) -> Result<(), ClusterError> {
    let owner = Owner { log: log.to_owned(), pipeline: pipeline.to_string() };
    store.tie(&owner).map_err(|error| match error {
        TieError::Other { owner } => ClusterError::StoreOfOther { store: store.to_string(), owner },
        error @ (TieError::Io(_) | _) => silent(store)(io::Error::other(error)),
    })
}

/// Makes sure that a store that is tied to no log may be this one's. It may not if it holds
/// artifacts, none of which this log knows: it is of a log that an older push0 led. It may not if
/// it holds none, and this log's were in a store: its mount is away, or it is another; unless that
/// one is lost for good, as an operator says (`is_lost`).
///
/// # Errors
///
/// [`ClusterError::StoreOfUnknown`], [`ClusterError::StoreEmpty`], or that the store does not
/// answer.
pub(super) fn fits(
    store: &Store,
    scheduler: &Scheduler,
    is_lost: bool,
) -> Result<(), ClusterError> {
    if store.owner().map_err(silent(store))?.is_some() {
        return Ok(());
    }
    let found = first(store)?;
    let mut known = scheduler.references().map(|known| known.artifact);
    let is_one_known = known.any(|artifact| found.contains(&artifact));
    let is_one_wanted = scheduler.references().next().is_some();
    match (found.is_empty(), is_one_known) {
        // An engine that leads may have tied it since the first look, and blocks have come.
        (false, false) if store.owner().map_err(silent(store))?.is_some() => Ok(()),
        (false, false) => Err(ClusterError::StoreOfUnknown { store: store.to_string() }),
        (true, _) if is_one_wanted && !is_lost => {
            Err(ClusterError::StoreEmpty { store: store.to_string() })
        }
        (true, _) | (false, true) => Ok(()),
    }
}

/// The first artifacts of the store, so many as are looked for in a log.
fn first(store: &Store) -> Result<BTreeSet<Digest>, ClusterError> {
    let mut found = BTreeSet::new();
    let walked = store.walk(&mut |stored| {
        found.extend(stored.digest);
        match found.len() < LOOKED_AT_MAX {
            true => Ok(()),
            false => Err(io::ErrorKind::Interrupted.into()), // enough is known
        }
    });
    match walked {
        Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(silent(store)(error)),
        Ok(()) | Err(_) => Ok(found),
    }
}

/// That the store does not answer.
pub(super) fn silent(store: &Store) -> impl Fn(io::Error) -> ClusterError + use<> {
    let path = store.to_string();
    move |source| StoreError { path: path.clone().into(), source }.into()
}

/// Artifacts of a store that is tied to no log, which are looked for in the log.
const LOOKED_AT_MAX: usize = 1_000;
