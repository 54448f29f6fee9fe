//! Every metric: its name, type, unit, labels, and what it means. `docs/METRICS.md` has the same rows.

use crate::state_machine::StateMachine;

/// Prefix of every metric name.
pub(crate) const PREFIX: &str = "tekton_events_relay_";

/// How the value of a metric changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MetricType {
    /// Rises, and begins at 0 with the process.
    Counter,
    Gauge,
    Histogram,
}

/// What a value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// How many of what the name says.
    Number,
    /// 1 or 0: whether what the name says is so.
    Flag,
    Bytes,
    Seconds,
    /// Seconds since 1970-01-01 00:00 UTC.
    UnixSeconds,
}

/// Reads one value of the replicated state.
pub(crate) type StateReader = fn(&StateMachine) -> u64;

/// Where the value comes from when the metrics are scraped.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    /// A method of `Metrics` counts or sets it.
    Metrics,
    /// The replicated state.
    State(StateReader),
    /// `Cluster::gauges` gives it by name.
    Replica,
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MetricRow {
    /// Without [`PREFIX`].
    pub name: &'static str,
    pub kind: MetricType,
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the name says it, and tests hold both together")
    )]
    pub unit: Unit,
    pub labels: &'static [&'static str],
    pub source: Source,
    pub help: &'static str,
}

#[cfg(test)]
impl MetricType {
    /// The word of the text exposition.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

#[cfg(test)]
impl Unit {
    /// The word of `docs/METRICS.md`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Flag => "1 or 0",
            Self::Bytes => "bytes",
            Self::Seconds => "seconds",
            Self::UnixSeconds => "Unix seconds",
        }
    }
}

/// A metric that a method of `Metrics` counts or sets.
const fn counted(
    name: &'static str,
    (kind, unit): (MetricType, Unit),
    labels: &'static [&'static str],
    help: &'static str,
) -> MetricRow {
    MetricRow { name, kind, unit, labels, source: Source::Metrics, help }
}

/// A gauge of the replicated state.
const fn of_state(
    name: &'static str,
    unit: Unit,
    read: StateReader,
    help: &'static str,
) -> MetricRow {
    let (kind, source) = (MetricType::Gauge, Source::State(read));
    MetricRow { name, kind, unit, labels: &[], source, help }
}

/// A value of this replica.
const fn of_replica(
    name: &'static str,
    kind: MetricType,
    unit: Unit,
    help: &'static str,
) -> MetricRow {
    MetricRow { name, kind, unit, labels: &[], source: Source::Replica, help }
}

use MetricType::{Counter, Gauge, Histogram};
use Unit::{Bytes, Flag, Number, Seconds, UnixSeconds};

