//! Why something waits: one true reason, and what a person is told of it. Every reason is rendered here.
//!
//! Not here: how a reason is found (`watch`), what dispatchers say to it (`answers`), and what waits (`held`).

mod answers;

use std::collections::BTreeMap;
use std::fmt;

use push0_core::Program;
use serde::{Deserialize, Serialize};

use super::layout::{long, size};
use super::runs::Run;
use super::trouble::probe;
use crate::tell::counted;

/// What a task waits for, or what is done for it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub(super) enum Reason {
    /// Somebody is to look at it.
    Parked { class: String, message: String },
    /// Attempts at it run.
    Proving { attempts: Vec<Run> },
    /// Attempts at it are with dispatchers that say nothing: nobody knows whether they run.
    Silent { attempts: Vec<Run> },
    /// It has a proof; a verifier is to say whether it is one.
    Unjudged { attempts: Vec<Run> },
    /// What it reads is made again.
    Input,
    /// Nobody that is there offers its program; who has it and cannot run it, and why.
    NotOffered {
        program: String,
        #[serde(default)]
        needs: Needs,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        cannot: Vec<String>,
    },
    /// All that offer its program are set aside; when the next probe may be.
    SetAside {
        program: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<u64>,
        /// Whether a probe is out.
        #[serde(default, skip_serializing_if = "is_false")]
        probed: bool,
    },
    /// All that offer its program take nothing new: so many are cordoned, and the others leave or have no room.
    Closed {
        program: String,
        #[serde(default)]
        dispatchers: usize,
        #[serde(default)]
        cordoned: usize,
    },
    /// Nobody that offers its program is large enough; what the nearest lacks.
    TooSmall { program: String, nearest: String, lacks: String },
    /// All that could take it say nothing; for how long the last of them has not. Unit: seconds.
    Mute { program: String, dispatchers: usize, silent: u64, silent_max: u64 },
    /// All that could take it have something to do, but for those that are set aside, or silent.
    Busy {
        program: String,
        dispatchers: usize,
        #[serde(default, skip_serializing_if = "is_none")]
        aside: usize,
        #[serde(default, skip_serializing_if = "is_none")]
        silent: usize,
        /// The first of those that have something to do, by name.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        who: Vec<String>,
    },
    /// It came to nothing, and is tried again later: in so many seconds, after attempts that ended so.
    Later {
        at: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<u64>,
        failures: u32,
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        after: BTreeMap<String, u32>,
    },
    /// It is granted in the next turn.
    Next,
    /// Nobody grants anything.
    NoEngine,
    /// It has its proof.
    Proved,
}

/// What a program reserves.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Needs {
    memory_bytes: u64,
    gpus: u32,
}

/// Why a block waits that no task is about, or whose task waits for another.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub(super) enum Wait {
    /// The source has not delivered it.
    Undelivered,
    /// It waits in a stage for others of its batch.
    Batch { stage: String },
    /// Its batch takes more blocks: it closes once it is full, at this time, or when no block follows.
    Blocks {
        stage: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        closes_at: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<u64>,
    },
    /// It is too far ahead of the lowest that is proved: so many are worked on at once.
    Window { blocks: u64 },
    /// Its next task is about to be opened.
    Unopened,
    /// It is proved, and goes out after this one.
    Behind { block: u64 },
}

impl Needs {
    pub(super) const fn of(program: &Program) -> Self {
        Self { memory_bytes: program.memory_bytes, gpus: program.gpus }
    }
}

impl Reason {
    /// Of the attempts at a task.
    pub(super) fn of_runs(attempts: Vec<Run>) -> Self {
        if attempts.iter().all(Run::is_silent) {
            Self::Silent { attempts }
        } else if attempts.iter().all(Run::waits_for_verifier) {
            Self::Unjudged { attempts }
        } else {
            Self::Proving { attempts }
        }
    }

