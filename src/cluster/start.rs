//! Starts a cluster of one, or a node of a cluster of several, and registers its life.

use super::ballast::Ballast;
use super::batch::{Rank, batcher};
use super::degraded::Degraded;
use super::disk::FreeDisk;
use super::duties::level::Raising;
use super::fatal::{FatalError, spawn};
use super::formation::Expected;
use super::gossip::{Gossip, GossipOptions};
use super::guides::Guides;
use super::identity::IdleDirectory;
use super::meet::{self, Meeting};
use super::member::{Member, Own};
use super::planning_mark::PlanningMark;
use super::quorum::Quorum;
use super::raft::{OpenError, PeerNetwork, RaftNode};
use super::spool::{SPOOL_BYTES_MAX, Spool};
use super::stamp::SharedStamps;
use super::ticker::Ticker;
use super::transport::{Gate, Hello, PeerListener, Peers};
use super::way::Way;
use super::{
    Backend, Cluster, ClusterId, Contacts, DataDirectory, Degrade, Discovery, Identity, Options,
    Several, StartError, compaction, duties, foreign, guard, leave, pulse,
};
use crate::clock::Clock;
use crate::config::OnQuorumLoss;
use crate::event::Key;
use crate::state_machine::{
    Applied, Boot, Command, NodeId, Refusal, Settings, SlotMove, StateMachine,
};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Deadline of the first entry of a life: a disk that was just mounted may be slow.
const REGISTER_TIMEOUT: Duration = Duration::from_secs(30);
const SPOOL_FOLDER: &str = "spool";
/// Wait after a life was not registered: nothing is sent before it is.
const REGISTER_RETRY: Duration = Duration::from_millis(100);

/// How a cluster tells that it has failed, and that its life is registered.
type Signals = (
    (watch::Sender<Option<FatalError>>, watch::Receiver<Option<FatalError>>),
    watch::Receiver<bool>,
);

/// What a cluster runs over.
struct Base {
    identity: Identity,
    directory: Option<Arc<DataDirectory>>,
    ballast: Option<Ballast>,
    planning: Option<PlanningMark>,
    ended_while_planning: Option<(Key, u64)>,
}

/// Whether a node whose directory belongs to cluster `found` may start.
fn check_expected(options: &Options, found: Option<ClusterId>) -> Result<(), StartError> {
    match (options.expected_cluster, found) {
        (Some(expected), Some(found)) if expected != found => {
            Err(StartError::OtherCluster { expected, found })
        }
        // With others there is somebody to join.
        (Some(expected), None) if options.several.is_none() => {
            Err(StartError::NoCluster { expected })
        }
        (Some(_) | None, Some(_) | None) => Ok(()),
    }
}

impl Base {
    fn open(options: &Options) -> Result<Self, StartError> {
        let Backend::Disk(path) = &options.backend else {
            check_expected(options, None)?;
            let drawn = Identity::draw().map_err(StartError::Identity)?;
            let identity = Identity { boot: 1, ..drawn };
            let (directory, ballast, planning) = (None, None, None);
            return Ok(Self { identity, directory, ballast, planning, ended_while_planning: None });
        };
        let idle = IdleDirectory::open(path).map_err(StartError::Identity)?;
        check_expected(options, idle.identity.and_then(|identity| identity.cluster_id))?;
        let directory = idle.begin().map_err(StartError::Identity)?;
        let (planning, ended_while_planning) =
            PlanningMark::open(path).map_err(StartError::Disk)?;
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

    fn boot(&self) -> Boot {
        let (node, number) = (self.identity.node_id, self.identity.boot);
        Boot { node, number, ended_while_planning: self.ended_while_planning }
    }
}

impl Cluster {
    /// Opens the log and registers this life of the node. Everything that an earlier life of a
    /// cluster of one confirmed is in the state when this returns; a node of several goes on
    /// looking for its peers, and [`Cluster::registered`] tells when it may send.
    ///
    /// # Errors
    /// The disk or what is on it cannot be used, or an address is taken.
    pub async fn start(options: Options, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let base = Base::open(&options)?;
        match &options.several {
            None => Self::start_alone(base, &options, clock).await,
            Some(several) => {
                let several = several.clone();
                Self::start_member(base, &options, &several, clock).await
            }
        }
    }

