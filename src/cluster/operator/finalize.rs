//! An operator's order to raise the feature level without the wait: the old binary will not return
//! (rule 22). Any node accepts it; the leader executes it, or names the members that block it.

use crate::cluster::handle::Cluster;
use crate::cluster::leader::feature_level::levels;
use crate::cluster::member::Member;
use crate::cluster::membership::{Short, reachable};
use crate::cluster::proposal::batcher::Queue;
use crate::cluster::proposal::error::AcceptError;
use crate::cluster::proposal::priority::Priority;
use crate::cluster::raft::{RaftNode, RaftStatus};
use crate::cluster::transport::proto::finalized::Refusal;
use crate::cluster::transport::proto::{self, Finalize, Finalized};
use crate::cluster::transport::{CallError, PeerRoute, RefusalKind, Rejection};
use crate::state_machine::{Command, FeatureLevel, NodeId, StateMachine};
use prost::Message as _;
use std::fmt;
use std::time::Duration;
use tracing::info;

/// Deadline of the proposal.
const PROPOSE_WITHIN: Duration = Duration::from_secs(5);
/// Deadline of the forwarded order: the leader's own deadline plus the transfer.
const ORDER_WITHIN: Duration = Duration::from_secs(7);

/// A member that cannot apply a level, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    pub node: NodeId,
    /// Its pod name; empty if unknown.
    pub name: String,
    /// The newest level that it can apply. `None`: it does not answer, or has not reported it.
    pub level: Option<FeatureLevel>,
}

/// `NAME (ID), level N`.
impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.as_str() {
            "" => write!(f, "{}, ", self.node)?,
            name => write!(f, "{name} ({}), ", self.node)?,
        }
        match self.level {
            Some(level) => write!(f, "level {level}"),
            None => f.write_str("level not known"),
        }
    }
}

/// Why the level was not raised. Nothing was changed, except as a variant says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FinalizeError {
    /// There is no leader, or none that answers.
    #[error("no leader could be asked")]
    NoLeader,
    /// The leader's build does not know this order.
    #[error("the leader's version does not know this order: roll it first")]
    OldLeader,
    /// Some members cannot apply the level of the newest ones: roll or remove them.
    #[error("feature level {level} is not known to all members: {}", list(members))]
    Lacking { level: FeatureLevel, members: Vec<Lack> },
    /// No confirmation in time. It may have been executed, or still be.
    #[error("not confirmed in time: it may still happen")]
    Unconfirmed,
}

fn list(members: &[Lack]) -> String {
    members.iter().map(Lack::to_string).collect::<Vec<_>>().join("; ")
}

impl Cluster {
    /// Raises the feature level to the newest that the members can apply, and returns the active
    /// level: the old one if there is no higher one.
    ///
    /// # Errors
    /// Not all members can apply it, or no leader confirmed it.
    pub async fn finalize(&self) -> Result<FeatureLevel, FinalizeError> {
        match &self.member {
            Some(member) if member.raft().leads_term().is_none() => member.order_finalize().await,
            member => {
                finalize(&self.proposer.raft, &self.queue, self.node, member.as_deref()).await
            }
        }
    }
}

impl Member {
    async fn order_finalize(&self) -> Result<FeatureLevel, FinalizeError> {
        let leader = self.proposer.leader().ok_or(FinalizeError::NoLeader)?;
        let body = Finalize {}.encode_to_vec();
        let answer = self.peers.call(&leader, PeerRoute::Finalize, body, ORDER_WITHIN).await;
        let answer = answer.map_err(|error| match error {
            CallError::Refused {
                source: Rejection { kind: RefusalKind::Malformed, .. }, ..
            } => FinalizeError::OldLeader,
            CallError::Unreachable { .. } | CallError::Refused { .. } => FinalizeError::NoLeader,
            CallError::Broken { .. } | CallError::TimedOut { .. } => FinalizeError::Unconfirmed,
        })?;
        decode(Finalized::decode(answer).map_err(|_| FinalizeError::Unconfirmed)?)
    }

    /// Answers an order to raise the level.
    pub(in crate::cluster) async fn answer_finalize(&self) -> Finalized {
        encode(finalize(self.raft(), &self.queue, self.own.node, Some(self)).await)
    }
}

