//! `pull`: the architecture that push0 was published with (arXiv 2602.16338), re-made plainly.
//!
//! ```text
//!   client ─publish─▶ stream of tasks ─pull─▶ dispatcher ─publish─▶ stream of results ─pull─▶ collector ─▶ client
//!                    (a work queue)  ◀─ack──
//! ```
//!
//! Tasks are a JetStream work queue with a durable consumer that all dispatchers pull from, with requests open ahead.
//! A result is published to another stream; once that is acknowledged, the task is. A collector with a durable
//! consumer sees each result. Publishes are under way side by side, as many as a dispatcher has slots. Servers,
//! replicas and syncs are those of the log it is compared with.
//!
//! It does less than push0: no order, no leases beyond JetStream's, no log of what happened, no check of anything.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::context::Context;
use async_nats::jetstream::stream::{Config, RetentionPolicy};
use futures_util::StreamExt as _;
use push0_log::nats_client;
use tokio::sync::mpsc;

use crate::fault::Fault;
use crate::system::cluster::{Background, Servers, settings};
use crate::system::{Done, Payload, Prover, Running, Shape};

/// Starts it on these servers.
///
/// # Errors
///
/// The servers'.
pub(crate) fn start(servers: &Servers, shape: Shape) -> Result<Running, Fault> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .on_thread_start(push0_dispatch::shorten_time_slice)
        .enable_all()
        .build()?;
    let (sender, done) = channel();
    let client = runtime.block_on(async {
        let client = connect(servers).await?;
        streams(&client, servers.replicas).await?;
        let collector = consumer(&connect(servers).await?, RESULTS, COLLECTED).await?;
        tokio::spawn(collect(collector, sender));
        let each = shape.dispatchers.div_ceil(CONNECTIONS).max(1);
        for first in (0..shape.dispatchers).step_by(each as usize) {
            let context = connect(servers).await?;
            for _ in first..shape.dispatchers.min(first + each) {
                let tasks = consumer(&context, TASKS, PULLED).await?;
                tokio::spawn(dispatch(context.clone(), tasks, shape));
            }
        }
        Ok::<_, Fault>(client)
    })?;
    let bytes = match shape.payload {
        Payload::Reference => 100,
        Payload::Bytes500 => 500,
    };
    let (tasks, queued) = mpsc::unbounded_channel();
    runtime.spawn(submit(client, queued, bytes));
    let submit = Box::new(move |numbers: std::ops::Range<u64>| {
        for number in numbers {
            let _ = tasks.send(number);
        }
    });
    Ok(Running { submit, done, _parts: Box::new(Background(Some(runtime))) })
}

async fn connect(servers: &Servers) -> Result<Context, Fault> {
    let (client, _) = nats_client(&settings(servers)).await?;
    Ok(async_nats::jetstream::new(client))
}

async fn streams(context: &Context, replicas: usize) -> Result<(), Fault> {
    for (name, retention) in
        [(TASKS, RetentionPolicy::WorkQueue), (RESULTS, RetentionPolicy::Limits)]
    {
        let config = Config {
            name: name.to_owned(),
            subjects: vec![format!("{name}.>")],
            retention,
            num_replicas: replicas,
            max_bytes: 400 << 20,
            ..Config::default()
        };
        context.create_stream(config).await?;
    }
    Ok(())
}

/// The durable consumer of a stream; made by whoever comes first.
async fn consumer(context: &Context, stream: &str, ahead: i64) -> Result<PullConsumer, Fault> {
    let config = pull::Config {
        durable_name: Some("all".to_owned()),
        ack_policy: AckPolicy::Explicit,
        max_ack_pending: ahead,
        ..pull::Config::default()
    };
    let stream = context.get_stream(stream).await?;
    Ok(stream.get_or_create_consumer("all", config).await?)
}

/// Publishes tasks, with many publishes under way.
async fn submit(context: Context, mut queued: mpsc::UnboundedReceiver<u64>, bytes: usize) {
    let (acks, mut pending) = mpsc::channel(UNDER_WAY);
    tokio::spawn(async move {
        while let Some(ack) = pending.recv().await {
            let _ = IntoFuture::into_future(ack).await;
        }
    });
    while let Some(number) = queued.recv().await {
        let mut payload = vec![0; bytes];
        let place = payload.iter_mut().zip(number.to_le_bytes());
        place.for_each(|(byte, of)| *byte = of);
        let Ok(ack) = context.publish("tasks.new", payload.into()).await else { return };
        if acks.send(ack).await.is_err() {
            return;
        }
    }
}

async fn dispatch(context: Context, tasks: PullConsumer, shape: Shape) {
    let slots = shape.slots as usize;
    // Requests are open ahead: while one batch is proved the next is asked for.
    let batch = slots.clamp(1, 256);
    let messages = tasks.stream().max_messages_per_batch(batch).messages().await;
    let Ok(messages) = messages else { return };
    let prove = |message: Result<async_nats::jetstream::Message, _>| {
        let context = context.clone();
        async move {
            let Ok(message) = message else { return };
            let began = Instant::now();
            let ran = match shape.prover {
                Prover::Sleep(time) => {
                    tokio::time::sleep(time).await;
                    began.elapsed()
                }
                Prover::Echo | Prover::Serve | Prover::File => Duration::ZERO,
            };
            let mut result = message.payload.to_vec();
            let micros = u64::try_from(ran.as_micros()).unwrap_or(u64::MAX).to_le_bytes();
            result.iter_mut().skip(8).zip(micros).for_each(|(byte, of)| *byte = of);
            // A task is let go of once its result is durable; else it comes again.
            if let Ok(ack) = context.publish("results.all", result.into()).await
                && ack.await.is_ok()
            {
                let _ = message.ack().await;
            }
        }
    };
    messages.for_each_concurrent(slots, prove).await;
}

async fn collect(results: PullConsumer, done: std::sync::mpsc::Sender<Done>) {
    let messages = results.stream().max_messages_per_batch(1_000).messages().await;
    let Ok(mut messages) = messages else { return };
    while let Some(Ok(message)) = messages.next().await {
        let at = Instant::now();
        let number = |from: usize| {
            let bytes = message.payload.get(from..from + 8).and_then(|it| it.try_into().ok());
            bytes.map(u64::from_le_bytes)
        };
        if let (Some(task), Some(ran)) = (number(0), number(8))
            && done.send(Done { task, at, ran: Duration::from_micros(ran) }).is_err()
        {
            return;
        }
        let _ = message.ack().await;
    }
}

const TASKS: &str = "tasks";
const RESULTS: &str = "results";

/// Given out and not acknowledged, at most.
const PULLED: i64 = 20_000;
const COLLECTED: i64 = 20_000;

/// Connections of all dispatchers.
const CONNECTIONS: u32 = 8;

/// Publishes of the client that are not acknowledged, at most.
const UNDER_WAY: usize = 4_096;
