//! Words that name things: short, lower case, cheap to copy.
//!
//! Not here: which names a pipeline uses (`pipeline`).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The word itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NotAName;

            fn from_str(text: &str) -> Result<Self, NotAName> {
                check(text).map(|()| Self(text.into()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                crate::reading::word(deserializer)
            }
        }
    };
}

name! {
    /// A pipeline; part of every task's id.
    PipelineName
}
name! {
    /// A stage of a pipeline.
    StageName
}
name! {
    /// A program: a prover and its verification key.
    ProgramName
}
name! {
    /// A dispatcher, one per machine.
    DispatcherId
}

/// A text that cannot name anything.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a name is 1 to {NAME_BYTES_MAX} of a-z, 0-9 and -")]
pub struct NotAName;

fn check(text: &str) -> Result<(), NotAName> {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    match (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(legal) {
        true => Ok(()),
        false => Err(NotAName),
    }
}

/// As `docs/formats.md` fixes it for a pipeline's name: at most 40.
const NAME_BYTES_MAX: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_lower_case() {
        assert!("scroll-2".parse::<StageName>().is_ok());
        for bad in ["", "Scroll", "a b", "a_b", &"a".repeat(41)] {
            assert_eq!(bad.parse::<StageName>(), Err(NotAName), "{bad}");
        }
    }
}
