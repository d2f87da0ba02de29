//! What the store holds, and why; and the removal of what nothing refers to.
//!
//! Nothing goes that the state refers to, and nothing that was put within the grace: a result that
//! waits for its verdict is referred to by nobody yet, and waits no longer than its attempt's
//! lease.
//!
//! Not here: what is referred to (`push0_core`), and how a file is removed (`push0_dispatch`).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::{Duration, SystemTime};

use push0_core::{Digest, Pipeline, Referred, Scheduler, TaskId};
use push0_dispatch::{KeptOutput, Store, Stored};

/// Why the state holds an artifact, for a person; in this order where there are several reasons.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Why {
    /// A block's payload, of which not all is released.
    Payload,
    /// A result that is not released, by stage.
    Result(String),
    /// A part of one, likewise.
    Part(String),
    /// A result that was released as a final proof, by stage.
    Final(String),
    /// What went into released proofs.
    Released,
}

/// What the state refers to.
pub type References = BTreeMap<Digest, Why>;

/// What a sweep has removed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Swept {
    /// How many files.
    pub files: u64,
    /// What they took. Unit: bytes.
    pub bytes: u64,
}

/// Everything that the state refers to, each with its first reason.
#[must_use]
pub fn references(scheduler: &Scheduler) -> References {
    let name = |stage| scheduler.pipeline().stage(stage).name.to_string();
    let mut references = References::new();
    for reference in scheduler.references() {
        let why = match (reference.as_what, reference.is_released) {
            (Referred::Result { stage, is_final: true, .. }, true) => Why::Final(name(stage)),
            (_, true) => Why::Released,
            (Referred::Payload { .. }, false) => Why::Payload,
            (Referred::Result { stage, .. }, false) => Why::Result(name(stage)),
            (Referred::Part { stage, .. }, false) => Why::Part(name(stage)),
        };
        let first = references.entry(reference.artifact).or_insert_with(|| why.clone());
        if why < *first {
            *first = why;
        }
    }
    references
}

/// How old a file must be before it may go: twice as long as any result waits for its verdict.
#[must_use]
pub fn grace(pipeline: &Pipeline) -> Duration {
    let waits = pipeline.stages.iter().map(|stage| {
        let verification = stage.timeout.saturating_mul(3) / 10;
        stage.timeout.saturating_add(stage.grace).saturating_add(verification)
    });
    let longest = waits.max().unwrap_or_default().saturating_add(VERIFICATION);
    longest.saturating_mul(2).max(GRACE_MIN)
}

/// Removes the files that nothing refers to and that are older than `grace`. `referred` must be
/// asked for by this, so that what it does not name was put before.
///
/// # Errors
///
/// The disk's own; what was removed by then is gone.
pub fn sweep<E: From<io::Error>>(
    store: &Store,
    grace: Duration,
    referred: impl FnOnce() -> Result<BTreeSet<Digest>, E>,
) -> Result<Swept, E> {
    let Some(before) = store.now()?.checked_sub(grace) else { return Ok(Swept::default()) };
    let referred = referred()?;
    let is_referred = |file: &Stored| file.digest.is_some_and(|digest| referred.contains(&digest));
    let mut swept = Swept::default();
    // One after the other: of what is in the store, nothing but what is referred to need be in
    // memory.
    store.walk(&mut |file| {
        if file.put < before && !is_referred(&file) && store.sweep(&file, before)? {
            swept.files += 1;
            swept.bytes += file.bytes;
        }
        Ok(())
    })?;
    Ok(swept)
}

/// The outputs in a store that may go: of tasks that are done, once they are old; and of what is
/// too many the oldest of tasks that are done, then of others. What a task that is not done has
/// printed stays longest, for whoever mends it.
#[must_use]
pub fn surplus_outputs(
    kept: Vec<KeptOutput>,
    now: SystemTime,
    is_done: impl Fn(&TaskId) -> bool,
) -> Vec<KeptOutput> {
    let is_old = |kept: &KeptOutput| {
        now.duration_since(kept.put).is_ok_and(|age| age >= OUTPUTS_KEPT) && is_done(&kept.task)
    };
    let (mut surplus, mut rest): (Vec<_>, Vec<_>) = kept.into_iter().partition(is_old);
    rest.sort_by_key(|kept| (!is_done(&kept.task), kept.put));
    let mut bytes: u64 = rest.iter().map(|kept| kept.bytes).sum();
    let (mut count, mut rest) = (rest.len(), rest.into_iter());
    while (count > OUTPUTS_MAX || bytes > OUTPUTS_BYTES_MAX)
        && let Some(oldest) = rest.next()
    {
        bytes -= oldest.bytes;
        count -= 1;
        surplus.push(oldest);
    }
    surplus
}

/// How long what attempts at a task printed is kept once the task is done.
const OUTPUTS_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// Outputs that are kept of one log: as many as are listed in a moment.
const OUTPUTS_MAX: usize = 16_384;

/// What they may take. Unit: bytes.
const OUTPUTS_BYTES_MAX: u64 = 1 << 30;

/// Less than this is no grace: clocks differ, people look, and what was put may be dated
/// [`Store::FRESH`] before.
const GRACE_MIN: Duration = Duration::from_secs(3600);

const _: () = assert!(Store::FRESH.as_secs() * 4 <= GRACE_MIN.as_secs());

/// What a lease leaves for verification, beside three tenths of the time.
const VERIFICATION: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use push0_core::AttemptId;

    use super::*;

    #[test]
    fn outputs_go_when_their_task_is_done_and_they_are_old_or_too_many() {
        let now = SystemTime::UNIX_EPOCH + OUTPUTS_KEPT * 10;
        let kept = |attempt, task, age, bytes| KeptOutput {
            attempt: AttemptId(attempt),
            task: TaskId([task; 32]),
            bytes,
            put: now - age,
        };
        let (new, old) = (Duration::from_secs(60), OUTPUTS_KEPT);
        let all = vec![kept(1, 1, old, 9), kept(2, 1, new, 9), kept(3, 2, old * 5, 9)];
        let is_done = |task: &TaskId| task.0 == [1; 32];
        let gone = |all| -> Vec<_> {
            let surplus = surplus_outputs(all, now, is_done);
            surplus.into_iter().map(|kept| kept.attempt.0).collect()
        };
        assert_eq!(gone(all.clone()), [1], "what is parked keeps its output, however old");
        let large = [all, vec![kept(4, 2, new / 2, OUTPUTS_BYTES_MAX)]].concat();
        assert_eq!(
            gone(large),
            [1, 2, 3],
            "what is done makes room before what somebody is to mend"
        );
        let many = (0..OUTPUTS_MAX as u64 + 2).map(|number| kept(number, 2, new, 1));
        assert_eq!(gone(many.collect()), [0, 1]);
    }
}
