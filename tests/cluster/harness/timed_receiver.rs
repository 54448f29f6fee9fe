//! The receiver of a scenario, with the time of each call: the permission to send changes with
//! time, so the order of calls alone does not show whether a caller was allowed to.

use crate::shared::{Call, Receiver, Seen};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A receiver that records when each call came, counted from a common start.
pub struct TimedReceiver {
    receiver: Receiver,
    started: Instant,
    /// In the order of the calls: both are written under one lock of the receiver.
    moments: Arc<Mutex<Vec<Duration>>>,
}

/// What arrived, and when.
pub struct Received {
    pub seen: Seen,
    /// One for each call.
    pub moments: Vec<Duration>,
}

impl TimedReceiver {
    /// Listens on a free loopback port and accepts everything.
    pub async fn start(started: Instant) -> Self {
        Self::over(Receiver::start().await, started)
    }

    /// The same on another address of this machine.
    pub async fn start_at(host: Ipv4Addr, started: Instant) -> Self {
        Self::over(Receiver::start_at(host).await, started)
    }

    fn over(receiver: Receiver, started: Instant) -> Self {
        let timed = Self { receiver, started, moments: Arc::default() };
        timed.recover();
        timed
    }

    /// The start of the moments.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// The receiver itself, for a configuration.
    pub fn untimed(&self) -> &Receiver {
        &self.receiver
    }

    /// Refuses the calls for which `script` gives a status.
    pub fn refuse(&self, mut script: impl FnMut(&Call) -> Option<u16> + Send + 'static) {
        let (moments, started) = (Arc::clone(&self.moments), self.started);
        self.receiver.refuse(move |call| {
            let mut moments = moments.lock().unwrap_or_else(PoisonError::into_inner);
            moments.push(started.elapsed());
            script(call)
        });
    }

    /// Accepts everything again.
    pub fn recover(&self) {
        self.refuse(|_| None);
    }

    /// Accepts calls, but delays their answers until [`Self::release`].
    pub fn hold(&self) {
        self.receiver.hold();
    }

    /// Sends the delayed answers, and answers all others at once.
    pub fn release(&self) {
        self.receiver.release();
    }

    /// What arrived so far.
    pub fn seen(&self) -> Seen {
        self.receiver.seen()
    }

    /// What arrived so far, with its moments.
    pub fn received(&self) -> Received {
        // Calls in between have one moment too many, which is left out.
        let seen = self.seen();
        let moments = self.moments.lock().unwrap_or_else(PoisonError::into_inner);
        Received { moments: moments[..seen.calls.len()].to_vec(), seen }
    }
}
