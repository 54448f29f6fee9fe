//! Starts a cluster of one, or a node of a cluster with peers, and registers its life.

mod addresses;
pub(super) mod error;
mod register;

use super::bootstrap::formation::Expected;
use super::bootstrap::{self, BootstrapTargets, other_clusters};
use super::checks::quorum_check;
use super::data_dir::ballast::Ballast;
use super::data_dir::directory::{DataDirectory, IdleDirectory};
use super::data_dir::free_space::FreeSpace;
use super::data_dir::identity::{ClusterId, NodeIdentity};
use super::data_dir::plan_marker::PlanMarker;
use super::fatal::{FatalError, spawn};
use super::gossip::{Gossip, GossipOptions, NodeFacts};
use super::handle::Cluster;
use super::health::delivery_health::DeliveryHealthRecorder;
use super::leader::{self, feature_level::Raising};
use super::member::{Configured, Member};
use super::options::{Backend, Options, PeerOptions, QuorumLossPolicy};
use super::proposal::batcher::batcher;
use super::proposal::log_clock::SharedLogClock;
use super::proposal::proposer::Proposer;
use super::proposal::quorum::Quorum;
use super::proposal::relays::Relays;
use super::proposal::ticker::Ticker;
use super::raft::{OpenError, PeerNetwork, RaftNode, compaction};
use super::security::{self, Secured, Security};
use super::shutdown::{evicted, log_watch};
use super::spool::quorum_loss::{QuorumLoss, QuorumLossParts};
use super::spool::{SPOOL_BYTES_MAX, Spool};
use super::transport::{Hello, PeerAdmission, PeerListener, Peers};
use crate::clock::Clock;
use crate::config::OnQuorumLoss;
use crate::event::Key;
use crate::state_machine::{Boot, StateMachine};
use addresses::{gossip_options, own, pods};
use error::StartError;
use parking_lot::Mutex;
use register::register_member;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

const SPOOL_FOLDER: &str = "spool";

/// How a cluster signals that it has failed, and that its life is registered.
struct Signals {
    failing: watch::Sender<Option<FatalError>>,
    failed: watch::Receiver<Option<FatalError>>,
    registered: watch::Receiver<bool>,
}

/// The foundation of a cluster.
struct Base {
    identity: NodeIdentity,
    directory: Option<Arc<DataDirectory>>,
    ballast: Option<Ballast>,
    planning: Option<PlanMarker>,
    ended_while_planning: Option<(Key, u64)>,
}

/// What the node was started with.
fn configured(options: &Options, peer_options: &PeerOptions) -> watch::Sender<Configured> {
    let (settings, config_hash) = (options.settings.clone(), peer_options.config_hash);
    watch::Sender::new(Configured { settings, config_hash })
}

/// Whether a node whose directory belongs to cluster `found` may start.
fn check_expected(options: &Options, found: Option<ClusterId>) -> Result<(), StartError> {
    match (options.expected_cluster, found) {
        (Some(expected), Some(found)) if expected != found => {
            Err(StartError::OtherCluster { expected, found })
        }
        // With peers there is a cluster to join.
        (Some(expected), None) if options.peer_options.is_none() => {
            Err(StartError::NoCluster { expected })
        }
        (Some(_) | None, Some(_) | None) => Ok(()),
    }
}

impl Base {
    fn open(options: &Options) -> Result<Self, StartError> {
        let Backend::Disk(path) = &options.backend else {
            check_expected(options, None)?;
            let drawn = NodeIdentity::draw().map_err(StartError::NodeIdentity)?;
            let identity = NodeIdentity { boot: 1, ..drawn };
            let (directory, ballast, planning) = (None, None, None);
            return Ok(Self { identity, directory, ballast, planning, ended_while_planning: None });
        };
        let idle = IdleDirectory::open(path).map_err(StartError::NodeIdentity)?;
        check_expected(options, idle.identity.and_then(|identity| identity.cluster_id))?;
        let directory = idle.begin_with_log().map_err(StartError::NodeIdentity)?;
        let (planning, ended_while_planning) = PlanMarker::open(path).map_err(StartError::Disk)?;
        Ok(Self {
            identity: directory.identity(),
            ballast: Some(Ballast::load(path, options.free_bytes_min)),
            planning: Some(planning),
            directory: Some(Arc::new(directory)),
            ended_while_planning,
        })
    }

