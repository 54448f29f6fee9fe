//! What may be begun now: concurrency in all and per instance, and instances that are paused
//! because their target is down or asked us to slow down. Pure: time is handed in.

use crate::failure::{DeliveryFailure, FailureKind};
use std::collections::BTreeMap;
use std::time::Duration;

/// Calls under way to one instance: a slow target must not take every place.
const INSTANCE_CONCURRENCY_MAX: usize = 16;
/// Failures in a row after which an instance is paused.
const BREAKER_FAILURES: u32 = 5;
/// First pause of a broken instance; doubles up to [`BREAKER_PAUSE_MAX`].
const BREAKER_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause: a target that recovers is noticed within this time.
const BREAKER_PAUSE_MAX: Duration = Duration::from_secs(30);

/// Counts calls and failures. Moments are readings of a monotonic clock.
#[derive(Debug)]
pub struct Limits {
    concurrency_max: usize,
    in_flight: usize,
    instances: BTreeMap<String, Instance>,
}

#[derive(Debug, Default)]
struct Instance {
    in_flight: usize,
    failures: u32,
    paused_until: Duration,
}

impl Limits {
    /// At most `concurrency_max` calls at once.
    #[must_use]
    pub fn new(concurrency_max: usize) -> Self {
        Self { concurrency_max, in_flight: 0, instances: BTreeMap::new() }
    }

    /// Takes a place for a call to `instance`, if there is one and it is not paused.
    pub fn try_take(&mut self, instance: &str, now: Duration) -> bool {
        if self.in_flight >= self.concurrency_max {
            return false;
        }
        let known = self.instances.entry(instance.to_owned()).or_default();
        // A broken instance is probed by one call, not by all that wait.
        let places = if known.failures >= BREAKER_FAILURES { 1 } else { INSTANCE_CONCURRENCY_MAX };
        if known.paused_until > now || known.in_flight >= places {
            return false;
        }
        known.in_flight += 1;
        self.in_flight += 1;
        true
    }

    /// Gives back a place whose call was not made.
    pub fn give_back(&mut self, instance: &str) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Some(known) = self.instances.get_mut(instance) {
            known.in_flight = known.in_flight.saturating_sub(1);
        }
    }

    /// Gives back the place of a call that ended.
    pub fn ended(&mut self, instance: &str, failure: Option<&DeliveryFailure>, now: Duration) {
        self.give_back(instance);
        let Some(known) = self.instances.get_mut(instance) else { return };
        let Some(failure) = failure.filter(|failure| blames_the_target(failure.kind)) else {
            known.failures = 0;
            return;
        };
        known.failures += 1;
        let mut pause = Duration::ZERO;
        if failure.kind == FailureKind::RateLimited {
            pause = failure.retry_after.unwrap_or(BREAKER_PAUSE);
        }
        if known.failures >= BREAKER_FAILURES {
            let doublings = (known.failures - BREAKER_FAILURES).min(10);
            pause = pause.max((BREAKER_PAUSE * (1 << doublings)).min(BREAKER_PAUSE_MAX));
        }
        known.paused_until = known.paused_until.max(now + pause);
    }

    /// Whether a target holds its effects up itself: its instance is paused, or broken and probed
    /// by one call at a time.
    #[must_use]
    pub fn is_held_up(&self, instance: &str, now: Duration) -> bool {
        self.instances
            .get(instance)
            .is_some_and(|known| known.paused_until > now || known.failures >= BREAKER_FAILURES)
    }

    /// Calls under way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Calls that could still be taken on.
    #[must_use]
    pub fn free(&self) -> usize {
        self.concurrency_max.saturating_sub(self.in_flight)
    }

    /// When the next paused instance may be tried again.
    #[must_use]
    pub fn next_end_of_pause(&self, now: Duration) -> Option<Duration> {
        self.instances.values().map(|known| known.paused_until).filter(|until| *until > now).min()
    }
}

fn blames_the_target(kind: FailureKind) -> bool {
    match kind {
        FailureKind::RateLimited
        | FailureKind::Server
        | FailureKind::Timeout
        | FailureKind::Network => true,
        FailureKind::Auth
        | FailureKind::NotFound
        | FailureKind::Invalid
        | FailureKind::Conflict
        | FailureKind::Render
        | FailureKind::Credentials => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Retryability;

    const NOW: Duration = Duration::from_secs(100);

    fn server_error() -> DeliveryFailure {
        DeliveryFailure::new(FailureKind::Server, Retryability::Temporary, "500")
    }

    fn fail(limits: &mut Limits, times: u32) {
        for _ in 0..times {
            limits.try_take("hub", NOW);
            limits.ended("hub", Some(&server_error()), NOW);
        }
    }

    #[test]
    fn one_instance_cannot_take_every_place() {
        let mut limits = Limits::new(100);
        let taken = (0..100).filter(|_| limits.try_take("slow", NOW)).count();
        assert_eq!(taken, INSTANCE_CONCURRENCY_MAX);
        assert!(limits.try_take("other", NOW));
    }

    #[test]
    fn the_total_is_bounded() {
        let mut limits = Limits::new(2);
        assert!(limits.try_take("a", NOW) && limits.try_take("b", NOW));
        assert!(!limits.try_take("c", NOW));
        limits.ended("a", None, NOW);
        assert!(limits.try_take("c", NOW));
    }

    #[test]
    fn rule_14_a_failing_instance_is_paused_and_then_probed_by_one_call() {
        let mut limits = Limits::new(100);
        fail(&mut limits, BREAKER_FAILURES);
        assert!(!limits.try_take("hub", NOW));
        assert_eq!(limits.next_end_of_pause(NOW), Some(NOW + BREAKER_PAUSE));
        let later = NOW + BREAKER_PAUSE;
        assert!(limits.is_held_up("hub", later) && !limits.is_held_up("other", later));
        assert!(limits.try_take("hub", later));
        assert!(!limits.try_take("hub", later));
        limits.ended("hub", None, later);
        assert!(!limits.is_held_up("hub", later));
        assert!(limits.try_take("hub", later) && limits.try_take("hub", later));
    }

    #[test]
    fn pauses_stay_under_their_maximum() {
        let mut limits = Limits::new(100);
        fail(&mut limits, BREAKER_FAILURES + 40);
        assert!(limits.try_take("hub", NOW + BREAKER_PAUSE_MAX));
    }

    #[test]
    fn a_rate_limit_pauses_the_whole_instance() {
        let mut limits = Limits::new(100);
        let wait = Duration::from_secs(60);
        let limited =
            DeliveryFailure::new(FailureKind::RateLimited, Retryability::Temporary, "429")
                .with_retry_after(Some(wait));
        limits.try_take("hub", NOW);
        limits.ended("hub", Some(&limited), NOW);
        assert!(limits.is_held_up("hub", NOW + wait - Duration::from_millis(1)));
        assert!(!limits.is_held_up("hub", NOW + wait));
        assert!(!limits.try_take("hub", NOW + wait - Duration::from_millis(1)));
        assert!(limits.try_take("hub", NOW + wait));
    }

    #[test]
    fn refused_content_does_not_pause_an_instance() {
        let mut limits = Limits::new(100);
        let invalid = DeliveryFailure::new(FailureKind::Invalid, Retryability::Permanent, "422");
        for _ in 0..50 {
            assert!(limits.try_take("hub", NOW));
            limits.ended("hub", Some(&invalid), NOW);
        }
    }
}
