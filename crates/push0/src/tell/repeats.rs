//! A fault that comes again and again: told once, then counted, and told again when it is over.
//!
//! Not here: how long is waited between two tries, which is up to whoever tries.

use std::time::{Duration, Instant};

use super::{Level, Line, debug, tell, warn};

/// What one thing that is tried again and again fails with.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    /// Those that were told of, the one that was heard last at the end.
    faults: Vec<Fault>,
    /// Since it was well for the last time.
    failing: Option<Failing>,
}

#[derive(Debug)]
struct Failing {
    since: Instant,
    times: u64,
    /// Whether a person knows.
    is_told: bool,
}

#[derive(Debug)]
struct Fault {
    /// What makes it the same.
    kind: String,
    /// How it is counted.
    words: String,
    told: Instant,
    /// How often it came since it was told.
    more: u64,
}

impl Repeats {
    /// It fails, and for this: whatever changes from one time to the next is left out of `words`.
    pub(crate) fn fails(&mut self, words: &str) {
        match self.failing(words) {
            told if told.is_empty() => debug(format_args!("{words} (again)")),
            told => tell(&told),
        }
    }

    /// It fails, and in a way that is known by its `kind`: the first time a line of it is told,
    /// then `again` with a count.
    pub(crate) fn fails_like(&mut self, kind: &str, again: &str, first: impl FnOnce() -> Line) {
        let (is_new, counted) = self.heard_of(Instant::now(), kind, again);
        if is_new {
            tell(&[first()]);
        }
        counted.iter().for_each(warn);
        if !is_new && counted.is_empty() {
            debug(format_args!("{again} (again)"));
        }
    }

    /// Tells what was counted for long enough, where nothing comes any more.
    pub(crate) fn look(&mut self) {
        self.due(Instant::now()).iter().for_each(warn);
    }

    /// It is well. If it was not before, `words` are told.
    pub(crate) fn works(&mut self, words: &str) {
        tell(self.working(words).as_slice());
    }

    /// It goes on, with a warning or without; where it is hindered besides, nothing is said of that
    /// here. If it was not well before, `words` are told.
    pub(crate) fn goes_on(&mut self, warning: Option<&str>, is_hindered: bool, words: &str) {
        match warning {
            Some(warning) => self.fails(warning),
            None if is_hindered => {}
            None => self.works(words),
        }
    }

    /// As [`fails`](Self::fails), for whoever must not wait for a terminal: the lines that somebody
    /// else is to tell.
    pub(crate) fn failing(&mut self, words: &str) -> Vec<Line> {
        let told = self.heard(Instant::now(), words);
        told.into_iter().map(|words| Line::new(Level::Warn, words)).collect()
    }

    /// As [`works`](Self::works), likewise.
    pub(crate) fn working(&mut self, words: &str) -> Option<Line> {
        let told = self.mended(Instant::now(), words)?;
        Some(Line::new(Level::Info, told))
    }

    /// What is to be told of a fault that came.
    fn heard(&mut self, now: Instant, words: &str) -> Vec<String> {
        let (is_new, counted) = self.heard_of(now, words, words);
        is_new.then(|| words.to_owned()).into_iter().chain(counted).collect()
    }

    /// Whether a fault that came is of a new kind, and what of those before was counted and is to
    /// be told.
    fn heard_of(&mut self, now: Instant, kind: &str, words: &str) -> (bool, Vec<String>) {
        let new = || Failing { since: now, times: 0, is_told: false };
        let failing = self.failing.get_or_insert_with(new);
        failing.times += 1;
        let mut told = Vec::new();
        let known = self.faults.iter().position(|fault| fault.kind == kind);
        let mut fault = match known {
            Some(known) => {
                let mut fault = self.faults.remove(known);
                fault.more += 1;
                words.clone_into(&mut fault.words);
                fault
            }
            None => Fault { kind: kind.to_owned(), words: words.to_owned(), told: now, more: 0 },
        };
        if now.duration_since(fault.told) >= BETWEEN {
            told.extend(fault.take(now));
        }
        self.faults.push(fault);
        if self.faults.len() > FAULTS_MAX {
            told.extend(self.faults.remove(0).take(now));
        }
        failing.is_told |= known.is_none() || !told.is_empty();
        (known.is_none(), told)
    }

    /// What is to be told where it is well: nothing, of a fault that came back so soon that it was
    /// only counted.
    fn mended(&mut self, now: Instant, words: &str) -> Option<String> {
        let Failing { since, times, is_told } = self.failing.take()?;
        if !is_told {
            return None;
        }
        self.faults.retain(|fault| now.duration_since(fault.told) < BETWEEN);
        let after = shown(now.duration_since(since));
        Some(match times {
            1 => format!("{words} after {after}"),
            times => format!("{words} after {after} ({times} failures)"),
        })
    }

