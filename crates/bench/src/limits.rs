//! What is to be reached, and whether it is. Ratios bind; absolute times are of two quiet cores,
//! and orient.

use crate::report::Row;

/// A number that is to be reached.
pub(crate) struct Limit {
    /// What is measured.
    pub(crate) what: String,
    pub(crate) limit: f64,
    /// Whether less is better.
    pub(crate) is_most: bool,
    pub(crate) unit: &'static str,
    /// What was measured, if it was.
    pub(crate) value: f64,
}

impl Limit {
    /// Whether it is reached.
    pub(crate) fn is_reached(&self) -> bool {
        if self.is_most { self.value <= self.limit } else { self.value >= self.limit }
    }
}

/// All limits that something was measured for.
pub(crate) fn limits(rows: &[Row]) -> Vec<Limit> {
    let overheads = rows.iter().filter(|row| row.bench == "overhead");
    let mut found: Vec<_> = overheads.flat_map(|row| overhead(rows, row)).collect();
    found.extend(throughputs(rows));
    found.extend(scaling(rows));
    found.extend(memory(rows));
    found
}

fn most(what: String, value: Option<f64>, limit: f64, unit: &'static str) -> Option<Limit> {
    Some(Limit { what, limit, is_most: true, unit, value: value? })
}

fn least(what: String, value: Option<f64>, limit: f64, unit: &'static str) -> Option<Limit> {
    Some(Limit { what, limit, is_most: false, unit, value: value? })
}

fn of<'a>(rows: &'a [Row], bench: &'a str, noise: &'a str) -> impl Iterator<Item = &'a Row> {
    rows.iter().filter(move |row| {
        row.bench == bench
            && row.system == "push0"
            && row.noise.as_deref() == Some(noise)
            && row.sync.as_deref() == Some("always")
    })
}

fn ratio(value: Option<f64>, to: Option<f64>) -> Option<f64> {
    Some(value? / to.filter(|to| *to > 0.0)?)
}

/// What binds one row of overhead; if it is of busy cores, beside the quiet row among `rows`.
pub(crate) fn overhead(rows: &[Row], row: &Row) -> Vec<Limit> {
    let mut found = Vec::new();
    let at = format!("{} at {}/s", row.log, row.rate.unwrap_or_default());
    if let Some(quiet) = quiet_of(rows, row) {
        let what = format!("overhead p50 busy to quiet, {at}");
        found.extend(most(what, ratio(row.p50_ms, quiet.p50_ms), 3.0, "x"));
    }
    if of(std::slice::from_ref(row), "overhead", "quiet").next().is_none() {
        return found;
    }
    let is_at = |rate: f64| row.rate == Some(rate);
    let (p50, p99, floor, pull) = match row.log.as_str() {
        "file" if is_at(100.0) => (0.5, 2.0, 1.5, None),
        "file" if is_at(1_000.0) => (0.4, 2.0, 1.5, None),
        "nats-r1" if is_at(100.0) => (1.2, 4.0, 1.7, Some(1.5)),
        "nats-r1" if is_at(1_000.0) => (1.0, 3.0, 1.7, Some(1.5)),
        "nats-r3" if is_at(100.0) => (2.5, 6.0, 1.7, Some(1.0)),
        "nats-r3" if is_at(1_000.0) => (4.0, 10.0, 1.7, Some(1.0)),
        _ => return found,
    };
    found.extend(most(format!("overhead p50, {at}"), row.p50_ms, p50, "ms"));
    found.extend(most(format!("overhead p99, {at}"), row.p99_ms, p99, "ms"));
    let to_floor = ratio(row.p50_ms, row.floor_p50_ms);
    found.extend(most(format!("overhead p50 to the floor, {at}"), to_floor, floor, "x"));
    if let Some(limit) = pull {
        let to_pull = ratio(row.p50_ms, row.pull_p50_ms);
        found.extend(most(format!("overhead p50 to `pull`, {at}"), to_pull, limit, "x"));
    }
    found
}

/// The quiet row that a row of busy cores is to be held against.
fn quiet_of<'a>(rows: &'a [Row], row: &Row) -> Option<&'a Row> {
    of(std::slice::from_ref(row), "overhead", "busy").next()?;
    of(rows, "overhead", "quiet").find(|quiet| quiet.log == row.log && quiet.rate == row.rate)
}

fn throughputs(rows: &[Row]) -> Vec<Limit> {
    let limit = |row: &Row| {
        let what = |to: &str| format!("tasks a second{to}, {}", row.log);
        let to_pull = ratio(row.tasks_per_s, row.pull_tasks_per_s);
        match row.log.as_str() {
            "file" => least(what(""), row.tasks_per_s, 100_000.0, "/s"),
            "nats-r1" => least(what(" to `pull`"), to_pull, 20.0, "x"),
            "nats-r3" => least(what(" to `pull`"), to_pull, 10.0, "x"),
            _ => None,
        }
    };
    of(rows, "throughput", "quiet").filter_map(limit).collect()
}

