//! Turns to append.
//!
//! Not here: what they mean.

use push0_core::{Epoch, Event, Height, Seq, Timestamp, Turn};

/// A small turn that stands at `first` and is like no other.
pub(crate) fn turn(first: Seq, mark: u64) -> Turn {
    let events = vec![Event::SourceEnded { last: Height(mark) }];
    Turn { epoch: Epoch(1), first, at: Timestamp(mark), events }
}
