//! Whether a majority's clocks agree. If they do, the wall clock may be trusted once (rule 19).

use crate::clock::Timestamp;
use crate::cluster::member::{CheckSeen, Member};
use crate::cluster::raft::RaftStatus;
use crate::state_machine::NodeId;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Clocks agree if they differ by at most this (rule 19).
const AGREE_WITHIN: Duration = Duration::from_secs(5);

/// Whether the clocks of a majority of voters agree with this node's.
pub(super) fn agree(member: &Member, status: &RaftStatus) -> bool {
    let (wall, now) = (member.clock.wall(), member.clock.monotonic());
    let checks = member.checks.lock();
    majority(&status.voters, member.own.node, &checks, (wall, now))
}

fn majority(
    voters: &BTreeSet<NodeId>,
    own: NodeId,
    checks: &BTreeMap<NodeId, CheckSeen>,
    (wall, now): (Timestamp, Duration),
) -> bool {
    let agrees = |node: &NodeId| {
        *node == own
            || checks.get(node).is_some_and(|seen| {
                let theirs = Timestamp(seen.wall_ms).after(now.saturating_sub(seen.at));
                theirs.since(wall).max(wall.since(theirs)) <= AGREE_WITHIN
            })
    };
    voters.iter().filter(|node| agrees(node)).count() > voters.len() / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: (Timestamp, Duration) = (Timestamp(1_000_000), Duration::from_secs(60));

    fn check(wall_ms: u64, seconds_ago: u64) -> CheckSeen {
        let at = NOW.1 - Duration::from_secs(seconds_ago);
        CheckSeen { at, wall_ms, is_draining: false, spooled: 0, reach: None, digest: None }
    }

    fn agrees(checks: impl IntoIterator<Item = (u64, CheckSeen)>) -> bool {
        let voters = (1..=3).map(NodeId).collect();
        let checks = checks.into_iter().map(|(node, seen)| (NodeId(node), seen)).collect();
        majority(&voters, NodeId(1), &checks, NOW)
    }

    #[test]
    fn rule_19_one_clock_of_three_is_no_majority() {
        assert!(!agrees([]));
        assert!(!agrees([(2, check(1_006_000, 0)), (3, check(900_000, 0))]));
    }

    #[test]
    fn rule_19_two_clocks_within_five_seconds_are_a_majority() {
        assert!(agrees([(2, check(1_005_000, 0)), (3, check(0, 0))]));
        assert!(agrees([(2, check(995_000, 0))]));
    }

    #[test]
    fn rule_19_an_old_reading_is_taken_forward() {
        assert!(agrees([(2, check(970_000, 30))]));
        assert!(!agrees([(2, check(1_000_000, 30))]));
    }

    #[test]
    fn rule_19_nodes_that_have_no_vote_do_not_count() {
        assert!(!agrees([(8, check(1_000_000, 0)), (9, check(1_000_000, 0))]));
    }
}
