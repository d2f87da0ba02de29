//! The lines that a serving process writes, each read within bounds.
//!
//! Not here: what a line means for an attempt.

use push0_core::FailureClass;
use push0_prover::wire::{self, Reply};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::mpsc;

use crate::tail::Tail;

/// A line.
#[derive(Debug)]
pub(super) enum Line {
    Reply(Reply),
    /// Not one of the contract's; nothing is read after it.
    Bad(String),
}

/// Reads lines until there are no more, or one is bad.
pub(super) async fn read(mut stdout: impl AsyncRead + Unpin, lines: mpsc::Sender<Line>) {
    let mut buffer = vec![0; READ_BYTES];
    let mut line = Vec::new();
    loop {
        let read = match stdout.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(read) => buffer.get(..read).unwrap_or_default(),
        };
        for piece in read.split_inclusive(|byte| *byte == b'\n') {
            line.extend_from_slice(piece);
            if line.len() > LINE_BYTES_MAX {
                let what = format!("it wrote a line longer than {} KiB", LINE_BYTES_MAX >> 10);
                let _ = lines.send(Line::Bad(what)).await;
                return;
            }
            if !piece.ends_with(b"\n") {
                continue;
            }
            let parsed = parse(&line);
            line.clear();
            let is_bad = matches!(parsed, Line::Bad(_));
            if lines.send(parsed).await.is_err() || is_bad {
                return;
            }
        }
    }
    // Half a line says nothing: how the process ended says more.
}

fn parse(line: &[u8]) -> Line {
    match serde_json::from_slice(line) {
        Ok(reply) => Line::Reply(reply),
        Err(error) => {
            let line = excerpt(line);
            Line::Bad(format!(
                "it wrote a line that is not of the serve contract ({error}): {line}"
            ))
        }
    }
}

/// The class that a prover's own word stands for.
pub(super) const fn class_of(class: wire::FailureClass) -> FailureClass {
    match class {
        wire::FailureClass::Transient => FailureClass::Transient,
        wire::FailureClass::Resource => FailureClass::Resource,
        wire::FailureClass::Timeout => FailureClass::Timeout,
        // Nobody told it to stop.
        wire::FailureClass::Failed | wire::FailureClass::Cancelled => FailureClass::Failed,
        wire::FailureClass::Unprovable => FailureClass::Unprovable,
        wire::FailureClass::InvalidInput => FailureClass::InvalidInput,
    }
}

/// Whether a failure of this class says that the process is well: the fault is the task's, or it
/// was told to stop.
pub(super) const fn is_of_the_task(class: wire::FailureClass) -> bool {
    match class {
        wire::FailureClass::Unprovable
        | wire::FailureClass::InvalidInput
        | wire::FailureClass::Cancelled => true,
        wire::FailureClass::Transient
        | wire::FailureClass::Resource
        | wire::FailureClass::Timeout
        | wire::FailureClass::Failed => false,
    }
}

/// A prover's own words, as far as a message can carry them.
pub(super) fn shown(message: &str) -> String {
    let tail = Tail::default();
    tail.push(message.as_bytes());
    tail.since(0).last_lines().unwrap_or_else(|| "nothing".to_owned())
}

fn excerpt(line: &[u8]) -> String {
    let start = line.get(..EXCERPT_BYTES).unwrap_or(line);
    String::from_utf8_lossy(start).trim_end().escape_debug().to_string()
}

const READ_BYTES: usize = 16 << 10;

/// The longest line: replies are short, artifacts go by path.
const LINE_BYTES_MAX: usize = 1 << 20;

/// How much of a bad line is shown.
const EXCERPT_BYTES: usize = 200;
