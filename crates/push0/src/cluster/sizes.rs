//! What a message of the servers holds: whether a pipeline's tasks can be granted by them.
//!
//! A grant names each input of its task, so a batch has a bound beside that of the log. What can be
//! seen to be past it is refused before anything is recorded; what cannot be seen closes earlier.
//!
//! Not here: what a record of the log holds (`push0_core::Limits`).

use push0_core::{Collect, Limits, Pipeline, Scheduler, Stage};

use super::error::ClusterError;

/// Limits under which each task can be granted where servers take messages of so many bytes.
pub(super) fn within(limits: Limits, pipeline: &Pipeline, max_payload: usize) -> Limits {
    let inputs_max = limits.inputs_max.min(inputs_max(pipeline, max_payload));
    Limits { inputs_max, parts_max: limits.parts_max.min(inputs_max), ..limits }
}

/// Refuses a pipeline with a batch that no grant could name, where that can be seen.
pub(super) fn check(
    limits: &Limits,
    pipeline: &Pipeline,
    max_payload: usize,
) -> Result<(), ClusterError> {
    let most = inputs_max(pipeline, max_payload);
    for stage in &pipeline.stages {
        let inputs = declared(stage).map_or(0, |inputs| inputs.min(limits.inputs_max));
        if inputs > most {
            return Err(too_small(pipeline, stage, inputs, max_payload));
        }
    }
    Ok(())
}

/// Whether servers whose messages are of this size could grant all that this pipeline asks for, as
/// far as its file tells.
pub(crate) fn fits(pipeline: &Pipeline, max_payload: usize) -> Result<(), ClusterError> {
    check(&Limits::default(), pipeline, max_payload)
}

/// Refuses servers that cannot grant what is open already.
pub(super) fn check_open(scheduler: &Scheduler, max_payload: usize) -> Result<(), ClusterError> {
    let (pipeline, inputs) = (scheduler.pipeline(), scheduler.inputs_most());
    match pipeline.stages.last() {
        Some(stage) if inputs > inputs_max(pipeline, max_payload) => {
            Err(too_small(pipeline, stage, inputs, max_payload))
        }
        Some(_) | None => Ok(()),
    }
}

fn too_small(pipeline: &Pipeline, stage: &Stage, inputs: usize, found: usize) -> ClusterError {
    let needed = GRANT_BYTES + inputs * input_bytes(pipeline);
    let needed = needed.next_multiple_of(64 << 10);
    ClusterError::SmallPayload { stage: stage.name.to_string(), inputs, found, needed }
}

/// The most inputs that a stage's batch has by its own word; none, where other bounds may close it
/// before.
fn declared(stage: &Stage) -> Option<usize> {
    let count = match &stage.collect {
        Collect::Sequence(bounds) if bounds.max.bytes.is_none() && bounds.max.fields.is_empty() => {
            let (items, blocks) = (bounds.max.items, bounds.max.blocks);
            items.into_iter().chain(blocks).min()
        }
        Collect::Tree(arity, _) => Some(arity.get().into()),
        Collect::Sequence(_) | Collect::Each | Collect::Parts => None,
    };
    count.map(|count| usize::try_from(count).unwrap_or(usize::MAX))
}

/// How many inputs a grant has room for.
fn inputs_max(pipeline: &Pipeline, max_payload: usize) -> usize {
    (max_payload.saturating_sub(GRANT_BYTES) / input_bytes(pipeline)).max(1)
}

/// What a grant says of one input, in JSON: three hashes, a span of the chain, a program.
fn input_bytes(pipeline: &Pipeline) -> usize {
    let program = pipeline.programs.keys().map(|name| name.as_str().len()).max();
    let chain = pipeline.source.chain.to_string().len();
    INPUT_BYTES + 2 * HEIGHT_DIGITS + chain + program.unwrap_or_default()
}

/// What a grant says beside its inputs, its message's headers, and some to spare.
const GRANT_BYTES: usize = 12 << 10;

/// `{"input":"HASH/PART","key":{"chain":,"first":,"last":,"part":PART,"tip":"HASH"},"program":"","artifact":"HASH"},`
const INPUT_BYTES: usize = 300;

/// No chain has as many blocks yet.
const HEIGHT_DIGITS: usize = 12;

#[cfg(test)]
mod tests {
    use push0_core::{
        BlockHash, Bound, ChainId, Digest, Height, InputId, Key, PipelineSpec, ProgramSpec,
        StageSpec, TaskId,
    };

    use super::*;

    fn pipeline(max: &[(&str, u64)]) -> Pipeline {
        let program = ProgramSpec {
            command: vec!["prover".to_owned()],
            memory: Some(1 << 20),
            ..Default::default()
        };
        let stage = StageSpec {
            inputs: vec!["blocks".to_owned()],
            collect: Some("sequence".to_owned()),
            max: max.iter().map(|(name, most)| ((*name).to_owned(), *most)).collect(),
            program: Some("prover".to_owned()),
            ..Default::default()
        };
        let mut spec = PipelineSpec { push0: Some(1), name: "p".to_owned(), ..Default::default() };
        (spec.source.kind, spec.source.chain) = ("submit".to_owned(), Some(534_352));
        spec.window = Some(4_096);
        spec.programs.insert("prover".to_owned(), program);
        spec.stages.insert("batch".to_owned(), stage);
        spec.release.inputs.push("batch".to_owned());
        Pipeline::check(&spec).expect("it is one")
    }

    #[test]
    fn a_batch_that_no_grant_could_name_is_refused_and_the_setting_is_named() {
        let (limits, default) = (Limits::default(), 1 << 20);
        let long = pipeline(&[("blocks", 1_800)]);
        assert!(check(&limits, &long, default).is_ok());
        let told = check(&limits, &long, 64 << 10).expect_err("it does not fit").to_string();
        assert!(
            told.contains("max_payload") && told.contains("1800") && told.contains("batch"),
            "{told}"
        );
        let weighed = pipeline(&[("blocks", 1_800), ("gasUsed", 30_000_000)]);
        assert!(check(&limits, &weighed, 64 << 10).is_ok(), "gas may close it before");
        assert!(within(limits, &weighed, 64 << 10).inputs_max < 200);
        assert_eq!(within(limits, &long, 8 << 20), limits);
    }

    #[test]
    fn what_is_said_of_an_input_is_no_longer_than_is_counted() {
        let pipeline = pipeline(&[("blocks", 9)]);
        let height = Height(10_u64.pow(12) - 1);
        let tip = BlockHash([0xab; 32]);
        let (chain, part) = (ChainId(534_352), Some(4_095));
        let key = Key { chain, first: height, last: height, part, tip };
        let bound = Bound {
            input: InputId::Part(TaskId([0xab; 32]), 4_095),
            key,
            program: Some("prover".parse().expect("a name")),
            artifact: Digest([0xab; 32]),
        };
        let json = serde_json::to_string(&bound).expect("it is JSON").len() + 1;
        assert!(json <= input_bytes(&pipeline), "{json}");
        assert!(json + 40 > input_bytes(&pipeline), "{json}");
    }
}