/// All metrics, in the order of `docs/METRICS.md`.
pub(crate) const ROWS: &[MetricRow] = &[
    counted(
        "events_received_total",
        (Counter, Number),
        &["kind"],
        "CloudEvents that this process has read, by the kind of their run; ignored are not of \
         Tekton's types",
    ),
    counted(
        "events_refused_total",
        (Counter, Number),
        &["reason"],
        "Requests for events that this process answered with an error, by the problem",
    ),
    counted(
        "accept_duration_seconds",
        (Histogram, Seconds),
        &["outcome"],
        "From a decoded event to its answer: accepted with 202, or refused",
    ),
    counted(
        "delivery_attempts_total",
        (Counter, Number),
        &["integration", "instance", "action", "result"],
        "Attempts of this process: delivered, or how they failed",
    ),
    counted(
        "effect_latency_seconds",
        (Histogram, Seconds),
        &["integration", "instance", "class"],
        "From the accept of an event to the delivery of an effect by this process: final for the \
         end of a run, progress for what comes before; repairs are not counted",
    ),
    counted(
        "in_flight_calls",
        (Gauge, Number),
        &["integration", "instance"],
        "Calls of this process to an instance that are under way or about to begin",
    ),
    counted(
        "in_flight_calls_allowed",
        (Gauge, Number),
        &["integration", "instance"],
        "Calls that this process may make to an instance at once now, up to max_in_flight: more \
         while its answers are fast, fewer after failures",
    ),
    counted(
        "ruleset_generation",
        (Gauge, Number),
        &[],
        "1 for the rules that this process started with, one more for each that replaced them",
    ),
    counted("build_info", (Gauge, Flag), &["version"], "1 for the version of this process"),
    counted(
        "ingest_events_total",
        (Gauge, Number),
        &["fate"],
        "Events of the cluster, by their fate",
    ),
    counted(
        "effects_skipped_total",
        (Gauge, Number),
        &["reason"],
        "Effects of the cluster that were owed no more, or never",
    ),
    counted(
        "dead_letters_total",
        (Gauge, Number),
        &["cause"],
        "Dead letters that the cluster has made",
    ),
    counted(
        "state_bytes",
        (Gauge, Bytes),
        &["part"],
        "Memory that a part of the replicated state takes, as it is counted, below",
    ),
    of_state(
        "state_max_bytes",
        Bytes,
        |state| state.memory_use().bytes_max,
        "Memory that all parts together may take: store.memory",
    ),
    of_state(
        "memory_full",
        Flag,
        |state| u64::from(state.memory_use().is_full),
        "1 while a new run is refused: all that is held is still owed to somebody",
    ),
    of_state(
        "effects_unsettled",
        Number,
        |state| count(state.backlog()),
        "Effects that are owed: waiting, on the wire, or in doubt",
    ),
    of_state(
        "events_unplanned",
        Number,
        |state| count(state.unplanned()),
        "Events whose effects are not decided yet",
    ),
    of_state(
        "dead_letters",
        Number,
        |state| count(state.dead_letters().len()),
        "Dead letters that are kept",
    ),
    of_state("runs_live", Number, |state| count(state.run_counts().0), "Runs that are followed"),
    of_state(
        "runs_past",
        Number,
        |state| count(state.run_counts().1),
        "Runs of which only the memory is left",
    ),
    of_state(
        "deliveries_remembered",
        Number,
        |state| count(state.deliveries_remembered()),
        "Deliveries of events that would be recognised",
    ),
    of_state(
        "effects_delivered_total",
        Number,
        |state| state.counters().delivered,
        "Effects delivered",
    ),
    of_state(
        "effects_in_doubt_total",
        Number,
        |state| state.counters().in_doubt,
        "Calls that ended without a record, or by a time-out: they may have happened, and are made \
         again",
    ),
    of_state(
        "records_late_total",
        Number,
        |state| state.counters().late,
        "Answers to calls that had been made again",
    ),
    of_state(
        "dead_letters_dropped_total",
        Number,
        |state| state.counters().letters_dropped,
        "Letters that gave way to newer ones at dlq.max_entries",
    ),
    of_state(
        "summaries_incomplete_total",
        Number,
        |state| state.counters().incomplete_summaries,
        "Summaries that were shown with members missing",
    ),
    of_state(
        "transitions_uncounted_total",
        Number,
        |state| state.counters().transitions_uncounted,
        "Transitions beyond the 64 that are kept of an attempt",
    ),
    of_state(
        "contradictions_total",
        Number,
        |state| state.counters().contradictions,
        "Ends that contradict another end of the same attempt",
    ),
    of_state(
        "times_clamped_total",
        Number,
        |state| state.counters().times_clamped,
        "Events that claimed a time after their arrival or before 2015, which was not believed",
    ),
    of_state(
        "check_collisions_total",
        Number,
        |state| state.counters().check_collisions,
        "Effects on a check that another writer writes as well: a scm.context or a context template \
         makes two writers meet",
    ),
    of_replica(
        "has_quorum",
        Gauge,
        Flag,
        "1 while this replica can have events confirmed, as far as it knows",
    ),
    of_replica("is_leader", Gauge, Flag, "1 while it takes itself for the leader"),
    of_replica("term", Gauge, Number, "Raft's term"),
    of_replica("members", Gauge, Number, "Members, voters or not, dead or alive"),
    of_replica(
        "fault_tolerance",
        Gauge,
        Number,
        "Voters that may be lost now; only the leader's word counts",
    ),
    of_replica("applied_index", Gauge, Number, "Last entry of the log that it has applied"),
    of_replica(
        "lag_entries_max",
        Gauge,
        Number,
        "Entries that the furthest member lacks, dead ones included; 0 but at the leader",
    ),
    of_replica("slots_owned", Gauge, Number, "Slots whose runs it works on"),
    of_replica("slots_unowned", Gauge, Number, "Slots whose runs nobody works on"),
    of_replica("disk_low", Gauge, Flag, "1 while less than store.free_bytes_min is free"),
    of_replica("is_stuck", Gauge, Flag, "1 while its state stands still behind the leader's"),
    of_replica(
        "is_spooling",
        Gauge,
        Flag,
        "1 while it keeps events on its own disk for want of a quorum",
    ),
    of_replica("spooled_events", Gauge, Number, "Events on its disk alone"),
    of_replica("spooled_bytes", Gauge, Bytes, "What they take on its disk"),
    of_replica(
        "gossip_datagrams_refused_total",
        Counter,
        Number,
        "Gossip that was sealed with another key, or not at all",
    ),
    of_replica(
        "peer_connections_refused_total",
        Counter,
        Number,
        "Connections to peer_addr that did not prove to be a peer's, or not in time",
    ),
    of_replica(
        "nodes_not_admitted_total",
        Counter,
        Number,
        "Live nodes whose names it refused as members while it led",
    ),
    of_replica(
        "believes_anybody",
        Gauge,
        Flag,
        "1 while cluster.peer_tls is migrate: whoever reaches peer_addr is believed",
    ),
    of_replica(
        "peer_certificate_expiry_timestamp_seconds",
        Gauge,
        UnixSeconds,
        "When the certificate of cluster.tls ends; 0 for one issued under the secret, which ends \
         with the process",
    ),
    of_replica(
        "members_unhealthy",
        Gauge,
        Number,
        "Owners that deliver nothing; 0 but at the leader",
    ),
    of_replica(
        "unhealthy_judgements_total",
        Counter,
        Number,
        "Owners that it has called unhealthy",
    ),
    of_replica(
        "targets_unreached_seconds",
        Gauge,
        Seconds,
        "How long all its attempts have had no answer",
    ),
    of_replica("effects_late_seconds", Gauge, Seconds, "How long its oldest due effect has waited"),
    of_replica(
        "states_differ",
        Gauge,
        Flag,
        "1 while the members' states differ without a majority",
    ),
    of_replica(
        "other_clusters",
        Gauge,
        Number,
        "Other clusters of which live nodes are seen at the addresses of this one",
    ),
];

