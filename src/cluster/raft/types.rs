//! The types that openraft is run with. Nothing outside `cluster/raft` names openraft.

use crate::state_machine::{Applied, Entry};
use std::fmt;
use std::sync::Arc;

/// A log entry on its way through openraft.
#[derive(Clone, Debug)]
pub struct Proposal(pub Arc<Entry>);

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} commands at {}", self.0.commands.len(), self.0.at)
    }
}

/// What applying an entry answered, one for each command; empty for openraft's own entries.
#[derive(Clone, Debug, Default)]
pub struct Answers(pub Vec<Applied>);

impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answers", self.0.len())
    }
}

/// How a member is known and reached. Part of the membership, so that a replaced disk is
/// recognised by its pod's name when nobody gossips about the old node any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberNode {
    /// Name of its pod.
    pub name: String,
    /// `HOST:PORT` of its peer listener; empty in a cluster of one.
    pub address: String,
}

openraft::declare_raft_types!(
    /// openraft over our entries.
    pub TypeConfig:
        D = Proposal,
        R = Answers,
        NodeId = u64,
        Node = MemberNode,
        Term = u64,
        LeaderId = openraft::vote::leader_id_std::LeaderId<u64, u64>,
);

pub type LogId = openraft::alias::LogIdOf<TypeConfig>;
pub type Vote = openraft::alias::VoteOf<TypeConfig>;
pub type RaftEntry = openraft::alias::EntryOf<TypeConfig>;
pub type StoredMembership = openraft::alias::StoredMembershipOf<TypeConfig>;
pub type SnapshotMeta = openraft::alias::SnapshotMetaOf<TypeConfig>;
