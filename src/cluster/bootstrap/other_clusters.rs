//! What a node with a cluster does when it finds nodes of another one where only its own should be,
//! for example after a volume of a former cluster was mounted. Two clusters over one set of runs
//! send everything twice. The only node of a cluster ends. Members of a larger one continue and
//! alarm, since one foreign pod must not stop them. Gossip alone never ends a node.

use crate::cluster::data_dir::identity::ClusterId;
use crate::cluster::fatal::FatalError;
use crate::cluster::gossip::Peer;
use crate::cluster::member::Member;
use crate::cluster::transport::PeerAddress;
use crate::state_machine::NodeId;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

/// Time between two checks. It is the interval of gossip, which brings nothing new in between.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Deadline of the question that confirms the gossip.
const ASK_WITHIN: Duration = Duration::from_millis(400);

/// What live nodes of other clusters mean for this node.
#[derive(Debug, PartialEq, Eq)]
enum Verdict<'p> {
    /// There are no such nodes.
    Undisturbed,
    /// A person has to decide which of these clusters is right.
    Disturbed(BTreeSet<ClusterId>),
    /// This node is its whole cluster, and these nodes of others are ready. It ends if one of them
    /// confirms its cluster.
    EndsIfConfirmed(Vec<&'p Peer>),
}

/// The verdict for a node of cluster `own`. `is_alone`: it is the only member.
fn judge<'p>(own: ClusterId, is_alone: bool, live: &'p [Peer]) -> Verdict<'p> {
    let is_foreign = |peer: &&Peer| peer.facts.cluster.is_some_and(|cluster| cluster != own);
    let foreign: Vec<&Peer> = live.iter().filter(is_foreign).collect();
    // A node without a quorum accepts and sends nothing: it may be left over from a former cluster.
    let working: Vec<&Peer> = foreign.iter().copied().filter(|peer| peer.facts.is_ready).collect();
    match (foreign.is_empty(), is_alone && !working.is_empty()) {
        (true, _) => Verdict::Undisturbed,
        (false, true) => Verdict::EndsIfConfirmed(working),
        (false, false) => {
            Verdict::Disturbed(foreign.iter().filter_map(|peer| peer.facts.cluster).collect())
        }
    }
}

/// Runs until `stop` is cancelled, or this node has to end.
pub(in crate::cluster) async fn run(member: Arc<Member>, stop: CancellationToken) {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut told = BTreeSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = looks.tick() => {}
        }
        let Some(own) = member.cluster() else { continue };
        if let Some(found) = look(&member, own, &mut told).await {
            return member.fail(FatalError::OtherCluster { own, found });
        }
    }
}

/// Checks once. Returns the cluster that ends this node; `told` are the clusters already alarmed
/// about.
async fn look(
    member: &Member,
    own: ClusterId,
    told: &mut BTreeSet<ClusterId>,
) -> Option<ClusterId> {
    let live = member.live_peers().await;
    let found = match judge(own, is_alone(member), &live) {
        Verdict::Undisturbed => BTreeSet::new(),
        Verdict::Disturbed(found) => found,
        Verdict::EndsIfConfirmed(working) => {
            for peer in working {
                if let Some(found) = confirmed(member, own, peer).await {
                    return Some(found);
                }
            }
            return None;
        }
    };
    member.other_clusters.store(found.len(), Ordering::Relaxed);
    for cluster in found.difference(told) {
        error!(%own, found = %cluster, "nodes of another cluster are at the addresses of this one");
    }
    if found.is_empty() && !told.is_empty() {
        info!(%own, "no node of another cluster is left");
    }
    *told = found;
    None
}

/// Whether this node is the only member of its cluster.
fn is_alone(member: &Member) -> bool {
    let members: Vec<NodeId> = member.raft().status().members.into_keys().collect();
    members == [member.own.node]
}

/// The other cluster, if the peer itself confirms it.
async fn confirmed(member: &Member, own: ClusterId, peer: &Peer) -> Option<ClusterId> {
    let target = PeerAddress { node: Some(peer.node), address: peer.facts.peer_address.clone() };
    let status = member.ask(&target, ASK_WITHIN).await?;
    (status.cluster != 0 && status.cluster != own.0).then_some(ClusterId(status.cluster))
}

#[cfg(test)]
#[path = "other_clusters_test.rs"]
mod tests;
