//! How a node without a cluster gets into one: it asks all nodes that discovery shows, forms a
//! cluster if it is the one to do so, and otherwise waits until a leader adds it.

pub(super) mod formation;
pub(super) mod other_clusters;

use super::data_dir::identity::{ClusterId, IdentityError};
use super::fatal::FatalError;
use super::gossip::DiscoveryAnswers;
use super::member::Member;
use super::raft::{MemberNode, StopCause};
use super::transport::PeerAddress;
use super::transport::proto::NodeStatus;
use crate::clock::Timestamp;
use crate::state_machine::NodeId;
use formation::{Answer, Expected, Formation, OwnState, Rounds, Waiting};
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// Time between two rounds. Two unanimous ones form a cluster.
const ROUND_EVERY: Duration = Duration::from_millis(500);
/// Deadline of one question.
const ASK_WITHIN: Duration = Duration::from_millis(400);
/// Time between two notices about why nothing happens.
const NOTICE_EVERY: Duration = Duration::from_secs(10);

/// Where to look for replicas, in addition to gossip.
#[derive(Clone, Debug)]
pub(super) struct BootstrapTargets {
    pub expected: Expected,
    /// Peer addresses of the pods that formation waits for, if there is a service.
    pub pods: Vec<String>,
}

/// Why this node did not form a cluster, or formed one without an id.
#[derive(Debug, thiserror::Error)]
enum FormError {
    /// The log was not started. Nothing was changed.
    #[error("the consensus has stopped")]
    Stopped(#[source] StopCause),
    /// The log is started; no id was generated.
    #[error("the data directory cannot be used")]
    NodeIdentity(#[source] IdentityError),
    /// The log is started; the next start shows whether the id is on disk.
    #[error("the data directory cannot be written")]
    Disk(#[source] std::io::Error),
}

/// Runs until this node belongs to a cluster or `stop` is cancelled.
pub(super) async fn run(member: Arc<Member>, targets: BootstrapTargets, stop: CancellationToken) {
    let mut rounds = Rounds::default();
    let mut notice = Notice::default();
    loop {
        match member.raft().is_pristine().await {
            Ok(true) => {}
            Ok(false) => break,
            // The consensus has stopped: it is unknown what the log holds, and no more entries
            // follow.
            Err(_) => return,
        }
        let (verdict, silent) = look(&member, &targets, &mut rounds).await;
        let now = member.clock.monotonic();
        match verdict {
            Formation::Form { members } => {
                let members = members.into_iter().map(|(node, founder)| {
                    (node, MemberNode { name: founder.name, address: founder.address })
                });
                if let Err(cause) = form(&member, members.collect()).await {
                    error!(%cause, "no cluster was formed");
                }
            }
            Formation::Join(cluster) => {
                notice.give(now, || format!("waiting to be added to cluster {cluster}"));
            }
            Formation::Wait(waiting) => notice.wait(now, &waiting, &silent),
            Formation::Conflict(clusters) => {
                let ids = clusters.iter().map(ClusterId::to_string).collect::<Vec<_>>();
                notice.alarm(now, || format!("more than one cluster: {}", ids.join(", ")));
            }
            Formation::Refused(refused) => notice.alarm(now, || refused.to_string()),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(ROUND_EVERY) => {}
        }
    }
    // An earlier life formed the cluster and ended before it generated the id.
    if member.cluster().is_none()
        && let Err(cause) = name_cluster(&member)
    {
        member.fail(match cause {
            FormError::Stopped(cause) => FatalError::Consensus(cause),
            FormError::NodeIdentity(cause) => FatalError::Unnamed(Arc::new(cause)),
            FormError::Disk(cause) => FatalError::Identity(Arc::new(cause)),
        });
    }
}

/// Asks all nodes once. Returns the verdict and the silent addresses.
async fn look(
    member: &Member,
    targets: &BootstrapTargets,
    rounds: &mut Rounds,
) -> (Formation, BTreeSet<String>) {
    let round = ask_all(member, targets).await;
    let own = own(member, &round.discovered).await;
    let silent = round.silent.len();
    (rounds.decide(&own, &targets.expected, &round.answers, silent), round.silent)
}

/// The answers of one round.
struct Round {
    answers: Vec<Answer>,
    /// The results of discovery before the first question.
    discovered: DiscoveryAnswers,
    /// Addresses without an answer, and names without an address.
    silent: BTreeSet<String>,
}

/// Asks all nodes. The answers of live peers and of pods are required. A peer that gossip remembers
/// as dead may be alive: it is asked, but its answer is not required.
async fn ask_all(member: &Member, targets: &BootstrapTargets) -> Round {
    let discovered = member.gossip.seeds_answered();
    let live = member.gossip.live_addresses().await;
    let (needed, hints) = peer_addresses(member, targets).await;
    let doors = doors(member, &discovered.others);
    let addresses: BTreeSet<&String> = needed.iter().chain(&hints).chain(doors.values()).collect();
    let asked = addresses.into_iter().map(|address| async move {
        let target = PeerAddress { node: None, address: address.clone() };
        Some((address, member.ask(&target, ASK_WITHIN).await?))
    });
    let answers: BTreeMap<&String, NodeStatus> =
        join_all(asked).await.into_iter().flatten().collect();
    let nodes: BTreeSet<NodeId> = answers.values().map(|status| NodeId(status.node)).collect();
    let is_met = |address: &SocketAddr| {
        doors.get(address).is_some_and(|door| answers.contains_key(door))
            || live.iter().any(|(at, node)| at == address && nodes.contains(node))
    };
    let unmet = discovered.others.iter().filter(|address| !is_met(address));
    let mut silent: BTreeSet<String> = unmet.map(SocketAddr::to_string).collect();
    silent.extend(needed.iter().filter(|address| !answers.contains_key(address)).cloned());
    silent.extend(discovered.unresolved.iter().cloned());
    Round { answers: answers.into_values().map(answer).collect(), discovered, silent }
}

/// Peer addresses of all pods and live peers, and those of peers that gossip remembers as dead.
async fn peer_addresses(
    member: &Member,
    targets: &BootstrapTargets,
) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut needed, mut hints) = (BTreeSet::new(), BTreeSet::new());
    for peer in member.gossip.peers().await {
        let addresses = if peer.is_live { &mut needed } else { &mut hints };
        addresses.insert(peer.facts.peer_address);
    }
    needed.extend(targets.pods.iter().cloned());
    needed.remove(&member.own.peer_address);
    (needed, hints)
}

/// The peer address of the node behind a discovered gossip address, assuming it has the ports of
/// this node. The node may not be in gossip, may be there under another address, or may be this
/// node. Another gossip port is skipped: it belongs to another process on the same machine.
fn doors(member: &Member, discovered: &BTreeSet<SocketAddr>) -> BTreeMap<SocketAddr, String> {
    let own = &member.own.peer_address;
    let Some(port) = own.rsplit(':').next().and_then(|port| port.parse().ok()) else {
        return BTreeMap::new();
    };
    let gossip_port = member.gossip.advertised().port();
    let alike = discovered.iter().filter(|address| address.port() == gossip_port);
    alike.map(|address| (*address, SocketAddr::new(address.ip(), port).to_string())).collect()
}

fn answer(status: NodeStatus) -> Answer {
    Answer {
        node: NodeId(status.node),
        name: status.name,
        address: status.peer_address,
        cluster: (status.cluster != 0).then_some(ClusterId(status.cluster)),
        is_pristine: status.is_pristine,
    }
}

async fn own(member: &Member, discovered: &DiscoveryAnswers) -> OwnState {
    let now = Instant::now();
    let is_pristine = member.raft().is_pristine().await.unwrap_or(false);
    OwnState {
        node: member.own.node,
        name: member.own.name.clone(),
        address: member.own.peer_address.clone(),
        is_pristine,
        // Also before there is a log: the id was learnt from a leader, and belongs to its cluster.
        cluster: member.cluster(),
        expected_cluster: member.expected_cluster,
        watched_for: discovered.alone_for(now).unwrap_or_default(),
        discovered_for: discovered.answered_for(now).unwrap_or_default(),
    }
}

/// The log first, then the id: an id without a log was learnt, and means an existing cluster. Other
/// nodes ignore this node in between, because its calls name no cluster.
async fn form(member: &Member, members: BTreeMap<NodeId, MemberNode>) -> Result<(), FormError> {
    info!(members = members.len(), "forming a cluster");
    let others = member.gossip.peers().await.into_iter().filter(|peer| peer.is_live);
    let others = others.map(|peer| Timestamp(peer.facts.wall_ms)).filter(|wall| wall.is_known());
    member.proposer.log_clock.found(others.chain([member.clock.wall()]).collect());
    member.raft().form(members).await.map_err(FormError::Stopped)?;
    name_cluster(member)
}

/// Generates the id of a cluster that this node has formed and that has none yet.
fn name_cluster(member: &Member) -> Result<(), FormError> {
    let cluster = ClusterId::draw().map_err(FormError::NodeIdentity)?;
    member.directory.join(cluster).map_err(FormError::Disk)?;
    member.peers.joined(cluster);
    info!(%cluster, "the cluster has its id");
    Ok(())
}

/// Whether missing answers keep the cluster from being formed.
fn needs_answers(waiting: &Waiting) -> bool {
    match waiting {
        Waiting::Missing(_) | Waiting::Unreachable(_) => true,
        Waiting::OwnDirectoryUsed
        | Waiting::NotOrdinalZero { .. }
        | Waiting::NotPristine(_)
        | Waiting::SameNode(_)
        | Waiting::SameOrdinal(_)
        | Waiting::NotAlone(_)
        | Waiting::Watching(_)
        | Waiting::Listening(_)
        | Waiting::OneMoreRound => false,
    }
}

/// Why nothing happens, with the addresses that have not answered.
fn told(waiting: &Waiting, silent: &BTreeSet<String>) -> String {
    if !needs_answers(waiting) || silent.is_empty() {
        return waiting.to_string();
    }
    let silent: Vec<&str> = silent.iter().map(String::as_str).collect();
    format!("{waiting}: {}", silent.join(", "))
}

/// Logs why nothing happens, but not all the time.
#[derive(Default)]
struct Notice {
    text: String,
    given_at: Duration,
}

impl Notice {
    fn give(&mut self, now: Duration, text: impl FnOnce() -> String) {
        if let Some(text) = self.due(now, text()) {
            info!("{text}");
        }
    }

    /// Logs the silent addresses. A short silence is normal at every start. A longer one needs a
    /// person: a seed that is gone for good must be removed from the list.
    fn wait(&mut self, now: Duration, waiting: &Waiting, silent: &BTreeSet<String>) {
        let text = told(waiting, silent);
        let is_long = text == self.text;
        match self.due(now, text) {
            Some(text) if is_long && needs_answers(waiting) => warn!("{text}"),
            Some(text) => info!("{text}"),
            None => {}
        }
    }

    fn alarm(&mut self, now: Duration, text: impl FnOnce() -> String) {
        if let Some(text) = self.due(now, text()) {
            error!("{text}");
        }
    }

    fn due(&mut self, now: Duration, text: String) -> Option<&str> {
        if text == self.text && now.saturating_sub(self.given_at) < NOTICE_EVERY {
            return None;
        }
        (self.text, self.given_at) = (text, now);
        Some(&self.text)
    }
}

#[cfg(test)]
#[path = "bootstrap_test.rs"]
mod tests;
