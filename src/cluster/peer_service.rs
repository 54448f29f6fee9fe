//! How a node answers its peers.

use super::checks::state_check;
use super::fatal::FatalError;
use super::member::Member;
use super::proposal::error::AcceptError;
use super::proposal::priority::Priority;
use super::proposal::proposer::{Proposal, failure};
use super::raft::RaftCallError;
use super::transport::proto::{
    Ask, Check, Checked, Finalize, Forward, Forwarded, Look, NodeStatus, forwarded::Failure,
};
use super::transport::{Hello, LocalNode, PeerRoute, PeerService, Refused};
use super::view;
use crate::state_machine::{FEATURE_LEVEL, NodeId, StateMachine, millis};
use crate::wire::{EncodedCommands, encode_answers};
use axum::body::Bytes;
use prost::Message as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Deadline of a relayed check: its sender waits 400 ms for both hops.
const HAND_ON_WITHIN: Duration = Duration::from_millis(300);

impl Member {
    /// What this node reports about itself.
    pub async fn node_status(&self) -> NodeStatus {
        let cluster = self.cluster();
        NodeStatus {
            node: self.own.node.0,
            name: self.own.name.clone(),
            peer_address: self.own.peer_address.clone(),
            cluster: cluster.map_or(0, |id| id.0),
            // A node whose log has failed cannot be a founder.
            is_pristine: cluster.is_none() && self.raft().is_pristine().await.unwrap_or(false),
            boot: self.own.boot,
            feature_level: FEATURE_LEVEL.0,
        }
    }

    /// Answers a check as the leader, or relays it to the leader: its sender may have no route to
    /// it (rule 12). A relayed check is answered here.
    async fn answer_check(&self, from: NodeId, check: &Check) -> Checked {
        self.checked(check);
        if from.0 == check.node
            && let Some(leader) = self.proposer.leader()
        {
            let body = check.encode_to_vec();
            let answer =
                self.peers.call(&leader, PeerRoute::LeaderCheck, body, HAND_ON_WITHIN).await;
            if let Some(checked) = answer.ok().and_then(|answer| Checked::decode(answer).ok()) {
                return checked;
            }
        }
        self.own_answer(NodeId(check.node))
    }

    fn own_answer(&self, asker: NodeId) -> Checked {
        let status = self.raft().status();
        // A node that is not a member gets no entries: its state stands still, but it is not stuck.
        let is_member = status.members.contains_key(&asker);
        Checked {
            is_leader: status.is_leader,
            quorum_age_ms: status.quorum_ago.map_or(u64::MAX, millis),
            now_ms: self.proposer.log_clock.now().0,
            applied_index: if is_member { status.applied_index } else { 0 },
            digests: state_check::encode(self.digests()),
        }
    }

    async fn answer_forward(&self, forward: Forward) -> Result<Forwarded, Refused> {
        let commands = EncodedCommands::decode(&forward.entry).map_err(Refused::malformed)?;
        let priority = if forward.is_event { Priority::Event } else { Priority::Work };
        let within = Duration::from_millis(forward.within_ms);
        let written = self.hand_on(commands, priority, within, forward.hops).await;
        Ok(match written {
            Ok((index, answers)) => Forwarded { failure: Failure::None.into(), answers, index },
            Err(error) => {
                Forwarded { failure: failure(&error).into(), answers: Vec::new(), index: 0 }
            }
        })
    }

    async fn hand_on(
        &self,
        commands: EncodedCommands,
        priority: Priority,
        within: Duration,
        hops: u32,
    ) -> Result<(u64, Vec<u8>), AcceptError> {
        if self.raft().leads_term().is_some() {
            // The node that received the event has checked its own disk; this is the leader's.
            if priority == Priority::Event && self.disk.is_low() {
                return Err(AcceptError::DiskLow);
            }
            let answers = self.queue.submit_encoded(commands, priority, within).await?;
            // At least the index of the entry, which is applied here.
            return Ok((*self.raft().applied().borrow(), encode_answers(&answers)));
        }
        if hops > 0 {
            return Err(AcceptError::NoLeader);
        }
        let written =
            self.proposer.propose(Proposal { commands, priority, hops: hops + 1 }).await?;
        Ok((written.index, encode_answers(&written.answers)))
    }

    fn admit(&self, hello: &Hello, route: PeerRoute) -> Result<(), Refused> {
        let (is_retired, boot, level) = self.raft().read(|state: &StateMachine| {
            (state.is_retired(hello.from), state.boot_of(hello.from), state.feature_level())
        });
        let own = LocalNode { node: self.own.node, cluster: self.cluster(), level };
        if is_retired && own.cluster == hello.cluster {
            return Err(Refused::Retired);
        }
        let boot = boot.filter(|_| own.cluster == hello.cluster);
        self.admission.check(own, hello, route, boot)?;
        match (own.cluster, hello.cluster) {
            (None, Some(cluster)) if route.is_raft() => self.join(cluster),
            _ => Ok(()),
        }
    }
}

impl PeerService for Member {
    fn admit(&self, hello: &Hello, route: PeerRoute) -> Result<(), Refused> {
        Self::admit(self, hello, route)
    }

    fn inbox(&self) -> Option<PathBuf> {
        Some(self.directory.path().to_owned())
    }

    async fn answer(
        self: Arc<Self>,
        hello: Hello,
        route: PeerRoute,
        body: Bytes,
    ) -> Result<Vec<u8>, Refused> {
        self.admit(&hello, route)?;
        let raft = self.raft();
        match route {
            PeerRoute::Append => raft.answer_append(body).await.map_err(|error| {
                if error.is_unknown_command() {
                    self.fail(FatalError::UnknownCommand);
                }
                refused(error)
            }),
            PeerRoute::Vote => raft.answer_vote(&body).await.map_err(refused),
            PeerRoute::PreVote => raft.answer_pre_vote(&body).await.map_err(refused),
            PeerRoute::Transfer => raft.answer_transfer(&body).await.map_err(refused),
            PeerRoute::Snapshot => raft.answer_snapshot(&body).await.map_err(refused),
            PeerRoute::Forward => Ok(self.answer_forward(read(&body)?).await?.encode_to_vec()),
            PeerRoute::LeaderCheck => {
                let check = read(&body)?;
                Ok(self.answer_check(hello.from, &check).await.encode_to_vec())
            }
            PeerRoute::NodeStatus => {
                let Ask {} = read(&body)?;
                Ok(self.node_status().await.encode_to_vec())
            }
            PeerRoute::ClusterView => {
                let Look {} = read(&body)?;
                Ok(view::encode(&self.local_view()))
            }
            PeerRoute::Remove => Ok(self.answer_remove(&read(&body)?).await.encode_to_vec()),
            PeerRoute::HandOver => Ok(self.answer_hand_over(&read(&body)?).await.encode_to_vec()),
            PeerRoute::Finalize => {
                let Finalize {} = read(&body)?;
                Ok(self.answer_finalize().await.encode_to_vec())
            }
        }
    }
}

fn read<M: prost::Message + Default>(body: &Bytes) -> Result<M, Refused> {
    M::decode(body.clone()).map_err(Refused::malformed)
}

fn refused(error: RaftCallError) -> Refused {
    match error {
        RaftCallError::Malformed(error) => Refused::malformed(error),
        RaftCallError::Snapshot(error) => Refused::malformed(error),
        RaftCallError::Stopped(_) => Refused::Stopped,
    }
}

#[cfg(test)]
#[path = "peer_service_test.rs"]
mod tests;
