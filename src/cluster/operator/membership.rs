//! Orders of operators: remove a node, transfer the leadership. Any node accepts an order; the
//! leader executes it with the rules of its own duties, or says why not.

use crate::cluster::handle::Cluster;
use crate::cluster::leader::membership::{CHANGE_WITHIN, Observations, carry_out, view};
use crate::cluster::member::Member;
use crate::cluster::membership::{CAUGHT_UP_LAG_MAX, RemoveError, admin_remove};
use crate::cluster::raft::{ChangeError, RaftStatus};
use crate::cluster::shutdown::drain::{ANSWERED_WITHIN, transfer_leadership_to, transfer_target};
use crate::cluster::transport::proto::ordered::Refusal;
use crate::cluster::transport::proto::{HandOver, Ordered, Remove};
use crate::cluster::transport::{CallError, PeerRoute};
use crate::state_machine::NodeId;
use prost::Message as _;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::info;

/// Deadline of the forwarded order: the leader's own deadline plus the transfer.
const ORDER_WITHIN: Duration = Duration::from_secs(12);
/// Wait before a removal is retried that collided with a change by the leader itself.
const RETRY: Duration = Duration::from_millis(100);

/// A node, and the name of its pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub node: NodeId,
    /// Empty if unknown.
    pub name: String,
}

/// Why an order was not executed. Nothing was changed, except as a variant says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// There is no leader, or none that answers.
    #[error("no leader could be asked")]
    NoLeader,
    /// There is no such member.
    #[error("node {0} is not a member")]
    Unknown(NodeId),
    /// The leader cannot remove itself.
    #[error("node {0} leads: transfer the leadership first")]
    Leads(NodeId),
    /// Another change of the membership did not end in time.
    #[error("another membership change is under way")]
    ChangeUnderWay,
    /// Nothing can be confirmed now.
    #[error("there is no quorum: only {answering} of {needed} needed voters answer")]
    NoQuorum { answering: u64, needed: u64 },
    /// Nothing could be confirmed afterwards.
    #[error("without node {node} only {answering} of {needed} needed voters answer")]
    QuorumLost { node: NodeId, answering: u64, needed: u64 },
    /// Only voters lead.
    #[error("node {0} has no vote")]
    NoVote(NodeId),
    /// The node is draining.
    #[error("node {0} is shutting down")]
    Draining(NodeId),
    /// A silent node would not take over.
    #[error("node {0} has not answered for {ms} ms", ms = ANSWERED_WITHIN.as_millis())]
    Silent(NodeId),
    /// A node that lacks entries cannot be elected.
    #[error("node {node} lacks {lag} log entries")]
    Behind { node: NodeId, lag: u64 },
    /// No other node may lead.
    #[error("no other voter is fit to lead")]
    NoTransferTarget,
    /// No confirmation in time. It may have been executed, or still be.
    #[error("not confirmed in time: it may still happen")]
    Unconfirmed,
}

impl Cluster {
    /// Removes `node`, whatever its state, and returns its name. Its id never returns. If its
    /// process runs it ends, and begins as a new node at its next start.
    ///
    /// # Errors
    /// The node is the leader or not a member, or its loss would cost the quorum; or no leader
    /// confirmed it.
    pub async fn remove(&self, node: NodeId) -> Result<Named, OrderError> {
        let Some(member) = &self.member else {
            let is_own = node == self.node;
            return Err(if is_own { OrderError::Leads(node) } else { OrderError::Unknown(node) });
        };
        if member.raft().leads_term().is_some() {
            return member.remove(node).await;
        }
        member.order(PeerRoute::Remove, Remove { node: node.0 }.encode_to_vec()).await
    }

    /// Makes `to`, or any fit node, the leader, and returns the current leader. No event is lost;
    /// the next leader confirms those in progress.
    ///
    /// # Errors
    /// The node is not fit to lead, or no node is; or there is no leader now.
    pub async fn transfer(&self, to: Option<NodeId>) -> Result<Named, OrderError> {
        let Some(member) = &self.member else {
            return match to {
                None => Err(OrderError::NoTransferTarget),
                Some(node) if node == self.node => Ok(Named { node, name: String::new() }),
                Some(node) => Err(OrderError::Unknown(node)),
            };
        };
        if member.raft().leads_term().is_some() {
            return member.transfer_leadership(to).await;
        }
        let body = HandOver { to: to.map_or(0, |node| node.0) }.encode_to_vec();
        member.order(PeerRoute::HandOver, body).await
    }
}

