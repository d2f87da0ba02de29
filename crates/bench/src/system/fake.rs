//! Dispatchers without provers: each answers a grant at once, or after a time, with a result of its
//! own making.
//!
//! They are fakes, and named so in the results (`echo`, `sleep`): nothing runs, is verified or
//! stored, unless the payload is of bytes. What they say and when is what a real dispatcher says.
//!
//! Not here: how messages travel (`file`, `cluster`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures_util::stream::FuturesUnordered;
use futures_util::{Stream, StreamExt as _};
use push0::cluster::{Bus, hear};
use push0::engine::Handle;
use push0_core::{
    AttemptId, Beat, Digest, DispatcherId, FromDispatcher, Grant, Outcome, Report, ResultRef,
    TaskId, ToDispatcher,
};
use push0_dispatch::Store;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::{Payload, Prover, Shape, pipeline};
use crate::timer;

/// Where a dispatcher says what it has to say.
#[derive(Clone)]
pub(crate) enum Up {
    Engine(Handle),
    Bus(Bus),
}

/// One dispatcher.
pub(crate) struct Fake {
    pub(crate) id: DispatcherId,
    pub(crate) shape: Shape,
    /// Where payloads are, if they are read.
    pub(crate) store: Option<Store>,
    pub(crate) up: Up,
}

impl Fake {
    /// Answers grants until there are no more messages. None at once: whoever leads has not heard
    /// of it yet.
    pub(crate) async fn run(self, messages: impl Stream<Item = Vec<ToDispatcher>>) {
        let mut messages = std::pin::pin!(messages);
        let mut beats = interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut work = Work::default();
        let mut sleeps = FuturesUnordered::new();
        loop {
            tokio::select! {
                biased;
                came = messages.next() => {
                    let Some(came) = came else { return };
                    let mut said = Vec::new();
                    if came.is_empty() {
                        said.push(self.beat(&work));
                        said.extend(work.held.values().cloned().map(FromDispatcher::Report));
                    }
                    for message in came {
                        let Some(grant) = work.take(message) else { continue };
                        if let Prover::Sleep(time) = self.shape.prover {
                            let began = Instant::now();
                            sleeps.push(async move { timer::sleep(time).await; (grant, began) });
                        } else {
                            said.push(work.end(self.prove(&grant, Instant::now())));
                        }
                    }
                    self.say(said).await;
                }
                Some((grant, began)) = sleeps.next() => {
                    let report = work.end(self.prove(&grant, began));
                    self.say(vec![report]).await;
                }
                _ = beats.tick() => {
                    let mut said = vec![self.beat(&work)];
                    said.extend(work.said_before());
                    self.say(said).await;
                }
            }
        }
    }

    fn prove(&self, grant: &Grant, began: Instant) -> Report {
        let (output, bytes) = self.make(grant);
        let result = ResultRef {
            output,
            bytes,
            statement: Digest(grant.task.0),
            vkey: None,
            mock: true,
            parts: Vec::new(),
        };
        Report {
            dispatcher: self.id.clone(),
            incarnation: LIFE,
            attempt: grant.attempt,
            task: grant.task,
            outcome: Outcome::Proved(result),
            ran: match self.shape.prover {
                Prover::Sleep(_) => began.elapsed(),
                Prover::Echo | Prover::Serve | Prover::File => Duration::ZERO,
            },
        }
    }

    /// What is asked for of a payload: that it is read, and that as much is made of it, durably.
    fn make(&self, grant: &Grant) -> (Digest, u64) {
        let made = match (self.shape.payload, &self.store, grant.inputs.first()) {
            (Payload::Bytes500, Some(store), Some(input)) => store
                .read(input.artifact)
                .map(|bytes| {
                    let made: Vec<u8> = bytes.iter().map(|byte| !byte).collect();
                    (store.put(&made).unwrap_or(input.artifact), made.len() as u64)
                })
                .ok(),
            _ => None,
        };
        made.unwrap_or((Digest(grant.task.0), 1))
    }

    fn beat(&self, work: &Work) -> FromDispatcher {
        FromDispatcher::Beat(Beat {
            dispatcher: self.id.clone(),
            incarnation: LIFE,
            capacity: pipeline::capacity(self.shape.slots),
            running: work.running.clone(),
            held: work.held.iter().map(|(attempt, report)| (*attempt, report.task)).collect(),
            leaving: false,
        })
    }

    async fn say(&self, said: Vec<FromDispatcher>) {
        if said.is_empty() {
            return;
        }
        match &self.up {
            Up::Engine(handle) => {
                while !handle.try_heard(said.clone()) && !handle.has_ended() {
                    sleep(Duration::from_millis(1)).await;
                }
            }
            Up::Bus(bus) => {
                bus.say(&hear(&self.id), said).await;
            }
        }
    }
}

/// What a dispatcher has taken on.
#[derive(Default)]
struct Work {
    running: BTreeMap<AttemptId, TaskId>,
    /// What was reported, until there is a verdict.
    held: BTreeMap<AttemptId, Report>,
    /// What was held at the last beat.
    before: BTreeSet<AttemptId>,
}

impl Work {
    /// The grant to begin, if this is one: what was not taken in time comes with a beat, and what
    /// was is not begun twice.
    fn take(&mut self, message: ToDispatcher) -> Option<Box<Grant>> {
        match message {
            ToDispatcher::Grant(grant) => {
                let is_new = !self.held.contains_key(&grant.attempt);
                (is_new && self.running.insert(grant.attempt, grant.task).is_none())
                    .then_some(grant)
            }
            ToDispatcher::Cancel(attempt) | ToDispatcher::Verdict(attempt, _) => {
                self.held.remove(&attempt);
                None
            }
        }
    }

    fn end(&mut self, report: Report) -> FromDispatcher {
        self.running.remove(&report.attempt);
        self.held.insert(report.attempt, report.clone());
        FromDispatcher::Report(report)
    }

    /// What was reported a beat ago and has no verdict: it may be lost, and is said again.
    fn said_before(&mut self) -> Vec<FromDispatcher> {
        let held = self.held.values().filter(|report| self.before.contains(&report.attempt));
        let again = held.cloned().map(FromDispatcher::Report).collect();
        self.before = self.held.keys().copied().collect();
        again
    }
}

/// All fakes have one life.
pub(crate) const LIFE: u64 = 1;

/// As real dispatchers do.
const BEAT: Duration = push0_dispatch::Config::HEARTBEAT;
