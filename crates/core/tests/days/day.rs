//! A simple day: one dispatcher, one stage that proves each block.

use std::collections::BTreeMap;
use std::time::Duration;

use push0_core::{
    AttemptId, Beat, Block, BlockHash, Capacity, Digest, Epoch, Event, Fleet, Height, Input,
    Limits, Offer, Outcome, PipelineSpec, ProgramSpec, Report, ResultRef, Scheduler, StageSpec,
    TaskId, Timestamp, ToDispatcher,
};

/// One dispatcher, and one stage over as many blocks as there are grants.
pub(crate) struct Day {
    pub(crate) now: Timestamp,
    pub(crate) scheduler: Scheduler,
    pub(crate) fleet: Fleet,
    pub(crate) events: Vec<Event>,
}

impl Day {
    /// Before any block has come.
    pub(crate) fn of(pipeline: PipelineSpec) -> Self {
        Self::under(Limits { decision_max: 2, ..Limits::default() }, pipeline)
    }

    /// Likewise, under other limits.
    pub(crate) fn under(limits: Limits, pipeline: PipelineSpec) -> Self {
        let (scheduler, fleet) = (Scheduler::new(limits), Fleet::new(SILENCE_MAX));
        let mut day = Self { now: START, scheduler, fleet, events: Vec::new() };
        day.ask(&Input::Claim(Epoch(1)));
        day.ask(&Input::Configure(Box::new(pipeline)));
        day
    }

    pub(crate) fn with_grants(grants: u64) -> Self {
        Self::of(pipeline()).granted(grants)
    }

    /// Once that many blocks have come, and are being proved.
    pub(crate) fn granted(mut self, grants: u64) -> Self {
        let day = &mut self;
        (0..grants).for_each(|number| day.ask(&Input::Submit(Box::new(block(number)))));
        day.fleet.look(day.now);
        day.beat([]);
        day.follow_up();
        while (day.scheduler.attempts().count() as u64) < grants {
            let offers = day.fleet.offers(&day.scheduler);
            day.ask(&Input::Assign(offers));
        }
        assert_eq!(day.scheduler.attempts().count() as u64, grants);
        self
    }

