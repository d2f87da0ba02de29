//! A world at one moment, and what may happen to it next.
//!
//! Two worlds are one state where their prints are one. A print is made of: what may yet go wrong,
//! and how many seconds have passed; the log (`truth`); every engine (`node`), every dispatcher
//! (`member`) and the client; and all that is under way (`net`). The stream has nothing beside: the
//! ids of messages that it knows are those of its records, and what is on its way to a majority is
//! a message under way. All clocks show the beginning and the seconds since, so no instant is in it
//! that another could stand for.

mod action;
mod bus;
mod lead;
mod log;

use std::collections::VecDeque;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use push0_core::Timestamp;
use push0_sim::Check;
use push0_sim::stream::Stream;

pub use self::action::Action;
use self::bus::Client;
use crate::ground;
use crate::member::Member;
use crate::net::{Net, Packet};
use crate::node::{Node, Part};
use crate::print::Print;
use crate::setting::{Bus, May, Setting};
use crate::truth::{Found, Truth};

/// A world at one moment.
#[derive(Clone)]
pub struct World {
    /// What may go wrong yet.
    may: May,
    seconds: u8,
    stream: Arc<Stream>,
    truth: Arc<Truth>,
    nodes: Vec<Arc<Node>>,
    crew: Vec<Arc<Member>>,
    client: Client,
    net: Net,
    /// What takes time on the bus: no part of the state, for it never changes.
    bus: Bus,
    /// What arrives before anything else happens.
    post: VecDeque<Packet>,
    found: Option<Arc<Found>>,
    happened: Happened,
    print: Print,
}

/// What has happened in some world, to see that worlds are not empty of it. It is no part of the
/// state.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Happened(pub u16);

impl Happened {
    /// An append was refused, for another engine's record stands in its place.
    pub const FENCED: Self = Self(1);
    /// The stream said that it had a message before.
    pub const REPEATED: Self = Self(2);
    /// An engine took over a log that another one had led.
    pub const TAKEN_OVER: Self = Self(4);
    /// A dispatcher was told something by an engine that leads no more, and obeyed it not.
    pub const IGNORED: Self = Self(8);
    /// A result came for a task that had one.
    pub const SURPLUS: Self = Self(16);
    /// An attempt of a dispatcher that died was given up.
    pub const LOST: Self = Self(32);
    /// What an engine had decided was not in the log when the next one took over.
    pub const DROPPED: Self = Self(64);

    /// All of them, with what they are called.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::FENCED, "an append was refused"),
        (Self::REPEATED, "an append was known already"),
        (Self::TAKEN_OVER, "an engine took over"),
        (Self::IGNORED, "an older engine was ignored"),
        (Self::SURPLUS, "a result came twice"),
        (Self::LOST, "an attempt was lost"),
        (Self::DROPPED, "what was decided was lost with its engine"),
    ];

    /// Whether this is among it.
    #[must_use]
    pub const fn has(self, what: Self) -> bool {
        self.0 & what.0 == what.0
    }
}

impl World {
    /// How it begins: everybody is there, and nothing was said; or one engine leads, and hears
    /// everybody.
    ///
    /// # Panics
    ///
    /// If the stream does not begin as a log.
    #[must_use]
    pub fn new(setting: &Setting) -> Self {
        let stream = Stream::new(setting.is_three);
        let genesis = stream.records.first().expect("a stream begins with its genesis record");
        let truth = Truth::new(genesis);
        let mut world = Self {
            may: setting.may,
            seconds: 0,
            truth: Arc::new(truth),
            stream: Arc::new(stream),
            nodes: (0..setting.engines).map(|name| Arc::new(Node::new(name))).collect(),
            crew: (0..setting.dispatchers).map(|nth| Arc::new(Member::new(nth))).collect(),
            client: Client::default(),
            net: Net::default(),
            bus: setting.bus,
            post: VecDeque::new(),
            found: None,
            happened: Happened::default(),
            print: Print::default(),
        };
        if setting.is_led {
            let led = world.is_led(setting);
            world.note(led);
        }
        world.seal();
        world
    }

    /// The first engine claims the log, and everybody hears of it, without any other way to go.
    fn is_led(&mut self, setting: &Setting) -> Result<(), Found> {
        let calm = Setting { may: May::default(), adds: &[], ..*setting };
        self.act(&calm, &Action::Claims(0))?;
        self.post_arrives(&calm)?;
        for _ in 0..BEGINS_MAX {
            let Some(sent) = self.net.iter().next() else { break };
            self.act(&calm, &Action::Arrives(sent))?;
            self.post_arrives(&calm)?;
            if self.net.is_empty() && self.seconds == 0 {
                self.act(&calm, &Action::Second)?;
                self.post_arrives(&calm)?;
            }
        }
        Ok(())
    }

    /// What is under way no longer than a step arrives.
    fn post_arrives(&mut self, setting: &Setting) -> Result<(), Found> {
        while let Some(packet) = self.post.pop_front() {
            self.arrives(setting, &packet)?;
        }
        self.past_arrives(setting)
    }

    /// What can change nothing any more arrives now: whenever it came, it would be refused, or
    /// ignored. So it makes no states that differ in it alone. That it is refused is for the stream
    /// to say, and for the dispatcher that it is ignored.
    fn past_arrives(&mut self, setting: &Setting) -> Result<(), Found> {
        let is_past = |packet: &Packet| match packet {
            Packet::Publish { is_awaited, sequence, .. } => {
                !is_awaited && *sequence <= self.stream.last()
            }
            Packet::Down { to, epoch, .. } => {
                self.crew.get(*to).is_some_and(|member| *epoch < member.knows())
            }
            Packet::Commit { .. }
            | Packet::Said { .. }
            | Packet::Up { .. }
            | Packet::Reigns { .. }
            | Packet::Add { .. }
            | Packet::Added { .. } => false,
        };
        let past: Vec<_> = self.net.iter().filter(|sent| is_past(&sent.packet)).collect();
        for sent in past {
            self.net.remove(sent.print);
            self.arrives(setting, &sent.packet)?;
        }
        Ok(())
    }

