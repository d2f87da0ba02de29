//! The result of a run, on stdout: a table for people, or one JSON object (`push0.run/1`).

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::standing::Standing;
use crate::cli::RunArgs;
use crate::publish::Published;

/// What the run itself knows.
pub(super) struct Run<'a> {
    pub(super) is_complete: bool,
    pub(super) was_resumed: bool,
    pub(super) wall: Duration,
    pub(super) overheads: &'a [Duration],
    /// In the order of the feed.
    pub(super) published: Vec<&'a Published>,
}

/// Prints it. If nobody reads it, nobody misses it.
pub(super) fn print(args: &RunArgs, standing: &Standing, run: &Run<'_>) {
    let text = if args.json { json(standing, run).to_string() } else { table(standing, run) };
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn json(standing: &Standing, run: &Run<'_>) -> Value {
    let totals = &standing.totals;
    let mut failed: BTreeMap<String, u64> = BTreeMap::new();
    for (class, count) in &totals.failed {
        let name =
            serde_json::to_value(class).ok().and_then(|name| Some(name.as_str()?.to_owned()));
        failed.insert(name.unwrap_or_default(), *count);
    }
    if totals.rejected > 0 {
        failed.insert("rejected".to_owned(), totals.rejected);
    }
    let sum =
        |count: fn(&push0_core::StageView) -> u64| standing.stages.iter().map(count).sum::<u64>();
    json!({
        "format": "push0.run/1",
        "pipeline": standing.pipeline,
        "complete": run.is_complete,
        "resumed": run.was_resumed,
        "blocks": {
            "submitted": totals.blocks_submitted,
            "released": totals.blocks_released,
            "parked": standing.blocks_parked,
            "missed": 0,
            "superseded": 0,
        },
        "tasks": {
            "accepted": sum(|stage| stage.accepted),
            "parked": sum(|stage| stage.parked),
            "superseded": 0,
        },
        "attempts": {
            "started": totals.started,
            "accepted": totals.accepted,
            "surplus": totals.surplus,
            "lost": totals.lost,
            "withdrawn": totals.withdrawn,
            "failed": failed,
        },
        "wall_ms": millis(run.wall),
        "prover_ms": totals.ran_us / 1000,
        "overhead_p50_ms": median(run.overheads).map(millis),
        "proofs": run.published.iter().map(|published| proof(published)).collect::<Vec<_>>(),
    })
}

fn proof(published: &Published) -> Value {
    serde_json::to_value(published).unwrap_or_default()
}

fn table(standing: &Standing, run: &Run<'_>) -> String {
    let totals = &standing.totals;
    let failed = totals.failed.values().sum::<u64>() + totals.rejected;
    let sum =
        |count: fn(&push0_core::StageView) -> u64| standing.stages.iter().map(count).sum::<u64>();
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
    for published in run.published.iter().take(PROOFS_SHOWN_MAX) {
        let mock = if published.mock { ", a mock: it proves nothing" } else { ", verified" };
        rows.push(("proof", format!("{}{mock}", published.path.display())));
    }
    let proofs = run.published.len();
    if proofs > PROOFS_SHOWN_MAX {
        rows.push(("", format!("and {} more", proofs - PROOFS_SHOWN_MAX)));
    }
    let title = format!(
        "{}: {}",
        standing.pipeline,
        if run.is_complete { "complete" } else { "not complete" }
    );
    let lines = rows.iter().map(|(name, value)| format!("  {name:<12} {value}"));
    std::iter::once(title).chain(lines).collect::<Vec<_>>().join("\n")
}

fn median(times: &[Duration]) -> Option<Duration> {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}

/// With a fraction, since overheads are smaller than one.
fn millis(duration: Duration) -> Value {
    json!((duration.as_secs_f64() * 1e6).round() / 1e3)
}

/// Proofs that the table names; --json names all.
const PROOFS_SHOWN_MAX: usize = 10;
