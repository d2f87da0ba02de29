//! Whose trouble it is: a task's, a dispatcher's, or everybody's.

use std::time::Duration;

use push0_core::{Event, FailureClass, Input, Outcome, ParkedBy, TaskId, TaskState};

use crate::crew::{asides, end, failed, grant, later, offer, waiting, with_one_set_aside};
use crate::day::{Day, pipeline, result};

#[test]
fn who_fails_what_others_may_prove_is_set_aside_and_gets_one_probe_at_a_time() {
    let mut day = with_one_set_aside();
    assert_eq!(asides(&day).len(), 1);
    let mut waits = Vec::new();
    for _ in 0..12 {
        let until = asides(&day).pop().expect("it is set aside").1;
        waits.push(until.since(day.now));
        assert_eq!(grant(&mut day, &[("sick", 8)]), [], "not before its time");
        assert!(day.scheduler.poll_timeout(day.now).is_some_and(|due| due.at <= until));
        day.now = until;
        day.follow_up();
        let probe = grant(&mut day, &[("sick", 8)]);
        assert_eq!((probe.len(), grant(&mut day, &[("sick", 7)]).len()), (1, 0), "one at a time");
        let (task, _) = probe.first().expect("one").clone();
        end(&mut day, task, failed(FailureClass::Failed));
    }
    let doubled = waits.is_sorted();
    assert!(doubled && waits.last() == Some(&Duration::from_secs(300)), "{waits:?}");
    assert_eq!(day.scheduler.parked().count(), 0, "what fails there is charged to it");
    later(&mut day, Duration::from_secs(300));
    let (task, _) = grant(&mut day, &[("sick", 8)]).pop().expect("a probe");
    end(&mut day, task, Outcome::Proved(result()));
    assert!(asides(&day).is_empty() && matches!(day.events.last(), Some(Event::Restored { .. })));
    assert!(grant(&mut day, &[("sick", 8)]).len() > 1, "it gets work again");
}

#[test]
fn a_probe_is_not_the_head_and_goes_to_nobody_where_the_others_are_free() {
    let mut day = with_one_set_aside();
    later(&mut day, Duration::from_secs(300));
    let granted = grant(&mut day, &[("sick", 8), ("well", 8)]);
    assert!(granted.len() >= 7 && granted.iter().all(|(_, who)| who == "well"), "{granted:?}");
    let mut day = with_one_set_aside();
    later(&mut day, Duration::from_secs(300));
    let granted = grant(&mut day, &[("sick", 8), ("well", 1)]);
    let first = |task: &TaskId| day.scheduler.task(task).expect("it").key.first;
    let [(head, well), (probe, sick)] = granted.as_slice() else { panic!("{granted:?}") };
    assert_eq!((well.as_str(), sick.as_str()), ("well", "sick"));
    assert!(first(head) < first(probe));
}

#[test]
fn while_nobody_proves_a_program_nothing_of_it_parks_and_one_success_ends_that() {
    for class in [FailureClass::Failed, FailureClass::Transient, FailureClass::Timeout] {
        let mut day = waiting(pipeline(), 20);
        let program = "prover".parse().expect("a name");
        for _ in 0..40 {
            later(&mut day, Duration::from_secs(400));
            for (task, _) in grant(&mut day, &[("one", 4), ("two", 4)]) {
                end(&mut day, task, failed(class));
            }
        }
        let parked = day.scheduler.parked().count();
        assert!(parked <= 2, "{class:?}: {parked} parked"); // the first may be their own fault
        assert!(day.scheduler.troubled_since(&program).is_some());
        assert_eq!(asides(&day).len(), 2);
        later(&mut day, Duration::from_secs(400));
        let (task, _) = grant(&mut day, &[("one", 4)]).pop().expect("a probe");
        end(&mut day, task, Outcome::Proved(result()));
        assert_eq!(day.scheduler.troubled_since(&program), None);
    }
}

#[test]
fn what_provers_say_of_their_tasks_is_believed_while_nobody_proves_and_a_second_word_is_heard_after()
 {
    let mut day = waiting(pipeline(), 6);
    for (task, _) in grant(&mut day, &[("one", 2)]) {
        end(&mut day, task, failed(FailureClass::Unprovable));
    }
    assert_eq!(day.scheduler.parked().count(), 2);
    let (proved, _) = grant(&mut day, &[("well", 1)]).pop().expect("one");
    end(&mut day, proved, Outcome::Proved(result()));
    let (task, _) = grant(&mut day, &[("one", 1)]).pop().expect("one");
    end(&mut day, task, failed(FailureClass::Unprovable));
    assert_eq!(day.scheduler.parked().count(), 2, "another proves this program");
    later(&mut day, Duration::from_secs(60));
    for (task, _) in grant(&mut day, &[("well", 8)]) {
        end(&mut day, task, failed(FailureClass::Unprovable));
    }
    assert!(day.scheduler.task(&task).expect("it").state == TaskState::Parked);
}

