//! A node of a cluster of several: what its tasks share, and how it answers its peers.

use super::batch::{Queue, Rank};
use super::degraded::Degraded;
use super::disk::FreeDisk;
use super::duties::SickList;
use super::fatal::{self, FatalError};
use super::gossip::{Gossip, Peer};
use super::raft::{RaftCallError, RaftNode, StateDigest};
use super::spool::feed::Degradation;
use super::transport::proto::{
    Ask, Check, Checked, Finalize, Forward, Forwarded, Look, NodeStatus, forwarded::Failure,
};
use super::transport::{Gate, Hello, PeerService, Peers, Refused, Route, Standing, Target};
use super::way::{Cargo, Way, failure};
use super::{
    AcceptError, ClusterId, Contacts, DataDirectory, Discovery, Reach, agreement, pulse, view,
};
use crate::clock::Clock;
use crate::state_machine::{FEATURE_LEVEL, NodeId, Settings, StateMachine, millis};
use crate::wire::{EncodedCommands, encode_answers};
use axum::body::Bytes;
use prost::Message as _;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tracing::{error, info};

/// A leader that does not answer a question about the cluster in this time is not waited for.
const LOOK_WITHIN: Duration = Duration::from_millis(500);
/// Deadline of a check that is handed on: its sender waits 400 ms for both hops.
const HAND_ON_WITHIN: Duration = Duration::from_millis(300);

/// How this node is known and reached.
#[derive(Clone, Debug)]
pub(super) struct Own {
    pub node: NodeId,
    pub boot: u64,
    /// Name of its pod.
    pub name: String,
    pub peer_address: String,
    pub http_address: String,
    pub gossip_address: String,
    /// Equal on nodes with the same rules.
    pub config_hash: u64,
}

/// What a follower last said in its check.
#[derive(Clone, Copy, Debug)]
pub(super) struct CheckSeen {
    pub at: Duration,
    pub wall_ms: u64,
    pub is_draining: bool,
    pub spooled: u64,
    /// Unknown of a node of an older version.
    pub reach: Option<Reach>,
    /// Of its state at the newest checkpoint.
    pub digest: Option<StateDigest>,
}

/// What the tasks of a node share.
pub(super) struct Member {
    pub own: Own,
    pub way: Way,
    pub queue: Queue,
    pub disk: Arc<FreeDisk>,
    pub peers: Peers,
    pub gate: Gate,
    pub gossip: Gossip,
    pub directory: Arc<DataDirectory>,
    /// Forbids every other cluster (`cluster.expected_cluster_id`).
    pub expected_cluster: Option<ClusterId>,
    pub clock: Arc<dyn Clock>,
    pub is_draining: AtomicBool,
    /// Newest checks of followers, while this node leads.
    pub checks: Mutex<BTreeMap<NodeId, CheckSeen>>,
    /// Owners that this node judged sick while it leads (rule 27).
    pub sick: Mutex<SickList>,
    /// How the deliveries of this node fare.
    pub contacts: Contacts,
    /// The checkpoint at which members were found to differ without a majority; 0: none.
    pub differing_at: AtomicU64,
    /// Other clusters of which live nodes are seen.
    pub other_clusters: AtomicUsize,
    pub discovery: Discovery,
    /// How long a member has to be gone before it is removed.
    pub removal_grace: Duration,
    /// Wakes the duties of the leader.
    pub duties: Notify,
    /// The values that apply is to use, which the leader proposes (rule 20).
    pub settings: Settings,
    pub degraded: Degraded,
    /// Ends the process.
    pub failing: watch::Sender<Option<FatalError>>,
}

impl Member {
    pub fn raft(&self) -> &RaftNode {
        &self.way.raft
    }

    /// The cluster this node belongs to.
    pub fn cluster(&self) -> Option<ClusterId> {
        self.directory.identity().cluster_id
    }

    /// Joins a cluster for life.
    ///
    /// # Errors
    /// Another one is expected, or the disk refuses.
    pub fn join(&self, cluster: ClusterId) -> Result<(), Refused> {
        if let Some(expected) = self.expected_cluster.filter(|expected| *expected != cluster) {
            return Err(Refused::WrongCluster(format!("{expected} is expected")));
        }
        if let Err(error) = self.directory.join(cluster) {
            error!(%error, "the cluster id cannot be kept");
            return Err(Refused::Stopped);
        }
        self.peers.joined(cluster);
        info!(%cluster, node = %self.own.node, "this node belongs to a cluster now");
        Ok(())
    }

    /// Live peers, as gossip has them.
    pub async fn live_peers(&self) -> Vec<Peer> {
        let peers = self.gossip.peers().await;
        peers.into_iter().filter(|peer| peer.is_live && peer.node != self.own.node).collect()
    }

