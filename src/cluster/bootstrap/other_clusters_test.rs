use super::*;
use crate::cluster::gossip::NodeFacts;
use crate::cluster::test_member::{CLUSTER, Node, OTHER_CLUSTER, Told, node_told};
use crate::cluster::test_node::WITHIN;
use std::net::Ipv4Addr;

fn peer(node: u64, cluster: Option<ClusterId>, is_ready: bool) -> Peer {
    let facts = NodeFacts { cluster, is_ready, ..NodeFacts::default() };
    Peer { node: NodeId(node), boot: 1, ip: Ipv4Addr::LOCALHOST.into(), is_live: true, facts }
}

#[test]
fn rule_24_nodes_of_this_cluster_and_of_none_disturb_nobody() {
    let live = [peer(2, Some(CLUSTER), true), peer(3, None, false)];
    for is_alone in [true, false] {
        assert_eq!(judge(CLUSTER, is_alone, &live), Verdict::Undisturbed);
    }
}

#[test]
fn rule_24_a_node_that_is_all_of_its_cluster_gives_way_to_one_that_works() {
    let live = [peer(2, Some(OTHER_CLUSTER), false), peer(3, Some(OTHER_CLUSTER), true)];
    assert_eq!(judge(CLUSTER, true, &live), Verdict::EndsIfConfirmed(vec![&live[1]]));
}

#[test]
fn rule_24_members_of_a_larger_cluster_go_on_beside_a_foreign_pod() {
    let live = [peer(2, Some(CLUSTER), true), peer(4, Some(OTHER_CLUSTER), true)];
    assert_eq!(judge(CLUSTER, false, &live), Verdict::Disturbed([OTHER_CLUSTER].into()));
}

#[test]
fn rule_24_what_is_left_of_another_cluster_and_has_no_quorum_ends_nobody() {
    let live = [peer(2, Some(OTHER_CLUSTER), false)];
    assert_eq!(judge(CLUSTER, true, &live), Verdict::Disturbed([OTHER_CLUSTER].into()));
}

/// A node that leads a cluster of one, and another node of `cluster` that it sees live.
async fn beside(cluster: ClusterId, is_ready: bool) -> (Node, Node) {
    let mut other = node_told(2, Told { name: "relay-1", ..Told::default() }).await;
    let seeds = vec![other.member.gossip.address().to_string()];
    let mut node = node_told(1, Told { seeds, ..Told::default() }).await;
    node.lead().await;
    other.member.join(cluster).unwrap();
    other.listen();
    let facts = NodeFacts { is_ready, ..other.member.facts() };
    other.member.gossip.publish(facts).await;
    let seen = async {
        let mut changed = node.member.gossip.changed();
        let is_seen = |peer: &Peer| peer.facts.cluster.is_some() && peer.facts.is_ready == is_ready;
        while !node.member.live_peers().await.iter().any(is_seen) {
            changed.changed().await.unwrap();
        }
    };
    tokio::time::timeout(WITHIN, seen).await.unwrap();
    (node, other)
}

#[tokio::test]
async fn rule_24_a_volume_of_a_former_cluster_ends_its_process_beside_one_that_works() {
    let (node, _other) = beside(OTHER_CLUSTER, true).await;
    let running = run(Arc::clone(&node.member), node.stop.clone());
    tokio::time::timeout(WITHIN, running).await.unwrap();
    let Some(FatalError::OtherCluster { own, found }) = *node.failed.borrow() else {
        panic!("it goes on")
    };
    assert_eq!((own, found), (CLUSTER, OTHER_CLUSTER));
}

#[tokio::test]
async fn rule_24_a_node_beside_one_that_takes_nothing_goes_on_and_shows_it() {
    let (node, _other) = beside(OTHER_CLUSTER, false).await;
    let mut told = BTreeSet::new();
    assert_eq!(look(&node.member, CLUSTER, &mut told).await, None);
    assert_eq!(told, [OTHER_CLUSTER].into());
    assert_eq!(node.member.other_clusters.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn rule_24_what_gossip_alone_says_ends_nobody() {
    // Gossip says so, and the node itself confirms this cluster.
    let (node, other) = beside(CLUSTER, true).await;
    let facts = NodeFacts { cluster: Some(OTHER_CLUSTER), ..other.member.facts() };
    let hearsay = Peer {
        node: other.member.own.node,
        boot: 1,
        ip: Ipv4Addr::LOCALHOST.into(),
        is_live: true,
        facts,
    };
    assert_eq!(confirmed(&node.member, CLUSTER, &hearsay).await, None);
}
