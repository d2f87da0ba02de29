//! A connection to NATS, and whether its server will do.
//!
//! Not here: the stream (`stream`).

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use async_nats::rustls::crypto::ring;
use async_nats::{
    Client, ConnectError, ConnectErrorKind, ConnectOptions, Event, ServerAddr, ServerError,
    ServerInfo,
};
use tokio::sync::watch;
use tokio::time::timeout;

use super::address::shown;
use super::entry::Entry;
use super::link::Link;
use super::trouble::Trouble;
use super::{NatsConfig, NatsError};

/// A connection for what is no log: it finds its way back by itself when it is lost. With it comes
/// what its servers last refused, in their words: they answer nothing else to what is published
/// without permission.
///
/// # Errors
///
/// A [`NatsError`].
pub async fn client(config: &NatsConfig) -> Result<(Client, watch::Receiver<String>), NatsError> {
    if let Some((setting, reason)) = config.fault() {
        return Err(NatsError::Config { setting, reason });
    }
    let Connection { client, refusals, .. } = connect(config).await?;
    Ok((client, refusals))
}

/// A connection, and what befalls it.
pub(super) struct Connection {
    pub(super) client: Client,
    /// How often it was lost.
    pub(super) losses: watch::Receiver<u64>,
    /// What the servers last refused.
    pub(super) refusals: watch::Receiver<String>,
}

pub(super) async fn connect(config: &NatsConfig) -> Result<Connection, NatsError> {
    // Where something else in the process brings a second one, rustls would not choose, and panic.
    // Who has chosen before is followed.
    let _ = ring::default_provider().install_default();
    let entry = Entry::of(config)?;
    let (count, losses) = watch::channel(0);
    let (refused, refusals) = watch::channel(String::new());
    let (link, news) = Link::new();
    let (heard, chooses) = (link.clone(), link.clone());
    let options = options(config).reconnect_to_server_callback(move |servers, _| {
        std::future::ready(chooses.choose(&servers))
    });
    let inbox = config.inbox.clone();
    let options = entry.with(options.event_callback(move |event| {
        let heard = heard.clone();
        if let Event::ServerError(ServerError::Other(words)) = &event {
            refused.send_replace(of_all_inboxes(words, &inbox));
        } else if matches!(event, Event::Disconnected) {
            count.send_modify(|count| *count += 1);
        }
        async move { heard.hear(&event).await }
    }))?;
    let client = match options.connect(&entry.servers[..]).await {
        Ok(client) => client,
        Err(error) => return Err(told(error, &entry, config).await),
    };
    check(&client.server_info())?;
    let servers = timeout(config.answer_max, client.server_pool()).await;
    let server = link.is_up(&servers.ok().and_then(Result::ok).unwrap_or_default());
    tokio::spawn(news.tell(server, config.links.clone()));
    Ok(Connection { client, losses, refusals })
}

/// What the servers refuse, without what differs from one time to the next: an inbox has another
/// name each time, and who is kept from one is kept from all.
fn of_all_inboxes(words: &str, inbox: &str) -> String {
    let begins = format!("\"{inbox}.");
    let named = words.split_once(&begins);
    match named.and_then(|(before, rest)| Some((before, rest.split_once('"')?.1))) {
        Some((before, after)) => format!("{before}{begins}>\"{after}"),
        None => words.to_owned(),
    }
}

fn options(config: &NatsConfig) -> ConnectOptions {
    ConnectOptions::new()
        .name(&config.name)
        // Processes at one server have a hop less between them than at two of a cluster.
        .retain_servers_order()
        .custom_inbox_prefix(&config.inbox)
        .connection_timeout(config.answer_max)
        .ping_interval(PING_INTERVAL)
        .reconnect_delay_callback(reconnect_delay)
}

/// Why none of the servers was reached. Each is tried by itself, for the library tells the last
/// one's error alone.
async fn told(error: ConnectError, entry: &Entry<'_>, config: &NatsConfig) -> NatsError {
    let [server] = &entry.servers[..] else {
        let mut worst = None;
        for server in entry.servers.iter().take(LOOKED_AT_MAX) {
            let options = match entry.with(options(config)) {
                Ok(options) => options,
                Err(error) => return error,
            };
            let Err(error) = options.connect(server).await else { continue };
            let (found, weight) = found(&error, server, entry).await;
            if worst.as_ref().is_none_or(|(_, heaviest)| weight > *heaviest) {
                worst = Some((found, weight));
            }
        }
        let passed = || NatsError::Unavailable(std::io::Error::other(error));
        return worst.map_or_else(passed, |(found, _)| found);
    };
    found(&error, server, entry).await.0
}