fn scaling(rows: &[Row]) -> Vec<Limit> {
    let mut found = Vec::new();
    for row in of(rows, "scaling", "quiet") {
        let prover = row.prover.as_deref().unwrap_or_default();
        let limit = match prover {
            "sleep:1s" => 99.5,
            "sleep:50ms" => 97.0,
            "sleep:10ms" => 90.0,
            _ => continue,
        };
        if row.dispatchers == Some(32) {
            let what = format!("efficiency of 32 dispatchers, {prover}, {}", row.log);
            let percent = row.efficiency.map(|share| share * 100.0);
            found.extend(least(what, percent, limit, "%"));
        }
    }
    let is_open = |row: &&Row| row.dispatchers == Some(1_000) && row.open.is_some();
    for row in of(rows, "scaling", "quiet").filter(is_open) {
        let alone = of(rows, "scaling", "quiet")
            .find(|alone| alone.log == row.log && alone.open == Some(0));
        let what =
            format!("overhead p50 with 1,000 dispatchers and 99,000 open tasks, {}", row.log);
        found.extend(most(what, ratio(row.p50_ms, alone.and_then(|row| row.p50_ms)), 2.0, "x"));
    }
    found.extend(rows.iter().filter_map(|row| queued(rows, row)));
    found
}

/// Of the row with 1,000,000 queued tasks, beside the one with 1,000 on the same log. They name no
/// `sync`.
fn queued(rows: &[Row], row: &Row) -> Option<Limit> {
    let is = |row: &Row, queued: &str| row.what.as_deref() == Some(queued);
    let is_quiet = row.noise.as_deref() == Some("quiet");
    (is_quiet && is(row, "1000000 queued tasks")).then_some(())?;
    let is_beside = |few: &&Row| few.log == row.log && few.noise == row.noise;
    let few = rows.iter().filter(is_beside).find(|few| is(few, "1000 queued tasks"))?;
    let what = format!("cost of a task, 1,000,000 queued to 1,000, {}", row.log);
    most(what, ratio(few.tasks_per_s, row.tasks_per_s), 2.0, "x")
}

fn memory(rows: &[Row]) -> Vec<Limit> {
    let limit = |row: &Row| {
        let what = row.what.clone()?;
        let limit = match what.split(',').next()? {
            "push0 serve" => 40.0,
            "push0 dispatch" => 15.0,
            _ => return None,
        };
        most(what, row.resident_bytes.map(|bytes| bytes as f64 / 1e6), limit, "MB")
    };
    rows.iter().filter(|row| row.bench == "memory").filter_map(limit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_reached_at_it_and_not_past_it() {
        let row = |p50: f64| Row {
            bench: "overhead".to_owned(),
            system: "push0".to_owned(),
            log: "nats-r1".to_owned(),
            sync: Some("always".to_owned()),
            noise: Some("quiet".to_owned()),
            rate: Some(100.0),
            p50_ms: Some(p50),
            pull_p50_ms: Some(1.0),
            ..Row::default()
        };
        let reached = |p50: f64| {
            let limits = limits(&[row(p50)]);
            limits.iter().map(Limit::is_reached).collect::<Vec<_>>()
        };
        assert_eq!(reached(1.2), [true, true]);
        assert_eq!(reached(1.21), [false, true]);
        assert_eq!(reached(1.51), [false, false]);
    }

    fn row(bench: &str, noise: &str) -> Row {
        Row {
            bench: bench.to_owned(),
            system: "push0".to_owned(),
            log: "file".to_owned(),
            sync: Some("always".to_owned()),
            noise: Some(noise.to_owned()),
            ..Row::default()
        }
    }

    #[test]
    fn busy_cores_are_held_against_quiet_ones_of_the_same_rate() {
        let at = |noise: &str, rate, p50| Row {
            rate: Some(rate),
            p50_ms: Some(p50),
            ..row("overhead", noise)
        };
        let judged = |busy: f64| {
            let rows = [at("quiet", 200.0, 1.0), at("quiet", 300.0, 9.0), at("busy", 200.0, busy)];
            limits(&rows).iter().map(Limit::is_reached).collect::<Vec<_>>()
        };
        assert_eq!(judged(3.0), [true]);
        assert_eq!(judged(3.01), [false]);
        assert!(limits(&[at("busy", 200.0, 9.0)]).is_empty());
    }

    #[test]
    fn efficiency_is_reached_at_its_limit() {
        let judged = |prover: &str, efficiency| {
            let row = Row {
                prover: Some(prover.to_owned()),
                dispatchers: Some(32),
                efficiency: Some(efficiency),
                ..row("scaling", "quiet")
            };
            limits(&[row]).iter().map(Limit::is_reached).collect::<Vec<_>>()
        };
        for (prover, at, below) in
            [("sleep:1s", 0.995, 0.9949), ("sleep:50ms", 0.97, 0.9699), ("sleep:10ms", 0.9, 0.8999)]
        {
            assert_eq!((judged(prover, at), judged(prover, below)), (vec![true], vec![false]));
        }
    }

    #[test]
    fn queued_tasks_are_judged_only_of_the_numbers_that_the_limit_names() {
        let queued = |tasks: u64, rate| Row {
            what: Some(format!("{tasks} queued tasks")),
            tasks_per_s: Some(rate),
            sync: None,
            ..row("scaling", "quiet")
        };
        let judged = |most: u64, rate| {
            let limits = limits(&[queued(1_000, 100.0), queued(most, rate)]);
            limits.iter().map(Limit::is_reached).collect::<Vec<_>>()
        };
        assert_eq!(judged(1_000_000, 50.0), [true]);
        assert_eq!(judged(1_000_000, 49.0), [false]);
        assert!(judged(10_000, 10.0).is_empty());
    }
}
