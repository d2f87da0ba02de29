//! `push0 logs -f`: what runs, as it is printed, and what is tried next.
//!
//! Not here: what has ended before (`logs`).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use super::attempts::{Attempt, Attempts, Selection};
use super::source::{OutputReply, PIECES_MAX, Source, before, shown_part};
use crate::facts::{Facts, FactsError};
use crate::interrupts;
use crate::output::Lines;
use crate::tell;

/// Goes on until nothing more follows of what is meant, until somebody interrupts it, or reads no
/// more.
pub(super) fn follow(
    facts: &mut Facts,
    attempts: &mut Attempts,
    selection: &Selection,
    source: &Source,
) -> Result<std::io::Result<()>, FactsError> {
    let interrupts = interrupts::count().map_err(FactsError::thread)?;
    // What has ended was shown.
    let ended = attempts.of(selection).into_iter().filter(|attempt| attempt.end.is_some());
    let done = |attempt: &Attempt| {
        (attempt.number, AttemptView { is_done: true, ..AttemptView::default() })
    };
    let mut all: BTreeMap<u64, AttemptView> = ended.map(done).collect();
    if attempts.of(selection).is_empty() {
        tell::info("nothing was tried yet: waits for an attempt");
    }
    let (mut lines, mut last) = (Lines::new(), None);
    loop {
        let mut are_done = true;
        for attempt in attempts.of(selection) {
            let told = all.entry(attempt.number).or_default();
            if !told.is_done && !told.is_named && attempt.end.is_some() {
                // It began and ended since the last look.
                lines.line(&attempt.shown(source)?);
                (last, told.is_done) = (Some(attempt.number), true);
            } else if !told.is_done {
                told.go_on(attempt, source, (&mut lines, &mut last), &interrupts)?;
            }
            are_done &= told.is_done;
        }
        let is_over = are_done && attempts.is_settled(selection);
        if !lines.flush() || is_over || interrupts.load(Ordering::Relaxed) > 0 {
            return Ok(lines.finish());
        }
        if source.is_over() {
            tell::warn(
                "nothing runs here any more: what is tried next is shown once `push0 run` goes on",
            );
            return Ok(lines.finish());
        }
        facts.wait(&mut |turn| attempts.turn(&turn))?;
    }
}

/// What was shown of an attempt.
#[derive(Debug, Default)]
struct AttemptView {
    next: u64,
    /// So much text was shown. Unit: bytes.
    printed: usize,
    /// The end of it.
    last_words: String,
    /// What it is.
    is_named: bool,
    /// Its end too.
    is_done: bool,
    /// That nobody answers for it.
    is_silence: bool,
}

impl AttemptView {
    /// Shows what it has printed since, and how it ended. `last` is the attempt that was shown
    /// last.
    fn go_on(
        &mut self,
        attempt: &Attempt,
        source: &Source,
        (lines, last): (&mut Lines, &mut Option<u64>),
        interrupts: &AtomicU32,
    ) -> Result<(), FactsError> {
        let mut is_end = false;
        for _ in 0..PIECES_MAX {
            match source.ask(attempt, self.next)? {
                OutputReply::Piece(piece) => {
                    let text = shown_part(&(before(piece.forgotten) + &piece.text));
                    let is_new = !std::mem::replace(&mut self.is_named, true);
                    let is_named = !is_new && *last == Some(attempt.number);
                    if !is_named && (is_new || text.is_some()) {
                        lines.line(&format!("== {} ==", attempt.name()));
                        *last = Some(attempt.number);
                    }
                    text.iter().for_each(|text| lines.line(text));
                    self.remember(&piece.text);
                    // Who says that more is to come, and has none, is asked again later.
                    let is_more = piece.next > self.next;
                    (self.next, is_end, self.is_silence) = (piece.next, piece.is_end, false);
                    if !is_more || interrupts.load(Ordering::Relaxed) > 0 || !lines.flush() {
                        break;
                    }
                }
                OutputReply::Nothing => is_end = true,
                OutputReply::Nobody(_) if attempt.end.is_some() => {
                    // Whoever had it has gone since.
                    let kept = source.kept(attempt).unwrap_or_default();
                    shown_part(self.rest_of(&kept)).iter().for_each(|rest| lines.line(rest));
                    is_end = true;
                }
                OutputReply::Nobody(why) => {
                    is_end = true;
                    if !std::mem::replace(&mut self.is_silence, true) {
                        tell::warn(format_args!(
                            "attempt {}: {why}: it is asked again",
                            attempt.number
                        ));
                    }
                }
            }
            if is_end {
                break;
            }
        }
        if attempt.end.is_some() && is_end {
            lines.line(&format!("== {} ==", attempt.heading()));
            (*last, self.is_done) = (Some(attempt.number), true);
        }
        Ok(())
    }

    fn remember(&mut self, text: &str) {
        self.printed += text.len();
        self.last_words += text;
        let excess = self.last_words.len().saturating_sub(LAST_WORDS_BYTES);
        let cut = self.last_words.ceil_char_boundary(excess);
        self.last_words.drain(..cut);
    }

    /// What is behind that which was shown, in all that is kept: its beginning may be missing
    /// there.
    fn rest_of<'a>(&self, kept: &'a str) -> &'a str {
        let words = self.last_words.as_str();
        let is_whole = kept.get(..self.printed).is_some_and(|shown| shown.ends_with(words));
        let at = match is_whole {
            true => Some(self.printed),
            false => kept.rfind(words).map(|at| at + words.len()),
        };
        at.and_then(|at| kept.get(at..)).unwrap_or_default()
    }
}

/// Of what was shown, by which its place is found again.
const LAST_WORDS_BYTES: usize = 1 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_is_found_in_what_is_kept_though_its_beginning_is_not() {
        let mut told = AttemptView::default();
        let lines: Vec<String> = (0..900).map(|number| format!("line {number}\n")).collect();
        lines.iter().take(700).for_each(|line| told.remember(line));
        let rest = lines.iter().skip(700).cloned().collect::<String>();
        assert_eq!(told.rest_of(&lines.concat()), rest);
        let end = lines.iter().skip(300).cloned().collect::<String>();
        assert_eq!(told.rest_of(&format!("[9 bytes before this are not kept]\n{end}")), rest);
        assert_eq!(told.rest_of("something else"), "");
        assert_eq!(AttemptView::default().rest_of("all of it"), "all of it");
    }
}
