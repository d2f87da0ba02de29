//! How an envelope is written: its JSON, closed by the digest of itself.
//!
//! It is written as it is made, for a proof may be large: nothing is held but what is written last.
//!
//! Not here: what is in it.

use std::io::{self, BufWriter, Write};

use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::EnvelopeError;
use crate::wire::Digest;

/// Writes the JSON of `body`, an object, closed by the digest of itself.
pub(super) fn seal<T: Serialize>(body: &T, out: impl Write) -> Result<(), serde_json::Error> {
    let sealing = Sealing { out, hash: Sha256::new(), last: None };
    let mut buffer = BufWriter::with_capacity(BUFFER_BYTES, sealing);
    serde_json::to_writer(&mut buffer, body)?;
    let sealing = buffer.into_inner().map_err(serde_json::Error::custom)?;
    sealing.close().map_err(serde_json::Error::custom)
}

/// Refuses bytes that are not closed by the digest of themselves.
pub(super) fn check_digest(bytes: &[u8]) -> Result<(), EnvelopeError> {
    let sealed = |bytes: &[u8]| {
        let unended = bytes.strip_suffix(SUFFIX.as_bytes())?;
        let (rest, digest) = unended.split_at_checked(unended.len().checked_sub(64)?)?;
        let body = rest.strip_suffix(PREFIX.as_bytes())?;
        Some((body.len(), str::from_utf8(digest).ok()?.to_owned()))
    };
    let (body, stated) = sealed(bytes).ok_or(EnvelopeError::Unsealed)?;
    let stated: Digest = stated.parse().map_err(EnvelopeError::DigestText)?;
    let body = bytes.get(..body).unwrap_or_default();
    let found = Digest(Sha256::new().chain_update(body).chain_update(END).finalize().into());
    if stated != found {
        return Err(EnvelopeError::Digest { stated, found });
    }
    Ok(())
}

/// A claim with its keys in order, whatever order this build of `serde_json` keeps them in.
#[expect(clippy::ref_option, reason = "as serde calls it")]
pub(super) fn claim<S: Serializer>(claim: &Option<Value>, to: S) -> Result<S::Ok, S::Error> {
    claim.clone().map(sorted).serialize(to)
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut fields: Vec<_> = map.into_iter().map(|(key, of)| (key, sorted(of))).collect();
            fields.sort_by(|(left, _), (right, _)| left.cmp(right));
            Value::Object(fields.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

/// Hashes what goes through it, and holds its last byte back: the digest stands before that.
struct Sealing<W> {
    out: W,
    hash: Sha256,
    last: Option<u8>,
}

impl<W: Write> Sealing<W> {
    fn close(mut self) -> io::Result<()> {
        let digest = Digest(self.hash.finalize().into());
        self.out.write_all(format!("{PREFIX}{digest}{SUFFIX}").as_bytes())?;
        self.out.flush()
    }
}

impl<W: Write> Write for Sealing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some((last, rest)) = bytes.split_last() else { return Ok(0) };
        self.hash.update(bytes);
        if let Some(held) = self.last.replace(*last) {
            self.out.write_all(&[held])?;
        }
        self.out.write_all(rest)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// What an object ends with.
const END: &[u8] = b"}";

pub(super) const PREFIX: &str = ",\"digest\":\"sha256:";
pub(super) const SUFFIX: &str = "\"}\n";

/// Written at once.
const BUFFER_BYTES: usize = 64 << 10;
