//! Carries out changes of the membership, one at a time, while this node leads.

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

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A change that is not committed by then goes on by itself, or is found joint later.
pub(in crate::cluster) const CHANGE_WITHIN: Duration = Duration::from_secs(10);
/// Deadline of the question to a joiner what it is.
const ASK_WITHIN: Duration = Duration::from_millis(500);

/// What a check said counts for longer than gossip takes to call its node dead, which is 8 s: until
/// then gossip may be older than it. Checks of an earlier leadership are older.
const CHECK_AGE_MAX: Duration = Duration::from_secs(10);

/// Runs until `stop` is cancelled; acts while this node leads. Apart from the other duties: a
/// change waits for new members, and slots must not wait for a change.
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

/// Does what is due, if this node leads, and tells whether it does (rule 26).
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

/// What a member says of its spool, to this node as its leader or else by gossip.
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

/// Warns once of each pod name that several live nodes have: a person has to stop one of them. A
/// pod with a wiped disk has a twin for as long as its old process counts as live.
fn tell_same_names(view: &MembershipView, told: &mut BTreeSet<String>) {
    let shared = same_names(view);
    told.retain(|name| shared.contains_key(name.as_str()));
    for (name, nodes) in shared {
        if told.insert(name.to_owned()) {
            warn!(name, ?nodes, "one pod name, several live nodes");
        }
    }
}

/// Counts and warns once of each live node whose name is not admitted.
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

/// A node that lost what it had acknowledged goes before anything else (rule 28).
fn decide(member: &Member, view: &MembershipView) -> Option<Change> {
    let reverted = member.raft().reverted();
    let removal = reverted.into_iter().find_map(|node| admin_remove(view, node).ok());
    removal.or_else(|| next_change(view))
}

/// What the leader sees now. Whoever acts on a view without memory knows who answers, but not for
/// how long anybody has been as they are.
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
        // Whoever had a life here and is no member is about to be retired: still live, it must
        // not be taken for a newcomer meanwhile.
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

/// Carries out one change. Whatever fails is decided anew at the next look.
async fn perform(member: &Member, status: &RaftStatus, change: Change) {
    info!(?change, "changing the membership");
    let changed = tokio::time::timeout(CHANGE_WITHIN, carry_out(member, status, &change)).await;
    match changed {
        Ok(Ok(())) => {}
        Ok(Err(error)) => warn!(%error, ?change, "the membership was not changed"),
        Err(_) => warn!(?change, "the membership is not changed yet"),
    }
}

/// Makes one change. Dropped before its end, the change may still come about.
///
/// # Errors
/// The membership is as it was or joint, or the node has stopped.
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
            // A cluster of one has no names; its member gets one when it starts among several.
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
                // The learners among them go at the next look.
                return raft.set_voters_and_drop(status, &voters).await;
            }
            raft.remove_members(status, nodes).await
        }
    }
}

/// Asks a joiner itself: gossip may be old, and an address may have a new owner.
async fn is_what_it_says(member: &Member, node: NodeId, address: &str) -> bool {
    let target = PeerAddress { node: Some(node), address: address.to_owned() };
    let Some(status) = member.ask(&target, ASK_WITHIN).await else { return false };
    let cluster = member.cluster().map_or(0, |id| id.0);
    let level = member.raft().read(StateMachine::feature_level);
    status.node == node.0
        && (status.is_pristine || status.cluster == cluster)
        && status.feature_level >= level.0
}

/// Nodes that the log knows and that are no members any more never come back. Found here and not
/// noted at their removal: a leader may die in between.
async fn retire_orphans(member: &Member, term: u64) {
    // The state first: a node whose start is in it was a member before, so that a membership read
    // later lacks it only if it was removed. And only a leader's membership counts: one that was
    // deposed would take a newcomer for an orphan.
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