impl Member {
    /// Forwards an order to the leader.
    async fn order(&self, route: PeerRoute, body: Vec<u8>) -> Result<Named, OrderError> {
        let leader = self.proposer.leader().ok_or(OrderError::NoLeader)?;
        let answer = self.peers.call(&leader, route, body, ORDER_WITHIN).await;
        let answer = answer.map_err(|error| match error {
            CallError::Unreachable { .. } | CallError::Refused { .. } => OrderError::NoLeader,
            CallError::Broken { .. } | CallError::TimedOut { .. } => OrderError::Unconfirmed,
        })?;
        decode(Ordered::decode(answer).map_err(|_| OrderError::Unconfirmed)?)
    }

    /// Answers an order to remove a node.
    pub(in crate::cluster) async fn answer_remove(&self, order: &Remove) -> Ordered {
        encode(self.remove(NodeId(order.node)).await)
    }

    /// Answers an order to transfer the leadership.
    pub(in crate::cluster) async fn answer_hand_over(&self, order: &HandOver) -> Ordered {
        encode(self.transfer_leadership(Some(NodeId(order.to)).filter(|to| to.0 != 0)).await)
    }

    /// Removes a node, if this node leads.
    async fn remove(&self, node: NodeId) -> Result<Named, OrderError> {
        let deadline = Instant::now() + CHANGE_WITHIN;
        let mut status = self.leads()?;
        let member = status.members.get(&node).ok_or(OrderError::Unknown(node))?;
        let removed = Named { node, name: member.node.name.clone() };
        while !self.try_remove(&status, node, deadline).await? {
            if Instant::now() + RETRY >= deadline {
                return Err(OrderError::ChangeUnderWay);
            }
            sleep(RETRY).await;
            // The next leader finishes a change that this try or another one began.
            status = self.leads().map_err(|_| OrderError::Unconfirmed)?;
            // The first half of a try may have succeeded: then the leader's duties do the rest.
            if !status.members.contains_key(&node) {
                break;
            }
        }
        self.duties.notify_one();
        Ok(removed)
    }

