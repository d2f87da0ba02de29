//! Faults: what may go wrong, how often in this world, and what did.
//!
//! Each kind has a stream of chance of its own and each of its strikes a number, so that one strike
//! can be left out and the others stay. Swarm weights: a world has about half of the kinds, each
//! rare, usual or frequent, for a world in which everything fails is as tame as one in which
//! nothing does.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use crate::chance::Chance;

/// Declares the kinds with the share of opportunities, in a thousand, at which a usual one strikes.
macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident $word:literal $usual:literal,)*) => {
        /// A kind of fault.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum Fault { $($(#[$doc])* $name,)* }

        impl Fault {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }

            const fn usual(self) -> u64 {
                match self { $(Self::$name => $usual),* }
            }
        }
    };
}

faults! {
    /// The engine's process is killed.
    EngineKilled "engine-killed" 12,
    /// The power of the engine's machine goes: what was not synced is lost in part.
    PowerLost "power-lost" 8,
    /// The engine dies at one operation of its disk, in the middle of an append.
    TornWrite "torn-write" 6,
    /// The engine dies between two of the messages that a turn lets go.
    HalfSent "half-sent" 4,
    /// A write or a sync of the log fails.
    SyncFailed "sync-failed" 4,
    /// The log's disk has no room for a while.
    DiskFull "disk-full" 30,
    /// A sync takes seconds.
    SlowSync "slow-sync" 3,
    /// Bytes of the log that were durable are damaged.
    SectorDamaged "sector-damaged" 60,
    /// The engine stands still for a while.
    EngineFrozen "engine-frozen" 12,
    /// The wall clock differs when an engine starts.
    ClockStep "clock-step" 400,
    /// A clock runs fast or slow.
    ClockDrift "clock-drift" 500,
    /// A dispatcher is killed, and its provers with it.
    DispatcherKilled "dispatcher-killed" 15,
    /// A dispatcher stands still for a while.
    DispatcherFrozen "dispatcher-frozen" 12,
    /// Nothing passes between a dispatcher and the engine for a while.
    Partition "partition" 12,
    /// A message is lost.
    MessageLost "message-lost" 40,
    /// A message comes twice.
    MessageDoubled "message-doubled" 60,
    /// A message comes late, and after later ones.
    MessageLate "message-late" 40,
    /// A dispatcher's disk is nearly full: it takes nothing.
    NoRoom "no-room" 10,
    /// A dispatcher offers a program no more for a while.
    ProgramGone "program-gone" 8,
    /// The store cannot be reached for a while.
    StoreDown "store-down" 8,
    /// An artifact is lost from the store, or damaged there.
    ArtifactLost "artifact-lost" 25,
    /// A prover takes several times as long.
    ProverSlow "prover-slow" 80,
    /// A prover says nothing and never ends.
    ProverSilent "prover-silent" 30,
    /// A prover fails, in a class that is retried.
    ProverFails "prover-fails" 80,
    /// A task that no prover can prove.
    Poison "poison" 40,
    /// A prover that makes a proof of nothing, which its verifier refuses.
    ProverLies "prover-lies" 40,
    /// A prover that makes other bytes each time, of the same public values.
    OtherBytes "other-bytes" 400,
    /// A result made again has other public values.
    OtherValues "other-values" 80,
    /// A result says to be a mock, or to be under another key, or has no parts.
    Unfit "unfit" 30,
    /// A proof is there though its attempt was ended.
    LateProof "late-proof" 300,
    /// A verifier has no verdict for a while.
    VerifierStuck "verifier-stuck" 60,
    /// The source submits a block again.
    Repeated "repeated" 100,
    /// The source submits a later block first.
    Reordered "reordered" 100,
    /// The source submits many blocks at once.
    Flooded "flooded" 60,
    /// Somebody submits a block beside the canonical one.
    Forked "forked" 60,
    /// A known block comes with another payload.
    OtherPayload "other-payload" 40,
    /// A result that says something false is accepted on its dispatcher's word.
    AcceptedLie "accepted-lie" 15,
    /// A dispatcher's proofs are under a key of its own.
    OwnKey "own-key" 8,
    /// A dispatcher claims to have everything.
    Boasts "boasts" 12,
    /// An operator finds what was accepted and is false, and takes it back.
    Audited "audited" 200,
    /// An operator takes back what is true.
    Mistaken "mistaken" 8,
    /// A dispatcher reports the end of an attempt that another holds.
    SpeaksForOther "speaks-for-other" 30,
    /// An operator opens a parked task again.
    Retried "retried" 40,
    /// An operator has an accepted result made again.
    RemadeByHand "remade-by-hand" 12,
    /// An operator takes an attempt back.
    TakenBack "taken-back" 12,
    /// An operator changes windows and bounds.
    Reconfigured "reconfigured" 8,
    /// What a dispatcher holds outlives its process: its next life holds it.
    HeldKept "held-kept" 400,
    /// A payload that is lost is not delivered again until somebody finds it.
    PayloadGone "payload-gone" 250,
    /// A grant, or a result, is more than the bus takes: each time that it is sent it is lost.
    TooLarge "too-large" 12,
    /// Everybody fails whatever they prove, for a while.
    FleetFails "fleet-fails" 8,
    /// What a dispatcher says does not reach the engine for a while.
    Mute "mute" 8,
    /// What the engine says does not reach a dispatcher for a while.
    Deaf "deaf" 8,
    /// The store does not find what it has, for a while: who looks for something then complains of
    /// it, sooner or later.
    Complains "complains" 20,
    /// An operator keeps new work from a dispatcher for a while.
    Cordoned "cordoned" 15,
    /// A result made again has other parts.
    OtherParts "other-parts" 600,
    /// The stream has no leader for a while.
    Election "election" 15,
    /// The stream's answer to an engine is lost.
    AnswerLost "answer-lost" 30,
    /// What an engine appends is taken by the stream's leader, and is on a majority of servers
    /// late.
    AppendLate "append-late" 30,
    /// What an engine asks of the stream comes there late, after it has asked again.
    AskedLate "asked-late" 25,
    /// The stream has no room for a while.
    StreamFull "stream-full" 8,
    /// The stream is put back to an older copy for a while.
    SetBack "set-back" 4,
    /// The stream is deleted and made again, and restored after a while.
    MadeAgain "made-again" 4,
    /// An engine cannot reach the stream for a while.
    LogOutOfReach "log-out-of-reach" 10,
    /// What an engine says to the others is not heard for a while.
    EngineMute "engine-mute" 10,
    /// An engine hears nothing of the others for a while.
    EngineDeaf "engine-deaf" 10,
    /// An engine is stopped in order, and started again.
    EngineStopped "engine-stopped" 10,
    /// The source's chain is another one from some block on.
    Reorged "reorged" 120,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// One strike of a kind: the first has 1.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Strike {
    /// Of which kind.
    pub fault: Fault,
    /// Which of that kind.
    pub nth: u32,
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.fault, self.nth)
    }
}

