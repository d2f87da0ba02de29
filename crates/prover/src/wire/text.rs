//! Bytes that are written as text: `0x` hex, bare hex, `sha256:` hex and Base64, each a newtype.
//!
//! Each is written in one way only: lower-case hex, padded standard Base64.
//!
//! Not here: what the bytes mean.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::display::Base64Display;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

/// Bytes of any length, written `0x…`.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Hex(pub Vec<u8>);

/// A 32-byte hash of a chain (a block's hash, a state root), written `0x…`.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Hash32(pub [u8; 32]);

/// A SHA-256 digest of an artifact, written in bare hex.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Digest(pub [u8; 32]);

/// The digest of a verification key, written `sha256:…`: what a proof is checked against.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Vkey(pub Digest);

/// Bytes of any length, written in Base64.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Base64(pub Vec<u8>);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl Vkey {
    /// The digest of a verification key in the prover's own encoding.
    #[must_use]
    pub fn of(verification_key: &[u8]) -> Self {
        Self(Digest::of(verification_key))
    }
}

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(&self.0))
    }
}

impl fmt::Display for Hash32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.0))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Display for Vkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}

impl fmt::Display for Base64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Base64Display::new(&self.0, &BASE64_STANDARD).fmt(f)
    }
}

/// Text that does not stand for the bytes it should. Refuse what holds it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// The prefix that says what it is does not stand first.
    #[error("does not start with {0:?}")]
    Prefix(&'static str),
    /// Not hex, or of the wrong length.
    #[error("not hex of the right length: {0}")]
    Hex(#[from] hex::FromHexError),
    /// Not padded standard Base64.
    #[error("not base64: {0}")]
    Base64(#[from] base64::DecodeError),
}

impl FromStr for Hex {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        Ok(Self(hex::decode(after("0x", text)?)?))
    }
}

impl FromStr for Hash32 {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        Ok(Self(bytes32(after("0x", text)?)?))
    }
}

impl FromStr for Digest {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        Ok(Self(bytes32(text)?))
    }
}

impl FromStr for Vkey {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        after("sha256:", text)?.parse().map(Self)
    }
}

impl FromStr for Base64 {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        Ok(Self(BASE64_STANDARD.decode(text)?))
    }
}

fn after<'a>(prefix: &'static str, text: &'a str) -> Result<&'a str, TextError> {
    text.strip_prefix(prefix).ok_or(TextError::Prefix(prefix))
}

fn bytes32(text: &str) -> Result<[u8; 32], TextError> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes)?;
    Ok(bytes)
}

macro_rules! serde_as_text {
    ($($name:ident)*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    )*};
}

serde_as_text!(Hex Hash32 Digest Vkey Base64);
