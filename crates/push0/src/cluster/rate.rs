//! How much of what dispatchers say is heard: each has a rate, and what is over it is left out
//! before it is read.
//!
//! Nothing is lost by that for good: each beat says again what matters. A person is told of whom
//! once, then how often.
//!
//! Not here: what is said (`bus`), and questions (`asked`).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::tell::counted;

/// What is heard of each dispatcher.
#[derive(Debug, Default)]
pub(super) struct Rates {
    by: HashMap<String, Rate>,
}

#[derive(Debug)]
struct Rate {
    messages: f64,
    bytes: f64,
    at: Instant,
    /// What was left out and not told of.
    left_out: u64,
    told: Option<Instant>,
}

impl Rates {
    /// Whether a message of so many bytes is read; where not, sometimes a word on it for people.
    pub(super) fn take(
        &mut self,
        now: Instant,
        by: &str,
        bytes: usize,
    ) -> Result<(), Option<String>> {
        let is_known = self.by.contains_key(by);
        // Who may speak for many can make up names without end.
        let name = if is_known || self.by.len() < NAMES_MAX { by } else { OTHERS };
        if !self.by.contains_key(name) {
            self.by.insert(name.to_owned(), Rate::new(now));
        }
        let Some(rate) = self.by.get_mut(name) else { return Ok(()) };
        if bytes <= BYTES_MAX && rate.takes(now, bytes) {
            return Ok(());
        }
        rate.left_out += 1;
        if rate.told.is_some_and(|told| now.saturating_duration_since(told) < TELL_EACH) {
            return Err(None);
        }
        rate.told = Some(now);
        let count = std::mem::take(&mut rate.left_out);
        Err(Some(format!(
            "left out {} of dispatcher {name}: it says more than {MESSAGES} messages or {} MB a \
             second, or more than {} kB at once",
            counted(count, "message"),
            BYTES >> 20,
            BYTES_MAX >> 10
        )))
    }
}

impl Rate {
    const fn new(at: Instant) -> Self {
        Self {
            messages: AT_ONCE * MESSAGES as f64,
            bytes: AT_ONCE * BYTES as f64,
            at,
            left_out: 0,
            told: None,
        }
    }

    fn takes(&mut self, now: Instant, bytes: usize) -> bool {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        let (messages, most) = (f64::from(MESSAGES), f64::from(BYTES));
        self.at = now;
        self.messages = messages.mul_add(since, self.messages).min(AT_ONCE * messages);
        self.bytes = most.mul_add(since, self.bytes).min(AT_ONCE * most);
        let bytes = bytes as f64;
        let takes = self.messages >= 1.0 && self.bytes >= bytes;
        if takes {
            (self.messages, self.bytes) = (self.messages - 1.0, self.bytes - bytes);
        }
        takes
    }
}

/// The longest message that is read: twice what one report of as many parts as there may be takes,
/// or a beat of some thousand attempts.
const BYTES_MAX: usize = 512 << 10;

/// Messages a second: more than a machine that ends a prover in each millisecond has, whose reports
/// share messages.
const MESSAGES: u32 = 4_000;

/// Bytes a second: some sixty thousand reports, which is more than an engine decides over NATS; of
/// so much that is worth nothing it still decides what others say.
const BYTES: u32 = 24 << 20;

/// Seconds that are saved up, for who could not speak for a moment.
const AT_ONCE: f64 = 2.0;

/// Dispatchers that have a rate of their own; those past it share one.
const NAMES_MAX: usize = 10_000;

/// What those past it are called.
const OTHERS: &str = "(and others)";

/// A person is told so often.
const TELL_EACH: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_says_too_much_is_left_out_and_told_of_once_and_the_others_are_heard() {
        let (mut rates, start) = (Rates::default(), Instant::now());
        let heard = |rates: &mut Rates, now| {
            (0..20_000).filter(|_| rates.take(now, "loud", 10).is_ok()).count()
        };
        assert_eq!(heard(&mut rates, start), 8_000);
        assert_eq!(rates.take(start, "quiet", 10), Ok(()));
        assert_eq!(rates.take(start, "loud", 10), Err(None), "it was told");
        assert_eq!(heard(&mut rates, start + Duration::from_secs(1)), 4_000, "a second's");
        let told = rates.take(start + TELL_EACH, "quiet", BYTES_MAX + 1);
        let words = told.expect_err("it is too long").expect("it is the first of it");
        assert!(words.starts_with("left out 1 message of dispatcher quiet: "), "{words}");
    }

    #[test]
    fn bytes_count_and_made_up_names_share_what_is_left() {
        let (mut rates, now) = (Rates::default(), Instant::now());
        let long = |rates: &mut Rates, by: &str| {
            (0..100).filter(|_| rates.take(now, by, BYTES_MAX).is_ok()).count()
        };
        assert_eq!(long(&mut rates, "loud"), 96);
        for number in 0..NAMES_MAX {
            let _ = rates.take(now, &format!("d{number}"), 1);
        }
        assert_eq!(rates.by.len(), NAMES_MAX + 1);
        assert_eq!(
            long(&mut rates, "new") + long(&mut rates, "newer"),
            95,
            "one was made up before"
        );
    }
}
