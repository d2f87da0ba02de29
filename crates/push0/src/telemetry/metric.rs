//! Every metric: its name, unit, labels and meaning. `docs/metrics.md` is made from this table.
//!
//! Names are `push0_<noun>_<unit>`, in base units. A label has few values: a stage or a program of
//! the pipeline, or a word of this file. No dispatcher, block or task is one, so a scrape stays
//! small whatever the fleet is.
//!
//! Not here: where the values come from (`engine`, `dispatcher`).

/// One metric.
#[derive(Debug)]
pub(crate) struct Metric {
    /// As it is scraped; a counter's sample has `_total` behind it.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) labels: &'static [&'static str],
    pub(super) help: &'static str,
    /// Who has it.
    #[cfg_attr(not(test), expect(dead_code, reason = "the page alone says so"))]
    pub(super) by: By,
}

/// What kind of number it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Gauge,
    /// It only grows. An engine's are the log's: all engines that lead show the same.
    Counter,
    /// Of this process alone; with the upper bounds of its buckets.
    Histogram(&'static [f64]),
}

/// Which processes have a metric.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum By {
    All,
    /// `run`, and `serve`, whether it leads or not.
    Engines,
    /// `run`, and the `serve` that leads: the others have no such sample.
    Leader,
    Dispatchers,
}

impl Metric {
    /// What its name ends with, where that is a unit.
    pub(super) fn unit(&self) -> Option<&'static str> {
        let units = ["seconds", "bytes"];
        units.into_iter().find(|unit| self.name.ends_with(unit))
    }
}

