//! Who may submit: no more than blocks, their end, and parked tasks again.

use futures_util::{FutureExt as _, StreamExt as _};
use push0_core::{Block, BlockHash, Digest, Event, Height, ParkedBy};
use push0_testbed::{PATIENCE, until};
use serde_json::json;
use tokio::time::timeout;

use super::{at_work, block, count, engines, spec};
use crate::peer::made_up;
use crate::user::User;
use crate::world::{BLOCKS, World, at};

#[test]
fn it_speaks_on_its_own_subjects_alone_and_hears_its_own_answers() {
    let world = engines("20ms");
    world.block_on(async {
        let mut client = User::new(&world, "client").await;
        let speaks = [
            "push0.engine.read",
            "push0.engine.operate",
            "push0.engine.beat",
            "push0.engine.hear.gpu-1",
            "push0.present",
            "push0.output.gpu-1",
            "push0.dispatcher.gpu-1.1",
            "push0.log.a.b",
            "push0.api.STREAM.INFO.push0",
            "$JS.API.STREAM.INFO.push0",
            "$JS.API.STREAM.MSG.GET.push0",
            "$JS.API.STREAM.DELETE.push0",
            "$JS.API.CONSUMER.CREATE.push0.a",
            "_R_.abc",
        ];
        let hears = [
            ">",
            "_INBOX.>",
            "_INBOX.push0.reader.>",
            "_INBOX.push0.engine.>",
            "push0.log.>",
            "push0.engine.submit",
            "push0.engine.beat",
            "push0.dispatcher.>",
        ];
        client.is_kept_from(&speaks, &hears).await;
    });
}

/// The subject is the right: what is in a question widens nothing.
#[test]
fn what_needs_another_right_is_refused_and_changes_nothing() {
    let world = engines("20ms");
    let mut changed = spec(&world);
    changed.window = Some(1);
    let before = world.history().len();
    world.block_on(async {
        let client = User::new(&world, "client").await;
        let apply = json!({ "apply": changed }).to_string();
        let remake = json!({ "remake": "00".repeat(32) }).to_string();
        for (question, right) in [(&*apply, "operate"), ("\"status\"", "read"), (&*remake, "read")]
        {
            let why = client.why_not("push0.engine.submit", question).await;
            assert!(why.contains(&format!("needs the right to {right}")), "{why}");
        }
        let why = client.why_not("push0.engine.ask", &apply).await;
        assert!(why.contains("engine.operate"), "{why}");
        assert_eq!(client.have("push0.engine.submit", "{\"submit\":[]}").await, json!({"done": 0}));
    });
    assert_eq!(world.history().len(), before);
}

/// Each has an answer that says so, the engine lives, and says once that there were some.
#[test]
fn what_is_no_question_is_refused_by_name() {
    let world = engines("20ms");
    let deep = "[".repeat(100_000);
    let unread = ["", "{}", "null", "1e999", "\u{0}", "\"drain\"x", "{\"apply\":7}", &deep];
    world.block_on(async {
        let client = User::new(&world, "client").await;
        for question in unread {
            let why = client.why_not("push0.engine.submit", question).await;
            assert!(why.contains("cannot read the question"), "{question:.40}: {why}");
        }
        let retry = |count: usize| json!({ "retry": vec!["abcd"; count] }).to_string();
        let why = client.why_not("push0.engine.submit", &retry(1_000)).await;
        assert!(why.contains("64 parked tasks at the most"), "{why}");
        let why = client.why_not("push0.engine.submit", &retry(64)).await;
        assert!(why.contains("no parked task begins with abcd"), "{why}");
    });
    let said = world.said("e1");
    assert_eq!(said.matches("could not be read").count(), 1, "once, then counted: {said}");
}

/// Whoever shares its right shares its bound, and nobody else: readers and operators are answered
/// as before.
#[test]
fn however_much_it_asks_others_are_answered() {
    let mut world = engines("20ms");
    world.dispatch("gpu-1");
    world.wait_for("gpu-1", "takes work");
    world.submit();
    world.block_on(async {
        let client = User::new(&world, "client").await;
        let inbox = client.client.new_inbox();
        for round in 0..20_000 {
            let junk = if round % 2 == 0 { "{\"submit\":[]}" } else { "" };
            let sent =
                client.client.publish_with_reply("push0.engine.submit", inbox.clone(), junk.into());
            sent.await.expect("sent");
        }
        client.client.flush().await.expect("sent");
        let reader = User::new(&world, "reader").await;
        let answer = reader.have("push0.engine.read", "\"status\"").await;
        assert!(answer.get("status").is_some(), "{answer}");
        let operator = User::new(&world, "operator").await;
        let answer = operator.have("push0.engine.operate", "\"retry_all\"").await;
        assert_eq!(answer, json!({ "done": 0 }));
    });
    world.wait_accepted(BLOCKS);
    assert_eq!(
        count(&world, |event| matches!(event, Event::Claimed { .. })),
        1,
        "e1 led throughout"
    );
    let said = world.said("e1");
    assert!(said.contains("questions on engine.submit were left out"), "{said}");
    assert!(said.matches("were left out").count() <= 2, "told, then counted: {said}");
    world.finish(BLOCKS);
}

