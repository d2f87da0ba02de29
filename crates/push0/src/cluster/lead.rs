//! While an engine leads: it claims the log, decides, and answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use push0_core::{Arrival, Block, BlockHash, Chain, Epoch, Input, Pipeline, Rejection, SourceKind};
use tokio::sync::mpsc;

use super::asked::Desk;
use super::bus::NatsPost;
use super::error::ClusterError;
use super::glance::ClusterView;
use super::leave;
use super::owned::{fits, tie};
use super::replica::Replica;
use super::right::Right;
use super::serve::{Reign, Shared, ended};
use super::sizes;
use super::take_back::OperatorWord;
use super::wire::{Answer, Ask, NotTaken};
use crate::engine::{Admission, Engine, EngineGone, Handle, Ports, raise as raise_room};
use crate::run::{Asked, Holders, difference, follow, sweeper};
use crate::status::{Cluster, Leader};
use crate::tell::{self, Level, Line};

/// How leading ended.
pub(super) enum LeadEnd {
    /// It was told to.
    Stopped,
    /// Another engine has claimed the log.
    Deposed,
    OutOfReach(String),
    /// It has not claimed the log, which says why.
    Refused(String),
}

/// Claims the log for an epoch above all that are known, and leads until that ends. First it has
/// the store for its log's own, unless it `is_tied` to it.
pub(super) async fn lead(
    shared: &Arc<Shared>,
    mut replica: Replica,
    above: Epoch,
    is_tied: bool,
) -> Result<LeadEnd, ClusterError> {
    let configure = configure(shared, &replica)?;
    if !is_tied {
        let (log, name) = (replica.log.id().to_string(), &shared.loaded.pipeline.name);
        fits(&shared.store, replica.scheduler(), shared.args.is_store_lost)?;
        tie(&shared.store, &log, name)?;
    }
    let epoch = Epoch(replica.scheduler().epoch().0.max(above.0).saturating_add(1));
    let metrics = shared.metrics.clone();
    metrics.iter().for_each(|metrics| metrics.lead(replica.take_passing()));
    let (log, mut scheduler) = replica.take_over();
    let bytes_max = shared.bus.bytes_max();
    sizes::check_open(&scheduler, bytes_max)?;
    let pipeline = if configure.is_some() { &shared.loaded.pipeline } else { scheduler.pipeline() };
    let limits = sizes::within(*scheduler.limits(), pipeline, bytes_max);
    scheduler.set_limits(limits);
    let reign = Reign { log: log.id().to_string(), history: log.history() };
    let post = NatsPost::new(shared.bus.clone(), epoch);
    let (source, asked) = mpsc::channel(ASKED_MAX);
    let (turns, mut seen) = mpsc::channel(SEEN_MAX);
    let ports = Ports { post: Box::new(post), source, turns, lines: true };
    let (engine, handle) = Engine::new(scheduler, log, ports);
    let printer = shared.aside.spawn(async move {
        let mut some = Vec::new();
        while seen.recv_many(&mut some, SEEN_MAX).await > 0 {
            let mut lines = Vec::new();
            for seen in some.drain(..) {
                metrics.iter().for_each(|metrics| metrics.turn(&seen));
                lines.extend(seen.lines);
                lines.extend(seen.warning.map(|warning| Line::new(Level::Warn, warning)));
            }
            tell::tell(&lines);
            // Whoever reads it is not slower for it, and the engine wakes this task less often.
            tokio::time::sleep(PRINT_PAUSE).await;
        }
    });
    shared.reign.send_replace(reign);
    let begun = begin(shared, (&handle, asked), epoch, configure);
    let (ended_so, begun) = tokio::join!(engine.run(), begun);
    shared.leading.send_replace(None);
    let _ = tokio::time::timeout(PRINT_MAX, printer).await; // its last words come before what follows
    match (ended_so, begun) {
        (Ok(()), Some(refused)) => Ok(LeadEnd::Refused(refused)),
        (Ok(()), None) => Ok(LeadEnd::Stopped),
        (Err(error), _) => ended(error),
    }
}

/// Takes the log over; from then on this process speaks for it, until it is told to stop. Answers
/// why it may not.
async fn begin(
    shared: &Arc<Shared>,
    (handle, asked): (&Handle, Asked),
    epoch: Epoch,
    configure: Option<Input>,
) -> Option<String> {
    let inputs = std::iter::once(Input::Claim(epoch)).chain(configure).collect();
    match handle.decide(inputs).await {
        Ok(Ok(())) => {}
        Ok(Err(refused)) => {
            stop(handle).await;
            return Some(refused.to_string());
        }
        Err(EngineGone) => return None, // its engine says why
    }
    tell::info(format_args!("{}: leads in {epoch}", shared.args.name()));
    shared.leading.send_replace(Some(handle.clone()));
    sweep(shared, handle);
    source(shared, handle, asked).await;
    let mut told = shared.stop.clone();
    tokio::select! {
        _ = told.wait_for(|stop| *stop) => stop(handle).await,
        () = handle.ended() => {}
    }
    None
}

