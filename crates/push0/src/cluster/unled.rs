//! What a dispatcher tells of the engines: that none has led for a while, and that one leads again.
//!
//! Not here: a lost connection, which is told by itself (`links`).

use std::time::{Duration, Instant};

use crate::status::long;
use crate::tell::{self, counted};

/// When an engine that leads was heard last, and what was told of that.
pub(super) struct Unled {
    heard: Instant,
    is_told: bool,
}

impl Unled {
    /// One has just been heard.
    pub(super) const fn new(now: Instant) -> Self {
        Self { heard: now, is_told: false }
    }

    /// An engine that leads is heard.
    pub(super) fn beat(&mut self, now: Instant, id: &str) {
        self.heard = now;
        if std::mem::take(&mut self.is_told) {
            tell::info(format_args!("{id}: an engine leads again"));
        }
    }

    /// Tells once that none is heard, where the connection is there: so many attempts run, and so
    /// many results are kept.
    pub(super) fn look(
        &mut self,
        (now, id): (Instant, &str),
        is_connected: bool,
        counts: (usize, usize),
    ) {
        if let Some(words) = self.words(now, is_connected, counts) {
            tell::warn(format_args!("{id}: {words}"));
        }
    }

    fn words(
        &mut self,
        now: Instant,
        is_connected: bool,
        (running, kept): (usize, usize),
    ) -> Option<String> {
        if !is_connected {
            self.heard = now; // whether one leads is not to be known
        }
        let silence = now.saturating_duration_since(self.heard);
        if silence < SILENCE_MIN || std::mem::replace(&mut self.is_told, true) {
            return None;
        }
        Some(format!(
            "no engine has led for {}; {} running, {} kept until one leads: start one (push0 serve)",
            long(silence.as_secs()),
            counted(running, "attempt"),
            counted(kept, "result"),
        ))
    }
}

/// Longer than another engine takes to lead after one was killed.
const SILENCE_MIN: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_no_engine_leads_is_told_once_and_not_while_the_connection_is_lost() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let mut unled = Unled::new(begin);
        assert_eq!(unled.words(at(9), true, (1, 0)), None);
        let words = unled.words(at(11), true, (1, 2)).unwrap_or_default();
        assert!(
            words.starts_with("no engine has led for 11s; 1 attempt running, 2 results kept"),
            "{words}"
        );
        assert_eq!(unled.words(at(12), true, (1, 2)), None, "it was told");
        unled.beat(at(13), "gpu-1");
        assert_eq!(unled.words(at(20), false, (0, 0)), None);
        assert_eq!(unled.words(at(29), true, (0, 0)), None, "it was not connected");
        assert!(unled.words(at(31), true, (0, 0)).is_some());
    }
}