    fn folder(&self) -> Option<&Path> {
        self.directory.as_deref().map(DataDirectory::path)
    }

    /// The log of a node that reaches others by `peers`.
    async fn raft_of(
        &self,
        peer_options: &PeerOptions,
        peers: &Peers,
    ) -> Result<RaftNode, StartError> {
        let (network, election) =
            (PeerNetwork::new(Some(peers.clone())), peer_options.election_timeout);
        let raft = RaftNode::start(self.identity.node_id, self.folder(), network, election).await;
        raft.map_err(StartError::Raft)
    }

    fn boot(&self) -> Boot {
        let (node, number) = (self.identity.node_id, self.identity.boot);
        Boot { node, number, ended_while_planning: self.ended_while_planning }
    }
}

impl Cluster {
    /// Opens the log and registers this life of the node. For a cluster of one, everything that an
    /// earlier life confirmed is in the state when this returns. A node with peers keeps looking
    /// for them, and [`Cluster::registered`] says when it may send.
    ///
    /// # Errors
    /// The disk or its content cannot be used, or an address is in use.
    pub async fn start(options: Options, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let base = Base::open(&options)?;
        match &options.peer_options {
            None => Self::start_single_node(base, &options, clock).await,
            Some(peer_options) => {
                let peer_options = peer_options.clone();
                Self::start_member(base, &options, &peer_options, clock).await
            }
        }
    }

    async fn start_single_node(
        base: Base,
        options: &Options,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        let raft = RaftNode::start_single_node(base.identity.node_id, base.folder()).await;
        let raft = raft.map_err(|error| {
            if let OpenError::HasPeers { members } = error {
                return StartError::HasPeers { members };
            }
            StartError::Raft(error)
        })?;
        Self::single_node_over(base, raft, options, clock).await
    }

    async fn single_node_over(
        base: Base,
        raft: RaftNode,
        options: &Options,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        let cluster_id = match base.identity.cluster_id {
            Some(cluster_id) => cluster_id,
            None => ClusterId::draw().map_err(StartError::NodeIdentity)?,
        };
        if let Some(directory) = &base.directory {
            directory.join(cluster_id).map_err(StartError::Disk)?;
        }
        let boot = base.boot();
        let proposer = Proposer::single_node(raft, Arc::clone(&clock));
        let (registering, registered) = watch::channel(false);
        let (failing, failed) = watch::channel(None);
        let left = left_in_spool(base.folder(), &proposer, &clock, &failing)?;
        let mut cluster = Self::over(
            base,
            options,
            proposer,
            Signals { failing: failing.clone(), failed, registered },
            Arc::clone(&clock),
        );
        cluster.cluster_id = Some(cluster_id);
        let raising = cluster.raising(None, clock).run(cluster.stop.clone());
        cluster.run([spawn("the feature level", &failing, raising)]);
        match cluster.register_single_node(boot, &options.settings).await {
            Ok(()) => {
                registering.send_replace(true);
                let (queue, stop) = (cluster.queue.clone(), cluster.stop.clone());
                cluster.run(left.map(|left| spawn("the spool", &failing, left.run(queue, stop))));
                Ok(cluster)
            }
            Err(error) => {
                cluster.shutdown().await;
                Err(error)
            }
        }
    }