    async fn start_alone(
        base: Base,
        options: &Options,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        let raft = RaftNode::start_alone(base.identity.node_id, base.folder()).await;
        let raft = raft.map_err(|error| {
            if let OpenError::OfSeveral { members } = error {
                return StartError::OfSeveral { members };
            }
            StartError::Raft(error)
        })?;
        Self::alone_over(base, raft, options, clock).await
    }

    async fn alone_over(
        base: Base,
        raft: RaftNode,
        options: &Options,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        let cluster_id = match base.identity.cluster_id {
            Some(cluster_id) => cluster_id,
            None => ClusterId::draw().map_err(StartError::Identity)?,
        };
        if let Some(directory) = &base.directory {
            directory.join(cluster_id).map_err(StartError::Disk)?;
        }
        let boot = base.boot();
        let way = Way::alone(raft, Arc::clone(&clock));
        let (registering, registered) = watch::channel(false);
        let (failing, failed) = watch::channel(None);
        let left = left_in_spool(base.folder(), &way, (Arc::clone(&clock), failing.clone()))?;
        let mut cluster = Self::over(
            base,
            options,
            way,
            ((failing.clone(), failed), registered),
            Arc::clone(&clock),
        );
        cluster.cluster_id = Some(cluster_id);
        let raising = cluster.raising(None, clock).run(cluster.stop.clone());
        cluster.run([spawn("the feature level", &failing, raising)]);
        match cluster.register_alone(boot, &options.settings).await {
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
        several: &Several,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        let Some(directory) = base.directory.clone() else { return Err(StartError::NeedsDisk) };
        let expected = Expected::new(&several.name, several.replicas);
        let expected = expected.map_err(StartError::Formation)?;
        let listener = PeerListener::bind(&several.peer_addr).await;
        let listener = listener.map_err(StartError::Listen)?;
        let identity = base.identity;
        let life = getrandom::u64().map_err(|_| StartError::NoRandomness)?;
        let hello = Hello::new(identity.cluster_id, identity.node_id, identity.boot, life);
        let peers = Peers::new(hello);
        let network = PeerNetwork::new(Some(peers.clone()));
        let election = several.election_timeout;
        let raft = RaftNode::start(identity.node_id, base.folder(), network, election).await;
        let raft = raft.map_err(StartError::Raft)?;
        let own = own(identity, several, &listener);
        let facts = pulse::first_facts(&own, identity.cluster_id, clock.wall());
        let gossip = Gossip::start(gossip_options(identity, several), facts).await;
        let gossip = gossip.map_err(StartError::Gossip)?;
        let (bound, advertised) = (gossip.address(), gossip.advertised());
        info!(peers = %own.peer_address, gossip = %bound, %advertised, "looking for others");
        let stamps = SharedStamps::following(raft.read(StateMachine::now), Arc::clone(&clock));
        let (quorum, guides) = (Quorum::new(Arc::clone(&clock)), Guides::default());
        let way = Way { raft, stamps, quorum, peers: Some(peers.clone()), guides };
        let (failing, failed) = watch::channel(None);
        let means = (Arc::clone(&clock), failing.clone());
        let degraded = degraded(directory.path(), several.degrade, &way, means)?;
        let boot = base.boot();
        let (registering, registered) = watch::channel(false);
        let signals = ((failing.clone(), failed), registered);
        let mut cluster = Self::over(base, options, way.clone(), signals, Arc::clone(&clock));
        let meeting = Meeting { expected, pods: pods(several) };
        let member = Arc::new(Member {
            own,
            way,
            queue: cluster.queue.clone(),
            disk: Arc::clone(&cluster.disk),
            peers,
            gate: Gate::default(),
            gossip,
            directory,
            expected_cluster: options.expected_cluster,
            clock,
            is_draining: false.into(),
            checks: Mutex::default(),
            sick: Mutex::default(),
            contacts: cluster.contacts.clone(),
            differing_at: 0.into(),
            other_clusters: 0.into(),
            discovery: several.discovery.clone(),
            removal_grace: several.removal_grace,
            duties: tokio::sync::Notify::new(),
            degraded,
            settings: options.settings.clone(),
            failing,
        });
        cluster.run_member(&member, listener, meeting);
        let stop = cluster.stop.clone();
        let registered = register_member(Arc::clone(&member), boot, registering, stop);
        cluster.run([spawn("registering", &member.failing, registered)]);
        cluster.member = Some(member);
        Ok(cluster)
    }

    /// Starts the tasks that a node of several has beside those that every node has.
    fn run_member(&mut self, member: &Arc<Member>, listener: PeerListener, meeting: Meeting) {
        let (stop, failing) = (self.stop.clone(), &member.failing);
        let shared = || Arc::clone(member);
        let degraded = member.degraded.clone().run(self.queue.clone(), stop.clone());
        let raising = self.raising(Some(shared()), Arc::clone(&member.clock));
        self.run([
            spawn("the spool", failing, degraded),
            spawn("calls of peers", failing, listener.serve(shared(), stop.clone())),
            spawn("checks", failing, pulse::run(shared(), stop.clone())),
            spawn("meeting", failing, meet::run(shared(), meeting, stop.clone())),
            spawn("slots", failing, duties::run(shared(), stop.clone())),
            spawn("membership", failing, duties::membership::run(shared(), stop.clone())),
            spawn("the feature level", failing, raising.run(stop.clone())),
            spawn("other clusters", failing, foreign::run(shared(), stop.clone())),
            spawn("leaving", failing, leave::run(shared(), stop)),
        ]);
    }

    /// A cluster of one over a database of a test.
    #[cfg(test)]
    pub(super) async fn over_database(
        database: redb::Database,
        ballast: Option<Ballast>,
        options: &Options,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let identity = Identity { boot: 1, ..Identity::draw().unwrap() };
        let raft = RaftNode::over_database(identity.node_id, database).await.unwrap();
        let (directory, planning, ended_while_planning) = (None, None, None);
        let base = Base { identity, directory, ballast, planning, ended_while_planning };
        Self::alone_over(base, raft, options, clock).await.unwrap()
    }

    /// Starts the tasks that every node has.
    fn over(
        base: Base,
        options: &Options,
        way: Way,
        ((failing, failed), registered): Signals,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let folder = base.folder().map(Path::to_owned);
        let Base { identity, directory, ballast, planning, .. } = base;
        let stop = CancellationToken::new();
        let raft = way.raft.clone();
        let (batcher, queue) = batcher(way.clone(), stop.clone());
        let ticker = Ticker { way: way.clone(), queue: queue.clone(), stop: stop.clone() };
        let tasks = vec![
            spawn("timers", &failing, ticker.run()),
            spawn("snapshots", &failing, compaction::run(raft.clone(), stop.clone())),
            spawn(
                "watching the log",
                &failing,
                guard::run(raft, ballast, failing.clone(), stop.clone()),
            ),
            spawn("writing the log", &failing, batcher.run()),
        ];
        Self {
            contacts: Contacts::new(Arc::clone(&clock)),
            disk: Arc::new(FreeDisk::new(folder, options.free_bytes_min, clock)),
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
            way,
            queue,
            planning,
            failed,
            stop,
        }
    }

    fn raising(&self, member: Option<Arc<Member>>, clock: Arc<dyn Clock>) -> Raising {
        let (raft, queue) = (self.way.raft.clone(), self.queue.clone());
        Raising { raft, queue, own: self.node, member, clock }
    }

    fn run(&self, more: impl IntoIterator<Item = JoinHandle<()>>) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).extend(more);
    }

