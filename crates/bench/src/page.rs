//! `push0 bench page`: from one file of results `docs/benchmarks.md`, and beside the plots
//! `rows.md`. Nothing is written that was not measured.
//!
//! Beside the plots stand two files that are written by hand: `notes.md`, some lines that end the
//! page, and `history.md`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::fault::Fault;
use crate::limits::{self, Limit, limits};
use crate::plot::{Axis, Plot, Series};
use crate::report::{Report, Row};

/// Writes the page and the plots into `docs`.
///
/// # Errors
///
/// That the results cannot be read, or the files not be written.
pub(crate) fn write(results: &Path, docs: &Path) -> Result<(), Fault> {
    let text = fs::read_to_string(results).map_err(|error| Fault::at(results, &error))?;
    let report: Report = serde_json::from_str(&text).map_err(|error| {
        Fault::new(format!("{}: {error}: is it of `push0 bench all`?", results.display()))
    })?;
    let folder = folder(docs)?;
    let notes = fs::read_to_string(folder.join("notes.md")).unwrap_or_default();
    let mut plotted = Vec::new();
    for (name, plot) in plots(&report.results) {
        let path = folder.join(&name);
        fs::write(&path, plot.draw()).map_err(|error| Fault::at(&path, &error))?;
        plotted.push((name, plot.title));
    }
    let rows = folder.join("rows.md");
    fs::write(&rows, rows_page(&report, &plotted)).map_err(|error| Fault::at(&rows, &error))?;
    let path = docs.join("benchmarks.md");
    fs::write(&path, page(&report, &notes)).map_err(|error| Fault::at(&path, &error))
}

/// Where the plots go, beside the page.
///
/// # Errors
///
/// That it cannot be made.
pub(crate) fn folder(docs: &Path) -> Result<PathBuf, Fault> {
    let folder = docs.join("benchmarks");
    fs::create_dir_all(&folder).map_err(|error| Fault::at(&folder, &error))?;
    Ok(folder)
}

/// What is to be reached, and whether it is.
fn page(report: &Report, notes: &str) -> String {
    let mut page = String::from(HEAD);
    page.push_str(&measured_on(report));
    page.push_str(PUBLISHED);
    let limits = limits(&report.results);
    limits_table(&mut page, &limits);
    not_reached(&mut page, &limits);
    page.push_str(notes);
    page
}

/// All that was measured.
fn rows_page(report: &Report, plotted: &[(String, String)]) -> String {
    let mut page = String::from(ROWS_HEAD);
    page.push_str(&measured_on(report));
    for (bench, title) in [
        ("overhead", "Overhead"),
        ("throughput", "Throughput"),
        ("scaling", "Scaling"),
        ("recovery", "Recovery"),
        ("memory", "Memory"),
        ("replay", "Replay"),
    ] {
        let results: Vec<_> =
            report.results.iter().filter(|row| row.bench == bench).cloned().collect();
        if !results.is_empty() {
            let _ = writeln!(page, "## {title}\n");
            for (name, title) in plotted.iter().filter(|(name, _)| name.starts_with(bench)) {
                let _ = writeln!(page, "![{title}]({name})\n");
            }
            table(&mut page, &results);
        }
    }
    page
}

fn measured_on(report: &Report) -> String {
    let machine = &report.machine;
    format!(
        "Measured on {} with push0 {} of commit {} on {} cores of {} ({:.0} GB, Linux {}, load before {}), {}, {}.\n\n",
        machine.date,
        machine.push0,
        machine.commit.as_deref().unwrap_or("unknown"),
        machine.cores,
        machine.cpu,
        machine.memory_bytes as f64 / 1e9,
        machine.kernel,
        machine.load,
        machine.nats_server.as_deref().unwrap_or("no nats-server"),
        machine.postgres.as_deref().unwrap_or("no PostgreSQL"),
    )
}

fn limits_table(page: &mut String, limits: &[Limit]) {
    let reached = limits.iter().filter(|limit| limit.is_reached()).count();
    let _ = writeln!(page, "## Limits: {reached} of {} reached\n", limits.len());
    page.push_str("| what | limit | measured | |\n|---|---|---|---|\n");
    for limit in limits {
        let word = if limit.is_reached() { "reached" } else { "**not reached**" };
        let (what, value, unit) = (&limit.what, measured(limit), limit.unit);
        let _ = writeln!(page, "| {what} | {} | {value} {unit} | {word} |", bound(limit));
    }
    page.push('\n');
}

