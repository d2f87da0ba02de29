//! What a verifier says on stdout, read line by line while it prints.
//!
//! A word counts however much is printed before and behind it: of each kind one is kept, and
//! nothing else. What is kept is bounded by the longest line that is read. A longer one that may be
//! a word is no word, and no acceptance counts beside it, for it may have been a refusal.
//!
//! Not here: what the words come to (`Verdict::read`).

use push0_prover::wire::{self, VerifierLine};

/// What a verifier has said so far.
#[derive(Clone, Debug, Default)]
pub struct VerdictReader {
    /// The line that has not ended yet, as much of it as is read.
    line: Vec<u8>,
    /// Whether that line is longer.
    is_cut: bool,
    pub(super) words: Words,
}

/// The words of the contract, of each kind one.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    /// The first refusal.
    pub(super) refused: Option<String>,
    /// The first that it cannot tell.
    pub(super) undecided: Option<String>,
    /// The last acceptance.
    pub(super) accepted: Option<wire::Verdict>,
    /// Whether a line that may be a word was too long to be read.
    pub(super) has_unread: bool,
}

impl VerdictReader {
    /// Takes what was printed next.
    pub fn push(&mut self, bytes: &[u8]) {
        let mut lines = bytes.split(|byte| *byte == b'\n');
        // What follows the last line end has not ended yet, be it nothing.
        let rest = lines.next_back().unwrap_or_default();
        for line in lines {
            self.extend(line);
            self.end_line();
        }
        self.extend(rest);
    }

    /// All that it said, once nothing more comes.
    pub(super) fn words(&self) -> Words {
        let mut all = self.clone();
        all.end_line();
        all.words
    }

    fn extend(&mut self, bytes: &[u8]) {
        let room = LINE_BYTES_MAX - self.line.len();
        self.is_cut |= bytes.len() > room;
        self.line.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let is_cut = std::mem::take(&mut self.is_cut);
        // A word is an object of JSON: most of what programs print is none.
        if line.trim_ascii_start().first() != Some(&b'{') {
            return;
        }
        if is_cut {
            self.words.has_unread = true;
            return;
        }
        match VerifierLine::parse(&String::from_utf8_lossy(&line)) {
            Some(VerifierLine::Refused { refused }) => {
                self.words.refused.get_or_insert(refused);
            }
            Some(VerifierLine::Undecided { undecided }) => {
                self.words.undecided.get_or_insert(undecided);
            }
            Some(VerifierLine::Verdict(verdict)) => self.words.accepted = Some(verdict),
            None => {}
        }
    }
}

impl From<&str> for VerdictReader {
    fn from(printed: &str) -> Self {
        let mut heard = Self::default();
        heard.push(printed.as_bytes());
        heard
    }
}

/// The longest line that is read: more than any claim needs. Unit: bytes.
const LINE_BYTES_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_heard_however_it_comes_and_whatever_is_around_it() {
        let printed = format!(
            "{0}{{\"undecided\":\"at first\"}}\r\n{0} {{\"refused\":\"no\"}}\n{0}{{\"vkey\":null,\"claim\":1}}",
            "chatter\n".repeat(100_000)
        );
        for piece in [1, 7, 8 << 10, printed.len()] {
            let mut heard = VerdictReader::default();
            printed.as_bytes().chunks(piece).for_each(|bytes| heard.push(bytes));
            assert!(heard.line.capacity() <= printed.len());
            let Words { refused, undecided, accepted, has_unread } = heard.words();
            assert_eq!(refused.as_deref(), Some("no"));
            assert_eq!(undecided.as_deref(), Some("at first"));
            assert_eq!(accepted.map(|it| it.claim), Some(1.into()));
            assert!(!has_unread);
        }
    }

    #[test]
    fn the_first_refusal_counts_and_the_last_acceptance() {
        let line = |key: &str, value: u8| format!("{{\"{key}\":{value}}}\n");
        let printed = [("refused", 1), ("refused", 2), ("claim", 3), ("claim", 4)];
        let printed: String = printed.iter().map(|(key, value)| line(key, *value)).collect();
        let words = VerdictReader::from(&*printed).words();
        assert_eq!(words.refused.as_deref(), Some("1"));
        assert_eq!(words.accepted.map(|it| it.claim), Some(4.into()));
    }

    #[test]
    fn a_line_without_an_end_takes_bounded_memory_and_is_told_if_it_may_be_a_word() {
        for (first, may_be) in [("{\"refused\":\"", true), ("progress ", false)] {
            let mut heard = VerdictReader::from(first);
            for _ in 0..5 {
                heard.push(&vec![b'a'; LINE_BYTES_MAX]);
            }
            assert!(heard.line.len() <= LINE_BYTES_MAX);
            heard.push(b"\"}\n{\"claim\":1}");
            let words = heard.words();
            assert_eq!((words.has_unread, words.refused), (may_be, None));
            assert!(words.accepted.is_some());
        }
    }
}
