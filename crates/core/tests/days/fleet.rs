//! Who is alive, who is not, and what they are sent again.
//!
//! Not here: what a lost lease leads to (`properties`).

use std::collections::BTreeSet;
use std::time::Duration;

use push0_core::{AttemptId, Beat, Fleet, Input, Limits, Outcome, TaskId, ToDispatcher};

use crate::day::{Day, MEMORY, SILENCE_MAX, SLOTS, START, pipeline, result};

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

/// Its silence is no trouble: it has said that it goes, and left nothing undone.
#[test]
fn one_that_took_its_leave_is_no_longer_looked_for_and_one_that_has_something_to_end_is() {
    let mut day = Day::with_grants(1);
    let attempt = day.attempts().next().expect("one was granted");
    let of = (attempt, day.task_of(attempt));
    let heard = |day: &Day| day.fleet.heard(&day.scheduler).count();
    let says = |day: &mut Day, beat: Beat| drop(day.fleet.beat(day.now, &beat, &day.scheduler));
    let leaving = Beat { leaving: true, ..day.beat_of([]) };
    says(&mut day, Beat { running: [of].into(), ..leaving.clone() });
    assert_eq!(heard(&day), 1, "it ends what it runs");
    says(&mut day, leaving.clone());
    assert_eq!(heard(&day), 1, "it has a lease");
    day.ask(&Input::Withdraw { attempt, message: String::new(), cause: None });
    assert_eq!(heard(&day), 0);
    says(&mut day, Beat { held: [of].into(), ..leaving.clone() });
    assert_eq!(heard(&day), 1, "nobody took what it holds");
    says(&mut day, Beat { running: [of].into(), ..leaving.clone() });
    assert_eq!(heard(&day), 1);
    let mut report = day.report_on(attempt, of.1, Outcome::Cancelled);
    report.incarnation = leaving.incarnation;
    day.fleet.ended(&report);
    assert_eq!(heard(&day), 0, "it says that this has ended");
    says(&mut day, Beat { leaving: false, ..leaving });
    assert_eq!(heard(&day), 1, "it is idle, and stays");
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
fn who_beats_on_loses_nothing_though_a_new_engine_looked_before_it_heard_of_it() {
    let mut day = Day::with_grants(1);
    let attempt = day.attempts().next().expect("one was granted");
    day.fleet = Fleet::new(SILENCE_MAX);
    for _ in 0..2 * SILENCE_MAX.as_secs() {
        day.fleet.look(day.now);
        day.follow_up();
        day.beat([attempt]);
        day.now = day.now + Duration::from_secs(1);
    }
    assert_eq!(day.lost(), 0);
}

#[test]
fn a_gap_of_a_new_engine_gives_up_nobody_that_it_is_yet_to_hear_of() {
    let mut day = Day::with_grants(2);
    day.fleet = Fleet::new(SILENCE_MAX);
    day.fleet.look(day.now);
    day.follow_up();
    day.now = day.now + SILENCE_MAX * 3;
    day.fleet.look(day.now);
    day.follow_up();
    assert_eq!(day.lost(), 0);
}

#[test]
fn all_that_a_lost_dispatcher_held_is_lost_though_one_decision_does_not_hold_it() {
    let mut day = Day::with_grants(7); // decisions hold 2
    day.sleep(SILENCE_MAX + Duration::from_secs(5));
    assert_eq!((day.lost(), day.scheduler.attempts().count()), (7, 0));
}

#[test]
fn one_decision_gives_up_no_more_than_it_may_say() {
    let day = Day::with_grants(7); // decisions hold 2
    let (dispatcher, but) = (day.beat_of([]).dispatcher, BTreeSet::new());
    let lose = Input::Lose { dispatcher, but, message: String::new() };
    let events = day.scheduler.decide(day.now, &lose).expect("it is legal");
    assert!((1..=2).contains(&events.len()), "{events:?}");
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
fn a_late_beat_of_a_life_before_does_not_bring_back_who_has_departed() {
    let mut day = Day::with_grants(1);
    let old = day.beat_of([]);
    let new = Beat { incarnation: old.incarnation + 1, ..old.clone() };
    day.fleet.beat(day.now, &new, &day.scheduler);
    day.fleet.departed(&new.dispatcher, day.now, &day.scheduler);
    assert_eq!(day.fleet.beat(day.now, &old, &day.scheduler), (Vec::new(), Vec::new()));
    assert_eq!(day.fleet.life(&new.dispatcher), None, "it is dead");
    let mut later = day.fleet.clone();
    let now = day.now + Duration::from_secs(10);
    later.look(now);
    later.beat(now, &old, &day.scheduler);
    let life = later.life(&old.dispatcher).expect("its machine's clock may be behind");
    assert_eq!(life.incarnation, old.incarnation);
    day.fleet.beat(day.now, &new, &day.scheduler);
    let life = day.fleet.life(&new.dispatcher).expect("it is back");
    assert_eq!(life.incarnation, new.incarnation);
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
    let held = [(lease, day.task_of(lease)), (AttemptId(999), TaskId([9; 32]))].into();
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
    let withdraw = Input::Withdraw { attempt: stray, message: String::new(), cause: None };
    day.ask(&withdraw);
    let (_, again) = day.beat([stray]);
    assert_eq!(again, [ToDispatcher::Cancel(stray)]);
    assert_eq!((day.free().slots, day.free().memory_bytes), (SLOTS - 1, MEMORY - 1));
    let mut report = day.report_on(stray, TaskId([0; 32]), Outcome::Cancelled);
    report.incarnation = 0;
    day.fleet.ended(&report);
    assert_eq!(day.free().slots, SLOTS - 1, "a former life says nothing of what runs now");
    report.incarnation = 1;
    day.fleet.ended(&report);
    assert_eq!((day.free().slots, day.free().memory_bytes), (SLOTS, MEMORY));
}

#[test]
fn what_has_ended_takes_no_room_beside_what_has_not() {
    let mut day = Day::with_grants(3);
    let task = *day.tried().first().expect("three were granted");
    day.report(task, Outcome::Proved(result()));
    assert_eq!((day.free().slots, day.free().memory_bytes), (SLOTS - 2, MEMORY - 2));
}

#[test]
fn another_life_of_a_dispatcher_runs_nothing_of_the_one_before() {
    let mut day = Day::with_grants(3);
    let attempts: Vec<_> = day.attempts().collect();
    day.beat(attempts);
    let beat = Beat { incarnation: 2, ..day.beat_of([]) };
    let (inputs, again) = day.fleet.beat(day.now, &beat, &day.scheduler);
    assert!(matches!(inputs.as_slice(), [Input::Lose { .. }, ..]) && again.is_empty());
}

#[test]
fn another_life_keeps_the_leases_whose_results_it_holds() {
    let mut day = Day::with_grants(3);
    let attempts: Vec<_> = day.attempts().collect();
    day.beat(attempts.clone());
    let held = attempts.iter().map(|id| (*id, day.task_of(*id))).take(1).collect();
    let beat = Beat { incarnation: 2, held, ..day.beat_of([]) };
    let (inputs, _) = day.fleet.beat(day.now, &beat, &day.scheduler);
    inputs.iter().for_each(|input| day.ask(input));
    assert!(day.attempts().eq(attempts.into_iter().take(1)));
}

#[test]
fn the_life_that_was_heard_last_is_known_until_it_is_given_up() {
    let mut day = Day::of(pipeline());
    let Beat { dispatcher, .. } = day.beat_of([]);
    let life = |day: &Day| day.fleet.life(&dispatcher).map(|life| life.incarnation);
    assert_eq!((life(&day), day.fleet.is_empty()), (None, true));
    for incarnation in [1, 2] {
        let beat = Beat { incarnation, ..day.beat_of([]) };
        day.fleet.beat(day.now, &beat, &day.scheduler);
        assert_eq!((life(&day), day.fleet.is_empty()), (Some(incarnation), false));
    }
    day.sleep(SILENCE_MAX * 2);
    assert_eq!((life(&day), day.fleet.is_empty()), (None, true));
}

#[test]
fn a_program_is_offered_while_somebody_is_there_who_has_it() {
    let mut day = Day::of(pipeline());
    assert!(day.fleet.programs().is_empty());
    day.beat([]);
    assert!(day.fleet.programs().into_iter().eq(day.beat_of([]).capacity.programs.iter()));
    day.sleep(SILENCE_MAX * 2);
    assert!(day.fleet.programs().is_empty());
}

#[test]
fn one_whose_connection_ended_is_given_up_unless_it_was_heard_of_since() {
    let mut day = Day::with_grants(3);
    let attempts: Vec<_> = day.attempts().collect();
    let dispatcher = day.beat_of([]).dispatcher;
    let ended = day.now;
    day.now = day.now + Duration::from_millis(400);
    day.beat(attempts.clone());
    assert_eq!(day.fleet.departed(&dispatcher, ended, &day.scheduler), []);
    let inputs = day.fleet.departed(&dispatcher, day.now, &day.scheduler);
    inputs.iter().for_each(|input| day.ask(input));
    assert_eq!((day.attempts().count(), day.lost()), (0, attempts.len()));
}

#[test]
fn a_late_beat_of_a_former_life_says_nothing() {
    let mut day = Day::with_grants(3);
    let attempts: Vec<_> = day.attempts().collect();
    let late = Beat { incarnation: 0, ..day.beat_of([]) };
    day.beat(attempts);
    let before = day.fleet.poll_timeout();
    day.now = day.now + Duration::from_secs(1);
    let (inputs, again) = day.fleet.beat(day.now, &late, &day.scheduler);
    assert_eq!((inputs, again), (Vec::new(), Vec::new()));
    assert_eq!(day.fleet.poll_timeout(), before, "it is no sign of life either");
}

#[test]
fn a_ghost_is_cancelled_and_not_taken_for_the_attempt_of_its_number() {
    let mut day = Day::with_grants(1);
    let attempt = day.attempts().next().expect("one was granted");
    let running = [(attempt, TaskId([8; 32]))].into();
    let beat = Beat { running, ..day.beat_of([]) };
    for _ in 0..2 {
        let (inputs, again) = day.fleet.beat(day.now, &beat, &day.scheduler);
        assert_eq!(inputs, []);
        assert!(matches!(
            again.as_slice(),
            [ToDispatcher::Cancel(ghost), ToDispatcher::Grant(grant)]
                if *ghost == attempt && grant.attempt == attempt
        ));
    }
    let (inputs, again) = day.fleet.beat(day.now, &beat, &day.scheduler);
    assert!(
        matches!(inputs.as_slice(), [Input::Withdraw { attempt: gone, .. }] if *gone == attempt)
    );
    assert_eq!(again, [ToDispatcher::Cancel(attempt)]);
}

#[test]
fn a_result_of_a_task_that_may_yet_be_known_is_not_answered_for_a_minute() {
    let mut day = Day::with_grants(1);
    let attempt = AttemptId(999);
    let beat = Beat { held: [(attempt, TaskId([8; 32]))].into(), ..day.beat_of([]) };
    let of = |task| day.report_on(attempt, task, Outcome::Proved(result()));
    let (stray, failed) = (of(TaskId([8; 32])), Outcome::Cancelled);
    let failed = day.report_on(attempt, TaskId([8; 32]), failed);
    let known = of(day.tried().pop().expect("one was granted"));
    for (seconds, is_awaited) in [(0, true), (30, true), (59, true), (61, false)] {
        let now = START + Duration::from_secs(seconds);
        day.fleet.beat(now, &beat, &day.scheduler);
        assert_eq!(day.fleet.awaits(now, &stray, &day.scheduler), is_awaited, "{seconds} s");
        assert!(!day.fleet.awaits(now, &known, &day.scheduler), "its task is known");
        assert!(!day.fleet.awaits(now, &failed, &day.scheduler), "a failure costs nothing");
    }
}
