//! How many calls to one instance are under way at once: more while its answers come as fast as
//! before, fewer when calls fail. Additive increase, multiplicative decrease, as TCP has it
//! (RFC 5681). Pure: time is handed in.

use std::time::Duration;

/// Calls under way to an instance of which nothing is known yet.
pub(super) const WINDOW_FIRST: usize = 8;

/// Answers that take longer than usual by half of it and [`JITTER`] are slower ones.
const SLOWER_BY: u32 = 2;

/// Differences that are no sign of a busy target: this machine's own.
const JITTER: Duration = Duration::from_millis(2);

/// How much one slower round moves what is usual, as a part: a target that stays slower for about
/// this many rounds is measured by its new speed.
const SLOWER_WEIGHT: u32 = 8;

/// The window of one instance. Moments are readings of a monotonic clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Window {
    size: usize,
    size_max: usize,
    /// Up to it a round doubles the window; beyond it a round adds one.
    doubles_to: usize,
    round: WindowRound,
    /// The mean time of an answer in the rounds before; `None` before the first.
    usual: Option<Duration>,
    /// When it was last made smaller. What was under way then says nothing of the new size.
    narrowed_at: Option<Duration>,
}

/// As many answers as the window is wide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct WindowRound {
    answers: u32,
    /// The sum of what they took.
    taken: Duration,
    under_way_max: usize,
}

/// A call that the target answered. Moments are readings of a monotonic clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallAnswer {
    pub begun: Duration,
    pub answered: Duration,
    /// Calls to the instance when it came back, itself included.
    pub under_way: usize,
}

impl Window {
    /// A window that is never wider than `size_max`, at least 1.
    pub(super) fn new(size_max: usize) -> Self {
        let size_max = size_max.max(1);
        Self {
            size: WINDOW_FIRST.min(size_max),
            size_max,
            doubles_to: size_max,
            round: WindowRound::default(),
            usual: None,
            narrowed_at: None,
        }
    }

    /// Never wider than `size_max`, at least 1, from now on.
    pub(super) fn bound(&mut self, size_max: usize) {
        self.size_max = size_max.max(1);
        self.size = self.size.min(self.size_max);
    }

    /// Calls that may be under way at once, at least 1.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Whether failures have made it smaller than it is for a target of which nothing is known.
    pub(super) fn is_narrow(&self) -> bool {
        self.size < WINDOW_FIRST.min(self.size_max)
    }

    /// Counts an answer. At the end of a round the window grows, if calls have filled it and
    /// answers came as fast as before.
    pub(super) fn answered(&mut self, answer: CallAnswer) {
        if self.is_of_a_wider_one(answer.begun) {
            return;
        }
        let round = &mut self.round;
        round.answers += 1;
        round.taken += answer.answered.saturating_sub(answer.begun);
        round.under_way_max = round.under_way_max.max(answer.under_way);
        if (round.answers as usize) < self.size {
            return;
        }
        let WindowRound { answers, taken, under_way_max } = std::mem::take(round);
        let is_as_fast = self.weigh(taken / answers.max(1));
        if is_as_fast && under_way_max >= self.size {
            self.grow();
        }
    }

    /// A call that was begun at `begun` failed, and the target is to blame. Half as many are made,
    /// once for all that were under way together.
    pub(super) fn failed(&mut self, begun: Duration, now: Duration) {
        if !self.is_of_a_wider_one(begun) {
            self.narrow(self.size / 2, now);
        }
    }

    /// Makes it smaller at once. It doubles up to half of what it was, at least to what a target
    /// gets of which nothing is known, and adds one a round from there.
    pub(super) fn narrow(&mut self, size: usize, now: Duration) {
        self.doubles_to = (self.size / 2).max(WINDOW_FIRST);
        self.size = size.clamp(1, self.size);
        self.round = WindowRound::default();
        self.narrowed_at = Some(now);
    }

    /// Twice as wide, but no wider than for a target of which nothing is known.
    pub(super) fn double_to_first(&mut self) {
        let doubled = (2 * self.size).min(WINDOW_FIRST).min(self.size_max);
        self.size = self.size.max(doubled);
    }

    /// Whether a round of this mean was as fast as those before, of which it is one from now on.
    fn weigh(&mut self, mean: Duration) -> bool {
        let Some(usual) = self.usual else {
            self.usual = Some(mean);
            return true;
        };
        let is_faster = mean < usual;
        let weight = if is_faster { 2 } else { SLOWER_WEIGHT };
        self.usual = Some((usual * (weight - 1) + mean) / weight);
        mean <= usual + usual / SLOWER_BY + JITTER
    }

    fn grow(&mut self) {
        let grown = if self.size < self.doubles_to {
            (2 * self.size).min(self.doubles_to)
        } else {
            self.size + 1
        };
        self.size = grown.min(self.size_max);
    }

