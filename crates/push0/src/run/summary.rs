//! The result of a run, on stdout: a table for people, or one JSON object (`push0.run/1`).

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use push0_core::{StageView, plain_json, plain_lines};
use serde::Serialize;

use super::args::RunArgs;
use super::standing::Standing;
use crate::publish::Published;
use crate::status::fit;
use crate::tell;

/// What the run itself knows.
pub(super) struct Run<'a> {
    pub(super) is_complete: bool,
    pub(super) was_resumed: bool,
    pub(super) wall: Duration,
    pub(super) overheads: &'a [Duration],
    /// In the order of the feed.
    pub(super) published: Vec<&'a Published>,
}

/// Prints it, or says that it could not; whether it could. Whoever stops reading has read enough: a
/// closed pipe is no error.
pub(super) fn print(args: &RunArgs, standing: &Standing, run: &Run<'_>) -> bool {
    let text = match args.json {
        true => {
            let json = serde_json::to_string(&summary(standing, run)).unwrap_or_default();
            plain_json(&json).into_owned()
        }
        false => plain_lines(&table(standing, run)).into_owned(),
    };
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            tell::error(format_args!(
                "cannot write to stdout: {error}: make room; the same command tells it again"
            ));
            false
        }
        Ok(()) | Err(_) => true,
    }
}

/// `push0.run/1`, in the order of `docs/formats.md`.
#[derive(Serialize)]
struct Summary<'a> {
    format: &'static str,
    pipeline: &'a str,
    complete: bool,
    resumed: bool,
    blocks: Blocks,
    tasks: Tasks,
    attempts: Attempts,
    wall_ms: f64,
    prover_ms: u64,
    overhead_p50_ms: Option<f64>,
    proofs: &'a [&'a Published],
}

#[derive(Serialize)]
struct Blocks {
    submitted: u64,
    released: u64,
    parked: u64,
    missed: u64,
    superseded: u64,
}

#[derive(Serialize)]
struct Tasks {
    accepted: u64,
    parked: u64,
    superseded: u64,
}

#[derive(Serialize)]
struct Attempts {
    started: u64,
    accepted: u64,
    surplus: u64,
    lost: u64,
    withdrawn: u64,
    failed: BTreeMap<String, u64>,
}

fn summary<'a>(standing: &'a Standing, run: &'a Run<'_>) -> Summary<'a> {
    let totals = &standing.totals;
    let classes = totals.failed.iter().map(|(class, count)| {
        let name = serde_json::to_value(class).unwrap_or_default();
        (name.as_str().unwrap_or_default().to_owned(), *count)
    });
    let rejected = (totals.rejected > 0).then(|| ("rejected".to_owned(), totals.rejected));
    let sum = |count: fn(&StageView) -> u64| standing.stages.iter().map(count).sum::<u64>();
    Summary {
        format: "push0.run/1",
        pipeline: &standing.pipeline,
        complete: run.is_complete,
        resumed: run.was_resumed,
        blocks: Blocks {
            submitted: totals.blocks_submitted,
            released: totals.blocks_released,
            parked: standing.blocks_parked,
            missed: 0, // nothing can be: no pipeline has deadlines
            superseded: totals.blocks_superseded,
        },
        tasks: Tasks {
            accepted: sum(|stage| stage.accepted),
            parked: sum(|stage| stage.parked),
            superseded: totals.tasks_superseded,
        },
        attempts: Attempts {
            started: totals.started,
            accepted: totals.accepted,
            surplus: totals.surplus,
            lost: totals.lost,
            withdrawn: totals.withdrawn,
            failed: classes.chain(rejected).collect(),
        },
        wall_ms: millis(run.wall),
        prover_ms: totals.ran_us / 1000,
        overhead_p50_ms: median(run.overheads).map(millis),
        proofs: &run.published,
    }
}

fn table(standing: &Standing, run: &Run<'_>) -> String {
    let totals = &standing.totals;
    let failed = totals.failed.values().sum::<u64>() + totals.rejected;
    let sum = |count: fn(&StageView) -> u64| standing.stages.iter().map(count).sum::<u64>();
    let prover = Duration::from_micros(totals.ran_us);
    let mut rows = vec![
        ("blocks", format!("{} of {} released", totals.blocks_released, standing.blocks)),
        (
            "tasks",
            format!(
                "{} accepted, {} parked",
                sum(|stage| stage.accepted),
                sum(|stage| stage.parked)
            ),
        ),
        (
            "attempts",
            format!(
                "{} started, {} accepted, {failed} failed, {} lost, {} withdrawn, {} surplus",
                totals.started, totals.accepted, totals.lost, totals.withdrawn, totals.surplus
            ),
        ),
        (
            "wall time",
            format!(
                "{:.1} s{}",
                run.wall.as_secs_f64(),
                if run.was_resumed { " (resumed)" } else { "" }
            ),
        ),
        ("prover time", format!("{:.1} s", prover.as_secs_f64())),
    ];
    if let Some(overhead) = median(run.overheads) {
        let count = run.overheads.len();
        rows.push((
            "overhead",
            format!("{:.1} ms a task (median of {count})", overhead.as_secs_f64() * 1e3),
        ));
    }
    let files: Vec<_> = run.published.chunk_by(|one, next| one.path == next.path).collect();
    rows.extend(files.iter().take(PROOFS_SHOWN_MAX).map(|proofs| ("proof", file(proofs))));
    if let Some(more) = files.len().checked_sub(PROOFS_SHOWN_MAX).filter(|more| *more > 0) {
        rows.push(("", format!("and {more} more")));
    }
    let title = format!(
        "{}: {}",
        standing.pipeline,
        if run.is_complete { "complete" } else { "not complete" }
    );
    let lines = rows.iter().map(|(name, value)| format!("  {name:<12} {value}"));
    let text = std::iter::once(title).chain(lines).collect::<Vec<_>>().join("\n");
    fit(&text, columns())
}

/// How wide the terminal is that is printed on; none where it is none.
fn columns() -> Option<usize> {
    let stdout = io::stdout();
    let size = stdout.is_terminal().then(|| rustix::termios::tcgetwinsize(&stdout).ok()).flatten();
    size.map(|size| usize::from(size.ws_col)).filter(|width| *width > 0)
}

/// A file, and what is in it: of several stages it has a proof of each.
fn file(proofs: &[&Published]) -> String {
    let Some(first) = proofs.first() else { return String::new() };
    let path = first.path.display();
    let mock = match proofs.iter().filter(|proof| proof.mock).count() {
        0 => ", verified",
        mocks if mocks == proofs.len() => ", a mock: it proves nothing",
        _ => ", in part a mock, which proves nothing",
    };
    match proofs {
        [_] => format!("{path}{mock}"),
        several => {
            let stages: Vec<_> = several.iter().map(|proof| proof.stage.as_str()).collect();
            format!("{path}, of {}{mock}", stages.join(", "))
        }
    }
}

fn median(times: &[Duration]) -> Option<Duration> {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}

/// With a fraction, since overheads are smaller than one.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// Files that the table names; --json names all.
const PROOFS_SHOWN_MAX: usize = 10;
