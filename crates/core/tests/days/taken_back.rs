//! What goes with a result that is taken back, and what does not.

#![expect(clippy::indexing_slicing, reason = "a test that finds nothing there fails")]

use std::collections::{BTreeMap, BTreeSet};

use push0_core::{
    AttemptId, Digest, Effect, Epoch, Input, Limits, Outcome, PipelineSpec, Rejection,
    ReleaseNumber, ResultRef, Scheduler, Seq, StageSpec, TaskId, TaskState, Turn, Verdict, Vkey,
};

use crate::day::{Day, pipeline, result};

#[test]
fn what_read_it_is_open_again_and_what_did_not_is_as_it_was() {
    let mut day = Day::of(wrapped()).granted(2);
    let makers = day.tried();
    prove_all(&mut day);
    let wraps = readers(&day, makers[0]);
    discard(&mut day, makers[0]);
    let is_open = |id: &TaskId| day.scheduler.task(id).expect("it").is_open();
    assert_eq!([makers[0], wraps[0]].map(|id| is_open(&id)), [true, true]);
    assert!(!is_open(&makers[1]) && readers(&day, makers[1]).iter().all(|id| !is_open(id)));
    prove_all(&mut day);
    assert_eq!(day.scheduler.totals().tasks_open, 0);
    assert_same_after_replay(&day);
}

#[test]
fn a_result_of_before_is_not_taken_and_one_of_after_is_whatever_it_says() {
    let mut day = Day::with_grants(1);
    let (task, before) = (day.tried()[0], day.attempts().next().expect("one"));
    let lie = ResultRef { statement: Digest::of(b"a lie"), ..result() };
    day.report(task, Outcome::Proved(lie.clone()));
    discard(&mut day, task);
    let again = Input::Report(day.report_on(before, task, Outcome::Proved(lie)));
    let answer = day.scheduler.decide(day.now, &again);
    assert_eq!(answer, Err(Rejection::Answered(Verdict::Unwanted)));
    day.grant();
    day.report(task, Outcome::Proved(result()));
    assert_eq!(day.scheduler.task(&task).expect("it").state, TaskState::Accepted);
}

/// A grant leaves before it is durable. So an engine that dies may have granted at a position that
/// the next one is far from, and what was made by it is of before all the same.
#[test]
fn a_result_of_an_engine_before_is_not_taken_at_whatever_position_it_was_granted() {
    let mut day = Day::of(pipeline());
    day.ask(&Input::Claim(Epoch(2)));
    let mut day = day.granted(1);
    let (task, before) = (day.tried()[0], AttemptId::of(Epoch(1), Seq(1_000_000)));
    let lie = ResultRef { statement: Digest::of(b"a lie"), ..result() };
    day.report(task, Outcome::Proved(lie.clone()));
    discard(&mut day, task);
    let again = Input::Report(day.report_on(before, task, Outcome::Proved(lie)));
    let answer = day.scheduler.decide(day.now, &again);
    assert_eq!(answer, Err(Rejection::Answered(Verdict::Unwanted)));
    let after = AttemptId::of(Epoch(3), Seq(1));
    let other = Input::Report(day.report_on(after, task, Outcome::Proved(result())));
    assert!(day.scheduler.decide(day.now, &other).is_ok(), "it is of after");
}

#[test]
fn what_was_released_is_recalled_under_its_number_and_made_again() {
    let mut day = Day::with_grants(2);
    prove_all(&mut day);
    let released = day.scheduler.releases(ReleaseNumber(0)).to_vec();
    assert_eq!(released.len(), 2);
    discard(&mut day, released[0].tasks[0]);
    let numbers: Vec<_> = day.scheduler.recalled().map(|(number, _)| number).collect();
    assert_eq!(numbers, [ReleaseNumber(1)]);
    prove_all(&mut day);
    assert_eq!(day.scheduler.releases(ReleaseNumber(0)), released);
}

#[test]
fn a_span_is_not_released_by_what_was_taken_back() {
    let mut spec = pipeline();
    let second = spec.stages["prove"].clone();
    spec.stages.insert("second".into(), second);
    spec.release.inputs.push("second".into());
    let mut day = Day::of(spec);
    day.ask(&Input::Submit(Box::new(crate::day::block(0))));
    day.fleet.look(day.now);
    day.beat([]);
    day.follow_up();
    day.grant();
    let [one, two] = *day.tried() else { panic!("each stage has a task") };
    day.report(one, Outcome::Proved(result()));
    discard(&mut day, one);
    day.report(two, Outcome::Proved(result()));
    assert_eq!(day.scheduler.totals().blocks_released, 0);
    prove_all(&mut day);
    assert_eq!(day.scheduler.totals().blocks_released, 1);
}