    /// Somebody says something on the bus.
    fn send(&mut self, packet: Packet) {
        match self.bus {
            Bus::AtOnce => self.post.push_back(packet),
            Bus::GrantsLate if !packet.has_orders() => self.post.push_back(packet),
            Bus::GrantsLate | Bus::Late => self.net.send(packet),
        }
    }

    /// The world after `action`.
    #[must_use]
    pub fn after(&self, setting: &Setting, action: &Action) -> Self {
        let mut next = self.clone();
        next.happened = Happened::default();
        let result = next.act(setting, action).and_then(|()| next.post_arrives(setting));
        next.note(result);
        next.seal();
        next
    }

    /// The check that does not hold, and what was found.
    #[must_use]
    pub fn found(&self) -> Option<(Check, &str)> {
        self.found.as_ref().map(|found| (found.0, found.1.as_str()))
    }

    /// What it is told apart by.
    #[must_use]
    pub const fn print(&self) -> Print {
        self.print
    }

    /// What has just happened.
    #[must_use]
    pub const fn happened(&self) -> Happened {
        self.happened
    }

    /// Whether all is done: every block is released, nobody runs or holds anything, and all that
    /// was decided is durable.
    #[must_use]
    pub fn is_over(&self, setting: &Setting) -> bool {
        let is_released = self.truth.released.len() == setting.blocks();
        let rests = |node: &Arc<Node>| match &node.part {
            Part::Down => false,
            Part::Follows => true,
            Part::Leads(lead) => lead.append.is_none() && !lead.engine.has_undurable(),
        };
        let are_idle = self.crew.iter().all(|member| member.rests());
        is_released && are_idle && self.nodes.iter().all(rests) && self.net.is_empty()
    }

    /// How many blocks are released, by the log.
    #[must_use]
    pub fn released(&self) -> usize {
        self.truth.released.len()
    }

    fn now(&self) -> Timestamp {
        ground::at(self.seconds)
    }

    /// Notes a check that does not hold; the first counts.
    fn note(&mut self, result: Result<(), Found>) {
        if let Err(found) = result {
            self.found.get_or_insert_with(|| Arc::new(found));
        }
    }

    fn happens(&mut self, what: Happened) {
        self.happened.0 |= what.0;
    }

    fn seal(&mut self) {
        for node in &mut self.nodes {
            // Those that were not touched are shared still, and have their print.
            if let Some(node) = Arc::get_mut(node) {
                node.seal();
            }
        }
        let Self { may, seconds, truth, nodes, crew, client, net, found, .. } = self;
        let nodes: Vec<_> = nodes.iter().map(|node| node.print).collect();
        let net: Vec<_> = net.prints().collect();
        let found = found.as_ref().map(|found| found.0);
        self.print = Print::of((may, seconds, truth.print, nodes, crew, client, net, found));
    }

    /// How it differs from another one, by all that both hold and not by their prints: the logs,
    /// and the schedulers of all engines, which prints know as what they were folded from.
    #[must_use]
    pub fn differs_from(&self, other: &Self) -> Option<String> {
        if self.stream.records != other.stream.records {
            return Some("the records of the log".to_owned());
        }
        if self.truth.scheduler != other.truth.scheduler {
            return Some("what the log leads to".to_owned());
        }
        let mut nodes = self.nodes.iter().zip(&other.nodes).enumerate();
        let node = nodes.find_map(|(name, (one, two))| match (one.lead(), two.lead()) {
            (None, None) => None,
            (Some(one), Some(two)) => {
                let what = one.differs_from(two)?;
                Some(format!("{what} of engine {name}"))
            }
            (Some(_), None) | (None, Some(_)) => Some(format!("the part of engine {name}")),
        });
        let crew = || (format!("{:?}", self.crew), format!("{:?}", other.crew));
        node.or_else(|| (crew().0 != crew().1).then(|| "the dispatchers".to_owned()))
    }

    /// What everybody does at the moment, for people.
    #[must_use]
    pub fn words(&self) -> String {
        let engines = self.nodes.iter().map(|node| match &node.part {
            Part::Down => "down".to_owned(),
            Part::Follows => "stands by".to_owned(),
            Part::Leads(lead) => {
                let (last, durable) = (lead.engine.scheduler().last(), lead.engine.durable());
                format!("leads in {}, decided {last}, durable {durable}", lead.epoch)
            }
        });
        let engines: Vec<_> = engines.collect();
        let crew = self.crew.iter().map(|one| (one.running.len(), one.held.len()));
        let crew: Vec<_> = crew.collect();
        let (records, last) = (self.stream.last(), self.truth.position.last());
        let released = self.truth.released.len();
        format!(
            "log {records} records, {last} facts, {released} released; engines {engines:?}; runs and holds {crew:?}"
        )
    }
}

/// Messages until everybody has heard of the first engine.
const BEGINS_MAX: u32 = 64;

impl PartialEq for World {
    fn eq(&self, other: &Self) -> bool {
        self.print == other.print
    }
}

impl Hash for World {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.print.hash(hasher);
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words())
    }
}