    fn is_of_a_wider_one(&self, begun: Duration) -> bool {
        self.narrowed_at.is_some_and(|narrowed| begun <= narrowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CALL: Duration = Duration::from_millis(50);

    /// A round of calls that fill the window, begun at `now`. Returns when it ended.
    fn round(window: &mut Window, now: Duration, took: Duration) -> Duration {
        let size = window.size();
        let answer = CallAnswer { begun: now, answered: now + took, under_way: size };
        (0..size).for_each(|_| window.answered(answer));
        now + took
    }

    /// Sizes after each of `rounds` rounds whose answers take `took`.
    fn sizes(window: &mut Window, rounds: usize, took: Duration) -> Vec<usize> {
        let mut now = window.narrowed_at.unwrap_or_default() + CALL;
        let mut after = |_| {
            now = round(window, now, took);
            window.size()
        };
        (0..rounds).map(&mut after).collect()
    }

    #[test]
    fn a_window_doubles_each_round_up_to_its_maximum_while_answers_are_as_fast() {
        let mut window = Window::new(50);
        assert_eq!(window.size(), WINDOW_FIRST);
        assert_eq!(sizes(&mut window, 4, CALL), [16, 32, 50, 50]);
    }

    #[test]
    fn a_small_maximum_is_never_passed() {
        for size_max in [1, 3] {
            let mut window = Window::new(size_max);
            assert_eq!(window.size(), size_max);
            assert!(!window.is_narrow());
            assert_eq!(sizes(&mut window, 2, CALL), [size_max, size_max]);
        }
        assert_eq!(Window::new(0).size(), 1);
    }

    #[test]
    fn answers_that_get_slower_hold_the_window_until_they_are_usual() {
        let mut window = Window::new(64);
        assert_eq!(sizes(&mut window, 1, CALL), [16]);
        let slower = sizes(&mut window, 12, 2 * CALL);
        let held = slower.iter().take_while(|size| **size == 16).count();
        // After three of them 66 ms are usual, and half of that more is 100 ms.
        assert_eq!(held, 3, "{slower:?}");
        assert_eq!(slower.last(), Some(&64));
    }

    #[test]
    fn calls_that_do_not_fill_the_window_do_not_widen_it() {
        let mut window = Window::new(64);
        let answer =
            |at| CallAnswer { begun: at, answered: at + CALL, under_way: WINDOW_FIRST - 1 };
        (1..200).for_each(|at| window.answered(answer(at * CALL)));
        assert_eq!(window.size(), WINDOW_FIRST);
    }

    #[test]
    fn a_failure_halves_the_window_once_for_all_that_were_under_way() {
        let mut window = Window::new(32);
        sizes(&mut window, 2, CALL);
        let begun = Duration::from_secs(9);
        (0..10).for_each(|_| window.failed(begun, begun + CALL));
        assert_eq!(window.size(), 16);
        window.failed(begun + 2 * CALL, begun + 3 * CALL);
        assert_eq!((window.size(), window.is_narrow()), (8, false));
        window.failed(begun + 4 * CALL, begun + 5 * CALL);
        assert!(window.is_narrow());
        assert_eq!(sizes(&mut window, 3, CALL), [WINDOW_FIRST, 9, 10]);
    }

    #[test]
    fn a_window_that_was_closed_doubles_to_half_of_what_it_was() {
        let mut window = Window::new(32);
        sizes(&mut window, 2, CALL);
        window.narrow(1, Duration::from_secs(9));
        assert_eq!(sizes(&mut window, 6, CALL), [2, 4, 8, 16, 17, 18]);
    }

    #[test]
    fn answers_to_calls_of_the_wider_window_are_not_counted() {
        let mut window = Window::new(32);
        let begun = Duration::from_secs(9);
        window.narrow(1, begun);
        let narrowed = window.clone();
        window.answered(CallAnswer { begun, answered: begun + CALL, under_way: 8 });
        assert_eq!(window, narrowed);
    }

    proptest! {
        #[test]
        fn a_window_is_always_from_one_to_its_maximum(
            size_max in 0usize..40,
            ends in proptest::collection::vec((0u8..8, 0u64..300), 0..300),
        ) {
            let mut window = Window::new(size_max);
            let mut now = Duration::ZERO;
            for (end, took) in ends {
                let begun = now;
                now += Duration::from_millis(took);
                match end {
                    0 => window.failed(begun, now),
                    1 => window.narrow(1, now),
                    2 => window.double_to_first(),
                    _ => {
                        let under_way = window.size();
                        window.answered(CallAnswer { begun, answered: now, under_way });
                    }
                }
                prop_assert!((1..=size_max.max(1)).contains(&window.size()));
            }
        }
    }
}
