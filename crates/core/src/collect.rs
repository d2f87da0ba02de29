//! Collectors: how what flows into a stage becomes the stage's tasks.
//!
//! Each collector is a fold over events. What it may do next it offers ([`Collector::ripe`],
//! closings); the scheduler decides, and only the fact moves it on. So a change of policy (a `max`,
//! an `age`, a window) never makes an old log mean something else.
//!
//! Positions, and so shapes, come from the chain alone, never from the order of arrival.
//!
//! Not here: when a closing rule holds (`close`), and which stage feeds which (`Pipeline`).

mod parts;
mod sequence;
mod spans;
mod tree;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use parts::Parts;
pub(crate) use sequence::Sequence;
pub(crate) use spans::{Span, Spans};
pub(crate) use tree::{Beneath, Tree};

use crate::{Collect, Height, Inflow, InputId, Key, Stage, TaskId, Timestamp};

/// Something that flowed into a stage.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Item {
    pub(crate) input: InputId,
    pub(crate) key: Key,
    pub(crate) at: Timestamp,
}

impl Item {
    /// Whether it is a result of a span with `height` in it.
    pub(crate) fn is_made_of(&self, height: Height) -> bool {
        self.input.maker().is_some() && (self.key.first..=self.key.last).contains(&height)
    }
}

/// Tasks that could be opened: what they prove, from what.
pub(crate) type Ripe = BTreeMap<Key, Vec<InputId>>;

/// What has flowed into a stage and not yet become a task.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Collector {
    /// Fed by blocks, each a task: the next height to open. The chain itself is the queue.
    EachBlock {
        next: Option<Height>,
    },
    /// Fed by a stage, each item a task.
    Each(Ripe),
    Parts(Parts),
    Sequence(Sequence),
    Tree(Tree),
}

impl Collector {
    pub(crate) fn of(stage: &Stage) -> Self {
        match (&stage.collect, stage.input) {
            (Collect::Each, Inflow::Blocks) => Self::EachBlock { next: None },
            (Collect::Each, Inflow::Stage(_)) => Self::Each(Ripe::new()),
            (Collect::Parts, _) => Self::Parts(Parts::default()),
            (Collect::Sequence(_), _) => Self::Sequence(Sequence::default()),
            (Collect::Tree(arity, _), _) => Self::Tree(Tree::new(*arity)),
        }
    }

    /// Tasks that could be opened, in key order; [`Self::EachBlock`] reads the chain instead.
    pub(crate) const fn ripe(&self) -> Option<&Ripe> {
        match self {
            Self::EachBlock { .. } => None,
            Self::Each(ripe) => Some(ripe),
            Self::Parts(parts) => Some(parts.ripe()),
            Self::Sequence(sequence) => Some(sequence.ripe()),
            Self::Tree(tree) => Some(tree.ripe()),
        }
    }

    /// Forgets what became a task. Answers whether it was ripe.
    pub(crate) fn open(&mut self, task: TaskId, key: &Key, inputs: &[InputId]) -> bool {
        match self {
            Self::EachBlock { next } => {
                let in_order = next.is_none_or(|next| next == key.first);
                *next = Some(key.first.next());
                in_order
            }
            Self::Each(ripe) => ripe.remove(key).is_some_and(|ripe| ripe == inputs),
            Self::Parts(parts) => parts.open(key).is_some_and(|ripe| ripe == inputs),
            Self::Sequence(sequence) => sequence.open(key).is_some_and(|ripe| ripe == inputs),
            Self::Tree(tree) => tree.open(task, key).is_some_and(|ripe| ripe == inputs),
        }
    }

    /// Whether a result waits in it for others, of a span with `height` in it.
    pub(crate) fn holds(&self, height: Height) -> bool {
        match self {
            Self::EachBlock { .. } | Self::Each(_) => false,
            Self::Parts(parts) => parts.holds(height),
            Self::Sequence(sequence) => sequence.holds(height),
            Self::Tree(tree) => tree.holds(height),
        }
    }

    /// These tasks are no more, and what they made flows anew or never: what waits that came from
    /// them goes.
    pub(crate) fn forget(&mut self, gone: &BTreeSet<TaskId>) {
        let is_gone = |input: &InputId| input.maker().is_some_and(|of| gone.contains(&of));
        let stays = |_: &Key, inputs: &mut Vec<InputId>| !inputs.iter().any(is_gone);
        match self {
            Self::Each(ripe) => ripe.retain(stays),
            Self::Parts(parts) => parts.forget(is_gone),
            // Parts flow into neither; their join has not flowed on.
            Self::EachBlock { .. } | Self::Sequence(_) | Self::Tree(_) => {}
        }
    }

    /// How many items wait in it.
    pub(crate) fn waiting(&self) -> usize {
        match self {
            Self::EachBlock { .. } => 0,
            Self::Each(ripe) => ripe.len(),
            Self::Parts(parts) => parts.waiting(),
            Self::Sequence(sequence) => sequence.waiting(),
            Self::Tree(tree) => tree.waiting(),
        }
    }
}
