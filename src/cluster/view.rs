//! The members of the cluster, as `GET /api/v1/cluster` shows them: what the leader knows if it
//! answers, else what this node knows.

use super::data_dir::identity::ClusterId;
use super::gossip::{NodeFacts, Peer};
use super::membership::{fault_tolerance, majority};
use super::raft::{LogEnd, RaftStatus};
use super::transport::proto::{self, member_view};
use crate::state_machine::{FeatureLevel, NodeId, StateMachine, millis};
use prost::Message as _;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A member that has not answered for this long is suspect: its slots move (rule 2).
pub(super) const SUSPECT_AFTER: Duration = Duration::from_millis(1_500);
/// After this long it counts as dead, which moves nothing by itself.
const DEAD_AFTER: Duration = Duration::from_secs(10);

/// The state of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberState {
    Live,
    Suspect,
    Dead,
}

impl MemberState {
    /// The word used in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Suspect => "suspect",
            Self::Dead => "dead",
        }
    }

    fn after(silence: Duration) -> Self {
        if silence < SUSPECT_AFTER {
            Self::Live
        } else if silence < DEAD_AFTER {
            Self::Suspect
        } else {
            Self::Dead
        }
    }
}

/// One member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberView {
    pub node: NodeId,
    /// Its pod name.
    pub name: String,
    pub peer_address: String,
    pub is_voter: bool,
    /// `None` if unknown.
    pub state: Option<MemberState>,
    pub matched_index: Option<u64>,
    /// Entries it lacks.
    pub lag: Option<u64>,
    pub last_contact_ms: Option<u64>,
    /// Whether it owns no slots for a while because it delivered nothing (rule 27). `None` if
    /// unknown.
    pub is_unhealthy: Option<bool>,
    /// What it publishes by gossip.
    pub told: Option<NodeFacts>,
    pub slots: u32,
}

/// The cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterView {
    pub cluster_id: Option<ClusterId>,
    pub leader: Option<NodeId>,
    pub term: u64,
    /// Whether entries can be committed now.
    pub has_quorum: bool,
    /// Whether this is the leader's view; else it is what this node knows.
    pub is_of_leader: bool,
    pub members: Vec<MemberView>,
    pub slots_unowned: u32,
    pub applied_index: u64,
    /// Where the log of this node ends. It may hold more than is known to be committed; a recovery
    /// from one of several logs takes the one that ends last.
    pub own_log_end: LogEnd,
    /// The level at which the cluster writes, as far as this node has applied the log.
    pub feature_level: FeatureLevel,
    /// Live nodes in gossip, including this one.
    pub gossip_live: Vec<NodeId>,
}

impl ClusterView {
    /// Voters that must agree.
    #[must_use]
    pub fn quorum(&self) -> usize {
        majority(self.voters().len())
    }

    /// Voters that may be lost before nothing can be committed any more.
    #[must_use]
    pub fn fault_tolerance(&self) -> usize {
        let is_live =
            |member: &&MemberView| member.state.is_none_or(|state| state == MemberState::Live);
        let live = self.members.iter().filter(is_live).map(|member| member.node).collect();
        fault_tolerance(&self.voters(), &live)
    }

    /// Nodes in only one of gossip and membership.
    #[must_use]
    pub fn gossip_differs(&self) -> Vec<NodeId> {
        let members = self.members.iter().map(|member| member.node);
        let strangers = self.gossip_live.iter().copied();
        let strangers = strangers.filter(|node| self.members.iter().all(|m| m.node != *node));
        members.filter(|node| !self.gossip_live.contains(node)).chain(strangers).collect()
    }

    fn voters(&self) -> BTreeSet<NodeId> {
        let voters = self.members.iter().filter(|member| member.is_voter);
        voters.map(|member| member.node).collect()
    }

    /// Adds the data of replicated state and gossip, which every node has.
    pub(super) fn complete(&mut self, state: &StateMachine, live: Vec<Peer>) {
        let mut slots: BTreeMap<NodeId, u32> = BTreeMap::new();
        for (_, slot) in state.slots() {
            match slot.owner {
                Some(owner) => *slots.entry(owner).or_default() += 1,
                None => self.slots_unowned += 1,
            }
        }
        self.feature_level = state.feature_level();
        self.gossip_live = live.iter().map(|peer| peer.node).collect();
        let mut told: BTreeMap<NodeId, NodeFacts> =
            live.into_iter().map(|peer| (peer.node, peer.facts)).collect();
        for member in &mut self.members {
            member.slots = slots.get(&member.node).copied().unwrap_or_default();
            member.told = told.remove(&member.node);
        }
    }
}

