//! Processor time of the current thread, without the time of other programs on the machine.

use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Passes; the median counts.
const PASSES: usize = 7;

/// Processor time so far, to the nanosecond: `/proc` counts whole ticks.
fn on_processor() -> anyhow::Result<Duration> {
    Ok(clock_gettime(ClockId::ThreadCPUTime).try_into()?)
}

/// Processor time of `work`, and its result.
pub fn timed<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(Duration, T)> {
    let started = on_processor()?;
    let made = work()?;
    Ok((on_processor()?.saturating_sub(started), made))
}

/// Microseconds for each of the `count` items of `pass`: the median of some passes.
pub fn per_item(count: usize, mut pass: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let mut times = Vec::with_capacity(PASSES);
    for _ in 0..PASSES {
        times.push(timed(&mut pass)?.0);
    }
    Ok(median(&mut times).as_secs_f64() * 1e6 / count as f64)
}

/// The median of some times.
pub fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