/// A strike that happened.
#[derive(Clone, Debug)]
pub struct Struck {
    /// Which.
    pub strike: Strike,
    /// When, in virtual time from the world's beginning.
    pub at: Duration,
}

/// What goes wrong in a world.
pub(crate) struct Faults {
    kinds: Vec<Kind>,
    only: Option<BTreeSet<Strike>>,
    struck: Vec<Struck>,
    is_over: bool,
}

struct Kind {
    permille: u64,
    chance: Chance,
    strikes: u32,
}

impl Faults {
    /// Those of a seed; where `only` is given, no other strike happens.
    pub(crate) fn of(seed: u64, only: Option<BTreeSet<Strike>>) -> Self {
        let mut swarm = Chance::of(seed, SWARM_STREAM);
        let calm = swarm.permille(CALM_WORLDS);
        let kinds = Fault::ALL.iter().zip(0..).map(|(fault, stream)| {
            let weight = swarm.pick(&[0, 0, 0, 1, 4, 12]).copied().unwrap_or_default();
            let permille = if calm { 0 } else { (fault.usual() * weight / 4).min(900) };
            Kind { permille, chance: Chance::of(seed, stream), strikes: 0 }
        });
        Self { kinds: kinds.collect(), only, struck: Vec::new(), is_over: false }
    }

    /// Those of a seed: all kinds that may strike in its worlds, or those of them alone that strike
    /// often.
    pub(crate) fn of_kinds_often(
        seed: u64,
        only: Option<BTreeSet<Strike>>,
        may: &[Fault],
        often: &[Fault],
    ) -> Self {
        let mut faults = Self::of_kinds(seed, only, may);
        if often.is_empty() {
            return faults;
        }
        for (kind, fault) in faults.kinds.iter_mut().zip(Fault::ALL) {
            let is_often = often.contains(fault) && may.contains(fault);
            kind.permille = if is_often { (fault.usual() * OFTEN).min(900) } else { 0 };
        }
        faults
    }

    /// Likewise, of these kinds alone.
    pub(crate) fn of_kinds(seed: u64, only: Option<BTreeSet<Strike>>, kinds: &[Fault]) -> Self {
        let mut faults = Self::of(seed, only);
        for (kind, fault) in faults.kinds.iter_mut().zip(Fault::ALL) {
            kind.permille = if kinds.contains(fault) { kind.permille } else { 0 };
        }
        faults
    }

    /// Whether this kind strikes at this opportunity.
    pub(crate) fn strikes(&mut self, at: Duration, fault: Fault) -> bool {
        if self.is_over {
            return false;
        }
        let Some(kind) = self.kinds.get_mut(fault as usize) else { return false };
        if kind.permille == 0 || !kind.chance.permille(kind.permille) {
            return false;
        }
        kind.strikes += 1;
        let strike = Strike { fault, nth: kind.strikes };
        if self.only.as_ref().is_some_and(|only| !only.contains(&strike)) {
            return false;
        }
        self.struck.push(Struck { strike, at });
        true
    }

    /// What else is drawn about a fault of this kind.
    pub(crate) fn chance(&mut self, fault: Fault) -> &mut Chance {
        &mut self.kinds.get_mut(fault as usize).expect("there is one for each kind").chance
    }

    /// From here on nothing goes wrong.
    pub(crate) fn stop(&mut self) {
        self.is_over = true;
    }

    pub(crate) fn struck(&self) -> &[Struck] {
        &self.struck
    }
}

/// So many times as often as usual a kind strikes that a story has strike often.
const OFTEN: u64 = 3;

/// So many of a thousand worlds have no faults at all.
const CALM_WORLDS: u64 = 20;

/// Above those of the kinds.
const SWARM_STREAM: u64 = 1000;