/// How far off is what is not reached.
fn not_reached(page: &mut String, limits: &[Limit]) {
    let mut missed = limits.iter().filter(|limit| !limit.is_reached()).peekable();
    if missed.peek().is_none() {
        return;
    }
    page.push_str("## Not reached\n\n");
    for limit in missed {
        let share = limit.value / limit.limit;
        let off = match limit.is_most {
            true => format!("{share:.2} times the limit"),
            false => format!("{share:.4} of the limit"),
        };
        let (what, value, unit) = (&limit.what, measured(limit), limit.unit);
        let _ = writeln!(page, "- {what}: {value} {unit}, limit {}: {off}.", bound(limit));
    }
    page.push('\n');
}

fn bound(limit: &Limit) -> String {
    let sign = if limit.is_most { "≤" } else { "≥" };
    format!("{sign} {} {}", number(limit.limit), limit.unit)
}

/// What is to be reached of a row of overhead, and whether it is.
fn verdicts(rows: &[Row], row: &Row) -> String {
    if row.bench != "overhead" {
        return String::new();
    }
    let verdict = |limit: &Limit| {
        let what = limit.what.split(", ").next().unwrap_or_default();
        let what = what.strip_prefix("overhead ").unwrap_or(what);
        let word = if limit.is_reached() { "reached" } else { "**not**" };
        format!("{what} {} {word}", bound(limit))
    };
    limits::overhead(rows, row).iter().map(verdict).collect::<Vec<_>>().join("; ")
}

/// What stands in a column.
type Cell<'a> = Box<dyn Fn(&Row) -> String + 'a>;

fn columns(rows: &[Row]) -> [(&'static str, Cell<'_>); 20] {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let value = |value: Option<f64>| value.map(number).unwrap_or_default();
    let range = |range: Option<[f64; 2]>| {
        range.map(|[low, high]| format!("{} to {}", number(low), number(high))).unwrap_or_default()
    };
    let times = |value: Option<f64>, to: Option<f64>| {
        value.zip(to).map(|(value, to)| format!("{:.2} x", value / to)).unwrap_or_default()
    };
    [
        ("system", Box::new(|row| row.system.clone())),
        ("log", Box::new(|row| row.log.clone())),
        ("what", Box::new(move |row| text(&row.what))),
        ("noise", Box::new(move |row| text(&row.noise))),
        ("prover", Box::new(move |row| text(&row.prover))),
        ("tasks/s asked", Box::new(move |row| value(row.rate))),
        (
            "dispatchers",
            Box::new(|row| row.dispatchers.map(|it| it.to_string()).unwrap_or_default()),
        ),
        ("runs", Box::new(|row| row.runs.map(|it| it.to_string()).unwrap_or_default())),
        ("open tasks", Box::new(|row| row.open.map(|it| it.to_string()).unwrap_or_default())),
        ("p50 ms", Box::new(move |row| value(row.p50_ms))),
        ("p50 of runs", Box::new(move |row| range(row.p50_spread_ms))),
        ("p99 ms", Box::new(move |row| value(row.p99_ms))),
        ("p50 to floor", Box::new(move |row| times(row.p50_ms, row.floor_p50_ms))),
        ("p50 to pull", Box::new(move |row| times(row.p50_ms, row.pull_p50_ms))),
        (
            "efficiency",
            Box::new(|row| {
                row.efficiency.map(|it| format!("{:.2} %", it * 100.0)).unwrap_or_default()
            }),
        ),
        (
            "tasks/s",
            Box::new(move |row| match row.tasks_per_s_spread {
                Some(_) => {
                    format!("{} ({})", value(row.tasks_per_s), range(row.tasks_per_s_spread))
                }
                None => value(row.tasks_per_s),
            }),
        ),
        (
            "took ms",
            Box::new(move |row| match row.took_spread_ms {
                Some(_) => format!("{} ({})", value(row.took_ms), range(row.took_spread_ms)),
                None => value(row.took_ms),
            }),
        ),
        (
            "resident MB",
            Box::new(move |row| value(row.resident_bytes.map(|bytes| bytes as f64 / 1e6))),
        ),
        ("limit", Box::new(move |row| verdicts(rows, row))),
        ("note", Box::new(move |row| text(&row.note))),
    ]
}

