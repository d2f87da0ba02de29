//! An engine that leads, or believes so: the real engine over the real rules of an append, over a
//! stream.
//!
//! As `crates/push0/src/engine.rs` drives it over `push0_log::NatsLog`, with what waits there for
//! an answer waiting here for virtual time.

use std::collections::VecDeque;
use std::time::Duration;

use push0_core::{Epoch, Input, PipelineSpec, Scheduler, Seq, Timestamp, Turn};
use push0_engine::{Askers, LEADER_SILENCE, Output, Refused, Request, Settings};
use push0_log::AppendError;
use push0_log::LogId;
use push0_log::stream::{Looks, Pipe, Position, probed, subject_of};

use super::append::Flight;
use super::node::{Node, Part};
use super::stream::{Answer, LOG, PREFIX, Question};
use super::{Asked, Cluster, Goes, Happening};
use crate::check::Check;
use crate::clock::Clock;
use crate::watch::Watch;

/// What an engine has that leads.
pub(super) struct Lead {
    pub(super) engine: push0_engine::Engine<Parties>,
    pub(super) epoch: Epoch,
    pub(super) pipe: Pipe,
    pub(super) clock: Clock,
    pub(super) watch: Watch,
    /// Begun, and not known to be durable.
    pub(super) begun: VecDeque<Turn>,
    pub(super) append: Option<Flight>,
    /// On its way to the engine.
    inbox: VecDeque<Asked>,
    /// What a probe waits for; nothing else goes on meanwhile.
    pub(super) probe: Option<u64>,
    pub(super) looks: Looks,
    /// When it looks next.
    look: Option<Duration>,
    pub(super) history: String,
    stops: bool,
    /// When it asked whether it leads, to say so.
    pub(super) beats: Option<Duration>,
}

/// Who asks in a cluster.
pub(super) struct Parties;

impl Askers for Parties {
    type Ask = Option<u64>;
    type Add = u64;
    type Look = ();
    type Probe = ();
}

impl Lead {
    pub(super) fn new(
        (node, now): (&Node, Duration),
        (place, scheduler, looks): (Position, Scheduler, Looks),
        above: Epoch,
        spec: PipelineSpec,
        watch: Watch,
    ) -> Self {
        let record_bytes_max = scheduler.limits().record_bytes_max;
        let settings = Settings { record_bytes_max, durable: scheduler.last(), tells: false };
        let clock = Clock::start(node.wall(now).max(scheduler.now()), now, node.rate);
        let epoch = Epoch(scheduler.epoch().0.max(above.0) + 1);
        let is_new = scheduler.last() == Seq(0);
        let mut engine = push0_engine::Engine::new(scheduler, settings);
        let configure = is_new.then(|| Input::Configure(Box::new(spec)));
        let inputs = std::iter::once(Input::Claim(epoch)).chain(configure).collect();
        engine.handle_request(Request::Ask(inputs, Some(BEGINS)));
        let writer = writer(node);
        let history = format!("{writer}.{}", place.message());
        let pipe = Pipe::new(subject_of(PREFIX, LOG, writer), place, record_bytes_max);
        Self {
            engine,
            epoch,
            pipe,
            clock,
            watch,
            begun: VecDeque::new(),
            append: None,
            inbox: VecDeque::new(),
            probe: None,
            looks,
            look: None,
            history,
            stops: false,
            beats: None,
        }
    }

    pub(super) fn words(&self) -> String {
        let (last, durable) = (self.engine.scheduler().last(), self.engine.durable());
        let is_sure = self.engine.leads();
        let (is_appending, is_probing) = (self.append.is_some(), self.probe.is_some());
        format!(
            "leads in {} (sure {is_sure}), decided {last}, durable {durable}, appends {is_appending}, probes \
             {is_probing}, looks at {:?}, stops {}",
            self.epoch, self.look, self.stops
        )
    }

    /// How far its log is durable, as it knows.
    pub(super) const fn place(&self) -> &Position {
        self.pipe.tip()
    }
}

impl Lead {
    /// Hands in what was asked, as much as the engine takes.
    fn hand_in(&mut self, now: Duration) {
        let at = self.clock.now(now);
        for _ in 0..self.engine.takes(at) {
            let Some(asked) = self.inbox.pop_front() else { return };
            self.engine.handle_request(match asked {
                Asked::Heard(message) => Request::Heard(vec![message]),
                Asked::Departed(dispatcher, ended) => {
                    self.watch.departs(&dispatcher);
                    // It may have been before this engine led.
                    let ago = now.saturating_sub(ended).as_micros();
                    let ago = u64::try_from(ago).unwrap_or(u64::MAX);
                    Request::Departed(dispatcher, Timestamp(at.0.saturating_sub(ago)))
                }
                Asked::Add(token, blocks) => Request::Add(blocks, token),
                Asked::Ask(token, input) => Request::Ask(vec![input], Some(token)),
            });
        }
    }
}