#[test]
fn who_works_on_what_was_made_from_it_is_told_to_stop() {
    let mut day = Day::of(wrapped()).granted(1);
    let maker = day.tried()[0];
    day.report(maker, Outcome::Proved(result()));
    day.grant();
    let attempt = day.attempts().next().expect("the wrap is tried");
    while day.scheduler.poll_effect(Seq(u64::MAX)).is_some() {}
    discard(&mut day, maker);
    let effects = std::iter::from_fn(|| day.scheduler.poll_effect(Seq(u64::MAX)));
    let mut cancelled = effects.filter_map(|effect| match effect {
        Effect::Cancel(_, attempt) => Some(attempt),
        Effect::Grant(..) | Effect::Release(_) | Effect::AskSource(_) => None,
    });
    assert_eq!(cancelled.next(), Some(attempt));
    assert_eq!(day.attempts().count(), 0);
}

#[test]
fn the_parts_of_a_split_that_is_taken_back_may_be_others() {
    for parts in [1, 2, 3] {
        let mut day = Day::of(split()).granted(1);
        let splits = day.tried()[0];
        let of = |count: u8| (0..count).map(|part| Digest::of(&[part])).collect::<Vec<_>>();
        day.report(splits, Outcome::Proved(ResultRef { parts: of(2), ..result() }));
        day.grant();
        let first = day.tried()[0];
        day.report(first, Outcome::Proved(result()));
        day.grant();
        discard(&mut day, splits);
        day.grant();
        assert_eq!(day.tried(), [splits], "nothing else is left of it");
        day.report(splits, Outcome::Proved(ResultRef { parts: of(parts), ..result() }));
        prove_all(&mut day);
        assert_eq!(day.scheduler.totals().blocks_released, 1, "{parts} parts");
        assert_eq!(day.scheduler.tasks().count(), usize::from(parts) + 2);
        assert_same_after_replay(&day);
    }
}

/// The parts of a lie were proved, and the proof comes once the same parts are asked for again.
#[test]
fn what_was_made_from_the_parts_of_a_lie_is_not_taken_for_those_that_are_made_again() {
    let mut day = Day::of(split()).granted(1);
    let splits = day.tried()[0];
    let of = |lie: u8| (0..2).map(|part| Digest::of(&[lie, part])).collect::<Vec<_>>();
    day.report(splits, Outcome::Proved(ResultRef { parts: of(1), ..result() }));
    day.grant();
    let (part, attempt) = (day.tried()[0], day.attempts().next().expect("a part is tried"));
    discard(&mut day, splits);
    day.grant();
    day.report(splits, Outcome::Proved(ResultRef { parts: of(2), ..result() }));
    assert!(day.scheduler.task(&part).expect("it is opened again").is_open());
    let late = Input::Report(day.report_on(attempt, part, Outcome::Proved(result())));
    let answer = day.scheduler.decide(day.now, &late);
    assert_eq!(answer, Err(Rejection::Answered(Verdict::Unwanted)));
    prove_all(&mut day);
    assert_eq!(day.scheduler.totals().tasks_open, 0, "those of after are taken");
    assert_same_after_replay(&day);
}

#[test]
fn parts_that_were_joined_are_as_many_as_before() {
    let mut day = Day::of(split()).granted(1);
    let splits = day.tried()[0];
    let of = |count: u8| (0..count).map(|part| Digest::of(&[part])).collect::<Vec<_>>();
    day.report(splits, Outcome::Proved(ResultRef { parts: of(2), ..result() }));
    prove_all(&mut day);
    discard(&mut day, splits);
    let takes = |day: &mut Day, count| {
        day.grant();
        day.report(splits, Outcome::Proved(ResultRef { parts: of(count), ..result() }));
        day.scheduler.task(&splits).expect("it").state == TaskState::Accepted
    };
    assert_eq!([3, 2].map(|count| takes(&mut day, count)), [false, true]);
    prove_all(&mut day);
    assert_eq!(day.scheduler.totals().tasks_open, 0);
}

/// Who says it twice finds that it was heard the first time, also once the result is made again.
#[test]
fn what_was_taken_back_since_somebody_looked_is_known() {
    let mut day = Day::of(wrapped()).granted(1);
    let task = day.tried()[0];
    day.report(task, Outcome::Proved(result()));
    prove_all(&mut day);
    let seen = day.scheduler.last();
    let since =
        |day: &Day| day.scheduler.discarded_since(&[task], seen).map(|(_, at)| at).collect();
    let none: BTreeSet<Seq> = since(&day);
    assert!(none.is_empty());
    discard(&mut day, task);
    prove_all(&mut day);
    assert!(day.scheduler.task(&task).expect("it").result.is_some(), "it is made again");
    let told = day.scheduler.discarded_at(&since(&day));
    assert_eq!(told, (2, vec![ReleaseNumber(1)]));
    let later = day.scheduler.last();
    assert_eq!(day.scheduler.discarded_since(&[task], later).count(), 0);
}