    /// Returns false if a change by the leader's own duties came in between.
    async fn try_remove(
        &self,
        status: &RaftStatus,
        node: NodeId,
        deadline: Instant,
    ) -> Result<bool, OrderError> {
        let cluster = self.cluster().ok_or(OrderError::NoLeader)?;
        let view = view(self, &mut Observations::default(), status, cluster).await;
        let change = match admin_remove(&view, node) {
            Ok(change) => change,
            Err(RemoveError::ChangeUnderWay) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        info!(%node, "removing a node on an operator's order");
        match timeout_at(deadline, carry_out(self, status, &change)).await {
            Ok(Ok(())) => Ok(true),
            Ok(Err(ChangeError::Outdated | ChangeError::Stranger | ChangeError::NotNow(_))) => {
                Ok(false)
            }
            Ok(Err(ChangeError::Stopped(_))) | Err(_) => Err(OrderError::Unconfirmed),
        }
    }

    /// Transfers the leadership, if this node leads (rule 29).
    async fn transfer_leadership(&self, to: Option<NodeId>) -> Result<Named, OrderError> {
        let status = self.leads()?;
        let own = self.own.node;
        let drains = |node| self.drains(node);
        let transfer_target = match to {
            Some(node) if node == own => {
                return Ok(Named { node, name: self.own.name.clone() });
            }
            Some(node) => fit(&status, node, drains)?,
            None => transfer_target(&status, own, drains).ok_or(OrderError::NoTransferTarget)?,
        };
        match transfer_leadership_to(self, transfer_target).await {
            Ok(true) => {}
            Ok(false) => return Err(OrderError::Unconfirmed),
            Err(_) => return Err(OrderError::NoLeader),
        }
        let leader = self.raft().leader().ok_or(OrderError::Unconfirmed)?;
        Ok(Named { node: leader.0, name: leader.1.name })
    }

    /// The status of a leader that knows its own membership (rule 26).
    fn leads(&self) -> Result<RaftStatus, OrderError> {
        let status = self.raft().status();
        let is_ready = status.is_leader && status.has_applied_own_term;
        if is_ready { Ok(status) } else { Err(OrderError::NoLeader) }
    }
}

/// Checks that a member may become the leader (rule 29). Under load no member is ever level with
/// the leader; the transfer target waits for the rest of the log.
fn fit(
    status: &RaftStatus,
    node: NodeId,
    drains: impl Fn(NodeId) -> bool,
) -> Result<NodeId, OrderError> {
    let member = status.members.get(&node).ok_or(OrderError::Unknown(node))?;
    if !member.is_voter {
        return Err(OrderError::NoVote(node));
    }
    if drains(node) {
        return Err(OrderError::Draining(node));
    }
    if member.answered_ago.is_none_or(|ago| ago >= ANSWERED_WITHIN) {
        return Err(OrderError::Silent(node));
    }
    let lag = status.last_index.saturating_sub(member.matched_index.unwrap_or_default());
    if lag > CAUGHT_UP_LAG_MAX {
        return Err(OrderError::Behind { node, lag });
    }
    Ok(node)
}

impl From<RemoveError> for OrderError {
    fn from(error: RemoveError) -> Self {
        let count = |voters: usize| u64::try_from(voters).unwrap_or(u64::MAX);
        match error {
            RemoveError::Unknown(node) => Self::Unknown(node),
            RemoveError::Leader(node) => Self::Leads(node),
            RemoveError::ChangeUnderWay => Self::ChangeUnderWay,
            RemoveError::NoQuorum { answering, needed } => {
                Self::NoQuorum { answering: count(answering), needed: count(needed) }
            }
            RemoveError::QuorumLost { node, answering, needed } => {
                Self::QuorumLost { node, answering: count(answering), needed: count(needed) }
            }
        }
    }
}

pub(in crate::cluster) fn encode(done: Result<Named, OrderError>) -> Ordered {
    let of = |refusal: Refusal| Ordered { refusal: refusal.into(), ..Ordered::default() };
    let about = |refusal, node: NodeId| Ordered { node: node.0, ..of(refusal) };
    let error = match done {
        Ok(Named { node, name }) => return Ordered { name, ..about(Refusal::None, node) },
        Err(error) => error,
    };
    match error {
        OrderError::NoLeader => of(Refusal::NoLeader),
        OrderError::Unknown(node) => about(Refusal::UnknownMember, node),
        OrderError::Leads(node) => about(Refusal::Leads, node),
        OrderError::ChangeUnderWay => of(Refusal::ChangeUnderWay),
        OrderError::NoQuorum { answering, needed } => {
            Ordered { answering, needed, ..of(Refusal::NoQuorum) }
        }
        OrderError::QuorumLost { node, answering, needed } => {
            Ordered { answering, needed, ..about(Refusal::QuorumLost, node) }
        }
        OrderError::NoVote(node) => about(Refusal::NoVote, node),
        OrderError::Draining(node) => about(Refusal::Draining, node),
        OrderError::Silent(node) => about(Refusal::Silent, node),
        OrderError::Behind { node, lag } => Ordered { lag, ..about(Refusal::Behind, node) },
        OrderError::NoTransferTarget => of(Refusal::NoHeir),
        OrderError::Unconfirmed => of(Refusal::Unconfirmed),
    }
}

pub(in crate::cluster) fn decode(answer: Ordered) -> Result<Named, OrderError> {
    // An unknown refusal comes from a newer leader. It says only that the order failed.
    let Ok(refusal) = Refusal::try_from(answer.refusal) else {
        return Err(OrderError::Unconfirmed);
    };
    let Ordered { name, answering, needed, lag, .. } = answer;
    let node = NodeId(answer.node);
    Err(match refusal {
        Refusal::None => return Ok(Named { node, name }),
        Refusal::NoLeader => OrderError::NoLeader,
        Refusal::UnknownMember => OrderError::Unknown(node),
        Refusal::Leads => OrderError::Leads(node),
        Refusal::ChangeUnderWay => OrderError::ChangeUnderWay,
        Refusal::NoQuorum => OrderError::NoQuorum { answering, needed },
        Refusal::QuorumLost => OrderError::QuorumLost { node, answering, needed },
        Refusal::NoVote => OrderError::NoVote(node),
        Refusal::Draining => OrderError::Draining(node),
        Refusal::Silent => OrderError::Silent(node),
        Refusal::Behind => OrderError::Behind { node, lag },
        Refusal::NoHeir => OrderError::NoTransferTarget,
        Refusal::Unconfirmed => OrderError::Unconfirmed,
    })
}

#[cfg(test)]
#[path = "membership_test.rs"]
mod tests;