impl Cluster {
    pub(super) fn lead(&mut self, node: usize) -> Option<&mut Lead> {
        match &mut self.nodes.get_mut(node)?.part {
            Part::Leads(lead) => Some(lead),
            Part::Down | Part::Opens { .. } | Part::Follows(_) | Part::Ended => None,
        }
    }

    /// Something is asked of whoever leads. Past its bound, who asks would wait, and asks again.
    pub(super) fn lead_hears(&mut self, node: usize, asked: Asked) {
        let now = self.agenda.now();
        let Some(lead) = self.lead(node) else { return };
        if !lead.stops && lead.inbox.len() < INBOX_MAX {
            lead.inbox.push_back(asked);
            self.look_by(node, now);
        }
    }

    /// Has an engine look at `at`, unless it does before.
    pub(super) fn look_by(&mut self, node: usize, at: Duration) {
        let now = self.agenda.now();
        let at = at.max(now);
        let Some(lead) = self.lead(node) else { return };
        if lead.look.is_none_or(|look| at < look) {
            lead.look = Some(at);
            self.node_after(node, at - now, Goes::Looks);
        }
    }

    pub(super) fn lead_looks(&mut self, node: usize) {
        let now = self.agenda.now();
        let Some(lead) = self.lead(node) else { return };
        if lead.look.is_some_and(|look| look <= now) {
            lead.look = None;
        }
        if lead.probe.is_some() {
            return; // it goes on when the log has answered
        }
        let at = lead.clock.now(now);
        if lead.stops && lead.engine.is_appending(at) {
            // One that is to stop hears nobody any more, and waits for its log alone.
            self.begins(node);
            return self.appends(node);
        }
        lead.watch.now = now;
        lead.hand_in(now);
        if let Err(error) = lead.engine.handle_timeout(at, &mut lead.watch) {
            return self.note(Err((Check::Legal, error.to_string())));
        }
        if lead.engine.wants_probe() {
            let token = self.asks(node, Question::Ends);
            if let Some(lead) = self.lead(node) {
                lead.probe = Some(token);
            }
            return;
        }
        self.begins(node);
        self.lets_go(node);
        self.appends(node);
        let Some(lead) = self.lead(node) else { return };
        let at = lead.clock.now(now);
        let takes_more = !lead.inbox.is_empty() && lead.engine.takes(at) > 0;
        let due = if takes_more { Some(at) } else { lead.engine.poll_timeout() };
        if let Some(due) = due {
            let due = lead.clock.when(due);
            self.look_by(node, due);
        }
        self.stopped_if_over(node);
    }

    /// Hands what was decided to the log.
    pub(super) fn begins(&mut self, node: usize) {
        let now = self.agenda.now();
        let Some(lead) = self.lead(node) else { return };
        while let Some(turn) = lead.engine.poll_append(lead.clock.now(now)) {
            match lead.pipe.begin(turn) {
                Ok(true) => {
                    let last = turn.last();
                    lead.begun.push_back(turn.clone());
                    lead.engine.handle_begun(last);
                }
                Ok(false) => return, // one must land first
                Err(error) => return self.refused(node, &error),
            }
        }
    }

    /// What leaves an engine.
    pub(super) fn lets_go(&mut self, node: usize) {
        let now = self.agenda.now();
        let Some(lead) = self.lead(node) else { return };
        let at = lead.clock.now(now);
        lead.watch.now = now;
        let durable = lead.engine.durable();
        lead.engine.handle_landed(at, durable, &mut lead.watch);
        let (epoch, mut outputs, mut letters) = (lead.epoch, Vec::new(), Vec::new());
        while let Some(output) = lead.engine.poll_output() {
            outputs.push(output);
        }
        while let Some(letter) = lead.engine.poll_transmit(at) {
            letters.push(letter);
        }
        for output in outputs {
            match output {
                Output::Answered(Some(BEGINS), answer) => {
                    let refused = answer.map_err(|error| (Check::Legal, error.to_string()));
                    self.note(refused);
                }
                Output::Answered(token, answer) => self.answer(node, token, answer.is_ok()),
                Output::Added(token, taken) => self.added(node, token, taken),
                Output::Probed((), epoch, last) => self.says_that_it_leads(node, epoch, last),
                Output::AskSource(block) => self.source_is_asked(block),
                Output::Look(()) | Output::Durable(_) => {}
            }
        }
        for (to, messages) in letters {
            for message in messages {
                self.send_down(node, &to, epoch, message);
            }
        }
        self.found_by(node);
    }

