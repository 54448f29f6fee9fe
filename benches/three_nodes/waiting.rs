//! Waiting for other processes with a deadline, and their last output.

use anyhow::bail;
use std::path::Path;
use std::time::{Duration, Instant};

/// A cluster forms or recovers within seconds; a busy machine takes longer.
const WITHIN: Duration = Duration::from_secs(40);
/// Between two polls: the error of every time measured by polling.
const LOOK_EVERY: Duration = Duration::from_millis(10);
const LINES_SHOWN: usize = 15;

/// Polls until `look` returns a value.
pub async fn eventually<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> anyhow::Result<T> {
    let until = Instant::now() + WITHIN;
    loop {
        if let Some(found) = look().await {
            return Ok(found);
        }
        if Instant::now() >= until {
            bail!("not within {} s: {what}", WITHIN.as_secs());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The last lines of a log.
pub fn log_tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    format!("its log ends with:\n{}", lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n"))
}
