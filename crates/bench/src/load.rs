//! How much is submitted when: at a fixed rate whatever comes back (open loop), or as much as comes
//! back (closed).
//!
//! Under an open loop a system that is too slow shows it by a queue that grows, as it would in use.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::fault::Fault;
use crate::system::{Done, Running};

/// Overheads of tasks that were submitted at a steady rate, sorted.
///
/// The time of a task runs from the call that submits it, less what its prover ran. The first
/// `warmup` tasks are not counted. `from` is the number of the first.
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

/// Tasks a second, with so many under way at any time, over `time` after a warm-up of a fourth of
/// it; longer where results come so slowly that they would not tell a rate: some systems let go of
/// most of what is under way at once, and then of nothing for long.
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
    let rated_min = RATED_MIN.max(in_flight * ROUNDS_MIN);
    // What waits after the warm-up for the first result is of the time.
    let (mut counted, mut begin, mut last) = (0_u64, start, start);
    while last < start + warm + time
        || (counted < rated_min && last < start + warm + time * TIMES_MAX)
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
        match last < start + warm {
            true => begin = last,
            false => counted += came,
        }
    }
    let took = last.saturating_duration_since(begin).as_secs_f64();
    if took <= 0.0 {
        return Err(Fault::new("no time passed to tell a rate of: give it more --time"));
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

/// So often all that is under way comes back.
const ROUNDS_MIN: u64 = 4;

/// How much longer than asked for it takes to get them, at most.
const TIMES_MAX: u32 = 10;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Arc, mpsc};

    use super::*;

    #[test]
    fn a_closed_loop_goes_on_for_the_time_it_is_given() {
        let (rate, results) = rate_of(Duration::from_micros(100));
        assert!((9_900.0..=10_100.0).contains(&rate), "{rate} tasks a second");
        assert!((1_200..=2_500).contains(&results), "{results} in an eighth of a second");
    }

    #[test]
    fn a_closed_loop_goes_on_longer_where_few_results_come() {
        let (rate, results) = rate_of(Duration::from_millis(10));
        assert!((99.0..=101.0).contains(&rate), "{rate} tasks a second");
        assert!((100..=120).contains(&results), "{results} in ten times as long");
    }

    #[test]
    fn a_closed_loop_tells_the_rate_of_what_comes_in_bursts() {
        let burst =
            |task: u64| Duration::from_millis(90) * u32::try_from(task / 64 + 1).expect("few");
        let (rate, _) = rate_of_those_at(64, burst);
        assert!((600.0..=800.0).contains(&rate), "{rate} tasks a second, 64 in each 90 ms");
    }

    /// The rate that is told of a system with a result in each `step` of its own time, and how many
    /// results were waited for: more, where the loop began later than the system's time.
    fn rate_of(step: Duration) -> (f64, u64) {
        rate_of_those_at(1, move |task| step * u32::try_from(task + 1).expect("few"))
    }

    fn rate_of_those_at(
        in_flight: u64,
        at: impl Fn(u64) -> Duration + Send + 'static,
    ) -> (f64, u64) {
        let (sender, done) = mpsc::channel();
        let (begin, submitted) = (Instant::now(), Arc::new(AtomicU64::new(0)));
        let counted = Arc::clone(&submitted);
        let submit = move |tasks: std::ops::Range<u64>| {
            for task in tasks {
                counted.fetch_add(1, Ordering::Relaxed);
                let at = begin + at(task);
                let _ = sender.send(Ok(Done { task, at, ran: Duration::ZERO }));
            }
        };
        let mut running = Running { submit: Box::new(submit), done, _parts: Box::new(()) };
        let rate =
            closed_loop(&mut running, in_flight, Duration::from_millis(100)).expect("results come");
        (rate, submitted.load(Ordering::Relaxed))
    }
}
