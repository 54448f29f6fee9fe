//! Discovery and hints by chitchat: which nodes exist, at which addresses, in which state. Nothing
//! here decides: membership, ownership and time are facts of the log. chitchat's own types stay
//! inside. Without a secret, anyone who reaches the port can send this node anything.

mod address;
mod discovery;
mod facts;
mod peers;
mod seal;
mod socket;

pub use discovery::{Discovery, DiscoveryAnswers};
pub use facts::{FactsError, NodeFacts};
pub use peers::Peer;
pub use seal::SealError;

use super::secrets::ClusterSecrets;
use crate::state_machine::NodeId;
use address::OwnAddress;
use chitchat::{
    Chitchat, ChitchatConfig, ChitchatHandle, ChitchatId, FailureDetectorConfig, spawn_chitchat,
};
use discovery::SeedResolver;
use parking_lot::Mutex;
use peers::{Sighting, newest_boots};
use seal::Seal;
use socket::{Bound, SharedSeal};
use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Distinguishes this network from other users of chitchat on the same port; the log has the
/// cluster's identity.
const NETWORK: &str = "tekton-events-relay";
/// A silence of this many mean intervals means dead: 2 to 8 s, less for a node known for longer.
const PHI: f64 = 8.0;
/// How long dead nodes are remembered; a pod returns within that time.
const DEAD_GRACE: Duration = Duration::from_secs(15 * 60);

/// Intervals of the gossip tasks.
#[derive(Clone, Copy)]
struct Timing {
    /// Between two rounds of gossip.
    gossip: Duration,
    /// Expected interval between the first two heartbeats of a new node.
    initial: Duration,
    /// Between two lookups of the seed names. chitchat makes one a minute, which is too slow for a
    /// rollout.
    seek: Duration,
    /// Between two greetings of a seed that is not live.
    greet: Duration,
}

const TIMING: Timing = Timing {
    gossip: Duration::from_millis(500),
    initial: Duration::from_secs(1),
    seek: Duration::from_secs(3),
    // `formation::LISTEN_MIN` relies on it.
    greet: Duration::from_secs(1),
};

/// Options of gossip.
#[derive(Clone, Debug)]
pub struct GossipOptions {
    /// `HOST:PORT` to bind, UDP.
    pub listen: String,
    /// Host for other nodes. An IP address is used as it is; a name is used only if it resolves to
    /// this machine. Otherwise it is the host of `listen`. If that means every address of this
    /// machine, it is the source address towards the seeds or the outside.
    pub advertise: Option<String>,
    /// Where other nodes are.
    pub discovery: Discovery,
    /// Identity of this node.
    pub node: NodeId,
    /// Number of this life of the node: others keep the highest.
    pub boot: u64,
    /// If set, every datagram is sealed, and only datagrams under one of these secrets are
    /// accepted.
    pub secrets: Option<ClusterSecrets>,
    /// Whether datagrams of nodes without a secret are accepted, too.
    pub is_migrating: bool,
}

