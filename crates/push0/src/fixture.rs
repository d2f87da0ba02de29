//! What tests of several modules begin with.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use push0_core::{
    Beat, Block, BlockHash, Capacity, Digest, Epoch, Fleet, Height, Input, Limits, Outcome,
    PipelineSpec, ProgramSpec, Report, ResultRef, Scheduler, StageSpec, Timestamp,
};

/// A pipeline of one stage, `prove`, of one program, `prover`, whose blocks are submitted.
pub(crate) fn one_stage(name: &str) -> PipelineSpec {
    let mut spec = PipelineSpec { push0: Some(1), name: name.into(), ..PipelineSpec::default() };
    (spec.source.kind, spec.source.chain) = ("submit".into(), Some(1));
    let program = ProgramSpec {
        command: vec!["prover".into()],
        contract: Some("serve".into()),
        memory: Some(1),
        ..ProgramSpec::default()
    };
    spec.programs = BTreeMap::from([("prover".into(), program)]);
    let (inputs, program) = (vec!["blocks".into()], Some("prover".into()));
    let stage = StageSpec { inputs, program, ..StageSpec::default() };
    spec.stages = BTreeMap::from([("prove".into(), stage)]);
    spec.release.inputs = vec!["prove".into()];
    spec
}

/// A scheduler that leads, a fleet, and a time that both are told.
pub(crate) struct Place {
    pub(crate) scheduler: Scheduler,
    pub(crate) fleet: Fleet,
    pub(crate) now: Timestamp,
}

/// A dispatcher by name and program, with so many slots, so much memory, and so many GPUs.
pub(crate) type Machine = (&'static str, &'static str, u32, u64, u32);

/// One that can run what any test asks of it, one at a time.
pub(crate) const WELL: Machine = ("well", "prover", 1, 16 << 30, 1);

impl Place {
    /// These blocks are submitted, and nobody is heard.
    pub(crate) fn new(spec: &PipelineSpec, blocks: Range<u8>) -> Self {
        let (scheduler, fleet) =
            (Scheduler::new(Limits::default()), Fleet::new(Duration::from_secs(10)));
        let mut place = Self { scheduler, fleet, now: Timestamp(1_000_000) };
        place.ask(&Input::Claim(Epoch(1)));
        place.ask(&Input::Configure(Box::new(spec.clone())));
        blocks.for_each(|number| place.submit(number));
        place.fleet.look(place.now);
        place.settle();
        place
    }

    pub(crate) fn submit(&mut self, number: u8) {
        self.ask(&Input::Submit(Box::new(Block {
            number: Height(number.into()),
            hash: BlockHash([number; 32]),
            parent: BlockHash([number - 1; 32]),
            payload: Digest([number; 32]),
            bytes: 1,
            fields: BTreeMap::new(),
        })));
    }

    /// The last beat of a dispatcher that runs and holds nothing.
    pub(crate) fn leave(&mut self, name: &str) {
        let beat = Beat {
            dispatcher: name.parse().expect("a name"),
            incarnation: 1,
            capacity: Capacity::default(),
            running: BTreeMap::new(),
            held: BTreeMap::new(),
            leaving: true,
        };
        self.fleet.beat(self.now, &beat, &self.scheduler);
    }

    pub(crate) fn beat(&mut self, (name, program, slots, memory_bytes, gpus): Machine) {
        let programs = std::iter::once(program.parse().expect("a name")).collect();
        let beat = Beat {
            dispatcher: name.parse().expect("a name"),
            incarnation: 1,
            capacity: Capacity { programs, slots, memory_bytes, gpus },
            running: BTreeMap::new(),
            held: BTreeMap::new(),
            leaving: false,
        };
        self.fleet.beat(self.now, &beat, &self.scheduler);
    }

    pub(crate) fn ask(&mut self, input: &Input) {
        let events = self.scheduler.decide(self.now, input).expect("it is legal");
        self.scheduler.apply_all(self.now, &events).expect("it was decided");
    }

    /// Until nothing follows of itself.
    pub(crate) fn settle(&mut self) {
        let mut last = None;
        while last != Some(self.scheduler.last()) {
            last = Some(self.scheduler.last());
            self.ask(&Input::Wake);
        }
    }

    pub(crate) fn assign(&mut self) {
        let offers = self.fleet.offers(&self.scheduler);
        self.ask(&Input::Assign(offers));
    }

    /// The attempt that began first comes to this, after a minute.
    pub(crate) fn report(&mut self, outcome: Outcome) {
        let attempt = self.scheduler.attempts().next().expect("one runs").clone();
        self.ask(&Input::Report(Report {
            dispatcher: attempt.dispatcher,
            incarnation: 1,
            attempt: attempt.id,
            task: attempt.task,
            outcome,
            ran: Duration::from_secs(60),
        }));
        self.settle();
    }

    /// What a prover makes.
    pub(crate) fn proof() -> Outcome {
        Outcome::Proved(ResultRef {
            output: Digest([1; 32]),
            bytes: 1,
            statement: Digest([1; 32]),
            vkey: None,
            mock: false,
            parts: Vec::new(),
        })
    }

    /// Lets so many seconds pass, in which the engine looks and nobody is heard.
    pub(crate) fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now = self.now + Duration::from_secs(1);
            self.fleet.look(self.now);
            self.fleet.silent(self.now, &self.scheduler);
        }
    }
}