    /// This node, as gossip has it elsewhere.
    pub fn own_peer(&self) -> Peer {
        let Own { node, boot, .. } = self.own;
        let ip = self.gossip.advertised().ip();
        Peer { node, boot, ip, is_live: true, facts: pulse::facts(self) }
    }

    /// Asks a node what it is.
    pub async fn ask(&self, target: &Target, within: Duration) -> Option<NodeStatus> {
        let answer = self.peers.call(target, Route::Ask, Ask {}.encode_to_vec(), within).await;
        NodeStatus::decode(answer.ok()?).ok()
    }

    /// What this node says about itself.
    pub async fn node_status(&self) -> NodeStatus {
        let cluster = self.cluster();
        NodeStatus {
            node: self.own.node.0,
            name: self.own.name.clone(),
            peer_address: self.own.peer_address.clone(),
            cluster: cluster.map_or(0, |id| id.0),
            // A node whose log has failed is no founder.
            is_pristine: cluster.is_none() && self.raft().is_pristine().await.unwrap_or(false),
            boot: self.own.boot,
            feature_level: FEATURE_LEVEL.0,
        }
    }

    /// What is done with an event that arrives now. A node that never was a member has nothing
    /// to promise.
    pub fn degradation(&self) -> Degradation {
        match self.cluster() {
            Some(_) => self.degraded.mode(self.is_draining()),
            None => Degradation::Wait,
        }
    }

    pub fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    /// Whether others are named one by one: then no DNS record tells that one was scaled away.
    pub fn has_static_seeds(&self) -> bool {
        match self.discovery {
            Discovery::Seeds(_) => true,
            Discovery::Service { .. } => false,
        }
    }

    /// Ends the process: going on would do harm. The first reason stays.
    pub fn fail(&self, reason: FatalError) {
        fatal::tell(&self.failing, reason);
    }

    /// Whether a member gives its work away, as far as this node was told.
    pub fn drains(&self, node: NodeId) -> bool {
        if node == self.own.node {
            return self.is_draining();
        }
        let checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        checks.get(&node).is_some_and(|seen| seen.is_draining)
    }

    /// The check of this node, as the leader hears it.
    pub fn check(&self) -> Check {
        Check {
            node: self.own.node.0,
            wall_ms: self.clock.wall().0,
            is_draining: self.is_draining(),
            spooled: self.degraded.len(),
            reach: Some(self.contacts.reach().into()),
            digest: self.own_digest(),
        }
    }

    /// Takes the check of a node down.
    pub fn checked(&self, check: &Check) {
        let seen = CheckSeen {
            at: self.clock.monotonic(),
            wall_ms: check.wall_ms,
            is_draining: check.is_draining,
            spooled: check.spooled,
            reach: check.reach.map(Reach::from),
            digest: check.digest.map(StateDigest::from),
        };
        let before = self
            .checks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(NodeId(check.node), seen);
        if before.is_some_and(|before| before.is_draining) != check.is_draining {
            self.duties.notify_one();
        }
    }

    /// Answers a check as the leader, or has the leader answer it: its sender may have no way to
    /// it (rule 12). What was handed on already is answered here.
    async fn answer_check(&self, from: NodeId, check: &Check) -> Checked {
        self.checked(check);
        if from.0 == check.node
            && let Some(leader) = self.way.leader()
        {
            let body = check.encode_to_vec();
            let answer = self.peers.call(&leader, Route::Check, body, HAND_ON_WITHIN).await;
            if let Some(checked) = answer.ok().and_then(|answer| Checked::decode(answer).ok()) {
                return checked;
            }
        }
        self.own_answer()
    }

    fn own_answer(&self) -> Checked {
        let status = self.raft().status();
        Checked {
            is_leader: status.is_leader,
            quorum_age_ms: status.quorum_ago.map_or(u64::MAX, millis),
            now_ms: self.way.stamps.now().0,
            applied_index: status.applied_index,
            digests: agreement::encode(self.digests()),
        }
    }

    /// The cluster as this node alone knows it.
    pub fn local_view(&self) -> view::ClusterView {
        let status = self.raft().status();
        let mut view = view::of_status(&status, self.own.node, !self.way.quorum.is_lost());
        if view.is_of_leader {
            let now = self.clock.monotonic();
            let sick = self.sick.lock().unwrap_or_else(PoisonError::into_inner);
            for known in &mut view.members {
                known.is_sick = Some(sick.contains(known.node, now));
            }
        }
        view
    }

    /// Whether members were found to differ without a majority (rule 21).
    pub fn states_differ(&self) -> bool {
        self.differing_at.load(Ordering::Relaxed) != 0
    }

