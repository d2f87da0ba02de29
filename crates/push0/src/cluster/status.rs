//! `push0 status` of a cluster: the leading engine's word on the work and on who leads, and everybody's word on themselves.

use std::time::Duration;

use super::bus::Bus;
use super::error::ClusterError;
use super::replica::Replica;
use super::role::Role;
use super::serve::runtime;
use super::settings::{ClusterArgs, Settings};
use super::wire::{Answer, Ask, Present};
use crate::status::{Cluster, Status};
use push0_log::Log as _;
use tokio::runtime::Runtime;

/// Whether an engine that leads answers.
pub(crate) fn is_led(args: &ClusterArgs) -> bool {
    let answer = args.settings(Role::Reader, "push0-status").and_then(|settings| {
        runtime()?.block_on(async { Ok(Bus::connect(&settings).await?.ask(&Ask::Status).await) })
    });
    matches!(answer, Ok(Some(Answer::Status(_))))
}

/// Asks how far the cluster is, over one connection.
pub(crate) struct StatusAsker {
    settings: Settings,
    bus: Bus,
    runtime: Runtime,
    blocks: usize,
}

impl StatusAsker {
    /// For answers about so many blocks.
    pub(crate) fn new(args: &ClusterArgs, blocks: usize) -> Result<Self, ClusterError> {
        if !args.is_given() {
            return Err(ClusterError::Nowhere);
        }
        let settings = args.settings(Role::Reader, "push0-status")?;
        let runtime = runtime()?;
        let bus = runtime.block_on(Bus::connect(&settings))?;
        Ok(Self { settings, bus, runtime, blocks })
    }

    pub(crate) fn read(&self) -> Result<Status, ClusterError> {
        let bus = &self.bus;
        self.runtime.block_on(async {
            let (present, answer) = tokio::join!(bus.roll_call(ROLL_CALL), bus.ask(&Ask::Status));
            let (mut status, is_led) = match answer {
                Some(Answer::Status(status)) => (*status, true),
                _ => (of_log(&self.settings, self.blocks).await?, false),
            };
            let mut there = Cluster {
                leader: status.cluster.take().and_then(|it| it.leader),
                ..Cluster::default()
            };
            for present in present {
                match present {
                    Present::Engine(engine) => there.engines.push(engine),
                    Present::Dispatcher(dispatcher) => there.dispatchers.push(dispatcher),
                }
            }
            there.engines.sort();
            there.dispatchers.sort_by(|a, b| a.dispatcher.cmp(&b.dispatcher));
            status.hear_all(there, is_led);
            status.runs(Some(is_led));
            Ok(status)
        })
    }
}

/// What the log says, where no engine leads.
async fn of_log(settings: &Settings, blocks: usize) -> Result<Status, ClusterError> {
    let mut replica = Replica::open(&settings.nats).await?;
    replica.catch_up().await?;
    let mut status = Status::of(replica.scheduler(), None, blocks);
    status.log = replica.log.room().map(Into::into);
    Ok(status)
}

/// How long answers to a roll call are waited for: a round trip, and what a busy machine adds.
const ROLL_CALL: Duration = Duration::from_millis(500);
