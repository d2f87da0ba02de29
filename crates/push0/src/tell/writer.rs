//! A thread that writes what is told, so that nobody who tells waits for who reads.
//!
//! A pipe that nobody empties, or a terminal that is stopped, takes no more after some 64 KiB. An
//! engine that waited for it would neither beat nor hear of a signal. What does not fit is left
//! out, and counted.
//!
//! Not here: what is told, and how it looks (`line`).

use std::io::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

/// Where pieces go from here on.
static TO: OnceLock<SyncSender<Piece>> = OnceLock::new();

/// Lines that did not fit, and were not told of yet.
static LEFT_OUT: AtomicU64 = AtomicU64::new(0);

enum Piece {
    Text(String),
    /// All before it is written: say so.
    Mark(SyncSender<()>),
}

/// Has a thread write from here on. Without one, if there is none to be had, who tells writes.
pub(super) fn begin(left_out: fn(u64) -> String) {
    let (to, pieces) = sync_channel(PIECES_MAX);
    let body = move || write_all(&pieces, left_out);
    if std::thread::Builder::new().name("stderr".to_owned()).spawn(body).is_ok() {
        let _ = TO.set(to); // a process begins once
    }
}

/// Writes lines, each with its end, or has them written.
pub(super) fn put(lines: &str) {
    let Some(to) = TO.get() else {
        let _ = std::io::stderr().write_all(lines.as_bytes());
        return;
    };
    if let Err(TrySendError::Full(_)) = to.try_send(Piece::Text(lines.to_owned())) {
        let count = lines.bytes().filter(|byte| *byte == b'\n').count() as u64;
        LEFT_OUT.fetch_add(count, Ordering::Relaxed);
    }
}

/// Waits until what was told is written, for a moment.
pub(super) fn end() {
    let Some(to) = TO.get() else { return };
    let (written, is_written) = sync_channel(1);
    if to.try_send(Piece::Mark(written)).is_ok() {
        let _ = is_written.recv_timeout(LAST_WORDS);
    }
}

fn write_all(pieces: &Receiver<Piece>, left_out: fn(u64) -> String) {
    while let Ok(piece) = pieces.recv() {
        let text = match piece {
            Piece::Text(text) => text,
            Piece::Mark(written) => {
                let _ = written.send(()); // who asked has gone
                continue;
            }
        };
        let _ = std::io::stderr().write_all(text.as_bytes()); // nobody is troubled if nobody reads
        let count = LEFT_OUT.swap(0, Ordering::Relaxed);
        if count > 0 {
            let _ = std::io::stderr().write_all(left_out(count).as_bytes());
        }
    }
}

/// Pieces that wait: of a busy engine's lines some seconds.
const PIECES_MAX: usize = 1_024;

/// How long the end of a process waits for who reads.
const LAST_WORDS: Duration = Duration::from_secs(1);
