//! The end of a process's output: all that is kept of it, however much there is.
//!
//! Not here: who reads the output, and where the tail goes.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The last bytes of an output. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tail(Arc<Mutex<Ring>>);

#[derive(Debug, Default)]
struct Ring {
    bytes: VecDeque<u8>,
    /// All that ever was, the forgotten too.
    total: u64,
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
        let first = ring.total - ring.bytes.len() as u64;
        let skip = usize::try_from(position.saturating_sub(first)).unwrap_or(usize::MAX);
        let bytes: Vec<u8> = ring.bytes.iter().skip(skip).copied().collect();
        Output { text: harmless(&bytes), forgotten: first.saturating_sub(position) }
    }

    /// What is kept of all of it, as it was printed. For programs to read, and not for a person.
    pub(crate) fn text(&self) -> String {
        let bytes: Vec<u8> = self.lock().bytes.iter().copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
    /// The last lines, as many as a message can carry; nothing if there are none.
    pub(crate) fn last_lines(&self) -> Option<&str> {
        let text = self.text.trim();
        let mut start = text.len().saturating_sub(MESSAGE_BYTES_MAX);
        if start > 0 {
            while !text.is_char_boundary(start) {
                start += 1;
            }
            let rest = text.get(start..).unwrap_or_default();
            // Whole lines, if there is more than one.
            start += rest.find('\n').filter(|at| at + 1 < rest.len()).map_or(0, |at| at + 1);
        }
        text.get(start..).filter(|text| !text.is_empty())
    }
}

/// `what`, with the end of the output under it.
pub(crate) fn with_output(what: &str, output: &Output) -> String {
    match output.last_lines() {
        Some(lines) => format!("{what}; the end of its output:\n{lines}"),
        None => format!("{what}; it printed nothing"),
    }
}

/// The bytes as text: no colours, no control characters but line ends and tabs, nothing that turns text around.
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
        assert_eq!(tail.since(began).last_lines(), Some("its own"));
    }

    #[test]
    fn output_is_made_harmless() {
        let text = harmless(b"\x1b[31mred\x1b[0m \xff\x00 10%\r20%\r\n\ttab\xe2\x80\xae");
        assert_eq!(text, "red \u{fffd} 10%\n20%\n\ttab\\u{202e}");
    }
}
