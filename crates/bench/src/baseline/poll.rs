//! `poll`: a table of jobs in Postgres that dispatchers poll with `FOR UPDATE SKIP LOCKED`, as bento and the prover
//! of zksync ship it.
//!
//! The client inserts a row for each task, and polls for those that are done; a dispatcher takes a row at a time and
//! marks it. Who finds nothing asks again after the pause: a second, or none (`poll-tight`). Rows that are taken come
//! in the order of their ids. Slots share at most [`CONNECTIONS_MAX`] connections, since each is a process of the
//! server. Postgres is Debian's, with its defaults: it syncs before it answers.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_postgres::{Client, NoTls};

use crate::fault::Fault;
use crate::system::cluster::{Background, Process};
use crate::system::{Done, Prover, Running, Shape};

/// A server that runs, in a directory of its own. Ended when it is dropped.
pub(crate) struct Postgres {
    process: Process,
    dir: TempDir,
}

/// Where Postgres is installed, if it is.
pub(crate) fn installed() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<_> = versions.flatten().map(|version| version.path().join("bin")).collect();
    found.sort();
    found.into_iter().rev().find(|bin| bin.join("postgres").is_file())
}

impl Postgres {
    /// Starts one that listens on a socket in its own directory.
    ///
    /// # Errors
    ///
    /// That it is not installed, or does not start within 20 s.
    pub(crate) fn start() -> Result<Self, Fault> {
        let bin = installed().ok_or_else(|| Fault::new(NOT_INSTALLED))?;
        let dir = tempfile::Builder::new().prefix("push0-bench-pg-").tempdir()?;
        let data = dir.path().join("data");
        // It refuses to be root.
        let user = rustix::process::getuid().is_root().then_some(NOBODY);
        if let Some(user) = user {
            chown(dir.path(), Some(user), Some(user))?;
        }
        let run = |program: &str| {
            let mut command = Command::new(bin.join(program));
            command.current_dir(dir.path()).stdin(Stdio::null());
            if let Some(user) = user {
                command.uid(user).gid(user);
            }
            command
        };
        let made = run("initdb")
            .args(["--auth=trust", "--username=bench", "--no-instructions", "-D"])
            .arg(&data)
            .output()?;
        if !made.status.success() {
            return Err(Fault::new(String::from_utf8_lossy(&made.stderr).trim()));
        }
        let mut command = run("postgres");
        command
            .arg("-D")
            .arg(&data)
            .args(["-c", "listen_addresses=", "-c", "max_connections=60", "-k"])
            .arg(dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = Process(command.spawn()?);
        let started = Self { process, dir };
        let give_up = Instant::now() + START_MAX;
        while !socket(started.dir.path()).exists() {
            if Instant::now() > give_up {
                return Err(Fault::new("postgres did not start within 20 s"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(started)
    }
}

/// Starts the table and who works on it. `pause` is that of who finds nothing.
///
/// # Errors
///
/// The server's.
pub(crate) fn start(server: &Postgres, shape: Shape, pause: Duration) -> Result<Running, Fault> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .on_thread_start(push0_dispatch::shorten_time_slice)
        .enable_all()
        .build()?;
    let (sender, done) = channel();
    let dir = server.dir.path().to_owned();
    let (tasks, mut queued) = mpsc::unbounded_channel::<u64>();
    runtime.block_on(async {
        let client = connect(&dir).await?;
        client.batch_execute(TABLE).await?;
        let slots = shape.dispatchers.saturating_mul(shape.slots).min(CONNECTIONS_MAX);
        for _ in 0..slots {
            tokio::spawn(dispatch(connect(&dir).await?, shape, pause));
        }
        tokio::spawn(collect(connect(&dir).await?, sender, pause));
        tokio::spawn(async move {
            let mut some = Vec::new();
            while queued.recv_many(&mut some, TOGETHER).await > 0 {
                let ids: Vec<i64> = some.drain(..).map(u64::cast_signed).collect();
                if client.execute(INSERT, &[&ids]).await.is_err() {
                    return;
                }
            }
        });
        Ok::<_, Fault>(())
    })?;
    let submit = Box::new(move |numbers: std::ops::Range<u64>| {
        for number in numbers {
            let _ = tasks.send(number);
        }
    });
    Ok(Running { submit, done, _parts: Box::new(Background(Some(runtime))) })
}

async fn connect(dir: &Path) -> Result<Client, Fault> {
    let mut config = tokio_postgres::Config::new();
    config.host_path(dir).user("bench").dbname("postgres");
    let give_up = Instant::now() + START_MAX;
    loop {
        match config.connect(NoTls).await {
            Ok((client, connection)) => {
                tokio::spawn(connection);
                return Ok(client);
            }
            Err(error) if Instant::now() > give_up => return Err(error.into()),
            Err(_) => sleep(Duration::from_millis(20)).await, // it is starting
        }
    }
}

async fn dispatch(client: Client, shape: Shape, pause: Duration) {
    let (Ok(take), Ok(end)) = (client.prepare(TAKE).await, client.prepare(END).await) else {
        return;
    };
    while let Ok(rows) = client.query(&take, &[]).await {
        let Some(id) = rows.first().map(|row| row.get::<_, i64>(0)) else {
            idle(pause).await;
            continue;
        };
        let began = Instant::now();
        let ran = match shape.prover {
            Prover::Sleep(time) => {
                sleep(time).await;
                began.elapsed()
            }
            Prover::Echo | Prover::Serve | Prover::File => Duration::ZERO,
        };
        let micros = i64::try_from(ran.as_micros()).unwrap_or(i64::MAX);
        if client.execute(&end, &[&id, &micros]).await.is_err() {
            return;
        }
    }
}

async fn collect(client: Client, done: Sender<Done>, pause: Duration) {
    let Ok(look) = client.prepare(LOOK).await else { return };
    while let Ok(rows) = client.query(&look, &[]).await {
        let at = Instant::now();
        for row in &rows {
            let (id, ran): (i64, i64) = (row.get(0), row.get(1));
            let (task, ran) = (id.cast_unsigned(), Duration::from_micros(ran.cast_unsigned()));
            if done.send(Done { task, at, ran }).is_err() {
                return;
            }
        }
        if rows.is_empty() {
            idle(pause).await;
        }
    }
}

async fn idle(pause: Duration) {
    if pause.is_zero() {
        tokio::task::yield_now().await;
    } else {
        sleep(pause).await;
    }
}

fn socket(dir: &Path) -> PathBuf {
    dir.join(".s.PGSQL.5432")
}

const TABLE: &str = "
    CREATE TABLE jobs (id bigint PRIMARY KEY, state text NOT NULL, ran_us bigint);
    CREATE INDEX ON jobs (state, id)";
const INSERT: &str = "INSERT INTO jobs (id, state) SELECT unnest($1::bigint[]), 'ready'";
const TAKE: &str = "
    UPDATE jobs SET state = 'running' WHERE id = (
        SELECT id FROM jobs WHERE state = 'ready' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
    ) RETURNING id";
const END: &str = "UPDATE jobs SET state = 'done', ran_us = $2 WHERE id = $1";
const LOOK: &str = "UPDATE jobs SET state = 'seen' WHERE id IN (
        SELECT id FROM jobs WHERE state = 'done' LIMIT 1000
    ) RETURNING id, ran_us";

/// What a row says where there is none.
pub(crate) const NOT_INSTALLED: &str =
    "postgresql is not installed (Debian: apt-get install postgresql)";

/// Each is a process of the server.
const CONNECTIONS_MAX: u32 = 8;

/// Rows of one insert.
const TOGETHER: usize = 64;

const START_MAX: Duration = Duration::from_secs(20);

/// Debian's `nobody`.
const NOBODY: u32 = 65_534;

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGQUIT: it ends its own processes at once. Killed outright it would leave them behind.
        if let Some(pid) =
            i32::try_from(self.process.0.id()).ok().and_then(rustix::process::Pid::from_raw)
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::QUIT);
            let _ = self.process.0.wait();
        }
    }
}
