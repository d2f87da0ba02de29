//! A cluster: several engines over one log on a stream, dispatchers that hear whoever leads, and a
//! client, on virtual time.
//!
//! What is real: all of `push0-core` and `push0-engine` (an engine's turn, when one that stands by
//! claims the log, which engine a dispatcher follows), and of `push0_log::stream` all that is
//! decided about an append. What is mirrored: the stream and its servers (`stream`), what asks
//! them, the bus, what a dispatcher promises (`dispatcher`).
//!
//! Not here: an engine over a disk (`world`).

mod append;
mod bus;
mod crew;
mod ending;
mod follow;
mod lead;
mod mischief;
mod node;
mod source;
pub mod stream;
mod truth;

use std::time::Duration;

use push0_core::{
    AttemptId, DispatcherId, Epoch, FailureClass, FromDispatcher, Seq, Timestamp, ToDispatcher,
};
use push0_engine::{Admission, Reign};

use self::crew::Member;
use self::ending::Phase;
use self::node::Node;
use self::source::Source;
use self::stream::{Answer, Question, Stream};
use self::truth::Truth;
use crate::agenda::{Agenda, Step};
use crate::chance::Chance;
use crate::dispatcher::Dispatcher;
use crate::fault::{Fault, Faults};
use crate::scenario::Scenario;
use crate::store::Store;
use crate::story::{Outcome, Story};

/// A cluster, while it lasts.
pub(crate) struct Cluster {
    scenario: Scenario,
    agenda: Agenda<Happening>,
    faults: Faults,
    /// Draws that are no fault: how long messages take.
    chance: Chance,
    stream: Stream,
    store: Store,
    nodes: Vec<Node>,
    crew: Vec<Member>,
    source: Source,
    truth: Truth,
    poison: std::collections::BTreeMap<String, Option<FailureClass>>,
    phase: Phase,
    history: Option<String>,
    steps: u64,
}

/// Something that happens. A `life` says in which life of its party; it comes to nothing in
/// another.
#[derive(Debug)]
enum Happening {
    NodeStarts {
        node: usize,
    },
    /// An engine's process goes on.
    Node {
        node: usize,
        life: u64,
        what: Goes,
    },
    /// A question reaches the stream.
    Asked {
        node: usize,
        life: u64,
        token: u64,
        question: Question,
    },
    /// A message is on a majority of the stream's servers.
    Commits {
        nth: u64,
        answers: Option<(usize, u64, u64)>,
    },
    /// A leader's beat reaches a dispatcher.
    LeaderHeard {
        who: usize,
        reign: Reign,
    },
    /// A message of an engine in this epoch reaches a dispatcher.
    ToDispatcher {
        to: usize,
        life: u64,
        epoch: Epoch,
        message: ToDispatcher,
    },
    DispatcherStarts {
        who: usize,
    },
    Beats {
        who: usize,
        life: u64,
    },
    Goes {
        who: usize,
        life: u64,
        attempt: AttemptId,
        step: Step,
    },
    SourceGoes,
    SourceAnswered {
        token: u64,
        taken: Admission,
    },
    SourceEnds {
        token: u64,
        is_done: bool,
    },
    Operates,
    Mischief,
    Heals(Healed),
    Quiet,
}

/// How an engine's process goes on.
#[derive(Debug)]
enum Goes {
    /// It looks whether there is something to do.
    Looks,
    /// The stream answers.
    Answered { token: u64, answer: Answer },
    /// No answer came in time.
    Silent { token: u64 },
    /// It reads on.
    Reads,
    /// It asks what became of its append again.
    Again,
    /// It looks at the whole of the stream.
    Extent,
    /// It says that it leads.
    Beats,
    /// Another engine says that it leads.
    Beat { epoch: Epoch, last: Seq, at: Timestamp },
    /// Somebody asks something of whoever leads.
    Asked(Asked),
}

/// What is asked of whoever leads.
#[derive(Clone, Debug)]
enum Asked {
    Heard(FromDispatcher),
    Departed(DispatcherId, Duration),
    Add(u64, Vec<push0_core::Block>),
    Ask(u64, push0_core::Input),
}

/// What heals.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Healed {
    Node(usize),
    Dispatcher(usize),
    Stream,
    Store,
    /// What the stream held is put back.
    Restored,
}

impl Cluster {
    pub(crate) fn new(story: &Story, is_told: bool) -> Self {
        let scenario = Scenario::of_cluster(story.seed, story.blocks);
        let mut chance = Chance::of(story.seed, STREAM);
        let count = if chance.permille(300) { 2 } else { 3 };
        let crew = scenario.dispatchers.iter().zip(NAMES).map(|(capacity, name)| {
            let id: DispatcherId = name.parse().expect("it is a name");
            Member::new(Dispatcher::new(id, capacity.clone(), None))
        });
        let crew: Vec<_> = crew.collect();
        let is_three = chance.permille(750);
        Self {
            truth: Truth::new(&scenario),
            agenda: Agenda::default(),
            faults: Faults::of_kinds_often(story.seed, story.only.clone(), KINDS, &story.often),
            stream: Stream::new(is_three),
            store: Store::default(),
            nodes: (0..count).map(Node::new).collect(),
            crew,
            source: Source::default(),
            poison: std::collections::BTreeMap::new(),
            phase: Phase::Cruel,
            history: is_told.then(String::new),
            steps: 0,
            chance,
            scenario,
        }
    }

