//! The life of one attempt: its inputs, its prover, its verifier, its result.
//!
//! ```text
//!   Preparing ──▶ Proving ──▶ Verifying ──▶ Storing ──▶ report
//!       └────────────┴─▶ Ending ─┴─(a proof is there)      ▲
//!                          └───────────────────────────────┘
//! ```

use std::time::Duration;

use push0_core::{AttemptId, Digest, DispatcherId, FailureClass, Grant, Outcome, ResultRef};

use super::{Act, Around, Dispatcher};
use crate::agenda::Step;
use crate::fault::Fault;
use crate::scenario::Bad;
use crate::store::Read;
use crate::truth;

/// An attempt that runs.
pub(super) struct Run {
    pub(super) grant: Grant,
    phase: Phase,
    began: Duration,
    /// How its prover ends by itself; none before it began.
    end: End,
    /// What it will say that it has not found.
    complaint: Option<Digest>,
    /// Until when its result may be verified and stored.
    patience: Duration,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    Preparing,
    Proving,
    Ending(Why),
    Verifying,
    Storing,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Why {
    TimeOver,
    Cancelled,
}

/// How a prover ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    Proof,
    Lie,
    Fails(FailureClass),
    Silent,
}

impl Dispatcher {
    /// Takes an attempt on.
    pub(super) fn begin(&mut self, grant: Grant, around: &mut Around<'_>) -> Vec<Act> {
        let attempt = grant.attempt;
        let waits = vec![
            Act::Wait(PREPARING, attempt, Step::Prepared),
            Act::Wait(self.rate.elapsed(grant.timeout), attempt, Step::TimeOver),
        ];
        let patience = grant.timeout * 3 / 10;
        let (began, end, complaint) = (around.now, End::Proof, None);
        let run = Run { grant, phase: Phase::Preparing, began, end, complaint, patience };
        self.running.insert(attempt, run);
        waits
    }

    /// An attempt goes on, if it still runs and waits for this.
    pub(crate) fn goes(
        &mut self,
        attempt: AttemptId,
        step: Step,
        around: &mut Around<'_>,
    ) -> Vec<Act> {
        let Some(run) = self.running.get(&attempt) else { return Vec::new() };
        match (step, run.phase) {
            (Step::Prepared, Phase::Preparing) => self.prepared(attempt, around),
            (Step::Ended, Phase::Proving) => self.proved(attempt, around),
            (Step::TimeOver, Phase::Preparing | Phase::Proving) => {
                self.kill(attempt, Why::TimeOver, around)
            }
            (Step::Killed, Phase::Ending(why)) => self.killed(attempt, why, around),
            (Step::Verified, Phase::Verifying) => self.verified(attempt, around),
            (Step::Stored, Phase::Storing) => self.stored(attempt, around),
            (
                Step::Prepared
                | Step::Ended
                | Step::TimeOver
                | Step::Killed
                | Step::Verified
                | Step::Stored,
                Phase::Preparing
                | Phase::Proving
                | Phase::Ending(_)
                | Phase::Verifying
                | Phase::Storing,
            ) => Vec::new(),
        }
    }

    /// Nobody waits for an attempt any more.
    pub(super) fn cancel(&mut self, attempt: AttemptId, around: &mut Around<'_>) -> Vec<Act> {
        match self.running.get(&attempt).map(|run| run.phase) {
            Some(Phase::Preparing | Phase::Proving) => self.kill(attempt, Why::Cancelled, around),
            Some(Phase::Verifying | Phase::Storing) => {
                self.end(attempt, Outcome::Cancelled, around)
            }
            Some(Phase::Ending(_)) | None => Vec::new(),
        }
    }

