//! Whether this replica has a quorum, and the proof (rule 12).

use crate::clock::Clock;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// An acknowledgement by a quorum counts for this long (rule 12).
const FRESH: Duration = Duration::from_secs(1);
/// How often an idle replica asks the leader (rule 12).
pub(in crate::cluster) const CHECK_EVERY: Duration = Duration::from_millis(500);

/// When a quorum was last proven. Clones share it.
#[derive(Clone)]
pub(in crate::cluster) struct Quorum {
    /// Monotonic milliseconds plus one; zero: never.
    proven_at: Arc<AtomicU64>,
    clock: Arc<dyn Clock>,
}

impl Quorum {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { proven_at: Arc::default(), clock }
    }

    /// An entry of this replica was confirmed just now.
    pub fn proven(&self) {
        self.proven_before(Duration::ZERO);
    }

    /// The leader reported an acknowledgement by a quorum `age` ago, in a call that took part of
    /// that time. Returns false for one that is too old to prove anything.
    pub fn proven_before(&self, age: Duration) -> bool {
        if age >= FRESH {
            return false;
        }
        let at = self.clock.monotonic().saturating_sub(age);
        let at = u64::try_from(at.as_millis()).unwrap_or(u64::MAX - 1) + 1;
        self.proven_at.fetch_max(at, Ordering::Relaxed);
        true
    }

    /// Time since the quorum was last proven; `None` if it never was.
    pub fn age(&self) -> Option<Duration> {
        let at = self.proven_at.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.clock.monotonic().saturating_sub(Duration::from_millis(at)))
    }

    /// Whether there is no recent proof. Two checks may fail before that.
    pub fn is_lost(&self) -> bool {
        self.age().is_none_or(|age| age >= FRESH + CHECK_EVERY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::test_clock::ManualClock;

    fn quorum() -> (Quorum, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::default());
        let shared: Arc<dyn Clock> = clock.clone();
        (Quorum::new(shared), clock)
    }

    #[test]
    fn rule_12_nothing_is_proven_at_the_start() {
        let (quorum, _) = quorum();
        assert!(quorum.is_lost());
        assert_eq!(quorum.age(), None);
    }

    #[test]
    fn rule_12_a_proof_ages_and_runs_out() {
        let (quorum, clock) = quorum();
        quorum.proven();
        clock.advance(Duration::from_millis(1_499));
        assert!(!quorum.is_lost());
        clock.advance(Duration::from_millis(1));
        assert!(quorum.is_lost());
        assert_eq!(quorum.age(), Some(Duration::from_millis(1_500)));
    }

    #[test]
    fn rule_12_an_acknowledgement_of_a_second_ago_proves_nothing() {
        let (quorum, clock) = quorum();
        clock.advance(Duration::from_secs(9));
        assert!(!quorum.proven_before(Duration::from_secs(1)));
        assert!(quorum.is_lost());
        assert!(quorum.proven_before(Duration::from_millis(999)));
        assert!(!quorum.is_lost());
    }
}
