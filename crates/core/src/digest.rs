//! Names that are hashes: 32 bytes, written in lower-case hexadecimal where people may read them.
//!
//! Not here: what goes into a task's hash (`task_id`).

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

macro_rules! hash {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Eq, Hash, PartialEq)]
        pub struct $name(pub [u8; 32]);

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                front(&self.0).cmp(&front(&other.0)).then_with(|| self.0.cmp(&other.0))
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        const _: () = assert!($prefix.len() <= PREFIX_MAX);

        impl $name {
            /// The first eight hexadecimal digits, for people.
            #[must_use]
            pub fn short(&self) -> String {
                let [a, b, c, d, ..] = self.0;
                format!("{:08x}", u32::from_be_bytes([a, b, c, d]))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(Text::of($prefix, &self.0).as_str())
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
                match serializer.is_human_readable() {
                    true => serializer.serialize_str(Text::of($prefix, &self.0).as_str()),
                    false => serializer.serialize_bytes(&self.0),
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                match deserializer.is_human_readable() {
                    true => crate::reading::word(deserializer),
                    false => crate::reading::bytes(deserializer).map(Self),
                }
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

/// The first bytes, as a number that orders hashes as they do. Maps by hash compare little else,
/// and a call to compare the whole took a seventh of the time of a replay.
fn front(bytes: &[u8; 32]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *bytes;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// A hash as it is written. A log is full of them, so they are made and read without an allocation.
struct Text {
    bytes: [u8; PREFIX_MAX + 64],
    length: usize,
}

impl Text {
    fn of(prefix: &str, hash: &[u8; 32]) -> Self {
        let mut text = Self { bytes: [0; PREFIX_MAX + 64], length: prefix.len() + 64 };
        if let Some((front, digits)) = text.bytes.split_at_mut_checked(prefix.len()) {
            front.copy_from_slice(prefix.as_bytes());
            for (pair, byte) in digits.chunks_exact_mut(2).zip(hash) {
                let digit = |half: u8| DIGITS.get(usize::from(half)).copied().unwrap_or_default();
                pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
            }
        }
        text
    }

    fn as_str(&self) -> &str {
        let written = self.bytes.get(..self.length).and_then(|it| std::str::from_utf8(it).ok());
        written.expect("it is made of digits")
    }
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    let mut bytes = [0; 32];
    if digits.len() != 64 {
        return None;
    }
    let mut illegal = 0;
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let value = |digit: &u8| VALUES.get(usize::from(*digit)).copied().unwrap_or(ILLEGAL);
        if let [high, low] = pair {
            let (high, low) = (value(high), value(low));
            illegal |= high | low;
            *byte = high << 4 | low;
        }
    }
    (illegal < ILLEGAL).then_some(bytes)
}

/// `sha256:`
const PREFIX_MAX: usize = 7;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// No digit has this value, nor its highest bit.
const ILLEGAL: u8 = 0x80;

/// The value of each digit; what is no digit has [`ILLEGAL`].
static VALUES: [u8; 256] = values();

#[expect(clippy::indexing_slicing, reason = "bounded by the loop; no iterator runs in a constant")]
const fn values() -> [u8; 256] {
    let mut values = [ILLEGAL; 256];
    let mut value = 0;
    while value < 16 {
        values[DIGITS[value as usize] as usize] = value;
        value += 1;
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_read_back_from_what_it_prints() {
        let hash = BlockHash([0xa5; 32]);
        assert_eq!(hash.to_string().parse(), Ok(hash));
    }

    #[test]
    fn hashes_are_in_the_order_of_their_bytes() {
        let places = [0, 7, 8, 31].map(|place| {
            [1, 0x80, 0xff].map(|byte| {
                let mut bytes = [0; 32];
                bytes.iter_mut().skip(place).take(1).for_each(|at| *at = byte);
                bytes
            })
        });
        let hashes = places.concat();
        for (one, other) in hashes.iter().flat_map(|one| hashes.iter().map(move |two| (one, two))) {
            assert_eq!(Digest(*one).cmp(&Digest(*other)), one.cmp(other), "{one:?} {other:?}");
        }
    }

    #[test]
    fn a_hash_of_another_kind_is_no_hash() {
        let digest = Digest([1; 32]).to_string();
        assert!(digest.parse::<BlockHash>().is_err());
        assert!(digest.to_uppercase().replace('0', "A").parse::<Digest>().is_err());
    }

    #[test]
    fn every_byte_is_read_back_and_nothing_else_is_a_digit() {
        let bytes = |first: u8| std::array::from_fn(|at| first + u8::try_from(at).expect("small"));
        for hash in [0, 32, 64, 96, 128, 160, 192, 224].map(|first| Digest(bytes(first))) {
            assert_eq!(hash.to_string().parse(), Ok(hash));
        }
        for byte in (0..=127_u8).filter(|byte| !DIGITS.contains(byte)) {
            for count in 1..=3 {
                let other = char::from(byte).to_string();
                let text = Digest([0; 32]).to_string().replacen('0', &other, count);
                assert!(text.parse::<Digest>().is_err(), "{byte}, {count} times");
            }
        }
    }
}