/// The view from a Raft status. Only a leader knows the states of its members.
pub(super) fn of_status(status: &RaftStatus, own: NodeId, has_quorum: bool) -> ClusterView {
    let members = status.members.iter().map(|(node, member)| {
        let silence = if *node == own { Some(Duration::ZERO) } else { member.answered_ago };
        let known = silence.filter(|_| status.is_leader || *node == own);
        let matched = if *node == own { Some(status.last_index) } else { member.matched_index };
        let matched = matched.filter(|_| status.is_leader);
        MemberView {
            node: *node,
            name: member.node.name.clone(),
            peer_address: member.node.address.clone(),
            is_voter: member.is_voter,
            state: known.map(MemberState::after).or(status.is_leader.then_some(MemberState::Dead)),
            matched_index: matched,
            lag: matched.map(|matched| status.last_index.saturating_sub(matched)),
            last_contact_ms: known.map(millis),
            is_unhealthy: status.is_leader.then_some(false),
            told: None,
            slots: 0,
        }
    });
    ClusterView {
        cluster_id: None,
        leader: status.leader,
        term: status.term,
        has_quorum,
        is_of_leader: status.is_leader,
        members: members.collect(),
        slots_unowned: 0,
        applied_index: status.applied_index,
        own_log_end: LogEnd::default(),
        feature_level: FeatureLevel::default(),
        gossip_live: Vec::new(),
    }
}

/// The leader's part of a view, for a node that asked.
pub(super) fn encode(view: &ClusterView) -> Vec<u8> {
    use member_view::State;
    let members = view.members.iter().map(|member| proto::MemberView {
        node: member.node.0,
        name: member.name.clone(),
        peer_address: member.peer_address.clone(),
        is_voter: member.is_voter,
        state: match member.state {
            Some(MemberState::Live) => State::Live.into(),
            Some(MemberState::Suspect) => State::Suspect.into(),
            Some(MemberState::Dead) => State::Dead.into(),
            None => State::Unknown.into(),
        },
        matched_index: member.matched_index,
        lag: member.lag,
        last_contact_ms: member.last_contact_ms,
        is_unhealthy: member.is_unhealthy,
    });
    let message = proto::ClusterView {
        leader: if view.is_of_leader { view.leader.map_or(0, |node| node.0) } else { 0 },
        term: view.term,
        has_quorum: view.has_quorum,
        members: members.collect(),
        applied_index: view.applied_index,
    };
    message.encode_to_vec()
}

/// A leader's part of a view; `None` if the answer is not from a leader.
pub(super) fn decode(bytes: &[u8]) -> Option<ClusterView> {
    use member_view::State;
    let message = proto::ClusterView::decode(bytes).ok()?;
    let members = message.members.into_iter().map(|member| MemberView {
        state: match member.state() {
            State::Live => Some(MemberState::Live),
            State::Suspect => Some(MemberState::Suspect),
            State::Dead => Some(MemberState::Dead),
            State::Unknown => None,
        },
        node: NodeId(member.node),
        name: member.name,
        peer_address: member.peer_address,
        is_voter: member.is_voter,
        matched_index: member.matched_index,
        lag: member.lag,
        last_contact_ms: member.last_contact_ms,
        is_unhealthy: member.is_unhealthy,
        told: None,
        slots: 0,
    });
    Some(ClusterView {
        cluster_id: None,
        leader: Some(NodeId(message.leader)).filter(|node| node.0 != 0)?.into(),
        term: message.term,
        has_quorum: message.has_quorum,
        is_of_leader: true,
        members: members.collect(),
        slots_unowned: 0,
        applied_index: message.applied_index,
        own_log_end: LogEnd::default(),
        feature_level: FeatureLevel::default(),
        gossip_live: Vec::new(),
    })
}

#[cfg(test)]
#[path = "view_test.rs"]
mod tests;
