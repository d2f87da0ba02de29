//! A dispatcher as it should be, and its whole memory: what it was ever told, and may tell of.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use push0_core::{
    AttemptId, Beat, Capacity, Digest, DispatcherId, FailureClass, Grant, Life, Outcome, Output,
    Report, ResultRef, TaskId, ToDispatcher,
};

/// A dispatcher.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) id: DispatcherId,
    pub(crate) running: BTreeMap<AttemptId, Grant>,
    pub(crate) held: BTreeMap<AttemptId, Report>,
    incarnation: u64,
    capacity: Capacity,
    /// Attempts that this life of it was ever told of.
    known: BTreeSet<AttemptId>,
}

/// How an attempt ends, as somebody says.
#[derive(Clone, Copy, Debug)]
pub(crate) enum How {
    Proved,
    /// With public values that nobody else finds.
    Otherwise,
    Rejected,
    Failed(FailureClass),
    InputLost(u8),
    NotRun,
    Cancelled,
}

impl Machine {
    /// Three of them: a small one, one that can run everything, one with a single slot.
    pub(crate) fn crew() -> Vec<Self> {
        let all = ["small", "large"].as_slice();
        [("alpha", 2, 6, 1, all), ("beta", 3, 12, 1, all), ("gamma", 1, 2, 0, &["small"])]
            .into_iter()
            .map(|(name, slots, gigabytes, gpus, programs)| Self {
                id: name.parse().expect("a name"),
                running: BTreeMap::new(),
                held: BTreeMap::new(),
                incarnation: 1,
                capacity: Capacity {
                    programs: programs.iter().map(|name| name.parse().expect("a name")).collect(),
                    slots,
                    memory_bytes: gigabytes << 30,
                    gpus,
                },
                known: BTreeSet::new(),
            })
            .collect()
    }

    pub(crate) fn life(&self) -> Life {
        Life { dispatcher: self.id.clone(), incarnation: self.incarnation }
    }

    pub(crate) fn restart(&mut self) {
        self.incarnation += 1;
        self.running.clear();
        self.held.clear();
        self.known.clear();
    }

    pub(crate) fn hear(&mut self, message: &ToDispatcher) {
        match message {
            ToDispatcher::Grant(grant) => {
                if self.known.insert(grant.attempt) {
                    self.running.insert(grant.attempt, (**grant).clone());
                }
            }
            ToDispatcher::Cancel(attempt) => {
                if let Some(grant) = self.running.remove(attempt) {
                    let report = report(self.life(), &grant, How::Cancelled, 0);
                    self.held.insert(*attempt, report);
                }
            }
            ToDispatcher::Verdict(attempt, _) => {
                self.held.remove(attempt);
            }
        }
    }

    /// Ends an attempt; it is told again with every beat until a verdict comes.
    pub(crate) fn end(&mut self, report: Report) {
        if self.running.remove(&report.attempt).is_some() {
            self.held.insert(report.attempt, report);
        }
    }

    pub(crate) fn beat(&self) -> Beat {
        Beat {
            dispatcher: self.id.clone(),
            incarnation: self.incarnation,
            capacity: self.capacity.clone(),
            running: self.running.iter().map(|(attempt, grant)| (*attempt, grant.task)).collect(),
            held: self.held.iter().map(|(attempt, report)| (*attempt, report.task)).collect(),
            leaving: false,
        }
    }
}

/// What `dispatcher` says of an attempt. The bytes of a proof differ with `salt`, what it says does
/// not.
pub(crate) fn report(life: Life, grant: &Grant, how: How, salt: u8) -> Report {
    let message = format!("{how:?}");
    let outcome = match how {
        How::Proved => Outcome::Proved(result(grant, "", salt)),
        How::Otherwise => Outcome::Proved(result(grant, "otherwise", salt)),
        How::Rejected => Outcome::Rejected { message },
        How::Failed(class) => Outcome::Failed { class, message },
        How::InputLost(which) => {
            let inputs = grant.inputs.len().max(1);
            let bound = grant.inputs.get(usize::from(which) % inputs).expect("it has inputs");
            Outcome::InputLost { artifact: bound.artifact }
        }
        How::NotRun => Outcome::NotRun { message },
        How::Cancelled => Outcome::Cancelled,
    };
    let (attempt, task) = (grant.attempt, grant.task);
    let ran = Duration::from_millis(9);
    let Life { dispatcher, incarnation } = life;
    Report { dispatcher, incarnation, attempt, task, outcome, ran }
}

fn result(grant: &Grant, statement: &str, salt: u8) -> ResultRef {
    let digest = |what: &str| Digest::of(format!("{what} {} {statement}", grant.task).as_bytes());
    let parts = match grant.output {
        Output::Proof => 0,
        Output::Parts => parts(grant.task),
    };
    ResultRef {
        output: digest(&format!("bytes {} {salt}", grant.attempt)),
        bytes: 100,
        statement: digest("statement"),
        vkey: None,
        mock: false,
        parts: (0..parts).map(|part| digest(&format!("part {part}"))).collect(),
    }
}

/// How many parts a task splits into: a matter of its input alone.
fn parts(task: TaskId) -> u8 {
    let [first, ..] = task.0;
    1 + first % 4
}