    /// Registers this life, then settings that differ and slots that nobody owns.
    async fn register_alone(&self, boot: Boot, settings: &Settings) -> Result<(), StartError> {
        let node = self.node;
        let mut commands = vec![Command::Boot(boot)];
        if self.read(|state| state.settings() != settings) {
            commands.push(Command::Settings(settings.clone()));
        }
        let moves = self.read(|state| unowned(state, node));
        if !moves.is_empty() {
            commands.push(Command::Assign(moves));
        }
        let submitted = self.queue.submit(commands, Rank::Work, REGISTER_TIMEOUT).await;
        let answers = submitted.map_err(StartError::Register)?;
        let is_over = [Refusal::StaleBoot, Refusal::Retired].map(Applied::Refused);
        if answers.iter().any(|answer| is_over.contains(answer)) {
            return Err(StartError::StaleBoot { node, boot: self.boot });
        }
        // Only now: until the accusation is in the log, the file is all there is of it.
        self.planning_ended();
        Ok(())
    }
}

/// Moves of all slots that nobody owns to `node`.
fn unowned(state: &StateMachine, node: NodeId) -> Vec<SlotMove> {
    let unowned = state.slots().filter(|(_, held)| held.owner.is_none());
    unowned
        .map(|(slot, held)| SlotMove {
            slot,
            expected_epoch: held.epoch,
            to: node,
            is_forced: false,
        })
        .collect()
}

