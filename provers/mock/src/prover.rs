//! The mock as the SDK's `Prover`: takes its time, then makes a result that proves nothing.
//!
//! Not here: what goes wrong on request (`trouble`).

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use push0_prover::{Failure, Item, Key, Output, Progress, Prover, Refusal, Task, Vkey};
use serde_json::Value;

use crate::arguments::{Arguments, Job, Lasts};
use crate::parts;

/// Proves nothing.
pub(crate) struct Mock;

impl Prover for Mock {
    const NAME: &'static str = "push0-prover-mock";
    const ABOUT: &'static str = ABOUT;
    const IS_MOCK: bool = true;
    type Claim = ();

    fn load(_cache: &Path) -> Result<Self, Failure> {
        Ok(Self)
    }

    fn vkey(&self) -> Option<Vkey> {
        Some(Vkey::of(Self::NAME.as_bytes()))
    }

    fn prove(&self, task: &Task, progress: &Progress) -> Result<Output, Failure> {
        let Arguments { job, lasts, is_busy, trouble } = Arguments::parse(&task.args)?;
        let trouble = trouble.of_attempt(task)?;
        trouble.begin()?;
        take_time(lasts, is_busy, task, progress)?;
        if let Some(output) = trouble.end()? {
            return Ok(output);
        }
        let public_values = match job {
            Job::Prove => parts::subject(&task.input)?,
            Job::Split(count) => return parts::split(&task.input, count).map(Output::Parts),
            Job::Step => parts::step(&task.input)?,
            Job::Join => parts::join(&task.input)?,
        };
        Ok(result(&public_values, trouble.flaky_bytes))
    }

    fn verify(&self, _public_values: &[u8], _proof: &[u8]) -> Result<(), Refusal> {
        Err(Refusal::new("a mock proves nothing"))
    }

    fn fits(&self, _claim: &(), _key: &Key, _inputs: Option<&[Item]>) -> Result<(), Refusal> {
        Err(Refusal::new("a mock proves nothing"))
    }
}

fn result(public_values: &Value, is_flaky: bool) -> Output {
    let mut proof = format!("mock: this proves nothing about {public_values}");
    if is_flaky {
        // Each `RandomState` has keys of its own.
        proof.push_str(&format!(" ({:016x})", RandomState::new().build_hasher().finish()));
    }
    Output::Proof { public_values: public_values.to_string().into_bytes(), proof: proof.into() }
}

fn take_time(
    Lasts { least, most }: Lasts,
    is_busy: bool,
    task: &Task,
    progress: &Progress,
) -> Result<(), Failure> {
    let spread = u64::try_from((most - least).as_millis()).unwrap_or(u64::MAX);
    let seed = format!("{} {}", task.id, task.attempt);
    let extra = parts::derived(seed.as_bytes()).checked_rem(spread.saturating_add(1));
    let total = least + Duration::from_millis(extra.unwrap_or_default());
    let start = Instant::now();
    loop {
        progress.check()?;
        let left = total.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Ok(());
        }
        progress.fraction(1.0 - left.as_secs_f64() / total.as_secs_f64());
        match is_busy {
            true => spin(left.min(TICK)),
            false => thread::sleep(left.min(TICK)),
        }
    }
}

/// Keeps a core busy.
fn spin(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// How often a waiting mock asks whether it is still wanted.
const TICK: Duration = Duration::from_millis(20);

const ABOUT: &str = "\
Takes time and proves nothing; for demonstrations and tests. Its results say
`\"mock\":true`, and its verifier refuses everything.

What to make (first argument):
  prove          a result for any input [default]
  split [N]      a block or its number -> a JSON array of N parts [default: 2 to 5]
  step           one part -> a result
  join           the results of all steps of a block, in order -> a result
How long it takes:
  --for TIME     250ms, 3s, or a range 1s..4s, in which task and attempt decide
                 [default: 0s]
  --busy         keeps a core busy for that time
What goes wrong, at the start:
  --flood BYTES  writes as much to stdout, and to stderr
  --eat BYTES    allocates and touches as much memory, kept to the end
  --leak         leaves a child behind in its process group, for two minutes
  --daemon       the same in a session of its own
  --ignore-term  ignores SIGTERM (serve: only as an argument of the command)
and at the end, the first of these that is given:
  --hang         never ends, and takes no cancel
  --panic        panics
  --exit N       exits with code N
  --say CLASS    fails: transient, resource, timeout, failed, unprovable,
                 invalid_input or cancelled
  --no-output    exits with 0, and has written nothing
  --garbage      succeeds, with an output that is not JSON
  --flaky-bytes  other proof bytes each time, the same public values
only for a while:
  --fail-first N --state DIR
                 all of the above only in the first N attempts at each task, counted
                 in DIR; none of the endings given: fails as transient
Sizes are written 1000, 64KiB, 64MiB or 1GiB.";
