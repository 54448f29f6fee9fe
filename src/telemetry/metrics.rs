//! All metrics, by name, in one place. Counts that belong to the cluster are read from the
//! replicated state when they are scraped; only what this process saw is counted here.
//!
//! Series exist before they count anything: `increase()` does not see the first value of a series
//! that is born with it. `docs/METRICS.md` lists them.

use crate::effect::{RouteName, SkipReason};
use crate::failure::FailureKind;
use crate::state_machine::{CauseKind, Fate, Part, StateMachine};
use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

/// Prefix of every metric name.
const PREFIX: &str = "tekton_events_relay";

/// A metric could not be registered: two share a name.
#[derive(Debug, thiserror::Error)]
#[error("metrics could not be set up")]
pub struct MetricsError(#[from] prometheus::Error);

/// The metrics of this process.
pub struct Metrics {
    registry: Registry,
    received: IntCounterVec,
    refused: IntCounterVec,
    accept_seconds: HistogramVec,
    attempts: IntCounterVec,
    state_bytes: IntGaugeVec,
    state_bytes_max: IntGauge,
    state: IntGaugeVec,
    replica: IntGaugeVec,
    fates: IntGaugeVec,
    skipped: IntGaugeVec,
    dead: IntGaugeVec,
    build: IntGaugeVec,
}

/// The result of an attempt that did not fail.
const DELIVERED: &str = "delivered";
/// What may become of an accept, as [`Metrics::accepted`] is told.
const ACCEPT_OUTCOMES: [&str; 2] = ["accepted", "refused"];

/// Buckets of accept time: Tekton's ladder starts at 20 ms, the deadline is 1 s.
const ACCEPT_BUCKETS: [f64; 10] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0];

impl Metrics {
    /// Registers everything.
    ///
    /// # Errors
    /// Two metrics share a name.
    pub fn new() -> Result<Self, MetricsError> {
        let registry = Registry::new();
        let counter =
            |name: &str, text: &str, labels: &[&str]| -> Result<IntCounterVec, MetricsError> {
                let made = IntCounterVec::new(Opts::new(format!("{PREFIX}_{name}"), text), labels)?;
                registry.register(Box::new(made.clone()))?;
                Ok(made)
            };
        let gauge =
            |name: &str, text: &str, labels: &[&str]| -> Result<IntGaugeVec, MetricsError> {
                let made = IntGaugeVec::new(Opts::new(format!("{PREFIX}_{name}"), text), labels)?;
                registry.register(Box::new(made.clone()))?;
                Ok(made)
            };
        let seconds = HistogramOpts::new(
            format!("{PREFIX}_accept_duration_seconds"),
            "Time from a decoded event to its answer.",
        );
        let accept_seconds =
            HistogramVec::new(seconds.buckets(ACCEPT_BUCKETS.to_vec()), &["outcome"])?;
        registry.register(Box::new(accept_seconds.clone()))?;
        let bytes_max = IntGauge::new(
            format!("{PREFIX}_state_bytes_max"),
            "Memory that the state may take, store.memory.",
        )?;
        registry.register(Box::new(bytes_max.clone()))?;
        let metrics = Self {
            received: counter("events_received_total", "CloudEvents read.", &["kind"])?,
            refused: counter(
                "events_refused_total",
                "Requests answered with an error.",
                &["reason"],
            )?,
            attempts: counter(
                "delivery_attempts_total",
                "Attempts to deliver, by result.",
                &["integration", "instance", "action", "result"],
            )?,
            state: gauge("state", "Sizes of the replicated state.", &["of"])?,
            state_bytes: gauge("state_bytes", "Memory that the state takes.", &["part"])?,
            state_bytes_max: bytes_max,
            replica: gauge("replica", "This replica in its cluster.", &["of"])?,
            fates: gauge("ingest_events_total", "Events by fate, cluster-wide.", &["fate"])?,
            skipped: gauge("effects_skipped_total", "Skipped effects, cluster-wide.", &["reason"])?,
            dead: gauge("dead_letters_total", "Dead letters made, cluster-wide.", &["cause"])?,
            build: gauge("build_info", "Version of this process.", &["version"])?,
            accept_seconds,
            registry,
        };
        metrics.build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
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

    /// Takes over what the replica knows of itself and its cluster, to be scraped next.
    pub fn set_replica(&self, gauges: &[(&str, u64)]) {
        for (of, value) in gauges {
            set(&self.replica, of, *value);
        }
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
            set(&self.fates, fate.as_str(), count);
        }
        for reason in SkipReason::ALL {
            let count = counters.skipped.get(&reason).copied().unwrap_or_default();
            set(&self.skipped, reason.as_str(), count);
        }
        for cause in CauseKind::all() {
            let count = counters.dead.get(&cause).copied().unwrap_or_default();
            set(&self.dead, cause.as_str(), count);
        }
        let (live, past) = state.run_counts();
        let sizes = [
            ("effects_unsettled", state.backlog()),
            ("events_unplanned", state.unplanned()),
            ("dead_letters", state.dead_letters().len()),
            ("runs_live", live),
            ("runs_past", past),
            ("deliveries_remembered", state.deliveries_remembered()),
        ];
        for (of, size) in sizes {
            set(&self.state, of, u64::try_from(size).unwrap_or(u64::MAX));
        }
        for part in Part::ALL {
            set(&self.state_bytes, part.as_str(), state.part_bytes(part));
        }
        let memory = state.memory_use();
        self.state_bytes_max.set(i64::try_from(memory.bytes_max).unwrap_or(i64::MAX));
        let totals = [
            ("memory_full", u64::from(memory.is_full)),
            ("effects_delivered", counters.delivered),
            ("effects_in_doubt", counters.in_doubt),
            ("records_late", counters.late),
            ("dead_letters_dropped", counters.letters_dropped),
            ("summaries_incomplete", counters.incomplete_summaries),
            ("transitions_uncounted", counters.transitions_uncounted),
            ("contradictions", counters.contradictions),
            ("times_clamped", counters.times_clamped),
            ("check_collisions", counters.check_collisions),
        ];
        for (of, total) in totals {
            set(&self.state, of, total);
        }
    }
}

fn attempt_labels<'a>(route: &'a RouteName, result: &'a str) -> [&'a str; 4] {
    [&route.kind, &route.instance, &route.action, result]
}

fn set(gauge: &IntGaugeVec, label: &str, value: u64) {
    gauge.with_label_values(&[label]).set(i64::try_from(value).unwrap_or(i64::MAX));
}
