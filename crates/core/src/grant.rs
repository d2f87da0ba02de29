//! What passes between the engine and a dispatcher.
//!
//! Nothing depends on one message: a [`Beat`] says all that a dispatcher runs and holds, and the
//! engine sends again what the dispatcher lacks. A dispatcher starts an attempt at most once, and
//! lets go of a finished one only on a [`Verdict`].
//!
//! They are JSON where they leave the process.
//!
//! Not here: how messages travel (the bus), and who gets what (`queue`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    AttemptId, Digest, DispatcherId, FailureClass, InputId, Key, Output, ProgramName, ResultRef,
    Seq, StageName, TaskId,
};

/// The right, and the duty, to try a task once.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Grant {
    /// This try.
    pub attempt: AttemptId,
    /// The task.
    pub task: TaskId,
    /// Its stage.
    pub stage: StageName,
    /// What proves it.
    pub program: ProgramName,
    /// What is proved.
    pub key: Key,
    /// The stage's arguments for the prover.
    pub args: Vec<String>,
    /// Time left for the prover.
    pub timeout: Duration,
    /// From SIGTERM to SIGKILL.
    pub grace: Duration,
    /// What the result must be.
    pub output: Output,
    /// What it reads, in key order, with the bytes that stand for each at the moment.
    pub inputs: Vec<Bound>,
}

/// An input, and the artifact that stands for it at the moment.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Bound {
    /// What is read.
    pub input: InputId,
    /// What it is about.
    pub key: Key,
    /// What proved it; a block was proved by nothing.
    pub program: Option<ProgramName>,
    /// Its bytes.
    pub artifact: Digest,
}

/// What the engine tells a dispatcher.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum ToDispatcher {
    /// Start this attempt, unless it was started before.
    Grant(Box<Grant>),
    /// End this attempt; nobody waits for its result.
    Cancel(AttemptId),
    /// Let go of this attempt's result or failure: its fate is durable.
    Verdict(AttemptId, Verdict),
}

/// A life of a dispatcher. What is sent to one is for no other: a verdict on a former life's
/// failure, say, that comes late must not have the next one let go of a proof.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Life {
    /// Whose.
    pub dispatcher: DispatcherId,
    /// Which: the number in its beats.
    pub incarnation: u64,
}

/// What a dispatcher tells the engine.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum FromDispatcher {
    /// I am here. Sent at a steady rate, by a thread that no prover can starve.
    Beat(Beat),
    /// An attempt ended. Sent again with every beat until a verdict comes.
    Report(Report),
}

/// The whole truth about a dispatcher.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Beat {
    /// Who.
    pub dispatcher: DispatcherId,
    /// Which life of it: a higher number is a later process, which runs nothing of the one before,
    /// and knows of that no more than it says.
    pub incarnation: u64,
    /// What it can run, all slots free.
    pub capacity: Capacity,
    /// The attempts it has taken that have not ended: waiting, running or ending; each with its
    /// task. Each occupies a slot.
    pub running: BTreeMap<AttemptId, TaskId>,
    /// The attempts that have ended and are held until a verdict comes; each with its task. They
    /// occupy nothing.
    #[serde(deserialize_with = "held")]
    pub held: BTreeMap<AttemptId, TaskId>,
    /// Whether it takes nothing new, ends what runs, and goes then.
    #[serde(default, skip_serializing_if = "is_false")]
    pub leaving: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// Takes what dispatchers of before say too: a list of attempts, whose tasks nobody can tell.
fn held<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<AttemptId, TaskId>, D::Error> {
    struct Held;

    impl<'de> Visitor<'de> for Held {
        type Value = BTreeMap<AttemptId, TaskId>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("attempts, each with its task")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut held = BTreeMap::new();
            while let Some((attempt, task)) = map.next_entry()? {
                held.insert(attempt, task);
            }
            Ok(held)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut held = BTreeMap::new();
            while let Some(attempt) = list.next_element()? {
                held.insert(attempt, TaskId([0; 32]));
            }
            Ok(held)
        }
    }

    from.deserialize_any(Held)
}

