//! Who is alive, who is not, and what they are sent again.
//!
//! Not here: what a lost lease leads to (`properties`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use push0_core::{
    AttemptId, Beat, Block, BlockHash, Capacity, Digest, Epoch, Event, Fleet, Height, Input,
    Limits, PipelineSpec, ProgramSpec, Scheduler, StageSpec, Timestamp, ToDispatcher,
};

#[test]
fn a_silent_dispatcher_is_given_up_by_who_wakes_when_it_is_asked_to() {
    let mut day = Day::with_grants(2);
    day.beat([]);
    let mut wakes = 0;
    while day.lost() == 0 {
        day.now = day.fleet.poll_timeout().expect("somebody is to be heard").at;
        day.fleet.look(day.now);
        day.follow_up();
        wakes += 1;
        assert!(wakes < 50, "nobody is ever given up");
    }
    assert_eq!(day.now, START + SILENCE_MAX);
}

#[test]
fn a_gap_of_the_engine_gives_nobody_up() {
    let mut day = Day::with_grants(2);
    day.beat([]);
    day.now = day.now + SILENCE_MAX * 3;
    day.fleet.look(day.now);
    day.follow_up();
    assert_eq!(day.lost(), 0);
}

#[test]
fn a_holder_that_a_new_engine_never_hears_of_is_given_up() {
    let mut day = Day::with_grants(2);
    day.fleet = Fleet::new(SILENCE_MAX);
    day.sleep(SILENCE_MAX + Duration::from_secs(1));
    assert_eq!(day.lost(), 2);
}

#[test]
fn all_that_a_lost_dispatcher_held_is_lost_though_one_decision_does_not_hold_it() {
    let mut day = Day::with_grants(7); // decisions hold 2
    day.sleep(SILENCE_MAX + Duration::from_secs(2));
    assert_eq!((day.lost(), day.scheduler.leases().count()), (7, 0));
}

#[test]
fn a_grant_that_its_dispatcher_lacks_is_sent_again_and_then_taken_back() {
    let mut day = Day::with_grants(1);
    let attempt = day.attempts().next().expect("one was granted");
    for _ in 0..2 {
        let (_, again) = day.beat([]);
        assert!(
            matches!(again.as_slice(), [ToDispatcher::Grant(grant)] if grant.attempt == attempt)
        );
    }
    let (inputs, again) = day.beat([]);
    assert!(
        matches!(inputs.as_slice(), [Input::Withdraw { attempt: gone, .. }] if *gone == attempt)
    );
    assert!(again.is_empty());
}

#[test]
fn a_grant_is_not_sent_again_where_a_whole_attempt_would_outlive_its_lease() {
    let mut day = Day::with_grants(1);
    day.now = day.now + Limits::default().report_grace + Duration::from_secs(1);
    day.fleet.look(day.now);
    let (inputs, again) = day.beat([]);
    assert!(matches!(inputs.as_slice(), [Input::Withdraw { .. }]) && again.is_empty());
}

#[test]
fn a_confirmed_grant_is_not_sent_again() {
    let mut day = Day::with_grants(2);
    let attempts: Vec<_> = day.attempts().collect();
    for _ in 0..5 {
        assert_eq!(day.beat(attempts.clone()), (Vec::new(), Vec::new()));
    }
}

#[test]
fn a_held_result_is_known_and_takes_no_slot() {
    let mut day = Day::with_grants(1);
    let lease = day.attempts().next().expect("one was granted");
    let held = BTreeSet::from([lease, AttemptId(999)]);
    let beat = Beat { held, ..day.beat_of([]) };
    let answer = day.fleet.beat(day.now, &beat, &day.scheduler);
    assert_eq!(answer, (Vec::new(), Vec::new()));
    assert_eq!(day.free().slots, SLOTS - 1);
}

