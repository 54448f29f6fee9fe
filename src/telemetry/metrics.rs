//! All metrics, by name, in one place. Counts that belong to the cluster are read from the
//! replicated state when they are scraped; only what this process saw is counted here.
//!
//! Series exist before they count anything: `increase()` does not see the first value of a series
//! that is born with it. `docs/METRICS.md` lists them.

use super::metric_table::{MetricRow, MetricType, PREFIX, ROWS, Source, StateReader, row};
use crate::effect::{RouteName, SkipReason};
use crate::failure::FailureKind;
use crate::state_machine::{CauseKind, Fate, Part, StateMachine};
use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry,
};
use std::collections::BTreeMap;
use std::time::Duration;

/// A metric could not be registered. The process has no metrics.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// Two metrics share a name, or a name or label is none of Prometheus'.
    #[error("the metric `{name}` could not be registered")]
    Register {
        name: &'static str,
        #[source]
        source: prometheus::Error,
    },
    /// The code counts what the table does not have.
    #[error("the metric `{name}` is not in the table")]
    NoRow { name: &'static str },
}

/// A metric without labels that is read when it is scraped.
enum Plain {
    Counter(IntCounter),
    Gauge(IntGauge),
}

/// The metrics of this process.
pub struct Metrics {
    registry: Registry,
    received: IntCounterVec,
    refused: IntCounterVec,
    accept_seconds: HistogramVec,
    attempts: IntCounterVec,
    effect_seconds: HistogramVec,
    in_flight: IntGaugeVec,
    in_flight_allowed: IntGaugeVec,
    ruleset_generation: IntGaugeVec,
    state_bytes: IntGaugeVec,
    fates: IntGaugeVec,
    skipped: IntGaugeVec,
    dead: IntGaugeVec,
    build: IntGaugeVec,
    state: Vec<(StateReader, Plain)>,
    replica: BTreeMap<&'static str, Plain>,
}

/// The result of an attempt that did not fail.
const DELIVERED: &str = "delivered";
/// What may become of an accept, as [`Metrics::accepted`] is told.
const ACCEPT_OUTCOMES: [&str; 2] = ["accepted", "refused"];

/// Buckets of accept time: Tekton's ladder starts at 20 ms, the deadline is 1 s.
const ACCEPT_BUCKETS: [f64; 10] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0];

/// Buckets of the time from accept to delivery: an idle relay takes milliseconds, an outage of the
/// target up to `retry.max_age`.
const EFFECT_BUCKETS: [f64; 15] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 600.0, 3600.0];
/// The classes of effects, as [`Metrics::delivered`] tells them apart.
const EFFECT_CLASSES: [&str; 2] = ["final", "progress"];

impl Plain {
    fn new(row: &MetricRow) -> Result<Self, prometheus::Error> {
        match row.kind {
            MetricType::Counter => Ok(Self::Counter(IntCounter::with_opts(opts(row))?)),
            MetricType::Gauge | MetricType::Histogram => {
                Ok(Self::Gauge(IntGauge::with_opts(opts(row))?))
            }
        }
    }

    fn register(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        match self {
            Self::Counter(counter) => registry.register(Box::new(counter.clone())),
            Self::Gauge(gauge) => registry.register(Box::new(gauge.clone())),
        }
    }

    /// Takes a value over. A counter never falls.
    fn set(&self, value: u64) {
        match self {
            Self::Counter(counter) => counter.inc_by(value.saturating_sub(counter.get())),
            Self::Gauge(gauge) => gauge.set(signed(value)),
        }
    }
}

/// Registers metrics by the rows of the table.
struct Registrar(Registry);

impl Registrar {
    fn counter(&self, name: &'static str) -> Result<IntCounterVec, MetricsError> {
        let row = row(name).ok_or(MetricsError::NoRow { name })?;
        let made = IntCounterVec::new(opts(row), row.labels);
        self.register(name, made)
    }

