//! The engine's surroundings in virtual time: the real `push0_engine` over the real file log, as
//! `crates/push0/src/engine.rs` has it over tokio. What waits there for a sync waits here for
//! virtual time.
//!
//! Not here: when it runs, and what becomes of what leaves it (`world`).

use std::collections::VecDeque;
use std::time::Duration;

use push0_core::{
    Beat, Block, BlockHash, Deadline, DispatcherId, Epoch, Event, Fleet, FromDispatcher,
    IllegalEvent, Input, Life, Rejection, Report, Scheduler, Seq, Timestamp, ToDispatcher,
};
use push0_engine::{Admission, Askers, Audit, Output, Refused, Settings};
use push0_log::conformance::finish;
use push0_log::{AppendError, FileLog, Log as _};

use crate::broken::Broken;
use crate::clock::Clock;
use crate::disk::SimDisk;
use crate::watch::Watch;

/// The engine with its log and clock.
pub(crate) struct Engine {
    engine: push0_engine::Engine<Parties>,
    log: FileLog<SimDisk>,
    clock: Clock,
    /// On its way to the engine.
    inbox: VecDeque<Request>,
    /// How far the append goes that is under way. What it has written is beyond what the engine
    /// knows to be durable.
    under_way: Option<Seq>,
    /// Whether it decides while an append is under way.
    is_ahead: bool,
    broken: Option<Broken>,
}

/// Who asks in a world.
struct Parties;

impl Askers for Parties {
    type Ask = Asker;
    type Add = ();
    type Look = ();
    type Probe = ();
}

/// Something asked of the engine.
#[derive(Debug)]
pub(crate) enum Request {
    Ask(Asker, Vec<Input>),
    Add(Vec<Block>),
    Heard(FromDispatcher),
    /// A dispatcher's connection is seen to have ended at this virtual time.
    Departed(DispatcherId, Duration),
    /// Does it lead, and how far is its log durable?
    Probe,
    /// Show what is durable.
    Look,
}

/// Who asks, and is answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Asker {
    /// Whoever starts the engine.
    Start,
    Source,
    /// The source, by the way: nothing waits for the answer.
    Aside,
    Reader,
    Operator,
}

/// The first refusal, or none.
pub(crate) type Answer = Result<(), Rejection>;

/// What leaves.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Message(Life, ToDispatcher),
    Answer(Asker, Answer),
    /// What became of the source's blocks.
    Added(Admission),
    Probed(Epoch, Seq),
    AskSource(BlockHash),
}

/// Why an engine ends.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Its log does not take what was decided.
    Append(AppendError),
    /// What was decided does not fit the state.
    Bug(IllegalEvent),
}

impl Engine {
    pub(crate) fn new(
        scheduler: Scheduler,
        log: FileLog<SimDisk>,
        clock: Clock,
        is_ahead: bool,
        broken: Option<Broken>,
    ) -> Self {
        let record_bytes_max = scheduler.limits().record_bytes_max;
        assert!(record_bytes_max <= log.record_bytes_max(), "a turn fits into the log");
        let settings = Settings { record_bytes_max, durable: log.last(), tells: false };
        let engine = push0_engine::Engine::new(scheduler, settings);
        Self { engine, log, clock, inbox: VecDeque::new(), under_way: None, is_ahead, broken }
    }

    pub(crate) const fn scheduler(&self) -> &Scheduler {
        self.engine.scheduler()
    }

    /// Takes something in; past its bound, whoever asks would wait, and a message of a beat is left
    /// out.
    pub(crate) fn ask(&mut self, request: Request) {
        self.inbox.push_back(request);
    }

    /// The position of the last durable event, as far as it knows.
    pub(crate) const fn durable(&self) -> Seq {
        self.engine.durable()
    }

    /// Whether all that it holds is in the log.
    pub(crate) fn is_durable(&self) -> bool {
        !self.engine.has_undurable()
    }

    /// Whether an append is under way.
    pub(crate) const fn is_appending(&self) -> bool {
        self.under_way.is_some()
    }

    /// Whether something was decided that no append has begun with.
    pub(crate) fn has_more(&self) -> bool {
        self.engine.has_appends()
    }

    /// Whether its thread waits for the disk.
    pub(crate) const fn waits(&self) -> bool {
        self.is_appending() && !self.is_ahead
    }

    /// Whether it may decide now.
    pub(crate) fn may_decide(&self, virtual_now: Duration) -> bool {
        !self.waits() && self.engine.may_decide(self.clock.now(virtual_now))
    }

    /// Whether nothing happens unless it is asked something.
    pub(crate) fn rests(&self) -> bool {
        let has_nothing = self.inbox.is_empty() && self.engine.is_settled();
        has_nothing && self.engine.leads() && self.scheduler().is_idle()
    }

    /// When it has something to do though nobody asks.
    pub(crate) fn due(&self, virtual_now: Duration) -> Option<Duration> {
        if !self.inbox.is_empty() && self.engine.takes(self.clock.now(virtual_now)) > 0 {
            return Some(Duration::ZERO);
        }
        self.engine.poll_timeout().map(|at| self.clock.when(at))
    }

    /// The virtual time at which its clock shows `at`.
    pub(crate) fn when(&self, at: Timestamp) -> Duration {
        self.clock.when(at)
    }

