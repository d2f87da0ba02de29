//! `pull`: the architecture that push0 was published with (arXiv 2602.16338), re-made plainly.
//!
//! ```text
//!   client ─publish─▶ stream of tasks ─pull─▶ dispatcher ─publish─▶ stream of results ─pull─▶ collector ─▶ client
//!                    (a work queue)  ◀─ack──
//! ```
//!
//! Tasks are a JetStream work queue with a durable consumer that all dispatchers pull from, with
//! requests open ahead. A result, as long as its task, is published to another stream; once that is
//! acknowledged, the task is. A collector with a durable consumer sees each result, acknowledges
//! what has come together with one word, and hands a task on once though it comes again. Publishes
//! are under way side by side, as many as a dispatcher has slots. Servers, replicas and syncs are
//! those of the log it is compared with. A publish that is refused ends the run.
//!
//! It does less than push0: no order, no leases beyond JetStream's, no log of what happened, no
//! check of anything.

use std::collections::HashSet;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::context::{Context, PublishAckFuture, PublishErrorKind};
use async_nats::jetstream::message::{Message, PublishMessage};
use async_nats::jetstream::stream::{Config, RetentionPolicy};
use futures_util::{StreamExt as _, TryStreamExt as _};
use push0_log::nats_client;
use tokio::sync::mpsc;

use super::{hand_on, spawn};
use crate::fault::Fault;
use crate::system::cluster::{Background, Servers, settings};
use crate::system::{Done, Payload, Prover, Running, Shape, Told, runtime};
use crate::timer;

/// Starts it on these servers.
///
/// # Errors
///
/// The servers'.
pub(crate) fn start(servers: &Servers, shape: Shape) -> Result<Running, Fault> {
    let runtime = runtime()?;
    let (told, done) = channel();
    let (tasks, queued) = mpsc::unbounded_channel();
    runtime.block_on(async {
        let client = connect(servers).await?;
        patiently(async || streams(&client, servers).await).await?;
        let (tasks_to, results_to) = (subject(servers, "tasks"), subject(servers, "results"));
        patiently(async || reach(&client, &tasks_to).await).await?;
        let collected = connect(servers).await?;
        let collector = patiently(async || collector(&collected, servers).await).await?;
        spawn(&told, collect(collector, told.clone()));
        let each = shape.dispatchers.div_ceil(CONNECTIONS).max(1);
        for first in (0..shape.dispatchers).step_by(each as usize) {
            let context = connect(servers).await?;
            patiently(async || reach(&context, &results_to).await).await?;
            for _ in first..shape.dispatchers.min(first + each) {
                let consumer =
                    patiently(async || dispatcher(&context, servers, shape.prover).await).await?;
                let (context, results) = (context.clone(), results_to.clone());
                let dispatcher = Dispatcher { context, results, shape };
                spawn(&told, dispatcher.run(consumer));
            }
        }
        let bytes = match shape.payload {
            Payload::Reference => 100,
            Payload::Bytes500 => 500,
        };
        let (acks, pending) = mpsc::channel(UNDER_WAY);
        spawn(&told, confirm(pending));
        spawn(&told, submit(client, tasks_to, queued, bytes, acks));
        Ok::<_, Fault>(())
    })?;
    Ok(Running { submit: hand_on(tasks), done, _parts: Box::new(Background(Some(runtime))) })
}

/// The streams that it makes on servers of this name.
pub(crate) fn stream_names(servers: &Servers) -> [String; 2] {
    ["tasks", "results"].map(|stream| format!("{}-{stream}", servers.name))
}

async fn connect(servers: &Servers) -> Result<Context, Fault> {
    let (client, _) = nats_client(&settings(servers)).await?;
    Ok(async_nats::jetstream::new(client))
}

async fn streams(context: &Context, servers: &Servers) -> Result<(), Fault> {
    let [tasks, results] = stream_names(servers);
    for (name, subjects, retention) in [
        (tasks, format!("{}.tasks.>", servers.name), RetentionPolicy::WorkQueue),
        (results, format!("{}.results.>", servers.name), RetentionPolicy::Limits),
    ] {
        let config = Config {
            name,
            subjects: vec![subjects],
            retention,
            num_replicas: servers.replicas,
            max_bytes: 400 << 20,
            ..Config::default()
        };
        context.create_stream(config).await?;
    }
    Ok(())
}

fn subject(servers: &Servers, stream: &str) -> String {
    format!("{}.{stream}.new", servers.name)
}

