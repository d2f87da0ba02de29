//! The file contract: one task from the command line and the environment, one exit code.
//!
//! Not here: the serve contract, and what the exit codes are (`cli`).

use std::env;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::around::{catch, fail, load};
use crate::{Failure, Input, Progress, Prover, Task, output};

/// Proves the task at `input`, and writes the result to `output`.
pub(crate) fn prove<P: Prover>(input: &Path, output: &Path, args: Vec<String>) -> ExitCode {
    let made = catch(|| {
        let task = task(input, args)?;
        let prover = load::<P>()?;
        let made = prover.prove(&task, &Progress::stdout())?;
        output::store::<P>(&prover, made, output)
    });
    match made {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure),
    }
}

fn task(input: &Path, args: Vec<String>) -> Result<Task, Failure> {
    let deadline = number("PUSH0_DEADLINE")?.map(Duration::from_millis);
    Ok(Task {
        id: env::var("PUSH0_TASK").unwrap_or_default(),
        attempt: number("PUSH0_ATTEMPT")?.unwrap_or_default(),
        stage: env::var("PUSH0_STAGE").unwrap_or_default(),
        args,
        deadline: deadline.and_then(|left| Instant::now().checked_add(left)),
        input: Input::read(input)?,
    })
}

fn number(variable: &str) -> Result<Option<u64>, Failure> {
    let Ok(text) = env::var(variable) else { return Ok(None) };
    let number = text.parse();
    number.map(Some).map_err(|error| Failure::failed(format!("{variable}={text:?}: {error}")))
}
