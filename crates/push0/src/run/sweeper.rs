//! The sweeper: removes from time to time what nothing refers to.
//!
//! An engine that takes over knows nothing of the results that dispatchers have held since nobody
//! led, however long that is; and one that does not know that it leads no more would take for
//! rubbish what another has accepted. So the first sweep of an engine that others may follow waits
//! for the grace, by which every dispatcher has told what it holds, and each asks the log whether
//! it still stands.

use std::io;
use std::time::{Duration, Instant};

use push0_core::{Scheduler, TaskId, TaskState};
use push0_dispatch::Store;

use super::error::RunError;
use crate::engine::{EngineGone, Handle};
use crate::sweep::{grace, surplus_outputs, sweep};
use crate::tell::{self, counted};

/// Who may hold results that the engine has not heard of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Holders {
    /// Nobody: its dispatcher began with it.
    None,
    /// Dispatchers on other machines.
    Fleet,
}

/// Starts the sweeper, which ends with the engine.
pub(crate) fn start(store: Store, handle: Handle, holders: Holders) -> Result<(), RunError> {
    super::spawn("sweeper", move || {
        let began = Instant::now();
        let mut due = began;
        while !handle.has_ended() {
            if Instant::now() < due {
                std::thread::sleep(LOOK);
                continue;
            }
            due = Instant::now() + PAUSE;
            let heard_for = match holders {
                Holders::None => Duration::MAX,
                Holders::Fleet => began.elapsed(),
            };
            match once(&store, &handle, heard_for) {
                Ok(swept) => swept.iter().for_each(tell::info),
                // Or its log does not answer, and the next time it may.
                Err(Stopped::Gone) => {}
                Err(Stopped::Disk(error)) => {
                    tell::warn(format_args!("the store was not swept: {error}"));
                }
            }
        }
    })
    .map(drop)
}

/// Why nothing was swept.
enum Stopped {
    Gone,
    Disk(io::Error),
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

impl From<EngineGone> for Stopped {
    fn from(_: EngineGone) -> Self {
        Self::Gone
    }
}

/// Sweeps, if whoever may hold results was listened to for long enough.
fn once(store: &Store, handle: &Handle, heard_for: Duration) -> Result<Option<String>, Stopped> {
    let grace = handle.look(|scheduler, _| grace(scheduler.pipeline()))?;
    if heard_for < grace {
        return Ok(None);
    }
    let swept = sweep(store, grace, || {
        // The engine waits meanwhile: no more than the digests.
        let referred =
            |scheduler: &Scheduler| scheduler.references().map(|it| it.artifact).collect();
        let referred = handle.look(move |scheduler, _| referred(scheduler))?;
        handle.confirm()?;
        Ok::<_, Stopped>(referred)
    })?;
    sweep_outputs(store, handle)?;
    Ok((swept.files > 0).then(|| {
        let (artifacts, kib) = (counted(swept.files, "artifact"), swept.bytes.div_ceil(1 << 10));
        format!("swept: {artifacts} that nothing refers to, {kib} KiB")
    }))
}

/// Removes from the store what attempts printed that nobody needs any more. The log was asked a
/// moment ago who leads, and nothing rests on an output.
fn sweep_outputs(store: &Store, handle: &Handle) -> Result<(), Stopped> {
    let kept = store.outputs()?;
    if kept.is_empty() {
        return Ok(());
    }
    let now = store.now()?;
    let surplus = handle.look(move |scheduler, _| {
        let is_done = |task: &TaskId| {
            let task = scheduler.task(task);
            task.is_none_or(|task| matches!(task.state, TaskState::Accepted))
        };
        surplus_outputs(kept, now, is_done)
    })?;
    for output in &surplus {
        store.remove_output(output)?;
    }
    Ok(())
}

/// From one sweep to the next.
const PAUSE: Duration = Duration::from_secs(600);

/// How often it looks whether it is to end.
const LOOK: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use std::fs::File;

    use push0_core::{AttemptId, Limits};
    use push0_log::FileLog;
    use tokio::sync::mpsc;

    use super::*;
    use crate::engine::{Engine, Ports};

    #[test]
    fn nothing_goes_before_whoever_may_hold_results_was_heard_out() {
        let dir = tempfile::TempDir::new().expect("a directory");
        let store = Store::open(&dir.path().join("store")).expect("a store");
        let held = store.put(b"made while nobody led").expect("it is put");
        let old = store.now().expect("a clock") - GRACE * 100;
        let of = (AttemptId(1), TaskId([9; 32]));
        store.put_output(of, b"of a task that is no more").expect("it is put");
        let output = dir.path().join("store/output").join(format!("1-{}", of.1));
        for path in [&store.path(held), &output] {
            let file = File::options().append(true).open(path);
            file.and_then(|file| file.set_modified(old)).expect("it is there");
        }
        let (log, _, _) = FileLog::open(&dir.path().join("log")).expect("a log");
        let ((post, _), (source, _), (turns, _)) =
            (mpsc::channel(1), mpsc::channel(1), mpsc::channel(1));
        let ports = Ports { post: Box::new(post), source, turns, lines: false };
        let (engine, handle) = Engine::new(Scheduler::new(Limits::default()), log, ports);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.expect("a runtime");
        let engine = std::thread::spawn(move || runtime.block_on(engine.run()));

        let early = once(&store, &handle, Duration::ZERO);
        assert!(matches!(early, Ok(None)) && store.path(held).exists() && output.exists());
        let later = once(&store, &handle, GRACE);
        assert!(matches!(later, Ok(Some(_))) && !store.path(held).exists());
        assert!(!output.exists());
        handle.stop();
        engine.join().expect("it does not panic").expect("its log is sound");
        assert!(matches!(once(&store, &handle, GRACE), Err(Stopped::Gone)));
    }

    /// Longer than that of a pipeline without stages.
    const GRACE: Duration = Duration::from_secs(2 * 3600);
}