/// Asks whether this connection's server knows where the stream of this subject is: those of a
/// cluster hear of it one after the other. What asks is refused by the stream, which keeps nothing
/// of it.
async fn reach(context: &Context, subject: &str) -> Result<(), Fault> {
    let nobodys = PublishMessage::build().expected_stream("nobodys");
    let answer = context.send_publish(subject.to_owned(), nobodys).await?.await;
    match answer.map_err(|error| error.kind()) {
        Err(PublishErrorKind::StreamNotFound | PublishErrorKind::TimedOut) => {
            Err(Fault::new(format!("no stream takes {subject}")))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Has it done, as soon as the servers of a cluster are at one.
async fn patiently<T>(what: impl AsyncFn() -> Result<T, Fault>) -> Result<T, Fault> {
    let give_up = Instant::now() + PATIENCE;
    loop {
        match what().await {
            Err(_) if Instant::now() < give_up => tokio::time::sleep(BETWEEN_TRIES).await,
            outcome => return outcome,
        }
    }
}

/// The durable consumer of tasks that all dispatchers share; made by whoever comes first.
async fn dispatcher(
    context: &Context,
    servers: &Servers,
    prover: Prover,
) -> Result<PullConsumer, Fault> {
    let longest = match prover {
        Prover::Sleep(time) => time,
        Prover::Echo | Prover::Serve | Prover::File => Duration::ZERO,
    };
    let config = pull::Config {
        durable_name: Some("all".to_owned()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT + 2 * longest,
        max_ack_pending: AHEAD,
        ..pull::Config::default()
    };
    let [tasks, _] = stream_names(servers);
    ready(context.get_stream(tasks).await?.get_or_create_consumer("all", config).await?).await
}

/// The durable consumer of results.
async fn collector(context: &Context, servers: &Servers) -> Result<PullConsumer, Fault> {
    let config = pull::Config {
        durable_name: Some("all".to_owned()),
        ack_policy: AckPolicy::All,
        ack_wait: ACK_WAIT,
        max_ack_pending: AHEAD,
        ..pull::Config::default()
    };
    let [_, results] = stream_names(servers);
    ready(context.get_stream(results).await?.get_or_create_consumer("all", config).await?).await
}

/// The same, if this connection's server knows where it is. Nothing was submitted that it could
/// give.
async fn ready(consumer: PullConsumer) -> Result<PullConsumer, Fault> {
    match consumer.fetch().max_messages(1).messages().await?.next().await {
        Some(Err(error)) => Err(Fault::new(error.to_string())),
        Some(Ok(_)) | None => Ok(consumer),
    }
}

/// Publishes tasks, with many publishes under way.
async fn submit(
    context: Context,
    subject: String,
    mut queued: mpsc::UnboundedReceiver<u64>,
    bytes: usize,
    acks: mpsc::Sender<PublishAckFuture>,
) -> Result<(), Fault> {
    while let Some(number) = queued.recv().await {
        let mut payload = vec![0; bytes];
        let place = payload.iter_mut().zip(number.to_le_bytes());
        place.for_each(|(byte, of)| *byte = of);
        acks.send(context.publish(subject.clone(), payload.into()).await?).await?;
    }
    Ok(())
}

/// Sees that what was published is durable.
async fn confirm(mut pending: mpsc::Receiver<PublishAckFuture>) -> Result<(), Fault> {
    while let Some(ack) = pending.recv().await {
        ack.await?;
    }
    Ok(())
}

struct Dispatcher {
    context: Context,
    /// The subject of results.
    results: String,
    shape: Shape,
}

impl Dispatcher {
    async fn run(self, tasks: PullConsumer) -> Result<(), Fault> {
        let slots = self.shape.slots as usize;
        // Requests are open ahead: while one batch is proved the next is asked for.
        let batch = slots.clamp(1, 256);
        let messages = tasks.stream().max_messages_per_batch(batch).messages().await?;
        let messages = messages.map_err(Fault::from);
        messages.try_for_each_concurrent(slots, |message| self.prove(message)).await
    }

    async fn prove(&self, message: Message) -> Result<(), Fault> {
        let began = Instant::now();
        let ran = match self.shape.prover {
            Prover::Sleep(time) => {
                timer::sleep(time).await;
                began.elapsed()
            }
            Prover::Echo | Prover::Serve | Prover::File => Duration::ZERO,
        };
        let mut result = message.payload.to_vec();
        let micros = u64::try_from(ran.as_micros()).unwrap_or(u64::MAX).to_le_bytes();
        result.iter_mut().skip(8).zip(micros).for_each(|(byte, of)| *byte = of);
        // A task is let go of once its result is durable; else it comes again.
        self.context.publish(self.results.clone(), result.into()).await?.await?;
        acknowledge(&message).await
    }
}

async fn collect(results: PullConsumer, told: Told) -> Result<(), Fault> {
    let messages = results.stream().max_messages_per_batch(TOGETHER).messages().await?;
    let mut messages = messages.ready_chunks(TOGETHER);
    let mut known = HashSet::new();
    while let Some(came) = messages.next().await {
        let at = Instant::now();
        let mut last = None;
        for message in came {
            let message = message?;
            let number = |from: usize| {
                let bytes = message.payload.get(from..from + 8).and_then(|it| it.try_into().ok());
                bytes.map(u64::from_le_bytes)
            };
            if let (Some(task), Some(ran)) = (number(0), number(8))
                && known.insert(task)
            {
                told.send(Ok(Done { task, at, ran: Duration::from_micros(ran) }))?;
            }
            last = Some(message);
        }
        if let Some(last) = last {
            acknowledge(&last).await?;
        }
    }
    Ok(())
}

/// Does not wait for the server's word.
async fn acknowledge(message: &Message) -> Result<(), Fault> {
    message.ack().await.map_err(|error| Fault::new(format!("no acknowledgement is sent: {error}")))
}

/// For servers that have just been started, or told of a stream.
const PATIENCE: Duration = Duration::from_secs(20);

const BETWEEN_TRIES: Duration = Duration::from_millis(50);

/// Given out and not acknowledged, at most.
const AHEAD: i64 = 20_000;

/// Before what is not acknowledged comes again, beside twice what a prover takes: as long as
/// results are waited for.
const ACK_WAIT: Duration = Duration::from_secs(60);

/// Results that are acknowledged with one word, at most.
const TOGETHER: usize = 1_000;

/// Connections of all dispatchers.
const CONNECTIONS: u32 = 8;

/// Publishes of the client that are not acknowledged, at most.
const UNDER_WAY: usize = 4_096;

#[cfg(test)]
mod tests {
    use push0_testbed::Nats;

    use super::*;
    use crate::baseline::{SHAPE, exactly_once};

    #[test]
    fn each_task_comes_back_once_through_jetstream() {
        let nats = Nats::start(1);
        let servers = Servers::started(nats.urls(), 1);
        let mut running = start(&servers, SHAPE).expect("it starts");
        exactly_once(&mut running, 200);
    }
}
