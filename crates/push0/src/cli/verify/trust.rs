//! What the caller of `push0 verify` trusts: a verifier and a key, of a pipeline or named by hand.
//!
//! Not here: asking the verifier.

use std::env;
use std::path::Path;

use push0_core::{Asking, Believes, Program, ProgramName, Surroundings};
use push0_pipeline::{LoadedPipeline, PipelineFileError};
use push0_prover::{Envelope, ProofFile, Vkey};

use super::NotAccepted;
use crate::cli::{VerdictArg, VerifyArgs};
use crate::programs;
use crate::publish::wire_vkey;
use crate::run::MachineArgs;
use crate::verifier::{Verifier, by_hand};

/// What the caller trusts.
pub(super) struct Trust {
    pipeline: Option<LoadedPipeline>,
    verifier: Option<String>,
    verdict: VerdictArg,
    vkey: Option<Vkey>,
    /// What a verifier may take that no pipeline speaks of.
    memory_bytes: u64,
}

impl Trust {
    pub(super) fn of(args: &VerifyArgs) -> Result<Self, PipelineFileError> {
        let load = |file: &std::path::PathBuf| push0_pipeline::load(file);
        let pipeline = args.pipeline.as_ref().map(load).transpose()?;
        let VerifyArgs { verifier, verdict, vkey, memory, .. } = args;
        let memory_bytes = memory.unwrap_or_else(half_of_machine);
        let (verifier, verdict) = (verifier.clone(), *verdict);
        Ok(Self { pipeline, verifier, verdict, vkey: *vkey, memory_bytes })
    }

    /// Whether the file is of the kind that the caller speaks of.
    pub(super) fn fits(
        &self,
        file: &ProofFile,
        proofs: &[(Option<String>, Envelope)],
    ) -> Result<(), NotAccepted> {
        if matches!(file, ProofFile::Joint(_)) && (self.verifier.is_some() || self.vkey.is_some()) {
            let why = "the file holds proofs of several programs (--verifier, --vkey): name \
                       their verifiers and keys with --pipeline";
            return Err(NotAccepted::Unusable(why.to_owned()));
        }
        let Some(LoadedPipeline { pipeline, .. }) = &self.pipeline else { return Ok(()) };
        let (name, chain) = match file {
            ProofFile::One(envelope) => (&envelope.pipeline, envelope.key.chain),
            ProofFile::Joint(joint) => (&joint.pipeline, joint.key.chain),
        };
        if (name.as_str(), chain) != (pipeline.name.as_str(), pipeline.source.chain.0) {
            let (expected, on) = (&pipeline.name, pipeline.source.chain.0);
            return Err(NotAccepted::Refused(format!(
                "it is of pipeline {name} on chain {chain}, not of {expected} on chain {on}"
            )));
        }
        let released = pipeline.release.iter().map(|index| pipeline.stage(*index));
        let released: Vec<_> = released.collect();
        let is_of = |((stage, envelope), released): (&(Option<String>, Envelope), _)| {
            let released: &&push0_core::Stage = released;
            envelope.program.name == released.program.as_str()
                && stage.as_ref().is_none_or(|stage| stage == released.name.as_str())
        };
        if proofs.len() != released.len() || !proofs.iter().zip(&released).all(is_of) {
            let of = released.iter().map(|stage| format!("{} by {}", stage.name, stage.program));
            let of = of.collect::<Vec<_>>().join(", ");
            return Err(NotAccepted::Refused(format!(
                "its proofs are not those that the pipeline releases, which are {of}"
            )));
        }
        Ok(())
    }

    /// The key that a proof must be under; none where nobody said.
    pub(super) fn pinned(&self, envelope: &Envelope) -> Result<Option<Vkey>, NotAccepted> {
        let in_file = self.program(envelope).and_then(|program| program.vkey).map(wire_vkey);
        match (self.vkey, in_file) {
            (Some(named), Some(in_file)) if named != in_file => Err(NotAccepted::Unusable(
                format!("--vkey is {named}, the pipeline's is {in_file}: pin one key"),
            )),
            (named, in_file) => Ok(named.or(in_file)),
        }
    }