/// A table of what rows have a word on.
fn table(page: &mut String, rows: &[Row]) {
    let columns = columns(rows);
    let used: Vec<_> =
        columns.iter().filter(|(_, cell)| rows.iter().any(|row| !cell(row).is_empty())).collect();
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    page.push_str(&line(used.iter().map(|(name, _)| (*name).to_owned()).collect()));
    page.push_str(&line(used.iter().map(|_| "---".to_owned()).collect()));
    for row in rows {
        page.push_str(&line(used.iter().map(|(_, cell)| cell(row)).collect()));
    }
    page.push('\n');
}

/// What was measured: with more digits where it is so near to a limit that was missed that it would
/// seem reached.
fn measured(limit: &Limit) -> String {
    let words = number(limit.value);
    let seems_reached = !limit.is_reached() && words == number(limit.limit);
    if seems_reached { format!("{:.3}", limit.value) } else { words }
}

/// With as many digits as tell something.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{}", (value * 1e3).round() / 1e3),
    }
}

/// The plots that the results are enough for, by their files' names.
fn plots(rows: &[Row]) -> Vec<(String, Plot)> {
    let axis = |title: &str, is_log, from| Axis { title: title.to_owned(), is_log, from };
    let mut plots = Vec::new();
    for rate in [100.0, 1_000.0] {
        let quiet = |row: &&Row| row.rate == Some(rate) && row.noise.as_deref() == Some("quiet");
        let rows = rows.iter().filter(|row| row.bench == "overhead").filter(quiet);
        let mut series = Vec::new();
        for row in rows.filter(|row| row.cdf_ms.is_some()) {
            let shares = row.cdf_ms.iter().flatten().zip(1_u32..);
            let points = shares.map(|(ms, share)| (*ms, f64::from(share))).collect();
            let mut name = format!("{} {}", row.system, row.log);
            if row.sync.as_deref() == Some("default") {
                name.push_str(", default sync");
            }
            series.push(Series { name, points, is_dashed: false });
            if let Some(floor) = row.floor_p50_ms {
                let points = vec![(floor, 0.0), (floor, 100.0)];
                series.push(Series { name: format!("floor {}", row.log), points, is_dashed: true });
            }
        }
        if !series.is_empty() {
            let (x, y) =
                (axis("overhead of a task, ms", true, None), axis("% of tasks", false, Some(0.0)));
            let title = format!("Overhead at {rate} tasks/s, quiet");
            plots.push((format!("overhead-{rate}.svg"), Plot { title, x, y, series }));
        }
    }
    let scaling = |is_it: &dyn Fn(&Row) -> bool, point: &dyn Fn(&Row) -> Option<(f64, f64)>| {
        let rows: Vec<_> = rows
            .iter()
            .filter(|row| row.bench == "scaling" && row.efficiency.is_some() && is_it(row))
            .filter(|row| row.noise.as_deref() == Some("quiet"))
            .collect();
        lines(&rows, |row| row.log.clone(), point)
    };
    let series = scaling(&|row| row.prover.as_deref() == Some("sleep:10ms"), &|row| {
        Some((f64::from(row.dispatchers?), row.tasks_per_s?))
    });
    if !series.is_empty() {
        let (x, y) =
            (axis("dispatchers of one slot", true, None), axis("tasks a second", true, None));
        let title = "Throughput with provers of 10 ms, quiet".to_owned();
        plots.push(("scaling-throughput.svg".to_owned(), Plot { title, x, y, series }));
    }
    let series = scaling(&|row| row.dispatchers == Some(32), &|row| {
        let time = row.prover.as_deref()?.strip_prefix("sleep:")?;
        let ms = humantime::parse_duration(time).ok()?.as_secs_f64() * 1e3;
        Some((ms, row.efficiency? * 100.0))
    });
    if !series.is_empty() {
        let (x, y) = (axis("time of a prover, ms", true, None), axis("efficiency, %", false, None));
        let title = "Efficiency of 32 dispatchers, quiet".to_owned();
        plots.push(("scaling-efficiency.svg".to_owned(), Plot { title, x, y, series }));
    }
    let memory: Vec<_> =
        rows.iter().filter(|row| row.bench == "memory" && row.open.is_some()).collect();
    let series = lines(&memory, |row| row.log.clone(), &|row| {
        Some((row.open? as f64, row.resident_bytes? as f64 / 1e6))
    });
    if !series.is_empty() {
        let (x, y) = (axis("open tasks", false, Some(0.0)), axis("resident, MB", false, Some(0.0)));
        let title = "Memory of an engine".to_owned();
        plots.push(("memory.svg".to_owned(), Plot { title, x, y, series }));
    }
    plots
}

