//! Pods with an address and a DNS name each, as a headless Service has them. They wait while DNS
//! does not know them, and form a cluster through it alone. They find each other again when one
//! returns at another address: after a restart, and after a machine was lost with the leader and
//! DNS on it.

use crate::harness::pods::SERVICE;
use crate::harness::{Cluster, Counts, FORMED_MAX, Lab, To, View};
use crate::shared::eventually;
use std::collections::BTreeSet;

const NODES: usize = 3;
/// Events between two faults.
const EVENTS: usize = 40;
/// Answers that there is no such name, after which a node has certainly used that answer: two
/// rounds of queries, each for the addresses of both families.
const DENIALS: usize = 4;
/// The default of `--peer-addr` has this port.
const PEER_PORT: u16 = 3320;

pub async fn run(lab: Lab) -> Counts {
    let mut cluster = unnamed(&lab).await;
    let before = named(&mut cluster).await;
    for node in 0..NODES {
        cluster.load.play_run(0xff00 + node, &To::Node(node)).await;
    }
    let former = cluster.pods().address(1);
    restarts_elsewhere(&mut cluster, 1, &before).await;
    // Any pod may get an address, not always its last owner.
    let leader = cluster.leader().await;
    let address = if leader == 1 { cluster.pods().fresh_address() } else { former };
    is_lost_with_its_address(&mut cluster, leader, &before).await;
    cluster.pods().move_to(leader, address);
    cluster.start(leader);
    comes_back_before_its_record(&mut cluster, leader, &before).await;
    cluster.assert_all_acknowledged();
    cluster.verify().await
}

/// All pods run, none of them has a name.
async fn unnamed(lab: &Lab) -> Cluster {
    let mut cluster = Cluster::in_pods(lab, NODES).await;
    for node in 0..NODES {
        cluster.start(node);
    }
    for node in &mut cluster.nodes {
        eventually("the node answers", FORMED_MAX, async || node.view().await).await;
    }
    for node in 0..NODES {
        let what = format!("relay-{node} is told that there is no such name");
        let pods = cluster.pods();
        eventually(&what, FORMED_MAX, async || (pods.denied(node) >= DENIALS).then_some(())).await;
        let pod = &mut cluster.nodes[node];
        pod.assert_runs();
        let view = pod.view().await.expect("it has answered before");
        assert_eq!(view.cluster_id, None, "{} has formed a cluster alone", pod.pod());
        assert!(!pod.is_ready().await, "{} is ready without a cluster", pod.pod());
    }
    cluster
}

/// DNS learns all names, and with them the pods find each other.
async fn named(cluster: &mut Cluster) -> View {
    (0..NODES).for_each(|node| cluster.pods().publish(node));
    let view = cluster.agreed(NODES).await;
    let addresses: BTreeSet<String> =
        view.members.iter().map(|member| member.addresses.peer.clone()).collect();
    let names = (0..NODES).map(|node| format!("relay-{node}.{SERVICE}:{PEER_PORT}")).collect();
    assert_eq!(addresses, names, "members reach each other by name");
    cluster.spread().await;
    view
}

/// Forms a cluster of pods that DNS knows.
pub async fn formed(lab: &Lab) -> Cluster {
    let mut cluster = Cluster::in_pods(lab, NODES).await;
    for node in 0..NODES {
        cluster.pods().publish(node);
        cluster.start(node);
    }
    cluster.agreed(NODES).await;
    cluster.spread().await;
    cluster
}

/// A pod is stopped, and started again with another address that DNS has at once.
async fn restarts_elsewhere(cluster: &mut Cluster, node: usize, before: &View) {
    let traffic = cluster.load.keep_sending(0x1000, others(node));
    cluster.progress(EVENTS).await;
    cluster.nodes[node].stop().await;
    cluster.pods().withdraw(node);
    cluster.progress(EVENTS).await;
    cluster.pods().move_to(node, cluster.pods().fresh_address());
    cluster.pods().publish(node);
    cluster.start(node);
    traffic.finish().await;
    is_itself_again(cluster, before).await;
    takes_its_share(cluster, node, 0x1800).await;
}

/// A machine is lost in an instant: its connections end without a packet. So does its DNS server,
/// until it runs elsewhere.
async fn is_lost_with_its_address(cluster: &mut Cluster, leader: usize, before: &View) {
    let traffic = cluster.load.keep_sending(0x2000, others(leader));
    cluster.calls_by(leader, 1).await;
    cluster.pods().silence_dns(true);
    cluster.pods().unplug(leader);
    cluster.nodes[leader].kill().await;
    let rest: Vec<usize> = (0..NODES).filter(|node| *node != leader).collect();
    let next = cluster.other_leader(&rest).await;
    cluster.progress(EVENTS).await;
    traffic.finish().await;
    let view = cluster.nodes[next].view().await.expect("it leads");
    assert_eq!(view.ids(), before.ids(), "nobody is removed for being down");
    // From now on only packets from the new address can make it live again.
    eventually("gossip has lost the leader", FORMED_MAX, async || {
        let live = cluster.nodes[next].view().await?.gossip.live;
        (live.len() == NODES - 1).then_some(())
    })
    .await;
    cluster.pods().silence_dns(false);
}

/// A pod runs again while DNS still has its earlier address.
async fn comes_back_before_its_record(cluster: &mut Cluster, node: usize, before: &View) {
    let traffic = cluster.load.keep_sending(0x3000, others(node));
    let pod = &cluster.nodes[node];
    eventually("the node answers", FORMED_MAX, async || pod.view().await).await;
    cluster.progress(EVENTS).await;
    cluster.pods().publish(node);
    traffic.finish().await;
    is_itself_again(cluster, before).await;
    takes_its_share(cluster, node, 0x3800).await;
}

/// A node's events are kept, and it sends for the slots that it owns.
async fn takes_its_share(cluster: &Cluster, node: usize, first_copy: usize) {
    let traffic = cluster.load.keep_sending(first_copy, To::Node(node));
    cluster.calls_by(node, 1).await;
    traffic.finish().await;
}

/// A moved node is the same member, owns its share, and gossips with all others.
async fn is_itself_again(cluster: &mut Cluster, before: &View) {
    let after = cluster.agreed(NODES).await;
    assert_eq!((&after.cluster_id, after.ids()), (&before.cluster_id, before.ids()));
    cluster.spread().await;
    for node in &cluster.nodes {
        let what = format!("gossip of {} reaches all", node.pod());
        eventually(&what, FORMED_MAX, async || {
            (node.view().await?.gossip.live.len() == NODES).then_some(())
        })
        .await;
    }
}

fn others(node: usize) -> To {
    To::AnyOf((0..NODES).filter(|other| *other != node).collect())
}
