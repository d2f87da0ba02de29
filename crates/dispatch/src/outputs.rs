//! What attempts print, for who asks while they run, and after.
//!
//! ```text
//!   (a prover starts) ──▶ prints ──▶ (it has ended) ──▶ over, for a while ──▶ in its file (`logs`)
//! ```
//!
//! Who asks says from where, and gets a piece of a few kilobytes: nothing here remembers who has
//! read what.
//!
//! Not here: how a question travels (`push0`), and what outlives the machine (`shelf`).

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use push0_core::AttemptId;
use serde::{Deserialize, Serialize};

use crate::bounded;
use crate::logs;
use crate::tail::{PIECE_BYTES_MAX, Piece, Tail};

/// What a dispatcher's attempts print. Clones share it.
#[derive(Clone, Debug)]
pub struct Outputs(Arc<Inner>);

/// A question for some of an attempt's output.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct OutputAsk {
    /// Of this attempt.
    pub attempt: AttemptId,
    /// From here on, as the piece before said; 0 for the beginning.
    #[serde(default)]
    pub from: u64,
}

/// Its answer.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputAnswer {
    /// That is what there is.
    Piece(Piece),
    /// It knows nothing of that attempt, or has not kept what it printed.
    None,
    /// It cannot say, for this reason: ask again.
    Later(String),
}

#[derive(Debug)]
struct Inner {
    /// Where outputs are kept once their attempts have ended.
    folder: PathBuf,
    printing: Mutex<Printing>,
}

#[derive(Debug, Default)]
struct Printing {
    by_attempt: BTreeMap<AttemptId, Printed>,
    /// Those that have ended, oldest first.
    ended: VecDeque<AttemptId>,
}

#[derive(Debug, Default)]
struct Printed {
    tail: Tail,
    /// Where in it the attempt's own begins.
    since: u64,
    is_over: bool,
}

impl Outputs {
    /// Those of the dispatcher in `dir`.
    pub(crate) fn new(dir: &Path) -> Self {
        Self(Arc::new(Inner { folder: logs::folder(dir), printing: Mutex::default() }))
    }

    /// Answers a question about an attempt that runs, or ran a moment ago. Reads no disk.
    #[must_use]
    pub fn at_hand(&self, ask: OutputAsk) -> Option<OutputAnswer> {
        let printing = self.lock();
        let Printed { tail, since, is_over } = printing.by_attempt.get(&ask.attempt)?;
        Some(OutputAnswer::Piece(tail.piece(*since, ask.from, !is_over)))
    }

    /// Answers a question. Reads a file, if the attempt ended a while ago.
    #[must_use]
    pub fn answer(&self, ask: OutputAsk) -> OutputAnswer {
        let OutputAsk { attempt, from } = ask;
        if let Some(answer) = self.at_hand(ask) {
            return answer;
        }
        match self.kept(attempt, from) {
            Ok(piece) => OutputAnswer::Piece(piece),
            Err(error) if error.kind() == io::ErrorKind::NotFound => OutputAnswer::None,
            Err(error) => OutputAnswer::Later(format!("its file cannot be read: {error}")),
        }
    }

    /// An attempt begins, and has printed nothing yet.
    pub(crate) fn begin(&self, attempt: AttemptId) {
        self.lock().by_attempt.entry(attempt).or_default();
    }

    /// What it prints comes to `tail` from `since` on.
    pub(crate) fn prints(&self, attempt: AttemptId, tail: &Tail, since: u64) {
        let printed = Printed { tail: tail.clone(), since, is_over: false };
        self.lock().by_attempt.insert(attempt, printed);
    }

    /// It prints nothing more.
    pub(crate) fn end(&self, attempt: AttemptId) {
        let mut printing = self.lock();
        let Some(printed) = printing.by_attempt.get_mut(&attempt) else { return };
        *printed = Printed { tail: printed.tail.frozen(printed.since), since: 0, is_over: true };
        printing.ended.push_back(attempt);
        if printing.ended.len() > ENDED_MAX
            && let Some(oldest) = printing.ended.pop_front()
        {
            printing.by_attempt.remove(&oldest);
        }
    }

    fn kept(&self, attempt: AttemptId, from: u64) -> io::Result<Piece> {
        let mut bytes = Vec::new();
        let file = bounded::open(&self.0.folder.join(logs::file_name(attempt)))?;
        file.take(logs::BYTES_MAX).read_to_end(&mut bytes)?;
        let head = bytes.windows(2).position(|two| two == b"\n\n").map_or(bytes.len(), |at| at + 2);
        let start = head.saturating_add(usize::try_from(from).unwrap_or(usize::MAX));
        let rest = bytes.get(start.min(bytes.len())..).unwrap_or_default();
        let piece = rest.get(..PIECE_BYTES_MAX).unwrap_or(rest);
        Ok(Piece::cut(piece, (from, 0), piece.len() == rest.len(), false))
    }

    fn lock(&self) -> MutexGuard<'_, Printing> {
        self.0.printing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Attempts whose last words are at hand after their end, so that who follows one hears them: some
/// 4 MiB at most. Later they are read from their file.
const ENDED_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_follows_hears_all_of_an_attempt_and_nothing_of_the_next_of_the_same_process() {
        let dir = tempfile::tempdir().expect("a directory");
        let (outputs, tail) = (Outputs::new(dir.path()), Tail::default());
        let first = AttemptId(7);
        let answer = |from| outputs.answer(OutputAsk { attempt: first, from });
        assert_eq!(answer(0), OutputAnswer::None);
        outputs.begin(first);
        assert!(matches!(answer(0), OutputAnswer::Piece(piece) if piece.is_to_come));
        tail.push(b"keys are loaded\n");
        outputs.prints(first, &tail, tail.position());
        tail.push(b"one\ntw");
        let OutputAnswer::Piece(piece) = answer(0) else { panic!("it runs") };
        assert_eq!((&*piece.text, &*piece.rest, piece.next), ("one\n", "tw", 4));
        tail.push(b"o\n");
        outputs.end(first);
        tail.push(b"of the next attempt\n");
        let OutputAnswer::Piece(piece) = answer(piece.next) else { panic!("it is at hand") };
        assert_eq!((&*piece.text, piece.is_end, piece.is_to_come), ("two\n", true, false));
    }

    #[test]
    fn what_ended_long_ago_is_read_from_its_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let outputs = Outputs::new(dir.path());
        let folder = logs::folder(dir.path());
        std::fs::create_dir_all(&folder).expect("a folder");
        let text = "task ab\nattempt 0\n\nfirst\n\nsecond\n";
        std::fs::write(folder.join(logs::file_name(AttemptId(0))), text).expect("a file");
        for number in 0..=ENDED_MAX as u64 {
            outputs.begin(AttemptId(number));
            outputs.end(AttemptId(number));
        }
        let ask = |from| OutputAsk { attempt: AttemptId(0), from };
        let OutputAnswer::Piece(piece) = outputs.answer(ask(0)) else { panic!("it is kept") };
        assert_eq!((&*piece.text, piece.is_to_come), ("first\n\nsecond\n", false));
        let OutputAnswer::Piece(piece) = outputs.answer(ask(piece.next)) else { panic!("kept") };
        assert_eq!((&*piece.text, piece.is_end), ("", true));
    }
}
