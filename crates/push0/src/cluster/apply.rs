//! `push0 apply`, `retry`, `discard` and `unpin`: an operator's word to the engine that leads.

use std::io::{IsTerminal as _, Write as _};

use push0_core::Seq;

use super::args::{ApplyArgs, DiscardArgs, RetryArgs, SaidArgs, UnpinArgs};
use super::client::Client;
use super::error::{ClusterError, told};
use super::replica::Replica;
use super::retry::NAMED_MAX;
use super::role::Role;
use super::serve::runtime;
use super::wire::{Answer, Ask};
use crate::exit::Exit;
use crate::run::{self, TakenBack, difference};
use crate::tell::{self, counted};

/// Has the cluster go on with a changed pipeline.
pub(crate) fn apply(args: &ApplyArgs) -> Exit {
    told(apply_now(args))
}

/// Has the cluster try parked tasks again.
pub(crate) fn retry(args: &RetryArgs) -> Exit {
    told(retry_now(args).map(|count| {
        let are = if count == 1 { "is" } else { "are" };
        tell::info(format_args!("{} {are} tried again", counted(count, "task")));
    }))
}

/// Has the cluster take back what it accepted.
pub(crate) fn discard(args: &DiscardArgs) -> Exit {
    told(discard_now(args).map(|taken_back| tell::info(run::words(&taken_back))))
}

/// Has the cluster forget a program's key.
pub(crate) fn unpin(args: &UnpinArgs) -> Exit {
    let (program, by, why) = (args.program.clone(), args.said.by(), args.said.why.clone());
    let ask = |seen| Ask::Unpin { program, by, why, seen };
    let words = |answer: Answer| {
        if let Answer::Done(0) = answer {
            return format!("nothing is named of {}'s key", args.program);
        }
        format!("what was named of {}'s key is forgotten", args.program)
    };
    told(asked(&args.said, ask, "push0-unpin").map(|answer| tell::info(words(answer))))
}

fn discard_now(args: &DiscardArgs) -> Result<TakenBack, ClusterError> {
    let (tasks, by, why) = (args.tasks.clone(), args.said.by(), args.said.why.clone());
    let ask = |seen| Ask::Discard { tasks, by, why, seen };
    let Answer::Discarded { tasks, released } = asked(&args.said, ask, "push0-discard")? else {
        return Err(of_another_question());
    };
    Ok((tasks, released))
}

/// Asks what is not to be done twice: by how far the log is, the engine knows a question that comes
/// again.
fn asked(
    said: &SaidArgs,
    ask: impl FnOnce(Option<Seq>) -> Ask,
    name: &str,
) -> Result<Answer, ClusterError> {
    let settings = said.asks.cluster.settings(Role::Operator, name)?;
    let runtime = runtime()?;
    let client = runtime.block_on(Client::connect(&settings, said.asks.wait))?;
    let answer = not_refused(runtime.block_on(client.ask(&Ask::Position))?)?;
    let Answer::Position(seen) = answer else { return Err(of_another_question()) };
    not_refused(runtime.block_on(client.ask(&ask(Some(seen))))?)
}

pub(super) fn not_refused(answer: Answer) -> Result<Answer, ClusterError> {
    if let Answer::Refused { reason, .. } = answer {
        return Err(ClusterError::NotDone(reason));
    }
    Ok(answer)
}

pub(super) fn of_another_question() -> ClusterError {
    ClusterError::NotDone("the engine's answer is to another question".to_owned())
}

fn apply_now(args: &ApplyArgs) -> Result<(), ClusterError> {
    let loaded = push0_pipeline::load(&args.pipeline)?;
    let settings = args.asks.cluster.settings(Role::Operator, "push0-apply")?;
    let runtime = runtime()?;
    let was = runtime.block_on(async {
        let mut replica = Replica::open(&settings.nats).await?;
        replica.catch_up().await?;
        Ok::<_, ClusterError>(replica.spec().cloned())
    })?;
    let was = was.ok_or(ClusterError::NothingRuns)?;
    let difference = difference(&was, &loaded.spec);
    if difference.is_empty() {
        tell::info("nothing differs from the pipeline that runs");
        return Ok(());
    }
    tell::info(format_args!("against the pipeline that runs:\n{difference}"));
    if !args.yes {
        confirm("apply?")?;
    }
    let client = runtime.block_on(Client::connect(&settings, args.asks.wait))?;
    runtime.block_on(client.have(&Ask::Apply(Box::new(loaded.spec))))?;
    tell::info("applied");
    Ok(())
}

fn retry_now(args: &RetryArgs) -> Result<usize, ClusterError> {
    let settings = args.asks.cluster.settings(Role::Client, "push0-retry")?;
    let runtime = runtime()?;
    let client = runtime.block_on(Client::connect(&settings, args.asks.wait))?;
    if args.all {
        return runtime.block_on(client.have(&Ask::RetryAll));
    }
    let mut count = 0;
    for some in args.tasks.chunks(NAMED_MAX) {
        count += runtime.block_on(client.have(&Ask::Retry(some.to_vec())))?;
    }
    Ok(count)
}

/// Asks a person, where there is one.
pub(super) fn confirm(question: &str) -> Result<(), ClusterError> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        return Err(ClusterError::NobodyToAsk);
    }
    let _ = write!(std::io::stderr(), "{question} [y/N] ");
    let mut answer = String::new();
    match input.read_line(&mut answer).is_ok() && matches!(answer.trim(), "y" | "yes") {
        true => Ok(()),
        false => Err(ClusterError::NotConfirmed),
    }
}
