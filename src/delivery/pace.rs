//! How fast an instance is called: how many calls at once, and how far apart. A target that refuses
//! one call too many is tried with one, then slowly faster. Pure: time is handed in.

use std::time::Duration;

/// Calls under way to one instance: a slow target must not take every place.
pub(super) const PLACES_MAX: usize = 16;

/// Calls under way to an instance that nothing is known of yet: each success adds as many again.
const PLACES_FIRST: usize = 4;

/// Time between two calls after a first refusal: chat services take a message a second.
const GAP_FIRST: Duration = Duration::from_secs(1);

/// Below it calls follow each other at once.
const GAP_MIN: Duration = Duration::from_millis(10);

/// Longest time between two calls: what a target asks for is waited besides.
const GAP_MAX: Duration = Duration::from_secs(30);

/// Successes at one pace, after a refusal, before the next faster one is tried.
const SUCCESSES_PER_STEP: u32 = 4;

/// The pace of one instance. Moments are readings of a monotonic clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    /// Calls under way at once.
    places: usize,
    /// Time from the end of a call to the next one; calls that are apart are one at a time.
    gap: Duration,
    /// Before it no call is begun.
    next_at: Duration,
    /// When the last refusal was that slowed it. What was under way then says nothing of the new pace.
    slowed_at: Option<Duration>,
    successes: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            places: PLACES_FIRST,
            gap: Duration::ZERO,
            next_at: Duration::ZERO,
            slowed_at: None,
            successes: 0,
        }
    }
}

impl Pace {
    /// Calls that may be under way at once.
    pub(super) fn places(&self) -> usize {
        self.places
    }

    /// Before it no call may be begun.
    pub(super) fn next_at(&self) -> Duration {
        self.next_at
    }

    /// Whether the target has refused calls, and is not known yet to take them at full speed.
    pub(super) fn is_slowed(&self) -> bool {
        self.slowed_at.is_some()
    }

    /// A call that was begun at `begun` was refused as one too many.
    pub(super) fn refused(&mut self, begun: Duration, now: Duration) {
        if self.slowed_at.is_some_and(|slowed| begun <= slowed) {
            return;
        }
        let is_first = self.gap.is_zero();
        self.gap = if is_first { GAP_FIRST } else { (2 * self.gap).min(GAP_MAX) };
        self.slowed_at = Some(now);
        self.places = 1;
        self.successes = 0;
        self.next_at = now + self.gap;
    }

    /// A call that was begun at `begun` was taken.
    pub(super) fn taken(&mut self, begun: Duration, now: Duration) {
        if self.slowed_at.is_some_and(|slowed| begun <= slowed) {
            return;
        }
        self.successes += 1;
        let wanted = if self.is_slowed() { SUCCESSES_PER_STEP } else { 1 };
        if self.successes >= wanted {
            self.successes = 0;
            self.step();
        }
        self.next_at = now + self.gap;
    }

    /// The target fails: when it is back, it is tried with one call first.
    pub(super) fn broke(&mut self) {
        self.places = 1;
        self.successes = 0;
    }

    /// Twice as fast: half the time between calls, then twice the calls at once.
    fn step(&mut self) {
        if self.gap.is_zero() {
            self.places = (2 * self.places).min(PLACES_MAX);
        }
        self.gap /= 2;
        if self.gap < GAP_MIN {
            self.gap = Duration::ZERO;
        }
        if self.places == PLACES_MAX {
            self.slowed_at = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Duration = Duration::from_millis(2);

    /// A call begun as early as the pace allows, which the target takes or not. Returns its end.
    fn call(pace: &mut Pace, now: Duration, is_taken: bool) -> Duration {
        let begun = now.max(pace.next_at());
        let end = begun + CALL;
        if is_taken {
            pace.taken(begun, end)
        } else {
            pace.refused(begun, end)
        }
        end
    }

    #[test]
    fn a_new_instance_gets_few_calls_at_first_and_all_after_some_successes() {
        let mut pace = Pace::default();
        assert_eq!(pace.places(), PLACES_FIRST);
        let now = call(&mut pace, Duration::ZERO, true);
        call(&mut pace, now, true);
        assert_eq!(pace.places(), PLACES_MAX);
        assert!(!pace.is_slowed());
    }

    #[test]
    fn after_a_refusal_one_call_is_made_at_a_time_and_a_success_does_not_end_that() {
        let mut pace = Pace::default();
        let mut now = call(&mut pace, Duration::from_secs(9), false);
        assert_eq!((pace.places(), pace.next_at()), (1, now + GAP_FIRST));
        for _ in 1..SUCCESSES_PER_STEP {
            now = call(&mut pace, now, true);
            assert_eq!((pace.places(), pace.next_at()), (1, now + GAP_FIRST));
        }
        now = call(&mut pace, now, true);
        assert_eq!((pace.places(), pace.next_at()), (1, now + GAP_FIRST / 2));
        now = call(&mut pace, now, false);
        assert_eq!((pace.places(), pace.next_at()), (1, now + GAP_FIRST));
    }

    #[test]
    fn the_speed_doubles_until_it_is_full() {
        let mut pace = Pace::default();
        let mut now = call(&mut pace, Duration::ZERO, false);
        let mut successes = 0;
        let mut places = vec![pace.places()];
        while pace.is_slowed() {
            now = call(&mut pace, now, true);
            successes += 1;
            if places.last() != Some(&pace.places()) {
                places.push(pace.places());
            }
        }
        assert_eq!(places, [1, 2, 4, 8, 16]);
        // Seven halvings from a second to 10 ms, then four doublings.
        assert_eq!(successes, SUCCESSES_PER_STEP * (7 + 4));
        assert!(now < Duration::from_secs(10), "{now:?}");
    }

    #[test]
    fn calls_that_were_under_way_at_a_refusal_say_nothing_of_the_new_pace() {
        let mut pace = Pace::default();
        let begun = Duration::from_secs(5);
        pace.refused(begun, begun + CALL);
        let slowed = pace.clone();
        pace.refused(begun, begun + 2 * CALL);
        pace.taken(begun, begun + 2 * CALL);
        assert_eq!(pace, slowed);
    }

    #[test]
    fn refusals_in_a_row_lie_further_and_further_apart() {
        let mut pace = Pace::default();
        let mut now = Duration::ZERO;
        for _ in 0..20 {
            now = call(&mut pace, now, false);
        }
        assert_eq!(pace.next_at(), now + GAP_MAX);
    }

    #[test]
    fn a_target_that_takes_a_message_a_second_is_called_at_most_twice_for_each() {
        for gap in [100, 300, 1_000, 1_700] {
            let gap = Duration::from_millis(gap);
            let mut pace = Pace::default();
            let (mut now, mut taken, mut calls, mut last) = (Duration::ZERO, 0, 0, None);
            while taken < 60 {
                let begun = now.max(pace.next_at());
                let is_taken = last.is_none_or(|last| begun >= last + gap);
                calls += 1;
                if is_taken {
                    (taken, last) = (taken + 1, Some(begun));
                }
                now = call(&mut pace, begun, is_taken);
                if !is_taken {
                    // What its `retry-after` asks for.
                    now += Duration::from_secs(1);
                }
            }
            assert!(calls <= 90, "{gap:?}: {calls} calls for 60 messages");
        }
    }
}
