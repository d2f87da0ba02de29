//! `poll`: a table of jobs in Postgres that dispatchers poll with `FOR UPDATE SKIP LOCKED`, as
//! bento and the prover of zksync ship it.
//!
//! The client inserts a row for each task, and polls for those that are done. Slots share at most
//! [`POLLERS_MAX`] pollers, since each has a connection, which is a process of the server. A poller
//! takes as many rows as it has slots free, in the order of their ids, and marks together what has
//! ended meanwhile. Who finds nothing asks again after the pause: a second, or none (`poll-tight`).
//! The pollers' first looks are spread over the pause.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tokio_postgres::Client;

use super::postgres::{Postgres, connect};
use super::{hand_on, spawn};
use crate::fault::Fault;
use crate::system::cluster::Background;
use crate::system::{Done, Prover, Running, Shape, Told, runtime};
use crate::timer;

/// Starts the table and who works on it. `pause` is that of who finds nothing.
///
/// # Errors
///
/// The server's.
pub(crate) fn start(server: &Postgres, shape: Shape, pause: Duration) -> Result<Running, Fault> {
    let runtime = runtime()?;
    let (told, done) = channel();
    let (tasks, queued) = mpsc::unbounded_channel::<u64>();
    runtime.block_on(async {
        let connect = || connect(server.dir());
        let client = connect().await?;
        client.batch_execute(TABLE).await?;
        let slots = shape.dispatchers.saturating_mul(shape.slots);
        let pollers = slots.clamp(1, if pause.is_zero() { TIGHT_MAX } else { POLLERS_MAX });
        for number in 0..pollers {
            let own = slots / pollers + u32::from(number < slots % pollers);
            let first = pause * number / pollers;
            let poller =
                Poller { client: connect().await?, slots: own, prover: shape.prover, pause };
            spawn(&told, async move {
                sleep(first).await;
                poller.run().await
            });
        }
        spawn(&told, collect(connect().await?, connect().await?, told.clone(), pause));
        spawn(&told, insert(client, queued));
        Ok::<_, Fault>(())
    })?;
    Ok(Running { submit: hand_on(tasks), done, _parts: Box::new(Background(Some(runtime))) })
}

async fn insert(client: Client, mut queued: mpsc::UnboundedReceiver<u64>) -> Result<(), Fault> {
    let statement = client.prepare(INSERT).await?;
    let mut some = Vec::new();
    while queued.recv_many(&mut some, TOGETHER).await > 0 {
        let ids: Vec<i64> = some.drain(..).map(u64::cast_signed).collect();
        client.execute(&statement, &[&ids]).await?;
    }
    Ok(())
}

/// Some slots behind one connection.
struct Poller {
    client: Client,
    slots: u32,
    prover: Prover,
    pause: Duration,
}

/// A task that has ended, and the slot that is free once it is marked.
struct PollEnd {
    id: i64,
    ran: Duration,
    slot: OwnedSemaphorePermit,
}

impl Poller {
    async fn run(self) -> Result<(), Fault> {
        let (ended, to_mark) = mpsc::unbounded_channel();
        tokio::try_join!(self.take(ended), self.mark(to_mark)).map(|((), ())| ())
    }

    async fn take(&self, ended: mpsc::UnboundedSender<PollEnd>) -> Result<(), Fault> {
        let statement = self.client.prepare(TAKE).await?;
        let free = Arc::new(Semaphore::new(self.slots as usize));
        loop {
            let mut slots = Arc::clone(&free).acquire_owned().await?;
            let more = u32::try_from(free.available_permits())?;
            if let Ok(more) = Arc::clone(&free).try_acquire_many_owned(more) {
                slots.merge(more);
            }
            let count = i64::try_from(slots.num_permits())?;
            let rows = self.client.query(&statement, &[&count]).await?;
            if rows.is_empty() {
                drop(slots);
                idle(self.pause).await;
                continue;
            }
            for row in rows {
                let id = row.get(0);
                let Some(slot) = slots.split(1) else {
                    return Err(Fault::new("more rows came than were asked for"));
                };
                let ended = ended.clone();
                match self.prover {
                    Prover::Sleep(time) => {
                        let began = Instant::now();
                        tokio::spawn(async move {
                            timer::sleep(time).await;
                            let _ = ended.send(PollEnd { id, ran: began.elapsed(), slot });
                        });
                    }
                    Prover::Echo | Prover::Serve | Prover::File => {
                        ended.send(PollEnd { id, ran: Duration::ZERO, slot })?;
                    }
                }
            }
        }
    }

