//! What something takes when it is written down, before it is: an upper bound, by going through it
//! once.
//!
//! The log writes MessagePack, or JSON where a word from outside could be taken for a frame, and
//! messages are JSON. JSON is the longer of the two, and is what is counted here: hashes as their
//! digits, words with their escapes, and every number as the longest. What is added to a fact is
//! counted without another word here.
//!
//! Not here: what it is weighed for (`limits`), and the frame around it (`push0-log`).

use std::fmt::{self, Display};

use serde::Serialize;
use serde::ser::{
    Error, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

/// The most bytes that `what` takes, in MessagePack or in JSON.
pub(crate) fn bytes_max(what: &impl Serialize) -> usize {
    let mut sum = Sum(0);
    match what.serialize(&mut sum) {
        Ok(()) => sum.0,
        Err(NotWritten) => usize::MAX, // what cannot be written has room nowhere
    }
}

/// What it takes so far.
struct Sum(usize);

/// It cannot be written at all.
#[derive(Debug)]
struct NotWritten;

impl Sum {
    #[expect(clippy::unnecessary_wraps, reason = "it is what a serializer answers")]
    const fn add(&mut self, bytes: usize) -> Result<(), NotWritten> {
        self.0 = self.0.saturating_add(bytes);
        Ok(())
    }

    fn word(&mut self, word: &str) -> Result<(), NotWritten> {
        let escaped = |byte: u8| match byte {
            b'"' | b'\\' => 2,
            0..0x20 => 6,
            _ => 1,
        };
        self.add(word.bytes().map(escaped).sum::<usize>() + AROUND)
    }

    fn named(&mut self, name: &str, what: &(impl Serialize + ?Sized)) -> Result<(), NotWritten> {
        self.add(name.len() + AROUND)?;
        what.serialize(self)
    }

    fn begin(&mut self, name: &str) -> Result<&mut Self, NotWritten> {
        self.add(name.len() + 2 * AROUND)?;
        Ok(self)
    }
}

macro_rules! numbers {
    ($($name:ident: $type:ty),*) => {
        $(fn $name(self, _: $type) -> Result<(), NotWritten> {
            self.add(NUMBER)
        })*
    };
}

macro_rules! variants {
    ($($name:ident),*) => {
        $(fn $name(
            self,
            _: &'static str,
            _: u32,
            variant: &'static str,
            _: usize,
        ) -> Result<Self, NotWritten> {
            self.begin(variant)
        })*
    };
}

impl Serializer for &mut Sum {
    type Ok = ();
    type Error = NotWritten;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    /// So that hashes come as bytes: their digits need not be made to be counted.
    fn is_human_readable(&self) -> bool {
        false
    }

    numbers! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_f32: f32,
        serialize_f64: f64, serialize_char: char
    }

    fn serialize_str(self, word: &str) -> Result<(), NotWritten> {
        self.word(word)
    }

    /// Two digits a byte, and what says what they are.
    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), NotWritten> {
        self.add(2 * bytes.len() + PREFIX + AROUND)
    }

    fn serialize_none(self) -> Result<(), NotWritten> {
        self.add(AROUND)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, what: &T) -> Result<(), NotWritten> {
        what.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), NotWritten> {
        self.add(AROUND)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), NotWritten> {
        self.add(AROUND)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), NotWritten> {
        self.add(variant.len() + AROUND)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        what: &T,
    ) -> Result<(), NotWritten> {
        what.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        what: &T,
    ) -> Result<(), NotWritten> {
        what.serialize(self.begin(variant)?)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self, NotWritten> {
        self.begin("")
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, NotWritten> {
        self.begin("")
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, NotWritten> {
        self.begin("")
    }

    variants! { serialize_tuple_variant, serialize_struct_variant }

    fn serialize_map(self, _: Option<usize>) -> Result<Self, NotWritten> {
        self.begin("")
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, NotWritten> {
        self.begin("")
    }

    fn collect_str<T: Display + ?Sized>(self, word: &T) -> Result<(), NotWritten> {
        self.word(&word.to_string())
    }
}

macro_rules! elements {
    ($($kind:ident: $method:ident),*) => {
        $(impl $kind for &mut Sum {
            type Ok = ();
            type Error = NotWritten;

            fn $method<T: Serialize + ?Sized>(&mut self, what: &T) -> Result<(), NotWritten> {
                what.serialize(&mut **self)
            }

            fn end(self) -> Result<(), NotWritten> {
                Ok(())
            }
        })*
    };
}

elements! {
    SerializeSeq: serialize_element, SerializeTuple: serialize_element, SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field
}

macro_rules! fields {
    ($($kind:ident),*) => {
        $(impl $kind for &mut Sum {
            type Ok = ();
            type Error = NotWritten;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                what: &T,
            ) -> Result<(), NotWritten> {
                self.named(name, what)
            }

            fn end(self) -> Result<(), NotWritten> {
                Ok(())
            }
        })*
    };
}

fields! { SerializeStruct, SerializeStructVariant }

impl SerializeMap for &mut Sum {
    type Ok = ();
    type Error = NotWritten;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), NotWritten> {
        key.serialize(&mut **self)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotWritten> {
        value.serialize(&mut **self)
    }

    fn end(self) -> Result<(), NotWritten> {
        Ok(())
    }
}

impl Display for NotWritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it cannot be written")
    }
}

impl std::error::Error for NotWritten {}

