//! A clock that tests move by hand.

use crate::clock::{Clock, Timestamp};
use parking_lot::Mutex;
use std::time::Duration;

/// Wall and monotonic time; both stand still until moved.
#[derive(Debug)]
pub struct ManualClock(Mutex<(Timestamp, Duration)>);

impl Default for ManualClock {
    fn default() -> Self {
        Self::at(Timestamp(1_700_000_000_000))
    }
}

impl ManualClock {
    pub fn at(wall: Timestamp) -> Self {
        Self(Mutex::new((wall, Duration::ZERO)))
    }

    /// Advances both clocks.
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock();
        *now = (now.0.after(by), now.1 + by);
    }
}

impl Clock for ManualClock {
    fn wall(&self) -> Timestamp {
        self.0.lock().0
    }

    fn monotonic(&self) -> Duration {
        self.0.lock().1
    }
}
