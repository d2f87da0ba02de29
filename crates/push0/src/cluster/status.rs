//! `push0 status` of a cluster: the leading engine's word on the work and on who leads, and
//! everybody's word on themselves.

use std::time::Duration;

use super::bus::Bus;
use super::error::ClusterError;
use super::replica::Replica;
use super::role::Role;
use super::serve::runtime;
use super::settings::{ClusterArgs, Settings};
use super::threads::Threads;
use super::wire::{Answer, Ask, Present};
use crate::status::{Cluster, Status, Subject};
use push0_log::Log as _;

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
    runtime: Threads,
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
        self.read_of(None)
    }

    /// The same about one thing alone.
    pub(crate) fn read_about(&self, subject: Subject) -> Result<Status, ClusterError> {
        self.read_of(Some(subject))
    }

    fn read_of(&self, subject: Option<Subject>) -> Result<Status, ClusterError> {
        let bus = &self.bus;
        let ask = subject.map_or(Ask::Status, Ask::Explain);
        self.runtime.block_on(async {
            let (mut present, mut answer) = tokio::join!(bus.roll_call(ROLL_CALL), bus.ask(&ask));
            // Others may have asked so often that an engine which leads leaves this out.
            for _ in 0..TRIES {
                let is_left_out = answer.is_none() && subject.is_some();
                if !is_left_out || bus.ask(&Ask::Status).await.is_none() {
                    break;
                }
                answer = bus.ask(&ask).await;
            }
            let (mut status, is_led) = match answer {
                Some(Answer::Status(status)) => (*status, true),
                Some(Answer::Refused { reason, .. }) => return Err(ClusterError::NotDone(reason)),
                _ => (of_log(&self.settings, self.blocks, subject).await?, false),
            };
            if misses_any(&status, &present) {
                let again = bus.roll_call(ROLL_CALL).await.into_iter();
                present.extend(again.filter(|it| matches!(it, Present::Dispatcher(_))));
            }
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
            there.dispatchers.dedup_by(|a, b| a.dispatcher == b.dispatcher);
            status.hear_all(there, is_led);
            status.runs(Some(is_led));
            Ok(status)
        })
    }
}

/// Whether somebody of whom the engine has just heard has not answered: on a busy machine that
/// takes a moment.
fn misses_any(status: &Status, present: &[Present]) -> bool {
    let answers = |id: &str| {
        present.iter().any(|it| matches!(it, Present::Dispatcher(view) if view.dispatcher == id))
    };
    let mut just_heard = status.heard.iter().filter(|heard| heard.silent <= JUST);
    just_heard.any(|heard| !answers(&heard.dispatcher))
}

/// What the log says, where no engine leads.
async fn of_log(
    settings: &Settings,
    blocks: usize,
    subject: Option<Subject>,
) -> Result<Status, ClusterError> {
    let mut replica = Replica::open(&settings.nats).await?;
    replica.catch_up().await?;
    let scheduler = replica.scheduler();
    let mut status = match subject {
        Some(subject) => Status::about(scheduler, None, subject),
        None => Status::of(scheduler, None, blocks),
    };
    status.log = replica.log.room().map(Into::into);
    Ok(status)
}

/// Who was heard of so long ago has missed no more than one beat. Unit: seconds.
const JUST: u64 = 2;

/// How often one thing is asked about again of an engine that leads and left it out.
const TRIES: usize = 3;

/// How long answers to a roll call are waited for: a round trip, and what a busy machine adds.
const ROLL_CALL: Duration = Duration::from_millis(500);
