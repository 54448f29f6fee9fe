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
    reached(what, within, async || look().await.ok_or_else(String::new)).await
}

/// Looks until `look` gives something; until then it says what is missing.
///
/// # Panics
/// Nothing came within the deadline; what was missing last is told.
pub async fn reached<T>(
    what: &str,
    within: Duration,
    look: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    match try_reach(within, look).await {
        Ok(found) => found,
        Err(missing) => panic!("not within {within:?}: {what} {missing}"),
    }
}

/// Looks until `look` gives something; until then it says what is missing.
///
/// # Errors
/// Nothing came within the deadline: what was missing last.
pub async fn try_reach<T>(
    within: Duration,
    mut look: impl AsyncFnMut() -> Result<T, String>,
) -> Result<T, String> {
    let deadline = Instant::now() + within;
    loop {
        match look().await {
            Err(missing) if Instant::now() >= deadline => return Err(missing),
            Err(_) => tokio::time::sleep(POLL).await,
            found => return found,
        }
    }
}
