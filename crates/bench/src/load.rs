//! How much is submitted when: at a fixed rate whatever comes back (open loop), or as much as comes back (closed).
//!
//! Under an open loop a system that is too slow shows it by a queue that grows, as it would in use.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::fault::Fault;
use crate::system::{Done, Running};

/// Overheads of tasks that were submitted at a steady rate, sorted.
///
/// The time of a task runs from the call that submits it, less what its prover ran. The first `warmup` tasks are
/// not counted. `from` is the number of the first.
///
/// # Errors
///
/// That results stay away for [`PATIENCE`].
pub(crate) fn open_loop(
    running: &mut Running,
    (from, warmup, count): (u64, u64, u64),
    rate: f64,
) -> Result<Vec<Duration>, Fault> {
    let all = warmup + count;
    let Running { submit, done, .. } = running;
    thread::scope(|scope| {
        let generator = scope.spawn(move || {
            let start = Instant::now();
            let mut asked = Vec::new();
            for number in 0..all {
                let due = start + Duration::from_secs_f64(number as f64 / rate);
                thread::sleep(due.saturating_duration_since(Instant::now()));
                asked.push(Instant::now());
                submit(from + number..from + number + 1);
            }
            asked
        });
        let mut seen = Vec::new();
        while (seen.len() as u64) < all {
            seen.push(next(done)?);
        }
        let asked = generator.join().map_err(|_| Fault::new("the generator panicked"))?;
        let mut overheads = Vec::new();
        for Done { task, at, ran } in seen {
            let index = task - from;
            let asked = usize::try_from(index).ok().and_then(|index| asked.get(index));
            let asked = asked.ok_or_else(|| Fault::new("a task that nobody submitted"))?;
            if index >= warmup {
                overheads.push(at.saturating_duration_since(*asked).saturating_sub(ran));
            }
        }
        overheads.sort();
        Ok(overheads)
    })
}

/// Tasks a second, with so many under way at any time, over `time` after a warm-up of a fourth of it; longer where
/// results come so slowly that they would not tell a rate.
///
/// # Errors
///
/// As [`open_loop`].
pub(crate) fn closed_loop(
    running: &mut Running,
    in_flight: u64,
    time: Duration,
) -> Result<f64, Fault> {
    let Running { submit, done, .. } = running;
    submit(0..in_flight);
    let mut next_task = in_flight;
    let (start, warm) = (Instant::now(), time / 4);
    let (mut counted, mut first, mut last) = (0_u64, None, start);
    while last < start + warm + time
        || (counted < RATED_MIN && last < start + warm + time * TIMES_MAX)
    {
        let mut came = 1;
        last = next(done)?.at;
        // What has come meanwhile is asked for again at once, some together, as a client would.
        while came < TOGETHER
            && let Ok(more) = done.try_recv()
        {
            more?;
            came += 1;
        }
        submit(next_task..next_task + came);
        next_task += came;
        if last >= start + warm {
            // What comes first begins the time, and is not of it.
            match first {
                None => first = Some(last),
                Some(_) => counted += came,
            }
        }
    }
    let took = last.saturating_duration_since(first.unwrap_or(last)).as_secs_f64();
    if took <= 0.0 {
        return Err(Fault::new("too few results came to tell a rate: give it more --time"));
    }
    Ok(counted as f64 / took)
}

/// The next result.
///
/// # Errors
///
/// What keeps it from coming, or that it stays away for [`PATIENCE`].
pub(crate) fn next(done: &Receiver<Result<Done, Fault>>) -> Result<Done, Fault> {
    done.recv_timeout(PATIENCE).map_err(|error| match error {
        RecvTimeoutError::Timeout => {
            Fault::new(format!("no result came within {} s", PATIENCE.as_secs()))
        }
        RecvTimeoutError::Disconnected => Fault::new("what is measured has ended"),
    })?
}

/// How long a result may stay away.
const PATIENCE: Duration = Duration::from_secs(60);

/// Submitted in one call, at most.
const TOGETHER: u64 = 64;

/// Fewer results tell no rate.
const RATED_MIN: u64 = 1_000;

/// How much longer than asked for it takes to get them, at most.
const TIMES_MAX: u32 = 10;
