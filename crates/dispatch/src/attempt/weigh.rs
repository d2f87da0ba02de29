//! How a prover's try ended, and what that comes to.
//!
//! Not here: what becomes of an output that is there (`settle`).

use std::path::Path;

use push0_core::{FailureClass, Outcome};

use super::{Attempt, failed, greedy};
use crate::Notice;
use crate::notice::word;
use crate::reins::Pull;
use crate::rooms::Blame;
use crate::tail::with_output;
use crate::tried::{Tried, TryEnd};
use crate::verify::Tries;

impl Attempt {
    /// What a try comes to.
    pub(super) async fn weigh(&mut self, ended: TryEnd, tried: &Tried, output: &Path) -> Outcome {
        match ended {
            TryEnd::Written => self.settle(tried, output, Tries::Patient).await,
            TryEnd::Failed { class, what } => self.weigh_end(class, what, tried, output).await,
            TryEnd::Unstarted { what } => Outcome::NotRun { message: what },
            TryEnd::Misconfigured { what } => {
                self.context.withdraw(&self.grant.program, &what).await;
                Outcome::NotRun { message: with_output(&what, &tried.output) }
            }
            TryEnd::Pulled { pull, how, may_have_result } => {
                // A proof in hand is a proof, however late, if somebody can tell that it is one.
                if may_have_result
                    && self.is_judged()
                    && let proved @ Outcome::Proved(_) =
                        self.settle(tried, output, Tries::Patient).await
                {
                    return proved;
                }
                if pull == Pull::TimedOut && !may_have_result {
                    let what = self.over_time(&how);
                    return self.weigh_end(FailureClass::Timeout, what, tried, output).await;
                }
                self.pulled(pull, &how, tried)
            }
        }
    }

    /// What an attempt comes to whose prover did not end well: its result, if there is one after
    /// all.
    async fn weigh_end(
        &mut self,
        class: FailureClass,
        what: String,
        tried: &Tried,
        output: &Path,
    ) -> Outcome {
        let rescued = match class {
            // It says itself that there is none.
            FailureClass::Unprovable | FailureClass::InvalidInput | FailureClass::Unjudged => {
                Err(String::new())
            }
            FailureClass::Transient
            | FailureClass::Resource
            | FailureClass::Timeout
            | FailureClass::Failed => self.rescue(tried, output).await,
        };
        match rescued {
            Ok(proved) => {
                self.context.notify(Notice::ProofThere {
                    program: self.grant.program.clone(),
                    attempt: self.grant.attempt,
                    class,
                    how: what.clone(),
                });
                self.beside = Some(format!("though {}: {what}", word(class)));
                proved
            }
            Err(why_not) => self.weigh_failure(class, &format!("{what}{why_not}"), tried).await,
        }
    }

    fn over_time(&self, how: &str) -> String {
        format!("its time of {:?} was over; {how}", self.grant.timeout)
    }

    /// What a failure comes to: while a disk is full, it is the fault of whoever filled it, unless
    /// the prover said what no room would change.
    async fn weigh_failure(&self, class: FailureClass, what: &str, tried: &Tried) -> Outcome {
        let what = with_output(what, &tried.output);
        match class {
            FailureClass::Transient | FailureClass::Resource | FailureClass::Failed => {}
            FailureClass::Timeout
            | FailureClass::Unprovable
            | FailureClass::InvalidInput
            | FailureClass::Unjudged => {
                return failed(class, what);
            }
        }
        match self.context.rooms.blame(&self.context, self.grant.attempt).await {
            Blame::NotFull => failed(class, what),
            Blame::This { bytes } => {
                let held = format!("its directory holds {} MiB of a full disk", bytes >> 20);
                failed(FailureClass::Resource, format!("{held}; {what}"))
            }
            Blame::Other => Outcome::NotRun { message: format!("its disk was full; {what}") },
        }
    }

    fn pulled(&self, pull: Pull, how: &str, tried: &Tried) -> Outcome {
        match pull {
            Pull::Cancelled => Outcome::Cancelled,
            Pull::Stopped => Outcome::NotRun { message: "its dispatcher was stopped".to_owned() },
            Pull::Greedy(bytes) => greedy(bytes),
            Pull::TimedOut => {
                failed(FailureClass::Timeout, with_output(&self.over_time(how), &tried.output))
            }
        }
    }
}

/// Whether what an attempt came to may be its process's fault: then the next one gets a new
/// process.
pub(super) const fn is_suspect(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Rejected { .. } => true,
        Outcome::Failed { class, .. } => match class {
            FailureClass::Transient
            | FailureClass::Resource
            | FailureClass::Timeout
            | FailureClass::Failed => true,
            FailureClass::Unprovable | FailureClass::InvalidInput | FailureClass::Unjudged => false,
        },
        Outcome::Proved(_)
        | Outcome::InputLost { .. }
        | Outcome::NotRun { .. }
        | Outcome::Cancelled => false,
    }
}
