//! How the leader executes a decided change, and which nodes it believes.

use super::*;
use crate::cluster::test_member::{CLUSTER, Node, OTHER_CLUSTER, node};
use crate::cluster::transport::proto::Check;
use crate::state_machine::{Applied, Boot};

const OWN: NodeId = NodeId(1);
const STRANGER: NodeId = NodeId(2);

async fn leader() -> Node {
    let mut node = node(1).await;
    node.lead().await;
    node
}

/// The leader of a cluster, and a node that listens and belongs to `cluster`.
async fn pair(cluster: Option<ClusterId>) -> (Node, Node) {
    let (leader, mut other) = (leader().await, node(2).await);
    if let Some(cluster) = cluster {
        other.member.join(cluster).unwrap();
    }
    other.listen();
    (leader, other)
}

#[tokio::test]
async fn a_stranger_is_believed_only_what_it_says_itself() {
    for (cluster, is_believed) in
        [(None, true), (Some(CLUSTER), true), (Some(OTHER_CLUSTER), false)]
    {
        let (leader, other) = pair(cluster).await;
        let address = other.member.own.peer_address.as_str();
        let believed = is_what_it_says(&leader.member, STRANGER, address).await;
        assert_eq!(believed, is_believed, "{cluster:?}");
        // Another node than the one in gossip has the address now.
        assert!(!is_what_it_says(&leader.member, NodeId(3), address).await);
    }
}

#[tokio::test]
async fn a_stranger_that_is_silent_is_not_added() {
    let leader = leader().await;
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let status = leader.member.raft().status();
    let change = Change::AddLearner { node: STRANGER, name: "relay-1".to_owned(), address };
    let refused = carry_out(&leader.member, &status, &change).await;
    assert!(matches!(refused, Err(ChangeError::Stranger)), "{refused:?}");
    assert_eq!(leader.member.raft().status().membership_at, status.membership_at);
}

/// Changes the membership of a leader and returns the new status.
async fn change(leader: &Node, change: Change) -> RaftStatus {
    let raft = leader.member.raft();
    let before = raft.status();
    carry_out(&leader.member, &before, &change).await.unwrap();
    let after = raft.status();
    assert_ne!(after.membership_at, before.membership_at);
    after
}

fn place(status: &RaftStatus, node: NodeId) -> (&str, &str, bool) {
    let member = &status.members[&node];
    (&member.node.name, &member.node.address, member.is_voter)
}

#[tokio::test]
async fn a_stranger_is_added_without_a_vote_moves_and_goes() {
    let (leader, other) = pair(None).await;
    let address = other.member.own.peer_address.clone();
    let add = Change::AddLearner { node: STRANGER, name: "relay-1".to_owned(), address };
    let added = change(&leader, add).await;
    assert_eq!(place(&added, STRANGER), ("relay-1", other.member.own.peer_address.as_str(), false));
    let moved =
        change(&leader, Change::UpdateAddress { node: STRANGER, address: "b:2".to_owned() }).await;
    // Its name stays: a pod has it for life.
    assert_eq!(place(&moved, STRANGER), ("relay-1", "b:2", false));
    let left = change(&leader, Change::Remove([STRANGER].into())).await;
    assert_eq!(left.members.keys().copied().collect::<Vec<_>>(), [OWN]);
}

#[tokio::test]
async fn the_member_of_a_cluster_of_one_gets_a_name_when_it_starts_among_several() {
    let node = node(1).await;
    let raft = node.member.raft();
    raft.form([(OWN, MemberNode::default())].into()).await.unwrap();
    node.member.join(CLUSTER).unwrap();
    let mut node = node;
    node.write();
    node.propose(vec![Command::Tick]).await;
    let named = change(&node, Change::UpdateAddress { node: OWN, address: "a:1".to_owned() }).await;
    assert_eq!(place(&named, OWN), ("relay-0", "a:1", true));
}

