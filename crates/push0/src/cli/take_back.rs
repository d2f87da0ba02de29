//! `push0 discard` and `push0 unpin`: an operator's word that something accepted is not so.
//!
//! Not here: what goes with it (`push0_core`).

use push0_core::Input;

use super::{DiscardArgs, Exit, SaidArgs, UnpinArgs};
use crate::cluster;
use crate::run::{self, RunError, TakenBack};
use crate::tell::{self, counted};

/// Takes back the results of tasks.
pub(super) fn discard(args: &DiscardArgs) -> Exit {
    let (by, why) = (args.said.by(), &args.said.why);
    let Some(data) = &args.said.data else { return cluster::discard(args) };
    told(run::discard(data, &args.tasks, &by, why).map(|taken_back| words(&taken_back)))
}

/// Forgets a program's key.
pub(super) fn unpin(args: &UnpinArgs) -> Exit {
    let SaidArgs { why, data, .. } = &args.said;
    let Some(data) = data else { return cluster::unpin(args) };
    let (program, by, why) = (args.program.clone(), args.said.by(), why.clone());
    let recorded = run::record(data, |_| Ok(vec![Input::Unpin { program, by, why }]));
    told(recorded.map(|_| format!("what was named of {}'s key is forgotten", args.program)))
}

/// What became of it, for a person.
pub(crate) fn words((tasks, released): &TakenBack) -> String {
    let numbers: Vec<_> = released.iter().map(|number| number.0.to_string()).collect();
    let recalled = match numbers.as_slice() {
        [] => String::new(),
        [one] => format!(", and release {one} is recalled: its proof is made again"),
        [..] => {
            format!(
                ", and releases {} are recalled: their proofs are made again",
                numbers.join(", ")
            )
        }
    };
    let are = if *tasks == 1 { "is" } else { "are" };
    format!("{} {are} proved again{recalled}", counted(tasks, "task"))
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