async fn stop(handle: &Handle) {
    let handle = handle.clone();
    let _ = tokio::task::spawn_blocking(move || handle.stop()).await;
}

/// Where blocks are of nodes, follows them for as long as this engine leads; else whoever submits
/// them is told what the store has lost.
async fn source(shared: &Shared, handle: &Handle, mut asked: Asked) {
    let running = handle.see(|scheduler, _| scheduler.pipeline().clone()).await;
    let Ok(pipeline) = running else { return }; // its engine says why
    if let SourceKind::Node(_) = pipeline.source.kind {
        let begun = follow(pipeline, shared.store.clone(), handle.clone(), asked);
        if let Err(error) = begun {
            tell::error(format_args!("no block comes: {error}"));
        }
        return;
    }
    shared.aside.spawn(async move {
        while let Some(block) = asked.recv().await {
            tell::warn(format_args!("the payload of block {block} is lost: submit it again"));
        }
    });
}

fn sweep(shared: &Shared, handle: &Handle) {
    let begun = sweeper::start(shared.store.clone(), handle.clone(), Holders::Fleet);
    if let Err(error) = begun {
        tell::warn(format_args!("nothing is swept: {error}"));
    }
}

/// What must be configured first. A log that has a pipeline keeps it: only `push0 apply` changes
/// that.
fn configure(shared: &Shared, replica: &Replica) -> Result<Option<Input>, ClusterError> {
    let loaded = &shared.loaded;
    let Some(was) = replica.spec() else {
        let limits = replica.scheduler().limits();
        sizes::check(limits, &loaded.pipeline, shared.bus.bytes_max())?;
        return Ok(Some(Input::Configure(Box::new(loaded.spec.clone()))));
    };
    let running = replica.scheduler().pipeline();
    if !running.proves_as(&loaded.pipeline) {
        return Err(ClusterError::OtherPipeline {
            pipeline: shared.args.pipeline.clone(),
            difference: difference(was, &loaded.spec),
        });
    }
    if *running != loaded.pipeline {
        let difference = difference(was, &loaded.spec);
        tell::warn(format_args!("the log's pipeline counts, and not the file's\n{difference}"));
    }
    Ok(None)
}

/// Has a question decided that was asked with this right, which allows it. No answer: it is asked
/// again, of whoever leads then.
pub(super) async fn answer(
    handle: &Handle,
    Desk { bus, glance, looks, retries, take_backs, engine, lives, .. }: &Desk,
    right: Right,
    asked: Ask,
) -> Option<Answer> {
    match asked {
        Ask::Submit(blocks) => {
            let count = blocks.len();
            let (arrivals, left) = added(handle, blocks).await?;
            let taken = arrivals.len();
            Some(match left {
                None if taken == count => Answer::Done(count),
                None | Some(NotTaken::Later) => Answer::Later { taken },
                Some(NotTaken::Full(reason) | NotTaken::Refused(reason)) => {
                    Answer::Refused { taken, reason }
                }
            })
        }
        Ask::Add(blocks) => {
            let (arrivals, left) = added(handle, blocks).await?;
            Some(Answer::Added { arrivals, left })
        }
        Ask::Reads(by) => {
            let differs = handle.see(move |scheduler, _| by.differs(scheduler.pipeline()));
            let refused = |reason| Answer::Refused { taken: 0, reason };
            Some(differs.await.ok()?.map_or(Answer::Done(0), refused))
        }
        Ask::Position => handle.probe().await.ok().map(|(_, last)| Answer::Position(last)),
        Ask::Discard { tasks, by, why, seen } => {
            take_backs.results(handle, tasks, OperatorWord { by, why, seen }).await
        }
        Ask::Unpin { program, by, why, seen } => {
            take_backs.key(handle, program, OperatorWord { by, why, seen }).await
        }
        Ask::Head { block, head } => said(handle, Ok(Input::Head { head, block })).await,
        Ask::Final(block) => {
            let number = move |chain: &Chain| chain.block(&block).map(|it| it.number);
            let number = handle.see(move |scheduler, _| number(scheduler.chain())).await.ok()?;
            let word = number.map(|number| Input::Finalize { number, block });
            said(handle, word.ok_or(block)).await
        }
        Ask::Finish => decided(handle, Input::EndSource).await,
        Ask::Unfinish { by, why } => decided(handle, Input::ResumeSource { by, why }).await,
        Ask::Leave { dispatchers, all, by } => {
            let named = (!all).then_some(&*dispatchers);
            leave::asked(handle, (bus, lives), named, by).await
        }
        Ask::Cordon { dispatchers, by, why } => {
            let cordon =
                |dispatcher| Input::Cordon { dispatcher, by: by.clone(), why: why.clone() };
            leave::kept_from_work(handle, lives, dispatchers, cordon).await
        }
        Ask::Uncordon { dispatchers, by, why } => {
            let uncordon =
                |dispatcher| Input::Uncordon { dispatcher, by: by.clone(), why: why.clone() };
            leave::kept_from_work(handle, lives, dispatchers, uncordon).await
        }
        Ask::Remake(task) => looks.remake(handle, task).await,
        Ask::Apply(spec) => decided(handle, Input::Configure(spec)).await,
        Ask::Status => {
            let ClusterView { mut status, epoch } = glance.status(handle).await?;
            let (engine, doubled) = (engine.clone(), lives.doubled(Instant::now()));
            // The look may be older than its leave.
            status.heard.retain(|heard| !lives.has_left(&heard.dispatcher));
            status.cluster = Some(Cluster::led_by(Leader { engine, epoch, doubled }));
            Some(Answer::Status(Box::new(status)))
        }
        Ask::Explain(subject) => {
            let status = glance.about(handle, subject).await?;
            Some(Answer::Status(Box::new(status)))
        }
        Ask::Retry(named) => retries.named(handle, right, named).await,
        Ask::RetryAll => retries.all(handle, right).await,
    }
}

