//! The NATS servers: whether one is reached, does what the log needs, and would take this pipeline.
//!
//! Servers tell clients neither their `sync_interval` nor their `max_file_store`: their monitoring
//! port does, where it is named.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use push0_core::Pipeline;
use push0_log::{NatsConfig, nats_client};
use serde_json::Value;
use tokio::time::timeout;

use super::DoctorArgs;
use crate::cluster::{ClusterError, Role, fits, runtime};
use crate::doctor::{bounded, setting};
use crate::finding::Finding;
use crate::tell::counted;

const ABOUT: &str = "NATS";

pub(super) fn look(args: &DoctorArgs, pipeline: Option<&Pipeline>) -> Vec<Finding> {
    let (args, pipeline) = (args.clone(), pipeline.cloned());
    let looked = bounded(ABOUT, NATS_MAX, move || look_now(&args, pipeline.as_ref()));
    looked.unwrap_or_else(|finding| vec![finding])
}

fn look_now(args: &DoctorArgs, pipeline: Option<&Pipeline>) -> Vec<Finding> {
    if !args.cluster.is_given() {
        return args.monitor.as_deref().map(synced).into_iter().collect();
    }
    let mut findings = match connected(args, pipeline) {
        Ok(findings) => findings,
        Err(error) => return vec![failed(&error)],
    };
    findings.push(match &args.monitor {
        Some(monitor) => synced(monitor),
        None => Finding::warn(
            ABOUT,
            "servers do not tell clients whether they sync before they acknowledge",
            "see to `sync_interval: always` in their configuration (deploy/nats.conf), or name a monitoring port: \
             --monitor HOST:8222",
        ),
    });
    findings
}

fn connected(args: &DoctorArgs, pipeline: Option<&Pipeline>) -> Result<Vec<Finding>, ClusterError> {
    let settings = args.cluster.settings(Role::Reader, "push0-doctor")?;
    let config = settings.nats;
    runtime()?.block_on(async {
        let Ok(connected) = timeout(CONNECT_MAX, nats_client(&config)).await else {
            let said = format!("no connection within {} s", CONNECT_MAX.as_secs());
            return Ok(vec![Finding::fail(
                ABOUT,
                said,
                "see to the servers, and to what is between",
            )]);
        };
        let (client, refusals) = connected?;
        let server = client.server_info();
        let mut findings = vec![Finding::ok(
            ABOUT,
            format!(
                "server {} (version {}) is reached, and has JetStream",
                server.server_name, server.version
            ),
        )];
        findings.push(payload(server.max_payload, pipeline));
        let subject = format!("{}.STREAM.INFO.{}", config.api, config.stream);
        let answer = timeout(ANSWER_MAX, client.request(subject, "".into())).await;
        let words = refusals.borrow().clone();
        findings.extend(match answer {
            Ok(Ok(message)) => stream(&config, &message.payload),
            Ok(Err(error)) if words.is_empty() => vec![silent(&error.to_string())],
            Err(_) if words.is_empty() => vec![silent("no answer in time")],
            Ok(Err(_)) | Err(_) => vec![Finding::warn(
                ABOUT,
                format!("this user may not ask about the stream: {words}"),
                "look with a user of the role `reader` (docs/nats.md, Roles)",
            )],
        });
        Ok(findings)
    })
}

fn silent(what: &str) -> Finding {
    Finding::fail(
        ABOUT,
        format!("JetStream does not answer: {what}"),
        "see to the servers: two of three must run, and know each other; the account must have JetStream",
    )
}

/// Whether a message holds what this pipeline needs of one.
fn payload(max_payload: usize, pipeline: Option<&Pipeline>) -> Finding {
    let said = format!("messages of up to {} KiB (max_payload)", max_payload >> 10);
    match pipeline.map(|pipeline| fits(pipeline, max_payload)) {
        Some(Err(error)) => Finding::fail(ABOUT, said, error.to_string()),
        Some(Ok(())) | None => Finding::ok(ABOUT, said),
    }
}

/// What the servers say of the log's stream.
fn stream(config: &NatsConfig, answer: &[u8]) -> Vec<Finding> {
    let name = &config.stream;
    let Ok(info) = serde_json::from_slice::<Value>(answer) else {
        return vec![silent("its answer is not JSON")];
    };
    let number = |pointer: &str| info.pointer(pointer).and_then(Value::as_u64);
    match number("/error/err_code") {
        None => {}
        Some(NO_STREAM) => {
            let said = format!(
                "there is no stream {name} yet: the first engine makes it, with {}",
                counted(config.replicas, "replica")
            );
            return vec![copies(said, config.replicas as u64)];
        }
        Some(_) => {
            let what = info.pointer("/error/description").and_then(Value::as_str);
            return vec![silent(what.unwrap_or("it refuses"))];
        }
    }
    let replicas = number("/config/num_replicas").unwrap_or_default();
    let bytes = number("/state/bytes").unwrap_or_default();
    let mut findings =
        vec![copies(format!("stream {name} has {}", counted(replicas, "replica")), replicas)];
    let said =
        |bytes_max: u64| format!("stream {name} holds {} of {} MiB", bytes >> 20, bytes_max >> 20);
    findings.push(match number("/config/max_bytes").filter(|bytes_max| *bytes_max > 0) {
        None => Finding::warn(
            ABOUT,
            format!("stream {name} holds {} MiB, and has no bound", bytes >> 20),
            "give it one before the servers' disks are full: nats stream edit --max-bytes",
        ),
        Some(bytes_max) if bytes > bytes_max / 10 * 7 => Finding::warn(
            ABOUT,
            said(bytes_max),
            "from 80 % on no block is taken: nats stream edit --max-bytes",
        ),
        Some(bytes_max) => Finding::ok(ABOUT, said(bytes_max)),
    });
    findings
}

