//! `push0 drain`, `cordon` and `uncordon`: which dispatchers get work, by an operator's word.
//!
//! Not here: how a dispatcher leaves (`dispatch`), how it is asked to (`leave`).

use std::collections::BTreeSet;

use push0_core::plain;

use super::apply::{not_refused, of_another_question};
use super::args::{CordonArgs, DrainArgs, UncordonArgs};
use super::client::Client;
use super::error::{ClusterError, told};
use super::leave::NAMES_MAX;
use super::role::Role;
use super::serve::runtime;
use super::wire::{Answer, Ask};
use crate::exit::Exit;
use crate::tell;

/// Has dispatchers leave.
pub(crate) fn drain(args: &DrainArgs) -> Exit {
    told(drain_now(args))
}

/// Keeps new work from dispatchers.
pub(crate) fn cordon(args: &CordonArgs) -> Exit {
    let (by, why) = (args.who.by(), args.who.why());
    let ask = |dispatchers| Ask::Cordon { dispatchers, by: by.clone(), why: why.clone() };
    told(cordon_now(args, "push0-cordon", "gets no new work, and ends what it runs", ask))
}

/// Gives dispatchers work again.
pub(crate) fn uncordon(args: &UncordonArgs) -> Exit {
    let UncordonArgs { cordon: args } = args;
    let (by, why) = (args.who.by(), args.who.why());
    let ask = |dispatchers| Ask::Uncordon { dispatchers, by: by.clone(), why: why.clone() };
    told(cordon_now(args, "push0-uncordon", "gets work", ask))
}

fn drain_now(args: &DrainArgs) -> Result<(), ClusterError> {
    if args.dispatchers.is_empty() && !args.all {
        return Err(ClusterError::NobodyNamed);
    }
    let settings = args.asks.cluster.settings(Role::Operator, "push0-drain")?;
    let runtime = runtime()?;
    let client = runtime.block_on(Client::connect(&settings, args.asks.wait))?;
    let (mut left, mut missed, mut present) = (0, Vec::new(), BTreeSet::new());
    let mut more_present = 0;
    let chunks: Vec<_> = match args.all {
        true => vec![Vec::new()],
        false => args.dispatchers.chunks(NAMES_MAX).map(<[_]>::to_vec).collect(),
    };
    for dispatchers in chunks {
        let ask = Ask::Leave { dispatchers, all: args.all, by: args.who.by() };
        let answer = runtime.block_on(client.ask(&ask))?;
        let Answer::Leaving { leaving, silent, unheard, there, unnamed } = not_refused(answer)?
        else {
            return Err(of_another_question());
        };
        left += leaving;
        let silent = silent.into_iter().map(|id| {
            format!("{id} does not answer (an older push0 cannot be asked: stop it there)")
        });
        missed.extend(silent.chain(unheard.into_iter().map(|id| format!("{id} is not there"))));
        if unnamed.silent > 0 {
            missed.push(format!("{} more do not answer", unnamed.silent));
        }
        present.extend(there);
        // It is the same each time.
        more_present = more_present.max(unnamed.there);
    }
    match (left, missed.is_empty()) {
        (0, false) => {}
        (0, true) => tell::info("no dispatcher is there"),
        (1, _) => tell::info("1 dispatcher ends what it runs, and goes"),
        (left, _) => tell::info(format_args!("{left} dispatchers end what they run, and go")),
    }
    match missed.is_empty() {
        true => Ok(()),
        false => Err(ClusterError::NotLeaving {
            missed: missed.join("; "),
            there: listed(&present, more_present),
        }),
    }
}

/// Who is there, for somebody who has named others; `unnamed` more are there.
fn listed(present: &BTreeSet<String>, unnamed: usize) -> String {
    let more = present.len().saturating_sub(SHOWN_MAX) + unnamed;
    let names = present.iter().take(SHOWN_MAX).map(|name| plain(name)).collect::<Vec<_>>();
    match (present.is_empty(), more) {
        (true, _) => "push0 status shows who is there".to_owned(),
        (false, 0) => format!("those there are: {}", names.join(", ")),
        (false, more) => format!("those there are: {}, and {more} more", names.join(", ")),
    }
}

fn cordon_now(
    args: &CordonArgs,
    name: &str,
    does: &str,
    ask: impl Fn(Vec<push0_core::DispatcherId>) -> Ask,
) -> Result<(), ClusterError> {
    let settings = args.asks.cluster.settings(Role::Operator, name)?;
    let runtime = runtime()?;
    let client = runtime.block_on(Client::connect(&settings, args.asks.wait))?;
    for dispatchers in args.dispatchers.chunks(NAMES_MAX) {
        let answer = runtime.block_on(client.ask(&ask(dispatchers.to_vec())))?;
        let Answer::Cordoned { unheard } = not_refused(answer)? else {
            return Err(of_another_question());
        };
        for dispatcher in dispatchers {
            let is_unheard = unheard.iter().any(|id| id == dispatcher.as_str());
            let note = if is_unheard { " (nobody of that name is there now)" } else { "" };
            tell::info(format_args!("{dispatcher} {does}{note}"));
        }
    }
    Ok(())
}

/// Names that a message has.
const SHOWN_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_there_and_is_not_named_is_counted() {
        let present = |count: usize| (0..count).map(|number| format!("gpu-{number:03}")).collect();
        assert_eq!(listed(&present(0), 0), "push0 status shows who is there");
        assert_eq!(listed(&present(2), 0), "those there are: gpu-000, gpu-001");
        let all = listed(&present(NAMES_MAX), 1_000 - NAMES_MAX);
        assert!(all.ends_with("gpu-019, and 980 more"), "{all}");
    }
}
