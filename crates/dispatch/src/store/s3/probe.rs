//! Tries, before anything relies on it, what push0 asks of a bucket: to write an object only where
//! there is none, to read what was written last, to list, and to remove.
//!
//! What it writes is one small object of a fixed name, which stays; so each later try needs one
//! write fewer.
//!
//! Not here: what a store does with it (`s3`), and the words for what a server refuses (`trouble`).

use std::io;

use bytes::Bytes;
use object_store::path::Path as Key;

use super::client::Client;
use super::trouble::NO_CONDITION;
use crate::store::Access;
use crate::store::fault::fault;

/// Tries what `access` takes, with the object at `key`; `removed` is a name that nobody else has.
///
/// # Errors
///
/// What the bucket or its server cannot do, or does not let these credentials do.
pub(super) fn probe(client: &Client, access: Access, key: &Key, removed: &Key) -> io::Result<()> {
    let bytes = || Bytes::from_static(WORDS);
    match access {
        Access::Read => return Ok(()),
        Access::Write | Access::Make => {}
    }
    if client.create(key, bytes())? && client.create(key, bytes())? {
        let (_, remedy) = NO_CONDITION;
        let what = "the server passes over If-None-Match, and writes over what is there";
        return Err(told(client, what, remedy));
    }
    let found = client.text(key)?;
    if found.as_deref().map(str::as_bytes) != Some(WORDS.trim_ascii_end()) {
        let what = "what was just written there is not what is read";
        let remedy = "use a server that answers what was written last, and no cache before it";
        return Err(told(client, what, remedy));
    }
    if client.written(key)?.is_none() {
        return Err(told(client, "an object that is there has no date", "use another server"));
    }
    if access == Access::Make {
        client.first(key, |_| true)?;
        client.create(removed, bytes())?;
        client.remove(removed)?;
    }
    Ok(())
}

fn told(client: &Client, what: &str, remedy: &'static str) -> io::Error {
    fault(io::ErrorKind::Unsupported, format!("{}: {what}", client.place()), remedy)
}

const WORDS: &[u8] = b"push0 tries whether this bucket will do\n";
