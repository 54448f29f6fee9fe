//! Waiting for another process, which cannot signal this one.

use anyhow::bail;
use std::time::{Duration, Instant};

/// A process starts within a second; a busy machine takes longer.
const READY_WITHIN: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Polls until `is_done`, for a bounded time.
pub fn wait_until(is_done: impl Fn() -> bool) -> anyhow::Result<()> {
    let until = Instant::now() + READY_WITHIN;
    while !is_done() {
        if Instant::now() >= until {
            bail!("a process was not ready within {} s", READY_WITHIN.as_secs());
        }
        pause(LOOK_EVERY);
    }
    Ok(())
}

/// Does nothing for a while.
#[expect(clippy::disallowed_methods, reason = "no event of this process to wait for")]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}
