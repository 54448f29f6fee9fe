//! Proposes commands: into the local log on the leader, else one hop to it.

use super::error::AcceptError;
use super::log_clock::SharedLogClock;
use super::priority::Priority;
use super::quorum::Quorum;
use super::relays::Relays;
use crate::clock::Clock;
use crate::cluster::raft::{LogEntry, RaftNode, WriteError, Written};
use crate::cluster::transport::proto::forwarded::Failure;
use crate::cluster::transport::proto::{Forward, Forwarded};
use crate::cluster::transport::{CallError, PeerAddress, PeerRoute, Peers};
use crate::state_machine::{Command, StateMachine, millis};
use crate::wire::{EncodedCommands, decode_answers};
use prost::Message as _;
use std::sync::Arc;
use std::time::Duration;

/// Deadline of one attempt. An isolated leader never answers; then another path is tried.
const ATTEMPT_MAX: Duration = Duration::from_secs(1);

/// Commands to be proposed.
pub(in crate::cluster) struct Proposal {
    pub commands: EncodedCommands,
    pub priority: Priority,
    /// How often they were forwarded already.
    pub hops: u32,
}

/// Access to the log. Clones share it.
#[derive(Clone)]
pub(in crate::cluster) struct Proposer {
    pub raft: RaftNode,
    pub log_clock: SharedLogClock,
    pub quorum: Quorum,
    pub peers: Option<Peers>,
    pub relays: Relays,
}

impl Proposer {
    /// For a cluster of one.
    pub fn single_node(raft: RaftNode, clock: Arc<dyn Clock>) -> Self {
        let log_clock = SharedLogClock::new(raft.read(StateMachine::now), Arc::clone(&clock));
        let quorum = Quorum::new(clock);
        Self { raft, log_clock, quorum, peers: None, relays: Relays::default() }
    }

    /// Writes commands into one entry, wherever the leader is, and returns the answers.
    ///
    /// # Errors
    /// The entry was not confirmed; the variants say whether it may be in the log.
    pub async fn propose(&self, proposal: Proposal) -> Result<Written, AcceptError> {
        let written = match (&self.peers, self.raft.leads_term()) {
            // A stopped node does not lead, but knows the reason best.
            (None, _) => self.write_here(proposal.commands).await,
            (Some(_), Some(term)) => {
                self.log_clock.lead(term, self.raft.read(StateMachine::now));
                self.write_here(proposal.commands).await
            }
            (Some(peers), None) => self.forward(&proposal, peers).await,
        };
        if written.is_ok() {
            self.quorum.proven();
        }
        written
    }

    /// Writes what this node decided as the leader of `term`: here and in that term, or not at all.
    /// Once it no longer leads, its decisions are old, and its successor must not execute them.
    ///
    /// # Errors
    /// As for [`Proposer::propose`].
    pub async fn propose_as_leader(
        &self,
        term: u64,
        commands: Vec<Command>,
    ) -> Result<Written, AcceptError> {
        if self.raft.leads_term() != Some(term) {
            return Err(AcceptError::NoLeader);
        }
        self.log_clock.lead(term, self.raft.read(StateMachine::now));
        self.write_here(EncodedCommands::new(commands)).await
    }

    async fn write_here(&self, commands: EncodedCommands) -> Result<Written, AcceptError> {
        let stamped = commands.stamped(self.log_clock.take());
        let (entry, bytes) = stamped.map_err(|_| AcceptError::Stopped)?;
        let writing = self.raft.write(LogEntry::new(entry, bytes));
        match self.peers {
            // In a cluster of one only the disk can delay this, and the caller has its own
            // deadline.
            None => writing.await.map_err(|error| accept_error(&error)),
            Some(_) => match tokio::time::timeout(ATTEMPT_MAX, writing).await {
                Ok(written) => written.map_err(|error| accept_error(&error)),
                Err(_) => Err(AcceptError::Unconfirmed),
            },
        }
    }

