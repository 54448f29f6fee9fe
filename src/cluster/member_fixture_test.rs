//! A member for tests: a node of a cluster with peers, with all its parts and no running task.

use super::Cluster;
use super::data_dir::directory::DataDirectory;
use super::data_dir::free_space::FreeSpace;
use super::data_dir::identity::{ClusterId, NodeIdentity, write_identity};
use super::fatal::FatalError;
use super::gossip::{Discovery, Gossip, GossipOptions};
use super::health::delivery_health::DeliveryHealthRecorder;
use super::member::{Configured, Member, OwnNode};
use super::options::QuorumLossPolicy;
use super::proposal::batcher::{Batcher, batcher};
use super::proposal::log_clock::SharedLogClock;
use super::proposal::priority::Priority;
use super::proposal::proposer::Proposer;
use super::proposal::quorum::Quorum;
use super::proposal::relays::Relays;
use super::raft::{ELECTION_MIN, MemberNode, PeerNetwork, RaftNode};
use super::spool::quorum_loss::{QuorumLoss, QuorumLossParts};
use super::spool::{SPOOL_BYTES_MAX, Spool};
use super::test_clock::ManualClock;
use super::test_node::WITHIN;
use super::transport::{
    Hello, PeerAdmission, PeerListener, PeerRoute, PeerService, PeerTls, Peers, Refused,
};
use crate::clock::{Clock, Timestamp};
use crate::config::OnQuorumLoss;
use crate::state_machine::{Applied, Command, NodeId, Settings, SlotId, SlotMove, StateMachine};
use axum::body::Bytes;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub const CLUSTER: ClusterId = ClusterId(0xc);
pub const OTHER_CLUSTER: ClusterId = ClusterId(0xd);
pub const SPOOL_AFTER: Duration = Duration::from_secs(3);

/// A member that starts to listen for its peers on request.
pub struct Node {
    pub member: Arc<Member>,
    pub clock: Arc<ManualClock>,
    pub failed: watch::Receiver<Option<FatalError>>,
    pub folder: TempDir,
    listener: Option<PeerListener>,
    batcher: Option<Batcher>,
    pub stop: CancellationToken,
}

/// Options of a member at its start.
pub struct Told<'a> {
    pub name: &'a str,
    /// Addresses to listen on.
    pub peers: String,
    pub gossip: String,
    pub seeds: Vec<String>,
    pub expected_cluster: Option<ClusterId>,
    /// Lives of the node before this one.
    pub lives_before: u64,
}

impl Default for Told<'_> {
    fn default() -> Self {
        let (peers, gossip) = ("127.0.0.1:0".to_owned(), "127.0.0.1:0".to_owned());
        let (seeds, expected_cluster) = (Vec::new(), None);
        Self { name: "relay-0", peers, gossip, seeds, expected_cluster, lives_before: 1 }
    }
}

/// A member of no cluster, for a node with this id, in its second life.
pub async fn node(id: u64) -> Node {
    node_told(id, Told::default()).await
}

/// The same, with the only allowed cluster.
pub async fn node_with(id: u64, expected_cluster: Option<ClusterId>) -> Node {
    node_told(id, Told { expected_cluster, ..Told::default() }).await
}

