//! Whether there is a connection: people are told when it is lost, and when it is there again, and
//! with which server.
//!
//! ```text
//!   up ──lost──▶ asks why, for a moment ──▶ Lost ──▶ tries the servers, each in turn ──▶ Back ──▶ up
//! ```
//!
//! The library tells that a connection was lost or made, and not with which server. So after a loss
//! the servers are chosen here, in the order in which they are named, as the library does when it
//! is left to itself.
//!
//! Not here: what is lost with a connection, and asked again (`api`).

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::{Event, ReconnectToServer, Server, ServerAddr, ServerError};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::address::shown;
use super::trouble::plain;

/// What became of a connection. Servers are named as `nats://HOST:PORT`, without who connects.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum LinkNews {
    /// It was made for the first time.
    Up {
        /// With whom.
        server: String,
    },
    /// It was lost, and is tried again until there is one.
    Lost {
        /// With whom.
        server: String,
        /// Why, as far as that is known.
        why: String,
    },
    /// There is one again.
    Back {
        /// With whom it was lost.
        lost: String,
        /// With whom it is.
        server: String,
    },
    /// Nobody wants one any more that was lost.
    Gone {
        /// With whom it was lost.
        lost: String,
    },
    /// The server says that it ends soon.
    Leaving {
        /// Which.
        server: String,
    },
}

/// Who is told of a process' connections. Must not wait.
#[derive(Clone)]
pub struct LinkTeller(Arc<dyn Fn(LinkNews) + Send + Sync>);

impl LinkTeller {
    /// Calls `tell` with all there is.
    #[must_use]
    pub fn new(tell: impl Fn(LinkNews) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }
}

/// Tells nobody.
impl Default for LinkTeller {
    fn default() -> Self {
        Self::new(|_| {})
    }
}

impl fmt::Debug for LinkTeller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkTeller")
    }
}

/// What the library says, and what it is told.
#[derive(Clone, Debug)]
pub(super) struct Link {
    choice: Arc<Mutex<Choice>>,
    sender: mpsc::Sender<LinkEvent>,
}

/// Which server is tried.
#[derive(Debug, Default)]
struct Choice {
    /// The one that is tried, or that there is a connection with.
    server: Option<ServerAddr>,
    /// The one after it.
    next: usize,
}

#[derive(Debug)]
enum LinkEvent {
    Connected(Option<String>),
    Lost,
    Failed(String),
    Said(String),
    Leaving,
}

impl Link {
    pub(super) fn new() -> (Self, LinkNewsOf) {
        let (sender, came) = mpsc::channel(CAME_MAX);
        (Self { choice: Arc::default(), sender }, LinkNewsOf(came))
    }

    /// Takes what the library says.
    pub(super) async fn hear(self, event: &Event) {
        let came = match event {
            Event::Connected => {
                let mut choice = self.choice.lock().unwrap_or_else(PoisonError::into_inner);
                choice.next = 0;
                LinkEvent::Connected(choice.server.as_ref().map(shown))
            }
            Event::Disconnected => LinkEvent::Lost,
            Event::LameDuckMode => LinkEvent::Leaving,
            // The words by which it refuses something are no reason to close a connection, and it
            // closes none for it.
            Event::ServerError(ServerError::Other(words)) if words.contains(REFUSES) => return,
            Event::ServerError(error) => LinkEvent::Said(plain(&error.to_string())),
            Event::ClientError(_) | Event::SlowConsumer(_) | Event::Draining | Event::Closed => {
                return;
            }
        };
        let _ = self.sender.send(came).await; // nobody follows one that was never made
    }