    async fn start_member(
        base: Base,
        options: &Options,
        peer_options: &PeerOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        let Some(directory) = base.directory.clone() else { return Err(StartError::NeedsDisk) };
        let expected = Expected::new(&peer_options.name, peer_options.replicas);
        let expected = expected.map_err(StartError::Formation)?;
        let listener = PeerListener::bind(&peer_options.peer_addr).await;
        let listener = listener.map_err(StartError::Listen)?;
        let Secured { tls, secrets, is_migrating } = secured(peer_options)?;
        let identity = base.identity;
        let life = getrandom::u64().map_err(|_| StartError::NoRandomness)?;
        let hello = Hello::new(identity.cluster_id, identity.node_id, identity.boot, life);
        let peers = Peers::new(hello, tls.clone());
        let raft = base.raft_of(peer_options, &peers).await?;
        let own = own(identity, peer_options, &listener);
        let facts = own.first_facts(identity.cluster_id, peer_options.config_hash, clock.wall());
        let gossip = gossip_options(identity, peer_options, (secrets, is_migrating));
        let gossip = gossiping(gossip, facts, &own.peer_address).await?;
        let log_clock = SharedLogClock::following(raft.read(StateMachine::now), Arc::clone(&clock));
        let (quorum, relays) = (Quorum::new(Arc::clone(&clock)), Relays::default());
        let proposer = Proposer { raft, log_clock, quorum, peers: Some(peers.clone()), relays };
        let (failing, failed) = watch::channel(None);
        let quorum_loss =
            quorum_loss(directory.path(), peer_options.degrade, &proposer, &clock, &failing)?;
        let boot = base.boot();
        let (registering, registered) = watch::channel(false);
        let signals = Signals { failing: failing.clone(), failed, registered };
        let mut cluster = Self::over(base, options, proposer.clone(), signals, Arc::clone(&clock));
        let targets = BootstrapTargets { expected, pods: pods(peer_options) };
        let member = Arc::new(Member {
            own,
            proposer,
            queue: cluster.queue.clone(),
            disk: Arc::clone(&cluster.disk),
            peers,
            tls,
            admission: PeerAdmission::default(),
            gossip,
            directory,
            expected_cluster: options.expected_cluster,
            clock,
            is_draining: false.into(),
            checks: Mutex::default(),
            unhealthy: Mutex::default(),
            delivery_health: cluster.delivery_health.clone(),
            differing_at: 0.into(),
            other_clusters: 0.into(),
            discovery: peer_options.discovery.clone(),
            removal_grace: peer_options.removal_grace,
            admit: peer_options.admit.clone(),
            not_admitted: 0.into(),
            duties: tokio::sync::Notify::new(),
            quorum_loss,
            configured: configured(options, peer_options),
            standstill: Mutex::default(),
            told_stuck: false.into(),
            failing,
        });
        cluster.run_member(&member, listener, targets, peer_options.security.clone());
        let stop = cluster.stop.clone();
        let registered = register_member(Arc::clone(&member), boot, registering, stop);
        cluster.run([spawn("registering", &member.failing, registered)]);
        cluster.member = Some(member);
        Ok(cluster)
    }

    /// Starts the tasks of a node with peers, in addition to those of every node.
    fn run_member(
        &mut self,
        member: &Arc<Member>,
        listener: PeerListener,
        targets: BootstrapTargets,
        security: Security,
    ) {
        let (stop, failing) = (self.stop.clone(), &member.failing);
        let (tls, gossip) = (member.tls.clone(), Arc::clone(&member.gossip));
        let serving = listener.serve(Arc::clone(member), tls.clone(), stop.clone());
        let shared = || Arc::clone(member);
        let quorum_loss = member.quorum_loss.clone().run(self.queue.clone(), stop.clone());
        let raising = self.raising(Some(shared()), Arc::clone(&member.clock));
        self.run([
            spawn("the spool", failing, quorum_loss),
            spawn("calls of peers", failing, serving),
            spawn("secrets", failing, security::run(security, tls, gossip, stop.clone())),
            spawn("checks", failing, quorum_check::run(shared(), stop.clone())),
            spawn("meeting", failing, bootstrap::run(shared(), targets, stop.clone())),
            spawn("slots", failing, leader::run(shared(), stop.clone())),
            spawn("membership", failing, leader::membership::run(shared(), stop.clone())),
            spawn("the feature level", failing, raising.run(stop.clone())),
            spawn("other clusters", failing, other_clusters::run(shared(), stop.clone())),
            spawn("leaving", failing, evicted::run(shared(), stop)),
        ]);
    }

    /// A cluster of one over a test's database.
    #[cfg(test)]
    pub(super) async fn over_database(
        database: redb::Database,
        ballast: Option<Ballast>,
        options: &Options,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let identity = NodeIdentity { boot: 1, ..NodeIdentity::draw().unwrap() };
        let raft = RaftNode::over_database(identity.node_id, database).await.unwrap();
        let (directory, planning, ended_while_planning) = (None, None, None);
        let base = Base { identity, directory, ballast, planning, ended_while_planning };
        Self::single_node_over(base, raft, options, clock).await.unwrap()
    }

