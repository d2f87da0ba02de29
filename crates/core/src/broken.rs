//! Breakages: ways to be wrong on purpose, so that the simulator's tests can see that its checks bite.
//!
//! Without the feature `broken` none of them can be asked for, and the compiler removes them.

/// A rule that is not kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Breakage {
    /// A task's id is made of the bytes of its inputs too.
    IdOfBytes,
    /// A result counts only for the attempt that holds the lease.
    LateProofRefused,
    /// A failure counts whoever reports it.
    ZombieFailureCounts,
    /// A failure counts for the attempt of its number, whoever reports it.
    AnyonesFailureCounts,
    /// A time in which the engine stood still counts as silence of its dispatchers.
    SilenceAcrossFreeze,
    /// The window is measured from the lowest block that is not released.
    WindowFromRelease,
    /// No budget ends.
    RetryForEver,
    /// What a dispatcher still runs without a lease takes no slot.
    CapacityOfLeases,
    /// What a dispatcher claims to have is believed.
    ClaimsBelieved,
    /// A late beat of a dispatcher's former life is believed.
    PastLifeHeard,
    /// A result is refused at once whose task is not known.
    GhostRefused,
    /// The first key that a dispatcher names is pinned.
    FirstKeyPins,
    /// A known block is recorded again whenever its payload is another.
    AnyResupply,
    /// Of what is taken back only the result itself is, and nothing that was made from it.
    DiscardedAlone,
    /// The youngest block goes first.
    YoungestFirst,
    /// A batch is closed with what has arrived, whatever follows.
    BatchOfArrivals,
    /// A result made again may have other public values.
    AnyRemake,
    /// A surplus result is accepted again.
    AcceptedTwice,
    /// A result made again flows on as if it were the first.
    RemadeFlowsAgain,
    /// What a log asked for is done again by who replays it.
    PastRepeated,
}

/// Which rule is not kept, if any.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Broken(#[cfg(feature = "broken")] Option<Breakage>);

impl Broken {
    pub(crate) const fn none() -> Self {
        Self(
            #[cfg(feature = "broken")]
            None,
        )
    }

    #[cfg(feature = "broken")]
    pub(crate) const fn of(breakage: Breakage) -> Self {
        Self(Some(breakage))
    }

    /// Whether this rule is not kept.
    pub(crate) const fn by(self, breakage: Breakage) -> bool {
        #[cfg(feature = "broken")]
        return matches!(self.0, Some(broken) if broken as u8 == breakage as u8);
        #[cfg(not(feature = "broken"))]
        {
            let _ = breakage;
            false
        }
    }
}