/// Questions that are all well formed and cost most to read: blocks of as many fields as a message
/// holds, and of as many as a block may have. What provers made is taken meanwhile, and nobody is
/// given up.
#[test]
fn whatever_it_submits_no_dispatcher_is_given_up() {
    let mut world = engines("200ms");
    world.dispatch("gpu-1");
    world.wait_for("gpu-1", "takes work");
    world.submit();
    let large = json!({ "add": [heavy(1, 70_000)] }).to_string();
    let many: Vec<_> = (1..=13).map(|salt| heavy(salt, 5_000)).collect();
    let many = json!({ "add": many }).to_string();
    assert!([&large, &many].iter().all(|it| (760_000..1_000_000).contains(&it.len())));
    let accepted = |event: &Event| matches!(event, Event::Accepted { .. });
    let before = count(&world, accepted);
    world.block_on(async {
        let client = User::new(&world, "client").await;
        let inbox = client.client.new_inbox();
        for round in 0..FLOOD {
            let words = if round % 2 == 0 { &large } else { &many };
            let words = words.clone().into();
            let sent =
                client.client.publish_with_reply("push0.engine.submit", inbox.clone(), words);
            sent.await.expect("sent");
            if round % 20 == 0 {
                client.client.flush().await.expect("sent");
            }
        }
        client.client.flush().await.expect("sent");
    });
    assert!(count(&world, accepted) > before, "results are taken meanwhile");
    world.wait_accepted(BLOCKS);
    let lost = |event: &Event| matches!(event, Event::Lost { .. } | Event::Withdrawn { .. });
    assert_eq!(count(&world, lost), 0, "{}", world.said("e1"));
    assert_eq!(count(&world, |event| matches!(event, Event::Claimed { .. })), 1);
    world.finish(BLOCKS);
}

/// Users of one role share an inbox: what may be heard there is whether blocks were taken.
#[test]
fn another_of_its_role_hears_its_answers_and_nobody_else_does() {
    let world = engines("20ms");
    world.block_on(async {
        let (one, other) = (User::new(&world, "client").await, User::new(&world, "client").await);
        let mut heard = other.client.subscribe("_INBOX.push0.client.>").await.expect("sent");
        other.client.flush().await.expect("it is connected");
        for user in ["gpu-1", "reader", "engine"] {
            let mut user = User::new(&world, user).await;
            user.is_kept_from(&[], &["_INBOX.push0.client.>"]).await;
        }
        // An operator has such an inbox too, in an account of its own, where what is said to
        // clients never comes.
        let operator = User::new(&world, "operator").await;
        let mut apart = operator.client.subscribe("_INBOX.push0.client.>").await.expect("sent");
        operator.client.flush().await.expect("it is connected");
        one.have("push0.engine.submit", "{\"submit\":[]}").await;
        let answer = timeout(PATIENCE, heard.next()).await.expect("in time").expect("it listens");
        assert_eq!(&answer.payload[..], b"{\"done\":0}");
        operator.have("push0.engine.submit", "{\"submit\":[]}").await; // after it
        assert!(apart.next().now_or_never().is_none());
    });
}

/// Beside what is canonical, and ahead of it: so many of a height, and no more.
#[test]
fn of_blocks_that_are_never_proved_eight_of_a_height_are_recorded() {
    let mut world = engines("20ms");
    world.submit();
    let (tip, ahead) = (FIRST + 19, FIRST + 500);
    let recorded = |world: &World, height: u64| {
        count(
            world,
            |event| matches!(event, Event::BlockSubmitted { block } if block.number == Height(height)),
        )
    };
    world.block_on(async {
        let client = User::new(&world, "client").await;
        for (height, stands) in [(tip, "beside"), (FIRST + 3, "beside"), (ahead, "ahead")] {
            for salt in 0..40 {
                let add = json!({ "add": [block(height, salt)] }).to_string();
                let answer = client.have("push0.engine.submit", &add).await;
                let stood = at(&answer, "/added/arrivals/0");
                // What would wait for its parent is not forgotten in silence: there is no room for
                // it.
                let is_left = stood.is_null() && at(&answer, "/added/left") == "later";
                assert!(stood == stands || (stands == "ahead" && salt >= 8 && is_left), "{answer}");
            }
        }
        let far = json!({ "add": [block(tip + 1_025, 0)] }).to_string();
        let answer = client.have("push0.engine.submit", &far).await;
        assert!(
            at(&answer, "/added/left/refused").to_string().contains("too far ahead"),
            "{answer}"
        );
    });
    assert_eq!(recorded(&world, tip), 1 + 8);
    assert_eq!(recorded(&world, FIRST + 3), 1 + 8);
    assert_eq!(recorded(&world, ahead), 8);
    assert_eq!(recorded(&world, tip + 1_025), 0);
    world.dispatch("gpu-1");
    world.wait_accepted(BLOCKS);
    world.finish(BLOCKS);
}

