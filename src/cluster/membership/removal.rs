//! How nodes leave: never because they are down, only because they are gone. Pure.

use super::{Change, ClusterMember, Liveness, MembershipView, joining};
use crate::state_machine::NodeId;
use std::collections::BTreeSet;

/// Why a member is not removed. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoveError {
    /// There is no such member.
    #[error("node {0} is not a member")]
    Unknown(NodeId),
    /// The leader cannot remove itself. Transfer the leadership first.
    #[error("node {0} is the leader")]
    Leader(NodeId),
    /// Another change is in progress. Try again.
    #[error("another membership change is under way")]
    ChangeUnderWay,
    /// Too few voters answer to confirm any change.
    #[error("only {answering} of {needed} needed voters answer")]
    NoQuorum { answering: usize, needed: usize },
    /// Too few of the remaining voters answer. Bring one of them back first.
    #[error("without node {node} only {answering} of {needed} needed voters answer")]
    QuorumLost { node: NodeId, answering: usize, needed: usize },
}

/// The removal that an operator asked for. Unlike the leader's own removals it needs neither a dead
/// member nor an empty spool. It may leave an even number of voters; the next change corrects that.
///
/// # Errors
/// The node is not a member or is the leader, or the remaining voters could commit nothing.
pub fn admin_remove(view: &MembershipView, node: NodeId) -> Result<Change, RemoveError> {
    if !view.members.iter().any(|member| member.node == node) {
        return Err(RemoveError::Unknown(node));
    }
    if node == view.leader {
        return Err(RemoveError::Leader(node));
    }
    if view.is_joint {
        return Err(RemoveError::ChangeUnderWay);
    }
    let (answering, needed) = view.confirming(&view.voters);
    if answering < needed {
        return Err(RemoveError::NoQuorum { answering, needed });
    }
    let mut after = view.voters.clone();
    after.remove(&node);
    let (answering, needed) = view.confirming(&after);
    if answering < needed {
        return Err(RemoveError::QuorumLost { node, answering, needed });
    }
    Ok(Change::Remove(BTreeSet::from([node])))
}

/// Dead learners whose pod name another node has now. Without this rule a pod that loses its disk
/// at every start would leave a member behind each time.
pub(super) fn superseded(view: &MembershipView) -> Option<Change> {
    let has_successor = |old: &ClusterMember| {
        let of_members = |m: &ClusterMember| m.name == old.name && m.is_live();
        view.members.iter().any(of_members)
            || view.joiners.iter().any(|s| s.name == old.name && joining::is_welcome(view, s))
    };
    let is_dead = |m: &ClusterMember| matches!(m.liveness, Liveness::Dead(_));
    remove_learners(view, |m| is_dead(m) && has_successor(m))
}

/// Learners that are gone for good. A voter that is gone loses its vote first.
pub(super) fn gone(view: &MembershipView) -> Option<Change> {
    remove_learners(view, |m| view.is_gone(m))
}

/// Removes the learners that match. Events in a spool are nowhere else, so only an operator gives
/// them up (rule 13).
fn remove_learners(view: &MembershipView, fits: impl Fn(&ClusterMember) -> bool) -> Option<Change> {
    let fitting = view.members.iter().filter(|m| !view.is_voter(m) && m.spooled == 0 && fits(m));
    let nodes: BTreeSet<NodeId> = fitting.map(|m| m.node).collect();
    (!nodes.is_empty()).then_some(Change::Remove(nodes))
}

#[cfg(test)]
#[path = "removal_test.rs"]
mod tests;
