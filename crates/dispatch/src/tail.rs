//! The end of a process's output: all that is kept of it, however much there is.
//!
//! Not here: who reads the output, and where the tail goes.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::progress::is_progress;

/// The last bytes of an output. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tail(Arc<Mutex<Ring>>);

#[derive(Debug, Default)]
struct Ring {
    bytes: VecDeque<u8>,
    /// All that ever was, the forgotten too.
    total: u64,
}

impl Ring {
    /// Where what is kept begins.
    fn first(&self) -> u64 {
        self.total - self.bytes.len() as u64
    }
}

impl Tail {
    /// Adds to the end; what no longer fits is forgotten.
    pub(crate) fn push(&self, bytes: &[u8]) {
        let mut ring = self.lock();
        ring.total += bytes.len() as u64;
        let kept = bytes.get(bytes.len().saturating_sub(TAIL_BYTES_MAX)..).unwrap_or_default();
        let excess = (ring.bytes.len() + kept.len()).saturating_sub(TAIL_BYTES_MAX);
        ring.bytes.drain(..excess);
        ring.bytes.extend(kept);
    }

    /// Where the output is at the moment: how many bytes there were in all.
    pub(crate) fn position(&self) -> u64 {
        self.lock().total
    }

    /// What is kept of the output after `position`, and how many bytes of it were forgotten.
    pub(crate) fn since(&self, position: u64) -> Output {
        let ring = self.lock();
        let first = ring.first();
        let skip = usize::try_from(position.saturating_sub(first)).unwrap_or(usize::MAX);
        let bytes: Vec<u8> = ring.bytes.iter().skip(skip).copied().collect();
        Output { text: harmless(&bytes), forgotten: first.saturating_sub(position) }
    }

    /// What is kept of the output after `position`, alone: whatever is printed from now on is not
    /// in it.
    pub(crate) fn frozen(&self, position: u64) -> Self {
        let ring = self.lock();
        let skip = usize::try_from(position.saturating_sub(ring.first())).unwrap_or(usize::MAX);
        let bytes = ring.bytes.iter().skip(skip).copied().collect();
        let total = ring.total.saturating_sub(position);
        Self(Arc::new(Mutex::new(Ring { bytes, total })))
    }

    /// Some of the output from `from` on, counted from `since`. Only whole lines, unless nothing
    /// more `is_to_come`.
    pub(crate) fn piece(&self, since: u64, from: u64, is_to_come: bool) -> Piece {
        let ring = self.lock();
        let wanted = since.saturating_add(from).min(ring.total);
        let start = wanted.max(ring.first()).max(since.min(ring.total));
        let skip = usize::try_from(start - ring.first()).unwrap_or(usize::MAX);
        let bytes: Vec<u8> = ring.bytes.iter().skip(skip).take(PIECE_BYTES_MAX).copied().collect();
        let is_end = start + bytes.len() as u64 == ring.total;
        let (next, forgotten) = (start.saturating_sub(since), start - wanted);
        drop(ring);
        Piece::cut(&bytes, (next, forgotten), is_end, is_to_come)
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Some of an output, as text that does nothing to a terminal.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Piece {
    /// Whole lines, or the end.
    pub text: String,
    /// A line that has not ended yet. It comes again, whole, in the next piece.
    #[serde(default)]
    pub rest: String,
    /// Where the next piece begins.
    pub next: u64,
    /// So many bytes before it are not kept. Unit: bytes.
    #[serde(default)]
    pub forgotten: u64,
    /// Whether there is nothing behind it at the moment.
    pub is_end: bool,
    /// Whether more may come.
    pub is_to_come: bool,
}

impl Piece {
    /// Cuts `bytes`, which begin at `next`, behind their last whole line; nothing of them is left
    /// over if there is more (`is_end`), and all of them are taken if no more `is_to_come`.
    pub(crate) fn cut(
        bytes: &[u8],
        (next, forgotten): (u64, u64),
        is_end: bool,
        is_to_come: bool,
    ) -> Self {
        let is_cut = bytes.len() >= PIECE_BYTES_MAX;
        let whole = match last_line_end(bytes) {
            _ if is_end && !is_to_come => bytes.len(),
            Some(end) => end,
            None if is_cut => last_character_end(bytes), // a line longer than a piece
            None => 0,
        };
        let (text, rest) = bytes.split_at(whole);
        let rest = if is_end { rest } else { &[] };
        let rest = rest.get(..last_character_end(rest)).unwrap_or_default();
        Self {
            text: harmless(text),
            rest: harmless(rest.get(..REST_BYTES_MAX).unwrap_or(rest)),
            next: next + whole as u64,
            forgotten,
            is_end,
            is_to_come,
        }
    }
}

/// Where the last line that has ended ends. What follows a carriage return at the very end may
/// belong to it.
fn last_line_end(bytes: &[u8]) -> Option<usize> {
    let last = bytes.len().saturating_sub(1);
    let ends = |(at, byte): (usize, &u8)| *byte == b'\n' || *byte == b'\r' && at < last;
    bytes.iter().enumerate().rposition(ends).map(|at| at + 1)
}

/// Where the last character ends that is there with all its bytes. What is no text at all is cut
/// anywhere.
fn last_character_end(bytes: &[u8]) -> usize {
    match str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        Ok(_) | Err(_) => bytes.len(),
    }
}

/// An output as text that does nothing to a terminal.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Output {
    /// Its end.
    pub(crate) text: String,
    /// How many bytes came before.
    pub(crate) forgotten: u64,
}