    /// Starts the tasks that every node has.
    fn over(
        base: Base,
        options: &Options,
        proposer: Proposer,
        Signals { failing, failed, registered }: Signals,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let folder = base.folder().map(Path::to_owned);
        let Base { identity, directory, ballast, planning, .. } = base;
        let stop = CancellationToken::new();
        let raft = proposer.raft.clone();
        let (batcher, queue) = batcher(proposer.clone(), stop.clone());
        let ticker =
            Ticker { proposer: proposer.clone(), queue: queue.clone(), stop: stop.clone() };
        let tasks = vec![
            spawn("timers", &failing, ticker.run()),
            spawn("snapshots", &failing, compaction::run(raft.clone(), stop.clone())),
            spawn(
                "watching the log",
                &failing,
                log_watch::run(raft, ballast, failing.clone(), stop.clone()),
            ),
            spawn("writing the log", &failing, batcher.run()),
        ];
        Self {
            delivery_health: DeliveryHealthRecorder::new(Arc::clone(&clock)),
            disk: Arc::new(FreeSpace::new(folder, options.free_bytes_min, clock)),
            accept_timeout: options.accept_timeout,
            tasks: Mutex::new(tasks),
            digesting: Arc::default(),
            _stop_on_drop: stop.clone().drop_guard(),
            _directory: directory,
            node: identity.node_id,
            boot: identity.boot,
            cluster_id: identity.cluster_id,
            member: None,
            registered,
            proposer,
            queue,
            planning,
            failed,
            stop,
        }
    }

    fn raising(&self, member: Option<Arc<Member>>, clock: Arc<dyn Clock>) -> Raising {
        let (raft, queue) = (self.proposer.raft.clone(), self.queue.clone());
        Raising { raft, queue, own: self.node, member, clock }
    }

    fn run(&self, more: impl IntoIterator<Item = JoinHandle<()>>) {
        self.tasks.lock().extend(more);
    }
}

/// How this node authenticates.
fn secured(peer_options: &PeerOptions) -> Result<Secured, StartError> {
    let secured = peer_options.security.load().map_err(StartError::Security)?;
    if secured.tls.believes_anybody() {
        warn!("cluster.peer_tls is migrate: whoever reaches the peer port is believed");
    }
    Ok(secured)
}

/// Gossip of a node that listens for peers at `peers`.
async fn gossiping(
    options: GossipOptions,
    facts: NodeFacts,
    peers: &str,
) -> Result<Arc<Gossip>, StartError> {
    let gossip = Gossip::start(options, facts).await.map_err(StartError::Gossip)?;
    let (bound, advertised) = (gossip.address(), gossip.advertised());
    info!(peers, gossip = %bound, %advertised, "looking for others");
    Ok(Arc::new(gossip))
}

/// The spool of a node that had peers and now starts as a cluster of one: it feeds its log with it,
/// and never adds to it.
fn left_in_spool(
    folder: Option<&Path>,
    proposer: &Proposer,
    clock: &Arc<dyn Clock>,
    failing: &watch::Sender<Option<FatalError>>,
) -> Result<Option<QuorumLoss>, StartError> {
    let Some(folder) = folder.filter(|folder| folder.join(SPOOL_FOLDER).exists()) else {
        return Ok(None);
    };
    let never =
        QuorumLossPolicy { spool_after: Duration::MAX, on_quorum_loss: OnQuorumLoss::Reject };
    quorum_loss(folder, never, proposer, clock, failing).map(Some)
}

/// Opens the spool of the data directory.
fn quorum_loss(
    folder: &Path,
    policy: QuorumLossPolicy,
    proposer: &Proposer,
    clock: &Arc<dyn Clock>,
    failing: &watch::Sender<Option<FatalError>>,
) -> Result<QuorumLoss, StartError> {
    let folder = folder.join(SPOOL_FOLDER);
    let spool = Spool::open(&folder, SPOOL_BYTES_MAX).map_err(StartError::Spool)?;
    let quorum = proposer.quorum.clone();
    let (clock, failing) = (Arc::clone(clock), failing.clone());
    Ok(QuorumLoss::new(QuorumLossParts { spool, folder, quorum, policy, clock, failing }))
}