    fn gauge(&self, name: &'static str) -> Result<IntGaugeVec, MetricsError> {
        let row = row(name).ok_or(MetricsError::NoRow { name })?;
        let made = IntGaugeVec::new(opts(row), row.labels);
        self.register(name, made)
    }

    fn histogram(&self, name: &'static str, buckets: &[f64]) -> Result<HistogramVec, MetricsError> {
        let row = row(name).ok_or(MetricsError::NoRow { name })?;
        let options = HistogramOpts::from(opts(row)).buckets(buckets.to_vec());
        self.register(name, HistogramVec::new(options, row.labels))
    }

    fn plain(&self, row: &'static MetricRow) -> Result<Plain, MetricsError> {
        let made = Plain::new(row).and_then(|made| made.register(&self.0).map(|()| made));
        made.map_err(|source| MetricsError::Register { name: row.name, source })
    }

    fn register<M: prometheus::core::Collector + Clone + 'static>(
        &self,
        name: &'static str,
        made: Result<M, prometheus::Error>,
    ) -> Result<M, MetricsError> {
        let registered =
            made.and_then(|made| self.0.register(Box::new(made.clone())).map(|()| made));
        registered.map_err(|source| MetricsError::Register { name, source })
    }
}

fn opts(row: &MetricRow) -> Opts {
    Opts::new(format!("{PREFIX}{}", row.name), format!("{}.", row.help))
}

impl Metrics {
    /// Registers everything.
    ///
    /// # Errors
    /// Two metrics share a name, or one is not in the table.
    pub fn new() -> Result<Self, MetricsError> {
        let made = Registrar(Registry::new());
        let (mut state, mut replica) = (Vec::new(), BTreeMap::new());
        for row in ROWS {
            match row.source {
                Source::Metrics => {}
                Source::State(read) => state.push((read, made.plain(row)?)),
                Source::Replica => {
                    replica.insert(row.name, made.plain(row)?);
                }
            }
        }
        let metrics = Self {
            received: made.counter("events_received_total")?,
            refused: made.counter("events_refused_total")?,
            accept_seconds: made.histogram("accept_duration_seconds", &ACCEPT_BUCKETS)?,
            attempts: made.counter("delivery_attempts_total")?,
            effect_seconds: made.histogram("effect_latency_seconds", &EFFECT_BUCKETS)?,
            in_flight: made.gauge("in_flight_calls")?,
            in_flight_allowed: made.gauge("in_flight_calls_allowed")?,
            ruleset_generation: made.gauge("ruleset_generation")?,
            state_bytes: made.gauge("state_bytes")?,
            fates: made.gauge("ingest_events_total")?,
            skipped: made.gauge("effects_skipped_total")?,
            dead: made.gauge("dead_letters_total")?,
            build: made.gauge("build_info")?,
            state,
            replica,
            registry: made.0,
        };
        set(&metrics.build, &[env!("CARGO_PKG_VERSION")], 1);
        for outcome in ACCEPT_OUTCOMES {
            metrics.accept_seconds.with_label_values(&[outcome]);
        }
        Ok(metrics)
    }