    /// Owners that this node has judged sick in its leaderships.
    pub fn sick_judgements(&self) -> u64 {
        self.sick.lock().unwrap_or_else(PoisonError::into_inner).judgements()
    }

    /// The cluster as the leader knows it, if it can be asked.
    pub async fn leaders_view(&self) -> Option<view::ClusterView> {
        let leader = self.way.leader()?;
        let body = Look {}.encode_to_vec();
        let answer = self.peers.call(&leader, Route::Look, body, LOOK_WITHIN).await;
        view::decode(&answer.ok()?)
    }

    async fn answer_forward(&self, forward: Forward) -> Result<Forwarded, Refused> {
        let commands = EncodedCommands::decode(&forward.entry)
            .map_err(|error| Refused::Malformed(error.to_string()))?;
        let rank = if forward.is_event { Rank::Event } else { Rank::Work };
        let within = Duration::from_millis(forward.within_ms);
        let written = self.hand_on(commands, rank, (within, forward.hops)).await;
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
        rank: Rank,
        (within, hops): (Duration, u32),
    ) -> Result<(u64, Vec<u8>), AcceptError> {
        if self.raft().leads_term().is_some() {
            // Whoever took the event has looked at its own disk; this is the one that leads.
            if rank == Rank::Event && self.disk.is_low() {
                return Err(AcceptError::DiskLow);
            }
            let answers = self.queue.submit_encoded(commands, rank, within).await?;
            // At least the index of the entry, which is applied here.
            return Ok((*self.raft().applied().borrow(), encode_answers(&answers)));
        }
        if hops > 0 {
            return Err(AcceptError::NoLeader);
        }
        let written = self.way.write(Cargo { commands, rank, hops: hops + 1 }).await?;
        Ok((written.index, encode_answers(&written.answers)))
    }

    fn admit(&self, hello: &Hello, route: Route) -> Result<(), Refused> {
        let (is_retired, boot, level) = self.raft().read(|state: &StateMachine| {
            (state.is_retired(hello.from), state.boot_of(hello.from), state.feature_level())
        });
        let own = Standing { node: self.own.node, cluster: self.cluster(), level };
        if is_retired && own.cluster == hello.cluster {
            return Err(Refused::Retired);
        }
        let boot = boot.filter(|_| own.cluster == hello.cluster);
        self.gate.check(own, hello, route, boot)?;
        match (own.cluster, hello.cluster) {
            (None, Some(cluster)) if route.is_raft() => self.join(cluster),
            _ => Ok(()),
        }
    }
}

impl PeerService for Member {
    async fn answer(
        self: Arc<Self>,
        hello: Hello,
        route: Route,
        body: Bytes,
    ) -> Result<Vec<u8>, Refused> {
        self.admit(&hello, route)?;
        let raft = self.raft();
        match route {
            Route::Append => raft.answer_append(body).await.map_err(|error| {
                if error.is_unknown_command() {
                    self.fail(FatalError::UnknownCommand);
                }
                refused(error)
            }),
            Route::Vote => raft.answer_vote(&body).await.map_err(refused),
            Route::PreVote => raft.answer_pre_vote(&body).await.map_err(refused),
            Route::Transfer => raft.answer_transfer(&body).await.map_err(refused),
            Route::Snapshot => raft.answer_snapshot(&body).await.map_err(refused),
            Route::Forward => Ok(self.answer_forward(read(&body)?).await?.encode_to_vec()),
            Route::Check => {
                let check = read(&body)?;
                Ok(self.answer_check(hello.from, &check).await.encode_to_vec())
            }
            Route::Ask => {
                let Ask {} = read(&body)?;
                Ok(self.node_status().await.encode_to_vec())
            }
            Route::Look => {
                let Look {} = read(&body)?;
                Ok(view::encode(&self.local_view()))
            }
            Route::Remove => Ok(self.answer_remove(&read(&body)?).await.encode_to_vec()),
            Route::HandOver => Ok(self.answer_hand_over(&read(&body)?).await.encode_to_vec()),
            Route::Finalize => {
                let Finalize {} = read(&body)?;
                Ok(self.answer_finalize().await.encode_to_vec())
            }
        }
    }
}

fn read<M: prost::Message + Default>(body: &Bytes) -> Result<M, Refused> {
    M::decode(body.clone()).map_err(|error| Refused::Malformed(error.to_string()))
}

fn refused(error: RaftCallError) -> Refused {
    match error {
        RaftCallError::Malformed(error) => Refused::Malformed(error.to_string()),
        RaftCallError::Snapshot(error) => Refused::Malformed(error.to_string()),
        RaftCallError::Stopped(_) => Refused::Stopped,
    }
}

#[cfg(test)]
#[path = "member_test.rs"]
mod tests;