#[test]
fn what_has_no_result_cannot_be_taken_back() {
    let day = Day::with_grants(1);
    let task = day.tried()[0];
    let discard = Input::Discard { task, by: "me".into(), why: "so".into() };
    let answer = day.scheduler.decide(day.now, &discard);
    assert_eq!(answer, Err(Rejection::NotDiscarded(task)));
}

#[test]
fn a_key_that_came_from_it_goes_with_it() {
    let mut day = Day::with_grants(2);
    let [one, two] = *day.tried() else { panic!("two were granted") };
    let under = |key| Outcome::Proved(ResultRef { vkey: Some(Vkey([key; 32])), ..result() });
    day.report(one, under(1));
    discard(&mut day, one);
    day.report(two, under(2));
    assert_eq!(day.scheduler.task(&two).expect("it").state, TaskState::Accepted);
}

fn discard(day: &mut Day, task: TaskId) {
    let (by, why) = ("an operator".to_owned(), "it is a lie".to_owned());
    day.ask(&Input::Discard { task, by, why });
    day.follow_up();
}

/// Proves what can be proved, until nothing can.
fn prove_all(day: &mut Day) {
    for _ in 0..20 {
        day.grant();
        for task in day.tried() {
            day.report(task, Outcome::Proved(result_of(day, task)));
        }
    }
}

/// A result that its stage can have.
fn result_of(day: &Day, task: TaskId) -> ResultRef {
    let stage = day.scheduler.task(&task).expect("it").stage;
    let is_split = day.scheduler.pipeline().stage(stage).output == push0_core::Output::Parts;
    let parts = if is_split { vec![Digest::of(b"one"), Digest::of(b"two")] } else { Vec::new() };
    ResultRef { parts, ..result() }
}

fn readers(day: &Day, maker: TaskId) -> Vec<TaskId> {
    let reads =
        |inputs: &[push0_core::InputId]| inputs.iter().any(|input| input.maker() == Some(maker));
    day.scheduler.tasks().filter(|(_, task)| reads(&task.inputs)).map(|(id, _)| *id).collect()
}

/// What the log says is what is there.
fn assert_same_after_replay(day: &Day) {
    let mut scheduler = Scheduler::new(Limits { decision_max: 2, ..Limits::default() });
    let last = day.scheduler.now();
    for (event, seq) in day.events.iter().zip(1..) {
        let at = if seq == day.events.len() as u64 { last } else { scheduler.now() };
        let events = vec![event.clone()];
        let turn = Turn { epoch: Epoch(1), first: Seq(seq), at, events };
        scheduler.replay_turn(&turn).expect("it was decided");
    }
    let stand = |scheduler: &Scheduler| {
        let tasks = scheduler.tasks().map(|(id, task)| {
            let is_made = task.result.is_some();
            (*id, task.key, task.is_open(), is_made, task.discarded.clone())
        });
        let recalled: Vec<_> = scheduler.recalled().collect();
        (tasks.collect::<Vec<_>>(), recalled, scheduler.releases(ReleaseNumber(0)).to_vec())
    };
    assert_eq!(stand(&scheduler), stand(&day.scheduler));
}

/// A proof of each proof.
fn wrapped() -> PipelineSpec {
    let mut spec = pipeline();
    let prove = spec.stages["prove"].clone();
    spec.stages.insert("wrap".into(), StageSpec { inputs: vec!["prove".into()], ..prove });
    spec.release.inputs = vec!["wrap".into()];
    spec
}

/// Splits each block, proves its parts, and joins them.
fn split() -> PipelineSpec {
    let mut spec = pipeline();
    let prove = spec.stages.remove("prove").expect("it is there");
    let split = StageSpec { output: Some("parts".into()), ..prove.clone() };
    let step = StageSpec { inputs: vec!["split".into()], ..prove.clone() };
    let (inputs, collect) = (vec!["step".into()], Some("parts".into()));
    let join = StageSpec { inputs, collect, ..prove };
    spec.stages =
        BTreeMap::from([("split".into(), split), ("step".into(), step), ("join".into(), join)]);
    spec.release.inputs = vec!["join".into()];
    spec
}
