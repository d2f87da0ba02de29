//! Whether all that is said of a release's proofs agrees: by its dispatcher's report (the log), by
//! the artifact itself, by the pipeline that the log holds, and by the pipeline file of whoever
//! writes the proof.
//!
//! A dispatcher may lie, and its word is in the log. So a result that was reported as none and is a
//! mock, or is of other public values, or under another key, is refused here by name, whatever a
//! verifier would say; and a mock stands in no file unless both pipelines allow it.
//!
//! Not here: whether it proves what it says (`verifier`).

use push0_dispatch::{Artifact, Store};

use super::{Beneath, Final, Publication, PublishError, wire_vkey};
use crate::programs::Programs;

/// Refuses a release whose mocks nobody allowed, before anything of it is read.
pub(super) fn with_pipelines(
    publication: &Publication,
    programs: &Programs,
) -> Result<(), PublishError> {
    for last in &publication.finals {
        let Final { program, is_mock, result, .. } = last;
        let here = programs.get(program);
        let here = here.ok_or_else(|| PublishError::NoVerifier { program: program.clone() })?;
        let mock = |is_mock: bool| if is_mock { "a mock" } else { "no mock" };
        if result.mock != *is_mock {
            let (says, is) = (mock(result.mock), mock(*is_mock));
            let what = format!("it was reported as {says}, and program {program} is {is}");
            return Err(disagree(publication, last, what));
        }
        if here.is_mock != *is_mock {
            let (says, is) = (mock(here.is_mock), mock(*is_mock));
            let what = format!("program {program} is {says} in this pipeline file, and {is} there");
            return Err(PublishError::OtherPipeline { file: publication.file_name(), what });
        }
    }
    let is_mock = publication.has_mock || publication.finals.iter().any(|last| last.is_mock);
    if is_mock && !(publication.allows_mock && programs.allows_mock()) {
        return Err(PublishError::MockNotAllowed { file: publication.file_name() });
    }
    Ok(())
}

/// Refuses an artifact that says something else of itself than was reported of it.
pub(super) fn with_artifact(
    publication: &Publication,
    last: &Final,
    bytes: Vec<u8>,
) -> Result<Artifact, PublishError> {
    let refuse = |what: String| disagree(publication, last, what);
    let length = bytes.len() as u64;
    let artifact = Artifact::read(bytes).map_err(refuse)?;
    let result = &last.result;
    if artifact.says_mock() && !result.mock {
        return Err(refuse(MOCK.to_owned()));
    }
    if length != result.bytes {
        let reported = result.bytes;
        return Err(refuse(format!("it has {length} bytes, and was reported with {reported}")));
    }
    if artifact.statement() != result.statement {
        return Err(refuse("its public values are not those that were reported".to_owned()));
    }
    if let (Some(own), Some(known)) = (artifact.vkey(), last.vkey.map(wire_vkey))
        && own != known
        && !result.mock
    {
        return Err(refuse(format!("it says that it was made under key {own}, not {known}")));
    }
    Ok(artifact)
}

/// Refuses a release where anything beneath its proofs says of itself that it is a mock, and was
/// reported as none. What the store has not any more, nobody can tell.
pub(super) fn with_all_beneath(
    publication: &Publication,
    store: &Store,
) -> Result<(), PublishError> {
    let says_mock = |beneath: &&Beneath| {
        let artifact = store.read(beneath.output).ok().map(Artifact::read);
        artifact.and_then(Result::ok).is_some_and(|artifact| artifact.says_mock())
    };
    let Some(Beneath { task, stage, .. }) = publication.beneath.iter().find(says_mock) else {
        return Ok(());
    };
    let (task, stage, file) = (*task, stage.clone(), publication.file_name());
    Err(PublishError::Disagrees { task, stage, file, what: MOCK.to_owned() })
}

fn disagree(publication: &Publication, last: &Final, what: String) -> PublishError {
    let (task, stage, file) = (last.task, last.stage.clone(), publication.file_name());
    PublishError::Disagrees { task, stage, file, what }
}

const MOCK: &str = "it says itself that it is a mock, and was reported as none";