    fn prepared(&mut self, attempt: AttemptId, around: &mut Around<'_>) -> Vec<Act> {
        let Some(run) = self.running.get_mut(&attempt) else { return Vec::new() };
        if let Some(artifact) = run.complaint {
            return self.end(attempt, Outcome::InputLost { artifact }, around);
        }
        if around.faults.strikes(around.now, Fault::Complains) {
            let wait = around.faults.chance(Fault::Complains).millis(100, 3_000);
            around.store.blind(around.now + wait);
        }
        let chance = around.faults.chance(Fault::Complains);
        if around.store.is_blind(around.now) && chance.flip() {
            run.complaint = chance.pick(&run.grant.inputs).map(|input| input.artifact);
            return vec![Act::Wait(chance.millis(10, 6_000), attempt, Step::Prepared)];
        }
        for input in &run.grant.inputs {
            match around.store.read(&input.artifact) {
                Read::Sound => {}
                Read::Lost => {
                    let artifact = input.artifact;
                    return self.end(attempt, Outcome::InputLost { artifact }, around);
                }
                Read::Unknown => {
                    let outcome = failed(FailureClass::Transient, "the store does not answer");
                    return self.end(attempt, outcome, around);
                }
            }
        }
        let end = match self.bad {
            Some(Bad::Fails(class)) => End::Fails(class),
            Some(Bad::Lies) => End::Lie,
            Some(Bad::Refuses) | None => end(&run.grant, around),
        };
        let mut takes =
            around.faults.chance(Fault::ProverSlow).millis(1, 1 + millis(around.proving_max));
        if around.faults.strikes(around.now, Fault::ProverSlow) {
            takes *= 4;
        }
        if let Some(run) = self.running.get_mut(&attempt) {
            (run.phase, run.end) = (Phase::Proving, end);
        }
        match end {
            End::Silent => Vec::new(),
            End::Proof | End::Lie | End::Fails(_) => vec![Act::Wait(takes, attempt, Step::Ended)],
        }
    }

    fn proved(&mut self, attempt: AttemptId, around: &mut Around<'_>) -> Vec<Act> {
        let Some(run) = self.running.get_mut(&attempt) else { return Vec::new() };
        match run.end {
            End::Fails(class) => self.end(attempt, failed(class, "the prover failed"), around),
            End::Proof | End::Lie | End::Silent => {
                run.phase = Phase::Verifying;
                run.patience += around.now;
                vec![Act::Wait(VERIFYING, attempt, Step::Verified)]
            }
        }
    }

    fn verified(&mut self, attempt: AttemptId, around: &mut Around<'_>) -> Vec<Act> {
        let Some(run) = self.running.get_mut(&attempt) else { return Vec::new() };
        if around.faults.strikes(around.now, Fault::VerifierStuck) {
            return match around.now < run.patience {
                true => vec![Act::Wait(AGAIN, attempt, Step::Verified)],
                false => {
                    let outcome = failed(FailureClass::Unjudged, "the verifier has no verdict");
                    self.end(attempt, outcome, around)
                }
            };
        }
        if run.end == End::Lie {
            let outcome = Outcome::Rejected { message: "it proves something else".to_owned() };
            return self.end(attempt, outcome, around);
        }
        run.phase = Phase::Storing;
        vec![Act::Wait(STORING, attempt, Step::Stored)]
    }

    fn stored(&mut self, attempt: AttemptId, around: &mut Around<'_>) -> Vec<Act> {
        let Some(run) = self.running.get(&attempt) else { return Vec::new() };
        let result = result(&self.id, &run.grant, self.has_own_key, around);
        let are_put =
            result.parts.iter().chain([&result.output]).all(|artifact| around.store.put(*artifact));
        if are_put {
            return self.end(attempt, Outcome::Proved(result), around);
        }
        match around.now < run.patience {
            true => vec![Act::Wait(AGAIN, attempt, Step::Stored)],
            false => {
                let outcome = failed(FailureClass::Transient, "the store takes nothing");
                self.end(attempt, outcome, around)
            }
        }
    }

    /// Ends what an attempt has started: politely, then not.
    fn kill(&mut self, attempt: AttemptId, why: Why, around: &mut Around<'_>) -> Vec<Act> {
        let Some(run) = self.running.get_mut(&attempt) else { return Vec::new() };
        run.phase = Phase::Ending(why);
        let grace = around.faults.chance(Fault::LateProof).millis(0, millis(run.grant.grace));
        vec![Act::Wait(grace, attempt, Step::Killed)]
    }

    fn killed(&mut self, attempt: AttemptId, why: Why, around: &mut Around<'_>) -> Vec<Act> {
        let Some(run) = self.running.get_mut(&attempt) else { return Vec::new() };
        let has_proof = run.end == End::Proof && run.began + PREPARING < around.now;
        if has_proof && around.faults.strikes(around.now, Fault::LateProof) {
            run.phase = Phase::Verifying;
            run.patience += around.now;
            return vec![Act::Wait(VERIFYING, attempt, Step::Verified)];
        }
        let outcome = match why {
            Why::TimeOver => failed(FailureClass::Timeout, "its time was over"),
            Why::Cancelled => Outcome::Cancelled,
        };
        self.end(attempt, outcome, around)
    }

