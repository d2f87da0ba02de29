//! `push0 discard` and `push0 unpin`: an operator's word that something accepted is not so.
//!
//! Not here: what goes with it (`push0_core`).

use push0_core::Input;

use crate::cluster::{self, DiscardArgs, SaidArgs, UnpinArgs};
use crate::exit::Exit;
use crate::run::{self, RunError};
use crate::tell;

/// Takes back the results of tasks.
pub(super) fn discard(args: &DiscardArgs) -> Exit {
    let (by, why) = (args.said.by(), &args.said.why);
    let Some(data) = &args.said.data else { return cluster::discard(args) };
    told(run::discard(data, &args.tasks, &by, why).map(|taken_back| run::words(&taken_back)))
}

/// Forgets a program's key.
pub(super) fn unpin(args: &UnpinArgs) -> Exit {
    let SaidArgs { why, data, .. } = &args.said;
    let Some(data) = data else { return cluster::unpin(args) };
    let (program, by, why) = (args.program.clone(), args.said.by(), why.clone());
    let recorded = run::record(data, |_| Ok(vec![Input::Unpin { program, by, why }]));
    told(recorded.map(|_| format!("what was named of {}'s key is forgotten", args.program)))
}

fn told(done: Result<String, RunError>) -> Exit {
    match done {
        Ok(words) => {
            tell::info(&words);
            Exit::Done
        }
        Err(error) => {
            tell::error(&error);
            Exit::from(&error)
        }
    }
}
