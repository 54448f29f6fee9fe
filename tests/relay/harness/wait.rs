//! Waiting for a condition, with a deadline. The only place that waits for others by sleeping.

use std::time::{Duration, Instant};

/// Between two looks: short beside a fsync, so that waiting costs no time of its own.
const POLL: Duration = Duration::from_millis(10);

/// Looks until `look` gives something.
///
/// # Panics
/// Nothing came within the deadline; `what` says what was waited for.
pub async fn eventually<T>(
    what: &str,
    within: Duration,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        tokio::time::sleep(POLL).await;
    }
}
