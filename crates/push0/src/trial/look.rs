//! What the end of a stage's first attempt says of its program, and what its verifier says of
//! proofs that were changed.

use std::time::Duration;

use push0_core::{Contract, FailureClass, Outcome, ResultRef};
use push0_dispatch::{Artifact, ProgramConfig, Store, Verdict};
use push0_prover::wire::{Base64, Hex};
use push0_prover::{Envelope, EnvelopeFormat, Program};

use super::course::TrialEnd;
use super::{Teller, Trial};
use crate::finding::Finding;
use crate::output::gist;
use crate::programs::Programs;
use crate::publish::{wire_key, wire_vkey};
use crate::tell::counted;
use crate::verifier::{Places, Verifier, ask};

pub(super) struct Look<'a> {
    pub(super) trial: &'a Trial<'a>,
    pub(super) programs: &'a Programs,
    pub(super) store: &'a Store,
}

impl Look<'_> {
    pub(super) fn at(&self, ended: &TrialEnd, tell: &mut Teller<'_>) {
        let about = format!("stage {}", ended.grant.stage);
        let Some(program) = self.programs.get(&ended.grant.program) else { return };
        match &ended.report.outcome {
            Outcome::Proved(result) => {
                tell(self.proves(&about, ended, program));
                match &ended.beside {
                    Some(how) => tell(self.beside(&about, ended, how)),
                    None => clean(&about, program).into_iter().for_each(&mut *tell),
                }
                self.result(&about, ended, program, result, tell);
            }
            Outcome::Rejected { message } => tell(Finding::fail(
                about,
                format!("its verifier does not accept what it makes: {}", gist(message)),
                "prover and verifier must agree on keys and encodings: ask the verifier by hand about what it refuses",
            )),
            Outcome::Failed { class, message } => tell(self.failed(&about, ended, *class, message)),
            Outcome::NotRun { message } => {
                tell(Finding::fail(about, format!("not begun: {}", gist(message)), "see to that"));
            }
            Outcome::InputLost { artifact } => {
                let said = format!("its input {artifact} is not in the store any more");
                tell(Finding::fail(about, said, "let nothing remove files from TMPDIR meanwhile"));
            }
            Outcome::Cancelled => {
                let said = "it was stopped before it had ended";
                tell(Finding::fail(about, said, "give it more time (--within)"));
            }
        }
    }

    fn proves(&self, about: &str, ended: &TrialEnd, program: &ProgramConfig) -> Finding {
        let (ran, used) = (ended.report.ran, ended.memory_bytes);
        let [seen, may] = [used, program.memory_bytes].map(|bytes| bytes.div_ceil(1 << 20));
        let [took, timeout] = [ran, ended.grant.timeout].map(rounded);
        let said = format!(
            "proves: starts, answers and writes its output, in {took} (it may take {timeout}) and with some {seen} MiB \
             (it may use {may})"
        );
        let name = &ended.grant.program;
        if used > program.memory_bytes / 10 * 9 {
            let place = self.trial.place(&format!("programs.{name}.memory"));
            return Finding::warn(about, said, format!("give it more memory ({place})"));
        }
        if ran > ended.grant.timeout / 2 {
            let place = self.trial.place(&format!("stages.{}.timeout", ended.grant.stage));
            return Finding::warn(about, said, format!("give it more time ({place}, --within)"));
        }
        Finding::ok(about, said)
    }

    /// Its result is taken, but one that does so each time costs a process, and one day a result.
    fn beside(&self, about: &str, ended: &TrialEnd, how: &str) -> Finding {
        let place = self.trial.place(&format!("programs.{}", ended.grant.program));
        Finding::fail(
            about,
            format!("its result was there, and it did not end well: {}", gist(how)),
            format!(
                "it must end with 0 (file), or say {{\"done\":…}} and print nothing else on stdout (serve): correct it \
                 ({place})"
            ),
        )
    }

    fn failed(&self, about: &str, ended: &TrialEnd, class: FailureClass, message: &str) -> Finding {
        let said = gist(message);
        let TrialEnd { grant, .. } = ended;
        let program = self.trial.place(&format!("programs.{}", grant.program));
        let made_up = match self.trial.is_made_up() {
            true => "; the blocks are made up: give real ones with --blocks FILE",
            false => "",
        };
        let remedy = match class {
            FailureClass::Transient => {
                "it says that it may work later (exit 75), or the system could not start it: see to that".to_owned()
            }
            FailureClass::Resource => format!("give it more `memory` ({program})"),
            FailureClass::Timeout => format!(
                "give it more time: --within, and `timeout` ({})",
                self.trial.place(&format!("stages.{}", grant.stage))
            ),
            FailureClass::Failed => format!(
                "run its command by hand ({program}): it must write to --output-path and exit 0 (file), or answer line by \
                 line (serve); docs/formats.md has both contracts{made_up}"
            ),
            FailureClass::Unprovable | FailureClass::InvalidInput => {
                format!("it says that these blocks cannot be proved: see to them{made_up}")
            }
            FailureClass::Unjudged => format!(
                "its verifier must print {{\"vkey\":…,\"claim\":…}} or {{\"refused\":\"why\"}}: correct it, or name one by \
                 `verifier` ({program})"
            ),
        };
        let verb = match class {
            FailureClass::Unjudged => "proves, and nobody can tell whether it is right",
            FailureClass::Transient
            | FailureClass::Resource
            | FailureClass::Timeout
            | FailureClass::Failed
            | FailureClass::Unprovable
            | FailureClass::InvalidInput => "makes nothing",
        };
        Finding::fail(about, format!("{verb}: {said}"), remedy)
    }

    fn result(
        &self,
        about: &str,
        ended: &TrialEnd,
        program: &ProgramConfig,
        result: &ResultRef,
        tell: &mut Teller<'_>,
    ) {
        if !result.parts.is_empty() {
            tell(Finding::ok(
                about,
                format!("its output is {}", counted(result.parts.len(), "part")),
            ));
            return;
        }
        if program.is_mock {
            let place = self.trial.place(&format!("programs.{}.mock", ended.grant.program));
            let said = "it is a mock: it proves nothing, and nothing is verified";
            tell(Finding::warn(about, said, format!("put a prover in its place ({place})")));
            return;
        }
        let read = self.store.read(result.output).map_err(|error| error.to_string());
        let artifact = match read.and_then(Artifact::read) {
            Ok(artifact) => artifact,
            Err(what) => {
                tell(Finding::fail(
                    about,
                    format!("its output cannot be used: {what}"),
                    "report it",
                ));
                return;
            }
        };
        let (public_values, proof) = artifact.into_parts();
        tell(form(about, result, &public_values, &proof));
        let name = ended.grant.program.to_string();
        let envelope = Envelope {
            format: EnvelopeFormat::V1,
            pipeline: self.trial.loaded.pipeline.name.to_string(),
            key: wire_key(ended.grant.key),
            block_hashes: None,
            program: Program { name, vkey: result.vkey.map(wire_vkey) },
            mock: false,
            claim: None,
            public_values,
            proof,
            history: Vec::new(),
            inputs: None,
        };
        let mut asking = program.asking;
        asking.timeout = asking.timeout.min(self.trial.within);
        let verifier = Verifier {
            argv: program.verifier.clone(),
            asking,
            surroundings: program.surroundings.clone(),
        };
        let judges = accepts(about, &verifier, &envelope);
        tell(judges);
        if !self.trial.is_interrupted() {
            self.refuses(about, &verifier, &envelope, tell);
        }
    }

    /// Flips a bit at a time, of the proof and of the public values.
    fn refuses(
        &self,
        about: &str,
        verifier: &Verifier,
        envelope: &Envelope,
        tell: &mut Teller<'_>,
    ) {
        let of_proof = flipped(&envelope.proof.0)
            .into_iter()
            .map(|proof| Envelope { proof: Base64(proof), ..envelope.clone() });
        tell(self.refusals(about, "its proof", verifier, of_proof.collect()));
        let of_values = flipped(&envelope.public_values.0)
            .into_iter()
            .map(|values| Envelope { public_values: Hex(values), ..envelope.clone() });
        let of_values: Vec<_> = of_values.collect();
        if !of_values.is_empty() {
            tell(self.refusals(about, "its public values", verifier, of_values));
        }
    }

    fn refusals(
        &self,
        about: &str,
        of: &str,
        verifier: &Verifier,
        changed: Vec<Envelope>,
    ) -> Finding {
        let all = changed.len();
        let (mut accepted, mut mute) = (0, None);
        for envelope in changed {
            match ask(verifier, &envelope, Places::default()) {
                Verdict::Refused { .. } => {}
                Verdict::Accepted { .. } => accepted += 1,
                Verdict::Undecided { why } | Verdict::None { why } => mute = Some(why),
            }
        }
        let bytes = |count: usize| {
            let copies = if all == 1 { "copy" } else { "copies" };
            format!("{count} of {all} {copies} with a flipped bit in {of}")
        };
        if accepted == all {
            let remedy = "a verifier that takes these takes anything: have it check every byte of proof and public values";
            return Finding::fail(about, format!("its verifier accepts {}", bytes(all)), remedy);
        }
        if accepted > 0 {
            let said = format!("its verifier accepts {}", bytes(accepted));
            let remedy = "see to it that these bytes mean nothing; best, have it refuse what is not written as it should be";
            return Finding::warn(about, said, remedy);
        }
        match mute {
            Some(why) => Finding::warn(
                about,
                format!(
                    "its verifier gives no verdict on copies with a flipped bit in {of}: {}",
                    gist(&why)
                ),
                "have it print {\"refused\":\"why\"}, or end with 196: anything else is taken for an outage, and asked \
                 again",
            ),
            None => Finding::ok(about, format!("its verifier refuses {}", bytes(all))),
        }
    }
}

