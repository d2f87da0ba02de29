//! The file that stands where a release's is to be: whether it is that one already.
//!
//! A file that is right is left alone, though the store may have lost what it was made of, and no
//! verifier is run again for it: it was written after one had accepted. Right is a file whose
//! digest holds, whose key and history are the release's, and whose every proof is, byte for byte,
//! the result that was accepted, and says of itself what was reported of it.

use std::path::Path;

use push0_core::{Believes, Digest};
use push0_prover::wire::{ResultFile, ResultFormat};
use push0_prover::{Envelope, ProofFile};

use super::{Final, Publication, agree, wire_key};
use crate::bounded;
use crate::programs::Programs;

/// The proof file at `path`, if there is one that is whole.
pub(super) fn read(path: &Path) -> Option<ProofFile> {
    ProofFile::decode(&bounded::read(path, bounded::PROOF_BYTES_MAX).ok()?).ok()
}

/// The pipeline whose proof it is, if that is another one.
pub(super) fn other(publication: &Publication, file: &ProofFile) -> Option<String> {
    let pipeline = match file {
        ProofFile::One(envelope) => &envelope.pipeline,
        ProofFile::Joint(joint) => &joint.pipeline,
    };
    (pipeline != publication.pipeline.as_str()).then(|| pipeline.clone())
}

/// Its proofs, if they are the release's, each with the result that it was made of.
pub(super) fn right(
    publication: &Publication,
    programs: &Programs,
    file: ProofFile,
) -> Option<Vec<(Envelope, Vec<u8>)>> {
    let envelopes = match file {
        ProofFile::One(envelope) => vec![envelope],
        ProofFile::Joint(joint) => joint.split(),
    };
    let key = wire_key(publication.key);
    // A verifier that only ends tells no claim.
    let is_by_exit = |last: &Final| {
        programs.get(&last.program).is_some_and(|it| it.asking.believes == Believes::Exit)
    };
    let is_right = |last: &Final, envelope: &Envelope| {
        envelope.key == key
            && envelope.block_hashes == publication.block_hashes
            && envelope.history == publication.history
            && envelope.program.name == last.program.as_str()
            && envelope.mock == (last.result.mock || publication.has_mock)
            && (envelope.mock || envelope.claim.is_some() || is_by_exit(last))
    };
    if envelopes.len() != publication.finals.len() {
        return None;
    }
    let proofs = publication.finals.iter().zip(envelopes).map(|(last, envelope)| {
        let result = result(last, &envelope)?;
        // A file of before may stand there of what says itself that it is a mock.
        agree::with_artifact(publication, last, result.clone()).ok()?;
        is_right(last, &envelope).then_some((envelope, result))
    });
    proofs.collect()
}

/// The accepted result, written again from the proof, if it is of it.
fn result(last: &Final, envelope: &Envelope) -> Option<Vec<u8>> {
    let written = |vkey, mock| {
        let result = ResultFile {
            format: ResultFormat::V1,
            vkey,
            mock,
            public_values: envelope.public_values.clone(),
            proof: envelope.proof.clone(),
        };
        serde_json::to_vec(&result).unwrap_or_default()
    };
    let candidates = [
        written(envelope.program.vkey, last.result.mock),
        written(None, last.result.mock),
        envelope.proof.0.clone(),
    ];
    candidates.into_iter().find(|bytes| Digest::of(bytes) == last.result.output)
}
