//! What may be begun now: concurrency in all and per instance, and instances that are paused
//! because their target is down, or slowed because it asked for that. Pure: time is handed in.

use super::pace::Pace;
use super::window::CallAnswer;
use crate::failure::{DeliveryFailure, FailureKind};
use crate::state_machine::PAUSE_MAX;
use std::collections::BTreeMap;
use std::time::Duration;

/// Failures in a row after which an instance is paused.
const BREAKER_FAILURES: u32 = 5;
/// First pause of a broken instance; doubles up to [`BREAKER_PAUSE_MAX`].
const BREAKER_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause: a target that recovers is noticed within this time.
const BREAKER_PAUSE_MAX: Duration = Duration::from_secs(30);
/// Calls at once to an instance that the configuration does not name.
const UNNAMED_IN_FLIGHT_MAX: usize = 16;

/// Counts calls and failures of instances, each by its kind and name
/// ([`RouteName::full_instance`](crate::effect::RouteName::full_instance)). Moments are readings of
/// a monotonic clock.
#[derive(Debug)]
pub struct Limits {
    concurrency_max: usize,
    in_flight: usize,
    instances: BTreeMap<String, Instance>,
}

/// How many calls there are to one instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InFlight {
    /// Under way now, with those that are about to be begun.
    pub calls: usize,
    /// That its answers allow now, at most `max_in_flight`.
    pub allowed: usize,
}

#[derive(Debug)]
struct Instance {
    in_flight: usize,
    failures: u32,
    /// When the breaker opened last. What was under way then tells nothing new.
    opened_at: Option<Duration>,
    paused_until: Duration,
    pace: Pace,
}

impl Limits {
    /// At most `concurrency_max` calls at once in all, and to each instance at most as many as
    /// `in_flight_max` has for it.
    #[must_use]
    pub fn new(concurrency_max: usize, in_flight_max: BTreeMap<String, usize>) -> Self {
        let new = |(instance, max)| (instance, Instance::new(max));
        let instances = in_flight_max.into_iter().map(new).collect();
        Self { concurrency_max, in_flight: 0, instances }
    }