impl Error for NotWritten {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

/// What stands around a value: quotes, colon, comma; or the longest header of MessagePack. Unit:
/// bytes.
const AROUND: usize = 5;

/// The longest that stands before the digits of a hash: `sha256:`. Unit: bytes.
const PREFIX: usize = 7;

/// The longest number, with its sign and what follows it. Unit: bytes.
const NUMBER: usize = 26;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::{
        AttemptId, Block, BlockHash, ChainId, Digest, Epoch, Event, FailureClass, Height, InputId,
        Key, PipelineSpec, ReleaseNumber, ResultRef, TaskId, Timestamp, Vkey,
    };

    /// With every number as long as it can be: of what is shorter it is an upper bound all the
    /// more.
    #[test]
    fn no_fact_takes_more_than_it_says_and_hardly_less_than_half() {
        for event in facts() {
            let (json, said) =
                (serde_json::to_vec(&event).expect("it is JSON").len(), event.bytes_max());
            assert!(json <= said, "{json} > {said}: {event:?}");
            assert!(said < 2 * json + 64, "{json} << {said}: {event:?}");
        }
    }

    fn facts() -> Vec<Event> {
        let (task, attempt, tip) = (TaskId([0xa5; 32]), AttemptId(u64::MAX), BlockHash([0xb6; 32]));
        let (chain, first, last) = (ChainId(u64::MAX), Height(u64::MAX), Height(u64::MAX));
        let key = Key { chain, first, last, part: Some(u32::MAX), tip };
        let digest = Digest([7; 32]);
        let name = "n".repeat(40);
        let words = "\u{1}\"\\\n\u{fc}\u{1f600} and plain".repeat(9);
        let result = ResultRef {
            output: digest,
            bytes: u64::MAX,
            statement: digest,
            vkey: None,
            mock: false,
            parts: vec![digest; 99],
        };
        let with_key = ResultRef { vkey: Some(Vkey([9; 32])), ..result.clone() };
        let fields = (0..50).map(|at| (format!("\"{at}\u{2}"), u64::MAX)).collect();
        let block =
            Block { number: last, hash: tip, parent: tip, payload: digest, bytes: 9, fields };
        let bare = Block { fields: BTreeMap::new(), ..block };
        let inputs = vec![InputId::Part(task, u32::MAX), InputId::Task(task), InputId::Block(tip)];
        let (ran_us, retry_at) = (u64::MAX, Timestamp(u64::MAX));
        let stage: crate::StageName = name.parse().expect("a name");
        let program: crate::ProgramName = name.parse().expect("a name");
        let dispatcher = name.parse().expect("a name");
        let pipeline = PipelineSpec { name: words.clone(), window: Some(7), ..Default::default() };
        let mut facts = ends(&words);
        facts.extend([
            Event::Configured { pipeline: Box::new(pipeline) },
            Event::Claimed { epoch: Epoch(u64::MAX), ids_hold_it: true },
            Event::BlockSubmitted { block },
            Event::BlockSubmitted { block: bare },
            Event::SourceEnded { last },
            Event::Resupplied { block: tip, payload: digest, bytes: u64::MAX },
            Event::PayloadLost { block: tip },
            Event::BatchClosed {
                stage: stage.clone(),
                key,
                items: 9,
                why: crate::ClosedBy::Boundary,
            },
            Event::TaskOpened { task, stage, program, key, inputs },
            Event::Granted { task, dispatcher, until: retry_at },
            Event::Accepted { task, attempt, result, ran_us },
            Event::Accepted { task, attempt, result: with_key, ran_us },
            Event::Surplus { task, attempt, output: digest },
            Event::Remade { task, old: digest, new: digest },
            Event::Parked { task, class: crate::ParkedBy::Contradiction, message: words },
            Event::Reopened { task, why: crate::ReopenedBy::ResultLost },
            Event::Released { number: ReleaseNumber(7), key, tasks: vec![task; 9] },
        ]);
        facts
    }

    fn ends(words: &str) -> Vec<Event> {
        let (task, attempt, message) = (TaskId([0xa5; 32]), AttemptId(u64::MAX), words.to_owned());
        let (ran_us, retry_at, excused) = (u64::MAX, Timestamp(u64::MAX), true);
        let (class, cause) = (FailureClass::InvalidInput, Some(crate::WithdrawnBy::InputLost));
        let program: crate::ProgramName = "p".repeat(40).parse().expect("a name");
        let dispatcher: crate::DispatcherId = "d".repeat(40).parse().expect("a name");
        let (failures, until) = (u32::MAX, retry_at);
        vec![
            Event::Failed {
                task,
                attempt,
                class,
                message: message.clone(),
                ran_us,
                retry_at,
                excused,
            },
            Event::Rejected { task, attempt, message: message.clone(), ran_us, retry_at, excused },
            Event::Lost { task, attempt, message: message.clone(), retry_at },
            Event::Withdrawn { task, attempt, message: message.clone(), retry_at, cause, excused },
            Event::Restored { dispatcher: dispatcher.clone(), program: program.clone() },
            Event::Cordoned {
                dispatcher: dispatcher.clone(),
                by: message.clone(),
                why: message.clone(),
            },
            Event::SourceResumed { by: message.clone(), why: message.clone() },
            Event::SetAside { dispatcher, program, failures, until, message },
            Event::Led {},
        ]
    }
}