fn count(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}

/// The row of the metric with this name.
pub(crate) fn row(name: &str) -> Option<&'static MetricRow> {
    ROWS.iter().find(|row| row.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// What the name of a metric has to end with.
    fn suffix(row: &MetricRow) -> &'static str {
        match (row.unit, row.kind) {
            (Unit::Bytes, _) => "_bytes",
            (Unit::Seconds | Unit::UnixSeconds, _) => "_seconds",
            (Unit::Number, MetricType::Counter) => "_total",
            (Unit::Number | Unit::Flag, _) => "",
        }
    }

    #[test]
    fn names_are_used_once_and_end_with_their_unit() {
        let names: BTreeSet<&str> = ROWS.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), ROWS.len());
        for row in ROWS {
            assert!(row.name.ends_with(suffix(row)), "{}", row.name);
            let has_unit = ["_bytes", "_seconds"].iter().any(|unit| row.name.ends_with(unit));
            assert!(!has_unit || !suffix(row).is_empty(), "{} has another unit", row.name);
        }
    }

    #[test]
    fn help_is_one_sentence_without_its_point() {
        for row in ROWS {
            let is_sentence = row.help.starts_with(|c: char| c.is_uppercase() || c == '1');
            assert!(is_sentence && !row.help.ends_with('.'), "{}: {}", row.name, row.help);
        }
    }
}