/// As a stranger asks it, who has nothing but the proof's file.
fn accepts(about: &str, verifier: &Verifier, envelope: &Envelope) -> Finding {
    match ask(verifier, envelope, Places::default()) {
        Verdict::Accepted { vkey: None, .. } => Finding::warn(
            about,
            "its verifier accepts it, and names no key",
            "have it print its key, {\"vkey\":\"sha256:…\",…}: without one nobody can pin what is proved",
        ),
        Verdict::Accepted { vkey: Some(vkey), .. } => {
            Finding::ok(about, format!("its verifier accepts it, under the key {vkey}"))
        }
        Verdict::Refused { words: why } | Verdict::Undecided { why } | Verdict::None { why } => {
            Finding::fail(
                about,
                format!(
                    "its verifier accepts it beside its inputs, and not as a final proof: {}",
                    gist(&why)
                ),
                "a proof's reader has no `inputs`: have the verifier judge without them, too",
            )
        }
    }
}

fn form(about: &str, result: &ResultRef, public_values: &Hex, proof: &Base64) -> Finding {
    let (values, proof) = (public_values.0.len(), proof.0.len());
    match values {
        0 => Finding::ok(
            about,
            format!("its output is taken as a proof of {proof} bytes, without public values"),
        ),
        _ => Finding::ok(
            about,
            format!(
                "its output of {} bytes is a result: a proof of {proof} bytes, and {values} of public values",
                result.bytes
            ),
        ),
    }
}

/// What is seen of its stdout: a line that is not the contract's would have ended the attempt.
fn clean(about: &str, program: &ProgramConfig) -> Option<Finding> {
    match program.contract {
        Contract::Serve => {
            Some(Finding::ok(about, "its stdout has lines of the serve contract alone"))
        }
        Contract::File => None, // whatever it prints is kept for people
    }
}

/// Copies with one bit flipped: at the beginning, in the middle, at the end.
fn flipped(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut places = vec![0, bytes.len() / 2, bytes.len().saturating_sub(1)];
    places.dedup();
    let copy = |at: usize| {
        let mut copy = bytes.to_vec();
        *copy.get_mut(at)? ^= 1;
        Some(copy)
    };
    places.into_iter().filter_map(copy).collect()
}

fn rounded(time: Duration) -> humantime::FormattedDuration {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    humantime::format_duration(Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_copy_differs_in_one_bit() {
        assert_eq!(flipped(b""), Vec::<Vec<u8>>::new());
        assert_eq!(flipped(b"a"), [b"`".to_vec()]);
        assert_eq!(flipped(b"abcd"), [b"`bcd".to_vec(), b"abbd".to_vec(), b"abce".to_vec()]);
    }
}