fn lines(
    rows: &[&Row],
    name: impl Fn(&Row) -> String,
    point: &dyn Fn(&Row) -> Option<(f64, f64)>,
) -> Vec<Series> {
    let mut series: Vec<Series> = Vec::new();
    for row in rows {
        let Some(at) = point(row) else { continue };
        let name = name(row);
        match series.iter_mut().find(|known| known.name == name) {
            Some(known) => known.points.push(at),
            None => series.push(Series { name, points: vec![at], is_dashed: false }),
        }
    }
    for series in &mut series {
        series.points.sort_by(|one, other| one.0.total_cmp(&other.0));
    }
    series
}

const HEAD: &str = "\
# Benchmarks

This page holds the results against their limits. [Every row that was measured](benchmarks/rows.md) is on a page of its
own, with plots. [The history](benchmarks/history.md) has causes and changes of method, by date.

To get these numbers, run `push0 bench all --out results.json --page docs` on a machine that does nothing else. It writes
this page anew. `--quick` takes single runs of a second. `push0 bench --help` has the parts.

Everything runs on one machine, over loopback, with real servers that were started for it. NATS servers sync before they
acknowledge (`sync_interval: always`), as `deploy/nats.conf` has it. Each number is a median of as many runs as its row
says. The runs of all systems take turns, so all had the same machine. Nothing is proved: `echo` provers answer at once,
and `sleep` provers answer after a time.

- *Overhead* of a task is the time from the client's submission to its durable result, less the time of the prover.
- *floor* is the time of the durable writes and hops of a task alone: on a file two syncs and a round trip over pipes, on
  NATS two acknowledged publishes and two requests with their answers.
- *pull* is push0's published architecture, re-made plainly: a JetStream work queue that dispatchers pull from, a stream
  of results, a collector.
- *Efficiency* is the part of its time in which a dispatcher of one slot proves, while there is always more to prove.
- *busy* runs have a process of the lowest priority (nice 19) beside them on every core.
- `nats-r1` is a log on one NATS server, `nats-r3` on three, `file` in a directory.

";

const PUBLISHED: &str = "\
The original push0 reports, on other machines: 5 ms median overhead on Kubernetes, 3 to 10 ms in Docker, a P99 under 20 ms
at 50 to 100 tasks/s, 99 to 100 % efficiency at 32 dispatchers, 8 to 14 MB a dispatcher, and 0.5 s to recover a collector
(arXiv 2602.16338). We know of no other published figures.

";

const ROWS_HEAD: &str = "\
# Benchmarks: every row

[Benchmarks](../benchmarks.md) says what the words mean. Two more systems stand here. *poll* is a Postgres table with
`FOR UPDATE SKIP LOCKED`, polled once a second. *poll-tight* polls it in a loop. What could not be measured has no numbers,
and a note why.

