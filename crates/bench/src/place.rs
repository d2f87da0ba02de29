//! Where a log is: a directory, or servers that were started for the bench.

use std::fmt;
use std::str::FromStr;

use push0_testbed::{Nats, Settings};

use crate::system::cluster::Servers;

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
}

impl LogKind {
    /// Servers for it, unless it needs none.
    pub(crate) fn servers(self, sync: Sync) -> Option<(Nats, Servers)> {
        let replicas = match self {
            Self::File => return None,
            Self::NatsR1 => 1,
            Self::NatsR3 => 3,
        };
        let lazy_sync = sync == Sync::Default;
        let nats =
            Nats::start_with(&Settings { nodes: replicas, lazy_sync, ..Settings::default() });
        let servers = Servers { urls: nats.urls(), replicas };
        Some((nats, servers))
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
