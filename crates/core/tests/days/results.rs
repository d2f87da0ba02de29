//! Which results are taken, and what is recorded of those that are not.

use std::collections::BTreeMap;

use push0_core::{
    AttemptId, Digest, Event, Input, Limits, Outcome, ParkedBy, PipelineSpec, Rejection, ResultRef,
    TaskId, TaskState, Verdict, Vkey,
};

use crate::day::{Day, pipeline, result};

#[test]
fn a_mock_is_taken_only_by_a_pipeline_that_allows_mocks_of_a_program_that_is_one() {
    let is_taken = |(allow_mock, is_mock)| {
        let mut spec = PipelineSpec { allow_mock, ..pipeline() };
        spec.programs.values_mut().for_each(|program| program.mock = is_mock);
        let mut day = Day::of(spec).granted(1);
        takes(&mut day, ResultRef { mock: true, ..result() })
    };
    let cases = [(false, false), (true, false), (true, true)];
    assert_eq!(cases.map(is_taken), [false, false, true]);
}

#[test]
fn a_result_is_of_the_key_that_the_first_was_of() {
    let mut day = Day::with_grants(3);
    let tried = day.tried().into_iter();
    let results = [7, 8, 7].map(|key| ResultRef { vkey: Some(Vkey([key; 32])), ..result() });
    let taken = tried.zip(results).map(|(task, result)| take(&mut day, task, result));
    let taken: Vec<_> = taken.collect();
    assert_eq!(taken, [true, false, true]);
}

#[test]
fn no_dispatcher_pins_a_key_for_the_others_alone_and_two_do() {
    let mut day = Day::with_grants(6);
    let tried = day.tried();
    let mut say = |who: &str, task: usize, key| {
        let result = ResultRef { vkey: Some(Vkey([key; 32])), ..result() };
        let task = *tried.get(task).expect("six were granted");
        let attempt = day.lease(who, task);
        let mut report = day.report_on(attempt, task, Outcome::Proved(result));
        report.dispatcher = who.parse().expect("a name");
        day.scheduler
            .decide(day.now, &Input::Report(report))
            .inspect(|events| day.scheduler.apply_all(day.now, events).expect("it was decided"))
            .is_ok_and(|events| events.iter().any(|it| matches!(it, Event::Accepted { .. })))
    };
    assert!(say("liar", 0, 9), "it is a dispatcher's word, and the first");
    assert!(say("one", 1, 7), "who came before binds nobody");
    assert!(!say("one", 2, 8), "but each is held to its own word");
    assert!(say("two", 2, 7), "two agree");
    assert!(!say("liar", 3, 9), "and that is what it is");
    assert!(say("three", 3, 7));
    let (by, why) = ("me".to_owned(), "the prover was updated".to_owned());
    let program = "prover".parse().expect("a name");
    let first = day.scheduler.tasks().filter_map(|(_, task)| Some(task.result.as_ref()?.seq)).min();
    assert_eq!(day.scheduler.key_named_since(&program), first);
    day.ask(&Input::Unpin { program: program.clone(), by, why });
    assert_eq!(day.scheduler.vkey(&program), None);
    assert_eq!(day.scheduler.key_named_since(&program), None);
}

/// A machine that may speak under several names agrees with itself, and a result is taken whoever
/// brings it.
#[test]
fn only_who_holds_a_lease_names_a_key() {
    let mut day = Day::with_grants(6);
    let tasks = day.tried();
    let mut say = |who: &str, task: usize, key, is_asked: bool| {
        let task = *tasks.get(task).expect("six were granted");
        let attempt = if is_asked { day.lease(who, task) } else { AttemptId(900) };
        let result = ResultRef { vkey: Some(Vkey([key; 32])), ..result() };
        let mut report = day.report_on(attempt, task, Outcome::Proved(result));
        report.dispatcher = who.parse().expect("a name");
        day.ask(&Input::Report(report));
        assert!(day.scheduler.task(&task).is_some_and(|it| it.state == TaskState::Accepted));
        day.scheduler.vkey(&"prover".parse().expect("a name"))
    };
    assert_eq!(say("liar", 0, 9, false), None);
    assert_eq!(say("liar2", 1, 9, false), None, "two names, and nobody asked them");
    assert_eq!(say("one", 2, 7, true), None);
    assert_eq!(say("liar3", 3, 7, false), None, "nor do they pin what is true");
    assert_eq!(say("two", 4, 7, true), Some(Vkey([7; 32])));
}

#[test]
fn a_machine_whose_prover_is_mended_is_back_with_the_key_that_another_named() {
    let mut day = Day::with_grants(6);
    let tried = day.tried();
    let program = "prover".parse().expect("a name");
    for (who, task, key, pinned) in
        [("mended", 0, 9, None), ("one", 1, 7, None), ("mended", 2, 7, Some(7))]
    {
        let result = ResultRef { vkey: Some(Vkey([key; 32])), ..result() };
        let task = *tried.get(task).expect("six were granted");
        let attempt = day.lease(who, task);
        let mut report = day.report_on(attempt, task, Outcome::Proved(result));
        report.dispatcher = who.parse().expect("a name");
        day.ask(&Input::Report(report));
        let state = day.scheduler.task(&task).map(|task| task.state.clone());
        assert_eq!(state, Some(TaskState::Accepted), "{who} {key}");
        assert_eq!(day.scheduler.vkey(&program), pinned.map(|key| Vkey([key; 32])));
    }
}

