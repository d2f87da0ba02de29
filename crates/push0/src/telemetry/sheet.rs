//! One scrape: the values that are known at this moment, and their text in the OpenMetrics format.
//!
//! What is not known has no sample. A 0 is a 0 that was counted.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::metric::{ALL, Kind, Metric};

/// A series of a metric.
pub(super) type Labels = Vec<(&'static str, String)>;

/// A histogram for each series of a metric. Clones share it.
pub(super) type Histograms = Family<Labels, Histogram, Buckets>;

/// How a histogram begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Buckets(&'static [f64]);

impl prometheus_client::metrics::family::MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

/// The values of one scrape.
#[derive(Default)]
pub(super) struct Sheet {
    gauges: HashMap<&'static str, Family<Labels, Gauge<f64, AtomicU64>>>,
    counters: HashMap<&'static str, Family<Labels, Counter>>,
    histograms: HashMap<&'static str, Histograms>,
}

impl Sheet {
    pub(super) fn gauge(&mut self, metric: &'static Metric, labels: &[&str], value: f64) {
        let family = self.gauges.entry(metric.name).or_default();
        family.get_or_create(&named(metric, labels)).set(value);
    }

    /// A number that is counted, as a gauge: exact up to 2^53.
    #[expect(clippy::cast_precision_loss, reason = "no count of push0 comes near 2^53")]
    pub(super) fn count(&mut self, metric: &'static Metric, labels: &[&str], value: u64) {
        self.gauge(metric, labels, value as f64);
    }

    /// What was counted since the log, or the process, began.
    pub(super) fn total(&mut self, metric: &'static Metric, labels: &[&str], value: u64) {
        let family = self.counters.entry(metric.name).or_default();
        family.get_or_create(&named(metric, labels)).inc_by(value);
    }

    pub(super) fn histograms(&mut self, metric: &'static Metric, all: &Histograms) {
        self.histograms.insert(metric.name, all.clone());
    }

    /// Its text.
    pub(super) fn text(mut self) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        for metric in ALL {
            if let Some(gauges) = self.gauges.remove(metric.name) {
                register(&mut registry, metric, gauges);
            } else if let Some(counters) = self.counters.remove(metric.name) {
                register(&mut registry, metric, counters);
            } else if let Some(histograms) = self.histograms.remove(metric.name) {
                register(&mut registry, metric, histograms);
            }
        }
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    }
}

/// The histograms of a metric, all of them empty yet.
pub(super) fn histograms(metric: &'static Metric) -> Histograms {
    let bounds = match metric.kind {
        Kind::Histogram(bounds) => bounds,
        Kind::Gauge | Kind::Counter => &[],
    };
    Family::new_with_constructor(Buckets(bounds))
}

/// A series by the values of its labels, in their order.
pub(super) fn named(metric: &'static Metric, values: &[&str]) -> Labels {
    debug_assert_eq!(metric.labels.len(), values.len(), "{}: {values:?}", metric.name);
    metric.labels.iter().zip(values).map(|(label, value)| (*label, (*value).to_owned())).collect()
}

fn register(
    registry: &mut Registry,
    metric: &'static Metric,
    family: impl prometheus_client::registry::Metric,
) {
    let Some(unit) = metric.unit() else {
        return registry.register(metric.name, metric.help, family);
    };
    // The library puts the unit behind the name.
    let name = metric.name.strip_suffix(unit).unwrap_or(metric.name).trim_end_matches('_');
    let unit = if unit == "bytes" { Unit::Bytes } else { Unit::Seconds };
    registry.register_with_unit(name, metric.help, unit, family);
}

#[cfg(test)]
mod tests {
    use super::super::metric::{BUILD, LOG, PROVING, SUBMITTED, TASKS};
    use super::*;

    #[test]
    fn what_is_known_is_told_by_its_name_with_its_unit_and_nothing_else_is() {
        let mut sheet = Sheet::default();
        sheet.gauge(&BUILD, &["1.2.3"], 1.0);
        sheet.total(&SUBMITTED, &[], 7);
        sheet.count(&LOG, &[], 9);
        sheet.count(&TASKS, &["prove", "ready"], 2);
        let proving = histograms(&PROVING);
        proving.get_or_create(&named(&PROVING, &["prove", "p"])).observe(0.02);
        sheet.histograms(&PROVING, &proving);
        let text = sheet.text().expect("it is text");
        for line in [
            "push0_build_info{version=\"1.2.3\"} 1.0",
            "push0_blocks_submitted_total 7",
            "# UNIT push0_log_bytes bytes",
            "push0_log_bytes 9.0",
            "push0_tasks{stage=\"prove\",state=\"ready\"} 2.0",
            "push0_proving_seconds_bucket{le=\"0.05\",stage=\"prove\",program=\"p\"} 1",
            "push0_proving_seconds_count{stage=\"prove\",program=\"p\"} 1",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
        assert!(text.ends_with("# EOF\n") && !text.contains("push0_leader"), "{text}");
    }
}