/// Registers this life once the node is in a cluster. Of an older life, or a node that was
/// removed, nothing may ever be sent: the directory is put aside.
async fn register_member(
    member: Arc<Member>,
    boot: Boot,
    registering: watch::Sender<bool>,
    stop: CancellationToken,
) {
    loop {
        let commands = vec![Command::Boot(boot.clone())];
        let submitted = member.queue.submit(commands, Rank::Work, REGISTER_TIMEOUT);
        let answers = tokio::select! {
            () = stop.cancelled() => return,
            answers = submitted => answers,
        };
        match answers.as_deref() {
            Ok([Applied::Refused(refusal)]) => {
                warn!(?refusal, "the cluster does not want this node any more");
                member.peers.tell_off();
                return;
            }
            Ok(_) => {
                registering.send_replace(true);
                return;
            }
            Err(_) => tokio::time::sleep(REGISTER_RETRY).await,
        }
    }
}

/// What a node of several kept while it had no quorum, when it starts as a cluster of one: that
/// feeds its log with it, and never adds to it.
fn left_in_spool(
    folder: Option<&Path>,
    way: &Way,
    means: (Arc<dyn Clock>, watch::Sender<Option<FatalError>>),
) -> Result<Option<Degraded>, StartError> {
    let Some(folder) = folder.filter(|folder| folder.join(SPOOL_FOLDER).exists()) else {
        return Ok(None);
    };
    let never = Degrade { spool_after: Duration::MAX, on_quorum_loss: OnQuorumLoss::Reject };
    degraded(folder, never, way, means).map(Some)
}

/// Opens the spool of the data directory.
fn degraded(
    folder: &Path,
    policy: Degrade,
    way: &Way,
    (clock, failing): (Arc<dyn Clock>, watch::Sender<Option<FatalError>>),
) -> Result<Degraded, StartError> {
    let folder = folder.join(SPOOL_FOLDER);
    let spool = Spool::open(&folder, SPOOL_BYTES_MAX).map_err(StartError::Spool)?;
    let quorum = way.quorum.clone();
    Ok(Degraded::new((spool, folder), quorum, policy, (clock, failing)))
}

fn own(identity: Identity, several: &Several, listener: &PeerListener) -> Own {
    let host = match &several.advertise_host {
        Some(host) => host.clone(),
        None => listener.address().ip().to_string(),
    };
    let port = |address: &str| address.rsplit(':').next().unwrap_or_default().to_owned();
    Own {
        node: identity.node_id,
        boot: identity.boot,
        name: several.name.clone(),
        peer_address: format!("{host}:{}", listener.address().port()),
        http_address: several.http_address.clone(),
        gossip_address: format!("{host}:{}", port(&several.gossip_addr)),
        config_hash: several.config_hash,
    }
}

fn gossip_options(identity: Identity, several: &Several) -> GossipOptions {
    GossipOptions {
        listen: several.gossip_addr.clone(),
        advertise: several.advertise_host.clone(),
        discovery: several.discovery.clone(),
        node: identity.node_id,
        boot: identity.boot,
        secret: several.secret.clone(),
    }
}

/// Peer addresses of the pods that the first formation waits for.
fn pods(several: &Several) -> Vec<String> {
    let Discovery::Service { name: service, .. } = &several.discovery else { return Vec::new() };
    let base = several.name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let port = several.peer_addr.rsplit(':').next().unwrap_or_default();
    let pods = 0..several.replicas.unwrap_or_default();
    pods.map(|ordinal| format!("{base}{ordinal}.{service}:{port}")).collect()
}
