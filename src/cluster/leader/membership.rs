//! Executes changes of the membership, one at a time, while this node leads.

pub(in crate::cluster) use super::observations::Observations;
use super::observations::{Look, SpoolReport};
use crate::cluster::data_dir::identity::ClusterId;
use crate::cluster::gossip::Peer;
use crate::cluster::member::Member;
use crate::cluster::membership::{
    AdmittedNames, Change, MembershipView, admin_remove, next_change, not_admitted, same_names,
};
use crate::cluster::raft::{ChangeError, MemberNode, RaftStatus};
use crate::cluster::transport::PeerAddress;
use crate::state_machine::{Command, NodeId, StateMachine};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Between two rounds.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A change that is not committed by then continues by itself, or is found joint later.
pub(in crate::cluster) const CHANGE_WITHIN: Duration = Duration::from_secs(10);
/// Deadline of the question to a joiner about its identity.
const ASK_WITHIN: Duration = Duration::from_millis(500);

/// How long a check's data is used. It is longer than gossip takes to call its node dead, which is
/// 8 s: until then gossip may be older than the check. Checks of an earlier leadership are older.
const CHECK_AGE_MAX: Duration = Duration::from_secs(10);

/// Runs until `stop` is cancelled; acts while this node leads. It is separate from the other
/// duties: a change waits for new members, and slots must not wait for a change.
pub(in crate::cluster) async fn run(member: Arc<Member>, stop: CancellationToken) {
    let mut observations = Observations::default();
    let mut told = BTreeSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        look(&member, &mut observations, &mut told).await;
    }
}

/// Does what is due if this node leads, and returns whether it does (rule 26).
pub(super) async fn look(
    member: &Member,
    observations: &mut Observations,
    told: &mut BTreeSet<String>,
) -> bool {
    let status = member.raft().status();
    let is_acting = status.is_leader && status.has_applied_own_term;
    observations.leads(is_acting.then_some(status.term));
    let (true, Some(cluster)) = (is_acting, member.cluster()) else {
        let peers = member.gossip.peers().await;
        observations.hear(&status, &|node| spooled(member, &peers, node));
        return false;
    };
    let pods: Vec<String> =
        status.members.values().map(|status| status.node.name.clone()).collect();
    observations.names.ask(&member.discovery, &pods, member.clock.monotonic()).await;
    let view = view(member, observations, &status, cluster).await;
    retire_orphans(member, status.term).await;
    tell_same_names(&view, told);
    tell_not_admitted(member, &view, observations);
    if let Some(change) = decide(member, &view) {
        perform(member, &status, change).await;
    }
    true
}

/// What a member says about its spool: to this node as its leader, else by gossip.
fn spooled(member: &Member, peers: &[Peer], node: NodeId) -> SpoolReport {
    let checks = member.checks.lock();
    let now = member.clock.monotonic();
    let checked = checks.get(&node).filter(|seen| now.saturating_sub(seen.at) < CHECK_AGE_MAX);
    let told = peers.iter().find(|peer| peer.node == node);
    match (checked, told) {
        (Some(seen), _) => SpoolReport::Now(seen.spooled),
        (None, Some(peer)) if peer.is_live => SpoolReport::Now(peer.facts.spooled),
        (None, Some(peer)) => SpoolReport::Once(peer.facts.spooled),
        (None, None) => SpoolReport::Unknown,
    }
}

/// Warns once about each pod name of several live nodes: a person has to stop one of them. A pod
/// with a wiped disk has a twin while its old process counts as live.
fn tell_same_names(view: &MembershipView, told: &mut BTreeSet<String>) {
    let shared = same_names(view);
    told.retain(|name| shared.contains_key(name.as_str()));
    for (name, nodes) in shared {
        if told.insert(name.to_owned()) {
            warn!(name, ?nodes, "one pod name, several live nodes");
        }
    }
}

/// Counts and warns once about each live node whose name is not admitted.
fn tell_not_admitted(member: &Member, view: &MembershipView, observations: &mut Observations) {
    let live: BTreeSet<NodeId> = view.joiners.iter().map(|joiner| joiner.node).collect();
    observations.not_admitted.retain(|node| live.contains(node));
    for joiner in not_admitted(view) {
        if observations.not_admitted.insert(joiner.node) {
            member.not_admitted.fetch_add(1, Ordering::Relaxed);
            let (name, node) = (&joiner.name, joiner.node);
            warn!(
                name,
                %node,
                "a node of this name is no member: it is not of this set, nor in cluster.admit"
            );
        }
    }
}

/// A node that lost what it had acknowledged comes before anything else (rule 28).
fn decide(member: &Member, view: &MembershipView) -> Option<Change> {
    let reverted = member.raft().reverted();
    let removal = reverted.into_iter().find_map(|node| admin_remove(view, node).ok());
    removal.or_else(|| next_change(view))
}

