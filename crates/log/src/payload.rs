//! Payloads: how a turn is written in a frame.
//!
//! MessagePack, with the names of its fields, so that what may be added to facts may be added as in
//! JSON; hashes are their bytes. Strings and hashes come from outside, and MessagePack writes them
//! as they are: a turn in which a reader could take some of them for the beginning of a frame is
//! written as JSON, which escapes them (`frame`). JSON is also what logs hold that were written
//! before.
//!
//! Not here: what stands around a payload (`frame`), and whether its turn may come next (`scan`).

use push0_core::Turn;
use serde::Serialize;

use crate::boundary;

/// A payload, and what it is written in.
#[derive(Debug)]
pub(crate) struct Payload {
    pub(crate) encoding: Encoding,
    pub(crate) bytes: Vec<u8>,
}

/// What a payload is written in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Encoding {
    Json,
    MessagePack,
}

impl Payload {
    /// What a record of `turn` holds.
    pub(crate) fn of(turn: &Turn) -> Self {
        let bytes = rmp_serde::to_vec_named(turn).expect("facts are made of what MessagePack has");
        match boundary::seems_begun_in(&bytes) {
            false => Self { encoding: Encoding::MessagePack, bytes },
            true => Self::json(turn),
        }
    }

    /// `said` as JSON, which cannot be mistaken for a frame.
    pub(crate) fn json(said: &impl Serialize) -> Self {
        let bytes = serde_json::to_vec(said).expect("it is made of what JSON has");
        Self { encoding: Encoding::Json, bytes }
    }

    /// That there is nothing to say.
    pub(crate) const fn none() -> Self {
        Self { encoding: Encoding::Json, bytes: Vec::new() }
    }
}

impl Encoding {
    /// The turn that `bytes` are, or why there is none.
    pub(crate) fn turn(self, bytes: &[u8]) -> Result<Turn, String> {
        match self {
            Self::Json => serde_json::from_slice(bytes).map_err(|error| error.to_string()),
            Self::MessagePack => rmp_serde::from_slice(bytes).map_err(|error| error.to_string()),
        }
    }

    /// Its number in a frame.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Json => 1,
            Self::MessagePack => 2,
        }
    }

    /// The one with this number.
    pub(crate) const fn of(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Json),
            2 => Some(Self::MessagePack),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use push0_core::{Digest, Epoch, Event, ParkedBy, Seq, TaskId, Timestamp};

    use super::*;
    use crate::frame;

    #[test]
    fn a_turn_takes_fewer_bytes_than_as_json_and_is_read_back() {
        let turn = parked("too large for any machine");
        let payload = Payload::of(&turn);
        assert_eq!(payload.encoding, Encoding::MessagePack);
        assert!(payload.bytes.len() < serde_json::to_vec(&turn).expect("JSON").len());
        assert_eq!(payload.encoding.turn(&payload.bytes), Ok(turn));
    }

    /// Both are what a prover says, and a hash may be any bytes: of `\u{249}` the second is the
    /// magic's first.
    #[test]
    fn what_looks_like_a_frame_is_written_so_that_it_does_not() {
        let feigned =
            (0..64).map(|before| parked(&format!("{}\u{249}push0\r\n", "x".repeat(before))));
        let hash = |at| {
            let mut hash = [0; 32];
            hash.iter_mut().skip(at).zip(*b"\x89push0\r\n").for_each(|(to, from)| *to = from);
            Event::Surplus {
                task: TaskId(hash),
                attempt: push0_core::AttemptId(1),
                output: Digest(hash),
            }
        };
        let many = |at| Turn { events: vec![hash(at); 64], ..parked("") };
        let mut as_json = 0;
        for turn in feigned.chain((0..=24).map(many)) {
            let payload = Payload::of(&turn);
            let frame = frame::encode(&frame::tests::HEADER, &payload);
            assert!(
                !boundary::begins_in(frame.get(boundary::ALIGN..).expect("longer")),
                "{turn:?}"
            );
            assert_eq!(payload.encoding.turn(&payload.bytes), Ok(turn));
            as_json += u32::from(payload.encoding == Encoding::Json);
        }
        assert!(as_json > 1, "of 64 places one is where a frame may begin");
    }

    #[test]
    fn what_cannot_be_read_is_told_and_nothing_is_made_of_it() {
        let bytes = Payload::of(&parked("")).bytes;
        for length in 0..bytes.len() {
            let cut = bytes.get(..length).expect("within");
            assert!(Encoding::MessagePack.turn(cut).is_err(), "{length} bytes");
        }
        assert!(Encoding::MessagePack.turn(&[0xdd, 0xff, 0xff, 0xff, 0xff]).is_err());
    }

    fn parked(message: &str) -> Turn {
        let (task, class) = (TaskId([0xa5; 32]), ParkedBy::Lost);
        let events = vec![Event::Parked { task, class, message: message.to_owned() }];
        Turn { epoch: Epoch(1), first: Seq(1), at: Timestamp(7), events }
    }
}
