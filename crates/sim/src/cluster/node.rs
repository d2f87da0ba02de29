//! An engine's process: its clock, what it asks of the stream, and which part it plays.
//!
//! Not here: what it does while it stands by (`follow`), and while it leads (`lead`).

use std::time::Duration;

use push0_core::Timestamp;
use push0_engine::{Beat, LEADER_SILENCE};
use push0_log::{LogId, Position};

use super::follow::Follow;
use super::lead::Lead;
use super::stream::{Answer, Question};
use super::{Cluster, Goes, Happening};
use crate::check::Check;
use crate::clock::Rate;
use crate::fault::Fault;

/// An engine's process.
pub(super) struct Node {
    pub(super) name: usize,
    pub(super) life: u64,
    /// Until when it stands still.
    pub(super) frozen: Duration,
    pub(super) rate: Rate,
    /// How far its wall clock is off. Unit: microseconds.
    pub(super) wall_step: i64,
    pub(super) part: Part,
    /// The last word of another engine that leads.
    pub(super) seen: Option<Beat>,
    pub(super) token: u64,
    /// What this life of it knows of the log, however often it opens that: which it is, and its
    /// last message.
    pub(super) known: (Option<LogId>, u64),
    /// When it could reach the stream again, after it could not.
    pub(super) reached: Duration,
    /// Whether it cannot reach the stream, is not heard by the others, and hears nothing of them.
    pub(super) cut: Cuts,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cuts {
    pub(super) log: bool,
    pub(super) mute: bool,
    pub(super) deaf: bool,
}

/// Which part an engine plays.
pub(super) enum Part {
    /// Its process is not there.
    Down,
    /// It opens the log, by this question.
    Opens {
        token: u64,
        patience: Duration,
    },
    Follows(Box<Follow>),
    Leads(Box<Lead>),
    /// It has ended, and said that a person is needed.
    Ended,
}

impl Part {
    /// How far it knows the log.
    fn place(&self) -> Option<&Position> {
        match self {
            Self::Follows(follow) => Some(&follow.place),
            Self::Leads(lead) => Some(lead.place()),
            Self::Down | Self::Opens { .. } | Self::Ended => None,
        }
    }
}

impl Node {
    pub(super) fn new(name: usize) -> Self {
        Self {
            name,
            life: 0,
            frozen: Duration::ZERO,
            rate: Rate::TRUE,
            wall_step: 0,
            part: Part::Down,
            seen: None,
            token: 0,
            known: (None, 0),
            reached: Duration::ZERO,
            cut: Cuts::default(),
        }
    }

    pub(super) fn words(&self) -> String {
        let part = match &self.part {
            Part::Down => "is down".to_owned(),
            Part::Opens { .. } => "opens the log".to_owned(),
            Part::Follows(follow) => format!("stands by at {}", follow.place.last()),
            Part::Leads(lead) => lead.words(),
            Part::Ended => "has ended".to_owned(),
        };
        format!("engine {} life {} {part}", self.name, self.life)
    }

    /// What its monotonic clock shows.
    pub(super) fn clock(&self, now: Duration) -> Duration {
        self.rate.shown(now)
    }

    /// What its wall clock shows.
    pub(super) fn wall(&self, now: Duration) -> Timestamp {
        let wall = Timestamp(WALL_START) + now;
        Timestamp(wall.0.saturating_add_signed(self.wall_step))
    }
}

impl Cluster {
    pub(super) fn node_starts(&mut self, node: usize) {
        let now = self.agenda.now();
        // A person is at work: nobody starts an engine over a log that was put back, or made again.
        if self.stream.is_another() {
            return self.agenda.after(RESTART, Happening::NodeStarts { node });
        }
        if self.faults.strikes(now, Fault::ClockStep) {
            let chance = self.faults.chance(Fault::ClockStep);
            let most = if chance.permille(150) { WALL_OFF_US } else { WALL_NEAR_US };
            let step = i64::try_from(chance.below(2 * most)).unwrap_or_default();
            if let Some(one) = self.nodes.get_mut(node) {
                one.wall_step = step - most.cast_signed();
            }
        }
        let drifts = self.faults.strikes(now, Fault::ClockDrift);
        let permille =
            if drifts { self.faults.chance(Fault::ClockDrift).within(970, 1030) } else { 1000 };
        let Some(one) = self.nodes.get_mut(node) else { return };
        if !matches!(one.part, Part::Down | Part::Ended) {
            return;
        }
        one.rate = Rate::permille(u32::try_from(permille).unwrap_or(1000));
        one.life += 1;
        (one.frozen, one.seen, one.known) = (Duration::ZERO, None, (None, 0));
        self.say(|| format!("engine {node} starts"));
        self.opens(node, LEADER_SILENCE);
    }

    /// Stands by from the log's beginning, after whatever it did before.
    pub(super) fn opens(&mut self, node: usize, patience: Duration) {
        let token = self.asks(node, Question::Ends);
        if let Some(one) = self.nodes.get_mut(node) {
            if let Some(place) = one.part.place() {
                one.known = (Some(place.log()), one.known.1.max(place.message()));
            }
            one.part = Part::Opens { token, patience };
        }
    }