/// The leader's current view. Without memory a caller knows which nodes answer, but not for how
/// long they have been in their state.
pub(in crate::cluster) async fn view(
    member: &Member,
    observations: &mut Observations,
    status: &RaftStatus,
    cluster: ClusterId,
) -> MembershipView {
    let now = member.clock.monotonic();
    let mut peers = member.gossip.peers().await;
    peers.push(member.own_peer());
    let told = |node: NodeId| peers.iter().find(|peer| peer.node == node);
    let drains =
        |node| member.drains(node) || told(node).is_some_and(|peer| peer.facts.is_draining);
    let spooled = |node| spooled(member, &peers, node);
    let (retired, level) = member.raft().read(|state| {
        let retired = state.retired().map(|(node, _)| node);
        // A node that had a life here and is not a member is about to be retired. While it is live,
        // it must not count as a joiner.
        let leaving = state.booted().filter(|node| !status.members.contains_key(node));
        (retired.chain(leaving).collect::<BTreeSet<_>>(), state.feature_level())
    });
    let mut view = MembershipView {
        cluster,
        leader: member.own.node,
        voters: status.voters.clone(),
        is_joint: status.is_joint,
        members: Vec::new(),
        joiners: Vec::new(),
        retired,
        has_static_seeds: member.has_static_seeds(),
        removal_grace: member.removal_grace,
        feature_level: level.0,
        admission: AdmittedNames::new(&member.own.name, &member.admit),
    };
    let (drains, spooled) = (&drains, &spooled);
    let look = Look { now, own: member.own.node, status, peers: &peers, drains, spooled };
    observations.take(&look, &mut view);
    view
}

/// Executes one change. After a failure the next round decides again.
async fn perform(member: &Member, status: &RaftStatus, change: Change) {
    info!(?change, "changing the membership");
    let changed = tokio::time::timeout(CHANGE_WITHIN, carry_out(member, status, &change)).await;
    match changed {
        Ok(Ok(())) => {}
        Ok(Err(error)) => warn!(%error, ?change, "the membership was not changed"),
        Err(_) => warn!(?change, "the membership is not changed yet"),
    }
}

/// Makes one change. If the future is dropped early, the change may still happen.
///
/// # Errors
/// The membership is unchanged or joint, or the node has stopped.
pub(in crate::cluster) async fn carry_out(
    member: &Member,
    status: &RaftStatus,
    change: &Change,
) -> Result<(), ChangeError> {
    let raft = member.raft();
    match change {
        Change::FinishJoint => raft.set_voters(status, &status.next_voters).await,
        Change::AddLearner { node, name, address } => {
            if !is_what_it_says(member, *node, address).await {
                return Err(ChangeError::Stranger);
            }
            let at = MemberNode { name: name.clone(), address: address.clone() };
            raft.set_member(status, *node, at).await
        }
        Change::UpdateAddress { node, address } => {
            let Some(known) = status.members.get(node) else { return Ok(()) };
            // A cluster of one has no names; its member gets one when it starts with peers.
            let is_unnamed = known.node.name.is_empty() && *node == member.own.node;
            let name = if is_unnamed { &member.own.name } else { &known.node.name };
            let at = MemberNode { name: name.clone(), address: address.clone() };
            raft.set_member(status, *node, at).await
        }
        Change::SetVoters(voters) => raft.set_voters(status, voters).await,
        Change::Replace { old, new } => {
            let mut voters = status.voters.clone();
            voters.remove(old);
            voters.insert(*new);
            raft.set_voters_and_drop(status, &voters).await
        }
        Change::Remove(nodes) => {
            let voters: BTreeSet<NodeId> = status.voters.difference(nodes).copied().collect();
            if voters != status.voters {
                // The learners among them are removed in the next round.
                return raft.set_voters_and_drop(status, &voters).await;
            }
            raft.remove_members(status, nodes).await
        }
    }
}

/// Asks a joiner directly: gossip may be old, and an address may have a new owner.
async fn is_what_it_says(member: &Member, node: NodeId, address: &str) -> bool {
    let target = PeerAddress { node: Some(node), address: address.to_owned() };
    let Some(status) = member.ask(&target, ASK_WITHIN).await else { return false };
    let cluster = member.cluster().map_or(0, |id| id.0);
    let level = member.raft().read(StateMachine::feature_level);
    status.node == node.0
        && (status.is_pristine || status.cluster == cluster)
        && status.feature_level >= level.0
}

/// Retires nodes that the log knows and that are not members any more: they never come back. They
/// are found here and not recorded at their removal, because a leader may die in between.
async fn retire_orphans(member: &Member, term: u64) {
    // The state is read first: a node whose start is in it was a member before, so a later
    // membership lacks it only if it was removed. Only a leader's membership counts: a deposed
    // leader would take a new member for an orphan.
    let booted: Vec<NodeId> = member.raft().read(|state| state.booted().collect());
    let status = member.raft().status();
    if status.is_joint || !status.is_leader || status.term != term {
        return;
    }
    let orphans = booted.into_iter().filter(|node| !status.members.contains_key(node));
    let orphans: Vec<Command> = orphans.map(|node| Command::Retire { node }).collect();
    if orphans.is_empty() {
        return;
    }
    info!(nodes = orphans.len(), "retiring nodes that are no members any more");
    if let Err(error) = member.proposer.propose_as_leader(term, orphans).await {
        warn!(%error, "nodes are not retired yet");
    }
}

#[cfg(test)]
#[path = "membership_test.rs"]
mod tests;
