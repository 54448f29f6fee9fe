//! Members compare their states at the checkpoints of the log (rule 21): each reports its newest
//! digest to the leader, receives those of all, and judges itself.

use crate::cluster::fatal::FatalError;
use crate::cluster::health::divergence::{StateVerdict, judge};
use crate::cluster::member::Member;
use crate::cluster::raft::StateDigest;
use crate::cluster::transport::proto;
use crate::state_machine::NodeId;
use std::sync::atomic::Ordering;
use tracing::error;

impl Member {
    /// The newest digest of this node.
    pub fn own_digest(&self) -> Option<proto::StateDigest> {
        self.raft().checkpoints().first().copied().map(proto::StateDigest::from)
    }

    /// The newest digests of all members that were reported to this node as the leader.
    pub fn digests(&self) -> Vec<(NodeId, StateDigest)> {
        let own = self.raft().checkpoints().first().map(|digest| (self.own.node, *digest));
        let checks = self.checks.lock();
        let others = checks.iter().filter_map(|(node, seen)| Some((*node, seen.digest?)));
        others.chain(own).collect()
    }

    /// Compares this node with the others. A node with a wrong state must not answer, plan or lead:
    /// its process ends. Without a majority it is unknown which node is wrong, and all continue.
    pub fn compare(&self, told: &[(NodeId, StateDigest)]) {
        let members = self.raft().status().members.into_keys().collect();
        match judge(&members, self.own.node, &self.raft().checkpoints(), told) {
            StateVerdict::Open => {}
            StateVerdict::Agrees { .. } => self.differing_at.store(0, Ordering::Relaxed),
            StateVerdict::NoMajority { index } => {
                if self.differing_at.swap(index, Ordering::Relaxed) != index {
                    error!(index, "the states of the members differ, and none has a majority");
                }
            }
            StateVerdict::Differs { index } => {
                if self.failing.borrow().is_none() {
                    error!(index, "the state of this node differs from that of a majority");
                }
                self.fail(FatalError::Diverged { index });
            }
        }
    }
}

impl From<StateDigest> for proto::StateDigest {
    fn from(digest: StateDigest) -> Self {
        let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or_default();
        Self { index: digest.index, high: half(digest.sum >> 64), low: half(digest.sum) }
    }
}

impl From<proto::StateDigest> for StateDigest {
    fn from(told: proto::StateDigest) -> Self {
        let sum = (u128::from(told.high) << 64) | u128::from(told.low);
        Self { index: told.index, sum }
    }
}

/// Digests in the form sent to members.
pub(in crate::cluster) fn encode(digests: Vec<(NodeId, StateDigest)>) -> Vec<proto::MemberDigest> {
    let encoded = digests
        .into_iter()
        .map(|(node, digest)| proto::MemberDigest { node: node.0, digest: Some(digest.into()) });
    encoded.collect()
}

/// Digests as a member reads them; an entry without a digest is ignored.
pub(in crate::cluster) fn decode(told: Vec<proto::MemberDigest>) -> Vec<(NodeId, StateDigest)> {
    let decoded = told.into_iter();
    decoded.filter_map(|told| Some((NodeId(told.node), told.digest?.into()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_21_digests_cross_whole() {
        let digests = vec![
            (NodeId(1), StateDigest { index: 40, sum: u128::MAX - 1 }),
            (NodeId(2), StateDigest { index: 41, sum: 1 << 64 }),
        ];
        assert_eq!(decode(encode(digests.clone())), digests);
        assert_eq!(decode(vec![proto::MemberDigest { node: 3, digest: None }]), []);
    }
}
