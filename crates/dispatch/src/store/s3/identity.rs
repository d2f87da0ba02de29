//! The identity of a store in a bucket: found there, or drawn where the prefix is nobody's.
//!
//! Not here: what it tells (`s3`).

use std::io;

use bytes::Bytes;
use object_store::path::Path as Key;

use super::client::Client;
use super::trouble::NO_S3;
use super::{IDENTITY, OWNER, PROBE};
use crate::store::bucket::Bucket;
use crate::store::fault::fault;
use crate::store::{Access, drawn};

/// The identity in a bucket, drawn by the first of several that ask for it.
pub(super) fn identity(
    client: &Client,
    (bucket, prefix): (&Bucket, &Key),
    access: Access,
) -> io::Result<String> {
    let key = prefix.clone().join(IDENTITY);
    let place = client.place();
    let found = match (client.text(&key)?, access) {
        (Some(identity), _) => identity,
        (None, Access::Make) => {
            is_free(client, prefix, &key)?;
            client.create(&key, Bytes::from(drawn()?))?;
            client.text(&key)?.unwrap_or_default()
        }
        (None, Access::Write | Access::Read) => {
            let what = format!("{place}: there is no store in {bucket}");
            let remedy =
                "name the one that the engines use, or start an engine, which makes the store";
            return Err(fault(io::ErrorKind::NotFound, what, remedy));
        }
    };
    let is_one = found.len() == 32 && found.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_one {
        return Ok(found);
    }
    let (what, remedy) = match found.starts_with('<') {
        true => (format!("{place}: {}", NO_S3.0), NO_S3.1),
        false => {
            let what = format!("{place}: {key} is no identity of a store");
            (what, "name a prefix that nobody else uses")
        }
    };
    Err(fault(io::ErrorKind::InvalidData, what, remedy))
}

/// Makes sure that nobody else keeps anything under the prefix, before the first object of a store
/// is written there. A server may make a bucket that is missing, or say no more than that there is
/// no such object: to list it tells.
fn is_free(client: &Client, prefix: &Key, identity: &Key) -> io::Result<()> {
    let own = [IDENTITY, OWNER, PROBE].map(|name| prefix.clone().join(name));
    let Some(found) = client.first(prefix, |key| !own.contains(key))? else { return Ok(()) };
    if client.text(identity)?.is_some() {
        return Ok(()); // another machine has made it meanwhile
    }
    let what = format!("{}: it holds what is not push0's ({found}), and no store", client.place());
    Err(fault(io::ErrorKind::AlreadyExists, what, "name a prefix that nobody else uses"))
}
