//! What a replica does with an event, depending on its quorum (promise 8). Pure: the caller knows
//! how long the quorum has been lost, and executes the decision.

use crate::config::OnQuorumLoss;
use std::time::Duration;

/// Events fed to the log at a time: half of what an entry holds, so that new events have room next
/// to them.
pub const FEED_COUNT_MAX: usize = 256;
/// Events fed while it is unknown whether the log accepts any: every peer is tried with all of
/// them.
pub const FEED_COUNT_FIRST: usize = 1;

/// What a replica knows about itself when an event arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuorumStanding {
    /// Time since the quorum was last seen; zero while there is one (rule 12).
    pub lost_for: Duration,
    /// Whether the replica is shutting down.
    pub is_draining: bool,
    /// Whether the spool accepts events.
    pub has_room: bool,
}

/// What happens to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Degradation {
    /// Offered to the log, for as long as the deadline of an accept allows.
    Wait,
    /// Kept on this replica's disk alone.
    Spool,
    /// Answered 503: its sender keeps it.
    Refuse,
}

/// Decides where an event goes. A quorum that was lost for less than `spool_after` is waited for:
/// an election is not an outage, and an event on many disks is safer than on one. A replica that
/// shuts down accepts nothing: its disk may not return for long, but its sender will retry.
#[must_use]
pub fn mode(
    standing: QuorumStanding,
    spool_after: Duration,
    on_quorum_loss: OnQuorumLoss,
) -> Degradation {
    if standing.lost_for < spool_after {
        return Degradation::Wait;
    }
    match on_quorum_loss {
        OnQuorumLoss::Spool if standing.has_room && !standing.is_draining => Degradation::Spool,
        OnQuorumLoss::Spool | OnQuorumLoss::Reject => Degradation::Refuse,
    }
}

/// How many events to feed next: the number grows while the log accepts them.
#[must_use]
pub fn next_count(count: usize, is_taken: bool) -> usize {
    if is_taken { (2 * count).min(FEED_COUNT_MAX) } else { FEED_COUNT_FIRST }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPOOL_AFTER: Duration = Duration::from_secs(3);
    const LOST: QuorumStanding =
        QuorumStanding { lost_for: SPOOL_AFTER, is_draining: false, has_room: true };

    fn spooling(standing: QuorumStanding) -> Degradation {
        mode(standing, SPOOL_AFTER, OnQuorumLoss::Spool)
    }

    #[test]
    fn rule_13_the_spool_begins_after_spool_after_and_not_before() {
        let almost = QuorumStanding { lost_for: SPOOL_AFTER - Duration::from_millis(1), ..LOST };
        assert_eq!(spooling(almost), Degradation::Wait);
        assert_eq!(spooling(LOST), Degradation::Spool);
        assert_eq!(
            spooling(QuorumStanding { lost_for: Duration::MAX, ..LOST }),
            Degradation::Spool
        );
    }

    #[test]
    fn rule_13_without_room_the_sender_keeps_its_event() {
        assert_eq!(spooling(QuorumStanding { has_room: false, ..LOST }), Degradation::Refuse);
    }

    #[test]
    fn a_replica_that_shuts_down_spools_nothing() {
        assert_eq!(spooling(QuorumStanding { is_draining: true, ..LOST }), Degradation::Refuse);
    }

    #[test]
    fn reject_refuses_where_spool_would_keep() {
        let rejecting = |standing| mode(standing, SPOOL_AFTER, OnQuorumLoss::Reject);
        assert_eq!(rejecting(LOST), Degradation::Refuse);
        assert_eq!(
            rejecting(QuorumStanding { lost_for: Duration::ZERO, ..LOST }),
            Degradation::Wait
        );
    }

    #[test]
    fn with_a_quorum_the_log_is_tried_whatever_else_holds() {
        for (is_draining, has_room) in [(true, false), (true, true), (false, false)] {
            let standing = QuorumStanding { lost_for: Duration::ZERO, is_draining, has_room };
            assert_eq!(spooling(standing), Degradation::Wait);
        }
    }

    #[test]
    fn rule_13_portions_grow_while_the_log_takes_them_and_start_again_small() {
        let mut counts = vec![FEED_COUNT_FIRST];
        (0..9).for_each(|at| counts.push(next_count(counts[at], true)));
        assert_eq!(counts, [1, 2, 4, 8, 16, 32, 64, 128, 256, 256]);
        assert_eq!(next_count(FEED_COUNT_MAX, false), FEED_COUNT_FIRST);
    }
}