    /// Begins to show how often events of these kinds are read.
    pub fn expect_kinds<'a>(&self, kinds: impl IntoIterator<Item = &'a str>) {
        for kind in kinds {
            self.received.with_label_values(&[kind]);
        }
    }

    /// Begins to show how often requests are refused for these problems.
    pub fn expect_problems<'a>(&self, reasons: impl IntoIterator<Item = &'a str>) {
        for reason in reasons {
            self.refused.with_label_values(&[reason]);
        }
    }

    /// Begins to show how attempts for these routes end, in every way that they can.
    pub fn expect_routes<'a>(&self, routes: impl IntoIterator<Item = &'a RouteName>) {
        for route in routes {
            for result in FailureKind::ALL.map(FailureKind::as_str).into_iter().chain([DELIVERED]) {
                self.attempts.with_label_values(&attempt_labels(route, result));
            }
            let instance = [route.kind.as_str(), route.instance.as_str()];
            for class in EFFECT_CLASSES {
                self.effect_seconds.with_label_values(&[instance[0], instance[1], class]);
            }
            self.in_flight.with_label_values(&instance);
            self.in_flight_allowed.with_label_values(&instance);
        }
    }

    /// Counts a CloudEvent by the kind of its run, or `ignored`.
    pub fn received(&self, kind: &str) {
        self.received.with_label_values(&[kind]).inc();
    }

    /// Counts a refused request by the id of its problem.
    pub fn refused(&self, reason: &str) {
        self.refused.with_label_values(&[reason]).inc();
    }

    /// Notes how long an accept took.
    pub fn accepted(&self, outcome: &str, seconds: f64) {
        self.accept_seconds.with_label_values(&[outcome]).observe(seconds);
    }

    /// Counts an attempt; `failure` is `None` when it delivered.
    pub fn observe_attempt(&self, route: &RouteName, failure: Option<FailureKind>) {
        let result = failure.map_or(DELIVERED, FailureKind::as_str);
        self.attempts.with_label_values(&attempt_labels(route, result)).inc();
    }

    /// Notes the time from the accept of an event to the delivery of an effect of it. `is_final`
    /// says whether the event is the end of its run.
    pub fn delivered(&self, route: &RouteName, is_final: bool, latency: Duration) {
        let [ends, progress] = EFFECT_CLASSES;
        let class = if is_final { ends } else { progress };
        let labels = [route.kind.as_str(), route.instance.as_str(), class];
        self.effect_seconds.with_label_values(&labels).observe(latency.as_secs_f64());
    }

    /// Notes how many calls to an instance, `{kind}/{name}`, are under way, and how many may be.
    pub fn set_calls(&self, instance: &str, calls: usize, allowed: usize) {
        let (kind, name) = instance.split_once('/').unwrap_or((instance, ""));
        for (gauge, value) in [(&self.in_flight, calls), (&self.in_flight_allowed, allowed)] {
            let value = i64::try_from(value).unwrap_or(i64::MAX);
            gauge.with_label_values(&[kind, name]).set(value);
        }
    }

    /// Takes over what the replica knows of itself and its cluster, to be scraped next.
    pub fn set_replica(&self, values: &[(&str, u64)]) {
        for (name, value) in values {
            if let Some(metric) = self.replica.get(name) {
                metric.set(*value);
            }
        }
    }

    /// Takes over how often the rules were replaced, to be scraped next.
    pub fn set_ruleset(&self, generation: u64) {
        set(&self.ruleset_generation, &[], generation);
    }

    /// The text exposition of everything, with the replicated state as it is now.
    #[must_use]
    pub fn scrape(&self, state: &StateMachine) -> Vec<u8> {
        self.read_state(state);
        let mut text = Vec::new();
        // Only a metric without help or labels fails to encode, and tests scrape them all.
        let _ = prometheus::TextEncoder::new().encode(&self.registry.gather(), &mut text);
        text
    }

    fn read_state(&self, state: &StateMachine) {
        let counters = state.counters();
        for fate in Fate::ALL {
            let count = counters.fates.get(&fate).copied().unwrap_or_default();
            set(&self.fates, &[fate.as_str()], count);
        }
        for reason in SkipReason::ALL {
            let count = counters.skipped.get(&reason).copied().unwrap_or_default();
            set(&self.skipped, &[reason.as_str()], count);
        }
        for cause in CauseKind::all() {
            let count = counters.dead.get(&cause).copied().unwrap_or_default();
            set(&self.dead, &[cause.as_str()], count);
        }
        for part in Part::ALL {
            set(&self.state_bytes, &[part.as_str()], state.part_bytes(part));
        }
        for (read, metric) in &self.state {
            metric.set(read(state));
        }
    }
}

fn attempt_labels<'a>(route: &'a RouteName, result: &'a str) -> [&'a str; 4] {
    [&route.kind, &route.instance, &route.action, result]
}

fn set(gauge: &IntGaugeVec, labels: &[&str], value: u64) {
    gauge.with_label_values(labels).set(signed(value));
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
