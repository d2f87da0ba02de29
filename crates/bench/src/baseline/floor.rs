//! The floor: what the durable writes and the hops of a task take, with nothing decided in between.
//!
//! A task of push0 is durable twice (its grant, its result), and goes to another process and back.
//! On a file that is two fdatasyncs and one round trip over pipes, which is two hops. On NATS it is
//! two publishes that are acknowledged and two requests with their answers: client to engine,
//! engine to dispatcher. Measured at the pace of the tasks, since a machine that has gone idle
//! takes longer to wake.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use async_nats::{Client, Message, Request};
use futures_util::StreamExt as _;
use push0_log::nats_client;
use serde_json::{Value, json};

use crate::fault::Fault;
use crate::stats::quantile;
use crate::system::cluster::{Process, Servers, settings};

/// The median on a file in `dir`.
///
/// # Errors
///
/// The disk's, or that no process can be started.
pub(crate) fn file(dir: &Path, rate: f64, count: u32) -> Result<Duration, Fault> {
    let dir = tempfile::Builder::new().prefix("push0-bench-").tempdir_in(dir)?;
    let mut log = File::create(dir.path().join("log"))?;
    log.write_all(&vec![0; RECORD.len() * 2 * count as usize])?;
    log.sync_all()?;
    let mut log = File::options().write(true).open(dir.path().join("log"))?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("echo").stdin(Stdio::piped()).stdout(Stdio::piped());
    push0_dispatch::die_with_parent(&mut command);
    let mut child = Process(command.spawn()?);
    let mut to = child.0.stdin.take().ok_or_else(|| Fault::new("no pipe"))?;
    let mut from = BufReader::new(child.0.stdout.take().ok_or_else(|| Fault::new("no pipe"))?);
    let mut line = String::new();
    paced(rate, count, || {
        log.write_all(&RECORD)?;
        log.sync_data()?;
        to.write_all(b"grant\n")?;
        line.clear();
        from.read_line(&mut line)?;
        log.write_all(&RECORD)?;
        Ok(log.sync_data()?)
    })
}

/// The median on a stream of these servers, which is made for it.
///
/// # Errors
///
/// The servers'.
pub(crate) fn nats(servers: &Servers, rate: f64, count: u32) -> Result<Duration, Fault> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let config = settings(servers);
    let stream = stream_name(servers);
    let [log, hop] = ["log", "hop"].map(|subject| format!("{}.floor.{subject}", servers.name));
    let client = runtime.block_on(async {
        let (client, _) = nats_client(&config).await?;
        let (responder, _) = nats_client(&config).await?;
        let settings = json!({
            "name": stream, "subjects": [log], "storage": "file",
            "num_replicas": servers.replicas, "max_bytes": 64 << 20, "discard": "old",
        });
        let create = format!("$JS.API.STREAM.CREATE.{stream}");
        let answer = until_answered(&client, &create, settings.to_string().as_bytes()).await?;
        let answer: Value = serde_json::from_slice(&answer.payload)?;
        if let Some(error) = answer.get("error") {
            return Err(Fault::new(error.to_string()));
        }
        let mut asked = responder.subscribe(hop.clone()).await?;
        responder.flush().await?;
        tokio::spawn(async move {
            while let Some(message) = asked.next().await {
                if let Some(reply) = message.reply {
                    let _ = responder.publish(reply, message.payload).await;
                }
            }
        });
        for subject in [&log, &hop] {
            until_answered(&client, subject, &RECORD).await?;
        }
        Ok::<_, Fault>(client)
    })?;
    let took = paced(rate, count, || {
        runtime.block_on(async {
            for _ in 0..2 {
                client.request(hop.clone(), RECORD.to_vec().into()).await?;
                client.request(log.clone(), RECORD.to_vec().into()).await?;
            }
            Ok::<_, Fault>(())
        })
    });
    runtime.block_on(async {
        let _ = client.request(format!("$JS.API.STREAM.DELETE.{stream}"), "".into()).await;
    });
    took
}

/// Asks until it is answered: a stream that was just made may have no leader yet, and the servers
/// of a cluster may not know of each other's listeners, so that an answer goes nowhere.
async fn until_answered(client: &Client, subject: &str, payload: &[u8]) -> Result<Message, Fault> {
    let mut left = TRIES;
    loop {
        let request = Request::new().payload(payload.to_vec().into()).timeout(Some(ANSWER_MAX));
        match client.send_request(subject.to_owned(), request).await {
            Ok(answer) => return Ok(answer),
            Err(error) if left == 0 => return Err(error.into()),
            Err(_) => left -= 1,
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The stream that it makes on servers of this name.
pub(crate) fn stream_name(servers: &Servers) -> String {
    format!("{}-floor", servers.name)
}

/// The median of what is done so many times, at this rate or as fast as it goes.
fn paced(
    rate: f64,
    count: u32,
    mut what: impl FnMut() -> Result<(), Fault>,
) -> Result<Duration, Fault> {
    let (start, mut took) = (Instant::now(), Vec::new());
    for number in 0..count {
        let due = start + Duration::from_secs_f64(f64::from(number) / rate);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let began = Instant::now();
        what()?;
        took.push(began.elapsed());
    }
    took.sort();
    Ok(quantile(&took, 0.5))
}

/// What the process at the other end of the pipes does.
pub(crate) fn echo() {
    let mut stdout = std::io::stdout();
    for line in std::io::stdin().lines().map_while(Result::ok) {
        if writeln!(stdout, "{line}").and_then(|()| stdout.flush()).is_err() {
            return;
        }
    }
}

const TRIES: u32 = 30;

/// Many times what an answer takes.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// As long as a turn of a lone task, roughly.
const RECORD: [u8; 512] = [7; 512];
