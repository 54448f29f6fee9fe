//! How fast an instance is called: how many calls at once, and how far apart. A target that refuses
//! one call too many is tried with one, then slowly faster. Pure: time is handed in.

use super::window::{CallAnswer, Window};
use std::time::Duration;

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
    window: Window,
    /// Time from the end of a call to the next one; calls that are apart are one at a time.
    gap: Duration,
    /// Before it no call is begun.
    next_at: Duration,
    /// When the last refusal was that slowed it. What was under way then says nothing of the new pace.
    slowed_at: Option<Duration>,
    successes: u32,
}

impl Pace {
    /// The pace of an instance of which nothing is known, with at most `in_flight_max` calls at once.
    pub(super) fn new(in_flight_max: usize) -> Self {
        Self {
            window: Window::new(in_flight_max),
            gap: Duration::ZERO,
            next_at: Duration::ZERO,
            slowed_at: None,
            successes: 0,
        }
    }

    /// At most `in_flight_max` calls at once from now on.
    pub(super) fn bound(&mut self, in_flight_max: usize) {
        self.window.bound(in_flight_max);
    }

    /// Calls that may be under way at once.
    pub(super) fn places(&self) -> usize {
        self.window.size()
    }

    /// Before it no call may be begun.
    pub(super) fn next_at(&self) -> Duration {
        self.next_at
    }

    /// Whether the target has refused or failed calls, and is not known yet to take as many as one of
    /// which nothing is known.
    pub(super) fn is_held_up(&self) -> bool {
        self.is_slowed() || self.window.is_narrow()
    }

    fn is_slowed(&self) -> bool {
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
        self.window.narrow(1, now);
        self.successes = 0;
        self.next_at = now + self.gap;
    }

    /// A call was taken.
    pub(super) fn taken(&mut self, answer: CallAnswer, now: Duration) {
        if self.slowed_at.is_some_and(|slowed| answer.begun <= slowed) {
            return;
        }
        if self.is_slowed() {
            self.taken_slowly();
        } else {
            self.window.answered(answer);
        }
        self.next_at = now + self.gap;
    }

    /// A call that was begun at `begun` failed, and its target is to blame.
    pub(super) fn failed(&mut self, begun: Duration, now: Duration) {
        self.window.failed(begun, now);
    }

    /// The target fails: when it is back, it is tried with one call first.
    pub(super) fn broke(&mut self, now: Duration) {
        self.window.narrow(1, now);
        self.successes = 0;
    }

    fn taken_slowly(&mut self) {
        self.successes += 1;
        if self.successes >= SUCCESSES_PER_STEP {
            self.successes = 0;
            self.step();
        }
    }

    /// Twice as fast: half the time between calls, then twice the calls at once.
    fn step(&mut self) {
        if self.gap.is_zero() {
            self.window.double_to_first();
        }
        self.gap /= 2;
        if self.gap < GAP_MIN {
            self.gap = Duration::ZERO;
        }
        if self.gap.is_zero() && !self.window.is_narrow() {
            self.slowed_at = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::window::WINDOW_FIRST;
    use super::*;

    const CALL: Duration = Duration::from_millis(2);
    const PLACES_MAX: usize = 32;

    fn new() -> Pace {
        Pace::new(PLACES_MAX)
    }

    /// The answer to a call that was taken when all places were.
    fn answer(pace: &Pace, begun: Duration, answered: Duration) -> CallAnswer {
        CallAnswer { begun, answered, under_way: pace.places() }
    }

    /// A call begun as early as the pace allows, which the target takes or not. Returns its end.
    fn call(pace: &mut Pace, now: Duration, is_taken: bool) -> Duration {
        let begun = now.max(pace.next_at());
        let end = begun + CALL;
        if is_taken {
            pace.taken(answer(pace, begun, end), end)
        } else {
            pace.refused(begun, end)
        }
        end
    }

    #[test]
    fn a_new_instance_gets_few_calls_at_first_and_all_after_some_successes() {
        let mut pace = new();
        assert_eq!(pace.places(), WINDOW_FIRST);
        let calls = u32::try_from(WINDOW_FIRST + 2 * WINDOW_FIRST).unwrap();
        (0..calls).fold(Duration::ZERO, |now, _| call(&mut pace, now, true));
        assert_eq!(pace.places(), PLACES_MAX);
        assert!(!pace.is_held_up());
    }

    #[test]
    fn failures_make_fewer_calls_and_no_time_between_them() {
        let mut pace = new();
        let begun = Duration::from_secs(9);
        pace.failed(begun, begun + CALL);
        assert_eq!((pace.places(), pace.next_at()), (WINDOW_FIRST / 2, Duration::ZERO));
        assert!(pace.is_held_up());
        pace.broke(begun + CALL);
        assert_eq!(pace.places(), 1);
        call(&mut pace, begun + 2 * CALL, true);
        assert_eq!(pace.places(), 2);
    }

    #[test]
    fn after_a_refusal_one_call_is_made_at_a_time_and_a_success_does_not_end_that() {
        let mut pace = new();
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
        let mut pace = new();
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
        assert_eq!(places, [1, 2, 4, WINDOW_FIRST]);
        // Seven halvings from a second to 10 ms, then three doublings.
        assert_eq!(successes, SUCCESSES_PER_STEP * (7 + 3));
        assert!(now < Duration::from_secs(10), "{now:?}");
    }

    #[test]
    fn calls_that_were_under_way_at_a_refusal_say_nothing_of_the_new_pace() {
        let mut pace = new();
        let begun = Duration::from_secs(5);
        pace.refused(begun, begun + CALL);
        let slowed = pace.clone();
        pace.refused(begun, begun + 2 * CALL);
        pace.taken(answer(&pace, begun, begun + 2 * CALL), begun + 2 * CALL);
        assert_eq!(pace, slowed);
    }

    #[test]
    fn refusals_in_a_row_lie_further_and_further_apart() {
        let mut pace = new();
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
            let mut pace = new();
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
