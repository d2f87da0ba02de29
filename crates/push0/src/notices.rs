//! What a dispatcher is and has to say of itself, told to people.
//!
//! Not here: when it says so (`push0_dispatch`), and what follows of it (`run`, `cluster`).

use push0_dispatch::{AttemptFailed, Config, Notice};

use crate::output::gist;
use crate::tell::{self, Level, Line, Repeats, counted, shown};

/// Tells it: somebody should see to what keeps work from being done.
pub(crate) fn tell(notice: &Notice) {
    match notice.is_trouble() {
        true => tell::warn(notice),
        false => tell::info(notice),
    }
}

/// Tells, as a detail, what a dispatcher begins with.
pub(crate) fn begins(config: &Config) {
    let Config { id, slots, memory_bytes, gpus, store, dir, .. } = config;
    let (slots, gpus) = (counted(slots, "slot"), counted(gpus.count(), "GPU"));
    let (mib, dir) = (memory_bytes >> 20, dir.display());
    tell::debug(format_args!("{id}: {slots}, {mib} MiB, {gpus}; {store}; its files are in {dir}"));
}

/// Tells of attempts that came to nothing: each kind of failure once, and then how often it comes.
#[derive(Default)]
pub(crate) struct Failures(Repeats);

impl Failures {
    /// Tells what a dispatcher has to say, and each attempt that came to nothing as its kind wants
    /// it.
    pub(crate) fn notice(&mut self, notice: &Notice) {
        if let Notice::AttemptFailed(failed) = notice {
            self.tell(failed);
        } else {
            tell(notice);
        }
    }

    /// Tells of one, unless it is like one that was told a moment ago.
    fn tell(&mut self, failed: &AttemptFailed) {
        let AttemptFailed { stage, how, message, .. } = failed;
        let gist = gist(message);
        // Numbers alone tell attempts of the same fault apart: ids, times, places.
        let kind = gist.replace(|letter: char| letter.is_ascii_digit(), "");
        let again = format!("{stage}: attempts come to nothing: {how}: {gist}");
        self.0.fails_like(&format!("{stage} {how} {kind}"), &again, || line(failed));
    }

    /// Tells of those that were only counted, where that is due.
    pub(crate) fn look(&mut self) {
        self.0.look();
    }
}

/// How an attempt came to nothing.
fn line(failed: &AttemptFailed) -> Line {
    let AttemptFailed { attempt, stage, key, how, message, ran } = failed;
    let (number, gist, lasted) = (attempt.position(), gist(message), shown(*ran));
    let begin = format!("{stage} {key}: attempt {number} came to nothing after {lasted}");
    Line::new(Level::Warn, format!("{begin}: {how}: {gist}"))
        .with("stage", stage.as_str())
        .with("key", key.to_string())
        .with("attempt", number.0)
        .with("class", how.as_str())
        .with("ran_us", u64::try_from(ran.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use push0_core::{AttemptId, BlockHash, ChainId, Height, Key};

    use super::*;

    #[test]
    fn an_attempt_that_came_to_nothing_is_told_with_its_task_its_class_and_its_last_words() {
        let (height, tip) = (Height(5), BlockHash([7; 32]));
        let failed = AttemptFailed {
            attempt: AttemptId(12),
            stage: "leaf".parse().expect("a name"),
            key: Key { chain: ChainId(1), first: height, last: height, part: None, tip },
            how: "resource".to_owned(),
            message: "exit code 1; the end of its output:\nstarts\nno device\n".to_owned(),
            ran: Duration::from_millis(3_200),
        };
        let line = line(&failed);
        assert_eq!(line.level(), Level::Warn);
        assert_eq!(
            line.shown(),
            "leaf 5: attempt 12 came to nothing after 3s: resource: exit code 1; the end of its output: … no device"
        );
    }
}