    /// Takes a turn, if one is due. Answers what leaves at once: grants, and what rests on nothing
    /// that is new.
    ///
    /// # Errors
    ///
    /// [`Ended`]; whatever was decided is not believed.
    pub(crate) fn turn(
        &mut self,
        virtual_now: Duration,
        watch: &mut Watch,
    ) -> Result<Vec<Outgoing>, Ended> {
        let now = self.clock.now(virtual_now);
        for _ in 0..self.engine.takes(now) {
            let Some(request) = self.inbox.pop_front() else { break };
            self.engine.handle_request(match request {
                Request::Ask(asker, inputs) => push0_engine::Request::Ask(inputs, asker),
                Request::Add(blocks) => push0_engine::Request::Add(blocks, ()),
                Request::Heard(message) => push0_engine::Request::Heard(vec![message]),
                Request::Departed(dispatcher, at) => {
                    push0_engine::Request::Departed(dispatcher, self.clock.now(at))
                }
                Request::Probe => push0_engine::Request::Probe(()),
                Request::Look => push0_engine::Request::Look(()),
            });
        }
        self.engine.handle_timeout(now, watch).map_err(Ended::Bug)?;
        if self.engine.wants_probe() {
            self.engine.handle_probed(!self.is_appending()); // a file answers as soon as it can be written to
        }
        let durable = self.durable();
        self.engine.handle_landed(now, durable, watch);
        Ok(self.outgoing(now, watch))
    }

    /// Appends what was decided; answers whether the log took all of it.
    ///
    /// # Errors
    ///
    /// [`Ended`].
    pub(crate) fn record(
        &mut self,
        virtual_now: Duration,
        watch: &mut Watch,
    ) -> Result<bool, Ended> {
        let now = self.clock.now(virtual_now);
        while let Some(turn) = self.engine.poll_append(now) {
            let last = turn.last();
            watch.appending(turn);
            let refused = match finish(self.log.append(turn)) {
                Ok(()) => {
                    watch.appended();
                    None
                }
                Err(AppendError::Full(_)) => Some(Refused::Full),
                Err(AppendError::Unavailable(_)) => Some(Refused::Away),
                Err(AppendError::Poisoned(_)) if self.broken == Some(Broken::SyncRepeated) => None,
                Err(error) => return Err(Ended::Append(error)),
            };
            match refused {
                None => self.engine.handle_begun(last),
                Some(refused) => {
                    // The world is over before any engine's patience is.
                    let _ = self.engine.handle_refused(now, refused, self.log.last());
                    return Ok(false);
                }
            }
            self.under_way = Some(last);
        }
        Ok(!self.engine.has_appends())
    }

    /// What leaves once the append that was under way is durable.
    pub(crate) fn finish(&mut self, virtual_now: Duration, watch: &mut Watch) -> Vec<Outgoing> {
        let now = self.clock.now(virtual_now);
        if let Some(landed) = self.under_way.take() {
            watch.landed(landed);
            self.engine.handle_landed(now, landed, watch);
        }
        if self.is_durable() {
            watch.turned(self.engine.scheduler());
        }
        self.outgoing(now, watch)
    }

    fn outgoing(&mut self, now: Timestamp, watch: &mut Watch) -> Vec<Outgoing> {
        let mut outgoing = Vec::new();
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Answered(asker, answer) => outgoing.push(Outgoing::Answer(asker, answer)),
                Output::AskSource(block) => outgoing.push(Outgoing::AskSource(block)),
                Output::Added((), taken) => outgoing.push(Outgoing::Added(taken)),
                Output::Probed((), epoch, last) => outgoing.push(Outgoing::Probed(epoch, last)),
                Output::Look(()) => watch.looked(self.scheduler().last()),
                Output::Durable(_) => {}
            }
        }
        while let Some((to, messages)) = self.engine.poll_transmit(now) {
            let letter = messages.into_iter().map(|one| Outgoing::Message(to.clone(), one));
            outgoing.extend(letter);
        }
        outgoing
    }
}

/// Every rule is checked where the engine goes by it.
impl Audit for Watch {
    fn hears(&mut self, now: Timestamp, beat: &Beat, answer: &[ToDispatcher]) {
        self.hears(now, beat, answer);
    }

    fn heard(&mut self, beat: &Beat, is_all_decided: bool) {
        self.beat(beat, is_all_decided);
    }

    fn reported(&mut self, report: &Report) {
        self.ended(report);
    }

    fn decided(&mut self, now: Timestamp, input: &Input, outcome: Result<&[Event], &Rejection>) {
        self.decided(now, input, outcome);
    }

    fn may_go_on(&mut self, times: u32) -> bool {
        self.wakes(times)
    }

    fn settled(&mut self, now: Timestamp) {
        self.settled(now);
    }

    fn assigns(&mut self, fleet: &Fleet, scheduler: &Scheduler) {
        self.offered(fleet.offers(scheduler));
    }

    fn sleeps(&mut self, now: Timestamp, until: Option<Deadline>) {
        self.sleeps(now, until);
    }

    fn leaves(&mut self, message: &ToDispatcher, epoch: Epoch, cause: Seq) {
        self.leaves(message, epoch, cause);
    }

    fn answers(&mut self, cause: Seq) {
        self.answers(cause);
    }
}