    /// Lives through everything.
    pub(crate) fn run(&mut self, mut each: impl FnMut(&Self)) {
        self.begin();
        while self.truth.watch.found().is_none() && self.phase != Phase::Over {
            let Some(happening) = self.agenda.next() else { break };
            self.truth.watch.now = self.agenda.now();
            self.truth.watch.count_instant();
            self.steps += 1;
            self.happen(happening);
            self.check_leads();
            self.check_knows_better();
            self.check_deposed();
            self.check_bound();
            each(self);
        }
    }

    /// How it came out.
    pub(crate) fn outcome(self) -> Outcome {
        Outcome {
            violation: self.truth.watch.found().cloned(),
            struck: self.faults.struck().to_vec(),
            steps: self.steps,
            events: self.truth.watch.ledger.last.0,
            lasted: self.agenda.now(),
            history: self.history.unwrap_or_default(),
        }
    }

    fn begin(&mut self) {
        for node in 0..self.nodes.len() {
            let wait = self.chance.millis(0, 900);
            self.agenda.after(wait, Happening::NodeStarts { node });
        }
        for who in 0..self.crew.len() {
            let wait = self.chance.millis(0, 900);
            self.agenda.after(wait, Happening::DispatcherStarts { who });
        }
        self.agenda.after(SOURCE_FIRST, Happening::SourceGoes);
        self.agenda.at(MISCHIEF, Happening::Mischief);
        self.agenda.at(self.scenario.cruel, Happening::Quiet);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::NodeStarts { node } => self.node_starts(node),
            Happening::Node { node, life, what } => self.node_goes(node, life, what),
            Happening::Asked { node, life, token, question } => {
                self.stream_hears((node, life, token), question);
            }
            Happening::Commits { nth, answers } => self.stream_commits(nth, answers),
            Happening::LeaderHeard { who, reign } => self.leader_heard(who, reign),
            Happening::ToDispatcher { to, life, epoch, message } => {
                self.dispatcher_hears(to, life, epoch, message);
            }
            Happening::DispatcherStarts { who } => self.dispatcher_starts(who),
            Happening::Beats { who, life } => self.beats(who, life),
            Happening::Goes { who, life, attempt, step } => self.goes(who, life, attempt, step),
            Happening::SourceGoes => self.source_goes(),
            Happening::SourceAnswered { token, taken } => self.source_answered(token, &taken),
            Happening::SourceEnds { token, is_done } => self.source_ends(token, is_done),
            Happening::Operates => self.operates(),
            Happening::Mischief => self.mischief(),
            Happening::Heals(healed) => self.heals(healed),
            Happening::Quiet => self.quiet(),
        }
    }

    /// Tells a line of the history, where somebody listens.
    fn say(&mut self, line: impl FnOnce() -> String) {
        if let Some(history) = &mut self.history {
            let now = self.agenda.now();
            history.push_str(&format!("{:>12.6} {}\n", now.as_secs_f64(), line()));
        }
    }

    /// What the parties hold at the moment, for people.
    pub(crate) fn state(&self) -> Vec<String> {
        let ledger = &self.truth.watch.ledger;
        let mut lines = vec![format!(
            "log: {} messages, last {}, {}, released {} of {} blocks, source {}",
            self.stream.last(),
            ledger.last,
            ledger.epoch,
            self.truth.watch.shadow().totals().blocks_released,
            self.scenario.blocks.len(),
            self.source.words()
        )];
        lines.extend(self.nodes.iter().map(Node::words));
        lines.extend(self.crew.iter().map(Member::words));
        lines
    }

    /// What was told of it so far.
    pub(crate) fn told(&self) -> &str {
        self.history.as_deref().unwrap_or_default()
    }

    /// Notes a check that does not hold, wherever it was found.
    fn note(&mut self, found: Result<(), crate::check::Found>) {
        self.truth.watch.note(found);
    }

    fn strikes(&mut self, fault: Fault) -> bool {
        self.faults.strikes(self.agenda.now(), fault)
    }
}

/// What goes wrong in a cluster. The rest is for worlds of one engine, which are many more.
const KINDS: &[Fault] = &[
    Fault::EngineKilled,
    Fault::EngineFrozen,
    Fault::EngineStopped,
    Fault::EngineMute,
    Fault::EngineDeaf,
    Fault::LogOutOfReach,
    Fault::Election,
    Fault::AnswerLost,
    Fault::AppendLate,
    Fault::AskedLate,
    Fault::StreamFull,
    Fault::SetBack,
    Fault::MadeAgain,
    Fault::ClockStep,
    Fault::ClockDrift,
    Fault::DispatcherKilled,
    Fault::DispatcherFrozen,
    Fault::Mute,
    Fault::Deaf,
    Fault::MessageLost,
    Fault::MessageDoubled,
    Fault::MessageLate,
    Fault::NoRoom,
    Fault::StoreDown,
    Fault::ArtifactLost,
    Fault::HeldKept,
    Fault::ProverSlow,
    Fault::ProverSilent,
    Fault::ProverFails,
    Fault::ProverLies,
    Fault::OtherBytes,
    Fault::LateProof,
    Fault::VerifierStuck,
    Fault::Poison,
    Fault::Cordoned,
    Fault::Retried,
    Fault::RemadeByHand,
    Fault::Reconfigured,
];

/// Between two times at which something may go wrong by itself.
const MISCHIEF: Duration = Duration::from_millis(500);

/// When the client begins.
const SOURCE_FIRST: Duration = Duration::from_millis(300);

const NAMES: [&str; 4] = ["alpha", "beta", "gamma", "delta"];

/// Above those of the worlds of one engine.
const STREAM: u64 = 1005;
