//! The file contract: a process for each attempt, its result in a file, its ending an exit code.
//!
//! Not here: what the exit codes mean (`exit`), and whether the result is one (`output`).

use std::path::Path;
use std::time::Instant;

use push0_core::{Contract, FailureClass, Grant};
use tokio::io::AsyncRead;

use crate::context::Context;
use crate::exit::Exit;
use crate::pool::Seat;
use crate::process::{Launch, Pipes, Process, SpawnError};
use crate::progress::ProgressLines;
use crate::reins::{Pull, Reins};
use crate::tried::{Tried, TryEnd};
use crate::{ProgramConfig, memory};

/// Runs the prover on `input`, and waits for its end and for the end of all that it started.
pub(crate) async fn prove(
    context: &Context,
    grant: &Grant,
    program: &ProgramConfig,
    seat: &Seat,
    (dir, input, output): (&Path, &Path, &Path),
    reins: &mut Reins,
) -> Tried {
    let began = Instant::now();
    let launch = launch(context, grant, program, seat, (dir, input, output), reins);
    let (mut process, pipes) = match start(context, &launch, reins).await {
        Ok(spawned) => spawned,
        Err(tried) => return tried,
    };
    context.outputs.prints(grant.attempt, &process.tail, 0);
    listen(context, grant, &mut process, pipes.stdout);
    let ended = watch(&mut process, grant, reins).await;
    let ran = began.elapsed();
    let tail = process.finish().await;
    Tried { ended, ran, output: tail.since(0) }
}

/// Starts the process, unless the attempt is to end before it runs.
pub(crate) async fn start(
    context: &Context,
    launch: &Launch<'_>,
    reins: &mut Reins,
) -> Result<(Process, Pipes), Tried> {
    let pull = tokio::select! {
        biased;
        spawned = Process::spawn(&context.lives, launch) => {
            return spawned.map_err(|error| not_started(&error));
        }
        pull = reins.pulled() => pull,
    };
    let how = "it had not started yet".to_owned();
    let ended = match pull {
        // A disk or the system hangs: no word on how long the program takes, and no fault of the
        // task's.
        Pull::TimedOut => TryEnd::Unstarted { what: format!("its time was over, and {how}") },
        Pull::Cancelled | Pull::Stopped | Pull::Greedy(_) => {
            TryEnd::Pulled { pull, how, may_have_result: false }
        }
    };
    Err(Tried { ended, ran: std::time::Duration::ZERO, output: Default::default() })
}

/// A try that did not come to be.
pub(crate) fn not_started(error: &SpawnError) -> Tried {
    let what = error.to_string();
    let ended = match error.class() {
        Some(class) => TryEnd::Failed { class, what },
        None => TryEnd::Misconfigured { what },
    };
    Tried { ended, ran: std::time::Duration::ZERO, output: Default::default() }
}

fn launch<'a>(
    context: &Context,
    grant: &Grant,
    program: &'a ProgramConfig,
    seat: &Seat,
    (dir, input, output): (&'a Path, &Path, &Path),
    reins: &Reins,
) -> Launch<'a> {
    let (argv, own) = program.argv.split_at(program.argv.len().min(1));
    let args = with_paths(own.iter().chain(&grant.args), input, output);
    let left = reins.deadline.saturating_duration_since(tokio::time::Instant::now());
    let mut env = context.environment(program, Some(seat), dir);
    env.set("PUSH0_TASK", grant.task.to_string());
    env.set("PUSH0_STAGE", grant.stage.to_string());
    env.set("PUSH0_ATTEMPT", grant.attempt.0.to_string());
    env.set("PUSH0_DEADLINE", left.as_millis().to_string());
    Launch { argv, args, env, dir, has_stdin: false, memory_bytes: program.memory_bytes }
}

/// The words of a command with both paths: each after the first word that asks for it, else at the
/// end.
fn with_paths<'a>(
    words: impl Iterator<Item = &'a String>,
    input: &Path,
    output: &Path,
) -> Vec<String> {
    let [input, output] = [input, output].map(|path| path.to_string_lossy().into_owned());
    let mut missing = vec![(Contract::INPUT_FLAGS, input), (Contract::OUTPUT_FLAGS, output)];
    let mut args = Vec::new();
    for word in words {
        let asked = missing.iter().position(|(flags, _)| flags.contains(&word.as_str()));
        args.push(word.clone());
        args.extend(asked.map(|at| missing.remove(at).1));
    }
    for ([_, flag], path) in missing {
        args.extend([flag.to_owned(), path]);
    }
    args
}

fn listen(
    context: &Context,
    grant: &Grant,
    process: &mut Process,
    stdout: impl AsyncRead + Send + Unpin + 'static,
) {
    let tail = process.tail.clone();
    let board = std::sync::Arc::clone(&context.board);
    let attempt = grant.attempt;
    let mut lines = ProgressLines::default();
    process.listen(stdout, move |bytes| {
        tail.push(bytes);
        if let Some(fraction) = lines.feed(bytes) {
            board.progress(attempt, fraction);
        }
    });
}

async fn watch(process: &mut Process, grant: &Grant, reins: &mut Reins) -> TryEnd {
    let over = memory::over(process.footprint());
    let pull = tokio::select! {
        biased;
        exit = process.exited() => return by_itself(exit),
        pull = reins.pulled() => pull,
        what = over => {
            process.kill().await;
            return over_memory(what);
        }
    };
    let exit = process.terminate(pull.grace(grant.grace), reins).await;
    let may_have_result = exit == Exit::Code(0) && pull == Pull::TimedOut;
    TryEnd::Pulled { pull, how: format!("told to stop, it ended so: {exit}"), may_have_result }
}

fn by_itself(exit: Exit) -> TryEnd {
    match exit {
        Exit::Code(0) => TryEnd::Written,
        Exit::Code(_)
        | Exit::Signal(_)
        | Exit::OutOfMemory
        | Exit::OverMemory(_)
        | Exit::Unknown => TryEnd::Failed { class: exit.class(), what: exit.to_string() },
    }
}

/// A process that was killed for using more than it declared.
pub(crate) const fn over_memory(what: String) -> TryEnd {
    TryEnd::Failed { class: FailureClass::Resource, what }
}
