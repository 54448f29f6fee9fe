//! How nodes join: as learners, under their pod's name, with their own address. Pure.

use super::{
    CAUGHT_UP_MIN, Change, ClusterMember, JOINER_LIVE_MIN, Joiner, MembershipView, by_ordinal,
    voters,
};
use crate::state_machine::NodeId;
use std::collections::{BTreeMap, BTreeSet};

/// Live nodes that share a pod name, by name: two processes have one name, or a wiped pod's old
/// process still runs. Neither is changed until one of them is silent; an operator must learn of
/// it.
#[must_use]
pub fn same_names(view: &MembershipView) -> BTreeMap<&str, BTreeSet<NodeId>> {
    let members = view.members.iter().filter(|m| m.is_live()).map(|m| (m.name.as_str(), m.node));
    let joiners = view.joiners.iter().map(|s| (s.name.as_str(), s.node));
    let mut names: BTreeMap<&str, BTreeSet<NodeId>> = BTreeMap::new();
    for (name, node) in members.chain(joiners) {
        names.entry(name).or_default().insert(node);
    }
    names.retain(|_, nodes| nodes.len() > 1);
    names
}

/// It may vote once it has caught up.
pub(super) fn is_eligible(view: &MembershipView, member: &ClusterMember) -> bool {
    !member.is_draining && !has_live_twin(view, member)
}

/// It may vote.
pub(super) fn is_ready(view: &MembershipView, member: &ClusterMember) -> bool {
    let has_caught_up = member.caught_up_for.is_some_and(|lasting| lasting >= CAUGHT_UP_MIN);
    has_caught_up && member.is_live() && view.answers(member) && is_eligible(view, member)
}

fn has_live_twin(view: &MembershipView, member: &ClusterMember) -> bool {
    view.members.iter().any(|m| m.node != member.node && m.name == member.name && m.is_live())
}

/// The first live member that announces another address than the membership has.
pub(super) fn update_address(view: &MembershipView) -> Option<Change> {
    view.members.iter().filter(|member| member.is_live()).find_map(|member| {
        let address = member.announced_address.as_ref().filter(|it| **it != member.address)?;
        Some(Change::UpdateAddress { node: member.node, address: address.clone() })
    })
}

/// Joiners that would be welcome under another name.
pub fn not_admitted(view: &MembershipView) -> impl Iterator<Item = &Joiner> {
    view.joiners.iter().filter(|joiner| !view.admission.admits(&joiner.name))
}

/// It can be added: its name is admitted, it belongs here or to no cluster, can apply the log, and
/// is the only live node of its name.
pub(super) fn is_welcome(view: &MembershipView, joiner: &Joiner) -> bool {
    let belongs_here = joiner.cluster == Some(view.cluster);
    let belongs_nowhere = joiner.cluster.is_none() && joiner.is_pristine;
    let is_known =
        view.retired.contains(&joiner.node) || view.members.iter().any(|m| m.node == joiner.node);
    let has_twin = view.members.iter().any(|m| m.name == joiner.name && m.is_live())
        || view.joiners.iter().any(|s| s.name == joiner.name && s.node != joiner.node);
    (belongs_here || belongs_nowhere)
        && !is_known
        && !has_twin
        && view.admission.admits(&joiner.name)
        && joiner.feature_level >= view.feature_level
        && joiner.live_for >= JOINER_LIVE_MIN
}

pub(super) fn add_learner(view: &MembershipView) -> Option<Change> {
    let welcome = view.joiners.iter().filter(|joiner| is_welcome(view, joiner));
    let first = welcome.min_by_key(|joiner| by_ordinal(&joiner.name, joiner.node))?;
    let Joiner { node, name, address, .. } = first.clone();
    Some(Change::AddLearner { node, name, address })
}

/// A ready learner with the name of a voter that is silent: the pod lost its disk.
pub(super) fn replace(view: &MembershipView) -> Option<Change> {
    let voting = view.members.iter().filter(|m| view.is_voter(m));
    let pairs = voting.filter_map(|old| {
        let is_successor =
            |m: &&ClusterMember| m.name == old.name && !view.is_voter(m) && is_ready(view, m);
        Some((old, view.members.iter().find(is_successor)?))
    });
    let (old, new) = pairs.min_by_key(|(old, _)| by_ordinal(&old.name, old.node))?;
    let mut after = view.voters.clone();
    after.remove(&old.node);
    after.insert(new.node);
    let change = voters::set_voters(view, after)?;
    // Only an operator gives up a spool (rule 13): its member loses the vote and stays.
    Some(if old.spooled > 0 { change } else { Change::Replace { old: old.node, new: new.node } })
}

#[cfg(test)]
#[path = "joining_test.rs"]
mod tests;
