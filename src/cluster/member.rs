//! A node of a cluster with peers: the data that its tasks share.

use super::data_dir::directory::DataDirectory;
use super::data_dir::free_space::FreeSpace;
use super::data_dir::identity::ClusterId;
use super::fatal::{self, FatalError};
use super::gossip::{Discovery, Gossip, NodeFacts, Peer};
use super::health::delivery_health::{DeliveryHealth, DeliveryHealthRecorder};
use super::health::standstill::Standstill;
use super::health::unhealthy::UnhealthyOwners;
use super::proposal::batcher::Queue;
use super::proposal::proposer::Proposer;
use super::raft::{RaftNode, StateDigest};
use super::spool::feed::Degradation;
use super::spool::quorum_loss::QuorumLoss;
use super::transport::proto::{Ask, Check, Look, NodeStatus};
use super::transport::{
    PeerAddress, PeerAdmission, PeerRoute, PeerTls, Peers, Refused, WIRE_VERSION,
};
use super::view;
use crate::clock::{Clock, Timestamp};
use crate::event::RunEvent;
use crate::state_machine::{FEATURE_LEVEL, NodeId, Settings, StateMachine};
use parking_lot::Mutex;
use prost::Message as _;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tracing::{error, info};

/// A node waits no longer than this for the leader's answer about the cluster.
const LOOK_WITHIN: Duration = Duration::from_millis(500);

/// The name and addresses of this node.
#[derive(Clone, Debug)]
pub(super) struct OwnNode {
    pub node: NodeId,
    pub boot: u64,
    /// Its pod name.
    pub name: String,
    pub peer_address: String,
    pub http_address: String,
    pub gossip_address: String,
}

/// What a node was told by its configuration, which may be replaced while it runs.
#[derive(Clone, Debug)]
pub(super) struct Configured {
    /// The values for apply, which the leader proposes (rule 20).
    pub settings: Settings,
    /// Equal on nodes with the same rules.
    pub config_hash: u64,
}

impl OwnNode {
    /// What a node publishes before it has state.
    pub fn first_facts(
        &self,
        cluster: Option<ClusterId>,
        config_hash: u64,
        wall: Timestamp,
    ) -> NodeFacts {
        NodeFacts {
            name: self.name.clone(),
            peer_address: self.peer_address.clone(),
            http_address: self.http_address.clone(),
            gossip_address: self.gossip_address.clone(),
            cluster,
            is_ready: false,
            is_draining: false,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            wire_version: WIRE_VERSION,
            feature_level: FEATURE_LEVEL.0,
            config_hash,
            load: 0,
            applied_index: 0,
            spooled: 0,
            wall_ms: wall.0,
        }
    }
}

/// The last report in a follower's check.
#[derive(Clone, Copy, Debug)]
pub(super) struct CheckSeen {
    pub at: Duration,
    pub wall_ms: u64,
    pub is_draining: bool,
    pub spooled: u64,
    /// Absent for a node of an older version.
    pub reach: Option<DeliveryHealth>,
    /// Digest of its state at the newest checkpoint.
    pub digest: Option<StateDigest>,
}

