//! Of a large fleet, whoever decides nothing is not looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use push0_core::{
    AttemptId, Beat, Capacity, DispatcherId, FailureClass, Fleet, Input, Limits, Outcome,
    PipelineSpec, Report, TaskId,
};

use crate::day::{Day, SILENCE_MAX, block, pipeline, result};

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    /// So many blocks come.
    Submit(u8),
    /// One of the attempts ends, in this way.
    End(prop::sample::Index, Outcome),
    /// A dispatcher runs something that nobody knows of, or no more.
    Run(prop::sample::Index, bool),
    /// Another engine leads, which does not hear of this one.
    Lead(prop::sample::Index),
    /// Milliseconds.
    Sleep(u16),
}

fn steps() -> impl Strategy<Value = Step> {
    let failed = |class| Outcome::Failed { class, message: String::new() };
    let outcome = prop_oneof![
        Just(Outcome::Proved(result())),
        Just(failed(FailureClass::Failed)),
        Just(failed(FailureClass::Resource)),
        Just(Outcome::NotRun { message: String::new() }),
    ];
    prop_oneof![
        (1..25_u8).prop_map(Step::Submit),
        (any::<prop::sample::Index>(), outcome).prop_map(|(which, how)| Step::End(which, how)),
        (any::<prop::sample::Index>(), any::<bool>()).prop_map(|(who, runs)| Step::Run(who, runs)),
        any::<prop::sample::Index>().prop_map(Step::Lead),
        (1..30_000_u16).prop_map(Step::Sleep),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn those_that_are_looked_at_get_what_they_would_get_among_all(
        decision_max in 1..30_usize,
        crew in prop_oneof![2..8_usize, Just(120)],
        kinds in prop::collection::vec((1..4_u32, 1..6_u64, 0..3_u8), 1..4),
        steps in prop::collection::vec(steps(), 1..60),
    ) {
        let limits = Limits { decision_max, ..Limits::default() };
        let mut day = Day::under(limits, two_programs());
        day.fleet.look(day.now);
        let crew: Vec<_> = (0..crew).map(|number| beat(number, &kinds)).collect();
        hear(&mut day, &crew);
        let (mut next, mut strange, mut unheard) = (0, BTreeSet::new(), None);
        for step in steps {
            match step {
                Step::Submit(count) => for _ in 0..count {
                    day.ask(&Input::Submit(Box::new(block(next))));
                    next += 1;
                },
                Step::End(which, outcome) => end(&mut day, &which, outcome),
                Step::Run(who, true) => { strange.insert(who.index(crew.len())); }
                Step::Run(who, false) => { strange.remove(&who.index(crew.len())); }
                Step::Lead(unheard_of) => {
                    unheard = Some(unheard_of.index(crew.len()));
                    day.fleet = Fleet::new(SILENCE_MAX);
                }
                Step::Sleep(millis) => day.now = day.now + Duration::from_millis(millis.into()),
            }
            let running = |number| strange.contains(&number).then_some((AttemptId(u64::MAX), TaskId([9; 32])));
            let heard = crew.iter().enumerate().filter(|(number, _)| Some(*number) != unheard);
            let crew = heard.map(|(number, beat)| Beat {
                running: running(number).into_iter().collect(),
                ..beat.clone()
            });
            hear(&mut day, &crew.collect::<Vec<_>>());
            day.follow_up();
            let (all, some) = (day.fleet.offers(&day.scheduler), day.fleet.offers_at(day.now, &day.scheduler));
            let decide = |offers| day.scheduler.decide(day.now, &Input::Assign(offers));
            prop_assert!(some.iter().all(|offer| all.contains(offer)));
            prop_assert_eq!(decide(some.clone()), decide(all));
            day.ask(&Input::Assign(some));
        }
    }
}

#[test]
fn of_a_thousand_idle_dispatchers_few_are_looked_at() {
    let mut day = Day::of(pipeline());
    day.fleet.look(day.now);
    let crew: Vec<_> = (0..1_000).map(|number| beat(number, &[(8, 100, 0)])).collect();
    hear(&mut day, &crew);
    day.ask(&Input::Submit(Box::new(block(0))));
    day.follow_up();
    let offers = day.fleet.offers_at(day.now, &day.scheduler);
    assert!((1..50).contains(&offers.len()), "{}", offers.len());
}

#[test]
fn an_attempt_takes_its_gpus() {
    let mut spec = pipeline();
    spec.programs.get_mut("prover").expect("there is one").gpus = 2;
    let mut day = Day::of(spec);
    let mut crew = beat(0, &[(8, 1 << 40, 1)]);
    crew.capacity.gpus = 5;
    (0..4).for_each(|number| day.ask(&Input::Submit(Box::new(block(number)))));
    hear(&mut day, std::slice::from_ref(&crew));
    day.follow_up();
    assert_eq!(day.free().gpus, 5);
    for _ in 0..2 {
        day.ask(&Input::Assign(day.fleet.offers(&day.scheduler)));
        assert_eq!(day.free().gpus, 1, "a third has no room");
    }
    let leases: Vec<_> = day.scheduler.attempts().map(|lease| (lease.id, lease.task)).collect();
    assert_eq!(leases.len(), 2);
    let (attempt, task) = leases.first().copied().expect("two were granted");
    let report = Report {
        dispatcher: name(0),
        incarnation: 1,
        attempt,
        task,
        outcome: Outcome::Proved(result()),
        ran: Duration::from_secs(1),
    };
    day.ask(&Input::Report(report));
    assert_eq!(day.free().gpus, 3, "what has ended takes none");
}

/// All of them say how they are; nothing is made of what they do not mention.
fn hear(day: &mut Day, crew: &[Beat]) {
    day.fleet.look(day.now);
    for beat in crew {
        let _ = day.fleet.beat(day.now, beat, &day.scheduler);
    }
}

/// One of the attempts that hold a lease has ended.
fn end(day: &mut Day, which: &prop::sample::Index, outcome: Outcome) {
    let mut leases: Vec<_> = day.scheduler.attempts().collect();
    if leases.is_empty() {
        return;
    }
    leases.sort_by_key(|lease| lease.id);
    let lease = which.get(&leases);
    let (task, attempt, dispatcher) = (lease.task, lease.id, lease.dispatcher.clone());
    let ran = Duration::from_secs(1);
    let report = Report { dispatcher, incarnation: 1, attempt, task, outcome, ran };
    day.ask(&Input::Report(report));
}

/// What the dispatcher of this number says of itself.
fn beat(number: usize, kinds: &[(u32, u64, u8)]) -> Beat {
    let (slots, memory_bytes, programs) =
        kinds.iter().cycle().nth(number).copied().expect("there is one");
    let programs = match programs {
        0 => vec!["prover", "heavy"],
        1 => vec!["prover"],
        _ => vec!["heavy"],
    };
    let programs = programs.into_iter().map(|name| name.parse().expect("a name"));
    Beat {
        dispatcher: name(number),
        incarnation: 1,
        capacity: Capacity { programs: programs.collect(), slots, memory_bytes, gpus: 0 },
        running: BTreeMap::new(),
        held: BTreeMap::new(),
        leaving: false,
    }
}

/// In no order.
fn name(number: usize) -> DispatcherId {
    format!("d{}-{number}", (number * 7) % 10).parse().expect("a name")
}

/// Each block is proved by a light program and by a heavy one.
fn two_programs() -> PipelineSpec {
    let mut spec = pipeline();
    let mut heavy = spec.programs.get("prover").expect("there is one").clone();
    heavy.memory = Some(3);
    spec.programs.insert("heavy".into(), heavy);
    let mut stage = spec.stages.get("prove").expect("there is one").clone();
    stage.program = Some("heavy".into());
    spec.stages.insert("again".into(), stage);
    spec.release.inputs.push("again".into());
    spec
}