";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_what_was_measured_and_says_what_is_not_reached() {
        let row = Row {
            bench: "throughput".to_owned(),
            system: "push0".to_owned(),
            log: "file".to_owned(),
            sync: Some("always".to_owned()),
            noise: Some("quiet".to_owned()),
            runs: Some(1),
            tasks_per_s: Some(50_000.0),
            ..Row::default()
        };
        let report = Report { machine: crate::report::Machine::here(), results: vec![row] };
        let (page, rows) = (page(&report, "Some words.\n"), rows_page(&report, &[]));
        assert!(
            page.contains("| tasks a second, file | ≥ 100000 /s | 50000 /s | **not reached** |")
        );
        assert!(page.contains(
            "## Not reached\n\n- tasks a second, file: 50000 /s, limit ≥ 100000 /s: 0.5000 of the limit.\n"
        ));
        assert!(page.ends_with("\n\nSome words.\n"));
        assert!(rows.contains("## Throughput\n\n| system | log | noise | runs | tasks/s |\n"));
        assert!(!rows.contains("## Overhead"));
    }

    #[test]
    fn the_pages_of_the_repository_are_as_they_would_be_written() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
        let read = |name: &str| fs::read_to_string(docs.join(name)).expect("it is there");
        let (page, rows) = (read("benchmarks.md"), read("benchmarks/rows.md"));
        assert!(page.starts_with(HEAD) && page.contains(PUBLISHED) && rows.starts_with(ROWS_HEAD));
        assert!(page.ends_with(&read("benchmarks/notes.md")));
    }

    #[test]
    fn what_is_missed_by_little_does_not_seem_reached() {
        let limit = |value, is_most| Limit {
            what: "efficiency".to_owned(),
            limit: 97.0,
            is_most,
            unit: "%",
            value,
        };
        let mut page = String::new();
        not_reached(&mut page, &[limit(96.981, false), limit(97.004, false), limit(97.5, true)]);
        let missed = "- efficiency: 96.981 %, limit ≥ 97.0 %: 0.9998 of the limit.\n\
                      - efficiency: 97.5 %, limit ≤ 97.0 %: 1.01 times the limit.\n";
        assert_eq!(page, format!("## Not reached\n\n{missed}\n"));
    }

    #[test]
    fn a_row_without_numbers_says_why() {
        let row = |system: &str, tasks_per_s, note: Option<&str>| Row {
            bench: "throughput".to_owned(),
            system: system.to_owned(),
            tasks_per_s,
            note: note.map(str::to_owned),
            ..Row::default()
        };
        let rows = [row("push0", Some(5.0), None), row("poll", None, Some("it is not installed"))];
        let mut page = String::new();
        table(&mut page, &rows);
        assert!(page.starts_with("| system | tasks/s | note |\n"));
        assert!(page.contains("| push0 | 5 |  |\n| poll |  | it is not installed |\n"));
        let json = serde_json::to_string(&rows).expect("it is JSON");
        assert!(json.contains("\"tasks_per_s\":null,\"note\":\"it is not installed\""), "{json}");
    }

    #[test]
    fn a_row_of_overhead_says_what_binds_it() {
        let row = Row {
            bench: "overhead".to_owned(),
            system: "push0".to_owned(),
            log: "nats-r1".to_owned(),
            sync: Some("always".to_owned()),
            noise: Some("quiet".to_owned()),
            rate: Some(100.0),
            p50_ms: Some(1.2),
            p99_ms: Some(5.0),
            floor_p50_ms: Some(1.0),
            pull_p50_ms: Some(0.5),
            cdf_ms: Some(vec![1.0, 1.2, 5.0]),
            ..Row::default()
        };
        let pulled =
            Row { system: "pull".to_owned(), floor_p50_ms: None, pull_p50_ms: None, ..row.clone() };
        let rows = [row, pulled];
        let mut page = String::new();
        table(&mut page, &rows);
        assert!(page.contains(
            "| 1.2 | 5 | 1.20 x | 2.40 x | p50 ≤ 1.2 ms reached; p99 ≤ 4 ms **not**; \
             p50 to the floor ≤ 1.7 x reached; p50 to `pull` ≤ 1.5 x **not** |"
        ));
        assert!(page.contains("| pull | nats-r1 | quiet | 100 | 1.2 | 5 |  |  |  |"));
        let plots = plots(&rows);
        let names: Vec<_> = plots
            .iter()
            .flat_map(|(_, plot)| plot.series.iter())
            .map(|series| (series.name.as_str(), series.is_dashed))
            .collect();
        let expected = [("push0 nats-r1", false), ("floor nats-r1", true), ("pull nats-r1", false)];
        assert_eq!(names, expected);
    }

    #[test]
    fn lines_are_in_the_order_of_what_is_along_the_edge() {
        let row = |noise: &str, dispatchers| Row {
            bench: "scaling".to_owned(),
            log: "file".to_owned(),
            noise: Some(noise.to_owned()),
            prover: Some("sleep:10ms".to_owned()),
            dispatchers: Some(dispatchers),
            efficiency: Some(0.9),
            tasks_per_s: Some(f64::from(dispatchers)),
            ..Row::default()
        };
        // Those of busy cores are in the table alone.
        let plots = plots(&[row("quiet", 2), row("busy", 4), row("quiet", 1)]);
        let names: Vec<_> = plots.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["scaling-throughput.svg"]);
        let points =
            plots.first().and_then(|(_, plot)| plot.series.first()).map(|it| it.points.clone());
        assert_eq!(points, Some(vec![(1.0, 1.0), (2.0, 2.0)]));
    }
}
