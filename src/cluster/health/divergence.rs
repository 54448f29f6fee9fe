//! Whether this node's state is the state of the cluster (rule 21). Pure.

use crate::cluster::raft::StateDigest;
use crate::state_machine::NodeId;
use std::collections::{BTreeMap, BTreeSet};

/// What the digests of the members mean for one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateVerdict {
    /// A majority of the members has this node's state.
    Agrees { index: u64 },
    /// A majority of the members has another state: this node is wrong.
    Differs { index: u64 },
    /// Members differ, and no state has a majority or can still get one.
    NoMajority { index: u64 },
    /// Too few digests are known yet.
    Open,
}

/// Compares the digests of node `own`, newest first, with the last reports of all members. It uses
/// the newest checkpoint that allows a decision. Digests from non-members are ignored.
#[must_use]
pub fn judge(
    members: &BTreeSet<NodeId>,
    own: NodeId,
    kept: &[StateDigest],
    told: &[(NodeId, StateDigest)],
) -> StateVerdict {
    let verdicts = kept.iter().map(|mine| {
        let others = told.iter().filter(|(node, digest)| {
            *node != own && digest.index == mine.index && members.contains(node)
        });
        let mut sums: BTreeMap<NodeId, u128> =
            others.map(|(node, digest)| (*node, digest.sum)).collect();
        sums.insert(own, mine.sum);
        at_one_checkpoint(members.len(), *mine, &sums)
    });
    verdicts
        .into_iter()
        .find(|verdict| *verdict != StateVerdict::Open)
        .unwrap_or(StateVerdict::Open)
}

fn at_one_checkpoint(
    members: usize,
    mine: StateDigest,
    sums: &BTreeMap<NodeId, u128>,
) -> StateVerdict {
    let mut votes: BTreeMap<u128, usize> = BTreeMap::new();
    for sum in sums.values() {
        *votes.entry(*sum).or_default() += 1;
    }
    let Some((leading, most)) = votes.iter().max_by_key(|(_, count)| **count) else {
        return StateVerdict::Open;
    };
    let index = mine.index;
    let silent = members.saturating_sub(sums.len());
    if *most > members / 2 {
        if *leading == mine.sum {
            StateVerdict::Agrees { index }
        } else {
            StateVerdict::Differs { index }
        }
    } else if votes.len() > 1 && most + silent <= members / 2 {
        StateVerdict::NoMajority { index }
    } else {
        StateVerdict::Open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: NodeId = NodeId(1);

    fn at(index: u64, sum: u128) -> StateDigest {
        StateDigest { index, sum }
    }

    /// The verdict of node 1 in a cluster of this size, if it has sum 7 at index 40.
    fn heard(members: u64, sums: &[(u64, u128)]) -> StateVerdict {
        let members = (1..=members).map(NodeId).collect();
        let told: Vec<_> = sums.iter().map(|(node, sum)| (NodeId(*node), at(40, *sum))).collect();
        judge(&members, OWN, &[at(40, 7)], &told)
    }

    #[test]
    fn rule_21_who_differs_from_a_majority_is_wrong() {
        assert_eq!(heard(3, &[(1, 7), (2, 8), (3, 8)]), StateVerdict::Differs { index: 40 });
        assert_eq!(heard(5, &[(2, 8), (3, 8), (4, 8)]), StateVerdict::Differs { index: 40 });
        assert_eq!(heard(5, &[(2, 8), (3, 8)]), StateVerdict::Open);
    }

    #[test]
    fn rule_21_who_is_in_the_majority_is_right_whatever_the_rest_says() {
        assert_eq!(heard(3, &[(2, 7)]), StateVerdict::Agrees { index: 40 });
        assert_eq!(heard(3, &[(2, 7), (3, 8)]), StateVerdict::Agrees { index: 40 });
        assert_eq!(heard(1, &[]), StateVerdict::Agrees { index: 40 });
    }

    #[test]
    fn rule_21_without_a_majority_nobody_is_wrong() {
        assert_eq!(heard(2, &[(2, 8)]), StateVerdict::NoMajority { index: 40 });
        assert_eq!(heard(3, &[(2, 8), (3, 9)]), StateVerdict::NoMajority { index: 40 });
        assert_eq!(heard(4, &[(2, 7), (3, 8), (4, 8)]), StateVerdict::NoMajority { index: 40 });
        // The third may still decide.
        assert_eq!(heard(3, &[(2, 8)]), StateVerdict::Open);
        assert_eq!(heard(3, &[]), StateVerdict::Open);
    }

    #[test]
    fn rule_21_who_is_no_member_has_no_say() {
        assert_eq!(heard(2, &[(2, 7), (8, 8), (9, 8)]), StateVerdict::Agrees { index: 40 });
        assert_eq!(heard(3, &[(8, 8), (9, 8)]), StateVerdict::Open);
    }

    #[test]
    fn rule_21_what_others_hold_of_this_node_does_not_count_twice() {
        // Reported before this node was restarted.
        assert_eq!(heard(3, &[(1, 8), (2, 8)]), StateVerdict::Open);
    }

    #[test]
    fn rule_21_only_states_after_the_same_entry_are_compared() {
        let members = (1..=3).map(NodeId).collect();
        let kept = [at(50, 5), at(40, 7)];
        let told = |two, three| [(NodeId(2), two), (NodeId(3), three)];
        let judged = |told: &[_]| judge(&members, OWN, &kept, told);
        assert_eq!(judged(&told(at(60, 1), at(60, 1))), StateVerdict::Open);
        assert_eq!(judged(&told(at(40, 7), at(50, 9))), StateVerdict::Agrees { index: 40 });
        assert_eq!(judged(&told(at(40, 8), at(40, 8))), StateVerdict::Differs { index: 40 });
        assert_eq!(judged(&told(at(50, 5), at(40, 8))), StateVerdict::Agrees { index: 50 });
        assert_eq!(judge(&members, OWN, &[], &told(at(50, 5), at(50, 5))), StateVerdict::Open);
    }
}
