//! Whether this replica's state stands still while the leader's advances: its disk is an old copy,
//! or its log diverged from the cluster's. It would go on answering from an old state. Pure.

use std::time::Duration;

/// A follower that receives entries applies some in this time, even with a slow disk.
pub(in crate::cluster) const STUCK_AFTER: Duration = Duration::from_secs(10);

/// The observed progress of both.
#[derive(Debug, Default)]
pub(in crate::cluster) struct Standstill {
    /// The last index applied here, and since when, while the leader was ahead of it.
    behind: Option<(u64, Duration)>,
    /// That index, once it has stood still for too long.
    stuck: Option<u64>,
}

impl Standstill {
    /// Records the applied index here and at the leader, at monotonic time `now`. Without a report
    /// from the leader nothing changes.
    pub fn see(&mut self, own: u64, leader: u64, now: Duration) {
        if own >= leader {
            *self = Self::default();
            return;
        }
        let since = self.behind.filter(|(index, _)| *index == own).map_or(now, |(_, since)| since);
        self.behind = Some((own, since));
        self.stuck = (now.saturating_sub(since) >= STUCK_AFTER).then_some(own);
    }

    /// No node is ahead of the leader itself.
    pub fn lead(&mut self) {
        *self = Self::default();
    }

    /// The index at which the state has stood still for too long.
    pub fn stuck(&self) -> Option<u64> {
        self.stuck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn rule_23_a_state_that_stands_still_behind_the_leaders_is_found_out() {
        let mut seen = Standstill::default();
        seen.see(104, 150, SECOND);
        seen.see(104, 160, 10 * SECOND);
        assert_eq!(seen.stuck(), None);
        seen.see(104, 160, 11 * SECOND);
        assert_eq!(seen.stuck(), Some(104));
    }

    #[test]
    fn a_state_that_moves_or_is_level_does_not_stand_still() {
        let mut seen = Standstill::default();
        for second in 1..60 {
            seen.see(u64::from(second), 1_000, second * SECOND);
            assert_eq!(seen.stuck(), None);
        }
        seen.see(1_000, 1_000, 60 * SECOND);
        assert_eq!(seen.stuck(), None);
    }

    #[test]
    fn who_was_behind_and_leads_now_or_hears_nothing_more_does_not_stand_still() {
        let mut seen = Standstill::default();
        seen.see(104, 150, SECOND);
        seen.lead();
        seen.see(104, 150, 20 * SECOND);
        assert_eq!(seen.stuck(), None);
    }
}