    /// The server to try next; none before there was a first connection, which the library makes by
    /// itself.
    pub(super) fn choose(&self, servers: &[Server]) -> Option<ReconnectToServer> {
        let mut choice = self.choice.lock().unwrap_or_else(PoisonError::into_inner);
        let before = choice.server.take()?;
        let tried = servers.iter().find(|server| server.addr == before);
        if let Some(error) = tried.and_then(|server| server.last_error.as_deref()) {
            let _ = self.sender.try_send(LinkEvent::Failed(plain(error))); // the next one says the same
        }
        let addr = servers.get(choice.next).or_else(|| servers.first())?.addr.clone();
        choice.next = (choice.next + 1) % servers.len();
        choice.server = Some(addr.clone());
        Some(ReconnectToServer { addr, delay: None })
    }

    /// Notes with whom the first connection was made: the first of those that have not failed,
    /// since they were tried in this order.
    pub(super) fn is_up(&self, servers: &[Server]) -> String {
        let first = servers.iter().find(|server| server.did_connect && server.failed_attempts == 0);
        let addr = first.or_else(|| servers.first()).map(|server| server.addr.clone());
        let named = addr.as_ref().map_or_else(|| "a NATS server".to_owned(), shown);
        self.choice.lock().unwrap_or_else(PoisonError::into_inner).server = addr;
        named
    }
}

/// What becomes of a connection.
pub(super) struct LinkNewsOf(mpsc::Receiver<LinkEvent>);

impl LinkNewsOf {
    /// Tells it until nobody wants the connection any more.
    pub(super) async fn tell(mut self, mut server: String, teller: LinkTeller) {
        let tell = &teller.0;
        tell(LinkNews::Up { server: server.clone() });
        let mut said = None;
        while let Some(came) = self.0.recv().await {
            match came {
                LinkEvent::Said(words) => said = Some((Instant::now(), words)),
                LinkEvent::Leaving => tell(LinkNews::Leaving { server: server.clone() }),
                LinkEvent::Lost => {
                    let said = said.take().filter(|(at, _)| at.elapsed() < SAID_MAX);
                    let (why, is_back) = self.why(said.map(|(_, words)| words)).await;
                    let lost = server.clone();
                    tell(LinkNews::Lost { server: lost.clone(), why });
                    let back = match is_back {
                        Some(back) => Some(back),
                        None => self.back().await,
                    };
                    let Some(back) = back else { return tell(LinkNews::Gone { lost }) };
                    server = back.unwrap_or_else(|| lost.clone());
                    tell(LinkNews::Back { lost, server: server.clone() });
                }
                LinkEvent::Connected(_) | LinkEvent::Failed(_) => {}
            }
        }
    }

    /// Why a connection was lost, as far as a moment tells; and with whom there is one again, if
    /// there is by then.
    async fn why(&mut self, said: Option<String>) -> (String, Option<Option<String>>) {
        if let Some(words) = said {
            return (words, None);
        }
        let until = Instant::now() + WHY_MAX;
        loop {
            match timeout_at(until, self.0.recv()).await {
                Ok(Some(LinkEvent::Said(why) | LinkEvent::Failed(why))) => return (why, None),
                Ok(Some(LinkEvent::Connected(server))) => return (CLOSED.to_owned(), Some(server)),
                Ok(Some(LinkEvent::Lost | LinkEvent::Leaving)) => {}
                Ok(None) => return (CLOSED.to_owned(), None),
                Err(_) => return (SILENT.to_owned(), None),
            }
        }
    }

    /// With whom there is a connection again; none where nobody wants one any more.
    async fn back(&mut self) -> Option<Option<String>> {
        loop {
            if let LinkEvent::Connected(server) = self.0.recv().await? {
                return Some(server);
            }
        }
    }
}

/// What a server says that lets somebody not do something.
const REFUSES: &str = "Permissions Violation";

const CLOSED: &str = "it was closed";
const SILENT: &str = "it does not answer";

/// How long the reason for a loss is waited for: a person knows of the loss within a second.
const WHY_MAX: Duration = Duration::from_millis(400);

/// A server that closes a connection says why right before.
const SAID_MAX: Duration = Duration::from_secs(1);

/// What is on its way to whoever tells, who only ever waits for a moment.
const CAME_MAX: usize = 64;