/// Why gossip cannot start. Nothing is left running.
#[derive(Debug, thiserror::Error)]
pub enum GossipError {
    /// The address to bind is not an address.
    #[error("gossip address {address} is not HOST:PORT")]
    Listen { address: String },
    /// A seed is not an address.
    #[error("seed {seed} is not HOST:PORT")]
    Seed { seed: String },
    /// The address cannot be bound.
    #[error("cannot listen on gossip address {address}")]
    Bind {
        address: String,
        #[source]
        source: io::Error,
    },
    /// This machine has no route to other nodes.
    #[error("no address at which others could reach this node")]
    NoAddress,
    /// The secret gives no key.
    #[error("unusable gossip secret")]
    Secrets(#[source] SealError),
    /// The facts of this node cannot be published.
    #[error("unusable facts")]
    Facts(#[source] FactsError),
    /// chitchat did not start.
    #[error("gossip did not start")]
    Start(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// How gossip ended although nobody had asked it to. Others hear no more of this node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GossipEnd {
    /// The server of chitchat failed. It gives the cause as text alone.
    #[error("its server failed: {why}")]
    Failed { why: String },
    /// The server of chitchat ended and gave no cause.
    #[error("its server stopped by itself")]
    Untold,
}

/// A running gossip node.
pub struct Gossip {
    chitchat: Arc<ChitchatHandle>,
    node: NodeId,
    own: OwnAddress,
    seal: SharedSeal,
    is_migrating: bool,
    refused: Arc<AtomicU64>,
    changed: watch::Receiver<u64>,
    answers: watch::Receiver<DiscoveryAnswers>,
    failed: watch::Receiver<Option<GossipEnd>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    stop: CancellationToken,
    /// Ends the tasks of a handle that is dropped without a shutdown.
    _stop_on_drop: DropGuard,
}

impl Gossip {
    /// Binds the socket, publishes `first_facts`, and starts to look for other nodes.
    ///
    /// # Errors
    /// An option is unusable, or the address cannot be bound.
    pub async fn start(
        options: GossipOptions,
        first_facts: NodeFacts,
    ) -> Result<Self, GossipError> {
        Self::start_at(options, first_facts, TIMING).await
    }

    async fn start_at(
        options: GossipOptions,
        first_facts: NodeFacts,
        timing: Timing,
    ) -> Result<Self, GossipError> {
        let names = options.discovery.names()?;
        let seal = Seal::new(options.secrets.as_ref(), options.is_migrating);
        let seal = SharedSeal::new(seal.map_err(GossipError::Secrets)?);
        let pairs = first_facts.to_pairs().map_err(GossipError::Facts)?;
        let pairs = pairs.map(|(key, value)| (key.to_owned(), value));
        let (socket, own) = bind(&options, &names).await?;
        let refused = Arc::new(AtomicU64::new(0));
        let bound = Bound::new(socket, seal.clone(), Arc::clone(&refused));
        let bound = bound.map_err(|source| bind_error(&options.listen, source))?;
        let config = config(&options, own, timing);
        let chitchat = spawn_chitchat(config, pairs.to_vec(), &bound).await;
        let chitchat = Arc::new(chitchat.map_err(|error| GossipError::Start(error.into()))?);
        let (telling, answers) = watch::channel(DiscoveryAnswers::default());
        let (changing, changed) = watch::channel(0);
        let (failing, failed) = watch::channel(None);
        let stop = CancellationToken::new();
        let seed_resolver = SeedResolver {
            names,
            own,
            chitchat: Arc::clone(&chitchat),
            answers: telling,
            every: timing.seek,
            greet_every: timing.greet,
            stop: stop.clone(),
        };
        let lookout = Lookout {
            chitchat: Arc::clone(&chitchat),
            node: options.node,
            changed: changing,
            failed: failing,
            every: timing.gossip,
            stop: stop.clone(),
        };
        let tasks = vec![tokio::spawn(seed_resolver.run()), tokio::spawn(lookout.run())];
        Ok(Self {
            chitchat,
            node: options.node,
            own,
            seal,
            is_migrating: options.is_migrating,
            refused,
            changed,
            answers,
            failed,
            tasks: Mutex::new(tasks),
            _stop_on_drop: stop.clone().drop_guard(),
            stop,
        })
    }

    /// Seals with these secrets from now on.
    ///
    /// # Errors
    /// They give no key; nothing has changed.
    pub fn seal_under(&self, secrets: &ClusterSecrets) -> Result<(), SealError> {
        self.seal.replace(Seal::new(Some(secrets), self.is_migrating)?);
        Ok(())
    }

    /// Publishes what has changed since the last call. Invalid facts are logged, and the old ones
    /// stay.
    pub async fn publish(&self, facts: NodeFacts) {
        let pairs = match facts.to_pairs() {
            Ok(pairs) => pairs,
            Err(error) => {
                tracing::error!(%error, "facts not published");
                return;
            }
        };
        // chitchat raises the version only of changed values.
        let tell = |chitchat: &mut Chitchat| {
            let state = chitchat.self_node_state();
            pairs.iter().for_each(|(key, value)| state.set(key, value));
        };
        self.chitchat.with_chitchat(tell).await;
    }

    /// All other nodes that gossip remembers, live or dead, each in its newest boot. Nodes whose
    /// facts are malformed or have not all arrived are left out.
    pub async fn peers(&self) -> Vec<Peer> {
        peers(&self.chitchat, self.node).await
    }

    /// Gossip addresses of live nodes, including this one, each with its node.
    pub async fn live_addresses(&self) -> BTreeSet<(SocketAddr, NodeId)> {
        self.chitchat.with_chitchat(|chitchat| live_addresses(chitchat)).await
    }

    /// Counts changes of [`Gossip::peers`]: of liveness and of every fact, including the clocks.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.changed.clone()
    }

    /// What discovery has learnt so far, for a node that may form a cluster (rule 24).
    #[must_use]
    pub fn seeds_answered(&self) -> DiscoveryAnswers {
        self.answers.borrow().clone()
    }

    /// Set once, with the reason, if gossip ended without a shutdown. It cannot start again in this
    /// life: other nodes do not accept the same boot number twice.
    #[must_use]
    pub fn failed(&self) -> watch::Receiver<Option<GossipEnd>> {
        self.failed.clone()
    }

    /// The bound address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.own.bound
    }

    /// The announced address.
    #[must_use]
    pub fn advertised(&self) -> SocketAddr {
        self.own.advertised
    }

    /// Dropped datagrams: another key, no key, or not gossip.
    #[must_use]
    pub fn refused_datagrams(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Stops; the address is free afterwards. Others notice it by the silence: publish
    /// [`NodeFacts::is_draining`] before.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        let tasks = std::mem::take(&mut *self.tasks.lock());
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "gossip task ended badly");
            }
        }
        let ended = self.chitchat.termination_watcher();
        if self.chitchat.initiate_shutdown().is_ok()
            && let Err(error) = ended.await
        {
            tracing::debug!(%error, "gossip ended badly");
        }
    }
}

