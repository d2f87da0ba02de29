//! What can happen to a world.

use std::ops::Range;

use proptest::prelude::*;
use proptest::sample::Index;
use push0_core::{FailureClass, Limits, PipelineSpec};

use crate::machine::{How, Machine};
use crate::pipelines;

/// A pipeline, limits, and what happens.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) pipeline: usize,
    /// Whether the source says which blocks are its chain.
    pub(crate) heads: bool,
    /// Which of [`Case::limits`].
    pub(crate) narrow: usize,
    pub(crate) steps: Vec<(Step, bool)>,
    /// Other proof bytes, for the same statements.
    pub(crate) salt: u8,
}

/// One thing that the world does to the scheduler.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// The next blocks come.
    Submit(u8),
    /// A later block comes before its parents.
    Ahead(u8),
    /// A block comes that is beside the canonical one, perhaps with a child.
    Fork { back: u8, salt: u8, child: bool },
    /// A known block comes again, perhaps with another payload.
    Again { back: u8, salt: u8 },
    /// The chain is another one from so far back, which the source says of its first blocks.
    Reorg { back: u8, salt: u8, blocks: u8 },
    /// All but the last so many blocks are final.
    Finalize { but: u8 },
    /// The source ends, once it can.
    EndSource,
    /// A dispatcher beats, and tells again what it holds.
    Beat(Pick),
    /// Somebody reports some grant that was ever told, however stale.
    Report(Pick, How),
    /// A dispatcher ends what it has run longest.
    Finish(Pick, How),
    /// A dispatcher is killed, and starts again.
    Restart(Pick),
    /// A dispatcher is given up.
    Lose(Pick),
    /// An attempt is taken back.
    Withdraw(Pick),
    /// A parked task is opened again.
    Retry(Pick),
    /// The result of an accepted task is to be made again.
    Remake(Pick),
    /// An operator changes the policy: the window, the bounds of batches.
    Reconfigure(u8),
    /// The source delivers what it was asked for.
    Resupply,
    /// Milliseconds pass.
    Sleep(u16),
    /// Time passes up to the next deadline.
    SleepToDeadline,
    /// The engine dies: before it has synced, or once it has performed what that let go.
    Crash { effects: bool },
}

/// Which of however many there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pick(Index);

impl Pick {
    pub(crate) fn index(&self, len: usize) -> usize {
        self.0.index(len)
    }

    pub(crate) fn pick<'a, T>(&self, from: &'a [T]) -> Option<&'a T> {
        if from.is_empty() { None } else { Some(self.0.get(from)) }
    }

    pub(crate) fn get_mut_of<'a>(&self, crew: &'a mut [Machine]) -> &'a mut Machine {
        self.0.get_mut(crew)
    }
}

impl Case {
    pub(crate) fn pipeline(&self) -> PipelineSpec {
        let mut spec = pipelines::pipeline(self.pipeline);
        if self.heads {
            pipelines::says_heads(&mut spec);
        }
        spec
    }

    /// Wide ones, and two kinds of narrow ones.
    pub(crate) fn limits(&self) -> Limits {
        let wide = Limits { parts_max: 4, message_bytes_max: 20, ..Limits::default() };
        match self.narrow {
            0 => wide,
            1 => Limits { tasks_max: 5, inputs_max: 5, decision_max: 2, remakes_max: 1, ..wide },
            _ => Limits {
                blocks_max: 8,
                strays_max: 2,
                reorder_max: 3,
                dispatchers_max: 2,
                decision_max: 3,
                ..wide
            },
        }
    }
}

/// As many cases as `PROPTEST_CASES` says; no file is kept of those that failed.
pub(crate) fn config() -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    // A property may set aside half of its cases, however many there are.
    ProptestConfig { max_global_rejects: config.cases.saturating_add(REJECTS_MIN), ..config }
}

/// Rejected cases that are always allowed: what proptest allows of itself.
const REJECTS_MIN: u32 = 1_024;

/// Cases in which whoever tells of a result tells the truth about what it says.
pub(crate) fn cases() -> impl Strategy<Value = Case> {
    cases_with(how().boxed())
}

/// Cases in which some do not.
pub(crate) fn lying_cases() -> impl Strategy<Value = Case> {
    cases_with(prop_oneof![3 => how(), 2 => Just(How::Otherwise)].boxed())
}

