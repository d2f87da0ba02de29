//! `push0 bench memory`: what processes hold in memory (VmRSS): an engine and a dispatcher that are
//! idle, and an engine over the file log with tasks open.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::cli::{BenchOptions, say};
use crate::fault::Fault;
use crate::load::next;
use crate::place::LogKind;
use crate::report::Row;
use crate::results::Results;
use crate::system::cluster::{Process, Servers, around, dispatcher, engine};
use crate::system::{Payload, Prover, Shape, file};

/// A row for each that can be measured.
///
/// # Errors
///
/// That servers cannot be started.
pub(crate) fn measure(asked: &BenchOptions, results: &mut Results) -> Result<(), Fault> {
    if asked.log.contains(&LogKind::File) {
        for open in [0, 25_000, 50_000, 75_000, 100_000] {
            let what = format!("memory: {open} open tasks");
            say(&what);
            results
                .keep(what, holding(open).map(|bytes| row(LogKind::File, HELD, Some(open), bytes)));
        }
    }
    if asked.log.contains(&LogKind::NatsR1)
        && let Some(site) = LogKind::NatsR1.site(&asked.nats, asked.sync())?
    {
        let log = LogKind::NatsR1;
        say("memory: an engine and a dispatcher that are idle");
        let (engine, dispatcher) = idle(&site.servers)?;
        results.rows.push(row(log, "push0 serve, leading and idle", None, engine));
        results.rows.push(row(log, "push0 dispatch, idle", None, dispatcher));
    }
    Ok(())
}

fn row(log: LogKind, what: &str, open: Option<u64>, bytes: u64) -> Row {
    Row {
        bench: "memory".to_owned(),
        system: "push0".to_owned(),
        log: log.to_string(),
        what: Some(what.to_owned()),
        open,
        resident_bytes: Some(bytes),
        ..Row::default()
    }
}

fn idle(servers: &Servers) -> Result<(u64, u64), Fault> {
    let dir = tempfile::Builder::new().prefix("push0-bench-").tempdir()?;
    let engine = Process(engine(dir.path(), "engine", servers, false)?);
    let shape = Shape {
        dispatchers: 0,
        slots: 0,
        prover: Prover::Echo,
        payload: Payload::Reference,
        has_backlog: false,
    };
    let _led = around(servers, shape, dir.path())?;
    let dispatcher = dispatcher(dir.path(), "idle", servers, 1, Duration::ZERO)?;
    // Some beats long, so that both have done all that they do when nothing is to be done.
    std::thread::sleep(Duration::from_secs(5));
    Ok((resident(engine.0.id())?, resident(dispatcher.0.id())?))
}

/// What a process of its own holds with so many tasks open.
fn holding(open: u64) -> Result<u64, Fault> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["hold", &open.to_string()]).stdin(Stdio::null());
    push0_dispatch::die_with_parent(&mut command);
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    said.parse()
        .map_err(|_| Fault::new(format!("the process that holds {open} tasks failed: {said}")))
}

/// Has an engine in this process open tasks that nobody runs, and prints what it holds. With each,
/// a task that is proved tells that it was opened.
pub(crate) fn hold(open: u64) -> Result<(), Fault> {
    let shape = Shape {
        dispatchers: 1,
        slots: 256,
        prover: Prover::Echo,
        payload: Payload::Reference,
        has_backlog: true,
    };
    let mut running = file::start(&std::env::temp_dir(), shape)?;
    for first in (0..open).step_by(1_000) {
        let end = open.min(first + 1_000);
        (running.submit)(first..end);
        for _ in first..end {
            next(&running.done)?;
        }
    }
    let bytes = resident(std::process::id())?;
    Ok(writeln!(std::io::stdout(), "{bytes}")?)
}

fn resident(process: u32) -> Result<u64, Fault> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(kib.ok_or_else(|| Fault::new("no VmRSS"))?.trim().parse::<u64>()? * 1_024)
}

const HELD: &str =
    "an engine with so many open tasks, each with its block and a proved task beside it";