    /// What was counted for long enough.
    fn due(&mut self, now: Instant) -> Vec<String> {
        let due = self.faults.iter_mut().filter(|it| now.duration_since(it.told) >= BETWEEN);
        due.filter_map(|fault| fault.take(now)).collect()
    }

    /// What was counted and not told, where nothing comes any more.
    fn left(&mut self, now: Instant) -> Vec<String> {
        self.faults.iter_mut().filter_map(|fault| fault.take(now)).collect()
    }
}

impl Drop for Repeats {
    fn drop(&mut self) {
        self.left(Instant::now()).iter().for_each(warn);
    }
}

impl Fault {
    /// That it came more often than was told.
    fn take(&mut self, now: Instant) -> Option<String> {
        let more = std::mem::take(&mut self.more);
        let within = shown(now.duration_since(std::mem::replace(&mut self.told, now)));
        let times = if more == 1 { "once more" } else { "times more" };
        match more {
            0 => None,
            1 => Some(format!("{} (the same {times} in {within})", self.words)),
            more => Some(format!("{} (the same {more} {times} in {within})", self.words)),
        }
    }
}

/// A time for people: `24s`, `3m 5s`.
pub(crate) fn shown(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{}ms", time.as_millis()),
        seconds => humantime::format_duration(Duration::from_secs(seconds)).to_string(),
    }
}

/// How long a fault that was told is only counted.
const BETWEEN: Duration = Duration::from_secs(30);

/// Faults of one thing that are told apart. Something that fails in more ways than these is told of
/// more often.
const FAULTS_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_told_once_then_counted_then_told_to_be_over() {
        let (mut repeats, begin) = (Repeats::default(), Instant::now());
        let at = |millis| begin + Duration::from_millis(millis);
        assert_eq!(repeats.heard(begin, "no answer"), ["no answer"]);
        for tick in 1..60 {
            assert_eq!(repeats.heard(at(500 * tick), "no answer"), [""; 0]);
        }
        let counted = ["no answer (the same 60 times more in 30s)"];
        assert_eq!(repeats.heard(at(30_000), "no answer"), counted);
        assert_eq!(repeats.heard(at(30_500), "no answer"), [""; 0]);
        let over = repeats.mended(at(31_000), "it answers again");
        assert_eq!(over.as_deref(), Some("it answers again after 31s (62 failures)"));
        assert_eq!(repeats.mended(at(31_500), "it answers again"), None);
    }

    #[test]
    fn another_fault_is_told_at_once_and_one_that_changes_to_and_fro_is_counted() {
        let (mut repeats, now) = (Repeats::default(), Instant::now());
        assert_eq!(repeats.heard(now, "one"), ["one"]);
        assert_eq!(repeats.heard(now, "other"), ["other"]);
        assert_eq!([repeats.heard(now, "one"), repeats.heard(now, "other")], [[""; 0], [""; 0]]);
        let mut left = repeats.left(now + Duration::from_secs(2));
        left.sort();
        assert_eq!(left, ["one (the same once more in 2s)", "other (the same once more in 2s)"]);
        drop(std::mem::take(&mut repeats.faults));
    }

    #[test]
    fn what_fails_and_works_by_turns_is_not_told_each_time() {
        let (mut repeats, begin) = (Repeats::default(), Instant::now());
        assert_eq!(repeats.heard(begin, "cut off"), ["cut off"]);
        assert!(repeats.mended(begin, "there again").is_some());
        for _ in 0..100 {
            assert_eq!(repeats.heard(begin, "cut off"), [""; 0]);
            assert_eq!(repeats.mended(begin, "there again"), None);
        }
        let later = repeats.heard(begin + BETWEEN, "cut off");
        assert_eq!(later, ["cut off (the same 101 times more in 30s)"]);
    }

    #[test]
    fn faults_of_a_kind_are_counted_with_the_words_of_the_last_and_told_though_none_follows() {
        let (mut repeats, begin) = (Repeats::default(), Instant::now());
        assert_eq!(repeats.heard_of(begin, "prove failed", "device 3"), (true, vec![]));
        assert_eq!(repeats.heard_of(begin, "prove failed", "device 4"), (false, vec![]));
        assert_eq!(repeats.heard_of(begin, "prove failed", "device 5"), (false, vec![]));
        assert_eq!(repeats.due(begin + BETWEEN / 2), [""; 0]);
        assert_eq!(repeats.due(begin + BETWEEN), ["device 5 (the same 2 times more in 30s)"]);
        assert_eq!(repeats.due(begin + BETWEEN * 2), [""; 0]);
    }

    #[test]
    fn faults_without_end_take_no_memory_without_end() {
        let (mut repeats, now) = (Repeats::default(), Instant::now());
        for number in 0..1_000 {
            assert_eq!(repeats.heard(now, &number.to_string()), [number.to_string()]);
        }
        assert_eq!(repeats.faults.len(), FAULTS_MAX);
    }
}
