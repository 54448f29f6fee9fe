//! Three members in one process, with their own disks and sockets. All know what one accepted, and
//! a member that was away returns to the same state.

use super::test_node::{begin, event, give_back, until};
use super::*;
use crate::clock::{Clock, SystemClock};
use crate::config::OnQuorumLoss;
use crate::state_machine::{Accepted, Fate, NodeId, StateMachine};
use futures_util::future::join_all;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

const REPLICAS: usize = 3;
/// A condition that is not met by then counts as never met. Everything takes some seconds on an
/// idle machine.
const WITHIN: Duration = Duration::from_mins(1);

/// A pod of a StatefulSet: its name, disk and gossip address outlive its processes.
struct Pod {
    name: String,
    folder: TempDir,
    gossip: SocketAddr,
}

impl Pod {
    /// The hosts are loopback addresses of one test alone, so no other test gets the ports.
    fn new(network: u8, ordinal: usize) -> Self {
        let host = [127, 0, network, u8::try_from(ordinal).unwrap()];
        let free = UdpSocket::bind(SocketAddr::from((host, 0))).unwrap();
        let gossip = free.local_addr().unwrap();
        Self { name: format!("relay-{ordinal}"), folder: tempfile::tempdir().unwrap(), gossip }
    }

    async fn start(&self, seeds: &[String]) -> Cluster {
        let peer_options = PeerOptions {
            name: self.name.clone(),
            replicas: u16::try_from(REPLICAS).ok(),
            peer_addr: format!("{}:0", self.gossip.ip()),
            gossip_addr: self.gossip.to_string(),
            advertise_host: None,
            http_address: String::new(),
            discovery: Discovery::Seeds(seeds.to_vec()),
            security: Security::of_test(),
            election_timeout: raft::ELECTION_MIN,
            removal_grace: Duration::from_mins(1),
            admit: Vec::new(),
            // Longer than the test, so that it waits for an election.
            degrade: QuorumLossPolicy { spool_after: WITHIN, on_quorum_loss: OnQuorumLoss::Spool },
            config_hash: 0,
        };
        let options = Options {
            backend: Backend::Disk(self.folder.path().to_owned()),
            free_bytes_min: 0,
            accept_timeout: WITHIN,
            peer_options: Some(peer_options),
            ..Options::default()
        };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let cluster = Cluster::start(options, clock).await.unwrap();
        assert!(cluster.cluster_id().is_none() || cluster.boot() > 1);
        cluster
    }
}

async fn registered(cluster: &Cluster) {
    let mut registered = cluster.registered();
    let waiting = registered.wait_for(|registered| *registered);
    tokio::time::timeout(WITHIN, waiting).await.unwrap().unwrap();
}

async fn accept(cluster: &Cluster, uid: &str) -> Accepted {
    cluster.accept(vec![event(uid)]).await.unwrap()[0]
}

/// Waits until all have applied the same entries, and checks that their states are equal.
async fn agree(clusters: &[Cluster]) {
    let agreed = async {
        loop {
            let digests = join_all(clusters.iter().map(Cluster::applied_digest)).await;
            let digests: Vec<StateDigest> = digests.into_iter().map(Result::unwrap).collect();
            let newest = digests.iter().map(|digest| digest.index).max().unwrap();
            if digests.iter().all(|digest| digest.index == newest) {
                return digests;
            }
            for cluster in clusters {
                cluster.applied().wait_for(|applied| *applied >= newest).await.unwrap();
            }
        }
    };
    let digests = tokio::time::timeout(WITHIN, agreed).await.unwrap();
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
}

