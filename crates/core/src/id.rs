//! Numbers that name things: each a type of its own, printed with its kind.
//!
//! Not here: ids that are hashes (`digest`) or words (`name`).

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The one after this.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

id! {
    /// The position of an event in the log. The first event has 1; 0 is the empty log.
    Seq, ""
}
id! {
    /// One try at a task: the position in the log of the event that granted it.
    AttemptId, "attempt-"
}
id! {
    /// One engine's time as the only writer of the log; a later one is higher.
    Epoch, "epoch-"
}
id! {
    /// A block's number on its chain.
    Height, ""
}
impl Height {
    /// The highest that a log takes: no chain gets there, and past it sums of heights would overflow.
    pub const MAX: Self = Self(u64::MAX / 4);
}

id! {
    /// A chain's EIP-155 id.
    ChainId, "chain-"
}
id! {
    /// The place of a released proof in its feed. The first has 1.
    ReleaseNumber, "release-"
}
