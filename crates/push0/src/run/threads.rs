//! The threads of a run: each carries one thing, and ends with the engine.

use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;

use push0_core::FromDispatcher;
use push0_dispatch::Notice;
use push0_log::FileLog;
use tokio::sync::mpsc;

use super::News;
use super::error::RunError;
use crate::engine::{Engine, Handle, TurnReport};

/// Runs the engine on a thread of its own, with short slices.
pub(super) fn run_engine(
    engine: Engine<FileLog>,
    teller: SyncSender<News>,
) -> impl FnOnce() + Send + 'static {
    move || {
        push0_dispatch::shorten_time_slice();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let ended = runtime.expect("a runtime without I/O needs nothing").block_on(engine.run());
        let _ = teller.send(News::EngineEnded(ended)); // the run may be over
    }
}

/// Carries messages between channels that cannot be waited for together. Answers the thread that
/// ends once all that the dispatcher reports has been handed on.
pub(super) fn relay(
    handle: &Handle,
    teller: &SyncSender<News>,
    mut from: mpsc::Receiver<FromDispatcher>,
    mut notices: mpsc::Receiver<Notice>,
    mut seen: mpsc::Receiver<TurnReport>,
) -> Result<JoinHandle<()>, RunError> {
    let (engine, told, shown) = (handle.clone(), teller.clone(), teller.clone());
    let reports = spawn("relay-reports", move || {
        while let Some(message) = from.blocking_recv() {
            if engine.heard(message).is_err() {
                break;
            }
        }
    })?;
    spawn("relay-notices", move || {
        while let Some(notice) = notices.blocking_recv() {
            if told.send(News::Notice(notice)).is_err() {
                break;
            }
        }
    })?;
    spawn("relay-turns", move || {
        while let Some(turn) = seen.blocking_recv() {
            if shown.send(News::Seen(turn)).is_err() {
                break;
            }
        }
    })?;
    Ok(reports)
}

pub(super) fn spawn(
    name: &str,
    body: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, RunError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(body).map_err(RunError::Thread)
}
