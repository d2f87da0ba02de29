//! The checks, by name: what must hold after every step, and at the end.
//!
//! Not here: how each is found (`ledger`, `watch`, `order`, `model`, `ending`).

use std::fmt;
use std::time::Duration;

/// Declares the checks.
macro_rules! checks {
    ($($(#[$doc:meta])* $name:ident $word:literal,)*) => {
        /// Something that must hold.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum Check { $($(#[$doc])* $name,)* }

        impl Check {
            /// Its name.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }
        }
    };
}

checks! {
    /// A task is accepted once for each opening.
    AcceptedOnce "accepted-once",
    /// What is granted goes before all that could be granted and is not; no slot idles.
    StrictOrder "strict-order",
    /// What is released is a gapless prefix of the canonical chain.
    GaplessPrefix "gapless-prefix",
    /// A failure counts only for the attempt that holds the lease.
    OwnFailure "own-failure",
    /// Nothing is granted beyond what its dispatcher has.
    Capacity "capacity",
    /// Everything has a bound, and keeps it.
    Limits "limits",
    /// No task is tried more often than its budgets allow, nor parked before.
    Budgets "budgets",
    /// Who is cordoned gets nothing new.
    Cordoned "cordoned",
    /// A dispatcher is set aside when it fails what others may prove, and never else; it gets
    /// probes then, and no more.
    SetAside "set-aside",
    /// What the log says is what the engine holds.
    ReplayEqualsLive "replay-equals-live",
    /// No promise leaves before its cause is durable, and no grant before its engine's claim.
    DurableFirst "durable-first",
    /// What was acknowledged is there after every crash.
    Acknowledged "acknowledged",
    /// What was damaged is refused, and never taken for a torn end.
    DamageRefused "damage-refused",
    /// A result is taken whoever brings it and however late.
    LateProof "late-proof-taken",
    /// A task's id depends on what is asked alone.
    SameId "same-id",
    /// A result is not taken that anybody can object to: a mock, of another key, of other parts or
    /// values.
    UnfitRefused "unfit-refused",
    /// A key is named and pinned when enough name it, and never else.
    Keys "keys",
    /// A complaint about what was made again since is not acted on.
    StaleComplaint "stale-complaint",
    /// The next try waits as long as it must, and no longer.
    Backoff "backoff",
    /// A batch closes when its rule says, neither early nor late.
    Batches "batches",
    /// What is due is decided, and what will be is woken up for.
    Deadlines "deadlines",
    /// No more than so much happens at one instant.
    Instants "instants",
    /// Results of one task have the same public values.
    SameValues "same-values",
    /// What is taken back takes with it all that was made from it, and nothing else.
    Discarded "discarded",
    /// A dispatcher that could be heard is not given up.
    LiveNotLost "live-not-lost",
    /// What runs out does so by the time that an engine ran.
    OwnTime "own-time",
    /// A lease that its dispatcher does not know is sent again, then withdrawn.
    LeaseKnown "lease-known",
    /// What runs and is no attempt of the log's is cancelled.
    GhostCancelled "ghost-cancelled",
    /// An attempt is started once in each life of its dispatcher.
    StartedOnce "started-once",
    /// A proof is let go of only once its task has one.
    ProofKept "proof-kept",
    /// What was decided fits the state it was decided in.
    Legal "legal",
    /// Once faults stop, everything comes to an end in time.
    Settles "settles",
    /// What is not released is parked, or held behind what is.
    HeldBehindParked "held-behind-parked",
    /// Records of two engines never interleave: each follows the one before it.
    OneWriter "one-writer",
    /// Of a log that went back nothing is appended, and who knows better ends.
    LoudStop "loud-stop",
    /// What an engine says that leads no more is not obeyed, and no engine says that it leads once
    /// its log says otherwise.
    StaleEpoch "stale-epoch",
    /// Where the log answers and an engine hears, one leads soon.
    Recovers "recovers",
    /// The reference model finds the same.
    Model "model",
    /// What is final stays on the chain, and nothing else is released.
    OnlyFinal "only-final",
    /// Nothing panics.
    NoPanic "no-panic",
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A check that did not hold.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Which.
    pub check: Check,
    /// What was found.
    pub what: String,
    /// When, in virtual time from the world's beginning.
    pub at: Duration,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (at {:.6} s)", self.check, self.what, self.at.as_secs_f64())
    }
}

/// A check that does not hold, and what was found.
pub(crate) type Found = (Check, String);

/// Answers `check` with these words unless it holds.
pub(crate) fn holds(
    check: Check,
    it_holds: bool,
    what: impl FnOnce() -> String,
) -> Result<(), Found> {
    if it_holds { Ok(()) } else { Err((check, what())) }
}
