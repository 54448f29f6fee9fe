//! The members of the cluster, as one node sees them, and changes of the membership.

use super::node::{RaftNode, StopCause};
use super::types::{MemberNode, TypeConfig};
use crate::state_machine::NodeId;
use openraft::ChangeMembers;
use openraft::async_runtime::Instant as _;
use openraft::async_runtime::watch::WatchReceiver as _;
use openraft::errors::{ClientWriteError, Fatal, RaftError};
use openraft::raft::Precondition;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref as _;
use std::time::Duration;

/// What a node knows about one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberStatus {
    pub node: MemberNode,
    pub is_voter: bool,
    /// The last entry it is known to have; only the leader knows it.
    pub matched_index: Option<u64>,
    /// Time since its last answer; only the leader knows it.
    pub answered_ago: Option<Duration>,
}

/// What a node knows about its cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RaftStatus {
    pub leader: Option<NodeId>,
    pub is_leader: bool,
    pub term: u64,
    /// Voters; of both sets during a change.
    pub voters: BTreeSet<NodeId>,
    pub is_joint: bool,
    /// The voters after the change in progress; the current ones without a change.
    pub next_voters: BTreeSet<NodeId>,
    pub members: BTreeMap<NodeId, MemberStatus>,
    pub last_index: u64,
    pub applied_index: u64,
    /// Whether the last applied entry is of this term: duties wait for that (rule 26).
    pub has_applied_own_term: bool,
    /// Age of the newest acknowledgement by a quorum; only the leader knows it. A sole voter is its
    /// own quorum if its disk has written all of its log.
    pub quorum_ago: Option<Duration>,
    /// The log position of the membership: a change applies to exactly this one.
    pub(in crate::cluster) membership_at: Option<super::types::LogId>,
}

/// Where a log ends. Of two logs of one cluster, the greater one has every committed entry of the
/// other: a newer term counts more than a higher index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogEnd {
    pub term: u64,
    pub index: u64,
}