    /// Tries the leader that this node knows, then all peers that may know another one (rule 12).
    /// If a check found a relay around the leader's link, the relay comes first.
    async fn forward(&self, proposal: &Proposal, peers: &Peers) -> Result<Written, AcceptError> {
        let leader = self.raft.leader();
        let leader = leader.map(|(node, at)| PeerAddress { node: Some(node), address: at.address });
        let is_handed_on = proposal.hops > 0;
        let relay_first = self.relays.relay_first().filter(|_| !is_handed_on);
        let body = self.body(proposal);
        let mut failed = AcceptError::NoLeader;
        for target in relay_first.iter().chain(&leader) {
            match send(peers, target, body.clone(), proposal.commands.count()).await {
                Err(error) if error.is_passing() => failed = error,
                answered => return answered,
            }
        }
        if is_handed_on || leader.is_some() && !self.quorum.is_lost() {
            return Err(failed);
        }
        let others = self.relays.except(leader.as_ref());
        for relay in others.iter().filter(|relay| Some(*relay) != relay_first.as_ref()) {
            match send(peers, relay, body.clone(), proposal.commands.count()).await {
                Err(error) if error.is_passing() => failed = error,
                answered => return answered,
            }
        }
        Err(failed)
    }

    fn body(&self, proposal: &Proposal) -> Vec<u8> {
        let forward = Forward {
            entry: proposal.commands.unstamped(),
            is_event: proposal.priority == Priority::Event,
            within_ms: millis(ATTEMPT_MAX),
            hops: proposal.hops,
        };
        forward.encode_to_vec()
    }

    /// The leader and its address, if this node knows one and is not the leader.
    pub fn leader(&self) -> Option<PeerAddress> {
        let (node, at) = self.raft.leader()?;
        (node != self.raft.id()).then_some(PeerAddress { node: Some(node), address: at.address })
    }
}

/// An answer to fewer or more than `count` commands says nothing about any of them.
async fn send(
    peers: &Peers,
    target: &PeerAddress,
    body: Vec<u8>,
    count: usize,
) -> Result<Written, AcceptError> {
    let answer = peers.call(target, PeerRoute::Forward, body, ATTEMPT_MAX).await;
    let answer = answer.map_err(|error| match error {
        CallError::Unreachable { .. } | CallError::Refused { .. } => AcceptError::NoLeader,
        CallError::Broken { .. } | CallError::TimedOut { .. } => AcceptError::Unconfirmed,
    })?;
    let answer = Forwarded::decode(answer).map_err(|_| AcceptError::Unconfirmed)?;
    let answers = match answer.failure() {
        Failure::None => decode_answers(&answer.answers),
        Failure::NoLeader => return Err(AcceptError::NoLeader),
        Failure::Unconfirmed | Failure::Unanswered => return Err(AcceptError::Unconfirmed),
        Failure::Overloaded => return Err(AcceptError::Overloaded),
        Failure::DiskLow => return Err(AcceptError::DiskLow),
        Failure::Stopped => return Err(AcceptError::NoLeader),
    };
    let answers = answers.map_err(|_| AcceptError::Unconfirmed)?;
    if answers.len() != count {
        return Err(AcceptError::Unconfirmed);
    }
    Ok(Written { index: answer.index, answers })
}

fn accept_error(error: &WriteError) -> AcceptError {
    match error {
        WriteError::NotLeader => AcceptError::NoLeader,
        WriteError::Unconfirmed => AcceptError::Unconfirmed,
        WriteError::Stopped(_) => AcceptError::Stopped,
    }
}

/// The failure in the form for a forwarder.
pub(in crate::cluster) fn failure(error: &AcceptError) -> Failure {
    match error {
        AcceptError::NoLeader => Failure::NoLeader,
        AcceptError::Unconfirmed | AcceptError::TooLarge { .. } | AcceptError::Full => {
            Failure::Unconfirmed
        }
        AcceptError::Unanswered { .. } => Failure::Unanswered,
        AcceptError::Overloaded => Failure::Overloaded,
        AcceptError::DiskLow => Failure::DiskLow,
        AcceptError::Stopped => Failure::Stopped,
    }
}

#[cfg(test)]
#[path = "proposer_test.rs"]
mod tests;
