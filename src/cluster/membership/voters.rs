//! How many members vote, and which. Pure.

use super::{
    ABSENT_VOTER_MAX, Change, ClusterMember, MembershipView, THIRD_VOTER_WAIT_MAX, VOTERS_MAX,
    by_ordinal, joining,
};
use crate::state_machine::NodeId;
use std::collections::BTreeSet;
use std::time::Duration;

/// How many of `voters` confirm an entry. Returns 1 for 0 voters, so that an empty set never has a
/// majority.
#[must_use]
pub fn majority(voters: usize) -> usize {
    voters / 2 + 1
}

/// How many live voters may still be lost before nothing can be committed. Also zero if nothing can
/// be committed now.
#[must_use]
pub fn fault_tolerance(voters: &BTreeSet<NodeId>, live: &BTreeSet<NodeId>) -> usize {
    voters.intersection(live).count().saturating_sub(majority(voters.len()))
}

/// How many of the candidates vote. An even number survives no more losses than the odd one below,
/// but two voters are two copies.
fn voter_count(candidates: usize) -> usize {
    match candidates {
        0..=2 => candidates,
        more => (more - (more + 1) % 2).min(VOTERS_MAX),
    }
}

/// The order of candidates, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// A change that ends with another leader costs an election.
    Leader,
    SteadyVoter,
    /// Draining, or silent for less than a minute: most return.
    UnsteadyVoter,
    ReadyLearner,
    DeadVoter,
}

fn rank(view: &MembershipView, member: &ClusterMember) -> Option<Rank> {
    if view.has_left(member) {
        return None;
    }
    if member.node == view.leader {
        return Some(Rank::Leader);
    }
    if !view.is_voter(member) {
        return joining::is_ready(view, member).then_some(Rank::ReadyLearner);
    }
    if member.has_been_dead_for(ABSENT_VOTER_MAX) {
        return Some(Rank::DeadVoter);
    }
    let is_steady = view.answers(member) && !member.is_draining;
    Some(if is_steady { Rank::SteadyVoter } else { Rank::UnsteadyVoter })
}

/// The change to the best set of voters.
pub(super) fn choose_voters(view: &MembershipView) -> Option<Change> {
    let mut ranked: Vec<_> = view
        .members
        .iter()
        .filter_map(|member| Some((rank(view, member)?, by_ordinal(&member.name, member.node))))
        .collect();
    ranked.sort_unstable();
    let count = voter_count(ranked.len());
    if view.voters.len() == 1 && count == 2 && is_third_expected(view) {
        return None;
    }
    let wanted = ranked.into_iter().take(count).map(|(_, (_, node))| node).collect();
    set_voters(view, wanted)
}

/// Whether another learner is about to vote, and the first has not waited too long. One joint
/// change from one to three voters never passes through two, which survive no loss.
fn is_third_expected(view: &MembershipView) -> bool {
    let mut learners = view.members.iter().filter(|m| !view.is_voter(m));
    let is_coming = |m: &ClusterMember| {
        m.is_live() && joining::is_eligible(view, m) && !joining::is_ready(view, m)
    };
    let has_waited = |m: &ClusterMember| {
        joining::is_ready(view, m) && m.caught_up_for.is_some_and(|it| it >= THIRD_VOTER_WAIT_MAX)
    };
    learners.clone().any(is_coming) && !learners.any(has_waited)
}

/// Rule 25: if the departing voters would leave less than a quorum, the rest become the voters,
/// while the departing ones still live to confirm it.
pub(super) fn shrink_before_drain(view: &MembershipView) -> Option<Change> {
    // A live pod that is not draining is not departing: DNS servers cache, and it just returned.
    let is_going = |m: &ClusterMember| {
        let is_absent = !m.is_live() && view.is_absent_for(m, Duration::ZERO);
        m.is_draining || is_absent
    };
    let staying: Vec<&ClusterMember> =
        view.members.iter().filter(|m| view.is_voter(m) && !is_going(m)).collect();
    if staying.len() >= majority(view.voters.len()) {
        return None;
    }
    let mut rest: Vec<_> = staying
        .into_iter()
        .filter(|m| view.answers(m))
        .map(|m| (m.node != view.leader, by_ordinal(&m.name, m.node)))
        .collect();
    rest.sort_unstable();
    let count = voter_count(rest.len());
    set_voters(view, rest.into_iter().take(count).map(|(_, (_, node))| node).collect())
}

/// The change to these voters, if it changes anything and can be committed on both sides.
pub(super) fn set_voters(view: &MembershipView, voters: BTreeSet<NodeId>) -> Option<Change> {
    let is_possible = view.can_commit(&view.voters) && view.can_commit(&voters);
    (is_possible && voters != view.voters).then_some(Change::SetVoters(voters))
}

#[cfg(test)]
#[path = "voters_test.rs"]
mod tests;