#[test]
fn a_machine_that_stops_with_all_that_it_runs_is_not_set_aside_for_it() {
    let mut day = waiting(pipeline(), 40);
    for (round, outcome) in [
        Outcome::NotRun { message: "its dispatcher was stopped".to_owned() },
        failed(FailureClass::Failed),
    ]
    .into_iter()
    .enumerate()
    {
        for (task, _) in grant(&mut day, &[("large", 32)]) {
            end(&mut day, task, outcome.clone());
        }
        assert_eq!(asides(&day), [], "round {round}");
        later(&mut day, Duration::from_secs(60));
    }
}

#[test]
fn one_task_that_fails_everywhere_sets_nobody_aside() {
    let mut day = waiting(pipeline(), 1);
    let tasks: Vec<_> = day.scheduler.tasks().map(|(id, _)| *id).collect();
    let task = *tasks.first().expect("one");
    for _ in 0..10 {
        later(&mut day, Duration::from_secs(400));
        for (task, _) in grant(&mut day, &[("one", 4), ("two", 4), ("three", 4)]) {
            end(&mut day, task, failed(FailureClass::Failed));
        }
    }
    assert_eq!(asides(&day), []);
    let parked = day.scheduler.task(&task).and_then(|task| task.parked.as_ref());
    assert!(matches!(parked, Some((ParkedBy::Dispatchers | ParkedBy::Failed, _))), "{parked:?}");
}

#[test]
fn who_begins_nothing_is_set_aside_as_well() {
    let mut day = waiting(pipeline(), 8);
    let (since, mut refused) = (day.now, 0);
    while asides(&day).is_empty() {
        assert!(day.now.since(since) < Duration::from_secs(36_000), "{refused} refused");
        later(&mut day, Duration::from_secs(1));
        for (task, _) in grant(&mut day, &[("hole", 8)]) {
            refused += 1;
            end(&mut day, task, Outcome::NotRun { message: "busy".to_owned() });
        }
        assert!(refused < 300);
    }
    assert!(refused >= 16, "a full one may refuse a few: {refused}");
}

#[test]
fn who_was_set_aside_is_so_after_a_replay_and_after_a_takeover() {
    let mut day = with_one_set_aside();
    day.ask(&Input::Claim(push0_core::Epoch(2)));
    let turn = push0_core::Turn {
        epoch: push0_core::Epoch(1),
        first: push0_core::Seq(1),
        at: day.now,
        events: day.events.clone(),
    };
    let limits = *day.scheduler.limits();
    let again = push0_core::Scheduler::replay(limits, [&turn]).expect("it is a log");
    let told: Vec<_> = again.asides().map(|(_, who, _)| who.to_string()).collect();
    assert_eq!(told, ["sick"]);
}

/// Of machines that have not failed it, one with more memory is tried next, however much it has to
/// do.
#[test]
fn what_ran_out_of_memory_is_tried_again_where_there_is_most() {
    assert_eq!(after_lack_of_memory(&[("middling", 4, 32), ("large", 1, 64)]), "large");
}

/// Who claims more than the program could use is no better for it, and has more to do.
#[test]
fn a_claim_of_all_memory_is_worth_no_more_than_enough() {
    assert_eq!(after_lack_of_memory(&[("boaster", 1, 1 << 16), ("large", 4, 64)]), "large");
}

/// Who of these, by free slots of four and gigabytes, is granted what ran out of its 8 GB on a
/// small machine.
fn after_lack_of_memory(machines: &[(&str, u32, u64)]) -> String {
    let mut spec = pipeline();
    spec.programs.get_mut("prover").expect("there is one").memory = Some(8 << 30);
    let mut day = waiting(spec, 1);
    let of = |day: &Day, &(name, free, gigabytes): &(&str, u32, u64)| {
        let mut offer = offer(day, name, 4);
        offer.free.slots = free;
        offer.whole.memory_bytes = gigabytes << 30;
        offer.free.memory_bytes = gigabytes << 30;
        offer
    };
    let small = ("a-small", 4, 8);
    let first = of(&day, &small);
    day.ask(&Input::Assign(vec![first]));
    let [task] = day.tried()[..] else { panic!("one waits") };
    end(&mut day, task, failed(FailureClass::Resource));
    day.now = day.now + Duration::from_secs(600);
    day.follow_up();
    let offers = machines.iter().chain([&small]).map(|machine| of(&day, machine)).collect();
    let before = day.events.len();
    day.ask(&Input::Assign(offers));
    let granted = day.events.iter().skip(before).find_map(|event| {
        let Event::Granted { dispatcher, .. } = event else { return None };
        Some(dispatcher.to_string())
    });
    granted.expect("it is granted")
}
