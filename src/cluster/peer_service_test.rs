//! What a node accepts from its peers, and what it reports about itself.

use super::super::test_member::{
    CLUSTER, Node, OTHER_CLUSTER, SPOOL_AFTER, Told, node, node_told, node_with,
};
use super::super::test_node::event;
use super::*;
use crate::cluster::data_dir::free_space::FreeSpace;
use crate::cluster::data_dir::identity::ClusterId;
use crate::cluster::spool::feed::Degradation;
use crate::cluster::transport::PeerAddress;
use crate::cluster::transport::RefusalKind;
use crate::state_machine::{Applied, Boot, Command};
use crate::wire::decode_answers;
use futures_util::FutureExt as _;
use std::sync::atomic::Ordering;

const OWN: NodeId = NodeId(1);
const PEER: NodeId = NodeId(2);

fn hello(cluster: Option<ClusterId>, from: NodeId, boot: u64) -> Hello {
    Hello { to: Some(OWN), ..Hello::new(cluster, from, boot, 7) }
}

/// The answer to a call whose body no route can read.
async fn called(node: &Node, hello: Hello, route: PeerRoute) -> Result<Vec<u8>, Refused> {
    Arc::clone(&node.member).answer(hello, route, Bytes::from_static(b"\xff")).await
}

#[tokio::test]
async fn a_node_of_no_cluster_joins_by_a_raft_call_and_by_nothing_else() {
    let node = node(1).await;
    for route in [
        PeerRoute::LeaderCheck,
        PeerRoute::Forward,
        PeerRoute::ClusterView,
        PeerRoute::Remove,
        PeerRoute::HandOver,
    ] {
        let refused = called(&node, hello(Some(CLUSTER), PEER, 1), route).await;
        assert!(matches!(refused, Err(Refused::WrongCluster { .. })), "{refused:?}");
    }
    let asked = called(&node, hello(Some(CLUSTER), PEER, 1), PeerRoute::NodeStatus).await;
    assert!(matches!(asked, Err(Refused::Malformed { .. })), "{asked:?}");
    assert_eq!(node.member.cluster(), None);
    let heard = called(&node, hello(Some(CLUSTER), PEER, 1), PeerRoute::Append).await;
    assert!(matches!(heard, Err(Refused::Malformed { .. })), "{heard:?}");
    assert_eq!(node.member.cluster(), Some(CLUSTER));
}

#[tokio::test]
async fn a_member_takes_no_raft_call_of_another_cluster() {
    let node = node(1).await;
    node.member.join(CLUSTER).unwrap();
    for route in [
        PeerRoute::Append,
        PeerRoute::Vote,
        PeerRoute::PreVote,
        PeerRoute::Transfer,
        PeerRoute::Snapshot,
    ] {
        for cluster in [Some(OTHER_CLUSTER), None] {
            let refused = called(&node, hello(cluster, PEER, 1), route).await;
            assert_eq!(refused, Err(Refused::WrongCluster { own: Some(CLUSTER) }));
        }
    }
    assert_eq!(node.member.cluster(), Some(CLUSTER));
}

#[tokio::test]
async fn the_expected_cluster_is_joined_and_no_other() {
    let node = node_with(1, Some(CLUSTER)).await;
    let refused = called(&node, hello(Some(OTHER_CLUSTER), PEER, 1), PeerRoute::Append).await;
    let told = Refused::UnexpectedCluster { expected: CLUSTER };
    assert_eq!((refused, node.member.cluster()), (Err(told), None));
    assert_eq!(node.member.join(CLUSTER), Ok(()));
    assert_eq!(node.member.cluster(), Some(CLUSTER));
}

#[tokio::test]
async fn a_node_that_learnt_of_a_cluster_is_not_pristine_although_its_log_is() {
    let node = node(1).await;
    let status = node.member.node_status().await;
    assert_eq!((status.node, status.cluster, status.is_pristine), (1, 0, true));
    node.member.join(CLUSTER).unwrap();
    assert!(node.member.raft().is_pristine().await.unwrap());
    let status = node.member.node_status().await;
    assert_eq!((status.cluster, status.is_pristine), (CLUSTER.0, false));
}