    /// Takes a place for a call to `instance`, if there is one and it is not paused.
    pub fn try_take(&mut self, instance: &str, now: Duration) -> bool {
        if self.in_flight >= self.concurrency_max {
            return false;
        }
        if !self.instances.contains_key(instance) {
            let new = Instance::new(UNNAMED_IN_FLIGHT_MAX);
            self.instances.insert(instance.to_owned(), new);
        }
        let Some(known) = self.instances.get_mut(instance) else { return false };
        if known.resumes_at() > now || known.in_flight >= known.pace.places() {
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

    /// Bounds the calls to each of these instances from now on. Calls under way go on.
    pub fn bound(&mut self, in_flight_max: BTreeMap<String, usize>) {
        for (instance, max) in in_flight_max {
            match self.instances.get_mut(&instance) {
                Some(known) => known.pace.bound(max),
                None => {
                    self.instances.insert(instance, Instance::new(max));
                }
            }
        }
    }

    /// Gives back the place of a call that was begun and answered at these moments, and is taken
    /// back `now`. Failures of calls that were under way when the breaker opened do not lengthen its
    /// pause.
    pub fn ended(
        &mut self,
        instance: &str,
        failure: Option<&DeliveryFailure>,
        (begun, answered): (Duration, Duration),
        now: Duration,
    ) {
        let under_way = self.instances.get(instance).map_or(0, |known| known.in_flight);
        self.give_back(instance);
        let Some(known) = self.instances.get_mut(instance) else { return };
        let Some(failure) = failure.filter(|failure| blames_the_target(failure.kind)) else {
            known.failures = 0;
            known.pace.taken(CallAnswer { begun, answered, under_way }, now);
            return;
        };
        let is_limited = failure.kind == FailureKind::RateLimited;
        let asked = failure.retry_after.filter(|_| is_limited).map(|wait| wait.min(PAUSE_MAX));
        if is_limited {
            known.pace.refused(begun, now);
        } else {
            known.pace.failed(begun, now);
        }
        let pause = if known.opened_at.is_some_and(|opened| begun <= opened) {
            asked.unwrap_or_default()
        } else {
            let least = if is_limited { BREAKER_PAUSE } else { Duration::ZERO };
            asked.unwrap_or(least).max(known.fail(now))
        };
        known.paused_until = known.paused_until.max(now + pause);
    }

    /// Whether a target holds its effects up itself: its instance is paused, slowed by refusals or
    /// failures, or broken and probed by one call at a time.
    #[must_use]
    pub fn is_held_up(&self, instance: &str, now: Duration) -> bool {
        self.instances.get(instance).is_some_and(|known| {
            let is_broken = known.failures >= BREAKER_FAILURES;
            known.resumes_at() > now || known.pace.is_held_up() || is_broken
        })
    }

    /// The calls of each instance, by its kind and name.
    pub fn by_instance(&self) -> impl Iterator<Item = (&str, InFlight)> {
        self.instances.iter().map(|(instance, known)| {
            let in_flight = InFlight { calls: known.in_flight, allowed: known.pace.places() };
            (instance.as_str(), in_flight)
        })
    }

    /// Calls under way.
    #[cfg(test)]
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Calls that could still be taken on.
    #[must_use]
    pub fn free(&self) -> usize {
        self.concurrency_max.saturating_sub(self.in_flight)
    }

    /// When the next paused or slowed instance may be tried again.
    #[must_use]
    pub fn next_end_of_pause(&self, now: Duration) -> Option<Duration> {
        self.instances.values().map(Instance::resumes_at).filter(|until| *until > now).min()
    }
}

impl Instance {
    fn new(in_flight_max: usize) -> Self {
        Self {
            in_flight: 0,
            failures: 0,
            opened_at: None,
            paused_until: Duration::ZERO,
            pace: Pace::new(in_flight_max),
        }
    }

    /// Before it no call may be begun.
    fn resumes_at(&self) -> Duration {
        self.paused_until.max(self.pace.next_at())
    }

    /// Counts a failure; the pause that the breaker makes of it.
    fn fail(&mut self, now: Duration) -> Duration {
        self.failures += 1;
        let Some(doublings) = self.failures.checked_sub(BREAKER_FAILURES) else {
            return Duration::ZERO;
        };
        self.opened_at = Some(now);
        // A broken instance is probed by one call, not by all that wait.
        self.pace.broke(now);
        (BREAKER_PAUSE * (1 << doublings.min(10))).min(BREAKER_PAUSE_MAX)
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
    use super::super::window::WINDOW_FIRST;
    use super::*;
    use crate::failure::Retryability;

    const NOW: Duration = Duration::from_secs(100);
    /// How long a call of a test takes.
    const CALL: Duration = Duration::from_millis(10);
    /// `max_in_flight` of the instances `hub` and `slow`.
    const IN_FLIGHT_MAX: usize = 32;

    fn limits(concurrency_max: usize) -> Limits {
        let named = ["hub", "slow"].map(|instance| (instance.to_owned(), IN_FLIGHT_MAX));
        Limits::new(concurrency_max, BTreeMap::from(named))
    }

    /// Ends a call that was begun at `begun` and answered when it is taken back.
    fn end(
        limits: &mut Limits,
        instance: &str,
        failure: Option<&DeliveryFailure>,
        (begun, now): (Duration, Duration),
    ) {
        limits.ended(instance, failure, (begun, now), now);
    }

    fn server_error() -> DeliveryFailure {
        DeliveryFailure::new(FailureKind::Server, Retryability::Temporary, "500")
    }

    /// Calls that fail one after the other, each begun when the pause before it has ended. Returns
    /// when the last one ended.
    fn fail(limits: &mut Limits, times: u32, mut now: Duration) -> Duration {
        for _ in 0..times {
            now = limits.next_end_of_pause(now).unwrap_or(now);
            assert!(limits.try_take("hub", now));
            now += CALL;
            end(limits, "hub", Some(&server_error()), (now - CALL, now));
        }
        now
    }

    fn in_flight(limits: &Limits, instance: &str) -> InFlight {
        limits.by_instance().find(|(name, _)| *name == instance).unwrap().1
    }

    /// Rounds of calls that are taken, until the instance has all its places.
    fn warm_up(limits: &mut Limits, instance: &str) {
        let mut now = Duration::ZERO;
        while in_flight(limits, instance).allowed < IN_FLIGHT_MAX {
            let taken = (0..).take_while(|_| limits.try_take(instance, now)).count();
            assert!(taken > 0, "{now:?}");
            (0..taken).for_each(|_| end(limits, instance, None, (now, now + CALL)));
            now += CALL;
        }
    }

    #[test]
    fn one_instance_cannot_take_every_place() {
        let mut limits = limits(100);
        warm_up(&mut limits, "slow");
        let taken = (0..100).filter(|_| limits.try_take("slow", NOW)).count();
        assert_eq!(taken, IN_FLIGHT_MAX);
        assert!(limits.try_take("other", NOW));
        let other = InFlight { calls: 1, allowed: WINDOW_FIRST };
        let slow = InFlight { calls: IN_FLIGHT_MAX, allowed: IN_FLIGHT_MAX };
        assert_eq!((in_flight(&limits, "other"), in_flight(&limits, "slow")), (other, slow));
    }

    #[test]
    fn a_target_that_fails_some_calls_gets_fewer_and_holds_its_effects_up_itself() {
        let mut limits = limits(100);
        let calls = (0..).take_while(|_| limits.try_take("hub", NOW)).count();
        assert_eq!(calls, WINDOW_FIRST);
        end(&mut limits, "hub", Some(&server_error()), (NOW, NOW + CALL));
        end(&mut limits, "hub", None, (NOW, NOW + CALL));
        let hub = InFlight { calls: WINDOW_FIRST - 2, allowed: WINDOW_FIRST / 2 };
        assert_eq!(in_flight(&limits, "hub"), hub);
        assert!(limits.is_held_up("hub", NOW + CALL));
        assert!(!limits.try_take("hub", NOW + CALL));
    }

    #[test]
    fn new_rules_bound_an_instance_that_is_called_already() {
        let mut limits = limits(100);
        warm_up(&mut limits, "hub");
        assert!((0..5).all(|_| limits.try_take("hub", NOW)));
        limits.bound(BTreeMap::from([("hub".to_owned(), 4), ("new".to_owned(), 2)]));
        assert_eq!(in_flight(&limits, "hub"), InFlight { calls: 5, allowed: 4 });
        assert!(!limits.try_take("hub", NOW));
        assert_eq!(in_flight(&limits, "new"), InFlight { calls: 0, allowed: 2 });
        limits.bound(BTreeMap::from([("hub".to_owned(), 6)]));
        (0..5).for_each(|_| end(&mut limits, "hub", None, (NOW, NOW + CALL)));
        assert_eq!(in_flight(&limits, "hub"), InFlight { calls: 0, allowed: 6 });
    }

    #[test]
    fn the_total_is_bounded() {
        let mut limits = limits(2);
        assert!(limits.try_take("a", NOW) && limits.try_take("b", NOW));
        assert!(!limits.try_take("c", NOW));
        end(&mut limits, "a", None, (NOW, NOW));
        assert!(limits.try_take("c", NOW));
    }

    #[test]
    fn rule_14_a_failing_instance_is_paused_and_then_probed_by_one_call() {
        let mut limits = limits(100);
        let opened = fail(&mut limits, BREAKER_FAILURES, NOW);
        assert!(!limits.try_take("hub", opened));
        assert_eq!(limits.next_end_of_pause(opened), Some(opened + BREAKER_PAUSE));
        let later = opened + BREAKER_PAUSE;
        assert!(limits.is_held_up("hub", later) && !limits.is_held_up("other", later));
        assert!(limits.try_take("hub", later));
        assert!(!limits.try_take("hub", later));
        end(&mut limits, "hub", None, (later, later));
        // It is not known yet to take as many as an instance of which nothing is known.
        assert!(limits.is_held_up("hub", later));
        assert!(limits.try_take("hub", later) && limits.try_take("hub", later));
    }

    #[test]
    fn pauses_stay_under_their_maximum() {
        let mut limits = limits(100);
        let ended = fail(&mut limits, BREAKER_FAILURES + 40, NOW);
        assert_eq!(limits.next_end_of_pause(ended), Some(ended + BREAKER_PAUSE_MAX));
    }

    #[test]
    fn rule_14_calls_that_fail_together_open_the_breaker_for_its_first_pause() {
        let mut limits = limits(100);
        warm_up(&mut limits, "hub");
        let calls = 0..IN_FLIGHT_MAX;
        calls.clone().for_each(|_| assert!(limits.try_take("hub", NOW)));
        // The fifth of them opens the breaker, the others end after that.
        let opened = NOW + CALL;
        for _ in 0..BREAKER_FAILURES {
            end(&mut limits, "hub", Some(&server_error()), (NOW, opened));
        }
        for _ in calls.skip(BREAKER_FAILURES as usize) {
            end(&mut limits, "hub", Some(&server_error()), (NOW, opened + CALL));
        }
        assert_eq!(limits.in_flight(), 0);
        let probed = opened + BREAKER_PAUSE;
        assert_eq!(limits.next_end_of_pause(opened), Some(probed));
        // The probe was begun after that, and doubles the pause.
        assert_eq!(fail(&mut limits, 1, opened), probed + CALL);
        assert_eq!(limits.next_end_of_pause(probed), Some(probed + CALL + 2 * BREAKER_PAUSE));
    }

    #[test]
    fn what_a_call_under_way_at_the_opening_was_asked_to_wait_is_waited() {
        let mut limits = limits(100);
        let limited = |wait| {
            DeliveryFailure::new(FailureKind::RateLimited, Retryability::Temporary, "429")
                .with_retry_after(wait)
        };
        let opened = fail(&mut limits, BREAKER_FAILURES, NOW);
        let (ended, wait) = (opened + CALL, Duration::from_secs(60));
        end(&mut limits, "hub", Some(&limited(None)), (NOW, ended));
        // A limit without a wait slows the instance, and lengthens no pause.
        assert_eq!(limits.next_end_of_pause(ended), Some(ended + BREAKER_PAUSE));
        end(&mut limits, "hub", Some(&limited(Some(wait))), (NOW, ended));
        assert_eq!(limits.next_end_of_pause(ended), Some(ended + wait));
    }

    #[test]
    fn a_rate_limit_pauses_the_whole_instance() {
        let mut limits = limits(100);
        let wait = Duration::from_secs(60);
        let limited =
            DeliveryFailure::new(FailureKind::RateLimited, Retryability::Temporary, "429")
                .with_retry_after(Some(wait));
        limits.try_take("hub", NOW);
        end(&mut limits, "hub", Some(&limited), (NOW, NOW));
        assert!(limits.is_held_up("hub", NOW + wait - Duration::from_millis(1)));
        assert!(!limits.try_take("hub", NOW + wait - Duration::from_millis(1)));
        // It is tried with one call, and holds its effects up until it takes them at full speed.
        assert!(limits.try_take("hub", NOW + wait));
        assert!(!limits.try_take("hub", NOW + wait));
        assert!(limits.is_held_up("hub", NOW + wait) && !limits.is_held_up("other", NOW));
    }

    #[test]
    fn an_absurd_wait_is_bounded_like_a_pause_that_all_replicas_keep() {
        let mut limits = limits(100);
        let limited =
            DeliveryFailure::new(FailureKind::RateLimited, Retryability::Temporary, "429")
                .with_retry_after(Some(Duration::from_secs(u64::MAX)));
        limits.try_take("hub", NOW);
        end(&mut limits, "hub", Some(&limited), (NOW, NOW));
        assert_eq!(limits.next_end_of_pause(NOW), Some(NOW + PAUSE_MAX));
    }

    #[test]
    fn refused_content_does_not_pause_an_instance() {
        let mut limits = limits(100);
        let invalid = DeliveryFailure::new(FailureKind::Invalid, Retryability::Permanent, "422");
        for _ in 0..50 {
            assert!(limits.try_take("hub", NOW));
            end(&mut limits, "hub", Some(&invalid), (NOW, NOW));
        }
    }
}
