//! The beat thread: says at a steady rate that the dispatcher is here, and all that it runs and
//! holds.
//!
//! It waits for the clock and for one short lock, so no prover and no busy runtime delays it. It
//! ends with the dispatch thread: a dispatcher that cannot work must not look alive.
//!
//! Not here: what is in a beat (`board`).

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use push0_core::FromDispatcher;
use tokio::sync::mpsc;

use crate::board::Board;

/// Sends beats until the other end of `alive` is gone.
pub(crate) fn run(
    board: &Board,
    heartbeat: Duration,
    from: &mpsc::Sender<FromDispatcher>,
    alive: &Receiver<()>,
) {
    loop {
        send(board, from);
        match alive.recv_timeout(heartbeat) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Sends a beat, and every report that is held.
pub(crate) fn send(board: &Board, from: &mpsc::Sender<FromDispatcher>) {
    let (beat, reports) = board.beat();
    let mut messages = vec![FromDispatcher::Beat(beat)];
    messages.extend(reports.into_iter().map(FromDispatcher::Report));
    for message in messages {
        // Full: whoever does not read now gets the same with the next beat.
        let _ = from.try_send(message);
    }
}