    /// An engine's process is gone.
    pub(super) fn node_dies(&mut self, node: usize, why: &str) {
        let Some(one) = self.nodes.get_mut(node) else { return };
        one.life += 1;
        one.part = Part::Down;
        self.say(|| format!("engine {node} dies: {why}"));
    }

    /// An engine has ended, and said that a person is needed. That is right only of a log that is
    /// another.
    pub(super) fn node_ends(&mut self, node: usize, why: &str) {
        let now = self.agenda.now();
        self.say(|| format!("engine {node} ends: {why}"));
        if !self.stream.is_another() && now > self.truth.whole_again + LATE_WORD {
            let what = format!("engine {node} ended over a log that is whole: {why}");
            self.note(Err((Check::LoudStop, what)));
        }
        let Some(one) = self.nodes.get_mut(node) else { return };
        one.life += 1;
        one.part = Part::Ended;
        self.agenda.after(RESTART, Happening::NodeStarts { node });
    }

    pub(super) fn node_goes(&mut self, node: usize, life: u64, what: Goes) {
        let now = self.agenda.now();
        let Some(one) = self.nodes.get_mut(node).filter(|one| one.life == life) else { return };
        if now < one.frozen {
            return self.agenda.at(one.frozen, Happening::Node { node, life, what });
        }
        match what {
            Goes::Looks => self.lead_looks(node),
            Goes::Answered { token, answer } => self.answered(node, token, answer),
            Goes::Silent { token } => self.answered(node, token, Answer::Nothing),
            Goes::Reads => self.reads(node),
            Goes::Again => self.appends_again(node),
            Goes::Extent => self.looks_at_extent(node),
            Goes::Beats => self.lead_beats(node),
            Goes::Beat { epoch, last, at: theirs } => {
                let (at, ours) = (one.clock(now), one.wall(now));
                let clocks_apart = ours.since(theirs).max(theirs.since(ours));
                one.seen = Some(Beat { epoch, last, clocks_apart, at });
            }
            Goes::Asked(asked) => self.lead_hears(node, asked),
        }
    }

    /// Has a process go on after a while.
    pub(super) fn node_after(&mut self, node: usize, wait: Duration, what: Goes) {
        let Some(life) = self.nodes.get(node).map(|one| one.life) else { return };
        self.agenda.after(wait, Happening::Node { node, life, what });
    }

    /// Asks the stream. Answers the token of its answer.
    pub(super) fn asks(&mut self, node: usize, question: Question) -> u64 {
        let Some(one) = self.nodes.get_mut(node) else { return 0 };
        one.token += 1;
        let (life, token, is_cut) = (one.life, one.token, one.cut.log);
        let patience = match &question {
            Question::Read(_) => READ_PATIENCE,
            Question::Publish(_) | Question::Get(_) | Question::Ends | Question::Extent => {
                ANSWER_MAX
            }
        };
        let mut wait = Duration::from_micros(self.chance.within(50, 1_500));
        if self.strikes(Fault::AskedLate) {
            wait = self.faults.chance(Fault::AskedLate).millis(10, 4_000);
        }
        if !is_cut {
            self.agenda.after(wait, Happening::Asked { node, life, token, question });
        }
        self.node_after(node, patience, Goes::Silent { token });
        token
    }

    /// The stream answers a process, unless the answer is lost.
    pub(super) fn answers(&mut self, (node, life, token): (usize, u64, u64), answer: Answer) {
        let is_cut = self.nodes.get(node).is_none_or(|one| one.cut.log);
        if is_cut || self.strikes(Fault::AnswerLost) {
            return;
        }
        let wait = Duration::from_micros(self.chance.within(50, 1_500));
        let what = Goes::Answered { token, answer };
        self.agenda.after(wait, Happening::Node { node, life, what });
    }

    fn answered(&mut self, node: usize, token: u64, answer: Answer) {
        let Some(one) = self.nodes.get(node) else { return };
        match &one.part {
            Part::Opens { token: own, patience } if *own == token => {
                let patience = *patience;
                self.opened(node, patience, answer);
            }
            Part::Follows(_) => self.follow_answered(node, token, answer),
            Part::Leads(_) => self.lead_answered(node, token, answer),
            Part::Opens { .. } | Part::Down | Part::Ended => {}
        }
    }
}

/// When a world begins. Unit: microseconds since 1970.
const WALL_START: u64 = 1_000_000_000_000_000;

/// How far wall clocks are off, that are set by the network. Unit: microseconds.
const WALL_NEAR_US: u64 = 2_000_000;

/// How far one is off that is not. Unit: microseconds.
const WALL_OFF_US: u64 = 3_600_000_000;

/// How long an answer is waited for, as by default.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// How long one who follows waits for more at once.
const READ_PATIENCE: Duration = push0_engine::STEP;

/// What was under way when the log was whole again may come to its word so late.
const LATE_WORD: Duration = Duration::from_secs(40);

/// Before an engine that has ended is started again.
const RESTART: Duration = Duration::from_secs(3);
