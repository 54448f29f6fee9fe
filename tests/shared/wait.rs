//! Waiting for a condition, with a deadline. Only this module waits for other processes by
//! sleeping.

use std::time::{Duration, Instant};

/// Between two polls: shorter than an fsync, so that waiting adds no time.
const POLL: Duration = Duration::from_millis(10);

/// Polls until `look` returns a value.
///
/// # Panics
/// No value within the deadline; `what` says what was expected.
pub async fn eventually<T>(
    what: &str,
    within: Duration,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    reached(what, within, async || look().await.ok_or_else(String::new)).await
}

/// Polls until `look` returns a value; until then it says what is missing.
///
/// # Panics
/// No value within the deadline; the message has what was missing last.
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

/// Polls until `look` returns a value; until then it says what is missing.
///
/// # Errors
/// No value within the deadline: what was missing last.
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