    /// The same where no engine runs: nothing is granted then. What dispatchers of a cluster have goes on.
    pub(super) fn without_engine(self, has_dispatchers: bool) -> Self {
        match self {
            Self::Proving { .. } | Self::Silent { .. } | Self::Unjudged { .. }
                if has_dispatchers =>
            {
                self
            }
            Self::Proving { .. }
            | Self::Silent { .. }
            | Self::Unjudged { .. }
            | Self::Later { .. }
            | Self::Busy { .. }
            | Self::NotOffered { .. }
            | Self::Closed { .. }
            | Self::TooSmall { .. }
            | Self::Mute { .. }
            | Self::Next => Self::NoEngine,
            Self::Parked { .. }
            | Self::Input
            | Self::SetAside { .. }
            | Self::NoEngine
            | Self::Proved => self,
        }
    }

    /// Whether it is the same for all tasks of a program.
    pub(super) const fn is_of_program(&self) -> bool {
        match self {
            Self::NotOffered { .. }
            | Self::SetAside { .. }
            | Self::Closed { .. }
            | Self::TooSmall { .. }
            | Self::Mute { .. }
            | Self::Busy { .. }
            | Self::Next
            | Self::NoEngine => true,
            Self::Parked { .. }
            | Self::Proving { .. }
            | Self::Silent { .. }
            | Self::Unjudged { .. }
            | Self::Input
            | Self::Later { .. }
            | Self::Proved => false,
        }
    }

    /// How ill it is: of several tasks of a block the worst is told.
    pub(super) const fn rank(&self) -> u8 {
        match self {
            Self::Parked { .. } => 0,
            Self::NoEngine => 1,
            Self::NotOffered { .. } => 2,
            Self::TooSmall { .. } => 3,
            Self::SetAside { .. } => 4,
            Self::Closed { .. } => 5,
            Self::Mute { .. } => 6,
            Self::Input => 7,
            Self::Silent { .. } => 8,
            Self::Unjudged { .. } => 9,
            Self::Later { .. } => 10,
            Self::Busy { .. } => 11,
            Self::Proving { .. } => 12,
            Self::Next => 13,
            Self::Proved => 14,
        }
    }

    /// In words, of what could be tried for so long.
    pub(super) fn words(&self, waited: Option<u64>) -> String {
        let waits = match waited.filter(|seconds| *seconds > 0) {
            Some(seconds) => format!("waits for {}", long(seconds)),
            None => "waits".to_owned(),
        };
        match self {
            Self::Parked { class, message } => format!("is parked: {class}: {message}"),
            Self::Proving { attempts } => format!("is being proved: {}", listed(attempts)),
            Self::Silent { attempts } => format!("was given to {}", listed(attempts)),
            Self::Unjudged { attempts } => {
                format!("has a proof that waits for its verifier: {}", listed(attempts))
            }
            Self::Input => "waits for an input that is made again".to_owned(),
            Self::NotOffered { program, needs, cannot } => {
                let cannot = cannot.iter().map(|words| format!("; {words}")).collect::<String>();
                format!("{waits}: no dispatcher runs its program, {program}{needs}{cannot}")
            }
            Self::SetAside { program, seconds, probed, .. } => {
                let probe = probe(*probed, seconds.unwrap_or_default());
                format!(
                    "{waits}: all dispatchers of its program, {program}, are set aside; {probe}"
                )
            }
            Self::Closed { program, dispatchers, cordoned } if cordoned == dispatchers => format!(
                "{waits}: {} of its program, {program}, is cordoned: push0 uncordon ID",
                each(*dispatchers)
            ),
            Self::Closed { program, cordoned: 0, .. } => format!(
                "{waits}: each dispatcher of its program, {program}, leaves or has no room for new work"
            ),
            Self::Closed { program, cordoned, .. } => format!(
                "{waits}: of the dispatchers of its program, {program}, {cordoned} must not take it (push0 uncordon ID), \
                 and each other leaves or has no room for new work"
            ),
            Self::TooSmall { program, nearest, lacks } => format!(
                "{waits}: no dispatcher is large enough for its program, {program}; {nearest} comes nearest, with {lacks}"
            ),
            Self::Mute { program, dispatchers: 1, silent, silent_max } => format!(
                "{waits}: the one dispatcher that could run its program, {program}, has said nothing for {silent} s of \
                 {silent_max}"
            ),
            Self::Mute { program, dispatchers, silent, silent_max } => format!(
                "{waits}: all {dispatchers} dispatchers that could run its program, {program}, have said nothing for \
                 {silent} s of {silent_max}"
            ),
            Self::Busy { program, dispatchers, aside: 0, silent: 0, .. } => format!(
                "{waits}: {} that could run its program, {program}, has something to do",
                each(*dispatchers)
            ),
            Self::Busy { program, dispatchers, aside, silent, .. } => {
                let counts = [(dispatchers, "busy"), (aside, "set aside"), (silent, "silent")];
                let counts = counts.iter().filter(|(count, _)| **count > 0);
                let counts = counts.map(|(count, how)| format!("{count} {how}"));
                let counts = counts.collect::<Vec<_>>().join(", ");
                format!(
                    "{waits}: no dispatcher that could run its program, {program}, is free ({counts})"
                )
            }
            Self::Later { at, seconds, failures, after } => {
                let when =
                    seconds.map_or_else(|| format!("at {at}"), |it| format!("in {}", long(it)));
                format!("is tried again {when}, {}", ended(*failures, after))
            }
            Self::Next => format!("{waits} for its turn, and is tried next"),
            Self::NoEngine => "waits for an engine: none leads".to_owned(),
            Self::Proved => "is proved".to_owned(),
        }
    }
}