fn copies(said: String, replicas: u64) -> Finding {
    match replicas {
        0..=2 => Finding::warn(
            ABOUT,
            said,
            "the log dies with its server: use three servers, and replicas = 3 in [nats]",
        ),
        _ => Finding::ok(ABOUT, said),
    }
}

/// What a server says of itself on its monitoring port.
fn synced(monitor: &str) -> Finding {
    let jetstream = match varz(monitor) {
        Ok(varz) => varz.pointer("/jetstream/config").cloned().unwrap_or_default(),
        Err(what) => {
            let said = format!("its monitoring port at {monitor} tells nothing: {what}");
            let remedy = "name the host and port of `http` in its configuration (--monitor)";
            return Finding::fail(ABOUT, said, remedy);
        }
    };
    if jetstream.get("sync_always").and_then(Value::as_bool) == Some(true) {
        return Finding::ok(
            ABOUT,
            "a record is on disk before it is acknowledged (sync_interval: always)",
        );
    }
    let nanos = jetstream.get("sync_interval").and_then(Value::as_u64);
    let seconds = nanos.unwrap_or_default() / 1_000_000_000;
    Finding::warn(
        ABOUT,
        format!(
            "it acknowledges what is not on disk yet, and syncs every {seconds} s (sync_interval)"
        ),
        "set `sync_interval: always`, as deploy/nats.conf has it: servers that lose power together lose what they \
         acknowledged, and push0 has acted on it",
    )
}

fn varz(monitor: &str) -> Result<Value, String> {
    let of = |error: std::io::Error| error.to_string();
    let mut found = monitor.to_socket_addrs().map_err(of)?;
    let address = found.next().ok_or("the name has no address")?;
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_MAX).map_err(of)?;
    stream.set_read_timeout(Some(ANSWER_MAX)).map_err(of)?;
    stream.set_write_timeout(Some(ANSWER_MAX)).map_err(of)?;
    write!(stream, "GET /varz HTTP/1.0\r\nHost: {monitor}\r\n\r\n").map_err(of)?;
    let mut answer = Vec::new();
    stream.take(VARZ_BYTES_MAX).read_to_end(&mut answer).map_err(of)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("it does not speak HTTP")?;
    if head.split(' ').nth(1) != Some("200") {
        return Err(head.lines().next().unwrap_or_default().to_owned());
    }
    serde_json::from_str(body).map_err(|error| error.to_string())
}

fn failed(error: &ClusterError) -> Finding {
    if let ClusterError::Nats(error) = error {
        return Finding::fail(ABOUT, push0_core::causes(error), error.remedy());
    }
    setting(ABOUT, error)
}

/// Of JetStream's errors: there is no such stream.
const NO_STREAM: u64 = 10_059;

/// All of it: a name may take long to be resolved, and a server may answer byte by byte.
const NATS_MAX: Duration = Duration::from_secs(60);

const CONNECT_MAX: Duration = Duration::from_secs(20);

const ANSWER_MAX: Duration = Duration::from_secs(5);

/// Some tens of kilobytes, of many connections more.
const VARZ_BYTES_MAX: u64 = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Standing;

    #[test]
    fn a_stream_is_told_of_as_it_is() {
        let config = NatsConfig::default();
        let standings = |answer: &str| {
            let found = stream(&config, answer.as_bytes());
            found.into_iter().map(|finding| finding.standing).collect::<Vec<_>>()
        };
        let info = |replicas: u64, bytes: u64| {
            format!(
                r#"{{"config":{{"num_replicas":{replicas},"max_bytes":1000}},"state":{{"bytes":{bytes}}}}}"#
            )
        };
        assert_eq!(standings(&info(3, 10)), [Standing::Ok, Standing::Ok]);
        assert_eq!(standings(&info(1, 900)), [Standing::Warn, Standing::Warn]);
        assert_eq!(standings(r#"{"error":{"err_code":10059}}"#), [Standing::Warn]);
        assert_eq!(standings(r#"{"error":{"err_code":10039}}"#), [Standing::Fail]);
        assert_eq!(standings("garbage"), [Standing::Fail]);
    }
}