/// What a dispatcher can run.
#[derive(Clone, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Capacity {
    /// The programs it offers.
    pub programs: Programs,
    /// How many attempts at once.
    pub slots: u32,
    /// Unit: bytes, shared by what it runs.
    pub memory_bytes: u64,
    /// GPUs, shared likewise.
    pub gpus: u32,
}

/// The programs that a dispatcher offers. Clones share them until one is changed: what each
/// dispatcher that matters offers is told whenever something is granted.
#[derive(Clone, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(from = "BTreeSet<ProgramName>")]
pub struct Programs(Arc<BTreeSet<ProgramName>>);

impl Deref for Programs {
    type Target = BTreeSet<ProgramName>;

    fn deref(&self) -> &BTreeSet<ProgramName> {
        &self.0
    }
}

impl DerefMut for Programs {
    fn deref_mut(&mut self) -> &mut BTreeSet<ProgramName> {
        Arc::make_mut(&mut self.0)
    }
}

impl From<BTreeSet<ProgramName>> for Programs {
    fn from(programs: BTreeSet<ProgramName>) -> Self {
        Self(Arc::new(programs))
    }
}

impl FromIterator<ProgramName> for Programs {
    fn from_iter<I: IntoIterator<Item = ProgramName>>(programs: I) -> Self {
        programs.into_iter().collect::<BTreeSet<_>>().into()
    }
}

impl Serialize for Programs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_ref().serialize(serializer)
    }
}

/// How an attempt ended.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Report {
    /// Who says so.
    pub dispatcher: DispatcherId,
    /// Which life of it says so; the verdict is for that one.
    pub incarnation: u64,
    /// Which attempt.
    pub attempt: AttemptId,
    /// Of which task.
    pub task: TaskId,
    /// How.
    pub outcome: Outcome,
    /// How long the prover itself ran.
    pub ran: Duration,
}

/// How an attempt ended.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Outcome {
    /// With a result that its verifier accepts, durable in the store.
    Proved(ResultRef),
    /// With a result that its verifier refuses.
    Rejected {
        /// The verifier's words.
        message: String,
    },
    /// Without a result.
    Failed {
        /// In which way.
        class: FailureClass,
        /// For a person, with the end of the prover's output.
        message: String,
    },
    /// Before it began: this input is not in the store, or damaged there.
    InputLost {
        /// The artifact.
        artifact: Digest,
    },
    /// Before it began, for a reason that is the dispatcher's own (full, draining, the program
    /// gone).
    NotRun {
        /// For a person.
        message: String,
    },
    /// By a [`ToDispatcher::Cancel`].
    Cancelled,
}

/// What became of a report. Each is told from durable state.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Verdict {
    /// The result is the task's, recorded at this position.
    Accepted(Seq),
    /// The task has another result.
    AlreadyAccepted,
    /// Recorded: a failure, a refusal, a withdrawal.
    Recorded,
    /// Nobody waits for it.
    Unwanted,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_read_as_it_is_said_now_and_as_it_was() {
        let capacity = r#"{"programs":[],"slots":1,"memory_bytes":0,"gpus":0}"#;
        let read = |held: &str| {
            let beat = format!(
                r#"{{"dispatcher":"one","incarnation":1,"capacity":{capacity},"running":{{}},"held":{held}}}"#
            );
            serde_json::from_str::<Beat>(&beat).expect("it is a beat").held
        };
        let task = TaskId([7; 32]);
        assert_eq!(read("[]"), BTreeMap::new());
        assert!(read("[5]").contains_key(&AttemptId(5)));
        assert_eq!(read(&format!(r#"{{"5":"{task}"}}"#)), [(AttemptId(5), task)].into());
    }
}
