//! The answers to orders, and their effects on a membership.

use super::*;
use crate::cluster::proposal::priority::Priority;
use crate::cluster::raft::{MemberNode, MemberStatus, RaftNode};
use crate::cluster::test_member::{Node, Pair, node};
use crate::cluster::test_node::WITHIN;
use crate::state_machine::{Applied, Command};
use futures_util::FutureExt as _;
use std::collections::BTreeSet;
use std::sync::Arc;

const NODE: NodeId = NodeId(2);

#[test]
fn every_answer_reads_back() {
    let counts = (1, 2);
    let (answering, needed) = counts;
    let named = Named { node: NODE, name: "relay-1".to_owned() };
    assert_eq!(decode(encode(Ok(named.clone()))), Ok(named));
    for error in [
        OrderError::NoLeader,
        OrderError::Unknown(NODE),
        OrderError::Leads(NODE),
        OrderError::ChangeUnderWay,
        OrderError::NoQuorum { answering, needed },
        OrderError::QuorumLost { node: NODE, answering, needed },
        OrderError::NoVote(NODE),
        OrderError::Draining(NODE),
        OrderError::Silent(NODE),
        OrderError::Behind { node: NODE, lag: 9 },
        OrderError::NoTransferTarget,
        OrderError::Unconfirmed,
    ] {
        assert_eq!(decode(encode(Err(error))), Err(error));
    }
}

#[test]
fn a_refusal_of_a_newer_leader_is_no_success() {
    let answer = Ordered { refusal: 99, ..Ordered::default() };
    assert_eq!(decode(answer), Err(OrderError::Unconfirmed));
}

#[test]
fn a_removal_is_refused_with_what_is_missing() {
    let lost = RemoveError::QuorumLost { node: NODE, answering: 1, needed: 2 };
    let told = "without node 0000000000000002 only 1 of 2 needed voters answer";
    assert_eq!(OrderError::from(lost).to_string(), told);
    let none = RemoveError::NoQuorum { answering: 1, needed: 2 };
    let told = "there is no quorum: only 1 of 2 needed voters answer";
    assert_eq!(OrderError::from(none).to_string(), told);
    let leads = OrderError::from(RemoveError::Leader(NODE)).to_string();
    assert_eq!(leads, "node 0000000000000002 leads: transfer the leadership first");
}

fn status(of_two: MemberStatus) -> RaftStatus {
    let members = [(NODE, of_two)].into();
    RaftStatus { last_index: 1_000, members, ..RaftStatus::default() }
}

fn voter() -> MemberStatus {
    MemberStatus {
        node: Default::default(),
        is_voter: true,
        matched_index: Some(1_000 - CAUGHT_UP_LAG_MAX),
        answered_ago: Some(ANSWERED_WITHIN - Duration::from_millis(1)),
    }
}

fn fit_to_lead(of_two: MemberStatus) -> Result<NodeId, OrderError> {
    fit(&status(of_two), NODE, |_| false)
}

#[test]
fn rule_29_a_voter_that_answers_and_has_the_log_may_be_asked_to_lead() {
    assert_eq!(fit_to_lead(voter()), Ok(NODE));
    assert_eq!(fit(&status(voter()), NODE, |_| true), Err(OrderError::Draining(NODE)));
    let unknown = NodeId(3);
    assert_eq!(fit(&status(voter()), unknown, |_| false), Err(OrderError::Unknown(unknown)));
}

#[test]
fn rule_29_learners_and_the_silent_and_those_behind_are_not_asked_to_lead() {
    let learner = MemberStatus { is_voter: false, ..voter() };
    assert_eq!(fit_to_lead(learner), Err(OrderError::NoVote(NODE)));
    for answered_ago in [None, Some(ANSWERED_WITHIN)] {
        let silent = MemberStatus { answered_ago, ..voter() };
        assert_eq!(fit_to_lead(silent), Err(OrderError::Silent(NODE)));
    }
    let lag = CAUGHT_UP_LAG_MAX + 1;
    let behind = MemberStatus { matched_index: Some(1_000 - lag), ..voter() };
    assert_eq!(fit_to_lead(behind), Err(OrderError::Behind { node: NODE, lag }));
    let unheard = MemberStatus { matched_index: None, ..voter() };
    assert_eq!(fit_to_lead(unheard), Err(OrderError::Behind { node: NODE, lag: 1_000 }));
}

const OWN: NodeId = NodeId(1);
const LEARNER: NodeId = NodeId(7);

/// A leader with an unreachable learner.
async fn leader() -> Node {
    let mut node = node(1).await;
    node.lead().await;
    let raft = node.member.raft();
    let nowhere = MemberNode { name: "relay-1".to_owned(), address: "127.0.0.1:9".to_owned() };
    raft.set_member(&raft.status(), LEARNER, nowhere).await.unwrap();
    node
}

fn members(node: &Node) -> Vec<NodeId> {
    node.member.raft().status().members.into_keys().collect()
}

#[tokio::test]
async fn a_member_is_removed_whatever_state_it_is_in_and_its_pod_is_named() {
    let node = leader().await;
    assert_eq!(members(&node), [OWN, LEARNER]);
    let removed = Named { node: LEARNER, name: "relay-1".to_owned() };
    assert_eq!(node.member.remove(LEARNER).await, Ok(removed));
    assert_eq!(members(&node), [OWN]);
    assert_eq!(node.member.remove(LEARNER).await, Err(OrderError::Unknown(LEARNER)));
}

#[tokio::test]
async fn a_leader_removes_no_stranger_and_not_itself() {
    let node = leader().await;
    assert_eq!(node.member.remove(NodeId(9)).await, Err(OrderError::Unknown(NodeId(9))));
    assert_eq!(node.member.remove(OWN).await, Err(OrderError::Leads(OWN)));
    assert_eq!(members(&node), [OWN, LEARNER]);
}