    /// What its own watch has found is found.
    pub(super) fn found_by(&mut self, node: usize) {
        let found = self.lead(node).and_then(|lead| lead.watch.found().cloned());
        if let Some(found) = found {
            self.note(Err((found.check, format!("engine {node}: {}", found.what))));
        }
    }

    pub(super) fn probed(&mut self, node: usize, answer: Answer) {
        let Some(lead) = self.lead(node) else { return };
        let silence = || AppendError::Unavailable(std::io::Error::other("no answer in time"));
        let known = if let Answer::Ends(_, last) = answer {
            probed("push0", lead.pipe.tip(), Some(&last))
        } else {
            Err(silence())
        };
        match known {
            Ok(()) => lead.engine.handle_probed(true),
            Err(AppendError::Unavailable(_)) => {
                lead.engine.handle_probed(false);
                lead.beats = None; // it asks again
            }
            Err(error) => return self.refused(node, &error),
        }
        let now = self.agenda.now();
        self.lets_go(node);
        self.look_by(node, now);
    }

    /// The log takes nothing of this engine, now or ever.
    pub(super) fn refused(&mut self, node: usize, error: &AppendError) {
        let now = self.agenda.now();
        self.say(|| format!("engine {node}: {error}"));
        let Some(lead) = self.lead(node) else { return };
        let refused = match error {
            AppendError::Full(_) => Refused::Full,
            AppendError::Unavailable(_) => Refused::Away,
            AppendError::Fenced { .. } => return self.opens(node, LEADER_SILENCE * 3),
            AppendError::Replaced { reason, .. } => {
                let reason = reason.clone();
                return self.node_ends(node, &reason);
            }
            AppendError::Poisoned(_) | AppendError::TooLarge { .. } | _ => {
                return self.note(Err((Check::Legal, error.to_string())));
            }
        };
        let durable = lead.pipe.tip().last();
        if !lead.engine.handle_refused(lead.clock.now(now), refused, durable) || lead.stops {
            return self.opens(node, LEADER_SILENCE * 3);
        }
        self.look_by(node, now);
    }

    /// It is to stop in order: it decides no more, and ends once all is durable.
    pub(super) fn lead_stops(&mut self, node: usize) {
        if let Some(lead) = self.lead(node) {
            lead.stops = true;
        }
        self.stopped_if_over(node);
    }

    pub(super) fn stopped_if_over(&mut self, node: usize) {
        let Some(lead) = self.lead(node).filter(|lead| lead.stops) else { return };
        if !lead.engine.has_undurable() && !lead.engine.has_requests() {
            lead.engine.handle_end();
            self.lets_go(node);
            self.node_dies(node, "it was stopped");
            self.agenda.after(STARTED_AGAIN, Happening::NodeStarts { node });
        }
    }

    /// It asks whether it leads, to say so.
    pub(super) fn lead_beats(&mut self, node: usize) {
        let now = self.agenda.now();
        let Some(lead) = self.lead(node) else { return };
        // Of an engine whose log is full nobody is answered: it is asked again.
        if lead.beats.is_none_or(|asked| now >= asked + BEAT_PATIENCE) {
            lead.beats = Some(now);
            lead.engine.handle_request(Request::Probe(()));
        }
        self.look_by(node, now);
        self.node_after(node, push0_engine::LEADER_BEAT, Goes::Beats);
    }

    /// What the wall clock of whoever leads shows.
    pub(super) fn wall_of(&self, node: usize) -> Timestamp {
        self.nodes.get(node).map_or(Timestamp(0), |one| one.wall(self.agenda.now()))
    }
}

/// Who writes: drawn anew at each opening.
fn writer(node: &Node) -> LogId {
    let mut writer = [0; 16];
    let (name, life, token) = (node.name as u64 + 1, node.life, node.token);
    let bytes = [name.to_le_bytes(), life.to_le_bytes(), token.to_le_bytes()];
    let bytes = bytes.iter().flat_map(|bytes| bytes.iter().take(5));
    writer.iter_mut().zip(bytes).for_each(|(byte, of)| *byte = *of);
    LogId(writer)
}

/// Requests on their way to an engine, as in the real one.
const INBOX_MAX: usize = 1_024;

/// Who waits for the claim and the pipeline: whoever starts the engine.
const BEGINS: u64 = u64::MAX;

/// Before an engine that was stopped in order is started again.
const STARTED_AGAIN: Duration = Duration::from_millis(700);

/// Before it asks again whether it leads, where it was not answered.
const BEAT_PATIENCE: Duration = Duration::from_millis(500);
