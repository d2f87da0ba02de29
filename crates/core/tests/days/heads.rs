//! What the source says of its chain, on a simple day: heads, and what is final.

use push0_core::{
    Arrival, Block, BlockHash, Digest, Effect, Event, HeadNumber, Height, Input, Outcome,
    PipelineSpec, Rejection, ReleaseNumber, Scheduler, Seq, StageSpec, TaskState, Verdict,
};

use crate::day::{Day, block, pipeline, result};

#[test]
fn no_block_is_proved_before_a_head_is_on_it_and_none_goes_out_before_it_is_final() {
    let mut day = Day::of(with_heads(pipeline()));
    for number in 0..3 {
        let arrival = day.scheduler.chain().arrival(&block(number));
        assert_eq!(arrival, Arrival::New, "{number}");
        submit(&mut day, block(number));
    }
    assert!(day.scheduler.chain().is_empty() && day.scheduler.tasks().next().is_none());
    head(&mut day, block(1));
    let mut day = day.granted(0);
    prove_all(&mut day);
    assert_eq!(day.scheduler.totals().accepted, 2);
    assert!(released(&day).is_empty());
    finalize(&mut day, 0, block(0).hash);
    assert_eq!(released(&day), [0]);
    head(&mut day, block(2));
    prove_all(&mut day);
    finalize(&mut day, 2, block(2).hash);
    assert_eq!(released(&day), [0, 1, 2]);
}

#[test]
fn what_runs_for_a_block_that_left_the_chain_is_cancelled_and_its_proof_is_kept() {
    let mut day = began(&[block(0), block(1)]);
    let (left, attempt) = {
        let mut attempts = day.scheduler.attempts().cloned();
        let of_one = attempts
            .find(|it| day.scheduler.task(&it.task).is_some_and(|it| it.key.first == Height(1)));
        of_one.map(|it| (it.task, it.id)).expect("both are tried")
    };
    while day.scheduler.poll_effect(Seq(u64::MAX)).is_some() {}
    head(&mut day, other(1, 1));
    let cancels = std::iter::from_fn(|| day.scheduler.poll_effect(Seq(u64::MAX)));
    assert!(cancels.into_iter().any(|it| matches!(it, Effect::Cancel(_, id) if id == attempt)));
    assert_eq!(day.scheduler.task(&left).map(|task| &task.state), Some(&TaskState::Superseded));
    assert_eq!(day.scheduler.totals().tasks_superseded, 1);
    // It was done before it heard of that: the proof is taken, and flows to nobody.
    let proved = day.report_on(attempt, left, Outcome::Proved(result()));
    day.ask(&Input::Report(proved.clone()));
    let again = day.scheduler.decide(day.now, &Input::Report(proved));
    assert!(matches!(again, Err(Rejection::Answered(Verdict::Accepted(_)))), "{again:?}");
    prove_all(&mut day);
    let grants = day.scheduler.totals().started;
    head(&mut day, block(1));
    assert_eq!(day.scheduler.task(&left).map(|task| &task.state), Some(&TaskState::Accepted));
    finalize(&mut day, 1, block(1).hash);
    assert_eq!((released(&day), day.scheduler.totals().started), (vec![0, 1], grants));
}

#[test]
fn a_batch_that_a_reorg_cuts_is_made_again_of_what_is_left_and_what_came_instead() {
    let mut spec = with_heads(pipeline());
    let stage = StageSpec {
        collect: Some("sequence".into()),
        max: [("blocks".to_owned(), 3)].into(),
        ..spec.stages.remove("prove").expect("it is there")
    };
    spec.stages.insert("prove".into(), stage);
    let mut day = Day::of(spec);
    (0..5).for_each(|number| submit(&mut day, block(number)));
    head(&mut day, block(4));
    let keys = |day: &Day| {
        let live = day.scheduler.tasks().filter(|(_, it)| it.state != TaskState::Superseded);
        let mut keys: Vec<_> =
            live.map(|(_, it)| (it.key.first.0, it.key.last.0, it.key.tip)).collect();
        keys.sort_unstable();
        keys
    };
    assert_eq!(keys(&day), [(0, 2, block(2).hash)]);
    let branch = [other(2, 1), Block { parent: other(2, 1).hash, ..other(3, 1) }];
    branch.clone().into_iter().for_each(|block| submit(&mut day, block));
    head(&mut day, branch[1].clone());
    assert_eq!(keys(&day), [(0, 2, branch[0].hash)]);
    let mut day = day.granted(0);
    prove_all(&mut day);
    finalize(&mut day, 2, branch[0].hash);
    assert_eq!(released(&day), [0]);
}

#[test]
fn a_head_that_is_told_again_or_is_older_changes_nothing() {
    let mut day = began(&[block(0), block(1), block(2)]);
    submit(&mut day, other(2, 1));
    let say = |day: &Day, number, block: &Block| {
        let head = Some(HeadNumber(number));
        day.scheduler.decide(day.now, &Input::Head { head, block: block.hash })
    };
    let last = day.scheduler.chain().head().0;
    assert_eq!(say(&day, last, &other(2, 1)), Ok(Vec::new()), "it is told again");
    assert_eq!(say(&day, last + 1, &block(2)), Ok(Vec::new()), "it is the tip");
    let moved = say(&day, last + 9, &other(2, 1)).expect("it is newer");
    assert!(
        matches!(moved.as_slice(), [Event::HeadMoved { head: HeadNumber(it), .. }] if *it == last + 9)
    );
}

