//! An engine's process: whether it is down, stands by or leads, and what it has then.
//!
//! Its print is made of: the part that it plays; of the log all that it has decided and begun, turn
//! by turn (its scheduler is the fold of that, and grants and effects are let go of as soon as they
//! may be); what the engine says that it holds beside the log (`Engine::beside_the_log`); which
//! record is under way, and what is asked of it. Left out is what only a log of no room, or one
//! that never answers, brings up (`is_doubtful` of a record, `short` of an append): no world has
//! either.

use std::sync::Arc;

use push0_core::{Epoch, Input, Scheduler, Seq, Timestamp, ToDispatcher, Turn, Verdict};
use push0_engine::{
    Askers, Audit, Beat, Claims, Engine, ReadOutcome, Request, STEP, Settings, Standby,
};
use push0_log::LogId;
use push0_log::stream::{Append, Pipe, Position, Stored, subject_of};
use push0_sim::Check;
use push0_sim::stream::{LOG, PREFIX};

use crate::ground;
use crate::print::Print;
use crate::truth::{Found, holds};

/// An engine's process.
#[derive(Clone)]
pub(crate) struct Node {
    name: usize,
    /// How often it has begun another part.
    pub(crate) stay: u64,
    /// The last word of another engine that leads, and how far its log was durable.
    pub(crate) seen: Option<(Epoch, Seq)>,
    pub(crate) part: Part,
    pub(crate) print: Print,
}

/// Which part an engine plays.
#[derive(Clone)]
pub(crate) enum Part {
    Down,
    /// It follows the log. What it has read is read again when it claims: to have read it before
    /// changes nothing.
    Follows,
    Leads(Box<Lead>),
}

/// What an engine has that leads, or believes so.
#[derive(Clone)]
pub(crate) struct Lead {
    pub(crate) engine: Engine<Parties>,
    pub(crate) epoch: Epoch,
    pub(crate) pipe: Pipe,
    pub(crate) append: Option<Flight>,
    /// Of all turns that it has replayed, or begun to append.
    applied: Print,
    pub(crate) history: String,
    /// Whether it has asked the log whether it leads, to say so.
    pub(crate) has_asked: bool,
}

/// An append that is asked for.
#[derive(Clone)]
pub(crate) struct Flight {
    pub(crate) append: Append,
    pub(crate) phase: Phase,
}

/// What an append waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Phase {
    /// The answer to its publish.
    Answer,
    /// To read what stands in the stream.
    Reading,
    /// A moment, before it is published again.
    Pause,
}

/// Who asks in a world.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parties;

impl Askers for Parties {
    /// Whoever starts the engine.
    type Ask = ();
    /// The client's token.
    type Add = u64;
    type Look = ();
    type Probe = ();
}

impl Node {
    pub(crate) fn new(name: usize) -> Self {
        Self { name, stay: 0, seen: None, part: Part::Follows, print: Print::default() }
    }

    pub(crate) const fn lead(&self) -> Option<&Lead> {
        match &self.part {
            Part::Leads(lead) => Some(lead),
            Part::Down | Part::Follows => None,
        }
    }

    pub(crate) fn lead_mut(&mut self) -> Option<&mut Lead> {
        match &mut self.part {
            Part::Leads(lead) => Some(lead),
            Part::Down | Part::Follows => None,
        }
    }

    /// Begins another part.
    pub(crate) fn plays(&mut self, part: Part) {
        self.stay += 1;
        self.part = part;
    }

    /// Notes what it is told apart by from here on.
    pub(crate) fn seal(&mut self) {
        let part = match &self.part {
            Part::Down => (0, Print::default()),
            Part::Follows => (1, Print::default()),
            Part::Leads(lead) => (2, lead.print()),
        };
        self.print = Print::of((self.stay, self.seen, part));
    }

    /// Nobody leads, as far as it hears: it reads all there is, and claims the log.
    pub(crate) fn claims(
        &mut self,
        records: &[Stored],
        now: Timestamp,
    ) -> Result<Scheduler, Found> {
        let (place, scheduler, applied) = replay(records)?;
        let standby = self.stands_by(&scheduler)?;
        let epoch = Epoch(scheduler.epoch().0.max(standby.above().0) + 1);
        let record_bytes_max = scheduler.limits().record_bytes_max;
        let settings = Settings { record_bytes_max, durable: scheduler.last(), tells: false };
        let mut engine = Engine::new(scheduler.clone(), settings);
        let is_new = scheduler.last() == Seq(0);
        let configure = is_new.then(|| Input::Configure(Box::new(ground::spec())));
        let inputs = std::iter::once(Input::Claim(epoch)).chain(configure).collect();
        engine.handle_request(Request::Ask(inputs, ()));
        let writer = self.writer();
        let history = format!("{writer}.{}", place.message());
        let pipe = Pipe::new(subject_of(PREFIX, LOG, writer), place, record_bytes_max);
        let (append, has_asked) = (None, false);
        let lead = Lead { engine, epoch, pipe, append, applied, history, has_asked };
        self.plays(Part::Leads(Box::new(lead)));
        debug_assert!(scheduler.now() <= now, "clocks agree");
        Ok(scheduler)
    }

