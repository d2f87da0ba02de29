//! Accepted results and named keys that an operator takes back: once for each time that it is said,
//! however often it is asked.
//!
//! Who gets no answer asks again, and the answer may have been lost after the deed. So a question
//! says how far the log was when it was asked first (`seen`). What was taken back after that was
//! taken back by it: it is answered likewise, and what was made anew meanwhile stays. That stands
//! in the log, so the next leader knows it too.
//!
//! Not here: what goes with a result (`push0_core`), and who may ask (`right`).

use push0_core::{Input, ProgramName, ReleaseNumber, Scheduler, Seq, TaskId};
use tokio::sync::Mutex;

use super::lead::decided;
use super::wire::Answer;
use crate::engine::{EngineGone, Handle};
use crate::run::{consequences, results_named};

/// What is taken back, by one question at a time: of two that are the same the second finds what
/// the first has done.
#[derive(Debug, Default)]
pub(super) struct TakeBacks {
    one: Mutex<()>,
}

/// An operator's word.
#[derive(Clone, Debug)]
pub(super) struct OperatorWord {
    pub(super) by: String,
    pub(super) why: String,
    /// How far the log was when it was asked first; none from clients of before.
    pub(super) seen: Option<Seq>,
}

/// What a question to take back comes to.
#[derive(Debug, Eq, PartialEq)]
struct Due {
    tasks: Vec<TaskId>,
    /// What it has taken back already: how many tasks, and which releases.
    done: (u64, Vec<ReleaseNumber>),
}

impl TakeBacks {
    /// The results of the tasks that are named by the first digits of their ids. Of one that
    /// another of them took with it there is nothing left to take.
    pub(super) async fn results(
        &self,
        handle: &Handle,
        names: Vec<String>,
        said: OperatorWord,
    ) -> Option<Answer> {
        if names.len() > NAMED_MAX {
            let reason = format!(
                "a question names {NAMED_MAX} results to take back at the most, and this one names {}: nothing is taken back, \
                 ask for some after the others",
                names.len()
            );
            return Some(Answer::Refused { taken: 0, reason });
        }
        let _one = self.one.lock().await;
        let due = handle.see(move |scheduler, _| due(scheduler, &names, said.seen)).await.ok()?;
        let Due { tasks, done: (mut count, mut released) } = match due {
            Ok(due) => due,
            Err(reason) => return Some(Answer::Refused { taken: 0, reason }),
        };
        for task in tasks {
            let input = Input::Discard { task, by: said.by.clone(), why: said.why.clone() };
            let looked = input.clone();
            let told =
                handle.see(move |scheduler, _| consequences(scheduler, &looked)).await.ok()?;
            if handle.decide(vec![input]).await.ok()?.is_ok() {
                count += told.0;
                released.extend(told.1);
            }
        }
        released.sort_unstable();
        released.dedup();
        Some(Answer::Discarded { tasks: count, released })
    }

    /// What is pinned and was named of a program's key. Done to none where nothing is.
    pub(super) async fn key(
        &self,
        handle: &Handle,
        program: ProgramName,
        said: OperatorWord,
    ) -> Option<Answer> {
        let _one = self.one.lock().await;
        let OperatorWord { by, why, seen } = said;
        let asked = program.clone();
        let is_due: Result<bool, EngineGone> =
            handle.see(move |scheduler, _| is_key_due(scheduler, &asked, seen)).await;
        match is_due.ok()? {
            true => decided(handle, Input::Unpin { program, by, why }).await,
            false => Some(Answer::Done(0)),
        }
    }
}

/// What there is to take back of the tasks that are named, and what was since it was asked first.
///
/// # Errors
///
/// Which name means none or several, for a person.
fn due(scheduler: &Scheduler, names: &[String], seen: Option<Seq>) -> Result<Due, String> {
    let mut tasks = results_named(scheduler, names, seen)?;
    let Some(seen) = seen else { return Ok(Due { tasks, done: (0, Vec::new()) }) };
    let done: Vec<_> = scheduler.discarded_since(&tasks, seen).collect();
    tasks.retain(|task| !done.iter().any(|(done, _)| done == task));
    let positions = done.into_iter().map(|(_, at)| at).collect();
    Ok(Due { tasks, done: scheduler.discarded_at(&positions) })
}

/// Whether there is something to forget that was named before it was asked. A program that the
/// pipeline has not is for the scheduler to refuse.
fn is_key_due(scheduler: &Scheduler, program: &ProgramName, seen: Option<Seq>) -> bool {
    let Some(seen) = seen else { return true };
    match scheduler.key_named_since(program) {
        Some(since) => since <= seen,
        None => !scheduler.pipeline().programs.contains_key(program),
    }
}