macro_rules! metrics {
    ($($(#[$doc:meta])* $id:ident = $name:literal, $kind:expr, $by:ident, [$($label:literal),*], $help:literal;)*) => {
        $(pub(crate) static $id: Metric = Metric {
            name: $name, kind: $kind, labels: &[$($label),*], help: $help, by: By::$by,
        };)*
        /// All of them, in the order of a scrape.
        pub(super) static ALL: &[&Metric] = &[$(&$id),*];
    };
}

metrics! {
    BUILD = "push0_build_info", Kind::Gauge, All, ["version"],
        "1, with the version of push0";
    STARTED = "push0_process_start_time_seconds", Kind::Gauge, All, [],
        "When this process began, in Unix time";
    RECONNECTS = "push0_nats_connections_lost", Kind::Counter, All, [],
        "Connections to NATS servers that this process has lost";
    DROPPED = "push0_telemetry_dropped", Kind::Counter, Engines, [],
        "Turns of the engine that its histograms miss, since telemetry was behind";
    LEADER = "push0_leader", Kind::Gauge, Engines, [],
        "1 where this engine leads, else 0";
    ANSWERS = "push0_engine_answers", Kind::Gauge, Engines, [],
        "1 if the engine of this process answered this scrape; 0 if it had no time, or does not lead";
    EPOCH = "push0_epoch", Kind::Gauge, Leader, [],
        "The epoch in which it leads: one more with each engine that took over";
    OLDEST = "push0_oldest_block_age_seconds", Kind::Gauge, Leader, [],
        "How long ago the oldest block was submitted that is not released; 0 where all are";
    SUBMITTED = "push0_blocks_submitted", Kind::Counter, Leader, [],
        "Blocks that were submitted";
    RELEASED = "push0_blocks_released", Kind::Counter, Leader, [],
        "Blocks under released proofs";
    WAITING = "push0_blocks_waiting", Kind::Gauge, Leader, [],
        "Canonical blocks that are not released";
    AHEAD = "push0_blocks_ahead", Kind::Gauge, Leader, [],
        "Blocks that wait for a block before them";
    BESIDE = "push0_blocks_beside", Kind::Gauge, Leader, [],
        "Blocks that are kept and never proved: another is canonical at their height";
    TIP = "push0_tip_height", Kind::Gauge, Leader, [],
        "The number of the last canonical block";
    RELEASED_HEIGHT = "push0_released_height", Kind::Gauge, Leader, [],
        "The number of the last block that is released";
    FINAL_HEIGHT = "push0_final_height", Kind::Gauge, Leader, [],
        "The number of the last block that is final, where the source says heads";
    BLOCKS_LEFT = "push0_blocks_superseded", Kind::Counter, Leader, [],
        "How often a block left the chain, in reorgs";
    TASKS = "push0_tasks", Kind::Gauge, Leader, ["stage", "state"],
        "Tasks by where they stand: waiting (items that are no task yet), ready, running, accepted, parked, superseded";
    ATTEMPTS = "push0_attempts_started", Kind::Counter, Leader, [],
        "Attempts that were granted";
    ENDED = "push0_attempts_ended", Kind::Counter, Leader, ["outcome", "class"],
        "Attempts by how they ended: accepted, failed (with its class), rejected, lost, withdrawn, surplus, overtaken";
    RETRIES = "push0_retries", Kind::Counter, Engines, [],
        "Grants of tasks that had been granted before, as this process saw them while it led";
    PARKED = "push0_tasks_parked", Kind::Gauge, Leader, [],
        "Tasks that wait for a person";
    PROVING = "push0_proving_seconds", Kind::Histogram(PROVING_BOUNDS), Engines, ["stage", "program"],
        "How long provers ran for results that were accepted";
    QUEUE = "push0_queue_seconds", Kind::Histogram(PROVING_BOUNDS), Engines, ["stage"],
        "How long tasks waited from when they were opened to their first grant";
    OVERHEAD = "push0_overhead_seconds", Kind::Histogram(SHORT_BOUNDS), Engines, [],
        "From a grant to the durable acceptance of its result, less the prover's own time";
    APPEND = "push0_append_seconds", Kind::Histogram(SHORT_BOUNDS), Engines, [],
        "From a decision of the engine until its log had it durably";
    WANTED = "push0_program_tasks", Kind::Gauge, Leader, ["program"],
        "Tasks of a program that are ready or run";
    WORK = "push0_work_seconds", Kind::Gauge, Leader, ["program"],
        "What the tasks that are ready or run will take in all, by how long such provers usually take; absent where that is not known yet";
    DISPATCHERS = "push0_dispatchers", Kind::Gauge, Leader, [],
        "Dispatchers that the leader has heard of and has not given up";
    SILENT = "push0_dispatchers_silent", Kind::Gauge, Leader, [],
        "Those of them that have said nothing for 3 s or more";
    ASIDE = "push0_dispatchers_set_aside", Kind::Gauge, Leader, ["program"],
        "Dispatchers that get no more of a program than a probe, since they failed it several times in a row";
    CORDONED = "push0_dispatchers_cordoned", Kind::Gauge, Leader, [],
        "Dispatchers that get no new work by an operator's word";
    OFFERING = "push0_dispatchers_offering", Kind::Gauge, Leader, ["program"],
        "Dispatchers that offer a program";
    HELD = "push0_program_held", Kind::Gauge, Leader, ["program"],
        "1 where all that offer the program are set aside: its tasks wait, and none parks";
    SLOTS = "push0_slots", Kind::Gauge, Leader, ["state"],
        "Slots of all dispatchers: offered, used";
    MEMORY = "push0_memory_bytes", Kind::Gauge, Leader, ["state"],
        "Memory for provers of all dispatchers: offered, used (by what programs reserve)";
    GPUS = "push0_gpus", Kind::Gauge, Leader, ["state"],
        "GPUs of all dispatchers: offered, used";
    LOG = "push0_log_bytes", Kind::Gauge, Leader, [],
        "What the log takes";
    LOG_MAX = "push0_log_bound_bytes", Kind::Gauge, Leader, [],
        "What the log may take, where it has a bound; at 80 % of it no block is taken";
    STORE = "push0_store_bytes", Kind::Gauge, Leader, [],
        "What the store of a cluster holds, as it was counted last";
    DISK_FREE = "push0_disk_free_bytes", Kind::Gauge, All, [],
        "What is left on the disk of the store (run, serve) or of the dispatcher's own directory";
    DISK = "push0_disk_size_bytes", Kind::Gauge, All, [],
        "What that disk holds in all";
    OWN_SLOTS = "push0_dispatcher_slots", Kind::Gauge, Dispatchers, ["state"],
        "Slots of this dispatcher: offered, used";
    OWN_DOING = "push0_dispatcher_attempts", Kind::Gauge, Dispatchers, ["doing"],
        "Attempts of this dispatcher by what is done for them: starting, proving, verifying, unjudged, storing, unstored, ending";
    OWN_KEPT = "push0_dispatcher_results_kept", Kind::Gauge, Dispatchers, [],
        "Results and reports that wait until an engine has recorded them";
    OWN_FAILED = "push0_dispatcher_attempts_failed", Kind::Counter, Dispatchers, ["how"],
        "Attempts of this dispatcher that came to nothing, by how: a class of failure, rejected, input_lost, not_run";
    OWN_CONNECTED = "push0_dispatcher_connected", Kind::Gauge, Dispatchers, [],
        "1 while it has a connection to a NATS server";
    OWN_STORE = "push0_dispatcher_has_store", Kind::Gauge, Dispatchers, [],
        "0 while its store does not answer: it begins nothing";
    OWN_MEMORY = "push0_dispatcher_memory_bytes", Kind::Gauge, Dispatchers, [],
        "Memory that its provers share";
    OWN_GPUS = "push0_dispatcher_gpus", Kind::Gauge, Dispatchers, [],
        "GPUs that its provers share";
}

/// From a prover that only echoes to one that takes half a day.
const PROVING_BOUNDS: &[f64] = &[
    0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0,
    1_200.0, 3_600.0, 10_800.0, 43_200.0,
];

/// Around the milliseconds that push0 itself takes (docs/benchmarks.md).
const SHORT_BOUNDS: &[f64] = &[
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002, 0.004, 0.008, 0.016, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fmt::Write as _;

    use super::*;

    /// As a sample of it is named.
    fn sample(metric: &Metric) -> String {
        let suffix = if metric.kind == Kind::Counter { "_total" } else { "" };
        format!("{}{suffix}", metric.name)
    }

    /// The table of `docs/metrics.md`.
    fn page_rows() -> String {
        let mut rows =
            String::from("| metric | kind | labels | who | what |\n|---|---|---|---|---|\n");
        for metric in ALL {
            let kind = match metric.kind {
                Kind::Gauge => "gauge",
                Kind::Counter => "counter",
                Kind::Histogram(_) => "histogram",
            };
            let who = match metric.by {
                By::All => "all",
                By::Engines => "`run`, `serve`",
                By::Leader => "`run`, the `serve` that leads",
                By::Dispatchers => "`dispatch`",
            };
            let labels =
                metric.labels.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ");
            let (name, help) = (sample(metric), metric.help);
            let _ = writeln!(rows, "| `{name}` | {kind} | {labels} | {who} | {help} |");
        }
        rows
    }

    #[test]
    fn names_are_one_kind_of_word_and_none_is_twice() {
        let mut names = BTreeSet::new();
        for metric in ALL {
            assert!(names.insert(metric.name), "{} is twice", metric.name);
            let is_plain = |letter: char| letter.is_ascii_lowercase() || "_0".contains(letter);
            assert!(metric.name.starts_with("push0_") && metric.name.chars().all(is_plain));
            assert!(!metric.name.ends_with("_total"), "{}: that is added", metric.name);
            assert!(!metric.help.ends_with('.'), "{}: a full stop is added", metric.name);
            let is_time = matches!(metric.kind, Kind::Histogram(_));
            assert!(!is_time || metric.unit() == Some("seconds"), "{}", metric.name);
        }
    }

    /// `promtool test rules` tries the rules themselves.
    #[test]
    fn the_rules_ask_for_metrics_that_are_there_and_each_has_its_line_of_what_to_do() {
        let read = |path: &str| {
            let path = format!("{}/../../{path}", env!("CARGO_MANIFEST_DIR"));
            std::fs::read_to_string(path).expect("it is there")
        };
        let (rules, page) = (read("deploy/prometheus/rules.yml"), read("docs/troubleshooting.md"));
        let samples: BTreeSet<_> = ALL.iter().map(|metric| sample(metric)).collect();
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let mut asked = 0;
        for line in rules.lines().filter(|line| !line.trim_start().starts_with('#')) {
            for word in line.split(|letter| !is_part(letter)) {
                assert!(!word.starts_with("push0_") || samples.contains(word), "{word}");
                asked += usize::from(word.starts_with("push0_"));
            }
            if let Some((_, alert)) = line.split_once("- alert: ") {
                assert!(page.contains(&format!("\n| `{alert}` | ")), "{alert}");
            }
        }
        assert!(asked > 10, "{asked}");
    }

    /// `PUSH0_WRITE_PAGES=1 cargo test` writes it anew.
    #[test]
    fn the_page_has_every_metric() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
        let page = std::fs::read_to_string(path).expect("it is there");
        let (begin, end) = ("<!-- made from the table in metric.rs -->\n", "<!-- end -->\n");
        let (before, rest) = page.split_once(begin).expect("it has a place for the table");
        let (table, after) = rest.split_once(end).expect("which ends");
        let rows = page_rows();
        if std::env::var_os("PUSH0_WRITE_PAGES").is_some() {
            let page = format!("{before}{begin}{rows}{end}{after}");
            std::fs::write(path, page).expect("it is ours");
        } else {
            assert_eq!(table, rows, "docs/metrics.md: PUSH0_WRITE_PAGES=1 writes it anew");
        }
    }
}
