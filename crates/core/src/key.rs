//! Keys: what part of which chain an item is about.
//!
//! Not here: what made the item (`InputId`), and its bytes.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{BlockHash, ChainId, Height, TaskId};

/// What an item is about: a span of a chain by number and hash, or a part of one.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Key {
    /// The chain.
    pub chain: ChainId,
    /// The first block.
    pub first: Height,
    /// The last block, included.
    pub last: Height,
    /// Which part of the span, counted from 0, where it was split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<u32>,
    /// The hash of the last block: identity is by hash, never by height alone.
    pub tip: BlockHash,
}

impl Key {
    /// The same span as a whole.
    #[must_use]
    pub const fn whole(self) -> Self {
        Self { part: None, ..self }
    }

    /// One part of the span.
    #[must_use]
    pub const fn part(self, part: u32) -> Self {
        Self { part: Some(part), ..self }
    }

    /// How many blocks it spans.
    #[must_use]
    pub const fn blocks(self) -> u64 {
        self.last.0 - self.first.0 + 1
    }
}

impl fmt::Display for Key {
    /// `16525000-16525003`, `16525000` for one block, `16525000/2` for its part 2.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        if self.last != self.first {
            write!(f, "-{}", self.last)?;
        }
        self.part.map_or(Ok(()), |part| write!(f, "/{part}"))
    }
}

/// What a task reads, by identity: never by the bytes of a proof, which may differ from make to
/// make.
///
/// Written `0x…` for a block, `…` for a task's result, `…/3` for part 3 of one.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum InputId {
    /// A block's payload.
    Block(BlockHash),
    /// A task's result.
    Task(TaskId),
    /// One element of what a splitting task made.
    Part(TaskId, u32),
}

impl InputId {
    /// The task that made it; none made a block.
    #[must_use]
    pub const fn maker(self) -> Option<TaskId> {
        match self {
            Self::Block(_) => None,
            Self::Task(task) | Self::Part(task, _) => Some(task),
        }
    }

    /// What goes into hashes and records: which of the three it is, the hash, and the part, or
    /// zero.
    pub(crate) fn bytes(self) -> [u8; 37] {
        let (kind, hash, part) = match self {
            Self::Block(block) => (0, block.0, 0),
            Self::Task(task) => (1, task.0, 0),
            Self::Part(task, part) => (2, task.0, part),
        };
        let mut bytes = [0; 37];
        let all = [kind].into_iter().chain(hash).chain(part.to_be_bytes());
        bytes.iter_mut().zip(all).for_each(|(to, from)| *to = from);
        bytes
    }

    fn of([kind, rest @ ..]: [u8; 37]) -> Option<Self> {
        let (hash, part) = (*rest.first_chunk()?, u32::from_be_bytes(*rest.last_chunk()?));
        match (kind, part) {
            (0, 0) => Some(Self::Block(BlockHash(hash))),
            (1, 0) => Some(Self::Task(TaskId(hash))),
            (2, part) => Some(Self::Part(TaskId(hash), part)),
            _ => None,
        }
    }
}

impl fmt::Display for InputId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Block(hash) => write!(f, "{hash}"),
            Self::Task(task) => write!(f, "{task}"),
            Self::Part(task, part) => write!(f, "{task}/{part}"),
        }
    }
}

impl FromStr for InputId {
    type Err = NotAnInput;

    fn from_str(text: &str) -> Result<Self, NotAnInput> {
        if text.starts_with("0x") {
            return text.parse().map(Self::Block).map_err(|_| NotAnInput);
        }
        match text.split_once('/') {
            None => text.parse().map(Self::Task).map_err(|_| NotAnInput),
            Some((task, part)) => match (task.parse(), part.parse()) {
                (Ok(task), Ok(part)) => Ok(Self::Part(task, part)),
                (Err(_), _) | (_, Err(_)) => Err(NotAnInput),
            },
        }
    }
}

impl Serialize for InputId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            _ if !serializer.is_human_readable() => serializer.serialize_bytes(&self.bytes()),
            Self::Block(hash) => hash.serialize(serializer),
            Self::Task(task) => task.serialize(serializer),
            Self::Part(..) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for InputId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return crate::reading::word(deserializer);
        }
        let bytes = crate::reading::bytes(deserializer)?;
        Self::of(bytes).ok_or_else(|| D::Error::custom(NotAnInput))
    }
}

/// What names no input.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("neither a block's hash nor a task's id")]
pub struct NotAnInput;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_read_back_from_its_bytes_and_nothing_else_is_one() {
        let (block, task) = (BlockHash([7; 32]), TaskId([9; 32]));
        let inputs = [InputId::Block(block), InputId::Task(task), InputId::Part(task, 1 << 20)];
        for input in inputs {
            assert_eq!(InputId::of(input.bytes()), Some(input));
            let [_, rest @ ..] = input.bytes();
            let mut other = [3; 37];
            other.iter_mut().skip(1).zip(rest).for_each(|(to, from)| *to = from);
            assert_eq!(InputId::of(other), None);
        }
        let mut padded = InputId::Task(task).bytes();
        *padded.last_mut().expect("37 of them") = 1;
        assert_eq!(InputId::of(padded), None);
    }

    #[test]
    fn a_span_has_both_its_ends() {
        let blocks = [key(0, 0), key(7, 7), key(7, 9)].map(Key::blocks);
        assert_eq!(blocks, [1, 1, 3]);
    }

    #[test]
    fn a_key_is_written_as_its_span_and_part() {
        let written = [key(7, 7), key(7, 9), key(7, 7).part(2)].map(|key| key.to_string());
        assert_eq!(written, ["7", "7-9", "7/2"]);
    }
    fn key(first: u64, last: u64) -> Key {
        let (first, last) = (Height(first), Height(last));
        Key { chain: ChainId(1), first, last, part: None, tip: BlockHash([0; 32]) }
    }
}