    /// Refuses a mock, unless the pipeline has it for one and nobody asks for a key.
    pub(super) fn allows_mock(&self, envelope: &Envelope) -> Result<(), NotAccepted> {
        let allows = self.pipeline.as_ref().is_some_and(|loaded| loaded.pipeline.allow_mock);
        let is_mock = self.program(envelope).is_some_and(|program| program.is_mock);
        match (allows && is_mock, self.vkey) {
            (true, None) => Ok(()),
            (true, Some(vkey)) => Err(NotAccepted::NoVerdict(format!(
                "pinned is key {vkey}, and it is a mock, which is under no key"
            ))),
            (false, _) => Err(NotAccepted::Refused(
                "it is a mock, which proves nothing, and no --pipeline with allow_mock has it for one"
                    .to_owned(),
            )),
        }
    }

    /// The argv to ask, and how. What the file says only picks among what lies beside
    /// push0.
    pub(super) fn verifier(&self, envelope: &Envelope) -> Result<Verifier, NotAccepted> {
        let located = |dir: &Path, argv: Vec<String>| {
            let mut words = argv.into_iter();
            let word = words.next().unwrap_or_default();
            let file = programs::find(dir, &word)
                .map_err(|(what, remedy)| NotAccepted::Unusable(format!("{what}: {remedy}")))?;
            Ok(std::iter::once(file.to_string_lossy().into_owned()).chain(words).collect())
        };
        if let Some(command) = &self.verifier {
            let argv = command.split_whitespace().map(ToOwned::to_owned).collect();
            let argv = located(Path::new("."), argv)?;
            return Ok(alone(argv, by_hand(self.verdict.into(), self.memory_bytes)));
        }
        match (&self.pipeline, self.program(envelope)) {
            (Some(loaded), Some(program)) if !program.is_mock => {
                let mut surroundings = program.surroundings.clone();
                surroundings.wrap = match surroundings.wrap {
                    wrap if wrap.is_empty() => wrap,
                    wrap => located(&loaded.dir, wrap)?,
                };
                let argv = located(&loaded.dir, program.verifier.clone())?;
                Ok(Verifier { argv, asking: program.asking, surroundings })
            }
            (Some(_), _) => Err(NotAccepted::Refused(format!(
                "program {} is a mock in the pipeline, the file says that it is none",
                envelope.program.name
            ))),
            (None, _) => {
                let asking = by_hand(Believes::LineOfGuess, self.memory_bytes);
                Ok(alone(shipped(&envelope.program.name)?, asking))
            }
        }
    }

    fn program(&self, envelope: &Envelope) -> Option<&Program> {
        let name: ProgramName = envelope.program.name.parse().ok()?;
        self.pipeline.as_ref()?.pipeline.programs.get(&name)
    }
}

/// A verifier beside which the machine goes on.
fn half_of_machine() -> u64 {
    let all = MachineArgs { slots: None, memory: None, gpus: None }.memory_bytes();
    all.map_or(UNKNOWN_BYTES, |bytes| bytes / 2)
}

/// A verifier that no pipeline speaks of.
fn alone(argv: Vec<String>, asking: Asking) -> Verifier {
    Verifier { argv, asking, surroundings: Surroundings::default() }
}

/// The prover of that name that was installed with push0. A name is a plain word, so it cannot lead
/// anywhere else.
fn shipped(name: &str) -> Result<Vec<String>, NotAccepted> {
    let remedy = "name a verifier with --verifier, or the pipeline with --pipeline";
    let Ok(name) = name.parse::<ProgramName>() else {
        return Err(NotAccepted::Unusable(format!(
            "the file's program has no name that push0 gives: {remedy}"
        )));
    };
    let file = format!("{SHIPPED}{name}");
    let beside = env::current_exe().ok().and_then(|push0| Some(push0.parent()?.join(&file)));
    match beside.filter(|beside| beside.is_file()) {
        Some(beside) => Ok(vec![beside.to_string_lossy().into_owned(), "verify".to_owned()]),
        None => Err(NotAccepted::Unusable(format!(
            "there is no {file} beside push0 to verify with: {remedy}"
        ))),
    }
}

/// What it may take where nobody knows how much there is: more than verifiers of final proofs need.
const UNKNOWN_BYTES: u64 = 4 << 30;

/// What the names of provers that come with push0 begin with.
const SHIPPED: &str = "push0-prover-";