/// Cases in which little succeeds, and much is retried.
pub(crate) fn failing_cases() -> impl Strategy<Value = Case> {
    let how = prop_oneof![1 => how(), 1 => class().prop_map(How::Failed)];
    long_cases(how.boxed()).prop_map(|case| Case { pipeline: 0, ..case })
}

/// Cases in which the store loses much.
pub(crate) fn losing_cases() -> impl Strategy<Value = Case> {
    let how = prop_oneof![2 => how(), 1 => any::<u8>().prop_map(How::InputLost)];
    long_cases(how.boxed()).prop_map(|case| Case { pipeline: pipelines::PARTS, ..case })
}

/// Cases in which results are made again until they may not be any more.
pub(crate) fn remaking_cases() -> impl Strategy<Value = Case> {
    let remakes = prop::collection::vec(any::<Index>(), 200);
    (long_cases(how().boxed()), remakes).prop_map(|(case, remakes)| {
        let remakes = remakes.into_iter().map(|task| (Step::Remake(Pick(task)), true));
        let steps = case.steps.into_iter().zip(remakes).flat_map(|(step, remake)| [step, remake]);
        Case { narrow: 1, steps: steps.collect(), ..case }
    })
}

fn cases_with(how: BoxedStrategy<How>) -> impl Strategy<Value = Case> {
    cases_of(how, 1..70)
}

fn long_cases(how: BoxedStrategy<How>) -> impl Strategy<Value = Case> {
    cases_of(how, 70..200)
}

fn cases_of(how: BoxedStrategy<How>, steps: Range<usize>) -> impl Strategy<Value = Case> {
    let steps = prop::collection::vec((step(how), prop::bool::weighted(0.6)), steps);
    let heads = prop::bool::weighted(0.4);
    (0..pipelines::COUNT, heads, 0..3_usize, steps).prop_map(|(pipeline, heads, narrow, steps)| {
        Case { pipeline, heads, narrow, steps, salt: 0 }
    })
}

fn step(how: BoxedStrategy<How>) -> impl Strategy<Value = Step> {
    let pick = || any::<Index>().prop_map(Pick);
    prop_oneof![
        6 => (1..5_u8).prop_map(Step::Submit),
        2 => (0..5_u8).prop_map(Step::Ahead),
        1 => (0..3_u8, 1..4_u8, any::<bool>())
            .prop_map(|(back, salt, child)| Step::Fork { back, salt, child }),
        1 => (0..4_u8, 0..3_u8).prop_map(|(back, salt)| Step::Again { back, salt }),
        2 => (0..5_u8, 0..3_u8, 0..6_u8)
            .prop_map(|(back, salt, blocks)| Step::Reorg { back, salt, blocks }),
        2 => (0..6_u8).prop_map(|but| Step::Finalize { but }),
        2 => Just(Step::EndSource),
        14 => pick().prop_map(Step::Beat),
        6 => (pick(), how.clone()).prop_map(|(grant, how)| Step::Report(grant, how)),
        16 => (pick(), how).prop_map(|(machine, how)| Step::Finish(machine, how)),
        1 => pick().prop_map(Step::Restart),
        1 => pick().prop_map(Step::Lose),
        1 => pick().prop_map(Step::Withdraw),
        2 => pick().prop_map(Step::Retry),
        1 => pick().prop_map(Step::Remake),
        1 => (0..5_u8).prop_map(Step::Reconfigure),
        1 => Just(Step::Resupply),
        4 => (1..4_000_u16).prop_map(Step::Sleep),
        3 => Just(Step::SleepToDeadline),
        2 => any::<bool>().prop_map(|effects| Step::Crash { effects }),
    ]
}

fn how() -> impl Strategy<Value = How> {
    prop_oneof![
        14 => Just(How::Proved),
        1 => Just(How::Rejected),
        3 => class().prop_map(How::Failed),
        2 => any::<u8>().prop_map(How::InputLost),
        1 => Just(How::NotRun),
        1 => Just(How::Cancelled),
    ]
}

fn class() -> impl Strategy<Value = FailureClass> {
    prop::sample::select(vec![
        FailureClass::Transient,
        FailureClass::Resource,
        FailureClass::Timeout,
        FailureClass::Failed,
        FailureClass::Unprovable,
        FailureClass::InvalidInput,
        FailureClass::Unjudged,
    ])
}
