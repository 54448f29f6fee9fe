//! How a node gives its work to others before it stops. It stays a member: a stop is not a removal.

use crate::cluster::checks::quorum_check;
use crate::cluster::gossip::Peer;
use crate::cluster::handle::Cluster;
use crate::cluster::member::Member;
use crate::cluster::membership::majority;
use crate::cluster::raft::{RaftStatus, StopCause};
use crate::state_machine::{NodeId, StateMachine};
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tracing::{info, warn};

/// Slots move within one round of the leader; longer means that there is no leader.
pub(in crate::cluster) const RELEASE_MAX: Duration = Duration::from_secs(5);
/// A voter that the others need for a quorum stays at most this long (rule 25).
const STAY_MAX: Duration = Duration::from_secs(15);
/// When a whole cluster stops, the last calls begin at most this long after a node knows of the
/// stop: the others know of the stop two rounds of gossip later, and learn of a commit with the
/// next heartbeat.
pub(in crate::cluster) const LAST_BEGINS_MAX: Duration = Duration::from_secs(1);
/// The old leader stays until it sees the new one, at most this long (rule 29).
const SUCCESSION_MAX: Duration = Duration::from_secs(2);
/// Successors tried. Each is an up-to-date voter, so the first one nearly always succeeds.
const TRANSFERS_MAX: u32 = 3;
/// A successor answered within this time (rule 29).
pub(in crate::cluster) const ANSWERED_WITHIN: Duration = Duration::from_millis(300);
/// Between two polls of the other nodes.
const LOOK_EVERY: Duration = Duration::from_millis(50);

impl Cluster {
    /// Gives all slots away and waits until they are gone. Calls in progress continue; their
    /// records still count.
    pub async fn release(&self) {
        let Some(member) = &self.member else { return };
        member.is_draining.store(true, Ordering::Relaxed);
        member.duties.notify_one();
        member.gossip.publish(member.facts()).await;
        // The next check, which is now, reports it to the leader. If all members drain, no member
        // takes the slots, and every new call would delay all of them.
        let told = async {
            while self.owns_slots() && self.has_quorum() && !staying(member).await.is_empty() {
                quorum_check::check(member).await;
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        if tokio::time::timeout(RELEASE_MAX, told).await.is_err() {
            warn!("stopping with slots that nobody took");
        }
        // Events that only this disk has go into the log while there is a quorum (rule 13).
        let fed = async {
            while member.quorum_loss.len() > 0 && self.has_quorum() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        if tokio::time::timeout(RELEASE_MAX, fed).await.is_err() {
            warn!(events = member.quorum_loss.len(), "stopping with spooled events");
        }
    }

    /// Stays while the others need this node for a quorum, to continue or to record their last
    /// calls, then transfers the leadership. The log is still served meanwhile.
    pub async fn transfer_leadership(&self) {
        let Some(member) = &self.member else { return };
        let stays = async {
            if staying(member).await.is_empty() && !member.live_peers().await.is_empty() {
                tokio::time::sleep(LAST_BEGINS_MAX).await;
            }
            while is_needed(member).await {
                quorum_check::check(member).await;
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        if tokio::time::timeout(STAY_MAX, stays).await.is_err() {
            warn!("stopping although the others have no quorum without this node");
        }
        for _ in 0..TRANSFERS_MAX {
            let status = member.raft().status();
            let Some(transfer_target) =
                transfer_target(&status, member.own.node, |node| member.drains(node))
            else {
                return;
            };
            match transfer_leadership_to(member, transfer_target).await {
                Ok(false) => {}
                Ok(true) | Err(_) => return,
            }
        }
    }

    fn owns_slots(&self) -> bool {
        self.read(|state| state.slots().any(|(_, slot)| slot.owner == Some(self.node)))
    }
}

/// Asks a voter to lead, and waits until this node sees another leader (rule 29). Returns false if
/// none appears in time; the caller may ask another one.
///
/// # Errors
/// The node has stopped.
pub(in crate::cluster) async fn transfer_leadership_to(
    member: &Member,
    transfer_target: NodeId,
) -> Result<bool, StopCause> {
    info!(%transfer_target, "handing the leadership over");
    member.raft().transfer_to(transfer_target).await?;
    let succeeded = async {
        while member.raft().leads_term().is_some() || member.raft().leader().is_none() {
            tokio::time::sleep(LOOK_EVERY / 5).await;
        }
    };
    Ok(tokio::time::timeout(SUCCESSION_MAX, succeeded).await.is_ok())
}

/// The voter to transfer the leadership to, if this node leads (rule 29).
pub(in crate::cluster) fn transfer_target(
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

/// Members that are not draining, as far as this node knows. Silent ones count: they may return.
async fn staying(member: &Member) -> BTreeSet<NodeId> {
    let told = member.gossip.peers().await;
    let drains = |node: NodeId| {
        let has_told = told.iter().any(|peer| peer.node == node && peer.facts.is_draining);
        has_told || member.drains(node)
    };
    member.raft().status().members.into_keys().filter(|node| !drains(*node)).collect()
}

async fn is_needed(member: &Member) -> bool {
    let peers = member.live_peers().await;
    let staying = peers.iter().filter(|peer| !peer.facts.is_draining).map(|peer| peer.node);
    let calling = member.raft().read(|state| calling(state, &peers));
    needs(&member.raft().status().voters, member.own.node, &staying.collect(), &calling)
}

/// Draining members with calls in progress: without a quorum these could not be recorded.
fn calling(state: &StateMachine, peers: &[Peer]) -> BTreeSet<NodeId> {
    let draining = peers.iter().filter(|peer| peer.facts.is_draining);
    let calling = draining.filter(|peer| state.begun_by(peer.node, peer.boot).next().is_some());
    calling.map(|peer| peer.node).collect()
}

/// Whether the staying members need this voter for a quorum. Members with calls in progress count
/// as staying until these end; without any staying member the answer is no.
fn needs(
    voters: &BTreeSet<NodeId>,
    own: NodeId,
    staying: &BTreeSet<NodeId>,
    calling: &BTreeSet<NodeId>,
) -> bool {
    let is_wanted = !calling.is_empty() || !voters.is_disjoint(staying);
    let left = voters.iter().filter(|node| staying.contains(node) || calling.contains(node));
    voters.contains(&own) && is_wanted && left.count() < majority(voters.len())
}

#[cfg(test)]
#[path = "drain_test.rs"]
mod tests;
