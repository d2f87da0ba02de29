//! The way of a few blocks through the stages: the scheduler of a run, and one attempt at a time.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

use push0_core::{
    AttemptId, Capacity, Effect, Epoch, Event, FromDispatcher, Grant, Input, Limits, Offer,
    Outcome, Rejection, Report, Scheduler, StageName, Timestamp, ToDispatcher, Verdict,
};
use push0_dispatch::{Notice, Store};
use push0_source::SourceBlock;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::{Receiver, Sender};

use super::footprint::Footprint;
use super::look::Look;
use super::{Teller, Trial};
use crate::clock::Clock;
use crate::finding::Finding;
use crate::programs::Programs;

pub(super) struct Course<'a> {
    trial: &'a Trial<'a>,
    programs: &'a Programs,
    store: Store,
    to: Sender<ToDispatcher>,
    from: Receiver<FromDispatcher>,
    notices: Receiver<Notice>,
    scheduler: Scheduler,
    clock: Clock,
}

/// The ends of a dispatcher's channels.
pub(super) type Ends = (Sender<ToDispatcher>, Receiver<FromDispatcher>, Receiver<Notice>);

/// An attempt that has ended.
pub(super) struct TrialEnd {
    pub(super) grant: Grant,
    pub(super) report: Report,
    /// The most that its processes were seen to use. Unit: bytes.
    pub(super) memory_bytes: u64,
    /// How it did not end well, where its result was there all the same.
    pub(super) beside: Option<String>,
}

impl<'a> Course<'a> {
    pub(super) fn new(
        trial: &'a Trial<'a>,
        programs: &'a Programs,
        store: Store,
        (to, from, notices): Ends,
    ) -> Self {
        let (scheduler, clock) = (Scheduler::new(Limits::default()), Clock::start(Timestamp(0)));
        Self { trial, programs, store, to, from, notices, scheduler, clock }
    }

    /// Gives the scheduler the pipeline and the blocks.
    pub(super) fn prepare(&mut self, blocks: &[SourceBlock]) -> Result<(), Finding> {
        self.ask(&Input::Claim(Epoch(1)))?;
        self.ask(&Input::Configure(Box::new(self.trial.spec())))?;
        for block in blocks {
            let put = self.store.put(&block.payload);
            put.map_err(|error| Finding::fail("directory", error.to_string(), error.remedy()))?;
            self.ask(&Input::Submit(Box::new(block.block.clone())))?;
        }
        self.ask(&Input::EndSource).map(drop)
    }

    /// Tries task after task, until there is none left or one comes to nothing.
    pub(super) fn run(&mut self, tell: &mut Teller<'_>) -> Result<(), Finding> {
        let mut seen = BTreeSet::<StageName>::new();
        for _ in 0..TASKS_MAX {
            if self.trial.is_interrupted() {
                return Ok(());
            }
            let Some(grant) = self.grant()? else { break };
            let is_first = seen.insert(grant.stage.clone());
            let ended = self.attempt(grant)?;
            let is_proved = matches!(ended.report.outcome, Outcome::Proved(_));
            if is_first || !is_proved {
                Look { trial: self.trial, programs: self.programs, store: &self.store }
                    .at(&ended, tell);
            }
            if !is_proved {
                break;
            }
            self.ask(&Input::Report(ended.report))?;
        }
        self.tell_of_untried(&seen, tell);
        Ok(())
    }

    fn tell_of_untried(&self, seen: &BTreeSet<StageName>, tell: &mut Teller<'_>) {
        let stages = self.trial.loaded.pipeline.stages.iter();
        for stage in stages.filter(|stage| !seen.contains(&stage.name)) {
            tell(Finding::warn(
                format!("stage {}", stage.name),
                "not tried: nothing has come to it",
                "see to the stages before it; if they are well, give more blocks with --blocks FILE",
            ));
        }
    }

