//! The readers of a prover's output, for a fuzzer: whatever it writes, they end, and panic at
//! nothing.

use tokio::sync::mpsc;

use super::lines;
use crate::tail::Tail;

/// Reads `bytes` as what a serving process writes; how many lines of it were taken.
///
/// # Panics
///
/// Never, or there is a bug.
#[doc(hidden)]
#[must_use = "a fuzzer may ignore it"]
pub fn lines(bytes: &[u8]) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime without I/O needs nothing").block_on(async {
        let (to, mut from) = mpsc::channel(1);
        let count = async {
            let mut taken = 0;
            while from.recv().await.is_some() {
                taken += 1;
            }
            taken
        };
        let ((), taken) = tokio::join!(lines::read(bytes, to), count);
        taken
    })
}

/// Reads `bytes` as what a process has printed, as `push0 logs` asks for it: piece by piece. All
/// the text that came.
///
/// # Panics
///
/// Never, or there is a bug.
#[doc(hidden)]
#[must_use = "a fuzzer may ignore it"]
pub fn pieces(bytes: &[u8]) -> String {
    let tail = Tail::default();
    // What is printed before an attempt begins is not the attempt's.
    let (before, own) = bytes.split_at(bytes.len() / 4);
    tail.push(before);
    let since = tail.position();
    let (mut text, mut next) = (String::new(), 0);
    for chunk in own.chunks(1_000) {
        tail.push(chunk);
        let piece = tail.piece(since, next, true);
        assert!(piece.next >= next, "it goes back");
        (text, next) = (text + &piece.text, piece.next);
    }
    let ended = tail.frozen(since);
    loop {
        let piece = ended.piece(0, next, false);
        (text, next) = (text + &piece.text, piece.next.max(next));
        if piece.is_end {
            assert_eq!(next, own.len() as u64, "all of it was read, or counted as forgotten");
            return text;
        }
    }
}