/// Stops a member gracefully, as a SIGTERM does.
async fn stop(cluster: Cluster) {
    cluster.release().await;
    cluster.transfer_leadership().await;
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_members_know_the_same_and_one_that_was_away_catches_up() {
    let pods: Vec<Pod> = (0..REPLICAS).map(|ordinal| Pod::new(40, ordinal)).collect();
    let seeds: Vec<String> = pods.iter().map(|pod| pod.gossip.to_string()).collect();
    let mut clusters = join_all(pods.iter().map(|pod| pod.start(&seeds))).await;
    join_all(clusters.iter().map(registered)).await;
    let ids: Vec<_> = clusters.iter().map(Cluster::cluster_id).collect();
    assert!(ids[0].is_some() && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let mut nodes: Vec<NodeId> = clusters.iter().map(Cluster::node_id).collect();
    nodes.sort_unstable();
    let view = clusters[1].view().await;
    let voters = view.members.iter().filter(|member| member.is_voter).map(|member| member.node);
    assert_eq!(voters.collect::<Vec<_>>(), nodes);

    for (at, uid) in ["a", "b", "c"].into_iter().enumerate() {
        let accepted = accept(&clusters[at], uid).await;
        assert_eq!(accepted.fate, Fate::Accepted);
        let elsewhere = accept(&clusters[(at + 1) % REPLICAS], uid).await;
        assert_eq!((elsewhere.fate, elsewhere.slot), (Fate::Duplicate, accepted.slot));
    }
    agree(&clusters).await;

    let leader = clusters[0].leader().unwrap();
    let away = clusters.iter().position(|cluster| cluster.node_id() == leader).unwrap();
    let stopped = clusters.remove(away);
    let (node, boot) = (stopped.node_id(), stopped.boot());
    stop(stopped).await;
    assert_eq!(accept(&clusters[0], "d").await.fate, Fate::Accepted);
    assert_eq!(accept(&clusters[1], "d").await.fate, Fate::Duplicate);
    assert_ne!(clusters[0].leader(), Some(leader));

    let returned = pods[away].start(&seeds).await;
    assert_eq!((returned.node_id(), returned.boot()), (node, boot + 1));
    registered(&returned).await;
    until(&returned, |state| state.run("d").is_some()).await;
    for uid in ["a", "b", "c", "d"] {
        assert_eq!(accept(&returned, uid).await.fate, Fate::Duplicate);
    }
    clusters.push(returned);
    agree(&clusters).await;
    assert!(clusters[0].applied_slots().slots.iter().all(|slot| slot.owner.is_some()));
    join_all(clusters.iter().map(Cluster::shutdown)).await;
}

/// The member that owns the slot of a run, and the others.
fn split_off_owner(mut clusters: Vec<Cluster>, accepted: Accepted) -> (Cluster, Vec<Cluster>) {
    let owner = clusters[0].read(|state| state.slot(accepted.slot).owner);
    let at = clusters.iter().position(|cluster| Some(cluster.node_id()) == owner).unwrap();
    (clusters.remove(at), clusters)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_25_a_full_stop_waits_for_the_call_of_one_member_and_for_nothing_else() {
    let pods: Vec<Pod> = (0..REPLICAS).map(|ordinal| Pod::new(41, ordinal)).collect();
    let seeds: Vec<String> = pods.iter().map(|pod| pod.gossip.to_string()).collect();
    let clusters = join_all(pods.iter().map(|pod| pod.start(&seeds))).await;
    join_all(clusters.iter().map(registered)).await;
    for cluster in &clusters {
        let is_spread = |state: &StateMachine| {
            let owned = state.slots().filter(|(_, slot)| slot.owner == Some(cluster.node_id()));
            owned.count() >= 256 / REPLICAS
        };
        until(cluster, is_spread).await;
    }
    let accepted = accept(&clusters[0], "a").await;
    let (owner, others) = split_off_owner(clusters, accepted);
    until(&owner, |state| state.run("a").is_some()).await;
    begin(&owner).await;

    // All drain, so no member takes slots, and none waits for it.
    let all = others.iter().chain([&owner]);
    tokio::time::timeout(shutdown::drain::RELEASE_MAX, join_all(all.map(Cluster::release)))
        .await
        .unwrap();
    let leaving = join_all(others.iter().map(Cluster::transfer_leadership));
    tokio::pin!(leaving);
    let early = tokio::time::timeout(2 * shutdown::drain::LAST_BEGINS_MAX, &mut leaving).await;
    assert!(early.is_err(), "the call could not have been recorded");
    give_back(&owner).await;
    tokio::time::timeout(shutdown::drain::RELEASE_MAX, leaving).await.unwrap();
    tokio::time::timeout(shutdown::drain::RELEASE_MAX, owner.transfer_leadership()).await.unwrap();
    join_all(others.iter().chain([&owner]).map(Cluster::shutdown)).await;
}