#[test]
fn a_stray_is_cancelled_and_takes_its_slot_and_memory_until_it_has_ended() {
    let mut day = Day::with_grants(1);
    let stray = day.attempts().next().expect("one was granted");
    day.beat([stray]);
    let withdraw = Input::Withdraw { attempt: stray, message: String::new() };
    day.ask(&withdraw);
    let (_, again) = day.beat([stray]);
    assert_eq!(again, [ToDispatcher::Cancel(stray)]);
    assert_eq!((day.free().slots, day.free().memory_bytes), (SLOTS - 1, MEMORY - 1));
    let dispatcher = "one".parse().expect("a name");
    day.fleet.ended(&dispatcher, stray);
    assert_eq!((day.free().slots, day.free().memory_bytes), (SLOTS, MEMORY));
}

#[test]
fn another_life_of_a_dispatcher_runs_nothing_of_the_one_before() {
    let mut day = Day::with_grants(3);
    let attempts: Vec<_> = day.attempts().collect();
    day.beat(attempts);
    let beat = Beat { incarnation: 2, ..day.beat_of([]) };
    let (inputs, again) = day.fleet.beat(day.now, &beat, &day.scheduler);
    assert!(matches!(inputs.as_slice(), [Input::Lose { .. }]) && again.is_empty());
}

/// One dispatcher, and one stage over as many blocks as there are grants.
struct Day {
    now: Timestamp,
    scheduler: Scheduler,
    fleet: Fleet,
    events: Vec<Event>,
}

impl Day {
    fn with_grants(grants: u64) -> Self {
        let limits = Limits { decision_max: 2, ..Limits::default() };
        let (scheduler, fleet) = (Scheduler::new(limits), Fleet::new(SILENCE_MAX));
        let mut day = Self { now: START, scheduler, fleet, events: Vec::new() };
        day.ask(&Input::Claim(Epoch(1)));
        day.ask(&Input::Configure(Box::new(pipeline())));
        (0..grants).for_each(|number| day.ask(&Input::Submit(Box::new(block(number)))));
        day.fleet.look(day.now);
        day.beat([]);
        day.follow_up();
        while (day.scheduler.leases().count() as u64) < grants {
            let offers = day.fleet.offers(&day.scheduler);
            day.ask(&Input::Assign(offers));
        }
        assert_eq!(day.scheduler.leases().count() as u64, grants);
        day
    }

    fn sleep(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now = self.now + Duration::from_millis(500);
            self.fleet.look(self.now);
            self.follow_up();
        }
    }

    fn follow_up(&mut self) {
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

    fn ask(&mut self, input: &Input) {
        let events = self.scheduler.decide(self.now, input).expect("it is legal");
        self.scheduler.apply_all(self.now, &events).expect("it was decided");
        self.events.extend(events);
    }

    fn beat(
        &mut self,
        running: impl IntoIterator<Item = AttemptId>,
    ) -> (Vec<Input>, Vec<ToDispatcher>) {
        let beat = self.beat_of(running);
        self.fleet.beat(self.now, &beat, &self.scheduler)
    }

    fn beat_of(&self, running: impl IntoIterator<Item = AttemptId>) -> Beat {
        let programs = BTreeSet::from(["prover".parse().expect("a name")]);
        Beat {
            dispatcher: "one".parse().expect("a name"),
            incarnation: 1,
            capacity: Capacity { programs, slots: SLOTS, memory_bytes: MEMORY, gpus: 0 },
            running: running.into_iter().collect(),
            held: BTreeSet::new(),
        }
    }

    fn free(&self) -> Capacity {
        self.fleet.offers(&self.scheduler).pop().expect("one dispatcher").free
    }

    fn attempts(&self) -> impl Iterator<Item = AttemptId> {
        self.scheduler.leases().map(|(_, lease)| lease.attempt)
    }

    fn lost(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::Lost { .. })).count()
    }
}

fn pipeline() -> PipelineSpec {
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

fn block(number: u64) -> Block {
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

const START: Timestamp = Timestamp(1_000_000_000);
const SILENCE_MAX: Duration = Duration::from_secs(10);
const SLOTS: u32 = 8;
const MEMORY: u64 = 100;
