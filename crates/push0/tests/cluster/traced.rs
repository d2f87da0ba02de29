//! What belongs together can be told from the headers.

use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use serde_json::Value;

use crate::world::{BLOCKS, World, at};

#[test]
fn a_grant_and_its_report_have_the_trace_of_their_task_and_an_answer_that_of_its_question() {
    let world = World::usual(1, "20ms");
    let (client, mut heard) = world.block_on(async {
        let client = async_nats::connect(&world.nats.urls()[..]).await.expect("it runs");
        let heard = client.subscribe(">").await.expect("it is connected");
        client.flush().await.expect("it is connected");
        (client, heard)
    });
    world.submit();
    world.wait_accepted(BLOCKS);
    let messages = world.block_on(async {
        client.publish(END, "".into()).await.expect("it is connected");
        let mut messages = Vec::new();
        while let Some(message) = heard.next().await.filter(|it| it.subject.as_str() != END) {
            messages.push(message);
        }
        messages
    });
    let mut attempts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut questions = BTreeMap::new();
    let mut answered = 0;
    for message in messages {
        let headers = message.headers.iter();
        let traces = headers.flat_map(|headers| headers.get_all("traceparent"));
        let traces: Vec<_> = traces.map(ToString::to_string).collect();
        let trace = traces.first().cloned();
        let said: Value = serde_json::from_slice(&message.payload).unwrap_or_default();
        let tasks = tasks(&said);
        if !tasks.is_empty() {
            assert_eq!(tasks.len(), traces.len(), "one for each: {said}");
            for (task, trace) in tasks.iter().zip(traces) {
                assert!(trace.starts_with(&format!("00-{}-", &task[..32])), "{trace} {task}");
                attempts.entry(trace).or_default().push(message.subject.to_string());
            }
        } else if ["push0.engine.read", "push0.engine.submit"].contains(&message.subject.as_str()) {
            questions.insert(message.reply.expect("it is asked").to_string(), trace);
        } else if let Some(asked) = questions.get(message.subject.as_str()) {
            assert_eq!(trace, *asked);
            answered += 1;
        }
    }
    assert_eq!(attempts.len(), BLOCKS, "{attempts:?}");
    assert!(attempts.values().all(|subjects| subjects.len() >= 2), "{attempts:?}");
    assert!(answered > 0 && questions.values().all(Option::is_some), "{questions:?}");
    world.finish(BLOCKS);
}

/// The tasks of the grants or reports that share a message, in order.
fn tasks(said: &Value) -> Vec<String> {
    let parts = said.as_array().or_else(|| said.get("messages")?.as_array());
    let task = |part: &Value| {
        let of = ["/Grant/task", "/Report/task"].map(|path| at(part, path));
        of.iter().find_map(Value::as_str).map(str::to_owned)
    };
    parts.into_iter().flatten().filter_map(task).collect()
}

/// Published behind all that is looked at.
const END: &str = "traced.end";