#[tokio::test]
async fn a_node_whose_log_has_failed_is_no_founder() {
    let node = node(1).await;
    node.member.raft().shutdown().await;
    assert!(!node.member.node_status().await.is_pristine);
}

/// A leader whose log knows start 5 of its peer and has retired node 3.
async fn leader() -> Node {
    let mut node = node(1).await;
    node.lead().await;
    let boot = Command::Boot(Boot { node: PEER, number: 5, ended_while_planning: None });
    let retire = Command::Retire { node: NodeId(3) };
    assert_eq!(node.propose(vec![boot, retire]).await, [Applied::Done, Applied::Done]);
    node
}

#[tokio::test]
async fn rule_23_a_start_older_than_the_logs_is_refused_by_members_of_its_cluster_alone() {
    let node = leader().await;
    let stale = node.member.admit(&hello(Some(CLUSTER), PEER, 4), PeerRoute::Append);
    assert!(matches!(stale, Err(Refused::StaleBoot { .. })), "{stale:?}");
    // The same id in another cluster is another node: it may ask.
    assert_eq!(
        node.member.admit(&hello(Some(OTHER_CLUSTER), PEER, 4), PeerRoute::NodeStatus),
        Ok(())
    );
    assert_eq!(node.member.admit(&hello(Some(CLUSTER), PEER, 5), PeerRoute::Append), Ok(()));
}

#[tokio::test]
async fn rule_23_a_retired_node_is_told_so_on_every_route() {
    let node = leader().await;
    for route in
        [PeerRoute::Append, PeerRoute::NodeStatus, PeerRoute::Forward, PeerRoute::LeaderCheck]
    {
        let refused = node.member.admit(&hello(Some(CLUSTER), NodeId(3), 9), route);
        assert_eq!(refused, Err(Refused::Retired));
    }
    let elsewhere = hello(Some(OTHER_CLUSTER), NodeId(3), 9);
    assert_eq!(node.member.admit(&elsewhere, PeerRoute::NodeStatus), Ok(()));
}

fn forward(hops: u32) -> Forward {
    let commands = vec![Command::Accept(Box::new(event("a"))), Command::Tick];
    let entry = EncodedCommands::new(commands).unstamped();
    Forward { entry, is_event: true, within_ms: 20_000, hops }
}

#[tokio::test]
async fn rule_12_what_is_forwarded_to_the_leader_is_answered_with_its_index() {
    let node = leader().await;
    let forwarded = node.member.answer_forward(forward(1)).await.unwrap();
    assert_eq!(forwarded.failure(), Failure::None);
    let answers = decode_answers(&forwarded.answers).unwrap();
    let [Applied::Accepted(accepted), Applied::Done] = answers.as_slice() else {
        panic!("{answers:?}");
    };
    assert_eq!(accepted.fate, crate::state_machine::Fate::Accepted);
    assert_eq!(forwarded.index, node.member.raft().status().applied_index);
    // Stamped here.
    assert!(node.member.raft().read(StateMachine::now) > crate::clock::Timestamp::UNKNOWN);
}

#[tokio::test]
async fn rule_15_a_leader_with_a_low_disk_takes_no_forwarded_events_and_goes_on_otherwise() {
    let mut node = leader().await;
    let clock = Arc::clone(&node.member.clock);
    let low = FreeSpace::new(Some(node.folder.path().to_owned()), u64::MAX, clock);
    Arc::get_mut(&mut node.member).unwrap().disk = Arc::new(low);
    let event = node.member.answer_forward(forward(1)).await.unwrap();
    assert_eq!(event.failure(), Failure::DiskLow);
    let work = Forward { is_event: false, ..forward(1) };
    let work = node.member.answer_forward(work).await.unwrap();
    assert_eq!(work.failure(), Failure::None);
}

