//! A stream that is full takes nothing, and goes on once it may be larger.

use push0_core::{Event, ParkedBy, Seq, TaskId, Turn};
use push0_log::{AppendError, Log as _, NatsConfig};
use push0_testbed::{Nats, PATIENCE};
use serde_json::json;

use crate::world::{Admin, config, history, open, turn};

#[tokio::test]
async fn a_full_stream_says_so_and_goes_on_when_it_may_grow() {
    for nodes in [1, 3] {
        let nats = Nats::start(nodes);
        // What is answered late is asked again, and then it is not known to be refused.
        let answer_max = PATIENCE;
        let config = NatsConfig { max_bytes: 1 << 20, answer_max, ..config(&nats) };
        let mut engine = open(&config).await;
        let mut turns = Vec::new();
        let kept = loop {
            let next = large(engine.last().next());
            match engine.append(&next).await {
                Ok(()) if turns.len() < 10 => turns.push(next),
                Ok(()) => panic!("more than its bound"),
                Err(AppendError::Full(_)) => break next,
                Err(error) => panic!("{error:?}"),
            }
        };
        assert!((5..10).contains(&turns.len()), "{} turns", turns.len());
        let again = engine.append(&kept).await;
        assert!(matches!(again, Err(AppendError::Full(_))), "{again:?}");
        assert_eq!(history(&config).await, turns);

        // What is small has room yet.
        let small = turn(engine.last().next(), 1);
        engine.append(&small).await.expect("it has room");
        turns.push(small);

        let admin = Admin::of(&nats).await;
        let mut settings = admin.settings(&config.stream).await;
        *settings.get_mut("max_bytes").expect("a bound") = json!(2 << 20);
        admin.set("UPDATE", &settings).await;
        let next = large(engine.last().next());
        engine.append(&next).await.expect("there is room");
        turns.push(next);
        assert_eq!(history(&config).await, turns);
    }
}

/// A turn of 128 KiB.
fn large(first: Seq) -> Turn {
    let message = "x".repeat(128 << 10);
    let events = vec![Event::Parked { task: TaskId([7; 32]), class: ParkedBy::Lost, message }];
    Turn { events, ..turn(first, 0) }
}
