//! What is under way: between engines and the stream, and between engines, dispatchers and the
//! client.
//!
//! Nothing has an order. Two messages that say the same to the same are one: a second copy while
//! the first is under way adds nothing but another delivery, which is a thing that may go wrong
//! (`May::doubled`).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use push0_core::{Epoch, FromDispatcher, ToDispatcher};
use push0_engine::Reign;
use push0_sim::stream::Publish;

use crate::print::Print;

/// Something under way. A `stay` says in which stay of an engine: it comes to nothing in another.
#[derive(Clone)]
pub(crate) enum Packet {
    /// A message to the stream. Whoever sent it may wait for an answer no more.
    Publish {
        node: usize,
        stay: u64,
        is_awaited: bool,
        sequence: u64,
        id: String,
        publish: Publish,
    },
    /// A message on its way to a majority of the stream's servers.
    Commit { node: usize, stay: u64, is_awaited: bool, id: String, nth: u64 },
    /// The stream's answer.
    Said { node: usize, stay: u64, reply: Reply },
    /// What a dispatcher says to an engine.
    Up { from: usize, node: usize, stay: u64, said: Vec<FromDispatcher> },
    /// What an engine says to this life of a dispatcher.
    Down { node: usize, to: usize, life: u64, epoch: Epoch, messages: Vec<ToDispatcher> },
    /// An engine says that it leads.
    Reigns { node: usize, to: usize, reign: Reign },
    /// The client's blocks: so many from there on.
    Add { node: usize, stay: u64, token: u64, from: usize, count: usize },
    /// So many of them were taken.
    Added { node: usize, stay: u64, token: u64, count: usize },
}

/// What the stream says to a publish.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reply {
    Stands { sequence: u64, is_repeat: bool },
    Conflict,
}

/// A message, and what it is told apart by.
#[derive(Clone)]
pub struct Sent {
    pub(crate) print: Print,
    pub(crate) packet: Arc<Packet>,
}

/// All that is under way. Its print is those of all messages.
#[derive(Clone, Default)]
pub(crate) struct Net(BTreeMap<Print, Arc<Packet>>);

impl Net {
    pub(crate) fn send(&mut self, packet: Packet) {
        self.0.insert(Print::of(&packet), Arc::new(packet));
    }

    pub(crate) fn remove(&mut self, print: Print) {
        self.0.remove(&print);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Sent> + '_ {
        let all = self.0.iter();
        all.map(|(print, packet)| Sent { print: *print, packet: Arc::clone(packet) })
    }

    pub(crate) fn prints(&self) -> impl Iterator<Item = &Print> {
        self.0.keys()
    }

    pub(crate) fn any(&self, is_it: impl Fn(&Packet) -> bool) -> bool {
        self.0.values().any(|packet| is_it(packet))
    }

    /// Nobody hears these any more.
    pub(crate) fn drop_all(&mut self, is_it: impl Fn(&Packet) -> bool) {
        self.0.retain(|_, packet| !is_it(packet));
    }

    /// Whoever waited for the answer to its append does so no more. What it has asked may come all
    /// the same.
    pub(crate) fn await_no_more(&mut self, engine: usize) {
        let is_its = |packet: &Packet| match packet {
            Packet::Publish { node, is_awaited, .. } | Packet::Commit { node, is_awaited, .. } => {
                *node == engine && *is_awaited
            }
            Packet::Said { .. }
            | Packet::Up { .. }
            | Packet::Down { .. }
            | Packet::Reigns { .. }
            | Packet::Add { .. }
            | Packet::Added { .. } => false,
        };
        let awaited = self.0.extract_if(.., |_, packet| is_its(packet));
        let awaited: Vec<_> = awaited.map(|(_, packet)| packet.unawaited()).collect();
        awaited.into_iter().flatten().for_each(|packet| self.send(packet));
        self.drop_all(|packet| matches!(packet, Packet::Said { node, .. } if *node == engine));
    }
}

impl Packet {
    fn unawaited(&self) -> Option<Self> {
        let is_awaited = false;
        match self {
            Self::Publish { node, stay, sequence, id, publish, .. } => {
                let (node, stay, sequence) = (*node, *stay, *sequence);
                let (id, publish) = (id.clone(), publish.clone());
                Some(Self::Publish { node, stay, is_awaited, sequence, id, publish })
            }
            Self::Commit { node, stay, id, nth, .. } => {
                let (node, stay, nth) = (*node, *stay, *nth);
                Some(Self::Commit { node, stay, is_awaited, id: id.clone(), nth })
            }
            Self::Said { .. }
            | Self::Up { .. }
            | Self::Down { .. }
            | Self::Reigns { .. }
            | Self::Add { .. }
            | Self::Added { .. } => None,
        }
    }

    /// Whether it is an append that waits for its answer, or that answer.
    pub(crate) const fn is_of_an_append(&self) -> bool {
        matches!(self, Self::Said { .. } | Self::Publish { is_awaited: true, .. })
    }

    /// Whether it is what an engine says to a dispatcher, and no verdict alone.
    pub(crate) fn has_orders(&self) -> bool {
        match self {
            Self::Down { messages, .. } => {
                !messages.iter().all(|message| matches!(message, ToDispatcher::Verdict(..)))
            }
            Self::Reigns { .. } => true,
            Self::Publish { .. }
            | Self::Commit { .. }
            | Self::Said { .. }
            | Self::Up { .. }
            | Self::Add { .. }
            | Self::Added { .. } => false,
        }
    }

    /// Whether it passes between engines, dispatchers and the client.
    pub(crate) const fn is_of_the_bus(&self) -> bool {
        match self {
            Self::Up { .. }
            | Self::Down { .. }
            | Self::Reigns { .. }
            | Self::Add { .. }
            | Self::Added { .. } => true,
            Self::Publish { .. } | Self::Commit { .. } | Self::Said { .. } => false,
        }
    }
}

/// Says all of it: its print is of this.
impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Publish { node, stay, is_awaited, id, .. } => {
                let waits = if *is_awaited { "" } else { ", and waits for no answer" };
                write!(f, "engine {node} ({stay}) appends {id}{waits}")
            }
            Self::Commit { node, stay, is_awaited, id, nth } => {
                let waits = if *is_awaited { "" } else { ", which waits for no answer" };
                write!(f, "append {nth} of engine {node} ({stay}), {id}{waits}, is on a majority")
            }
            Self::Said { node, stay, reply } => {
                write!(f, "the stream answers engine {node} ({stay}): {reply:?}")
            }
            Self::Up { from, node, stay, said } => {
                write!(f, "dispatcher {from} says to engine {node} ({stay}): {said:?}")
            }
            Self::Down { node, to, life, epoch, messages } => {
                write!(f, "engine {node} of {epoch} says to dispatcher {to} ({life}): {messages:?}")
            }
            Self::Reigns { node, to, reign } => {
                write!(f, "engine {node} says to dispatcher {to} that it leads: {reign:?}")
            }
            Self::Add { node, stay, token, from, count } => {
                write!(f, "the client adds {count} from {from} at engine {node} ({stay}), {token}")
            }
            Self::Added { node, stay, token, count } => {
                write!(f, "engine {node} ({stay}) answers {token}: it took {count}")
            }
        }
    }
}

impl PartialEq for Sent {
    fn eq(&self, other: &Self) -> bool {
        self.print == other.print
    }
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.packet)
    }
}
