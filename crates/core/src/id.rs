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
    /// One engine's time as the only writer of the log; a later one is higher.
    Epoch, "epoch-"
}

/// One try at a task: the epoch of the engine that granted it, and the position in the log of the
/// event that says so. A grant leaves before that is durable, so that an engine and the next may
/// grant something at one position: their attempts differ by their epochs. A number of its own: the
/// epoch above [`POSITION_BITS`] bits of position. Ids of logs of before have no epoch.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(transparent)]
pub struct AttemptId(pub u64);

impl AttemptId {
    /// The attempt that an engine of `epoch` grants at a position of the log.
    #[must_use]
    pub const fn of(epoch: Epoch, at: Seq) -> Self {
        Self(epoch.0 << POSITION_BITS | at.0)
    }

    /// The position of the event that granted it.
    #[must_use]
    pub const fn position(self) -> Seq {
        Seq(self.0 & ((1 << POSITION_BITS) - 1))
    }

    /// Whose engine granted it; 0 where its log is of before.
    #[must_use]
    pub const fn epoch(self) -> Epoch {
        Epoch(self.0 >> POSITION_BITS)
    }
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "attempt-{}", self.position().0)?;
        match self.epoch().0 {
            0 => Ok(()),
            epoch => write!(f, "-of-{epoch}"),
        }
    }
}

/// A thousand facts a second fill so many positions in 34 years, and leave room for 16 million
/// epochs; a number of JavaScript holds the first 8,191 of them.
const POSITION_BITS: u32 = 40;

id! {
    /// A block's number on its chain.
    Height, ""
}
impl Height {
    /// The highest that a log takes: no chain gets there, and past it sums of heights would
    /// overflow.
    pub const MAX: Self = Self(u64::MAX / 4);
}

id! {
    /// A chain's EIP-155 id.
    ChainId, "chain-"
}
id! {
    /// The place of a head among all that a chain's source has said. The first has 1.
    HeadNumber, "head-"
}
id! {
    /// The place of a released proof in its feed. The first has 1.
    ReleaseNumber, "release-"
}