#[tokio::test]
async fn an_address_of_a_node_that_left_meanwhile_changes_nothing() {
    let leader = leader().await;
    let status = leader.member.raft().status();
    let gone = Change::UpdateAddress { node: STRANGER, address: "b:2".to_owned() };
    carry_out(&leader.member, &status, &gone).await.unwrap();
    assert_eq!(leader.member.raft().status().membership_at, status.membership_at);
}

/// A leader whose log has starts of itself and of a node that is not a member.
async fn with_orphan() -> (Node, u64) {
    let leader = leader().await;
    let boot = |node| Command::Boot(Boot { node, number: 1, ended_while_planning: None });
    let answers = leader.propose(vec![boot(OWN), boot(STRANGER)]).await;
    assert_eq!(answers, [Applied::Done, Applied::Done]);
    let term = leader.member.raft().status().term;
    (leader, term)
}

#[tokio::test]
async fn rule_23_a_node_with_a_start_in_the_log_that_is_no_member_is_retired() {
    let (leader, term) = with_orphan().await;
    retire_orphans(&leader.member, term).await;
    let retired = leader.member.raft().read(|state| [OWN, STRANGER].map(|n| state.is_retired(n)));
    assert_eq!(retired, [false, true]);
}

#[tokio::test]
async fn rule_26_a_leader_of_another_term_retires_nobody() {
    let (leader, term) = with_orphan().await;
    let before = leader.member.raft().status().last_index;
    retire_orphans(&leader.member, term + 1).await;
    assert_eq!(leader.member.raft().status().last_index, before);
    assert!(!leader.member.raft().read(|state| state.is_retired(STRANGER)));
}

#[tokio::test]
async fn rule_23_a_node_that_is_about_to_be_retired_is_no_newcomer() {
    let (leader, _) = with_orphan().await;
    let status = leader.member.raft().status();
    let seen = view(&leader.member, &mut Observations::default(), &status, CLUSTER).await;
    assert_eq!(seen.retired, [STRANGER].into());
    assert_eq!((seen.leader, seen.cluster, seen.voters), (OWN, CLUSTER, [OWN].into()));
    assert!(seen.has_static_seeds);
}

#[tokio::test]
async fn rule_13_a_follower_goes_by_what_it_heard_lately_of_the_spools_of_others() {
    let node = node(1).await;
    let said = || spooled(&node.member, &[], STRANGER);
    assert_eq!(said(), SpoolReport::Unknown);
    let check = Check { node: STRANGER.0, spooled: 5, ..Check::default() };
    node.member.checked(&check);
    assert_eq!(said(), SpoolReport::Now(5));
    let mut peer = Peer { node: STRANGER, ..node.member.own_peer() };
    peer.facts.spooled = 2;
    let told = |peer: &Peer| spooled(&node.member, std::slice::from_ref(peer), STRANGER);
    assert_eq!(told(&peer), SpoolReport::Now(5));
    node.clock.advance(CHECK_AGE_MAX);
    assert_eq!((said(), told(&peer)), (SpoolReport::Unknown, SpoolReport::Now(2)));
    peer.is_live = false;
    assert_eq!(told(&peer), SpoolReport::Once(2));
}

#[tokio::test]
async fn rule_13_a_leader_remembers_the_spool_of_a_member_that_fell_silent() {
    let leader = leader().await;
    let add = MemberNode { name: "relay-1".to_owned(), address: "b:2".to_owned() };
    let raft = leader.member.raft();
    raft.set_member(&raft.status(), STRANGER, add).await.unwrap();
    leader.member.checked(&Check { node: STRANGER.0, spooled: 5, ..Check::default() });
    let (mut observations, mut told) = (Observations::default(), BTreeSet::new());
    assert!(look(&leader.member, &mut observations, &mut told).await);
    leader.clock.advance(CHECK_AGE_MAX);
    let status = leader.member.raft().status();
    let seen = view(&leader.member, &mut observations, &status, CLUSTER).await;
    let spooled =
        |view: &MembershipView| view.members.iter().map(|of| of.spooled).collect::<Vec<_>>();
    assert_eq!(spooled(&seen), [0, 5]);
}