    /// Has the real rules say when it claims: it hears nobody until then.
    fn stands_by(&self, scheduler: &Scheduler) -> Result<Standby, Found> {
        let mut standby = Standby::new(std::time::Duration::ZERO, PATIENCE);
        if let Some((epoch, last)) = self.seen {
            let (clocks_apart, at) = Default::default();
            standby.handle_beat(Beat { epoch, last, clocks_apart, at });
        }
        let says = |step| standby_reads(&mut standby, step, scheduler.last());
        let claims = (1..=STEPS_MAX).map(says).any(|claims| claims == Claims::Yes);
        holds(Check::Recovers, claims, || format!("engine {} never claims", self.name))?;
        Ok(standby)
    }

    /// Who writes: another at each opening.
    fn writer(&self) -> LogId {
        let mut writer = [0; 16];
        let bytes = [self.name as u64 + 1, self.stay + 1].map(u64::to_le_bytes);
        writer.iter_mut().zip(bytes.as_flattened()).for_each(|(byte, of)| *byte = *of);
        LogId(writer)
    }
}

fn standby_reads(standby: &mut Standby, step: u32, last: Seq) -> Claims {
    standby.handle_read(STEP * step, ReadOutcome::Nothing, last)
}

/// What a log leads to, read from its beginning.
fn replay(records: &[Stored]) -> Result<(Position, Scheduler, Print), Found> {
    let legal = |why: String| (Check::Legal, format!("an engine cannot read the log: {why}"));
    let (first, rest) = records.split_first().ok_or_else(|| legal("it is empty".to_owned()))?;
    let mut place = Position::begin(first).map_err(|why| legal(why.reason().to_owned()))?;
    let (mut scheduler, mut applied) = (Scheduler::new(ground::limits()), Print::default());
    for record in rest {
        let mut turns = Vec::new();
        let read = place.follow(record, &mut |turn| turns.push(turn));
        read.map_err(|why| legal(why.reason().to_owned()))?;
        for turn in &turns {
            scheduler.replay_turn(turn).map_err(|error| legal(error.to_string()))?;
            applied = Print::of((applied, turn));
        }
    }
    Ok((place, scheduler, applied))
}

impl Lead {
    /// Notes a turn that it begins to append.
    pub(crate) fn begins(&mut self, turn: &Turn) {
        self.applied = Print::of((self.applied, turn));
    }

    /// Whether its claim stands in the log.
    pub(crate) fn has_claimed(&self) -> bool {
        self.pipe.tip().epoch() == self.epoch
    }

    fn print(&self) -> Print {
        let Self { engine, epoch, pipe, append, applied, history, has_asked } = self;
        let record = pipe.under_way().map(|record| (record.sequence(), record.last()));
        let asks = append.as_ref().map(|flight| (flight.append.asks(), flight.phase));
        let log = (epoch, history, applied, pipe.tip().message(), record, asks, has_asked);
        Print::of((log, engine.beside_the_log()))
    }

    pub(crate) fn differs_from(&self, other: &Self) -> Option<&'static str> {
        let all = |of: &Self| format!("{:?} {:?}", of.engine.beside_the_log(), of.pipe);
        if self.engine.scheduler() != other.engine.scheduler() {
            return Some("the scheduler");
        }
        (all(self) != all(other)).then_some("what is beside it, or the end of the log,")
    }

    /// What holds an engine to its log, as that truly is.
    pub(crate) fn holds_back(&self) -> HoldsBack {
        let (durable, leads) = (self.pipe.tip().last(), self.has_claimed());
        HoldsBack { durable, leads, epoch: self.epoch, found: None }
    }
}

/// Sees what leaves an engine, and whether it may.
pub(crate) struct HoldsBack {
    durable: Seq,
    leads: bool,
    epoch: Epoch,
    found: Option<Found>,
}

impl HoldsBack {
    pub(crate) fn found(self) -> Result<(), Found> {
        self.found.map_or(Ok(()), Err)
    }

    fn note(&mut self, result: Result<(), Found>) {
        if let Err(found) = result {
            self.found.get_or_insert(found);
        }
    }
}

impl Audit for HoldsBack {
    fn leaves(&mut self, message: &ToDispatcher, epoch: Epoch, cause: Seq) {
        let durable = self.durable;
        let may = epoch == self.epoch
            && match message {
                ToDispatcher::Grant(_) => self.leads,
                ToDispatcher::Verdict(_, Verdict::Accepted(at)) => cause.max(*at) <= durable,
                ToDispatcher::Verdict(..) | ToDispatcher::Cancel(_) => cause <= durable,
            };
        self.note(holds(Check::DurableFirst, may, || {
            format!("{message:?} left by {cause}, and the log is durable up to {durable}")
        }));
    }

    fn answers(&mut self, cause: Seq) {
        let durable = self.durable;
        self.note(holds(Check::DurableFirst, cause <= durable, || {
            format!("{cause} was answered, and the log is durable up to {durable}")
        }));
    }
}

/// A part of the state that most states share with the one before.
pub(crate) fn changed<T: Clone>(part: &mut Arc<T>) -> &mut T {
    Arc::make_mut(part)
}

/// How long an engine that leads may be silent.
const PATIENCE: std::time::Duration = push0_engine::LEADER_SILENCE;

/// Steps after which whoever hears nothing has claimed.
const STEPS_MAX: u32 = 20;