#[test]
fn what_cannot_be_a_head_or_final_is_refused_and_says_why() {
    let mut day = began(&[block(0), block(1), block(2)]);
    let decide = |day: &Day, input: &Input| day.scheduler.decide(day.now, input).map(|_| ());
    let said = |block: BlockHash| Input::Head { head: None, block };
    let called_final = |number, block| Input::Finalize { number: Height(number), block };
    let far = block(9).hash;
    assert_eq!(decide(&day, &said(far)), Err(Rejection::NotConnected(far)));
    submit(&mut day, block(4));
    let gap = block(4).hash;
    assert_eq!(decide(&day, &said(gap)), Err(Rejection::NotConnected(gap)));
    submit(&mut day, other(2, 1));
    let (number, beside) = (Height(2), other(2, 1).hash);
    let refused = decide(&day, &called_final(2, beside));
    assert_eq!(refused, Err(Rejection::NotCanonical { number, block: beside }));
    finalize(&mut day, 2, block(2).hash);
    assert_eq!(decide(&day, &called_final(2, block(2).hash)), Ok(()), "it is told again");
    let last = Height(2);
    let contradicts = Err(Rejection::ContradictsFinal { number: last, last });
    assert_eq!(decide(&day, &called_final(2, beside)), contradicts);
    assert_eq!(decide(&day, &said(block(1).hash)), contradicts, "it leaves what is final");
    // Nothing is left to go over to: it was forgotten.
    assert_eq!(decide(&day, &said(beside)), Err(Rejection::NotConnected(beside)));
    let again = day.scheduler.decide(day.now, &Input::Submit(Box::new(other(2, 1))));
    assert_eq!(again, Ok(Vec::new()));
    let branch = Block { parent: block(1).hash, ..other(2, 7) };
    assert_eq!(day.scheduler.chain().arrival(&branch), Arrival::Beside);
}

#[test]
fn heads_are_said_where_the_pipeline_says_so_and_that_is_settled_with_the_first_block() {
    let mut day = Day::of(pipeline());
    let said = Input::Head { head: None, block: block(0).hash };
    assert_eq!(day.scheduler.decide(day.now, &said), Err(Rejection::NoHeads));
    day.ask(&Input::Submit(Box::new(block(0))));
    let other = Input::Configure(Box::new(with_heads(pipeline())));
    assert_eq!(day.scheduler.decide(day.now, &other), Err(Rejection::OtherHeads));
}

fn with_heads(mut spec: PipelineSpec) -> PipelineSpec {
    spec.source.heads = true;
    spec
}

/// A day on which these are the chain, and all are tried that may be.
fn began(blocks: &[Block]) -> Day {
    let mut day = Day::of(with_heads(pipeline()));
    blocks.iter().for_each(|block| submit(&mut day, block.clone()));
    head(&mut day, blocks.last().expect("some").clone());
    let mut day = day.granted(0);
    day.grant();
    day
}

fn submit(day: &mut Day, block: Block) {
    day.ask(&Input::Submit(Box::new(block)));
}

/// The chain ends in this block, which is submitted first.
fn head(day: &mut Day, block: Block) {
    submit(day, block.clone());
    day.ask(&Input::Head { head: None, block: block.hash });
    day.follow_up();
    day.fleet.look(day.now);
    day.ask(&Input::Assign(day.fleet.offers(&day.scheduler)));
}

fn finalize(day: &mut Day, number: u64, block: BlockHash) {
    day.ask(&Input::Finalize { number: Height(number), block });
    day.follow_up();
}

fn prove_all(day: &mut Day) {
    loop {
        day.grant();
        let Some(task) = day.tried().first().copied() else { return };
        day.report(task, Outcome::Proved(result()));
    }
}

/// The first heights of what was released.
fn released(day: &Day) -> Vec<u64> {
    day.scheduler.releases(ReleaseNumber(0)).iter().map(|it| it.key.first.0).collect()
}

/// Another block of a height, after the usual one before.
fn other(number: u64, salt: u8) -> Block {
    let hash = BlockHash(Digest::of(&[salt, u8::try_from(number).expect("small")]).0);
    Block { hash, ..block(number) }
}

#[test]
fn a_log_with_heads_is_replayed_to_the_same() {
    let mut day = began(&[block(0), block(1), block(2)]);
    prove_all(&mut day);
    head(&mut day, other(2, 1));
    finalize(&mut day, 1, block(1).hash);
    while day.scheduler.poll_effect(Seq(u64::MAX)).is_some() {}
    let mut again = Scheduler::new(*day.scheduler.limits());
    let now = day.scheduler.now();
    again.apply_all(now, &day.events).expect("it was decided");
    while again.poll_effect(Seq(u64::MAX)).is_some() {}
    assert!(again.tasks().eq(day.scheduler.tasks()) && again.totals() == day.scheduler.totals());
}