/// Raises the level, if this node leads (rule 26).
async fn finalize(
    raft: &RaftNode,
    queue: &Queue,
    own: NodeId,
    member: Option<&Member>,
) -> Result<FeatureLevel, FinalizeError> {
    let status = raft.status();
    if !status.is_leader || !status.has_applied_own_term {
        return Err(FinalizeError::NoLeader);
    }
    let active = raft.read(StateMachine::feature_level);
    let level = reachable(active, &levels(&status, own, member));
    let level = level.map_err(|short| lacking(short, &status))?;
    if level == active {
        return Ok(active);
    }
    info!(%level, "raising the feature level on an operator's order");
    let raise = vec![Command::RaiseLevel { level }];
    match queue.submit(raise, Priority::Work, PROPOSE_WITHIN).await {
        Ok(_) => Ok(raft.read(StateMachine::feature_level)),
        Err(AcceptError::NoLeader) => Err(FinalizeError::NoLeader),
        Err(
            AcceptError::Unconfirmed
            | AcceptError::Unanswered { .. }
            | AcceptError::TooLarge { .. }
            | AcceptError::Full
            | AcceptError::Overloaded
            | AcceptError::DiskLow
            | AcceptError::Stopped,
        ) => Err(FinalizeError::Unconfirmed),
    }
}

fn lacking(Short { level, members }: Short, status: &RaftStatus) -> FinalizeError {
    let name = |node| status.members.get(&node).map(|member| member.node.name.clone());
    let members = members.into_iter();
    let members = members.map(|(node, level)| {
        let name = name(node).unwrap_or_default();
        Lack { node, name, level }
    });
    FinalizeError::Lacking { level, members: members.collect() }
}

pub(in crate::cluster) fn encode(done: Result<FeatureLevel, FinalizeError>) -> Finalized {
    let of = |refusal: Refusal| Finalized { refusal: refusal.into(), ..Finalized::default() };
    match done {
        Ok(level) => Finalized { feature_level: level.0, ..of(Refusal::None) },
        // The caller detects an old leader itself; this node cannot be one.
        Err(FinalizeError::NoLeader | FinalizeError::OldLeader) => of(Refusal::NoLeader),
        Err(FinalizeError::Lacking { level, members }) => {
            let lacking = members.into_iter().map(|lack| proto::Lacking {
                node: lack.node.0,
                name: lack.name,
                feature_level: lack.level.map_or(0, |level| level.0),
            });
            let lacking = lacking.collect();
            Finalized { feature_level: level.0, lacking, ..of(Refusal::Lacking) }
        }
        Err(FinalizeError::Unconfirmed) => of(Refusal::Unconfirmed),
    }
}

pub(in crate::cluster) fn decode(answer: Finalized) -> Result<FeatureLevel, FinalizeError> {
    // An unknown refusal comes from a newer leader. It says only that the order failed.
    let Ok(refusal) = Refusal::try_from(answer.refusal) else {
        return Err(FinalizeError::Unconfirmed);
    };
    let level = FeatureLevel(answer.feature_level);
    match refusal {
        Refusal::None => Ok(level),
        Refusal::NoLeader => Err(FinalizeError::NoLeader),
        Refusal::Lacking => {
            let members = answer.lacking.into_iter().map(|lack| Lack {
                node: NodeId(lack.node),
                name: lack.name,
                level: (lack.feature_level != 0).then_some(FeatureLevel(lack.feature_level)),
            });
            Err(FinalizeError::Lacking { level, members: members.collect() })
        }
        Refusal::Unconfirmed => Err(FinalizeError::Unconfirmed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::raft::{MemberNode, MemberStatus};

    fn third(level: Option<u32>, name: &str) -> Lack {
        Lack { node: NodeId(3), name: name.to_owned(), level: level.map(FeatureLevel) }
    }

    #[test]
    fn every_answer_reads_back() {
        let members = vec![third(Some(1), "relay-2"), third(None, "")];
        for done in [
            Ok(FeatureLevel(2)),
            Err(FinalizeError::NoLeader),
            Err(FinalizeError::Lacking { level: FeatureLevel(2), members }),
            Err(FinalizeError::Unconfirmed),
        ] {
            assert_eq!(decode(encode(done.clone())), done);
        }
        let newer = Finalized { refusal: 99, ..Finalized::default() };
        assert_eq!(decode(newer), Err(FinalizeError::Unconfirmed));
    }

    #[test]
    fn rule_22_a_refusal_names_the_members_that_lack_the_level_and_what_they_have() {
        let member = MemberStatus {
            node: MemberNode { name: "relay-2".to_owned(), address: String::new() },
            is_voter: true,
            matched_index: None,
            answered_ago: None,
        };
        let status = RaftStatus { members: [(NodeId(3), member)].into(), ..RaftStatus::default() };
        let members = [(NodeId(3), Some(FeatureLevel(1))), (NodeId(4), None)].into();
        let told = lacking(Short { level: FeatureLevel(2), members }, &status).to_string();
        assert_eq!(
            told,
            "feature level 2 is not known to all members: relay-2 (0000000000000003), level 1; \
             0000000000000004, level not known"
        );
    }
}
