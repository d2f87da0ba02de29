//! Who may submit: no more than blocks, their end, and parked tasks again.

use push0_core::{Block, BlockHash, Digest, Event, Height};
use serde_json::json;

use super::{count, engines, spec};
use crate::user::User;
use crate::world::BLOCKS;

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

/// Whoever shares its right shares its bound, and nobody else: readers and operators are answered as before.
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

/// Questions that are all well formed and cost most to read: blocks of as many fields as a message holds, and of as many
/// as a block may have. What provers made is taken meanwhile, and nobody is given up.
#[test]
fn whatever_it_submits_no_dispatcher_is_given_up() {
    let mut world = engines("200ms");
    world.dispatch("gpu-1");
    world.wait_for("gpu-1", "takes work");
    world.submit();
    let large = json!({ "add": [block(1, 70_000)] }).to_string();
    let many: Vec<_> = (1..=13).map(|salt| block(salt, 5_000)).collect();
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

fn block(salt: u8, fields: u32) -> Block {
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