    pub(crate) fn sleep(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now = self.now + Duration::from_millis(500);
            self.fleet.look(self.now);
            self.follow_up();
        }
    }

    pub(crate) fn follow_up(&mut self) {
        for input in self.fleet.silent(self.now, &self.scheduler) {
            self.ask(&input);
        }
        while !self
            .scheduler
            .decide(self.now, &Input::Wake)
            .expect("it is never refused")
            .is_empty()
        {
            self.ask(&Input::Wake);
        }
    }

    pub(crate) fn ask(&mut self, input: &Input) {
        let events = self.scheduler.decide(self.now, input).expect("it is legal");
        self.scheduler.apply_all(self.now, &events).expect("it was decided");
        self.events.extend(events);
    }

    pub(crate) fn beat(
        &mut self,
        running: impl IntoIterator<Item = AttemptId>,
    ) -> (Vec<Input>, Vec<ToDispatcher>) {
        let beat = self.beat_of(running);
        self.fleet.beat(self.now, &beat, &self.scheduler)
    }

    pub(crate) fn beat_of(&self, running: impl IntoIterator<Item = AttemptId>) -> Beat {
        let programs = std::iter::once("prover".parse().expect("a name")).collect();
        Beat {
            dispatcher: "one".parse().expect("a name"),
            incarnation: 1,
            capacity: Capacity { programs, slots: SLOTS, memory_bytes: MEMORY, gpus: 0 },
            running: running.into_iter().map(|attempt| (attempt, self.task_of(attempt))).collect(),
            held: BTreeMap::new(),
            leaving: false,
        }
    }

    /// What an attempt is at; for one that holds no lease, some task.
    pub(crate) fn task_of(&self, attempt: AttemptId) -> TaskId {
        self.scheduler.attempt(attempt).map_or(TaskId([9; 32]), |attempt| attempt.task)
    }

    pub(crate) fn free(&self) -> Capacity {
        self.fleet.offers(&self.scheduler).pop().expect("one dispatcher").free
    }

    pub(crate) fn attempts(&self) -> impl Iterator<Item = AttemptId> {
        self.scheduler.attempts().map(|attempt| attempt.id)
    }

    /// Reports the end of the attempt that holds the lease of `task`.
    pub(crate) fn report(&mut self, task: TaskId, outcome: Outcome) {
        let attempt = self.scheduler.attempts_at(task).next().map(|attempt| attempt.id);
        let attempt = attempt.expect("it is being tried");
        self.report_of(attempt, task, outcome);
    }

    pub(crate) fn report_of(&mut self, attempt: AttemptId, task: TaskId, outcome: Outcome) {
        self.ask(&Input::Report(self.report_on(attempt, task, outcome)));
        self.follow_up();
    }

    pub(crate) fn report_on(&self, attempt: AttemptId, task: TaskId, outcome: Outcome) -> Report {
        let Beat { dispatcher, incarnation, .. } = self.beat_of([]);
        Report { dispatcher, incarnation, attempt, task, outcome, ran: Duration::from_secs(1) }
    }

    /// Has this dispatcher hold the lease of `task`, and of whatever else waits.
    pub(crate) fn lease(&mut self, who: &str, task: TaskId) -> AttemptId {
        let held = |day: &Self| {
            let held = day.scheduler.attempts_at(task).next();
            held.map(|attempt| (attempt.id, attempt.dispatcher.to_string()))
        };
        match held(self) {
            Some((attempt, holder)) if holder == who => return attempt,
            Some((attempt, _)) => {
                self.ask(&Input::Withdraw { attempt, message: String::new(), cause: None });
            }
            None => {}
        }
        self.now = self.now + Limits::default().backoff_max;
        let mut whole = self.beat_of([]).capacity;
        (whole.slots, whole.memory_bytes) = (1_000, 1 << 40);
        let dispatcher = who.parse().expect("a name");
        self.ask(&Input::Assign(vec![Offer { dispatcher, free: whole.clone(), whole }]));
        let (attempt, holder) = held(self).expect("it is granted");
        assert_eq!(holder, who);
        attempt
    }

    /// Grants what can be granted, once its backoff is over.
    pub(crate) fn grant(&mut self) {
        self.now = self.now + Duration::from_secs(60);
        self.fleet.look(self.now);
        self.ask(&Input::Assign(self.fleet.offers(&self.scheduler)));
    }

    /// The tasks that are being tried, in no order that means anything.
    pub(crate) fn tried(&self) -> Vec<TaskId> {
        self.scheduler.attempts().map(|attempt| attempt.task).collect()
    }

    pub(crate) fn lost(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::Lost { .. })).count()
    }
}

/// A result that nothing is wrong with.
pub(crate) fn result() -> ResultRef {
    let (output, statement) = (Digest::of(b"proof"), Digest::of(b"values"));
    ResultRef { output, bytes: 5, statement, vkey: None, mock: false, parts: Vec::new() }
}

pub(crate) fn pipeline() -> PipelineSpec {
    let mut spec = PipelineSpec { push0: Some(1), name: "day".into(), ..PipelineSpec::default() };
    (spec.source.kind, spec.source.chain) = ("submit".into(), Some(1));
    let program = ProgramSpec {
        command: vec!["prover".into()],
        contract: Some("serve".into()),
        memory: Some(1),
        ..ProgramSpec::default()
    };
    spec.programs = BTreeMap::from([("prover".into(), program)]);
    let stage = StageSpec {
        inputs: vec!["blocks".into()],
        program: Some("prover".into()),
        ..StageSpec::default()
    };
    spec.stages = BTreeMap::from([("prove".into(), stage)]);
    spec.release.inputs = vec!["prove".into()];
    spec
}

pub(crate) fn block(number: u64) -> Block {
    let hash = |number: u64| BlockHash(Digest::of(&number.to_be_bytes()).0);
    Block {
        number: Height(number),
        hash: hash(number),
        parent: hash(number.wrapping_sub(1)),
        payload: Digest::of(b"payload"),
        bytes: 1,
        fields: BTreeMap::new(),
    }
}

pub(crate) const START: Timestamp = Timestamp(1_000_000_000);
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(10);
pub(crate) const SLOTS: u32 = 8;
pub(crate) const MEMORY: u64 = 100;
