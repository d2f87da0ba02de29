//! The systems that are measured side by side, and how each is started.

use std::fmt;
use std::time::Duration;

use crate::baseline::postgres::{self, Postgres};
use crate::baseline::{poll, pull};
use crate::cli::BenchOptions;
use crate::fault::Fault;
use crate::noise::Noise;
use crate::place::{LogKind, Site, Sync};
use crate::report::Row;
use crate::system::cluster::Servers;
use crate::system::{Payload, Prover, Running, Shape, cluster, file};

/// A system, and where its truth is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Target {
    Push0(LogKind, Sync),
    Pull(LogKind, Sync),
    /// The pause is of who finds nothing.
    Poll(Duration),
}

/// A system that runs, and what it runs on. What works goes before what it works on.
pub(crate) struct Started {
    pub(crate) running: Running,
    _postgres: Option<Postgres>,
    _site: Option<Site>,
    _noise: Option<Noise>,
}

impl Target {
    /// All that is asked for. push0 comes before what it is compared with.
    pub(crate) fn all(asked: &BenchOptions) -> Vec<Self> {
        let mut all = Vec::new();
        for log in &asked.log {
            let syncs = if *log == LogKind::File { vec![Sync::Always] } else { asked.syncs() };
            for sync in syncs {
                all.push(Self::Push0(*log, sync));
                if *log != LogKind::File && !asked.alone {
                    all.push(Self::Pull(*log, sync));
                }
            }
        }
        if !asked.alone {
            all.extend([POLL, Duration::ZERO].map(Self::Poll));
        }
        all
    }

    /// Why it cannot be measured as it is asked for; a row then says so, and has no numbers.
    pub(crate) fn fault(self, asked: &BenchOptions) -> Option<String> {
        let runs_it = match asked.prover {
            Prover::Echo | Prover::Sleep(_) => true,
            Prover::Serve | Prover::File => false,
        };
        match self {
            Self::Push0(..) => None,
            Self::Pull(..) | Self::Poll(_) if !runs_it => {
                Some(format!("it runs no processes as provers: not measured with {}", asked.prover))
            }
            Self::Poll(_) if asked.payload == Payload::Bytes500 => {
                Some("its tasks carry no bytes: not measured with 500B".to_owned())
            }
            Self::Poll(_) if postgres::installed().is_none() => {
                Some(postgres::NOT_INSTALLED.to_owned())
            }
            Self::Pull(..) | Self::Poll(_) => None,
        }
    }

    /// Starts it, beside the noise that is asked for. `before` is told of its servers when only
    /// they run.
    ///
    /// # Errors
    ///
    /// That it cannot be started.
    pub(crate) fn start(
        self,
        asked: &BenchOptions,
        noise: &str,
        shape: Shape,
        before: impl FnOnce(Option<&Servers>) -> Result<(), Fault>,
    ) -> Result<Started, Fault> {
        let site = match self {
            Self::Push0(log, sync) | Self::Pull(log, sync) => log.site(&asked.nats, sync)?,
            Self::Poll(_) => None,
        };
        let at = site.as_ref().map(|site| &site.servers);
        let postgres = matches!(self, Self::Poll(_)).then(Postgres::start).transpose()?;
        let noise = Noise::of(noise)?;
        before(at)?;
        let running = match (self, at, &postgres) {
            (Self::Push0(..), None, _) => file::start(&asked.dir(), shape)?,
            (Self::Push0(..), Some(servers), _) => cluster::start(servers, shape)?,
            (Self::Pull(..), Some(servers), _) => pull::start(servers, shape)?,
            (Self::Poll(pause), _, Some(server)) => poll::start(server, shape, pause)?,
            (Self::Pull(..), None, _) | (Self::Poll(_), _, None) => {
                return Err(Fault::new("it has nothing to run on"));
            }
        };
        Ok(Started { running, _postgres: postgres, _site: site, _noise: noise })
    }

    /// A row that names it.
    pub(crate) fn row(self, bench: &str) -> Row {
        let (system, log, sync) = match self {
            Self::Push0(log, sync) => ("push0", log.to_string(), Some(sync.to_string())),
            Self::Pull(log, sync) => ("pull", log.to_string(), Some(sync.to_string())),
            Self::Poll(pause) => {
                (if pause.is_zero() { "poll-tight" } else { "poll" }, "postgres".to_owned(), None)
            }
        };
        let (bench, system) = (bench.to_owned(), system.to_owned());
        Row { bench, system, log, sync, ..Row::default() }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Push0(log, sync) => write!(f, "push0 on {log} {sync}"),
            Self::Pull(log, sync) => write!(f, "pull on {log} {sync}"),
            Self::Poll(pause) if pause.is_zero() => f.write_str("poll-tight"),
            Self::Poll(_) => f.write_str("poll"),
        }
    }
}

/// What bento and the prover of zksync wait where they find nothing.
const POLL: Duration = Duration::from_secs(1);
