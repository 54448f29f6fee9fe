//! Values that apply uses. They come through the log, never from a node's own configuration,
//! so that every node applies alike (rule 20).

use super::level::FeatureLevel;
use std::time::Duration;

/// Replicated settings. Durations in milliseconds of replicated time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Life of a delivery key (`store.ttl`), and the quiet time after which a run shrinks.
    pub ttl_ms: u64,
    /// Life of the memory of a run after it was last seen (`store.transition_ttl`).
    pub transition_ttl_ms: u64,
    /// Run records, live and shrunk together (`store.runs_max`).
    pub runs_max: u64,
    /// Life of a dead letter (`dlq.retention_days`).
    pub dead_letter_ttl_ms: u64,
    /// Dead letters kept (`dlq.max_entries`).
    pub dead_letters_max: u64,
    /// Whether summaries are built (`accumulator.enabled`).
    pub accumulates: bool,
    /// Wait for stragglers after a PipelineRun's end (`accumulator.straggler_window`).
    pub straggler_window_ms: u64,
    /// End of an unfinished group (`accumulator.ttl`).
    pub group_ttl_ms: u64,
    /// Bytes that the state may take in memory (`store.memory`). 0, which stands for the default,
    /// below the second feature level: older members do not know it.
    pub memory_bytes: u64,
}

impl Settings {
    /// These settings as all members of a cluster at `level` know them.
    #[must_use]
    pub fn at_level(&self, level: FeatureLevel) -> Self {
        let is_known = level >= FeatureLevel::SECOND;
        Self { memory_bytes: if is_known { self.memory_bytes } else { 0 }, ..self.clone() }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ttl_ms: millis(Duration::from_hours(1)),
            transition_ttl_ms: millis(Duration::from_hours(168)),
            runs_max: 100_000,
            dead_letter_ttl_ms: millis(Duration::from_hours(7 * 24)),
            dead_letters_max: 10_000,
            accumulates: false,
            straggler_window_ms: millis(Duration::from_secs(5)),
            group_ttl_ms: millis(Duration::from_hours(1)),
            memory_bytes: 0,
        }
    }
}

/// Whole milliseconds of `duration`, held at the largest number.
#[must_use]
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
