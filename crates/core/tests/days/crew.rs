//! A day on which dispatchers differ: some are well, some are sick.

use std::collections::BTreeSet;
use std::time::Duration;

use push0_core::{
    Capacity, Event, FailureClass, Input, Limits, Offer, Outcome, PipelineSpec, Report, TaskId,
    Timestamp,
};

use crate::day::{Day, block, pipeline, result};

/// A day on which so many tasks wait, and nobody has tried any.
pub(crate) fn waiting(spec: PipelineSpec, tasks: u64) -> Day {
    let mut day = Day::under(Limits::default(), spec);
    (0..tasks).for_each(|number| day.ask(&Input::Submit(Box::new(block(number)))));
    day.fleet.look(day.now);
    day.follow_up();
    day
}

pub(crate) fn offer(day: &Day, name: &str, slots: u32) -> Offer {
    let capacity = Capacity { slots, ..day.beat_of([]).capacity };
    Offer { dispatcher: name.parse().expect("a name"), free: capacity.clone(), whole: capacity }
}

/// Grants what these may get, and answers it as task and dispatcher.
pub(crate) fn grant(day: &mut Day, offers: &[(&str, u32)]) -> Vec<(TaskId, String)> {
    let offers = offers.iter().map(|(name, slots)| offer(day, name, *slots)).collect();
    let before = day.events.len();
    day.ask(&Input::Assign(offers));
    let granted = day.events.iter().skip(before).filter_map(|event| {
        let Event::Granted { task, dispatcher, .. } = event else { return None };
        Some((*task, dispatcher.to_string()))
    });
    granted.collect()
}

/// Ends the attempt at `task`, by the word of who holds it.
pub(crate) fn end(day: &mut Day, task: TaskId, outcome: Outcome) {
    let lease = day.scheduler.attempts_at(task).next().cloned();
    let lease = lease.expect("it is being tried");
    let ran = Duration::from_secs(1);
    let (dispatcher, attempt) = (lease.dispatcher, lease.id);
    day.ask(&Input::Report(Report { dispatcher, incarnation: 1, attempt, task, outcome, ran }));
    day.follow_up();
}

pub(crate) fn failed(class: FailureClass) -> Outcome {
    Outcome::Failed { class, message: "the driver is gone".to_owned() }
}

/// Gives `who` up, and with it all that it holds.
pub(crate) fn lose(day: &mut Day, who: &str) {
    let (dispatcher, message) = (who.parse().expect("a name"), "it was silent".to_owned());
    day.ask(&Input::Lose { dispatcher, but: BTreeSet::new(), message });
    day.follow_up();
}

/// Sets `who` aside for a program, as a log may say, until it may get a probe.
pub(crate) fn set_aside(day: &mut Day, who: &str, program: &str, until: Timestamp) {
    let [dispatcher, message] = [who, "the driver is gone"].map(str::to_owned);
    let event = Event::SetAside {
        dispatcher: dispatcher.parse().expect("a name"),
        program: program.parse().expect("a name"),
        failures: ROUNDS,
        until,
        message,
    };
    day.scheduler.apply_all(day.now, [&event]).expect("a log may say so");
    day.events.push(event);
}

pub(crate) fn later(day: &mut Day, time: Duration) {
    day.now = day.now + time;
    day.follow_up();
}

pub(crate) fn asides(day: &Day) -> Vec<(String, Timestamp)> {
    let asides = day.scheduler.asides();
    asides.map(|(_, who, aside)| (who.to_string(), aside.until)).collect()
}

/// `sick` fails in three rounds, while `well` has proved one; `well` has no slot free any more.
pub(crate) fn with_one_set_aside() -> Day {
    let mut day = waiting(pipeline(), 8);
    for (task, _) in grant(&mut day, &[("well", 1)]) {
        end(&mut day, task, Outcome::Proved(result()));
    }
    for _ in 0..ROUNDS {
        later(&mut day, Duration::from_secs(60));
        for (task, _) in grant(&mut day, &[("sick", 2)]) {
            end(&mut day, task, failed(FailureClass::Failed));
        }
    }
    assert_eq!(asides(&day).len(), 1, "it failed in {ROUNDS} rounds");
    day
}

/// Rounds of failures in a row after which a dispatcher is set aside.
pub(crate) const ROUNDS: u32 = 3;