    async fn mark(&self, mut ended: mpsc::UnboundedReceiver<PollEnd>) -> Result<(), Fault> {
        let statement = self.client.prepare(END).await?;
        let mut some = Vec::new();
        while ended.recv_many(&mut some, TOGETHER).await > 0 {
            let (mut ids, mut micros, mut slots) = (Vec::new(), Vec::new(), Vec::new());
            for PollEnd { id, ran, slot } in some.drain(..) {
                ids.push(id);
                micros.push(i64::try_from(ran.as_micros()).unwrap_or(i64::MAX));
                slots.push(slot);
            }
            self.client.execute(&statement, &[&ids, &micros]).await?;
        }
        Ok(())
    }
}

/// Looks for what is done, and hands on what it has not seen. That it was seen is marked beside,
/// over `marks`.
async fn collect(client: Client, marks: Client, told: Told, pause: Duration) -> Result<(), Fault> {
    let statement = client.prepare(LOOK).await?;
    let (seen, to_mark) = mpsc::unbounded_channel();
    let (marked, mut known_no_more) = mpsc::unbounded_channel();
    spawn(&told, mark_seen(marks, to_mark, marked));
    let mut known = HashSet::new();
    loop {
        // What was marked before a look begins does not come with it, and need not be known.
        while let Ok(ids) = known_no_more.try_recv() {
            ids.iter().for_each(|id| _ = known.remove(id));
        }
        let count = i64::try_from(known.len() + TOGETHER)?;
        let rows = client.query(&statement, &[&count]).await?;
        let at = Instant::now();
        let mut new = Vec::new();
        for row in &rows {
            let (id, ran): (i64, i64) = (row.get(0), row.get(1));
            if known.insert(id) {
                let (task, ran) = (id.cast_unsigned(), Duration::from_micros(ran.cast_unsigned()));
                told.send(Ok(Done { task, at, ran }))?;
                new.push(id);
            }
        }
        if new.is_empty() {
            idle(pause).await;
        } else {
            seen.send(new)?;
        }
    }
}

async fn mark_seen(
    client: Client,
    mut seen: mpsc::UnboundedReceiver<Vec<i64>>,
    marked: mpsc::UnboundedSender<Vec<i64>>,
) -> Result<(), Fault> {
    let statement = client.prepare(SEEN).await?;
    let mut some = Vec::new();
    while seen.recv_many(&mut some, TOGETHER).await > 0 {
        let ids = some.concat();
        some.clear();
        client.execute(&statement, &[&ids]).await?;
        marked.send(ids)?;
    }
    Ok(())
}

async fn idle(pause: Duration) {
    if pause.is_zero() {
        tokio::task::yield_now().await;
    } else {
        sleep(pause).await;
    }
}

const TABLE: &str = "
    CREATE TABLE jobs (id bigint PRIMARY KEY, state text NOT NULL, ran_us bigint);
    CREATE INDEX ON jobs (id) WHERE state = 'ready';
    CREATE INDEX ON jobs (id) WHERE state = 'done'";
const INSERT: &str = "INSERT INTO jobs (id, state) SELECT unnest($1::bigint[]), 'ready'";
const TAKE: &str = "
    UPDATE jobs SET state = 'running' WHERE id IN (
        SELECT id FROM jobs WHERE state = 'ready' ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
    ) RETURNING id";
const END: &str = "
    UPDATE jobs SET state = 'done', ran_us = ended.ran_us
    FROM unnest($1::bigint[], $2::bigint[]) AS ended (id, ran_us) WHERE jobs.id = ended.id";
const LOOK: &str = "SELECT id, ran_us FROM jobs WHERE state = 'done' ORDER BY id LIMIT $1";
const SEEN: &str = "UPDATE jobs SET state = 'seen' WHERE id = ANY($1::bigint[])";

/// Each has a process of the server. Of 1, 2, 4, 8 and 16 the fewest that no more were better than.
const POLLERS_MAX: u32 = 8;

/// Of a tight loop, which takes what time it gets of a core. Of as many, four were the best on two
/// cores.
const TIGHT_MAX: u32 = 4;

/// Rows of one statement, or what comes to be known in one look.
const TOGETHER: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::postgres::{NOT_INSTALLED, installed};
    use crate::baseline::{SHAPE, exactly_once};
    use crate::cli::say;

    #[test]
    fn each_task_comes_back_once_through_postgres() {
        if installed().is_none() {
            return say(&format!("skipped: {NOT_INSTALLED}"));
        }
        let server = Postgres::start().expect("it is installed");
        let mut running = start(&server, SHAPE, Duration::from_millis(20)).expect("it starts");
        exactly_once(&mut running, 200);
    }
}