    fn end(&mut self, attempt: AttemptId, outcome: Outcome, around: &mut Around<'_>) -> Vec<Act> {
        let Some(run) = self.running.remove(&attempt) else { return Vec::new() };
        let ran = around.now.saturating_sub(run.began);
        self.report(&run.grant, outcome, ran, around)
    }
}

/// How a prover will end.
fn end(grant: &Grant, around: &mut Around<'_>) -> End {
    let (now, faults) = (around.now, &mut *around.faults);
    let name = format!("{} {}", grant.stage, grant.key);
    let poison = around.poison.entry(name).or_insert_with(|| {
        let classes = [FailureClass::Unprovable, FailureClass::InvalidInput, FailureClass::Failed];
        let is_poison = faults.strikes(now, Fault::Poison);
        let class = faults.chance(Fault::Poison).pick(&classes).copied();
        class.filter(|_| is_poison)
    });
    if let Some(class) = poison {
        return End::Fails(*class);
    }
    let (until, class) = around.all_fail;
    if now < until {
        return class.map_or(End::Lie, End::Fails);
    }
    if faults.strikes(now, Fault::ProverSilent) {
        return End::Silent;
    }
    if faults.strikes(now, Fault::ProverFails) {
        let classes = [FailureClass::Transient, FailureClass::Resource, FailureClass::Failed];
        let class = faults.chance(Fault::ProverFails).pick(&classes).copied();
        return End::Fails(class.unwrap_or(FailureClass::Failed));
    }
    match faults.strikes(now, Fault::ProverLies) {
        true => End::Lie,
        false => End::Proof,
    }
}

/// What a prover has made.
fn result(
    by: &DispatcherId,
    grant: &Grant,
    has_own_key: bool,
    around: &mut Around<'_>,
) -> ResultRef {
    let (now, stage, key) = (around.now, grant.stage.as_str(), &grant.key);
    let ledger = &around.watch.ledger;
    // By its name: the log may not know of a task whose grant left early.
    let pipeline = ledger.pipeline.as_ref();
    let index = pipeline.and_then(|pipeline| pipeline.find(&grant.stage));
    let count = index.and_then(|index| ledger.stage(index));
    let count = count.map_or(0, |stage| truth::parts(stage, key));
    let was_made = around.watch.is_made(&grant.task);
    let is_held = around.watch.is_held(&grant.program, by);
    let salt = match around.faults.strikes(now, Fault::OtherBytes) {
        true => grant.attempt.0,
        false => 0,
    };
    let mut result = ResultRef {
        output: Digest::of(format!("bytes of {stage} {key} {salt}").as_bytes()),
        bytes: 100,
        statement: truth::values(stage, key),
        vkey: Some(truth::vkey(&grant.program)),
        mock: false,
        parts: (0..count).map(|part| truth::part(stage, key, part)).collect(),
    };
    if was_made && around.faults.strikes(now, Fault::OtherValues) {
        result.statement = Digest::of(format!("{stage} {key} {}", grant.attempt).as_bytes());
    } else if was_made && count > 0 && around.faults.strikes(now, Fault::OtherParts) {
        let other = |part: u32| Digest::of(format!("{part} of {}", grant.attempt).as_bytes());
        result.parts = (0..count).map(other).collect();
    } else if around.faults.strikes(now, Fault::Unfit) {
        match around.faults.chance(Fault::Unfit).below(3) {
            0 => result.mock = true,
            1 if is_held && !has_own_key => result.vkey = Some(push0_core::Vkey([9; 32])),
            _ => result.parts = vec![result.output; if count == 0 { 1 } else { 9 }],
        }
    } else if !was_made && around.faults.strikes(now, Fault::AcceptedLie) {
        let lie = |what: &str| Digest::of(format!("lie on {what} of {stage} {key}").as_bytes());
        (result.statement, result.output) = (lie("values"), lie("bytes"));
        result.parts.iter_mut().zip(0..).for_each(|(part, index)| *part = lie(&format!("{index}")));
    }
    if has_own_key && result.vkey == Some(truth::vkey(&grant.program)) {
        result.vkey = Some(push0_core::Vkey(Digest::of(by.as_str().as_bytes()).0));
    }
    result
}

fn failed(class: FailureClass, message: &str) -> Outcome {
    Outcome::Failed { class, message: message.to_owned() }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

const PREPARING: Duration = Duration::from_millis(2);
const VERIFYING: Duration = Duration::from_millis(20);
const STORING: Duration = Duration::from_millis(2);

/// Between two tries of a verifier, or of the store.
const AGAIN: Duration = Duration::from_millis(500);
