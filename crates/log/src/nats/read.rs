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
use super::chain::Position;
use super::{NatsLog, PAUSE};
use crate::ReadError;

impl NatsLog {
    /// Everything from the turn on that holds the event after `after`.
    pub(super) async fn read_now(&self, after: Seq) -> Result<Vec<Turn>, ReadError> {
        let end = self.end().await?;
        let from =
            if after == self.tip.last { self.tip.clone() } else { self.find(after, end).await? };
        let mut follower = self.follow(from);
        let mut turns = Vec::new();
        let mut give_up = Instant::now() + self.retry_max;
        loop {
            let place = follower.position();
            if place.message == self.tip.message && *place != self.tip {
                return Err(self.other(&format!("record {} is not what it was", place.message)));
            }
            if place.message >= end {
                turns.retain(|turn: &Turn| turn.last() > after);
                return Ok(turns);
            }
            let more = follower.next(self.api.answer_max).await?;
            if !more.is_empty() {
                give_up = Instant::now() + self.retry_max;
            } else if Instant::now() >= give_up {
                let error = io::Error::other("the server sends no more of the stream");
                return Err(ReadError::Unavailable(error));
            }
            turns.extend(more);
        }
    }

    /// The sequence of the stream's last message, which is no less than what is known to be durable.
    async fn end(&self) -> Result<u64, ReadError> {
        let give_up = Instant::now() + self.retry_max;
        loop {
            let error = match self.api.get_last(&self.subjects).await {
                Ok(Some(last)) if last.sequence >= self.tip.message => return Ok(last.sequence),
                // A leader that was just elected may be behind for a moment.
                Ok(_) if Instant::now() >= give_up => {
                    let message = self.tip.message;
                    return Err(self.other(&format!("it ends before record {message}")));
                }
                Ok(_) => None,
                Err(error) if error.code() == Some(code::NO_STREAM) => {
                    return Err(self.other("it is gone"));
                }
                Err(error) => Some(error),
            };
            if let Some(error) = error.filter(|_| Instant::now() >= give_up) {
                return Err(ReadError::Unavailable(error.into_error()));
            }
            sleep(PAUSE).await;
        }
    }

    /// A place before the turn that holds the event after `after`, found by halves.
    async fn find(&self, after: Seq, end: u64) -> Result<Position, ReadError> {
        let mut found = self.start.clone();
        let mut beyond = end + 1;
        while found.message + 1 < beyond && found.last < after {
            let middle = found.message + (beyond - found.message) / 2;
            let record = self.api.get(middle).await;
            let record = record.map_err(|error| ReadError::Unavailable(error.into_error()))?;
            let fault = |reason: &str| ReadError::DamagedRecord {
                stream: self.api.stream.to_string(),
                sequence: middle,
                reason: reason.to_owned(),
            };
            let record = record.ok_or_else(|| fault("it is missing"))?;
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

    fn other(&self, reason: &str) -> ReadError {
        ReadError::Replaced { stream: self.api.stream.to_string(), reason: reason.to_owned() }
    }
}
