//! Dispatchers without provers: each answers a grant at once, or after a time, with a result of its own making.
//!
//! They are fakes, and named so in the results (`echo`, `sleep`): nothing runs, is verified or stored, unless the
//! payload is of bytes. What they say and when is what a real dispatcher says.
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
    ToDispatcher,
};
use push0_dispatch::Store;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::{Payload, Prover, Shape, pipeline};

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
    /// Answers grants until there are no more messages.
    pub(crate) async fn run(self, messages: impl Stream<Item = ToDispatcher>) {
        let mut messages = std::pin::pin!(messages);
        let mut beats = interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // What was reported, until there is a verdict.
        let mut held: BTreeMap<AttemptId, Report> = BTreeMap::new();
        let mut seen: BTreeSet<AttemptId> = BTreeSet::new();
        let mut running = BTreeSet::new();
        let mut sleeps = FuturesUnordered::new();
        loop {
            tokio::select! {
                biased;
                message = messages.next() => match message {
                    // What was not taken in time comes with a beat, and what was is not answered twice.
                    Some(ToDispatcher::Grant(grant)) if !held.contains_key(&grant.attempt) => {
                        match self.shape.prover {
                            Prover::Sleep(time) if running.insert(grant.attempt) => {
                                let began = Instant::now();
                                sleeps.push(async move { sleep(time).await; (grant, began) });
                            }
                            Prover::Sleep(_) => {}
                            Prover::Echo | Prover::Serve | Prover::File => {
                                let report = self.prove(&grant, Instant::now());
                                self.say(FromDispatcher::Report(report.clone())).await;
                                held.insert(grant.attempt, report);
                            }
                        }
                    }
                    Some(ToDispatcher::Grant(_)) => {}
                    Some(ToDispatcher::Cancel(attempt) | ToDispatcher::Verdict(attempt, _)) => {
                        held.remove(&attempt);
                    }
                    None => return,
                },
                Some((grant, began)) = sleeps.next() => {
                    running.remove(&grant.attempt);
                    let report = self.prove(&grant, began);
                    self.say(FromDispatcher::Report(report.clone())).await;
                    held.insert(grant.attempt, report);
                }
                _ = beats.tick() => {
                    self.beat(&running, &held).await;
                    // One that was lost on the way is said again, as a dispatcher does.
                    let old = held.values().filter(|report| seen.contains(&report.attempt));
                    for report in old.cloned().collect::<Vec<_>>() {
                        self.say(FromDispatcher::Report(report)).await;
                    }
                    seen = held.keys().copied().collect();
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
                .and_then(|bytes| {
                    let made: Vec<u8> = bytes.iter().map(|byte| !byte).collect();
                    Ok((store.put(&made).unwrap_or(input.artifact), made.len() as u64))
                })
                .ok(),
            _ => None,
        };
        made.unwrap_or((Digest(grant.task.0), 1))
    }

    async fn beat(&self, running: &BTreeSet<AttemptId>, held: &BTreeMap<AttemptId, Report>) {
        let beat = Beat {
            dispatcher: self.id.clone(),
            incarnation: LIFE,
            capacity: pipeline::capacity(self.shape.slots),
            running: running.clone(),
            held: held.keys().copied().collect(),
        };
        self.say(FromDispatcher::Beat(beat)).await;
    }

    async fn say(&self, message: FromDispatcher) {
        match &self.up {
            Up::Engine(handle) => {
                while !handle.try_heard(message.clone()) && !handle.has_ended() {
                    sleep(Duration::from_millis(1)).await;
                }
            }
            Up::Bus(bus) => {
                bus.publish(&hear(&self.id), &message).await;
            }
        }
    }
}

/// All fakes have one life.
pub(crate) const LIFE: u64 = 1;

/// As real dispatchers do.
const BEAT: Duration = push0_dispatch::Config::HEARTBEAT;