/// The same, with all options.
pub async fn node_told(id: u64, told: Told<'_>) -> Node {
    let expected_cluster = told.expected_cluster;
    let folder = tempfile::tempdir().unwrap();
    let before = NodeIdentity { node_id: NodeId(id), cluster_id: None, boot: told.lives_before };
    write_identity(folder.path(), &before).unwrap();
    let directory = Arc::new(DataDirectory::open(folder.path()).unwrap());
    let manual = Arc::new(ManualClock::default());
    let clock: Arc<dyn Clock> = manual.clone();
    let listener = PeerListener::bind(&told.peers).await.unwrap();
    let own = own(directory.identity(), told.name, &listener);
    let tls = PeerTls::of_test();
    let peers = Peers::new(Hello::new(None, own.node, own.boot, id), tls.clone());
    let network = PeerNetwork::new(Some(peers.clone()));
    let raft = RaftNode::start(own.node, None, network, ELECTION_MIN).await.unwrap();
    let quorum = Quorum::new(Arc::clone(&clock));
    let log_clock = SharedLogClock::following(Timestamp::UNKNOWN, Arc::clone(&clock));
    let relays = Relays::default();
    let proposer =
        Proposer { raft, log_clock, quorum: quorum.clone(), peers: Some(peers.clone()), relays };
    let stop = CancellationToken::new();
    let (batcher, queue) = batcher(proposer.clone(), stop.clone());
    let (failing, failed) = watch::channel(None);
    let spool_folder = folder.path().join("spool");
    let spool = Spool::open(&spool_folder, SPOOL_BYTES_MAX).unwrap();
    let policy = QuorumLossPolicy { spool_after: SPOOL_AFTER, on_quorum_loss: OnQuorumLoss::Spool };
    let quorum_loss = QuorumLoss::new(QuorumLossParts {
        spool,
        folder: spool_folder,
        quorum,
        policy,
        clock: Arc::clone(&clock),
        failing: failing.clone(),
    });
    let member = Member {
        gossip: Arc::new(gossip(&own, told).await),
        own,
        proposer,
        queue,
        disk: Arc::new(FreeSpace::new(None, 0, Arc::clone(&clock))),
        peers,
        tls,
        admission: PeerAdmission::default(),
        directory,
        expected_cluster,
        delivery_health: DeliveryHealthRecorder::new(Arc::clone(&clock)),
        clock,
        is_draining: false.into(),
        checks: Mutex::default(),
        unhealthy: Mutex::default(),
        differing_at: 0.into(),
        other_clusters: 0.into(),
        discovery: Discovery::Seeds(Vec::new()),
        removal_grace: Duration::from_secs(60),
        admit: Vec::new(),
        not_admitted: 0.into(),
        duties: tokio::sync::Notify::new(),
        configured: watch::Sender::new(Configured {
            settings: Settings::default(),
            config_hash: 0,
        }),
        standstill: Mutex::default(),
        told_stuck: false.into(),
        quorum_loss,
        failing,
    };
    let (member, listener, batcher) = (Arc::new(member), Some(listener), Some(batcher));
    Node { member, clock: manual, failed, folder, listener, batcher, stop }
}

fn own(identity: NodeIdentity, name: &str, listener: &PeerListener) -> OwnNode {
    OwnNode {
        node: identity.node_id,
        boot: identity.boot,
        name: name.to_owned(),
        peer_address: listener.address().to_string(),
        http_address: String::new(),
        gossip_address: String::new(),
    }
}

async fn gossip(own: &OwnNode, told: Told<'_>) -> Gossip {
    let options = GossipOptions {
        listen: told.gossip,
        advertise: None,
        discovery: Discovery::Seeds(told.seeds),
        node: own.node,
        boot: own.boot,
        secrets: None,
        is_migrating: false,
    };
    let facts = own.first_facts(None, 0, Timestamp::UNKNOWN);
    Gossip::start(options, facts).await.unwrap()
}

impl Node {
    /// Answers peers from now on.
    pub fn listen(&mut self) {
        let listener = self.listener.take().unwrap();
        tokio::spawn(listener.serve(
            Arc::clone(&self.member),
            self.member.tls.clone(),
            self.stop.clone(),
        ));
    }

    /// Writes proposals from now on.
    pub fn write(&mut self) {
        tokio::spawn(self.batcher.take().unwrap().run());
    }

    /// Forms a cluster of this node alone; it leads when this returns.
    pub async fn lead(&mut self) {
        let own = &self.member.own;
        let at = MemberNode { name: own.name.clone(), address: own.peer_address.clone() };
        self.member.raft().form(BTreeMap::from([(own.node, at)])).await.unwrap();
        self.member.join(CLUSTER).unwrap();
        self.write();
        assert_eq!(self.propose(vec![Command::Tick]).await, [Applied::Done]);
    }

    /// Gives this node a slot, as a leader first does, and waits until `reader` knows it.
    pub async fn begin(&self, reader: &Self) {
        let (slot, to) = (SlotId::default(), self.member.own.node);
        let moves = vec![SlotMove { slot, expected_epoch: 0, to, is_forced: false }];
        assert_eq!(self.propose(vec![Command::Assign(moves)]).await, [Applied::Done]);
        let raft = reader.member.raft();
        let mut applied = raft.applied();
        let is_begun = |_: &u64| !raft.read(StateMachine::is_untouched);
        tokio::time::timeout(WITHIN, applied.wait_for(is_begun)).await.unwrap().unwrap();
    }

