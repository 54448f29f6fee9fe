//! Initial views. Pod `relay-N` has the node id N, and node 0 leads.

use super::*;

pub(super) const OURS: ClusterId = ClusterId(0xc);
pub(super) const SECOND: Duration = Duration::from_secs(1);
/// The grace of all views.
pub(super) const REMOVAL_GRACE: Duration = Duration::from_mins(5);
pub(super) const MINUTE: Duration = Duration::from_secs(60);

/// Pod `relay-N` with node id N: live, caught up, and in DNS.
pub(super) fn member(node: u64) -> ClusterMember {
    let name = format!("relay-{node}");
    ClusterMember {
        node: NodeId(node),
        address: format!("{name}:3320"),
        announced_address: Some(format!("{name}:3320")),
        name,
        liveness: Liveness::Live,
        answered_ago: Some(Duration::from_millis(200)),
        is_draining: false,
        caught_up_for: Some(MINUTE),
        dns: Dns::Present,
        spooled: 0,
    }
}

pub(super) fn dead(node: u64, lasting: Duration) -> ClusterMember {
    ClusterMember {
        liveness: Liveness::Dead(lasting),
        answered_ago: Some(lasting + 10 * SECOND),
        caught_up_for: None,
        ..member(node)
    }
}

/// Dead and without DNS record for this long.
pub(super) fn gone(node: u64, lasting: Duration) -> ClusterMember {
    ClusterMember { dns: Dns::Absent(lasting), ..dead(node, lasting) }
}

pub(super) fn draining(node: u64) -> ClusterMember {
    ClusterMember { is_draining: true, ..member(node) }
}

/// A second directory under the name of pod `pod`.
pub(super) fn successor(node: u64, pod: u64) -> ClusterMember {
    ClusterMember { name: format!("relay-{pod}"), ..member(node) }
}

pub(super) fn joiner(node: u64) -> Joiner {
    let name = format!("relay-{node}");
    Joiner {
        node: NodeId(node),
        address: format!("{name}:3320"),
        name,
        cluster: None,
        is_pristine: true,
        feature_level: 3,
        live_for: JOINER_LIVE_MIN,
    }
}

pub(super) fn nodes(nodes: &[u64]) -> BTreeSet<NodeId> {
    nodes.iter().copied().map(NodeId).collect()
}

/// Node 0 leads.
pub(super) fn view(voters: &[u64], members: Vec<ClusterMember>) -> MembershipView {
    MembershipView {
        cluster: OURS,
        leader: NodeId(0),
        voters: nodes(voters),
        is_joint: false,
        members,
        joiners: Vec::new(),
        retired: BTreeSet::new(),
        has_static_seeds: false,
        removal_grace: REMOVAL_GRACE,
        feature_level: 3,
        admission: AdmittedNames::new("relay-0", &[]),
    }
}

pub(super) fn live(count: u64) -> Vec<ClusterMember> {
    (0..count).map(member).collect()
}

/// A view in which every live member votes, with these members added.
pub(super) fn all_vote(live: u64, more: Vec<ClusterMember>) -> MembershipView {
    let members: Vec<ClusterMember> = (0..live).map(member).chain(more).collect();
    let voters: Vec<u64> = members.iter().map(|m| m.node.0).collect();
    view(&voters, members)
}

pub(super) fn set_voters(voters: &[u64]) -> Option<Change> {
    Some(Change::SetVoters(nodes(voters)))
}

pub(super) fn remove(removed: &[u64]) -> Option<Change> {
    Some(Change::Remove(nodes(removed)))
}

/// The joiner that is added next.
pub(super) fn added(view: &MembershipView) -> Option<u64> {
    let Some(Change::AddLearner { node, .. }) = next_change(view) else { return None };
    Some(node.0)
}