/// Nobody's other word on a payload that is there counts, and to say a thing again is no way to
/// write into the log.
#[test]
fn of_a_known_block_nothing_is_recorded_whatever_payload_it_comes_with() {
    let mut world = engines("20ms");
    world.submit();
    let submitted: Vec<Block> = (world.history().into_iter().flat_map(|turn| turn.events))
        .filter_map(|event| {
            let Event::BlockSubmitted { block } = event else { return None };
            Some(block)
        })
        .collect();
    assert_eq!(submitted.len(), BLOCKS);
    let before = world.history().len();
    world.block_on(async {
        let client = User::new(&world, "client").await;
        for payload in 0..20_u8 {
            let mut again = submitted.clone();
            if payload > 0 {
                again.iter_mut().for_each(|block| block.payload = Digest([payload; 32]));
            }
            let answer =
                client.have("push0.engine.submit", &json!({ "add": again }).to_string()).await;
            assert_eq!(at(&answer, "/added/arrivals"), json!(vec!["known"; BLOCKS]), "{answer}");
        }
    });
    assert_eq!(world.history().len(), before, "nothing was recorded");
    world.dispatch("gpu-1");
    world.wait_accepted(BLOCKS);
    world.finish(BLOCKS);
}

/// A task is parked as a contradiction where its result was lost and came out otherwise. To try it
/// again takes back what was accepted, and so it takes an operator.
#[test]
fn a_contradiction_is_left_parked_by_who_may_submit_and_settled_by_who_may_operate() {
    let world = engines("20ms");
    let mut salt = 0_u64;
    at_work(&world, "gpu-1", 1, move |_| {
        salt += 1;
        Some(made_up(&format!("{salt:064x}"), 1, &format!("{salt:064x}"), true))
    });
    world.submit();
    world.wait_accepted(BLOCKS);
    let accepted = world.history().into_iter().flat_map(|turn| turn.events).find_map(|event| {
        let Event::Accepted { task, .. } = event else { return None };
        Some(task)
    });
    let task = accepted.expect("all are accepted").to_string();
    world.block_on(async {
        let reader = User::new(&world, "reader").await;
        let remake = json!({ "remake": task }).to_string();
        assert_eq!(reader.have("push0.engine.read", &remake).await, json!({ "done": 1 }));
    });
    let is_it =
        |event: &Event| matches!(event, Event::Parked { class: ParkedBy::Contradiction, .. });
    until("it is not parked", || (count(&world, is_it) == 1).then_some(()));
    let settled = |world: &World| {
        count(world, |event| matches!(event, Event::Reopened { .. } | Event::Discarded { .. }))
    };
    let before = settled(&world);
    world.block_on(async {
        let client = User::new(&world, "client").await;
        for question in [json!({ "retry": [task] }), json!("retry_all")] {
            let why = client.why_not("push0.engine.submit", &question.to_string()).await;
            assert!(
                why.contains("parked as a contradiction") && why.contains("push0 discard"),
                "{why}"
            );
        }
    });
    assert_eq!(settled(&world), before, "nothing was taken back");
    world.block_on(async {
        let operator = User::new(&world, "operator").await;
        let retry = json!({ "retry": [task] }).to_string();
        assert_eq!(operator.have("push0.engine.operate", &retry).await, json!({ "done": 1 }));
    });
    assert_eq!(settled(&world), before + 1);
}

fn heavy(salt: u8, fields: u32) -> Block {
    Block {
        number: Height(1),
        hash: BlockHash([salt; 32]),
        parent: BlockHash([0; 32]),
        payload: Digest([salt; 32]),
        bytes: 1,
        fields: (0..fields).map(|at| (format!("{at:07}"), 1)).collect(),
    }
}

/// Half a GB.
const FLOOD: u32 = 600;

/// The first block that the worlds of these tests have.
const FIRST: u64 = 16_525_000;