/// What one server's error means, and how much it says.
async fn found(error: &ConnectError, server: &ServerAddr, entry: &Entry<'_>) -> (NatsError, u8) {
    let name = shown(server);
    match error.kind() {
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
            (NatsError::Denied { server: name, gave: entry.gave() }, u8::MAX)
        }
        ConnectErrorKind::ServerParse
        | ConnectErrorKind::Dns
        | ConnectErrorKind::TimedOut
        | ConnectErrorKind::Tls
        | ConnectErrorKind::Io
        | ConnectErrorKind::MaxReconnects => {
            let trouble = Trouble::of(error, server).await;
            let weight = trouble.weight();
            (NatsError::Unreachable { server: name, trouble }, weight)
        }
    }
}

/// Whether the server has what the log needs.
pub(super) fn check(server: &ServerInfo) -> Result<(), NatsError> {
    if version(server) < SERVER_MIN {
        return Err(NatsError::Old { found: server.version.clone() });
    }
    let server_name = || server.server_name.clone();
    if !server.jetstream {
        return Err(NatsError::NoJetStream { server: server_name() });
    }
    if server.max_payload < PAYLOAD_MIN {
        let (found, needed) = (server.max_payload, PAYLOAD_MIN);
        return Err(NatsError::SmallPayload { server: server_name(), found, needed });
    }
    Ok(())
}

/// The major and minor version; zeros where they cannot be read.
pub(super) fn version(server: &ServerInfo) -> (u32, u32) {
    let mut numbers = server.version.split('.').map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// Before a lost connection is tried again: a little longer each time, and never as long as another
/// process waits. All of a fleet lose theirs at the same moment, and a server that has just come up
/// is not to be asked by all at once.
fn reconnect_delay(attempts: usize) -> Duration {
    let attempts = u32::try_from(attempts).unwrap_or(u32::MAX).max(1);
    let least = RECONNECT_DELAY.min(STEP.saturating_mul(attempts));
    let drawn = RandomState::new().hash_one(attempts) % 1_000;
    least + least * u32::try_from(drawn).unwrap_or_default() / 1_000
}

/// Older ones lack `sync_interval: always`, and pass over settings that they do not know.
const SERVER_MIN: (u32, u32) = (2, 10);

/// For the words of a failed attempt twice over, a pipeline, and the answer to `status`, each with
/// room beside it.
const PAYLOAD_MIN: usize = 64 << 10;

/// A connection whose other end has gone without a word is found out in three of these.
const PING_INTERVAL: Duration = Duration::from_secs(5);

/// At least so much longer for each try, and at most twice that.
const STEP: Duration = Duration::from_millis(5);

/// Never longer than twice this: engines that hear of lost connections wait for half a second.
const RECONNECT_DELAY: Duration = Duration::from_millis(200);

/// As many servers as a log is ever on; the others of a long list are most likely like them.
const LOOKED_AT_MAX: usize = 5;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_is_refused_of_an_inbox_is_the_same_each_time() {
        let refused = |what: &str| format!("Permissions Violation for Subscription to \"{what}\"");
        let told = |what: &str| of_all_inboxes(&refused(what), "_INBOX.push0.engine");
        assert_eq!(told("_INBOX.push0.engine.aB3.*"), refused("_INBOX.push0.engine.>"));
        assert_eq!(told("_INBOX.push0.engine.xY7.*"), refused("_INBOX.push0.engine.>"));
        for other in ["push0.log.a.b", "_INBOX.push0.engines.aB3", "_INBOX.push0.client.aB3.*"] {
            assert_eq!(told(other), refused(other));
        }
    }

    #[test]
    fn those_that_lost_a_server_together_do_not_come_back_together() {
        for attempts in [0, 1, 10, 1_000, usize::MAX] {
            let delays: BTreeSet<_> = (0..1_000).map(|_| reconnect_delay(attempts)).collect();
            assert!(delays.len() > 300, "{attempts}: {} of 1000 differ", delays.len());
            let most = delays.last().expect("there are some");
            assert!(*most < Duration::from_millis(400), "{attempts}: {most:?}");
        }
    }
}