#[tokio::test]
async fn rule_12_a_forward_that_is_not_understood_is_refused_and_writes_nothing() {
    let node = leader().await;
    let before = node.member.raft().status().last_index;
    let garbage = Forward { entry: vec![255, 255, 1].into(), ..forward(0) };
    let refused = node.member.answer_forward(garbage).await;
    assert!(matches!(refused, Err(Refused::Malformed { .. })), "{refused:?}");
    assert_eq!(node.member.raft().status().last_index, before);
}

#[tokio::test]
async fn rule_12_whoever_is_asked_for_the_way_asks_nobody_but_its_leader() {
    // Neither knows a leader; the second one is a relay of the first.
    let (first, mut second) = (node(1).await, node(2).await);
    for node in [&first, &second] {
        node.member.join(CLUSTER).unwrap();
    }
    second.listen();
    let address = second.member.own.peer_address.clone();
    let relay = PeerAddress { node: Some(PEER), address: address.clone() };
    first.member.proposer.relays.set(vec![relay]);
    for hops in [0, 1] {
        let forwarded = first.member.answer_forward(forward(hops)).await.unwrap();
        assert_eq!(forwarded.failure(), Failure::NoLeader);
    }
    assert_eq!(first.member.peers.opened(&address, PeerRoute::Forward).await, (0, false));
}

#[tokio::test]
async fn a_check_wakes_the_leaders_duties_when_its_sender_begins_or_ends_to_drain() {
    let node = node(1).await;
    let check = |is_draining| Check {
        node: PEER.0,
        wall_ms: 5,
        is_draining,
        spooled: 3,
        ..Check::default()
    };
    let woken = [false, false, true, true, false].map(|is_draining| {
        node.member.checked(&check(is_draining));
        assert_eq!(node.member.drains(PEER), is_draining);
        node.member.duties.notified().now_or_never().is_some()
    });
    assert_eq!(woken, [false, false, true, false, true]);
    let checks = node.member.checks.lock();
    assert_eq!((checks[&PEER].wall_ms, checks[&PEER].spooled), (5, 3));
}

#[tokio::test]
async fn a_node_drains_by_its_own_word_and_others_by_their_checks() {
    let node = node(1).await;
    assert!(!node.member.drains(OWN) && !node.member.drains(PEER));
    node.member.is_draining.store(true, Ordering::Relaxed);
    assert!(node.member.drains(OWN) && !node.member.drains(PEER));
    assert!(node.member.check().is_draining);
}

#[tokio::test]
async fn rule_13_a_node_that_never_was_a_member_promises_nothing() {
    let node = node(1).await;
    node.clock.advance(10 * SPOOL_AFTER);
    assert_eq!(node.member.degradation(), Degradation::Wait);
    node.member.join(CLUSTER).unwrap();
    assert_eq!(node.member.degradation(), Degradation::Spool);
    node.member.is_draining.store(true, Ordering::Relaxed);
    assert_eq!(node.member.degradation(), Degradation::Refuse);
}

#[tokio::test]
async fn rule_22_a_new_cluster_takes_no_event_before_it_has_its_level_and_slots() {
    let leader = leader().await;
    let cluster = leader.cluster(Duration::from_secs(20));
    let early = cluster.accept(vec![event("a")]).await;
    assert!(matches!(early, Err(AcceptError::NoLeader)), "{early:?}");
    assert!(leader.member.raft().read(|state| state.run("a").is_none()));
    leader.begin(&leader).await;
    assert!(cluster.accept(vec![event("a")]).await.is_ok());
}

#[tokio::test]
async fn rule_13_a_node_whose_first_life_is_not_in_its_state_spools_nothing() {
    let mut emptied = node_told(1, Told { lives_before: 0, ..Told::default() }).await;
    emptied.lead().await;
    emptied.clock.advance(10 * SPOOL_AFTER);
    assert_eq!(emptied.member.degradation(), Degradation::Wait);
    let boot = Boot { node: emptied.member.own.node, number: 1, ended_while_planning: None };
    assert_eq!(emptied.propose(vec![Command::Boot(boot)]).await, [Applied::Done]);
    emptied.clock.advance(10 * SPOOL_AFTER);
    assert_eq!(emptied.member.degradation(), Degradation::Spool);
}

