//! Where a log is: a directory, servers that were started for the bench, or servers that the user
//! names.

use std::fmt;
use std::panic::catch_unwind;
use std::str::FromStr;

use push0_testbed::{Nats, Settings};

use crate::fault::Fault;
use crate::system::cluster::{Servers, clear};

/// A kind of log, by the name that all results use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum LogKind {
    File,
    NatsR1,
    NatsR3,
}

/// When a server syncs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sync {
    /// Before it acknowledges, as `deploy/nats.conf` has it.
    Always,
    /// Every two minutes, as servers do by default.
    Default,
    /// As the user's servers have it, who has not said how.
    Unknown,
}

/// Servers that a log is on.
pub(crate) struct Site {
    /// None where they are the user's.
    pub(crate) nats: Option<Nats>,
    pub(crate) servers: Servers,
}

impl LogKind {
    /// Servers for it, unless it needs none: those at `urls`, or else ones that are started.
    ///
    /// # Errors
    ///
    /// That none can be started.
    pub(crate) fn site(self, urls: &[String], sync: Sync) -> Result<Option<Site>, Fault> {
        let replicas = match self {
            Self::File => return Ok(None),
            Self::NatsR1 => 1,
            Self::NatsR3 => 3,
        };
        if !urls.is_empty() {
            let servers = Servers::named(urls.to_vec(), replicas);
            return Ok(Some(Site { nats: None, servers }));
        }
        let settings =
            Settings { nodes: replicas, lazy_sync: sync == Sync::Default, ..Settings::default() };
        // It panics where it cannot, and has said why by then.
        let nats = catch_unwind(|| Nats::start_with(&settings));
        let nats = nats.map_err(|_| Fault::new("no nats-server could be started"))?;
        let servers = Servers::started(nats.urls(), replicas);
        Ok(Some(Site { nats: Some(nats), servers }))
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // Servers that were started end with all that they hold.
        if self.nats.is_none() {
            clear(&self.servers);
        }
    }
}

impl fmt::Display for LogKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "file",
            Self::NatsR1 => "nats-r1",
            Self::NatsR3 => "nats-r3",
        })
    }
}

impl FromStr for LogKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "file" => Ok(Self::File),
            "nats-r1" => Ok(Self::NatsR1),
            "nats-r3" => Ok(Self::NatsR3),
            _ => Err(format!("{text:?} is no log: say file, nats-r1 or nats-r3")),
        }
    }
}

impl fmt::Display for Sync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Always => "always",
            Self::Default => "default",
            Self::Unknown => "unknown",
        })
    }
}

impl FromStr for Sync {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "always" => Ok(Self::Always),
            "default" => Ok(Self::Default),
            _ => Err(format!("{text:?} is no sync: say always or default")),
        }
    }
}