/// Why the membership was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// This node does not lead, or the membership has changed meanwhile.
    #[error("the membership changed meanwhile, or this node no longer leads")]
    Outdated,
    /// The node to add differs from what gossip says.
    #[error("the node does not say of itself what gossip says")]
    Stranger,
    /// openraft does not accept the change now: another one is in progress.
    #[error("the change is not possible now")]
    NotNow(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The node has stopped. The change may or may not be in the log.
    #[error("the consensus has stopped")]
    Stopped(#[source] StopCause),
}

impl RaftNode {
    /// Forms a cluster of these members, one of which is this node. Has no effect on a node with a
    /// log.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn form(&self, members: BTreeMap<NodeId, MemberNode>) -> Result<(), StopCause> {
        let members: BTreeMap<u64, MemberNode> =
            members.into_iter().map(|(id, node)| (id.0, node)).collect();
        match self.raft.initialize(members).await {
            // This kind of error says that there is a log: then an election decides.
            Ok(()) | Err(RaftError::APIError(_)) => Ok(()),
            Err(RaftError::Fatal(fatal)) => Err(fatal.into()),
        }
    }

    /// Whether this node has neither log nor vote.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn is_pristine(&self) -> Result<bool, StopCause> {
        let is_initialized = self.raft.is_initialized().await;
        is_initialized.map(|known| !known).map_err(|fatal: Fatal<TypeConfig>| fatal.into())
    }

    /// The current leader, as far as this node knows.
    #[must_use]
    pub fn leader(&self) -> Option<(NodeId, MemberNode)> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let leader = metrics.current_leader?;
        let node = metrics.membership_config.membership().get_node(&leader)?;
        Some((NodeId(leader), node.clone()))
    }

    /// The term in which this node leads, if it does.
    #[must_use]
    pub fn leads_term(&self) -> Option<u64> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        (metrics.state.is_leader()).then_some(metrics.current_term)
    }

    /// What this node knows about its cluster.
    #[must_use]
    pub fn status(&self) -> RaftStatus {
        let metrics = self.raft.metrics().borrow_watched().clone();
        let membership = metrics.membership_config.membership();
        let voters: BTreeSet<NodeId> = membership.voter_ids().map(NodeId).collect();
        let matched = |id: u64| {
            let matched = metrics.replication.as_ref()?.get(&id)?;
            Some(matched.as_ref().map_or(0, |matched| matched.index))
        };
        let answered = |id: u64| {
            let answered = metrics.heartbeat.as_ref()?.get(&id)?.as_ref()?;
            Some(answered.deref().elapsed())
        };
        let members = membership.nodes().map(|(id, node)| {
            let status = MemberStatus {
                node: node.clone(),
                is_voter: voters.contains(&NodeId(*id)),
                matched_index: matched(*id),
                answered_ago: answered(*id),
            };
            (NodeId(*id), status)
        });
        let applied = metrics.last_applied;
        let is_sole_voter = voters.iter().eq([&self.id]) && metrics.state.is_leader();
        // A sole voter gets no acknowledgements. While its disk lags behind, only a confirmed entry
        // is a proof.
        let is_written =
            metrics.running_state.is_ok() && metrics.last_log_index == applied.map(|id| id.index);
        let acked_ago = metrics.last_quorum_acked.as_ref().map(|at| at.deref().elapsed());
        let next_voters = membership.get_joint_config().last();
        RaftStatus {
            leader: metrics.current_leader.map(NodeId),
            is_leader: metrics.state.is_leader(),
            term: metrics.current_term,
            is_joint: membership.get_joint_config().len() > 1,
            next_voters: next_voters
                .map(|set| set.iter().copied().map(NodeId).collect())
                .unwrap_or_default(),
            members: members.collect(),
            last_index: metrics.last_log_index.unwrap_or_default(),
            applied_index: applied.map_or(0, |id| id.index),
            has_applied_own_term: applied.is_some_and(|id| *id.leader_id == metrics.current_term),
            quorum_ago: if is_sole_voter {
                is_written.then_some(Duration::ZERO)
            } else {
                acked_ago
            },
            membership_at: *metrics.membership_config.log_id(),
            voters,
        }
    }

    /// Where the log of this node ends.
    #[must_use]
    pub fn log_end(&self) -> LogEnd {
        let last = self.raft.data_metrics().borrow_watched().last_log;
        last.map(|id| LogEnd { term: *id.leader_id, index: id.index }).unwrap_or_default()
    }

    /// Nodes that lost entries they had acknowledged (rule 28).
    #[must_use]
    pub fn reverted(&self) -> Vec<NodeId> {
        self.network.reverted()
    }

    /// Adds a node that gets the log without a vote, or gives a member another name or address.
    ///
    /// # Errors
    /// The membership is unchanged, or the node has stopped.
    pub async fn set_member(
        &self,
        seen: &RaftStatus,
        node: NodeId,
        at: MemberNode,
    ) -> Result<(), ChangeError> {
        // Before the change: it may happen even after the caller stopped waiting.
        self.network.moved(node.0, at.address.clone());
        let nodes = BTreeMap::from([(node.0, at)]);
        let change = if seen.members.contains_key(&node) {
            ChangeMembers::SetNodes(nodes)
        } else {
            ChangeMembers::AddNodes(nodes)
        };
        self.change(seen, change, true).await
    }

    /// Makes exactly these members the voters, through one joint change. Others stay as learners.
    ///
    /// # Errors
    /// The membership is unchanged or joint, or the node has stopped.
    pub async fn set_voters(
        &self,
        seen: &RaftStatus,
        voters: &BTreeSet<NodeId>,
    ) -> Result<(), ChangeError> {
        let voters = voters.iter().map(|node| node.0).collect();
        self.change(seen, ChangeMembers::ReplaceAllVoters(voters), true).await
    }

    /// Makes exactly these members the voters. Former voters are removed.
    ///
    /// # Errors
    /// The membership is unchanged or joint, or the node has stopped.
    pub async fn set_voters_and_drop(
        &self,
        seen: &RaftStatus,
        voters: &BTreeSet<NodeId>,
    ) -> Result<(), ChangeError> {
        let voters = voters.iter().map(|node| node.0).collect();
        self.change(seen, ChangeMembers::ReplaceAllVoters(voters), false).await
    }

    /// Removes members without a vote.
    ///
    /// # Errors
    /// The membership is unchanged, or the node has stopped.
    pub async fn remove_members(
        &self,
        seen: &RaftStatus,
        nodes: &BTreeSet<NodeId>,
    ) -> Result<(), ChangeError> {
        let nodes = nodes.iter().map(|node| node.0).collect();
        self.change(seen, ChangeMembers::RemoveNodes(nodes), true).await
    }

    async fn change(
        &self,
        seen: &RaftStatus,
        change: ChangeMembers<u64, MemberNode>,
        retain: bool,
    ) -> Result<(), ChangeError> {
        // Two decisions on the same view must not both be executed.
        let unchanged =
            Precondition::LastMembershipLogId { last_membership_log_id: seen.membership_at };
        match self.raft.change_membership_if(change, retain, [unchanged]).await {
            Ok(_) => Ok(()),
            Err(RaftError::Fatal(fatal)) => Err(ChangeError::Stopped(fatal.into())),
            Err(RaftError::APIError(ClientWriteError::ChangeMembershipError(error))) => {
                Err(ChangeError::NotNow(Box::new(error)))
            }
            Err(RaftError::APIError(
                ClientWriteError::ForwardToLeader(_)
                | ClientWriteError::LogEntryDiscarded(_)
                | ClientWriteError::PreconditionFailed(_),
            )) => Err(ChangeError::Outdated),
        }
    }

    /// Asks a voter to take over the leadership. It may not happen (rule 29).
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn transfer_to(&self, node: NodeId) -> Result<(), StopCause> {
        self.raft.trigger().transfer_leader(node.0).await.map_err(StopCause::from)
    }
}
