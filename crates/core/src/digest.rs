//! Names that are hashes: 32 bytes, written in lower-case hexadecimal.
//!
//! Not here: what goes into a task's hash (`task_id`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

macro_rules! hash {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(pub [u8; 32]);

        impl $name {
            /// The first eight hexadecimal digits, for people.
            #[must_use]
            pub fn short(&self) -> String {
                let [a, b, c, d, ..] = self.0;
                hex(&[a, b, c, d])
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), hex(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }

        impl FromStr for $name {
            type Err = NotAHash;

            fn from_str(text: &str) -> Result<Self, NotAHash> {
                text.strip_prefix($prefix).and_then(unhex).map(Self).ok_or(NotAHash { prefix: $prefix })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}

hash! {
    /// The SHA-256 of some bytes: the name of an artifact, of public values, of a store.
    Digest, ""
}
hash! {
    /// The Keccak-256 of a block's header.
    BlockHash, "0x"
}
hash! {
    /// What is asked, hashed: the same work always has the same id.
    TaskId, ""
}
hash! {
    /// The digest of what verifies a program's proofs.
    Vkey, "sha256:"
}

impl Digest {
    /// The SHA-256 of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

/// A text that is no hash of its kind.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not `{prefix}` and 64 lower-case hexadecimal digits")]
pub struct NotAHash {
    prefix: &'static str,
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    let mut bytes = [0; 32];
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let mut value = 0;
        for digit in pair {
            let place = DIGITS.iter().position(|known| known == digit)?;
            value = value * 16 + u8::try_from(place).ok()?;
        }
        *byte = value;
    }
    Some(bytes)
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_read_back_from_what_it_prints() {
        let hash = BlockHash([0xa5; 32]);
        assert_eq!(hash.to_string().parse(), Ok(hash));
    }

    #[test]
    fn a_hash_of_another_kind_is_no_hash() {
        let digest = Digest([1; 32]).to_string();
        assert!(digest.parse::<BlockHash>().is_err());
        assert!(digest.to_uppercase().replace('0', "A").parse::<Digest>().is_err());
    }
}
