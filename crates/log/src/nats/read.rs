//! Reading a log on JetStream from a position to its end.
//!
//! The end is what the stream's leader says it is. A position within is found by halves, in as many
//! requests as the number of records has binary digits.
//!
//! Not here: pulling records and checking them (`follow`).

use std::io;

use push0_core::{Seq, Turn};
use tokio::time::{Instant, sleep};

use super::api::code;
use super::{NatsLog, PAUSE};
use crate::ReadError;
use crate::stream::{Position, Stored};

impl NatsLog {
    /// Whether nothing stands behind `position`, by the word of the stream's leader. What it has
    /// may still be on its way to a follower.
    ///
    /// # Errors
    ///
    /// [`ReadError::Unavailable`].
    pub async fn ends_at(&self, position: &Position) -> Result<bool, ReadError> {
        let last = self.api.get_last(&self.subjects).await;
        let last = last.map_err(|error| ReadError::Unavailable(error.into_error()))?;
        Ok(last.is_none_or(|last| last.sequence <= position.message))
    }

    /// Everything from the turn on that holds the event after `after`.
    pub(super) async fn read_now(&self, after: Seq) -> Result<Vec<Turn>, ReadError> {
        let end = self.end().await?;
        let from = if after == self.pipe.tip().last {
            self.pipe.tip().clone()
        } else {
            self.find(after, end).await?
        };
        let mut follower = self.follow(from);
        let mut turns = Vec::new();
        let mut give_up = Instant::now() + self.retry_max;
        while follower.position().message < end {
            let more = follower.next(self.api.answer_max).await?;
            if !more.is_empty() {
                give_up = Instant::now() + self.retry_max;
            } else if Instant::now() >= give_up {
                let error = io::Error::other("the server sends no more of the stream");
                return Err(ReadError::Unavailable(error));
            }
            turns.extend(more);
        }
        turns.retain(|turn: &Turn| turn.last() > after);
        Ok(turns)
    }

    /// The sequence of the stream's last message, which is no less than what is known to be
    /// durable.
    async fn end(&self) -> Result<u64, ReadError> {
        let least = self.pipe.tip().message;
        let last = self.get(None, least).await?;
        let last = last.ok_or_else(|| self.other(&format!("it ends before record {least}")))?;
        Ok(last.sequence)
    }

    /// A place before the turn that holds the event after `after`, found by halves.
    async fn find(&self, after: Seq, end: u64) -> Result<Position, ReadError> {
        let mut found = self.start.clone();
        let mut beyond = end + 1;
        while found.message + 1 < beyond && found.last < after {
            let middle = found.message + (beyond - found.message) / 2;
            let record = self.get(Some(middle), middle).await?;
            let record = record.ok_or_else(|| ReadError::DamagedRecord {
                stream: self.api.stream.to_string(),
                sequence: middle,
                reason: "it is missing".to_owned(),
            })?;
            let place = Position::behind(&record, self.id())
                .map_err(|error| error.of(&self.api.stream, middle))?;
            if place.last <= after {
                found = place;
            } else {
                beyond = middle;
            }
        }
        Ok(found)
    }

    /// The record at this sequence, or the last, if it comes to be there and is at `least` or
    /// later. Asks as long as any answer could be that of a leader that was just elected, and is
    /// behind for a moment.
    async fn get(&self, which: Option<u64>, least: u64) -> Result<Option<Stored>, ReadError> {
        let give_up = Instant::now() + self.retry_max;
        loop {
            let got = match which {
                Some(sequence) => self.api.get(sequence).await,
                None => self.api.get_last(&self.subjects).await,
            };
            match got {
                Ok(Some(record)) if record.sequence >= least => return Ok(Some(record)),
                _ if Instant::now() < give_up => sleep(PAUSE).await,
                Ok(_) => return Ok(None),
                Err(error) if error.code() == Some(code::NO_STREAM) => {
                    return Err(self.other("it is gone"));
                }
                Err(error) => return Err(ReadError::Unavailable(error.into_error())),
            }
        }
    }

    fn other(&self, reason: &str) -> ReadError {
        ReadError::Replaced { stream: self.api.stream.to_string(), reason: reason.to_owned() }
    }
}