    /// The handle of the rest of the shell, over this member.
    pub fn cluster(&self, accept_timeout: Duration) -> Cluster {
        let member = &self.member;
        let stop = CancellationToken::new();
        let (_, registered) = watch::channel(true);
        Cluster {
            proposer: member.proposer.clone(),
            node: member.own.node,
            boot: member.own.boot,
            queue: member.queue.clone(),
            disk: Arc::clone(&member.disk),
            delivery_health: member.delivery_health.clone(),
            planning: None,
            failed: self.failed.clone(),
            registered,
            accept_timeout,
            cluster_id: None,
            member: Some(Arc::clone(member)),
            tasks: Mutex::default(),
            digesting: Arc::default(),
            _stop_on_drop: stop.clone().drop_guard(),
            stop,
            _directory: None,
        }
    }

    pub async fn propose(&self, commands: Vec<Command>) -> Vec<Applied> {
        self.member.queue.submit(commands, Priority::Work, WITHIN).await.unwrap()
    }
}

/// A leader of two voters. The other voter votes, and confirms no entry until allowed.
pub struct Pair {
    pub leader: Node,
    pub other: Node,
    deaf: Arc<Deaf>,
}

/// Answers for a member; appends only while allowed.
struct Deaf {
    member: Arc<Member>,
    hears: watch::Sender<bool>,
    came: watch::Sender<Vec<PeerRoute>>,
}

impl PeerService for Deaf {
    async fn answer(
        self: Arc<Self>,
        hello: Hello,
        route: PeerRoute,
        body: Bytes,
    ) -> Result<Vec<u8>, Refused> {
        self.came.send_modify(|came| came.push(route));
        if route == PeerRoute::Append {
            self.hears.subscribe().wait_for(|hears| *hears).await.unwrap();
        }
        Arc::clone(&self.member).answer(hello, route, body).await
    }
}

impl Pair {
    /// Returns when the first node leads and no entry of its term is applied.
    pub async fn elected() -> Self {
        let (mut leader, other) = (node(1).await, node(2).await);
        let (hears, came) = (watch::Sender::new(false), watch::Sender::default());
        let deaf = Arc::new(Deaf { member: Arc::clone(&other.member), hears, came });
        let listener = PeerListener::bind("127.0.0.1:0").await.unwrap();
        let places = [
            (leader.member.own.node, leader.member.own.peer_address.clone()),
            (other.member.own.node, listener.address().to_string()),
        ];
        leader.listen();
        tokio::spawn(listener.serve(Arc::clone(&deaf), PeerTls::of_test(), other.stop.clone()));
        leader.member.join(CLUSTER).unwrap();
        let at = |(node, address)| (node, MemberNode { name: format!("relay-{node}"), address });
        leader.member.raft().form(places.map(at).into()).await.unwrap();
        leader.write();
        let pair = Self { leader, other, deaf };
        pair.until(|pair| pair.leader.member.raft().leads_term().is_some()).await;
        assert!(!pair.leader.member.raft().status().has_applied_own_term);
        pair
    }

    /// Lets the other voter confirm entries, and waits until the leader has applied one.
    pub async fn confirm(&self) {
        self.hear(true);
        self.until(|pair| pair.leader.member.raft().status().has_applied_own_term).await;
    }

    /// Lets the other voter receive appends from now on, or not.
    pub fn hear(&self, hears: bool) {
        self.deaf.hears.send_replace(hears);
    }

    /// Waits until the other voter received such a call.
    pub async fn called(&self, route: PeerRoute) {
        let mut came = self.deaf.came.subscribe();
        let came = came.wait_for(|came| came.contains(&route));
        tokio::time::timeout(WITHIN, came).await.unwrap().unwrap();
    }

    pub async fn until(&self, holds: impl Fn(&Self) -> bool) {
        let holds = async {
            while !holds(self) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(WITHIN, holds).await.unwrap();
    }
}
