//! What is to be reached, and whether it is. Ratios bind; absolute times are of two quiet cores, and orient.

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
    let mut found = overheads(rows);
    found.extend(throughputs(rows));
    found.extend(busy(rows));
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

fn overheads(rows: &[Row]) -> Vec<Limit> {
    let mut found = Vec::new();
    for row in of(rows, "overhead", "quiet") {
        let rate = row.rate.unwrap_or_default();
        let is_fast = rate > 500.0;
        let (p50, p99, floor, pull) = match (row.log.as_str(), is_fast) {
            ("file", false) => (0.5, 2.0, 1.5, None),
            ("file", true) => (0.4, 2.0, 1.5, None),
            ("nats-r1", false) => (1.2, 4.0, 1.7, Some(1.5)),
            ("nats-r1", true) => (1.0, 3.0, 1.7, Some(1.5)),
            ("nats-r3", false) => (2.5, 6.0, 1.7, Some(1.0)),
            ("nats-r3", true) => (4.0, 10.0, 1.7, Some(1.0)),
            _ => continue,
        };
        let at = format!("{} at {rate}/s", row.log);
        found.extend(most(format!("overhead p50, {at}"), row.p50_ms, p50, "ms"));
        found.extend(most(format!("overhead p99, {at}"), row.p99_ms, p99, "ms"));
        let to_floor = ratio(row.p50_ms, row.floor_p50_ms);
        found.extend(most(format!("overhead p50 to the floor, {at}"), to_floor, floor, "x"));
        if let Some(limit) = pull {
            let to_pull = ratio(row.p50_ms, row.pull_p50_ms);
            found.extend(most(format!("overhead p50 to `pull`, {at}"), to_pull, limit, "x"));
        }
    }
    found
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

fn busy(rows: &[Row]) -> Vec<Limit> {
    let limit = |row: &Row| {
        let quiet = of(rows, "overhead", "quiet")
            .find(|quiet| quiet.log == row.log && quiet.rate == row.rate)?;
        let what = format!(
            "overhead p50, busy to quiet, {} at {}/s",
            row.log,
            row.rate.unwrap_or_default()
        );
        most(what, ratio(row.p50_ms, quiet.p50_ms), 3.0, "x")
    };
    of(rows, "overhead", "busy").filter_map(limit).collect()
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
    for row in of(rows, "scaling", "quiet").filter(|row| row.dispatchers == Some(1_000)) {
        let alone = of(rows, "scaling", "quiet")
            .find(|alone| alone.log == row.log && alone.open == Some(0));
        let what =
            format!("overhead p50 with 1,000 dispatchers and 99,000 open tasks, {}", row.log);
        found.extend(most(what, ratio(row.p50_ms, alone.and_then(|row| row.p50_ms)), 2.0, "x"));
    }
    let queued: Vec<_> = rows
        .iter()
        .filter(|row| row.what.as_deref().is_some_and(|what| what.ends_with("queued tasks")))
        .filter_map(|row| row.tasks_per_s)
        .collect();
    if let (Some(first), Some(last)) = (queued.first(), queued.last()) {
        let what = "cost of a task, 1,000,000 queued to 1,000".to_owned();
        found.extend(most(what, ratio(Some(*first), Some(*last)), 2.0, "x"));
    }
    found
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
}