/// What the tasks of a node share.
pub(super) struct Member {
    pub own: OwnNode,
    pub proposer: Proposer,
    pub queue: Queue,
    pub disk: Arc<FreeSpace>,
    pub peers: Peers,
    pub tls: PeerTls,
    pub admission: PeerAdmission,
    pub gossip: Arc<Gossip>,
    pub directory: Arc<DataDirectory>,
    /// Forbids every other cluster (`cluster.expected_cluster_id`).
    pub expected_cluster: Option<ClusterId>,
    pub clock: Arc<dyn Clock>,
    pub is_draining: AtomicBool,
    /// Newest checks of followers, while this node leads.
    pub checks: Mutex<BTreeMap<NodeId, CheckSeen>>,
    /// Owners that this node judged unhealthy while it leads (rule 27).
    pub unhealthy: Mutex<UnhealthyOwners>,
    /// The state of this node's deliveries.
    pub delivery_health: DeliveryHealthRecorder,
    /// The checkpoint at which members differed without a majority; 0: none.
    pub differing_at: AtomicU64,
    /// Other clusters with live nodes.
    pub other_clusters: AtomicUsize,
    pub discovery: Discovery,
    /// How long a member must be gone before it is removed.
    pub removal_grace: Duration,
    /// Names that may become members, in addition to those of the own set.
    pub admit: Vec<String>,
    /// Nodes of other names that this node refused while it led.
    pub not_admitted: AtomicU64,
    /// Wakes the duties of the leader.
    pub duties: Notify,
    pub configured: watch::Sender<Configured>,
    pub quorum_loss: QuorumLoss,
    /// Whether this node's state advances like the leader's.
    pub standstill: Mutex<Standstill>,
    pub told_stuck: AtomicBool,
    /// Ends the process.
    pub failing: watch::Sender<Option<FatalError>>,
}

