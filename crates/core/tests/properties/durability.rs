//! The log is all there is.

use proptest::prelude::*;
use push0_core::{Effect, Event, Limits, Scheduler, Seq, Turn};

use crate::steps::{Case, cases};
use crate::world::World;

proptest! {
    #![proptest_config(crate::steps::config())]

    #[test]
    fn replay_leads_to_the_live_state(case in cases()) {
        let mut live = World::after(&case);
        let replayed = Scheduler::replay(live.limits, &live.log).expect("the log is sound");
        while live.scheduler.poll_effect(Seq(u64::MAX)).is_some() {}
        prop_assert!(replayed == live.scheduler);
    }

    #[test]
    fn the_log_means_the_same_under_other_limits_and_after_a_trip_through_json(case in cases()) {
        let world = World::after(&case);
        let json = serde_json::to_string(&world.log).expect("events are plain");
        let log: Vec<Turn> = serde_json::from_str(&json).expect("what was written can be read");
        prop_assert_eq!(&log, &world.log);
        let limits = Limits { tasks_max: 1, blocks_max: 1, decision_max: 1, ..Limits::default() };
        let replayed = Scheduler::replay(limits, &log).expect("limits do not make a log illegal");
        prop_assert!(replayed.tasks().eq(world.scheduler.tasks()));
        prop_assert_eq!(replayed.totals(), world.scheduler.totals());
        prop_assert!(replayed.stages().eq(world.scheduler.stages()));
    }

    #[test]
    fn a_log_that_says_a_thing_twice_is_refused(case in cases(), which in any::<prop::sample::Index>()) {
        let world = World::after(&case);
        let events: Vec<_> = world.events().map(|(_, event)| event.clone()).collect();
        let at = which.index(events.len());
        prop_assume!(happens_once(&events[at]));
        let mut all = events.clone();
        all.insert(at, events[at].clone());
        let mut scheduler = Scheduler::new(world.limits);
        prop_assert!(scheduler.apply_all(world.now, &all).is_err(), "{:?} twice", events[at]);
    }

    #[test]
    fn every_effect_has_its_fact_and_every_fact_its_effect(case in cases()) {
        let mut world = World::after(&without_crashes(case));
        world.sync();
        let mut scheduler = Scheduler::new(world.limits);
        let mut expected = Vec::new();
        for turn in &world.log {
            for (seq, event) in (turn.first.0..).map(Seq).zip(&turn.events) {
                expected.extend(effects_of(&scheduler, seq, event));
                scheduler.apply_all(turn.at, [event]).expect("the log is sound");
                while scheduler.poll_effect(seq).is_some() {}
            }
        }
        let mut told: Vec<_> = world.effects.iter().map(brief).collect();
        if world.branch.is_some() {
            // What one head cancels leaves in an order that means nothing.
            told.sort_unstable();
            expected.sort_unstable();
        }
        prop_assert_eq!(told, expected);
    }

    #[test]
    fn what_is_told_was_decided_and_is_durable(case in cases()) {
        World::after(&case); // it checks each grant before it is handed on
    }
}

/// Whether the state that an event leads to excludes another of it.
const fn happens_once(event: &Event) -> bool {
    !matches!(
        event,
        Event::Configured { .. }
            | Event::SourceEnded { .. }
            | Event::Resupplied { .. }
            | Event::PayloadLost { .. }
            | Event::Surplus { .. }
            | Event::Remade { .. }
            | Event::Pinned { .. }
            | Event::KeyNamed { .. }
            | Event::Unpinned { .. }
            | Event::SetAside { .. }
            | Event::Restored { .. }
            | Event::Cordoned { .. }
            | Event::Uncordoned { .. }
            | Event::SourceResumed { .. }
            | Event::Led {}
    )
}

fn without_crashes(mut case: Case) -> Case {
    case.steps.retain(|(step, _)| !matches!(step, crate::steps::Step::Crash { .. }));
    case
}

/// What somebody must be told of an event.
fn effects_of(before: &Scheduler, seq: Seq, event: &Event) -> Vec<String> {
    let overtaken = |task: &push0_core::TaskId, but: Option<push0_core::AttemptId>| {
        let others = before.attempts_at(*task).filter(|attempt| Some(attempt.id) != but);
        others.map(|attempt| format!("cancel {} {}", attempt.dispatcher, attempt.id)).collect()
    };
    match event {
        Event::Granted { dispatcher, .. } => {
            vec![format!("grant {dispatcher} {}", before.attempt_at(seq))]
        }
        Event::Released { number, .. } => vec![format!("release {number}")],
        Event::PayloadLost { block } => vec![format!("ask {block}")],
        Event::Accepted { task, attempt, .. } => overtaken(task, Some(*attempt)),
        Event::Lost { task, .. } | Event::Withdrawn { task, .. } | Event::Parked { task, .. } => {
            overtaken(task, None)
        }
        Event::HeadMoved { .. } => {
            let mut after = before.clone();
            after.apply_all(before.now(), [event]).expect("the log is sound");
            let ended = before.attempts().filter(|attempt| after.attempt(attempt.id).is_none());
            let cancel = |it: &push0_core::Attempt| format!("cancel {} {}", it.dispatcher, it.id);
            ended.map(cancel).collect()
        }
        Event::Finalized { .. }
        | Event::Configured { .. }
        | Event::Claimed { .. }
        | Event::BlockSubmitted { .. }
        | Event::SourceEnded { .. }
        | Event::Resupplied { .. }
        | Event::BatchClosed { .. }
        | Event::TaskOpened { .. }
        | Event::Surplus { .. }
        | Event::Remade { .. }
        | Event::Failed { .. }
        | Event::Rejected { .. }
        | Event::Reopened { .. }
        | Event::Pinned { .. }
        | Event::KeyNamed { .. }
        | Event::Unpinned { .. }
        | Event::SetAside { .. }
        | Event::Restored { .. }
        | Event::Cordoned { .. }
        | Event::Uncordoned { .. }
        | Event::SourceResumed { .. }
        | Event::Led {}
        | Event::Discarded { .. } => Vec::new(), // nobody asks for the last two here
    }
}

fn brief(effect: &Effect) -> String {
    match effect {
        Effect::Grant(dispatcher, grant) => format!("grant {dispatcher} {}", grant.attempt),
        Effect::Cancel(dispatcher, attempt) => format!("cancel {dispatcher} {attempt}"),
        Effect::Release(release) => format!("release {}", release.number),
        Effect::AskSource(block) => format!("ask {block}"),
    }
}
