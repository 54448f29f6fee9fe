//! Since when due work waits to be begun. Pure: time is handed in. It is seen, not computed: a
//! target that was paused, an earlier effect of the same lane or a slot that has just moved here
//! hold work up without its owner being late.

use crate::clock::Timestamp;
use crate::effect::EffectId;
use std::collections::BTreeMap;
use std::time::Duration;

/// Between two looks. Lateness is judged in tens of seconds (rule 27).
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Due work looked at, the oldest first: a bound on the time a look takes.
pub(super) const LOOKED_AT_MAX: usize = 4096;

/// A piece of due work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// The event with this sequence waits for its plan.
    Plan(u64),
    /// The effect waits for its next attempt, which was due at that time.
    Send(EffectId, u32, Timestamp),
}

/// What was due at the last look. Moments are readings of a monotonic clock.
#[derive(Debug, Default)]
pub(super) struct Waits {
    since: BTreeMap<Due, Duration>,
    looked_at: Option<Duration>,
}

impl Waits {
    /// Whether it is time for a look.
    pub fn is_look_due(&self, now: Duration) -> bool {
        self.looked_at.is_none_or(|at| now.saturating_sub(at) >= LOOK_EVERY)
    }

    /// Takes what is due now, and tells since when the oldest of it has been so at every look.
    pub fn look(&mut self, now: Duration, due: impl Iterator<Item = Due>) -> Option<Duration> {
        let seen = |due| (due, self.since.get(&due).copied().unwrap_or(now));
        self.since = due.map(seen).collect();
        self.looked_at = Some(now);
        self.since.values().min().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Key;

    const SECOND: Duration = Duration::from_secs(1);

    fn send(effect: u128, attempts: u32) -> Due {
        Due::Send(EffectId(Key(effect)), attempts, Timestamp(7))
    }

    #[test]
    fn rule_27_work_waits_from_the_look_that_found_it_due() {
        let mut waits = Waits::default();
        assert_eq!(waits.look(SECOND, [send(1, 0)].into_iter()), Some(SECOND));
        let both = [Due::Plan(9), send(1, 0)];
        assert_eq!(waits.look(20 * SECOND, both.into_iter()), Some(SECOND));
        assert_eq!(waits.look(31 * SECOND, [Due::Plan(9)].into_iter()), Some(20 * SECOND));
        assert_eq!(waits.look(32 * SECOND, std::iter::empty()), None);
    }

    #[test]
    fn rule_27_what_was_held_up_or_tried_meanwhile_waits_anew() {
        let mut waits = Waits::default();
        waits.look(SECOND, [send(1, 0), send(2, 0)].into_iter());
        waits.look(2 * SECOND, [send(1, 1)].into_iter());
        let again = [send(1, 1), send(2, 0)];
        assert_eq!(waits.look(9 * SECOND, again.into_iter()), Some(2 * SECOND));
        assert_eq!(waits.look(10 * SECOND, [send(2, 0)].into_iter()), Some(9 * SECOND));
    }

    #[test]
    fn looks_are_a_second_apart() {
        let mut waits = Waits::default();
        assert!(waits.is_look_due(Duration::ZERO));
        waits.look(5 * SECOND, std::iter::empty());
        assert!(!waits.is_look_due(6 * SECOND - Duration::from_millis(1)));
        assert!(waits.is_look_due(6 * SECOND));
    }
}
