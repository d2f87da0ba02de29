//! Final proofs as files: what was released, verified once more as a stranger would, under a name
//! that says what it proves.
//!
//! ```text
//!   Release ──collect──▶ Publication ──publish──▶ OUT/<first>-<last>-<tip, 8 digits>.proof.json
//!            Scheduler                 Store, verifier
//! ```
//!
//! Publishing is safe to repeat: the same bytes are left alone, and a file that is damaged or
//! differs is replaced.
//!
//! Not here: when (`run`), and what an envelope is (`push0_prover`).

mod agree;
mod error;
mod file;
mod standing;

use std::path::{Path, PathBuf};

use push0_core::{
    BlockHashing, Digest, Key, Output, PipelineName, ProgramName, Release, ReleaseNumber,
    ResultRef, Scheduler, StageName, TaskId, TaskState, Vkey,
};
use push0_dispatch::{ReadError, Store, Verdict};
use push0_prover::wire::{self, Hash32, Hex};
use push0_prover::{
    BlockHashes, Envelope, EnvelopeFormat, HistoryEntry, JointEnvelope, JointProof, Program,
    ProofFile,
};
use serde::Serialize;

pub use self::error::PublishError;
pub(crate) use self::file::{clear, has_any, take};
use crate::programs::Programs;
use crate::verifier::{self, Places, Verifier};

/// All that the file of a release is made of but the bytes of its proofs. Owned: publishing takes
/// time, and the scheduler is not waited for.
#[derive(Clone, Debug, PartialEq)]
pub struct Publication {
    /// Which release.
    pub number: ReleaseNumber,
    /// What is proved.
    pub key: Key,
    pipeline: PipelineName,
    finals: Vec<Final>,
    history: Vec<HistoryEntry>,
    /// Results in its history that were reported as no mocks, and are no final proofs.
    beneath: Vec<Beneath>,
    block_hashes: Option<BlockHashes>,
    /// Whether anything beneath it proves nothing.
    has_mock: bool,
    /// Whether the pipeline that the log holds allows that.
    allows_mock: bool,
}

/// One of its proofs.
#[derive(Clone, Debug, PartialEq)]
struct Final {
    task: TaskId,
    stage: StageName,
    program: ProgramName,
    /// Whether the pipeline that the log holds declares it as a mock.
    is_mock: bool,
    vkey: Option<Vkey>,
    result: ResultRef,
}

/// A result that a final proof was made from.
#[derive(Clone, Debug, PartialEq)]
struct Beneath {
    task: TaskId,
    stage: StageName,
    output: Digest,
}

/// A proof that stands in a file, as `push0 run --json` tells it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Published {
    /// The file.
    pub path: PathBuf,
    /// What is proved.
    pub key: wire::Key,
    /// In which stage.
    pub stage: String,
    /// By which program.
    pub program: String,
    /// The key it verifies under.
    pub vkey: Option<wire::Vkey>,
    /// Whether it proves nothing.
    pub mock: bool,
    /// What it proves, in the prover's own encoding.
    pub public_values: Hex,
}

impl Publication {
    /// What a release's file is made of; none where the scheduler has no result for it, which is so
    /// for no release that it made.
    #[must_use]
    pub fn collect(scheduler: &Scheduler, release: &Release) -> Option<Self> {
        let finals = release.tasks.iter().map(|id| {
            let task = scheduler.task(id)?;
            let stage = scheduler.pipeline().stage(task.stage);
            let result = task.result.as_ref()?.what.clone();
            let program = scheduler.pipeline().programs.get(&stage.program);
            Some(Final {
                is_mock: program.is_some_and(|program| program.is_mock),
                task: *id,
                stage: stage.name.clone(),
                program: stage.program.clone(),
                vkey: scheduler.vkey(&stage.program).or(result.vkey),
                result,
            })
        });
        let history = scheduler.history(&release.tasks);
        let is_mock = |id: &TaskId| {
            let Some(task) = scheduler.task(id) else { return false };
            let program = &scheduler.pipeline().stage(task.stage).program;
            let declared = scheduler.pipeline().programs.get(program);
            declared.is_some_and(|program| program.is_mock)
                || task.result.as_ref().is_some_and(|result| result.what.mock)
        };
        let beneath = |id: &TaskId| {
            let task = scheduler.task(id)?;
            let stage = scheduler.pipeline().stage(task.stage);
            let result = &task.result.as_ref()?.what;
            let is_proof = stage.output == Output::Proof && !release.tasks.contains(id);
            let (stage, output) = (stage.name.clone(), result.output);
            (is_proof && !result.mock).then_some(Beneath { task: *id, stage, output })
        };
        Some(Self {
            beneath: history.iter().filter_map(beneath).collect(),
            has_mock: history.iter().any(is_mock),
            allows_mock: scheduler.pipeline().allow_mock,
            number: release.number,
            key: release.key,
            pipeline: scheduler.pipeline().name.clone(),
            finals: finals.collect::<Option<_>>()?,
            history: history.iter().filter_map(|id| entry(scheduler, id)).collect(),
            block_hashes: match scheduler.pipeline().source.hash {
                BlockHashing::OfHeader => None,
                BlockHashing::Trusted => Some(BlockHashes::Trusted),
            },
        })
    }