#[tokio::test]
async fn a_try_on_an_old_view_changes_nothing_and_is_made_again() {
    let node = leader().await;
    let raft = node.member.raft();
    let old = raft.status();
    let moved = MemberNode { name: "relay-1".to_owned(), address: "127.0.0.1:10".to_owned() };
    raft.set_member(&old, LEARNER, moved).await.unwrap();
    let deadline = Instant::now() + WITHIN;
    assert_eq!(node.member.try_remove(&old, LEARNER, deadline).await, Ok(false));
    assert_eq!(members(&node), [OWN, LEARNER]);
    assert_eq!(node.member.try_remove(&raft.status(), LEARNER, deadline).await, Ok(true));
}

/// An empty append of a leader in a much later term.
fn append_of_another_leader() -> Vec<u8> {
    #[derive(prost::Message)]
    struct Vote {
        #[prost(uint64, tag = "1")]
        term: u64,
        #[prost(uint64, tag = "2")]
        node: u64,
        #[prost(bool, tag = "3")]
        is_committed: bool,
    }
    #[derive(prost::Message)]
    struct Append {
        #[prost(message, optional, tag = "1")]
        vote: Option<Vote>,
    }
    let vote = Some(Vote { term: 99, node: LEARNER.0, is_committed: true });
    Append { vote }.encode_to_vec()
}

#[tokio::test]
async fn an_order_that_outlives_the_leadership_may_still_be_carried_out() {
    let node = leader().await;
    let (member, raft) = (Arc::clone(&node.member), node.member.raft().clone());
    // A change that cannot end: the new voter does not answer.
    let changing = tokio::spawn(async move {
        let voters = BTreeSet::from([OWN, LEARNER]);
        let _ = raft.set_voters(&raft.status(), &voters).await;
    });
    let joint = async {
        while !member.raft().status().is_joint {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(WITHIN, joint).await.unwrap();
    // The order arrives while this node leads; then another one leads.
    let mut removing = std::pin::pin!(node.member.remove(LEARNER));
    assert!((&mut removing).now_or_never().is_none());
    node.member.raft().answer_append(append_of_another_leader().into()).await.unwrap();
    let removed = tokio::time::timeout(WITHIN, removing).await.unwrap();
    assert_eq!(removed, Err(OrderError::Unconfirmed));
    changing.abort();
    assert_eq!(node.member.remove(LEARNER).await, Err(OrderError::NoLeader));
}

#[tokio::test]
async fn a_leader_hands_over_to_nobody_who_is_not_fit_and_to_itself_at_once() {
    let node = leader().await;
    let own = Named { node: OWN, name: "relay-0".to_owned() };
    assert_eq!(node.member.transfer_leadership(Some(OWN)).await, Ok(own));
    assert_eq!(node.member.transfer_leadership(None).await, Err(OrderError::NoTransferTarget));
    assert_eq!(
        node.member.transfer_leadership(Some(LEARNER)).await,
        Err(OrderError::NoVote(LEARNER))
    );
    assert!(node.member.raft().leads_term().is_some());
}

#[tokio::test]
async fn orders_that_reach_a_follower_are_answered_so_and_change_nothing() {
    let node = node(1).await;
    assert_eq!(node.member.remove(LEARNER).await, Err(OrderError::NoLeader));
    let refused = node.member.answer_remove(&Remove { node: LEARNER.0 }).await;
    assert_eq!(decode(refused), Err(OrderError::NoLeader));
    let refused = node.member.answer_hand_over(&HandOver { to: 0 }).await;
    assert_eq!(decode(refused), Err(OrderError::NoLeader));
    let body = Remove { node: LEARNER.0 }.encode_to_vec();
    assert_eq!(node.member.order(PeerRoute::Remove, body).await, Err(OrderError::NoLeader));
}

#[tokio::test]
async fn an_order_to_hand_over_to_node_zero_is_to_whoever_is_fit() {
    let node = leader().await;
    let answer = node.member.answer_hand_over(&HandOver { to: 0 }).await;
    assert_eq!(decode(answer), Err(OrderError::NoTransferTarget));
    let answer = node.member.answer_hand_over(&HandOver { to: OWN.0 }).await;
    assert_eq!(decode(answer).map(|named| named.node), Ok(OWN));
}

#[tokio::test]
async fn rule_29_an_heir_that_lacks_the_last_entries_leads_as_soon_as_it_has_them() {
    let pair = Pair::elected().await;
    pair.confirm().await;
    let leader = &pair.leader.member;
    // An entry that only the leader has, and that waits for its confirmation.
    pair.hear(false);
    let before = leader.raft().status().last_index;
    let queue = leader.queue.clone();
    let written =
        tokio::spawn(
            async move { queue.submit(vec![Command::Tick], Priority::Work, WITHIN).await },
        );
    pair.until(|pair| pair.leader.member.raft().status().last_index > before).await;
    let behind = leader.raft().status().last_index;
    assert_eq!(fit(&leader.raft().status(), NODE, |_| false), Ok(NODE));
    leader.raft().transfer_to(NODE).await.unwrap();
    pair.called(PeerRoute::Transfer).await;
    assert!(pair.other.member.raft().leads_term().is_none());
    pair.hear(true);
    let leads = |raft: &RaftNode| raft.leads_term().is_some() && raft.status().has_applied_own_term;
    pair.until(|pair| leads(pair.other.member.raft())).await;
    pair.until(|pair| pair.leader.member.raft().leader().is_some_and(|led| led.0 == NODE)).await;
    assert!(pair.other.member.raft().status().applied_index > behind);
    // An accepted entry is not lost.
    assert_eq!(written.await.unwrap().unwrap(), [Applied::Done]);
}
