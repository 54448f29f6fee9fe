//! One round of requests for comparison and printing, and the medians of several.

use super::load::Measured;
use std::time::Duration;

/// One round, or the medians of all.
#[derive(Clone, Copy, Default)]
pub struct Round {
    pub answered: u64,
    /// Refused requests.
    pub refused: u64,
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// Microseconds of the servers' processor time for each request.
    pub processor_us: f64,
}

impl Round {
    /// A round that cost the servers `processor`.
    pub fn of(measured: Measured, processor: Duration) -> Self {
        let Measured { answered, refused, per_second, p50_ms, p99_ms } = measured;
        let processor_us = micros_each(processor, answered);
        Self { answered, refused, per_second, p50_ms, p99_ms, processor_us }
    }
}

impl std::fmt::Display for Round {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { answered: _, refused, per_second, p50_ms, p99_ms, processor_us } = self;
        let times = format!("p50 {p50_ms:.1} ms, p99 {p99_ms:.1} ms");
        write!(f, "{per_second:.0}/s, {times}, {processor_us:.0} us CPU each")?;
        if *refused > 0 {
            write!(f, ", {refused} refused")?;
        }
        Ok(())
    }
}

/// The median of each figure, and the sums of accepted and refused requests.
pub fn medians(rounds: &[Round]) -> Round {
    let of = |field: fn(&Round) -> f64| median(rounds.iter().map(field).collect());
    Round {
        answered: rounds.iter().map(|round| round.answered).sum(),
        refused: rounds.iter().map(|round| round.refused).sum(),
        per_second: of(|round| round.per_second),
        p50_ms: of(|round| round.p50_ms),
        p99_ms: of(|round| round.p99_ms),
        processor_us: of(|round| round.processor_us),
    }
}

/// The median of some figures; 0 without any.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Microseconds for each of `count`.
pub fn micros_each(time: Duration, count: u64) -> f64 {
    time.as_secs_f64() * 1e6 / count as f64
}