    /// The name of its file.
    #[must_use]
    pub fn file_name(&self) -> String {
        file_name(self.key)
    }
}

/// Whether the file of a release is there, or was set aside.
pub(crate) fn has_file(out: &Path, key: Key) -> bool {
    let path = out.join(file_name(key));
    path.exists() || path.with_extension(ASIDE).exists()
}

pub(crate) fn file_name(Key { first, last, tip, .. }: Key) -> String {
    format!("{first}-{last}-{}.proof.json", tip.short())
}

/// Sets the file of a release aside that was recalled and is not made again yet, so that nobody
/// takes it for a proof; answers where it is now, if there was one.
///
/// # Errors
///
/// Where it cannot be renamed.
pub fn set_aside(
    scheduler: &Scheduler,
    number: ReleaseNumber,
    out: &Path,
) -> std::io::Result<Option<PathBuf>> {
    let before = ReleaseNumber(number.0.saturating_sub(1));
    let Some(release) = scheduler.releases(before).first() else { return Ok(None) };
    let is_made =
        |task: &TaskId| scheduler.task(task).is_some_and(|task| task.state == TaskState::Accepted);
    let path = out.join(file_name(release.key));
    if release.tasks.iter().all(is_made) || !path.exists() {
        return Ok(None);
    }
    let aside = path.with_extension(ASIDE);
    std::fs::rename(&path, &aside)?;
    Ok(Some(aside))
}

/// Puts the file of a release in place, each of its proofs verified as a stranger would. `cache` is
/// where verifiers may keep things from one time to the next.
///
/// # Errors
///
/// A [`PublishError`], whose variants say what to do.
///
/// # Panics
///
/// Never: all of a proof's file is text and numbers, which JSON holds.
pub fn publish(
    publication: &Publication,
    store: &Store,
    programs: &Programs,
    cache: Option<&Path>,
    out: &Path,
) -> Result<Delivery, PublishError> {
    agree::with_pipelines(publication, programs)?;
    let path = out.join(publication.file_name());
    let there = standing::read(&path);
    if let Some(pipeline) = there.as_ref().and_then(|file| standing::other(publication, file)) {
        return Err(PublishError::Occupied { path, pipeline });
    }
    let mut mended = Vec::new();
    let envelopes = match there.and_then(|file| standing::right(publication, programs, file)) {
        Some(proofs) => {
            for (last, (_, result)) in publication.finals.iter().zip(&proofs) {
                if store.copy(last.result.output, &mut std::io::sink()).is_err()
                    && store.put(result).is_ok()
                {
                    mended.push(last.task);
                }
            }
            proofs.into_iter().map(|(envelope, _)| envelope).collect()
        }
        None => {
            let places = Places { cache, scratch: Some(out) };
            proved(publication, store, programs, places)?
        }
    };
    let finals = envelopes.iter().zip(&publication.finals);
    let published = finals.map(|(envelope, of)| Published {
        path: path.clone(),
        key: envelope.key.clone(),
        stage: of.stage.to_string(),
        program: envelope.program.name.clone(),
        vkey: envelope.program.vkey,
        mock: envelope.mock,
        public_values: envelope.public_values.clone(),
    });
    let published = published.collect();
    let file = bound(publication, envelopes);
    let bytes = file.encode().expect("there is no path in it, so all of it is JSON");
    file::put(&path, &bytes).map_err(|source| PublishError::Write { path, source })?;
    Ok(Delivery { published, mended })
}

/// A release that stands in its file.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// Its proofs, in the order of the pipeline's release.
    pub published: Vec<Published>,
    /// The tasks whose result the store had lost, and was given again from the file.
    pub mended: Vec<TaskId>,
}

/// The proofs of a release from the store, each verified.
fn proved(
    publication: &Publication,
    store: &Store,
    programs: &Programs,
    places: Places<'_>,
) -> Result<Vec<Envelope>, PublishError> {
    agree::with_all_beneath(publication, store)?;
    let proofs = publication.finals.iter().map(|last| {
        let unproved = unproved(publication, last, store)?;
        let proved = verified(last, unproved, publication.file_name(), programs, places)?;
        Ok(Envelope { mock: proved.mock || publication.has_mock, ..proved })
    });
    proofs.collect()
}