/// Binds the address and finds the one to announce.
async fn bind(
    options: &GossipOptions,
    names: &[(String, u16)],
) -> Result<(UdpSocket, OwnAddress), GossipError> {
    let listen = &options.listen;
    let (host, port) = address::host_and_port(listen)
        .ok_or_else(|| GossipError::Listen { address: listen.clone() })?;
    let socket = UdpSocket::bind((host, port)).await;
    let socket = socket.map_err(|source| bind_error(listen, source))?;
    let bound = socket.local_addr().map_err(|source| bind_error(listen, source))?;
    // Only a node bound to every address needs the route to the seeds.
    let seeds = match bound.ip().is_unspecified() {
        true => discovery::resolve_all(names, bound.is_ipv6()).await.0,
        false => BTreeSet::new(),
    };
    let advertised = address::advertised(bound, options.advertise.as_deref(), &seeds).await?;
    Ok((socket, OwnAddress { bound, advertised }))
}

fn bind_error(address: &str, source: io::Error) -> GossipError {
    GossipError::Bind { address: address.to_owned(), source }
}

fn config(options: &GossipOptions, own: OwnAddress, timing: Timing) -> ChitchatConfig {
    ChitchatConfig {
        chitchat_id: ChitchatId::new(options.node.to_string(), options.boot, own.advertised),
        cluster_id: NETWORK.to_owned(),
        gossip_interval: timing.gossip,
        listen_addr: own.bound,
        // None: chitchat resolves them too rarely, and warns about every failure.
        seed_nodes: Vec::new(),
        failure_detector_config: FailureDetectorConfig {
            phi_threshold: PHI,
            initial_interval: timing.initial,
            dead_node_grace_period: DEAD_GRACE,
            ..FailureDetectorConfig::default()
        },
        // No key is ever deleted.
        marked_for_deletion_grace_period: DEAD_GRACE,
        catchup_callback: None,
        extra_liveness_predicate: None,
    }
}

async fn peers(chitchat: &ChitchatHandle, own: NodeId) -> Vec<Peer> {
    chitchat.with_chitchat(|chitchat| newest_boots(own, observations(chitchat))).await
}

fn live_addresses(chitchat: &Chitchat) -> BTreeSet<(SocketAddr, NodeId)> {
    let live = chitchat.live_nodes().filter_map(|id| {
        let node = facts::hex_u64(&id.node_id).map(NodeId)?;
        Some((discovery::canonical(id.gossip_advertise_addr), node))
    });
    live.collect()
}

fn observations(chitchat: &Chitchat) -> impl Iterator<Item = Sighting<'_>> {
    let live: BTreeSet<&ChitchatId> = chitchat.live_nodes().collect();
    chitchat.node_states().iter().map(move |(id, state)| Sighting {
        id: &id.node_id,
        boot: id.generation_id,
        address: id.gossip_advertise_addr,
        is_live: live.contains(id),
        facts: NodeFacts::from_pairs(|key| state.get(key)),
    })
}

/// Signals changes of the view, and the end of chitchat.
struct Lookout {
    chitchat: Arc<ChitchatHandle>,
    node: NodeId,
    changed: watch::Sender<u64>,
    failed: watch::Sender<Option<GossipEnd>>,
    /// Between two polls: chitchat does not signal what it learns about dead nodes.
    every: Duration,
    stop: CancellationToken,
}

impl Lookout {
    /// Runs until stopped, or chitchat ends.
    async fn run(self) {
        let mut live = self.chitchat.with_chitchat(|chitchat| chitchat.live_nodes_watcher()).await;
        let mut ended = std::pin::pin!(self.chitchat.termination_watcher());
        let mut known = Vec::new();
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                result = &mut ended => return self.report(result.map_err(|why| why.to_string())),
                changed = live.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(self.every) => {}
            }
            let seen = peers(&self.chitchat, self.node).await;
            if seen != known {
                known = seen;
                self.changed.send_modify(|count| *count += 1);
            }
        }
    }

    fn report(&self, ended: Result<(), String>) {
        let end = ended.map_or_else(|why| GossipEnd::Failed { why }, |()| GossipEnd::Untold);
        tracing::error!(%end, "gossip has failed");
        self.failed.send_replace(Some(end));
    }
}

#[cfg(test)]
#[path = "golden_test.rs"]
pub(in crate::cluster) mod golden;

#[cfg(test)]
#[path = "gossip_test.rs"]
mod tests;