/// Results that one question may name: each is looked for, and what was made from it, on the
/// engine's thread.
const NAMED_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use push0_core::{
        Block, BlockHash, Digest, Epoch, Event, Height, Limits, ResultRef, Timestamp, Vkey,
    };

    use super::*;
    use crate::cluster::Ask;
    use crate::fixture::one_stage;

    #[test]
    fn a_key_is_forgotten_once_and_what_is_named_meanwhile_stays() {
        let mut scheduler = Scheduler::new(Limits::default());
        let program: ProgramName = "prover".parse().expect("a name");
        begin(&mut scheduler);
        prove(&mut scheduler, 0);
        let seen = Some(scheduler.last());
        assert!(is_key_due(&scheduler, &program, seen));
        let unpin =
            Input::Unpin { program: program.clone(), by: String::new(), why: String::new() };
        decide(&mut scheduler, &unpin);
        assert!(!is_key_due(&scheduler, &program, seen), "it was heard");
        prove(&mut scheduler, 1);
        assert!(!is_key_due(&scheduler, &program, seen), "this is another word on the key");
        assert!(is_key_due(&scheduler, &program, Some(scheduler.last())));
        assert!(is_key_due(&scheduler, &program, None), "who asks as before is answered as before");
        let other = "other".parse().expect("a name");
        assert!(is_key_due(&scheduler, &other, seen), "the scheduler says that there is none");
    }

    #[test]
    fn names_are_of_digits_and_one_that_went_with_another_is_not_missed() {
        let mut scheduler = Scheduler::new(Limits::default());
        begin(&mut scheduler);
        let task = prove(&mut scheduler, 0);
        let (seen, name) = (scheduler.last(), task.to_string());
        let short = |digits: usize| name.chars().take(digits).collect::<String>();
        let named = |scheduler: &Scheduler, names: &[String]| due(scheduler, names, Some(seen));
        for digits in [4, 8, 64] {
            let due = named(&scheduler, &[short(digits)]).expect("it has a result");
            assert_eq!(due, Due { tasks: vec![task], done: (0, Vec::new()) });
        }
        let missing = [short(8), "0000".to_owned()];
        for names in [&[short(3)][..], &missing, &["x\u{fc}00".to_owned()]] {
            assert!(named(&scheduler, names).is_err(), "{names:?}");
        }
        decide(&mut scheduler, &Input::Discard { task, by: String::new(), why: String::new() });
        let done = Due { tasks: Vec::new(), done: (1, Vec::new()) };
        assert_eq!(named(&scheduler, &missing), Ok(done), "all of them were there before");
        assert!(due(&scheduler, &[short(8)], None).is_err(), "as before");
    }

    #[test]
    fn a_question_of_a_client_of_before_is_read() {
        for (text, is_it) in [
            (r#"{"discard":{"tasks":["3f9a"],"by":"a","why":"b"}}"#, "discard"),
            (r#"{"unpin":{"program":"prover","by":"a","why":"b"}}"#, "unpin"),
        ] {
            let asked: Ask = serde_json::from_str(text).expect(is_it);
            let (Ask::Discard { seen, .. } | Ask::Unpin { seen, .. }) = asked else {
                panic!("{asked:?}")
            };
            assert_eq!(seen, None);
        }
    }

    fn begin(scheduler: &mut Scheduler) {
        let spec = one_stage("one");
        decide(scheduler, &Input::Claim(Epoch(1)));
        decide(scheduler, &Input::Configure(Box::new(spec)));
    }

    /// Has a block's task proved, by a dispatcher that names a key with it.
    fn prove(scheduler: &mut Scheduler, number: u8) -> TaskId {
        decide(scheduler, &Input::Submit(Box::new(block(number))));
        let open = |scheduler: &Scheduler| scheduler.open_up_to(Height(99)).next().map(|it| *it.0);
        while open(scheduler).is_none() {
            decide(scheduler, &Input::Wake);
        }
        let task = open(scheduler).expect("it was opened");
        let dispatcher: push0_core::DispatcherId = "one".parse().expect("a name");
        let (until, vkey) = (Timestamp(1), Vkey([7; 32]));
        let attempt = scheduler.attempt_at(scheduler.last().next());
        let digest = Digest::of(b"proof");
        let result = ResultRef {
            output: digest,
            bytes: 5,
            statement: digest,
            vkey: Some(vkey),
            mock: false,
            parts: Vec::new(),
        };
        let program = "prover".parse().expect("a name");
        let facts = [
            Event::Granted { task, dispatcher: dispatcher.clone(), until },
            Event::Accepted { task, attempt, result, ran_us: 1 },
            Event::KeyNamed { program, vkey, dispatcher, task },
        ];
        scheduler.apply_all(scheduler.now(), &facts).expect("so it may go");
        task
    }

    fn decide(scheduler: &mut Scheduler, input: &Input) {
        let events = scheduler.decide(scheduler.now(), input).expect("it is taken");
        scheduler.apply_all(scheduler.now(), &events).expect("it was decided");
    }

    fn block(number: u8) -> Block {
        let hash = |number: u8| BlockHash([number; 32]);
        Block {
            number: Height(number.into()),
            hash: hash(number),
            parent: hash(number.wrapping_sub(1)),
            payload: Digest::of(b"payload"),
            bytes: 1,
            fields: BTreeMap::new(),
        }
    }
}
