//! Reading on by position, record by record: what a follower does while the servers make it no
//! consumer.
//!
//! A consumer brings records as they come, and servers keep only so many: whoever may make some can
//! take them all, or keep servers busy with making them. So readers are let make none, and an
//! engine goes on without. To ask for the record at a position needs the right to read and nothing
//! else: some are asked for at once, and an end is looked at every so often.
//!
//! Not here: when this is done, and when a consumer is tried again (`follow`).

use std::mem;
use std::time::Duration;

use futures_util::future::join_all;
use push0_core::Turn;
use tokio::time::{Instant, sleep_until};

use super::api::code;
use super::follow::Follower;
use crate::ReadError;

impl Follower {
    /// As [`next`](Self::next), by position.
    pub(super) async fn fetch(&mut self, until: Instant) -> Result<Vec<Turn>, ReadError> {
        let (mut ahead, mut bytes) = (1, 0);
        loop {
            let found = self.fetch_some(ahead).await?;
            bytes += found.bytes;
            if found.is_end || bytes >= BYTES_MAX {
                if !self.ready.is_empty() || Instant::now() >= until {
                    return Ok(mem::take(&mut self.ready));
                }
                sleep_until(until.min(Instant::now() + LOOK_EACH)).await;
                ahead = 1;
            } else {
                ahead = (ahead * 2).min(AHEAD_MAX);
            }
        }
    }

    /// Takes up to `ahead` records that come next.
    async fn fetch_some(&mut self, ahead: u64) -> Result<FetchEnd, ReadError> {
        let first = self.position.message + 1;
        let asked = (first..first + ahead).map(|sequence| self.api.get(sequence));
        let mut found = FetchEnd { bytes: 0, is_end: false };
        for (answer, sequence) in join_all(asked).await.into_iter().zip(first..) {
            match answer {
                Ok(Some(stored)) => {
                    found.bytes += stored.payload.len();
                    self.take(&stored)?;
                }
                Ok(None) => {
                    found.is_end = true;
                    break;
                }
                Err(error) if error.code() == Some(code::NO_STREAM) => {
                    // It says what became of it, if it does not come back.
                    let _ = self.verify().await?;
                    found.is_end = true;
                    break;
                }
                Err(_) if sequence > first => break, // what was read counts, and the rest is asked for again
                Err(error) => return Err(ReadError::Unavailable(error.into_error())),
            }
        }
        Ok(found)
    }
}

/// What came of asking.
struct FetchEnd {
    bytes: usize,
    /// Whether nothing stands behind what was read.
    is_end: bool,
}

/// Records that are asked for at once: a round trip brings as many as an engine may append in one.
const AHEAD_MAX: u64 = 16;

/// About as many bytes as one call gives: as a consumer's batch.
const BYTES_MAX: usize = 4 << 20;

/// How often the end is looked at within a call. An engine that stands by calls more often.
const LOOK_EACH: Duration = Duration::from_millis(100);
