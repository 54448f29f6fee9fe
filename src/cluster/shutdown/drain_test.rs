//! Which node is needed at the end, and which one takes over the leadership.

use super::*;
use crate::cluster::gossip::NodeFacts;
use crate::cluster::raft::MemberStatus;
use crate::cluster::test_node::{Node, accept, begin, give_back};
use std::net::Ipv4Addr;

fn status(members: &[(u64, bool, u64, u64)]) -> RaftStatus {
    let members = members.iter().map(|(node, is_voter, matched, answered_ms)| {
        let status = MemberStatus {
            node: Default::default(),
            is_voter: *is_voter,
            matched_index: Some(*matched),
            answered_ago: Some(Duration::from_millis(*answered_ms)),
        };
        (NodeId(*node), status)
    });
    RaftStatus { is_leader: true, members: members.collect(), ..RaftStatus::default() }
}

#[test]
fn rule_29_the_heir_is_the_voter_that_is_furthest_and_answered_just_now() {
    let seen = status(&[(1, true, 9, 0), (2, true, 7, 10), (3, true, 9, 20), (4, false, 9, 1)]);
    assert_eq!(transfer_target(&seen, NodeId(1), |_| false), Some(NodeId(3)));
    assert_eq!(transfer_target(&seen, NodeId(1), |node| node == NodeId(3)), Some(NodeId(2)));
}

#[test]
fn rule_29_nobody_that_was_silent_inherits() {
    let seen = status(&[(1, true, 9, 0), (2, true, 9, 300)]);
    assert_eq!(transfer_target(&seen, NodeId(1), |_| false), None);
}

#[test]
fn rule_29_only_a_leader_has_an_heir_and_a_learner_is_none() {
    let seen = status(&[(1, true, 9, 0), (2, true, 9, 299)]);
    assert_eq!(transfer_target(&seen, NodeId(1), |_| false), Some(NodeId(2)));
    let follower = RaftStatus { is_leader: false, ..seen };
    assert_eq!(transfer_target(&follower, NodeId(1), |_| false), None);
    let learner = status(&[(1, true, 9, 0), (2, false, 9, 0)]);
    assert_eq!(transfer_target(&learner, NodeId(1), |_| false), None);
}

fn nodes(nodes: &[u64]) -> BTreeSet<NodeId> {
    nodes.iter().copied().map(NodeId).collect()
}

#[test]
fn rule_25_a_voter_stays_while_those_who_stay_have_no_quorum_without_it() {
    let needed =
        |staying: &[u64]| needs(&nodes(&[1, 2, 3]), NodeId(1), &nodes(staying), &nodes(&[]));
    assert!(needed(&[2]));
    assert!(!needed(&[2, 3]));
    assert!(needs(&nodes(&[1, 2]), NodeId(1), &nodes(&[2]), &nodes(&[])));
    assert!(needs(&nodes(&[1, 2, 3, 4]), NodeId(1), &nodes(&[2, 3]), &nodes(&[])));
}

#[test]
fn rule_25_in_a_cluster_that_stops_as_a_whole_voters_wait_for_calls_and_for_nothing_else() {
    let needed =
        |calling: &[u64]| needs(&nodes(&[1, 2, 3]), NodeId(1), &nodes(&[]), &nodes(calling));
    assert!(!needed(&[]));
    assert!(needed(&[3]));
    // Those two are a quorum until their calls end.
    assert!(!needed(&[2, 3]));
    // Voters record a learner's call.
    assert!(needed(&[8]));
    assert!(!needs(&nodes(&[2, 3]), NodeId(1), &nodes(&[]), &nodes(&[2])));
    // Of two staying members and one with a call any two are enough.
    assert!(!needs(&nodes(&[1, 2, 3]), NodeId(1), &nodes(&[2]), &nodes(&[3])));
}

#[test]
fn rule_25_learners_neither_stay_for_others_nor_count_for_a_quorum() {
    assert!(!needs(&nodes(&[2, 3, 4]), NodeId(1), &nodes(&[2]), &nodes(&[])));
    assert!(needs(&nodes(&[1, 2, 3]), NodeId(1), &nodes(&[2, 8, 9]), &nodes(&[])));
}

fn peer(node: u64, boot: u64, is_draining: bool) -> Peer {
    let facts = NodeFacts { is_draining, ..NodeFacts::default() };
    Peer { node: NodeId(node), boot, ip: Ipv4Addr::LOCALHOST.into(), is_live: true, facts }
}

#[tokio::test]
async fn rule_25_a_call_of_a_draining_peer_counts_until_it_is_recorded() {
    let node = Node::new();
    let cluster = node.start().await;
    accept(&cluster, "a").await;
    begin(&cluster).await;
    let (NodeId(id), boot) = (cluster.node_id(), cluster.boot());
    let counted = |peers: &[Peer]| cluster.read(|state| calling(state, peers));
    assert_eq!(counted(&[peer(id, boot, true), peer(9, 1, true)]), nodes(&[id]));
    assert_eq!(counted(&[peer(id, boot, false)]), nodes(&[]));
    assert_eq!(counted(&[peer(id, boot + 1, true)]), nodes(&[]));
    give_back(&cluster).await;
    assert_eq!(counted(&[peer(id, boot, true)]), nodes(&[]));
}