#[test]
fn a_split_makes_some_parts_and_not_too_many_and_a_proof_has_none() {
    let is_taken = |pipeline: PipelineSpec, parts| {
        let limits = Limits { parts_max: 3, ..Limits::default() };
        let mut day = Day::under(limits, pipeline).granted(1);
        takes(&mut day, ResultRef { parts: vec![Digest::of(b"part"); parts], ..result() })
    };
    assert_eq!([0, 1, 3, 4].map(|parts| is_taken(split(), parts)), [false, true, true, false]);
    assert_eq!([0, 1].map(|parts| is_taken(pipeline(), parts)), [true, false]);
}

#[test]
fn each_part_is_proved_from_its_own_bytes() {
    let mut day = Day::of(proved_parts()).granted(1);
    let parts = vec![Digest::of(b"one"), Digest::of(b"other")];
    assert!(takes(&mut day, ResultRef { parts: parts.clone(), ..result() }));
    day.grant();
    let grants = day.attempts().filter_map(|attempt| day.scheduler.grant(attempt));
    let read = grants.map(|grant| {
        let artifacts: Vec<_> = grant.inputs.iter().map(|input| input.artifact).collect();
        (grant.key.part, artifacts)
    });
    let own = (0..).map(Some).zip(parts.into_iter().map(|part| vec![part]));
    assert_eq!(read.collect::<BTreeMap<_, _>>(), own.collect());
}

/// What was made of its parts was made of those of before.
#[test]
fn a_split_that_is_made_again_into_other_parts_parks() {
    let [one, two, three] = ["one", "two", "three"].map(|part| Digest::of(part.as_bytes()));
    for (again, is_taken) in [
        (vec![one, two], true),
        (vec![two, one], false),
        (vec![one, two, three], false),
        (vec![one], false),
    ] {
        let mut day = Day::of(split()).granted(1);
        let [task] = *day.tried() else { panic!("one was granted") };
        assert!(takes(&mut day, ResultRef { parts: vec![one, two], ..result() }));
        day.ask(&Input::Remake(task));
        day.grant();
        assert_eq!(take(&mut day, task, ResultRef { parts: again, ..result() }), is_taken);
        let parked = day.scheduler.task(&task).and_then(|task| Some(task.parked.as_ref()?.0));
        assert_eq!(parked, (!is_taken).then_some(ParkedBy::Contradiction));
    }
}

#[test]
fn parts_wait_for_the_others_of_their_block() {
    let mut day = Day::of(proved_parts()).granted(1);
    let parts = vec![Digest::of(b"one"), Digest::of(b"other")];
    assert!(takes(&mut day, ResultRef { parts, ..result() }));
    day.grant();
    assert!(takes(&mut day, result()));
    let waiting = day.scheduler.stages().map(|stage| (stage.name.to_string(), stage.waiting));
    let waiting: Vec<_> = waiting.filter(|(_, waiting)| *waiting > 0).collect();
    assert_eq!(waiting, [("join".to_owned(), 1)]);
}

#[test]
fn results_that_come_too_late_are_recorded_once_and_only_so_many() {
    let mut day = Day::with_grants(1);
    let [task] = *day.tried() else { panic!("one was granted") };
    let late: Vec<_> = (0..40).map(|_| withdrawn(&mut day)).collect();
    day.report(task, Outcome::Proved(result()));
    let mut recorded = || {
        let is_recorded = |attempt: &&AttemptId| tell(&mut day, task, **attempt);
        late.iter().filter(is_recorded).count()
    };
    let first = recorded();
    assert!((1..late.len()).contains(&first), "{first} were recorded");
    assert_eq!(recorded(), 0, "of what is told again");
    assert_eq!(day.scheduler.totals().surplus, first as u64);
}

/// Reports a result of the first that is being tried. Answers whether it was accepted.
fn takes(day: &mut Day, result: ResultRef) -> bool {
    let task = *day.tried().first().expect("one is being tried");
    take(day, task, result)
}

fn take(day: &mut Day, task: TaskId, result: ResultRef) -> bool {
    day.report(task, Outcome::Proved(result));
    day.scheduler.task(&task).expect("a task").state == TaskState::Accepted
}

/// Takes the one attempt back, and grants another.
fn withdrawn(day: &mut Day) -> AttemptId {
    let attempt = day.attempts().next().expect("one was granted");
    day.ask(&Input::Withdraw { attempt, message: String::new(), cause: None });
    day.grant();
    attempt
}

/// Tells of a result of `attempt`, for a task that has one. Answers whether that was recorded.
fn tell(day: &mut Day, task: TaskId, attempt: AttemptId) -> bool {
    let report = Input::Report(day.report_on(attempt, task, Outcome::Proved(result())));
    let answer = day.scheduler.decide(day.now, &report);
    match &answer {
        Err(answer) => assert_eq!(*answer, Rejection::Answered(Verdict::AlreadyAccepted)),
        Ok(events) => {
            assert!(matches!(events.as_slice(), [Event::Surplus { .. }]));
            day.ask(&report);
        }
    }
    answer.is_ok()
}

/// Splits each block, and joins the parts.
fn split() -> PipelineSpec {
    let mut spec = pipeline();
    let prove = spec.stages.remove("prove").expect("it is there");
    let mut join = prove.clone();
    (join.inputs, join.collect) = (vec!["split".into()], Some("parts".into()));
    let mut split = prove;
    split.output = Some("parts".into());
    spec.stages = BTreeMap::from([("split".into(), split), ("join".into(), join)]);
    spec.release.inputs = vec!["join".into()];
    spec
}

/// Likewise, with a proof of each part.
fn proved_parts() -> PipelineSpec {
    let mut spec = split();
    let join = spec.stages.get_mut("join").expect("it is there");
    let mut step = join.clone();
    (step.collect, join.inputs) = (None, vec!["step".into()]);
    spec.stages.insert("step".into(), step);
    spec
}