impl Output {
    /// The last lines, as many as a message can carry, but for those that say how far it is;
    /// nothing if there are none.
    pub(crate) fn last_lines(&self) -> Option<String> {
        let words = |line: &&str| !is_progress(line);
        let text = self.text.lines().filter(words).collect::<Vec<_>>().join("\n");
        let text = text.trim();
        let mut start = text.ceil_char_boundary(text.len().saturating_sub(MESSAGE_BYTES_MAX));
        if start > 0 {
            let rest = text.get(start..).unwrap_or_default();
            // Whole lines, if there is more than one.
            start += rest.find('\n').filter(|at| at + 1 < rest.len()).map_or(0, |at| at + 1);
        }
        text.get(start..).filter(|text| !text.is_empty()).map(str::to_owned)
    }
}

/// `what`, with the end of the output under it.
pub(crate) fn with_output(what: &str, output: &Output) -> String {
    match output.last_lines() {
        Some(lines) => format!("{what}{OUTPUT_FOLLOWS}\n{lines}"),
        None => format!("{what}; it printed nothing"),
    }
}

/// The bytes as text: no colours, no control characters but line ends and tabs, nothing that turns
/// text around.
fn harmless(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut clean = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\x1b' if characters.next_if_eq(&'[').is_some() => {
                // An escape sequence ends with its first letter or sign from @ to ~ (ECMA-48 §5.4).
                while characters.next().is_some_and(|next| !('@'..='~').contains(&next)) {}
            }
            '\n' | '\t' => clean.push(character),
            '\r' if characters.peek() == Some(&'\n') => {}
            '\r' => clean.push('\n'), // a progress bar that writes over itself
            // However many there are in a row: it may be all that there is.
            char::REPLACEMENT_CHARACTER if clean.ends_with(character) => {}
            control if control.is_control() => match clean.ends_with(char::REPLACEMENT_CHARACTER) {
                true => {}
                false => clean.push(char::REPLACEMENT_CHARACTER),
            },
            printable => clean.push(printable),
        }
    }
    match push0_core::plain_lines(&clean) {
        Cow::Borrowed(_) => clean,
        Cow::Owned(plain) => plain,
    }
}

/// Kept of one process's output. Unit: bytes.
const TAIL_BYTES_MAX: usize = 64 << 10;

/// Of which a piece has so much at most: in JSON, with escapes, it fits into the smallest message
/// that push0 needs. Unit: bytes.
pub(crate) const PIECE_BYTES_MAX: usize = 8 << 10;

/// Of a line that has not ended so much is shown. Unit: bytes.
const REST_BYTES_MAX: usize = 1 << 10;

/// The last words before the lines of an output.
pub(crate) const OUTPUT_FOLLOWS: &str = "; the end of its output:";