impl Member {
    pub fn raft(&self) -> &RaftNode {
        &self.proposer.raft
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
            return Err(Refused::UnexpectedCluster { expected });
        }
        if let Err(error) = self.directory.join(cluster) {
            // A directory that is gone does not return under a running process.
            self.fail(FatalError::Identity(Arc::new(error)));
            return Err(Refused::Stopped);
        }
        self.peers.joined(cluster);
        info!(%cluster, node = %self.own.node, "this node belongs to a cluster now");
        Ok(())
    }

    /// Live peers, from gossip.
    pub async fn live_peers(&self) -> Vec<Peer> {
        let peers = self.gossip.peers().await;
        peers.into_iter().filter(|peer| peer.is_live && peer.node != self.own.node).collect()
    }

    /// This node, in the form that other nodes have from gossip.
    pub fn own_peer(&self) -> Peer {
        let OwnNode { node, boot, .. } = self.own;
        let ip = self.gossip.advertised().ip();
        Peer { node, boot, ip, is_live: true, facts: self.facts() }
    }

    /// What this node publishes about itself.
    pub fn facts(&self) -> NodeFacts {
        let load = self.raft().read(StateMachine::backlog);
        let config_hash = self.configured.borrow().config_hash;
        let first = self.own.first_facts(self.cluster(), config_hash, self.clock.wall());
        NodeFacts {
            is_ready: !self.is_draining() && !self.proposer.quorum.is_lost(),
            is_draining: self.is_draining(),
            load: u64::try_from(load).unwrap_or(u64::MAX),
            applied_index: *self.raft().applied().borrow(),
            spooled: self.quorum_loss.len(),
            ..first
        }
    }

    /// Asks a node for its status.
    pub async fn ask(&self, target: &PeerAddress, within: Duration) -> Option<NodeStatus> {
        let answer =
            self.peers.call(target, PeerRoute::NodeStatus, Ask {}.encode_to_vec(), within).await;
        NodeStatus::decode(answer.ok()?).ok()
    }

    /// What to do with an event that arrives now. A node that never was a member, or has no state
    /// yet, has nothing to promise.
    pub fn degradation(&self) -> Degradation {
        let Some(_) = self.cluster() else { return Degradation::Wait };
        let mode = self.quorum_loss.mode(self.is_draining());
        if mode != Degradation::Wait && self.is_arriving() {
            return Degradation::Wait;
        }
        mode
    }

    /// Whether the first life of this node is not in its state yet: it was emptied, or is new.
    fn is_arriving(&self) -> bool {
        let is_unknown = |state: &StateMachine| state.boot_of(self.own.node).is_none();
        self.own.boot == 1 && self.raft().read(is_unknown)
    }

    /// Whether these events must wait behind older ones of their runs that are on this disk alone.
    /// A node that shuts down, or has no room, cannot keep them.
    pub fn owes_order_to(&self, events: &[RunEvent]) -> bool {
        let can_wait = || !self.is_draining() && !self.disk.is_low() && self.quorum_loss.has_room();
        self.cluster().is_some() && self.quorum_loss.has_runs_of(events) && can_wait()
    }

    pub fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    /// Whether other nodes are named one by one. Then no DNS record shows that one was scaled away.
    pub fn has_static_seeds(&self) -> bool {
        match self.discovery {
            Discovery::Seeds(_) => true,
            Discovery::Service { .. } => false,
        }
    }

    /// Ends the process: continuing would do harm. The first reason stays.
    pub fn fail(&self, reason: FatalError) {
        fatal::tell(&self.failing, reason);
    }

    /// Whether a member is draining, as far as this node knows.
    pub fn drains(&self, node: NodeId) -> bool {
        if node == self.own.node {
            return self.is_draining();
        }
        let checks = self.checks.lock();
        checks.get(&node).is_some_and(|seen| seen.is_draining)
    }

    /// The check of this node, as sent to the leader.
    pub fn check(&self) -> Check {
        Check {
            node: self.own.node.0,
            wall_ms: self.clock.wall().0,
            is_draining: self.is_draining(),
            spooled: self.quorum_loss.len(),
            reach: Some(self.delivery_health.reach().into()),
            digest: self.own_digest(),
        }
    }

    /// Records the check of a node.
    pub fn checked(&self, check: &Check) {
        let seen = CheckSeen {
            at: self.clock.monotonic(),
            wall_ms: check.wall_ms,
            is_draining: check.is_draining,
            spooled: check.spooled,
            reach: check.reach.map(DeliveryHealth::from),
            digest: check.digest.map(StateDigest::from),
        };
        let before = self.checks.lock().insert(NodeId(check.node), seen);
        if before.is_some_and(|before| before.is_draining) != check.is_draining {
            self.duties.notify_one();
        }
    }

    /// The cluster as this node sees it alone.
    pub fn local_view(&self) -> view::ClusterView {
        let status = self.raft().status();
        let mut view = view::of_status(&status, self.own.node, !self.proposer.quorum.is_lost());
        if view.is_of_leader {
            let now = self.clock.monotonic();
            let unhealthy = self.unhealthy.lock();
            for known in &mut view.members {
                known.is_unhealthy = Some(unhealthy.contains(known.node, now));
            }
        }
        view
    }

    /// The index at which this node's state has stood still behind the leader's for too long.
    pub fn stuck(&self) -> Option<u64> {
        let standstill = self.standstill.lock();
        standstill.stuck()
    }

    /// Records that this node leads: no node is ahead of it.
    pub fn goes_ahead(&self) {
        self.standstill.lock().lead();
    }

    /// Compares the index applied here with the leader's, and logs once if the state stands still.
    pub fn follows(&self, leader: u64) {
        let (own, now) = (*self.raft().applied().borrow(), self.clock.monotonic());
        let mut standstill = self.standstill.lock();
        standstill.see(own, leader, now);
        let stuck = standstill.stuck();
        if let Some(index) = stuck
            && !self.told_stuck.swap(true, Ordering::Relaxed)
        {
            error!(
                index,
                leader,
                "the state of this replica stands still behind the leader's: its disk may be an old \
                 copy; empty it, and the replica joins as a new member"
            );
        }
        if stuck.is_none() {
            self.told_stuck.store(false, Ordering::Relaxed);
        }
    }

    /// Whether members differed without a majority (rule 21).
    pub fn states_differ(&self) -> bool {
        self.differing_at.load(Ordering::Relaxed) != 0
    }

    /// Owners that this node has judged unhealthy in its leaderships.
    pub fn unhealthy_judgements(&self) -> u64 {
        self.unhealthy.lock().judgements()
    }

    /// The cluster as the leader sees it, if the leader answers.
    pub async fn leaders_view(&self) -> Option<view::ClusterView> {
        let leader = self.proposer.leader()?;
        let body = Look {}.encode_to_vec();
        let answer = self.peers.call(&leader, PeerRoute::ClusterView, body, LOOK_WITHIN).await;
        view::decode(&answer.ok()?)
    }
}