/// The envelope of a proof before anybody has derived its claim.
fn unproved(
    publication: &Publication,
    last: &Final,
    store: &Store,
) -> Result<Envelope, PublishError> {
    let Final { task, stage, program, vkey, result, .. } = last;
    let bytes = store.read(result.output).map_err(|source| {
        let (stage, task) = (stage.clone(), *task);
        let is_lost = matches!(source, ReadError::Missing { .. } | ReadError::Damaged { .. });
        let source = Box::new(source);
        match is_lost {
            true => PublishError::ProofLost { task, stage, source },
            false => PublishError::Store { stage, source },
        }
    })?;
    let artifact = agree::with_artifact(publication, last, bytes)?;
    let (public_values, proof) = artifact.into_parts();
    Ok(Envelope {
        format: EnvelopeFormat::V1,
        pipeline: publication.pipeline.to_string(),
        key: wire_key(publication.key),
        block_hashes: publication.block_hashes,
        program: Program { name: program.to_string(), vkey: vkey.map(wire_vkey) },
        mock: result.mock,
        claim: None,
        public_values,
        proof,
        history: publication.history.clone(),
        inputs: None,
    })
}

/// The envelope with the claim that its verifier derives. A mock has none, and nobody to verify it.
fn verified(
    last: &Final,
    envelope: Envelope,
    file: String,
    programs: &Programs,
    places: Places<'_>,
) -> Result<Envelope, PublishError> {
    if envelope.mock {
        return Ok(envelope);
    }
    let (task, program) = (last.task, last.program.clone());
    let config = programs.get(&program).filter(|config| !config.verifier.is_empty());
    let Some(config) = config else { return Err(PublishError::NoVerifier { program }) };
    let pinned = envelope.program.vkey;
    let verifier = Verifier {
        argv: config.verifier.clone(),
        asking: config.asking,
        surroundings: config.surroundings.clone(),
    };
    match verifier::ask(&verifier, &envelope, places) {
        Verdict::Accepted { vkey: Some(own), .. } if pinned.is_some_and(|pinned| pinned != own) => {
            let words = format!("it has the key {own}, the proof was made under another");
            Err(PublishError::Refused { task, program, file, words })
        }
        Verdict::Accepted { vkey, claim } => {
            let program = Program { vkey: pinned.or(vkey), ..envelope.program };
            Ok(Envelope { program, claim, ..envelope })
        }
        Verdict::Refused { words } => Err(PublishError::Refused { task, program, file, words }),
        Verdict::Undecided { why } | Verdict::None { why } => {
            Err(PublishError::NoVerdict { program, file, why })
        }
    }
}

/// One file for all of them.
fn bound(publication: &Publication, mut envelopes: Vec<Envelope>) -> ProofFile {
    if envelopes.len() == 1
        && let Some(envelope) = envelopes.pop()
    {
        return ProofFile::One(envelope);
    }
    let joint = |(last, envelope): (&Final, Envelope)| JointProof {
        stage: last.stage.to_string(),
        program: envelope.program,
        mock: envelope.mock,
        claim: envelope.claim,
        public_values: envelope.public_values,
        proof: envelope.proof,
    };
    ProofFile::Joint(JointEnvelope {
        format: EnvelopeFormat::V1,
        pipeline: publication.pipeline.to_string(),
        key: wire_key(publication.key),
        block_hashes: publication.block_hashes,
        proofs: publication.finals.iter().zip(envelopes).map(joint).collect(),
        history: publication.history.clone(),
    })
}

fn entry(scheduler: &Scheduler, id: &TaskId) -> Option<HistoryEntry> {
    let task = scheduler.task(id)?;
    let stage = scheduler.pipeline().stage(task.stage);
    let result = &task.result.as_ref()?.what;
    Some(HistoryEntry {
        task: id.to_string(),
        stage: stage.name.to_string(),
        vkey: result.vkey.or_else(|| scheduler.vkey(&stage.program)).map(wire_vkey),
        key: wire_key(task.key),
        inputs: task.inputs.iter().map(ToString::to_string).collect(),
        output: result.output.to_string(),
    })
}

/// A key as provers and proof files write it.
#[must_use]
pub fn wire_key(key: Key) -> wire::Key {
    wire::Key {
        chain: key.chain.0,
        first: key.first.0,
        last: key.last.0,
        part: key.part.map(u64::from),
        tip: Hash32(key.tip.0),
    }
}

/// A verification key's digest, likewise.
#[must_use]
pub const fn wire_vkey(vkey: Vkey) -> wire::Vkey {
    wire::Vkey(wire::Digest(vkey.0))
}

/// What the name of a file ends with that was set aside.
const ASIDE: &str = "json.recalled";