/// Of which a failure's message carries so much. Unit: bytes.
const MESSAGE_BYTES_MAX: usize = 2 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_leaves_its_end() {
        let tail = Tail::default();
        for number in 0..100_000 {
            tail.push(format!("line {number}\n").as_bytes());
        }
        let output = tail.since(0);
        assert!(output.text.len() <= TAIL_BYTES_MAX && output.forgotten > 1_000_000);
        let lines = output.last_lines().expect("lines");
        assert!(lines.starts_with("line ") && lines.ends_with("line 99999"), "{lines}");
        assert!(lines.len() <= MESSAGE_BYTES_MAX);
    }

    #[test]
    fn an_attempt_sees_what_came_after_it_began() {
        let tail = Tail::default();
        tail.push(b"of the one before\n");
        let began = tail.position();
        assert_eq!(tail.since(began).last_lines(), None);
        tail.push(b"its own\n");
        assert_eq!(tail.since(began).last_lines().as_deref(), Some("its own"));
    }

    #[test]
    fn how_far_it_was_is_no_word_of_a_failure() {
        let tail = Tail::default();
        tail.push(b"progress 0.1\nno device\nprogress 0.2\nprogress report: none\nprogress 1\n");
        let words = tail.since(0).last_lines();
        assert_eq!(words.as_deref(), Some("no device\nprogress report: none"));
        let alone = Tail::default();
        alone.push(b"progress 0.1\n");
        assert_eq!(alone.since(0).last_lines(), None);
    }

    #[test]
    fn pieces_are_whole_lines_and_join_to_the_whole() {
        let tail = Tail::default();
        tail.push(b"of the one before\n");
        let since = tail.position();
        let lines: Vec<String> =
            (0..2_000).map(|number| format!("l\u{ef}ne {number}\r\n")).collect();
        let (mut read, mut next) = (String::new(), 0);
        for part in lines.concat().as_bytes().chunks(777) {
            tail.push(part);
            let piece = tail.piece(since, next, true);
            assert!(piece.text.is_empty() || piece.text.ends_with('\n'), "{piece:?}");
            read += &piece.text;
            next = piece.next;
        }
        tail.push(b"no end");
        let piece = tail.piece(since, next, true);
        assert_eq!((&*piece.text, &*piece.rest, piece.is_end), ("", "no end", true));
        let ended = tail.frozen(since);
        tail.push(b"of the next\n");
        let last = ended.piece(0, next, false);
        assert_eq!((&*last.text, last.is_end, last.is_to_come), ("no end", true, false));
        assert_eq!(read, lines.concat().replace('\r', ""));
    }

    #[test]
    fn what_a_reader_comes_too_late_for_is_counted() {
        let tail = Tail::default();
        tail.push(&b"0123456\n".repeat(TAIL_BYTES_MAX / 4));
        let piece = tail.piece(0, 8, true);
        let forgotten = (TAIL_BYTES_MAX - 8) as u64;
        assert_eq!((piece.forgotten, piece.is_end), (forgotten, false));
        assert_eq!(piece.next, 8 + forgotten + PIECE_BYTES_MAX as u64);
        assert_eq!(tail.piece(0, u64::MAX, true).text, "", "nothing is there yet");
    }

    #[test]
    fn a_line_without_an_end_goes_on_and_no_character_is_cut() {
        let tail = Tail::default();
        tail.push("\u{20ac}".repeat(PIECE_BYTES_MAX).as_bytes());
        let (mut read, mut next) = (0, 0);
        loop {
            let piece = tail.piece(0, next, false);
            assert!(piece.text.chars().all(|letter| letter == '\u{20ac}'), "{piece:?}");
            read += piece.text.chars().count();
            next = piece.next;
            if piece.is_end {
                break;
            }
        }
        assert_eq!(read, PIECE_BYTES_MAX);
    }

    #[test]
    fn output_is_made_harmless() {
        let text = harmless(b"\x1b[31mred\x1b[0m \xff\x00 10%\r20%\r\n\ttab\xe2\x80\xae");
        assert_eq!(text, "red \u{fffd} 10%\n20%\n\ttab\\u{202e}");
    }
}