#[tokio::test]
async fn a_node_without_a_leader_has_nobody_to_ask_for_the_view() {
    let node = node(2).await;
    assert_eq!(node.member.leaders_view().await, None);
    assert!(!node.member.local_view().is_of_leader);
    assert!(leader().await.member.local_view().is_of_leader);
}

#[tokio::test]
async fn rule_23_a_node_whose_start_is_over_hears_of_it_by_any_call() {
    let (mut leader, copy) = (leader().await, node(2).await);
    leader.listen();
    copy.member.join(CLUSTER).unwrap();
    let target = PeerAddress { node: Some(OWN), address: leader.member.own.peer_address.clone() };
    let body = Look {}.encode_to_vec();
    let called = copy
        .member
        .peers
        .call(&target, PeerRoute::ClusterView, body, Duration::from_secs(20))
        .await;
    assert!(called.is_err());
    let rejected_by = copy.member.peers.rejected_by().borrow().clone();
    assert_eq!(rejected_by.unwrap().kind, RefusalKind::StaleBoot);
}

#[tokio::test]
async fn an_answer_to_a_check_says_whether_this_node_leads() {
    let leader = leader().await;
    let check = Check { node: PEER.0, ..Check::default() };
    let checked = leader.member.answer_check(PEER, &check).await;
    // No node is ahead of one that is not a member or was removed: it gets no entries.
    assert_eq!((checked.is_leader, checked.applied_index), (true, 0));
    let of_member = Check { node: OWN.0, ..Check::default() };
    let checked = leader.member.answer_check(PEER, &of_member).await;
    assert_eq!(checked.applied_index, leader.member.raft().status().applied_index);
    let follower = node(2).await;
    let checked = follower.member.answer_check(PEER, &check).await;
    assert_eq!((checked.is_leader, checked.quorum_age_ms), (false, u64::MAX));
}

/// An append with one entry of a version unknown to this build.
fn append_of_a_newer_version() -> Vec<u8> {
    #[derive(prost::Message)]
    struct Id {
        #[prost(uint64, tag = "1")]
        term: u64,
        #[prost(uint64, tag = "2")]
        node_or_index: u64,
        #[prost(bool, tag = "3")]
        is_committed: bool,
    }
    #[derive(prost::Message)]
    struct Record {
        #[prost(message, optional, tag = "1")]
        id: Option<Id>,
        #[prost(bytes = "vec", tag = "3")]
        entry: Vec<u8>,
    }
    #[derive(prost::Message)]
    struct Append {
        #[prost(message, optional, tag = "1")]
        vote: Option<Id>,
        #[prost(bytes = "vec", repeated, tag = "3")]
        entries: Vec<Vec<u8>>,
    }
    let id = |node_or_index, is_committed| Id { term: 1, node_or_index, is_committed };
    let record = Record { id: Some(id(1, false)), entry: vec![255, 255, 1] };
    let vote = Some(id(PEER.0, true));
    Append { vote, entries: vec![record.encode_to_vec()] }.encode_to_vec()
}

#[tokio::test]
async fn rule_22_an_entry_of_a_newer_version_ends_the_process() {
    let node = node(1).await;
    let garbled = called(&node, hello(Some(CLUSTER), PEER, 1), PeerRoute::Append).await;
    assert!(garbled.is_err() && node.failed.borrow().is_none());
    let body = Bytes::from(append_of_a_newer_version());
    let hello = hello(Some(CLUSTER), PEER, 1);
    let refused = Arc::clone(&node.member).answer(hello, PeerRoute::Append, body).await;
    assert!(matches!(refused, Err(Refused::Malformed { .. })), "{refused:?}");
    assert!(matches!(*node.failed.borrow(), Some(FatalError::UnknownCommand)));
}
