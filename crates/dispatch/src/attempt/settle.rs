//! From what a prover has written to a result in the store.
//!
//! A prover that did not end well may have written its whole result before: one that hangs in its
//! own clean-up, or crashes there, say. What stands at its output's path is then judged once.
//! Whether it is all of the result nobody can know from outside, and nobody needs to: nothing of
//! the attempt runs any more, so the bytes stay what they are; JSON must be whole; and a verifier
//! that accepts them accepts what would be handed out, byte for byte. So a part of a proof passes
//! only where the verifier takes a part for a proof, and then it would pass at exit 0 as well.
//! Without a verifier (a mock, a split) nothing is taken. What is not accepted is no strike: the
//! attempt ended as it ended.
//!
//! From here on there is a proof to lose. A verifier that has no verdict and a store that does not
//! take it are tried again, an operator is told, and only when patience is over the attempt has
//! failed.
//!
//! Not here: how a verifier is asked (`verify`), and how long that goes on (`retry`).

use std::path::Path;
use std::sync::Arc;

use push0_core::{FailureClass, Grant, Outcome, ResultRef, Vkey};

use super::{Attempt, failed, first_line, greedy};
use crate::board::Doing;
use crate::folder::{blocking, remove};
use crate::output::{NoResult, ProverOutput};
use crate::reins::Pull;
use crate::retry::{Next, Patience};
use crate::room::is_full;
use crate::tail::{OUTPUT_FOLLOWS, with_output};
use crate::tried::Tried;
use crate::verify::{Case, Judged, Tries, judge};
use crate::{ProgramConfig, Store, StoreError};

impl Attempt {
    /// Reads what was made, has it verified, and stores it.
    pub(super) async fn settle(&mut self, tried: &Tried, path: &Path, tries: Tries) -> Outcome {
        let is_judged = self.is_judged();
        let made = match self.read(path).await {
            Ok((_, Some(kept))) => return Outcome::Proved(kept),
            Ok((made, None)) if tries == Tries::Once && !made.is_whole() => {
                return failed(FailureClass::Failed, "its output is cut short".to_owned());
            }
            Ok((made, None)) => Arc::new(made),
            Err(error) => {
                let what = with_output(&format!("it says it is done, {error}"), &tried.output);
                return failed(FailureClass::Failed, what);
            }
        };
        if let Some(message) = lie(&self.grant, &self.program, &made) {
            return Outcome::Rejected { message };
        }
        let (timeout, ask) = (self.grant.timeout, self.program.asking.timeout);
        let mut patience = Patience::with_verifier(self.context.retry, timeout, ask);
        let mut vkey = made.vkey().map(|vkey| Vkey(vkey.0.0));
        if is_judged {
            match self.verify(&made, tries, &mut patience).await {
                Ok(own) => match (own, vkey) {
                    (Some(own), Some(claimed)) if own != claimed => {
                        let message =
                            format!("the result names key {claimed}, it verifies under key {own}");
                        return Outcome::Rejected { message };
                    }
                    // Where nobody names one, none is made up: the engine decides.
                    (own, claimed) => vkey = own.or(claimed),
                },
                Err(outcome) => return outcome,
            }
        }
        self.store(&made, vkey, &mut patience).await
    }

    /// What a former attempt at the task made, and nobody judged; none where there is nothing, or
    /// nothing good.
    pub(super) async fn settle_former(&mut self) -> Option<Outcome> {
        let (unjudged, task) = (Arc::clone(&self.context.unjudged), self.grant.task);
        let path = self.is_judged().then(|| unjudged.find(&task)).flatten()?;
        match self.settle(&Tried::default(), &path, Tries::Patient).await {
            proved @ Outcome::Proved(_) => {
                blocking(move || unjudged.forget(&task)).await;
                Some(proved)
            }
            Outcome::Failed { class: FailureClass::Failed, .. } | Outcome::Rejected { .. } => {
                blocking(move || unjudged.forget(&task)).await;
                None
            }
            other @ (Outcome::Failed { .. }
            | Outcome::InputLost { .. }
            | Outcome::NotRun { .. }
            | Outcome::Cancelled) => Some(other),
        }
    }

    /// What becomes of an output that a prover left which did not end well: the result, if its
    /// verifier takes it, else why not, for a person.
    pub(super) async fn rescue(&mut self, tried: &Tried, path: &Path) -> Result<Outcome, String> {
        let there = path.to_owned();
        if !self.is_judged() || !blocking(move || there.is_file()).await {
            return Err(String::new());
        }
        match self.settle(tried, path, Tries::Once).await {
            proved @ Outcome::Proved(_) => Ok(proved),
            Outcome::Rejected { message } | Outcome::Failed { message, .. } => {
                let why = first_line(&message).trim_end_matches(OUTPUT_FOLLOWS);
                Err(format!("; what it had written is not taken: {why}"))
            }
            Outcome::InputLost { .. } | Outcome::NotRun { .. } | Outcome::Cancelled => {
                Err("; nobody could tell whether what it had written is a proof".to_owned())
            }
        }
    }