    /// The next that may be tried.
    fn grant(&mut self) -> Result<Option<Grant>, Finding> {
        let mut last = None;
        while last != Some(self.scheduler.last()) {
            last = Some(self.scheduler.last());
            self.ask(&Input::Wake)?;
        }
        let programs = self.programs.configs();
        let most = |of: fn(&push0_dispatch::ProgramConfig) -> u64| {
            programs.values().map(of).max().unwrap_or_default()
        };
        let gpus = most(|program| u64::from(program.gpus));
        let whole = Capacity {
            programs: programs.keys().cloned().collect(),
            slots: 1,
            memory_bytes: most(|program| program.memory_bytes),
            gpus: u32::try_from(gpus).unwrap_or(u32::MAX),
        };
        let dispatcher = "trial".parse().expect("it is a name");
        let offer = Offer { dispatcher, free: whole.clone(), whole };
        let effects = self.ask(&Input::Assign(vec![offer]))?;
        Ok(effects.into_iter().find_map(|effect| match effect {
            Effect::Grant(_, grant) => Some(*grant),
            Effect::Cancel(..) | Effect::Release(_) | Effect::AskSource(_) => None,
        }))
    }

    /// What the scheduler wants done about an input.
    fn ask(&mut self, input: &Input) -> Result<Vec<Effect>, Finding> {
        let now = self.clock.now();
        let refused = |error: Rejection| {
            Finding::fail("pipeline", error.to_string(), "correct it, or give other blocks")
        };
        let events: Vec<Event> = self.scheduler.decide(now, input).map_err(refused)?;
        let applied = self.scheduler.apply_all(now, &events);
        applied.map_err(|error| Finding::fail("push0", error.to_string(), "report it"))?;
        let last = self.scheduler.last();
        Ok(std::iter::from_fn(|| self.scheduler.poll_effect(last)).collect())
    }

    /// Has the dispatcher try once, and waits for how that ends.
    fn attempt(&mut self, grant: Grant) -> Result<TrialEnd, Finding> {
        let gone = || Finding::fail("dispatcher", "it has ended", "report it");
        let within = self.trial.within;
        let grant = Grant {
            timeout: grant.timeout.min(within),
            grace: grant.grace.min(GRACE_MAX),
            ..grant
        };
        let attempt = grant.attempt;
        let message = ToDispatcher::Grant(Box::new(grant.clone()));
        self.to.blocking_send(message).map_err(|_| gone())?;
        let mut footprint = Footprint::default();
        // The prover, its verifier asked twice, and what lies between.
        let mut cancel = Some(Instant::now() + within * 4 + SLACK);
        let give_up = Instant::now() + within * 4 + SLACK * 2;
        loop {
            match self.from.try_recv() {
                Ok(FromDispatcher::Report(report)) if report.attempt == attempt => {
                    let verdict = ToDispatcher::Verdict(attempt, Verdict::Recorded);
                    self.to.blocking_send(verdict).map_err(|_| gone())?;
                    let memory_bytes = footprint.most_bytes();
                    return Ok(TrialEnd {
                        grant,
                        report,
                        memory_bytes,
                        beside: self.beside(attempt),
                    });
                }
                Ok(FromDispatcher::Report(_) | FromDispatcher::Beat(_)) => continue,
                Err(TryRecvError::Disconnected) => return Err(gone()),
                Err(TryRecvError::Empty) => {}
            }
            footprint.look();
            let is_over =
                self.trial.is_interrupted() || cancel.is_some_and(|at| Instant::now() > at);
            if cancel.is_some() && is_over {
                cancel = None;
                self.to.blocking_send(ToDispatcher::Cancel(attempt)).map_err(|_| gone())?;
            }
            if Instant::now() > give_up {
                return Err(Finding::fail("dispatcher", "it does not answer", "report it"));
            }
            sleep(LOOK);
        }
    }

    /// What the dispatcher has to say of an attempt whose result was taken though it did not end
    /// well.
    fn beside(&mut self, of: AttemptId) -> Option<String> {
        let mut beside = None;
        while let Ok(notice) = self.notices.try_recv() {
            if let Notice::ProofThere { attempt, how, .. } = notice
                && attempt == of
            {
                beside = Some(how);
            }
        }
        beside
    }
}

/// Tasks that are tried at most: a split may make thousands.
const TASKS_MAX: usize = 64;

/// From SIGTERM to SIGKILL.
const GRACE_MAX: Duration = Duration::from_secs(5);

/// For files, and processes that end.
const SLACK: Duration = Duration::from_secs(30);

/// From one look at the processes to the next.
const LOOK: Duration = Duration::from_millis(10);
