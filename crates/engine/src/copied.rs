//! An engine as a value: a copy of it, and what of it a restart would lose.
//!
//! Whoever explores all that may happen to an engine (a model checker) goes on from one moment in
//! several ways, and asks of two moments whether they are the same. Nothing that runs an engine
//! needs either.

use std::fmt;

use crate::engine::Engine;
use crate::request::{Askers, Work};
use crate::waiting::{Waiting, WaitingTurn};

/// Askers that can be copied, and shown: names, not the ends of channels.
pub trait Copied:
    Askers<
        Ask: Clone + fmt::Debug,
        Add: Clone + fmt::Debug,
        Look: Clone + fmt::Debug,
        Probe: Clone + fmt::Debug,
    > + Clone
    + fmt::Debug
{
}

impl<A> Copied for A where
    A: Askers<
            Ask: Clone + fmt::Debug,
            Add: Clone + fmt::Debug,
            Look: Clone + fmt::Debug,
            Probe: Clone + fmt::Debug,
        > + Clone
        + fmt::Debug
{
}

impl<A: Copied> Clone for Engine<A> {
    fn clone(&self) -> Self {
        Self {
            scheduler: self.scheduler.clone(),
            fleet: self.fleet.clone(),
            turned: self.turned,
            has_claimed: self.has_claimed,
            is_draining: self.is_draining,
            inbox: self.inbox.clone(),
            left: self.left.clone(),
            is_behind: self.is_behind,
            claim: self.claim,
            waiting: self.waiting.clone(),
            begun: self.begun,
            durable: self.durable,
            mail: self.mail.clone(),
            letters: self.letters.clone(),
            outputs: self.outputs.clone(),
            probes: self.probes.clone(),
            telling: self.telling.clone(),
            trouble: self.trouble,
            room: self.room,
            fill: self.fill,
        }
    }
}

impl<A: Copied> Engine<A> {
    /// All that it holds beside its scheduler, as a text: what it knows of the fleet, what waits to
    /// be decided, to be durable and to be sent. Two engines whose schedulers are equal, and this,
    /// do the same from here on.
    #[must_use]
    pub fn beside_the_log(&self) -> impl fmt::Debug + '_ {
        Beside(self)
    }
}

/// See [`Engine::beside_the_log`]. Every field is named, so that a new one is decided on.
struct Beside<'a, A: Askers>(&'a Engine<A>);

impl<A: Copied> fmt::Debug for Beside<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Engine {
            scheduler: _,
            fleet,
            turned,
            has_claimed,
            is_draining,
            inbox,
            left,
            is_behind,
            claim,
            waiting,
            begun,
            durable,
            mail,
            letters,
            outputs,
            probes,
            telling,
            trouble,
            room,
            fill,
        } = self.0;
        write!(
            f,
            "{fleet:?} {turned:?} {has_claimed} {is_draining} {inbox:?} {left:?} {is_behind} {claim:?} "
        )?;
        write!(
            f,
            "{waiting:?} {begun:?} {durable:?} {mail:?} {letters:?} {outputs:?} {probes:?} "
        )?;
        write!(f, "{telling:?} {trouble:?} {room:?} {fill:?}")
    }
}

impl<A: Copied> Clone for Work<A> {
    fn clone(&self) -> Self {
        match self {
            Self::Asked(request) => Self::Asked(request.clone()),
            Self::Rest(inputs, asked) => Self::Rest(inputs.clone(), asked.clone()),
        }
    }
}

impl<A: Copied> fmt::Debug for Work<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked(request) => write!(f, "{request:?}"),
            Self::Rest(inputs, asked) => write!(f, "{inputs:?} {asked:?}"),
        }
    }
}

impl<A: Copied> Clone for Waiting<A> {
    fn clone(&self) -> Self {
        Self { turns: self.turns.clone(), bytes: self.bytes }
    }
}

/// The turns themselves are in the scheduler: what they let go of is not.
impl<A: Copied> fmt::Debug for Waiting<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let turns = self.turns.iter();
        f.debug_list().entries(turns.map(|turn| (turn.last, &turn.allows))).finish()
    }
}

impl<A: Copied> Clone for WaitingTurn<A> {
    fn clone(&self) -> Self {
        let Self { last, turn, allows } = self;
        Self { last: *last, turn: turn.clone(), allows: allows.clone() }
    }
}