    /// What was made; and its place in the store, if nobody needs to judge it and it was stored at
    /// once.
    async fn read(&self, path: &Path) -> Result<(ProverOutput, Option<ResultRef>), NoResult> {
        let (path, output, is_judged) = (path.to_owned(), self.grant.output, self.is_judged());
        let (grant, program) = (Arc::clone(&self.grant), self.program.clone());
        let store = self.context.config.store.clone();
        blocking(move || {
            let made = ProverOutput::read(&path, output, is_judged)?;
            let is_settled = !is_judged && lie(&grant, &program, &made).is_none();
            let vkey = made.vkey().map(|vkey| Vkey(vkey.0.0));
            let kept =
                is_settled.then(|| keep(&store, &made, vkey, program.is_mock).ok()).flatten();
            Ok((made, kept))
        })
        .await
    }

    /// The key that the verifier names, if it accepts.
    async fn verify(
        &mut self,
        made: &Arc<ProverOutput>,
        tries: Tries,
        patience: &mut Patience,
    ) -> Result<Option<Vkey>, Outcome> {
        let Self { context, grant, program, reins, .. } = self;
        context.board.note(grant.attempt, Doing::Verifying);
        let dir = context.work.join(format!("verify-{}", grant.attempt.0));
        let case = Case {
            context: Arc::clone(context),
            grant: Arc::clone(grant),
            program: program.clone(),
            made: Arc::clone(made),
            dir: dir.clone(),
        };
        let case = Arc::new(case);
        let judged = judge(&case, tries, patience, reins).await;
        remove(dir).await;
        Err(match judged {
            Judged::Accepted { vkey } => return Ok(vkey),
            Judged::Refused { message } => Outcome::Rejected { message },
            Judged::InputLost { artifact } => Outcome::InputLost { artifact },
            Judged::NoVerdict { message } => {
                if tries == Tries::Patient {
                    let (context, task) = (Arc::clone(&self.context), self.grant.task);
                    let made = Arc::clone(made);
                    blocking(move || context.unjudged.keep(&task, &made.bytes)).await;
                }
                failed(FailureClass::Unjudged, message)
            }
            Judged::Pulled(pull) => pulled(pull, "the verifier gave no verdict in time"),
        })
    }

    async fn store(
        &mut self,
        made: &Arc<ProverOutput>,
        vkey: Option<Vkey>,
        patience: &mut Patience,
    ) -> Outcome {
        let attempt = self.grant.attempt;
        self.context.board.note(attempt, Doing::Storing);
        patience.turn();
        loop {
            let (store, is_mock) = (self.context.config.store.clone(), self.program.is_mock);
            let made = Arc::clone(made);
            let message = match blocking(move || keep(&store, &made, vkey, is_mock)).await {
                Ok(result) => return Outcome::Proved(result),
                Err(error) => {
                    if is_full(&error.source) {
                        self.context.rooms.close(&self.context);
                    }
                    error.to_string()
                }
            };
            let kept = format!(
                "the result of attempt {} is kept, and put again: {message}",
                attempt.position()
            );
            self.context.trouble("store", kept);
            self.context.board.note(attempt, Doing::Unstored);
            match patience.pause(&self.reins).await {
                Next::Again => self.context.board.note(attempt, Doing::Storing),
                Next::Over => return failed(FailureClass::Transient, message),
                Next::Pulled(pull) => return pulled(pull, &message),
            }
        }
    }
}

/// What needs no verifier to be refused.
fn lie(grant: &Grant, program: &ProgramConfig, made: &ProverOutput) -> Option<String> {
    if made.says_mock() && !program.is_mock {
        let program = &grant.program;
        return Some(format!("the result is a mock, program {program} is not declared as one"));
    }
    let (own, pinned) = (made.vkey()?, program.vkey?);
    (own.0.0 != pinned.0).then(|| format!("made under key {own}, the pipeline pins {pinned}"))
}

/// Puts what was made into the store.
fn keep(
    store: &Store,
    made: &ProverOutput,
    vkey: Option<Vkey>,
    is_mock: bool,
) -> Result<ResultRef, StoreError> {
    let parts = made.parts().map(|part| store.put(part)).collect::<Result<_, _>>()?;
    Ok(ResultRef {
        output: store.put(&made.bytes)?,
        bytes: made.bytes.len() as u64,
        statement: made.statement(),
        vkey,
        mock: is_mock,
        parts,
    })
}

pub(super) fn pulled(pull: Pull, message: &str) -> Outcome {
    match pull {
        Pull::Cancelled => Outcome::Cancelled,
        Pull::Stopped => Outcome::NotRun { message: "its dispatcher was stopped".to_owned() },
        Pull::Greedy(bytes) => greedy(bytes),
        Pull::TimedOut => failed(FailureClass::Transient, message.to_owned()),
    }
}