/// Has the source's word decided on its chain: that of who submits, where blocks are submitted. An
/// error is a block that is not known.
async fn said(handle: &Handle, word: Result<Input, BlockHash>) -> Option<Answer> {
    let is_submit = |pipeline: &Pipeline| pipeline.source.kind == SourceKind::Submit;
    let is_submitted =
        handle.see(move |scheduler, _| is_submit(scheduler.pipeline())).await.ok()?;
    let refused = match word {
        Ok(word) if is_submitted => return decided(handle, word).await,
        Ok(_) => Rejection::NotSubmitted,
        Err(block) => Rejection::NotConnected(block),
    };
    Some(Answer::Refused { taken: 0, reason: refused.to_string() })
}

/// The first block that is larger than any has reason to be, and why it is not taken. Seen here, it
/// takes none of the engine's time.
fn too_large(blocks: &[Block]) -> Option<(usize, String)> {
    let bytes = blocks.iter().map(Block::bytes_max);
    let (index, bytes) = bytes.enumerate().find(|(_, bytes)| *bytes > BLOCK_BYTES_MAX)?;
    Some((index, Rejection::TooLarge { bytes, bytes_max: BLOCK_BYTES_MAX }.to_string()))
}

/// Adds blocks; answers how the first of them stand, and why the others were not taken.
async fn added(
    handle: &Handle,
    mut blocks: Vec<Block>,
) -> Option<(Vec<Arrival>, Option<NotTaken>)> {
    let large = too_large(&blocks);
    blocks.truncate(large.as_ref().map_or(blocks.len(), |(before, _)| *before));
    let count = blocks.len();
    let Admission { arrivals, refused } = handle.add(blocks).await.ok()?;
    let is_full = matches!(refused, Some(Rejection::Full { .. }));
    let left = match (refused, large) {
        (Some(_), _) if is_full => Some(NotTaken::Later),
        (Some(full @ Rejection::NoRoom { .. }), _) => Some(NotTaken::Full(told(handle, &full))),
        (Some(refused), _) => Some(NotTaken::Refused(told(handle, &refused))),
        (None, Some((_, reason))) if arrivals.len() == count => Some(NotTaken::Refused(reason)),
        (None, _) => None,
    };
    Some((arrivals, left))
}

/// Why a block is refused, with what to do about it.
fn told(handle: &Handle, refused: &Rejection) -> String {
    let raise = handle.room().filter(|_| matches!(refused, Rejection::NoRoom { .. }));
    match raise {
        Some(room) => format!("{refused}: {}", raise_room(&room)),
        None => refused.to_string(),
    }
}

pub(super) async fn decided(handle: &Handle, input: Input) -> Option<Answer> {
    Some(match handle.decide(vec![input]).await.ok()? {
        Ok(()) => Answer::Done(1),
        Err(refused) => Answer::Refused { taken: 0, reason: refused.to_string() },
    })
}

/// What one block may take of the log: that of a thousand numeric fields. Unit: bytes.
pub(super) const BLOCK_BYTES_MAX: usize = 64 << 10;

/// Payloads asked for and not told of.
const ASKED_MAX: usize = 1_024;

/// How long the last lines of an engine are waited for.
const PRINT_MAX: Duration = Duration::from_secs(1);

/// From one print to the next.
const PRINT_PAUSE: Duration = Duration::from_millis(50);

/// Turns that nobody has shown; past it lines are left out.
const SEEN_MAX: usize = 1_024;
