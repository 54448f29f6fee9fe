//! Paths to a leader through peers of a test with fixed answers.

use super::*;
use crate::cluster::test_member::{CLUSTER, Node, node};
use crate::cluster::transport::{Hello, PeerListener, PeerService, PeerTls, Refused};
use crate::state_machine::{Applied, Command, NodeId};
use crate::wire::encode_answers;
use axum::body::Bytes;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Answers every call in the same way, and counts them.
struct Guide {
    answer: Result<Forwarded, Refused>,
    calls: AtomicUsize,
}

impl PeerService for Guide {
    async fn answer(
        self: Arc<Self>,
        _: Hello,
        route: PeerRoute,
        body: Bytes,
    ) -> Result<Vec<u8>, Refused> {
        assert_eq!(route, PeerRoute::Forward);
        let forward = Forward::decode(body).unwrap();
        assert_eq!((forward.hops, forward.is_event), (0, true));
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.answer.clone().map(|answer| answer.encode_to_vec())
    }
}

fn failing(failure: Failure) -> Result<Forwarded, Refused> {
    Ok(Forwarded { failure: failure.into(), ..Forwarded::default() })
}

fn written() -> Result<Forwarded, Refused> {
    let answers = encode_answers(&[Applied::Done]);
    Ok(Forwarded { failure: Failure::None.into(), answers, index: 9 })
}

/// A node that knows no leader, and its relays in the order of use.
async fn guided<const N: usize>(
    answers: [Result<Forwarded, Refused>; N],
) -> (Node, Vec<Arc<Guide>>) {
    let node = node(1).await;
    node.member.join(CLUSTER).unwrap();
    let (mut targets, mut relays) = (Vec::new(), Vec::new());
    for (answer, id) in answers.into_iter().zip(2..) {
        let listener = PeerListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.address().to_string();
        targets.push(PeerAddress { node: Some(NodeId(id)), address });
        let relay = Arc::new(Guide { answer, calls: AtomicUsize::new(0) });
        tokio::spawn(listener.serve(Arc::clone(&relay), PeerTls::of_test(), node.stop.clone()));
        relays.push(relay);
    }
    node.member.proposer.relays.set(targets);
    (node, relays)
}

fn proposal(hops: u32) -> Proposal {
    let commands = EncodedCommands::new(vec![Command::Tick]);
    Proposal { commands, priority: Priority::Event, hops }
}

/// The result of a write, and which relays were asked.
async fn write<const N: usize>(
    answers: [Result<Forwarded, Refused>; N],
    hops: u32,
) -> (Result<Written, AcceptError>, [usize; N]) {
    let (node, relays) = guided(answers).await;
    let written = node.member.proposer.propose(proposal(hops)).await;
    assert_eq!(node.member.proposer.quorum.is_lost(), written.is_err());
    let asked: Vec<usize> =
        relays.iter().map(|relay| relay.calls.load(Ordering::Relaxed)).collect();
    (written, asked.try_into().unwrap())
}

#[tokio::test]
async fn rule_12_every_guide_is_tried_until_one_has_the_entry() {
    let stopping = Err(Refused::Stopped);
    let no_leader = failing(Failure::NoLeader);
    let (found, asked) = write([no_leader, stopping, written(), written()], 0).await;
    assert_eq!(found, Ok(Written { index: 9, answers: vec![Applied::Done] }));
    assert_eq!(asked, [1, 1, 1, 0]);
}

#[tokio::test]
async fn rule_12_what_was_handed_on_already_goes_to_a_leader_or_nowhere() {
    let (found, asked) = write([written()], 1).await;
    assert_eq!((found, asked), (Err(AcceptError::NoLeader), [0]));
}

#[tokio::test]
async fn what_the_leader_says_of_itself_ends_the_search() {
    for (failure, told) in
        [(Failure::Overloaded, AcceptError::Overloaded), (Failure::DiskLow, AcceptError::DiskLow)]
    {
        let (found, asked) = write([failing(failure), written()], 0).await;
        assert_eq!((found, asked), (Err(told), [1, 0]));
    }
}

#[tokio::test]
async fn a_leader_that_stops_or_did_not_confirm_is_not_the_end() {
    for (failure, told) in [
        (Failure::NoLeader, AcceptError::NoLeader),
        (Failure::Stopped, AcceptError::NoLeader),
        (Failure::Unconfirmed, AcceptError::Unconfirmed),
        (Failure::Unanswered, AcceptError::Unconfirmed),
    ] {
        assert!(told.is_passing());
        let (found, asked) = write([failing(failure)], 0).await;
        assert_eq!((found, asked), (Err(told), [1]));
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_may_stand_for_an_entry() {
    let garbled = Forwarded { answers: vec![255, 255, 1], ..written().unwrap() };
    let (found, _) = write([Ok(garbled)], 0).await;
    assert_eq!(found, Err(AcceptError::Unconfirmed));
}

#[tokio::test]
async fn an_answer_to_another_number_of_commands_confirms_none() {
    let two = Forwarded {
        answers: encode_answers(&[Applied::Done, Applied::Done]),
        ..written().unwrap()
    };
    let (found, _) = write([Ok(two)], 0).await;
    assert_eq!(found, Err(AcceptError::Unconfirmed));
}

#[test]
fn a_forwarder_hears_of_every_failure_what_it_may_do_about_it() {
    let too_large = AcceptError::TooLarge { bytes: 2, bytes_max: 1 };
    for (error, heard) in [
        (AcceptError::NoLeader, Failure::NoLeader),
        (AcceptError::Unconfirmed, Failure::Unconfirmed),
        (AcceptError::Unanswered { waited_ms: 1 }, Failure::Unanswered),
        (AcceptError::Overloaded, Failure::Overloaded),
        (AcceptError::DiskLow, Failure::DiskLow),
        (AcceptError::Stopped, Failure::Stopped),
        (AcceptError::Full, Failure::Unconfirmed),
        (too_large, Failure::Unconfirmed),
    ] {
        assert_eq!(failure(&error), heard);
    }
}

#[tokio::test]
async fn a_leader_writes_itself_and_knows_a_quorum_by_it() {
    let mut node = node(1).await;
    node.lead().await;
    let written = node.member.proposer.propose(proposal(0)).await.unwrap();
    assert_eq!(written.answers, [Applied::Done]);
    assert_eq!(written.index, node.member.raft().status().applied_index);
    assert!(!node.member.proposer.quorum.is_lost());
    assert_eq!(node.member.proposer.leader(), None, "nobody else");
}