/// All of so many dispatchers, one by one.
fn each(dispatchers: usize) -> String {
    match dispatchers {
        0 | 1 => "the one dispatcher".to_owned(),
        2 => "each of the two dispatchers".to_owned(),
        more => format!("each of the {more} dispatchers"),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's")]
const fn is_false(value: &bool) -> bool {
    !*value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's")]
const fn is_none(count: &usize) -> bool {
    *count == 0
}

/// What attempts came to before.
fn ended(failures: u32, after: &BTreeMap<String, u32>) -> String {
    if failures == 0 {
        return "after an attempt that ended through no fault of its own".to_owned();
    }
    let ways = after.iter().map(|(how, count)| format!("{count} {how}")).collect::<Vec<_>>();
    let ways = if ways.is_empty() { String::new() } else { format!(" ({})", ways.join(", ")) };
    format!("after {}{ways}", counted(failures, "failure"))
}

fn listed(attempts: &[Run]) -> String {
    attempts.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl fmt::Display for Reason {
    /// After what waits: `prove 7 …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words(None))
    }
}

impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.memory_bytes, self.gpus) {
            (0, 0) => Ok(()),
            (memory, 0) => write!(f, ", which needs {} of memory", size(memory)),
            (memory, gpus) => {
                let gpus = counted(gpus, "GPU");
                write!(f, ", which needs {} of memory and {gpus}", size(memory))
            }
        }
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undelivered => f.write_str("the source has not delivered it"),
            Self::Batch { stage } => {
                write!(f, "its proof waits at stage {stage} for the rest of its batch")
            }
            Self::Blocks { stage, closes_at, seconds } => {
                write!(f, "it waits at stage {stage} for more blocks")?;
                match (seconds, closes_at) {
                    (Some(seconds), _) => write!(f, ": its batch closes in {}", long(*seconds)),
                    (None, Some(at)) => write!(f, ": its batch closes at {at}"),
                    (None, None) => {
                        f.write_str(": its batch closes when it is full, or by `push0 finish`")
                    }
                }
            }
            Self::Window { blocks } => write!(
                f,
                "not begun: {} at once are worked on (window), from the lowest that is not proved",
                counted(blocks, "block")
            ),
            Self::Unopened => f.write_str("its next task is about to be opened"),
            Self::Behind { block } => write!(f, "is proved, and goes out after block {block}"),
        }
    }
}
