//! How a node leaves the work to others before it stops. It stays a member: a stop is no removal.

use super::member::Member;
use super::membership::majority;
use super::raft::{RaftStatus, StopCause};
use super::{Cluster, pulse};
use crate::state_machine::NodeId;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tracing::{info, warn};

/// Slots move within one look of the leader; after this there is none.
const RELEASE_MAX: Duration = Duration::from_secs(5);
/// A voter without which the others have no quorum stays so long at most (rule 25).
const STAY_MAX: Duration = Duration::from_secs(15);
/// The old leader stays until it sees the new one, so long at most (rule 29).
const SUCCESSION_MAX: Duration = Duration::from_secs(2);
/// Successors tried. Each is a voter that is up to date, so the first one nearly always succeeds.
const TRANSFERS_MAX: u32 = 3;
/// A successor answered within this time (rule 29).
pub(super) const ANSWERED_WITHIN: Duration = Duration::from_millis(300);
/// Between two looks at what others do meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(50);

impl Cluster {
    /// Gives all slots away and waits until they are gone. Calls under way go on; their records
    /// still count.
    pub async fn release(&self) {
        let Some(member) = &self.member else { return };
        member.is_draining.store(true, Ordering::Relaxed);
        member.duties.notify_one();
        member.gossip.publish(pulse::facts(member)).await;
        // The leader hears of it by the next check, which is now.
        let told = async {
            while self.owns_slots() && self.has_quorum() && member.raft().status().members.len() > 1
            {
                pulse::check(member).await;
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        if tokio::time::timeout(RELEASE_MAX, told).await.is_err() {
            warn!("stopping with slots that nobody took");
        }
        // What only this disk has goes into the log while there is a quorum (rule 13).
        let fed = async {
            while member.degraded.len() > 0 && self.has_quorum() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        if tokio::time::timeout(RELEASE_MAX, fed).await.is_err() {
            warn!(events = member.degraded.len(), "stopping with spooled events");
        }
    }

    /// Stays while the others would have no quorum without this node, then hands the leadership
    /// over. The log is still served meanwhile.
    pub async fn hand_over(&self) {
        let Some(member) = &self.member else { return };
        let staying = async {
            while is_needed(member).await {
                pulse::check(member).await;
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        if tokio::time::timeout(STAY_MAX, staying).await.is_err() {
            warn!("stopping although the others have no quorum without this node");
        }
        for _ in 0..TRANSFERS_MAX {
            let status = member.raft().status();
            let Some(heir) = heir(&status, member.own.node, |node| member.drains(node)) else {
                return;
            };
            match hand_to(member, heir).await {
                Ok(false) => {}
                Ok(true) | Err(_) => return,
            }
        }
    }

    fn owns_slots(&self) -> bool {
        self.read(|state| state.slots().any(|(_, slot)| slot.owner == Some(self.node)))
    }
}

/// Asks a voter to lead, and waits until this node sees that another one does (rule 29). False:
/// none does in time, and one more may be asked.
///
/// # Errors
/// The node has stopped.
pub(super) async fn hand_to(member: &Member, heir: NodeId) -> Result<bool, StopCause> {
    info!(%heir, "handing the leadership over");
    member.raft().transfer_to(heir).await?;
    let succeeded = async {
        while member.raft().leads_term().is_some() || member.raft().leader().is_none() {
            tokio::time::sleep(LOOK_EVERY / 5).await;
        }
    };
    Ok(tokio::time::timeout(SUCCESSION_MAX, succeeded).await.is_ok())
}

/// The voter to hand over to, if this node leads (rule 29).
pub(super) fn heir(
    status: &RaftStatus,
    own: NodeId,
    drains: impl Fn(NodeId) -> bool,
) -> Option<NodeId> {
    if !status.is_leader {
        return None;
    }
    let voters = status.members.iter().filter(|(node, member)| {
        **node != own
            && member.is_voter
            && !drains(**node)
            && member.answered_ago.is_some_and(|ago| ago < ANSWERED_WITHIN)
    });
    voters.max_by_key(|(_, member)| member.matched_index).map(|(node, _)| *node)
}

async fn is_needed(member: &Member) -> bool {
    let peers = member.live_peers().await;
    let staying = peers.iter().filter(|peer| !peer.facts.is_draining).map(|peer| peer.node);
    needs(&member.raft().status().voters, member.own.node, &staying.collect())
}

/// Whether those who stay would have no quorum without this voter, although there are some.
fn needs(voters: &BTreeSet<NodeId>, own: NodeId, staying: &BTreeSet<NodeId>) -> bool {
    let staying = voters.intersection(staying).count();
    voters.contains(&own) && staying > 0 && staying < majority(voters.len())
}

#[cfg(test)]
mod tests {
    use super::super::raft::MemberStatus;
    use super::*;

    fn status(members: &[(u64, bool, u64, u64)]) -> RaftStatus {
        let members = members.iter().map(|(node, is_voter, matched, answered_ms)| {
            let status = MemberStatus {
                node: Default::default(),
                is_voter: *is_voter,
                matched_index: Some(*matched),
                answered_ago: Some(Duration::from_millis(*answered_ms)),
            };
            (NodeId(*node), status)
        });
        RaftStatus { is_leader: true, members: members.collect(), ..RaftStatus::default() }
    }

    #[test]
    fn rule_29_the_heir_is_the_voter_that_is_furthest_and_answered_just_now() {
        let seen = status(&[(1, true, 9, 0), (2, true, 7, 10), (3, true, 9, 20), (4, false, 9, 1)]);
        assert_eq!(heir(&seen, NodeId(1), |_| false), Some(NodeId(3)));
        assert_eq!(heir(&seen, NodeId(1), |node| node == NodeId(3)), Some(NodeId(2)));
    }

    #[test]
    fn rule_29_nobody_that_was_silent_inherits() {
        let seen = status(&[(1, true, 9, 0), (2, true, 9, 300)]);
        assert_eq!(heir(&seen, NodeId(1), |_| false), None);
    }

    #[test]
    fn rule_29_only_a_leader_has_an_heir_and_a_learner_is_none() {
        let seen = status(&[(1, true, 9, 0), (2, true, 9, 299)]);
        assert_eq!(heir(&seen, NodeId(1), |_| false), Some(NodeId(2)));
        let follower = RaftStatus { is_leader: false, ..seen };
        assert_eq!(heir(&follower, NodeId(1), |_| false), None);
        let learner = status(&[(1, true, 9, 0), (2, false, 9, 0)]);
        assert_eq!(heir(&learner, NodeId(1), |_| false), None);
    }

    fn nodes(nodes: &[u64]) -> BTreeSet<NodeId> {
        nodes.iter().copied().map(NodeId).collect()
    }

    #[test]
    fn rule_25_a_voter_stays_while_those_who_stay_have_no_quorum_without_it() {
        let needed = |staying: &[u64]| needs(&nodes(&[1, 2, 3]), NodeId(1), &nodes(staying));
        assert!(needed(&[2]));
        assert!(!needed(&[2, 3]));
        assert!(needs(&nodes(&[1, 2]), NodeId(1), &nodes(&[2])));
        assert!(needs(&nodes(&[1, 2, 3, 4]), NodeId(1), &nodes(&[2, 3])));
    }

    #[test]
    fn rule_25_nobody_waits_for_a_cluster_that_stops_as_a_whole() {
        assert!(!needs(&nodes(&[1, 2, 3]), NodeId(1), &nodes(&[])));
    }

    #[test]
    fn rule_25_learners_neither_stay_for_others_nor_count_for_a_quorum() {
        assert!(!needs(&nodes(&[2, 3, 4]), NodeId(1), &nodes(&[2])));
        assert!(needs(&nodes(&[1, 2, 3]), NodeId(1), &nodes(&[2, 8, 9])));
    }
}
