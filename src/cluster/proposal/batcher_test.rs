//! The queue and the batcher over a node in memory.

use super::*;
use crate::clock::Clock;
use crate::cluster::raft::RaftNode;
use crate::cluster::test_clock::ManualClock;
use crate::cluster::test_member::{CLUSTER, Node, node};
use crate::cluster::transport::proto::forwarded::Failure;
use crate::cluster::transport::proto::{Forward, Forwarded};
use crate::cluster::transport::{
    Hello, PeerAddress, PeerListener, PeerRoute, PeerService, PeerTls, Refused,
};
use crate::event::Key;
use crate::state_machine::NodeId;
use crate::wire::encode_answers;
use axum::body::Bytes;
use prost::Message as _;
use std::sync::Arc;

const DEADLINE: Duration = Duration::from_secs(20);
const TICK: Command = Command::Tick;

async fn parts() -> (RaftNode, Batcher, Queue, CancellationToken) {
    let raft = RaftNode::start_single_node(NodeId(1), None).await.unwrap();
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::default());
    let proposer = Proposer::single_node(raft.clone(), clock);
    let stop = CancellationToken::new();
    let (batcher, queue) = batcher(proposer, stop.clone());
    (raft, batcher, queue, stop)
}

/// A command of `count` keys, 16 bytes each.
fn keys(count: usize) -> Command {
    Command::Touch(vec![Key(7); count])
}

/// Puts a request into the queue without waiting for it.
fn put(queue: &Queue, commands: Vec<Command>) -> Answer {
    let (request, answer) = queue.request(EncodedCommands::new(commands), Priority::Work).unwrap();
    queue.requests.try_send(request).ok().unwrap();
    answer
}

#[tokio::test]
async fn what_waits_together_shares_an_entry_and_gets_its_own_answers() {
    let (raft, batcher, queue, stop) = parts().await;
    let waiting: Vec<Answer> = (1..=5).map(|count| put(&queue, vec![TICK; count])).collect();
    let before = *raft.applied().borrow();
    stop.cancel();
    batcher.run().await;
    assert_eq!(*raft.applied().borrow(), before + 1);
    for (count, answer) in (1..=5).zip(waiting) {
        assert_eq!(answer.await.unwrap().unwrap().answers, vec![Applied::Done; count]);
    }
}

#[tokio::test]
async fn an_entry_ends_before_it_has_too_many_commands() {
    let (raft, batcher, queue, stop) = parts().await;
    let part = COMMANDS_PER_ENTRY_MAX / 2;
    let waiting: Vec<Answer> = (0..4).map(|_| put(&queue, vec![TICK; part])).collect();
    let before = *raft.applied().borrow();
    stop.cancel();
    batcher.run().await;
    assert_eq!(*raft.applied().borrow(), before + 2);
    for answer in waiting {
        assert_eq!(answer.await.unwrap().unwrap().answers.len(), part);
    }
}

#[tokio::test]
async fn an_entry_ends_before_it_is_too_large() {
    let (raft, batcher, queue, stop) = parts().await;
    let third = ENTRY_BYTES_MAX / 3 / 16;
    let waiting: Vec<Answer> = (0..4).map(|_| put(&queue, vec![keys(third)])).collect();
    let before = *raft.applied().borrow();
    stop.cancel();
    batcher.run().await;
    assert_eq!(*raft.applied().borrow(), before + 2);
    for answer in waiting {
        assert_eq!(answer.await.unwrap().unwrap().answers, [Applied::Done]);
    }
}

#[tokio::test]
async fn a_request_that_no_entry_can_hold_is_refused_by_size() {
    let (_raft, _batcher, queue, _stop) = parts().await;
    let too_large = vec![keys(ENTRY_BYTES_MAX / 16)];
    let refused = queue.submit(too_large, Priority::Work, DEADLINE).await.unwrap_err();
    let AcceptError::TooLarge { bytes, bytes_max: ENTRY_BYTES_MAX } = refused else {
        panic!("{refused:?}");
    };
    assert!(bytes > ENTRY_BYTES_MAX);
}

#[tokio::test]
async fn waiting_bytes_are_bounded_and_given_back() {
    let (_raft, batcher, queue, stop) = parts().await;
    let nearly_full = (ENTRY_BYTES_MAX - 64) / 16;
    let mut waiting = Vec::new();
    let refused = loop {
        match queue.request(EncodedCommands::new(vec![keys(nearly_full)]), Priority::Work) {
            Ok((request, answer)) => {
                queue.requests.try_send(request).ok().unwrap();
                waiting.push(answer);
            }
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused, AcceptError::Overloaded);
    assert_eq!(waiting.len(), WAITING_BYTES_MAX / ENTRY_BYTES_MAX);
    // No caller waits any more: nothing has to be written.
    drop(waiting);
    stop.cancel();
    batcher.run().await;
    assert_eq!(queue.room.available_permits(), WAITING_BYTES_MAX);
}

#[tokio::test]
async fn a_flood_of_events_leaves_room_for_what_was_accepted_already() {
    let (_raft, _batcher, queue, _stop) = parts().await;
    let waiting: Vec<Answer> =
        (0..=WAITING_MAX - RESERVED).map(|_| put(&queue, vec![TICK])).collect();
    let event = queue.submit(vec![TICK], Priority::Event, Duration::ZERO).await;
    assert_eq!(event, Err(AcceptError::Overloaded));
    let work = queue.submit(vec![TICK], Priority::Work, Duration::ZERO).await;
    assert_eq!(work, Err(AcceptError::Unanswered { waited_ms: 0 }));
    assert_eq!(waiting.len(), WAITING_MAX - RESERVED + 1);
}

#[tokio::test]
async fn a_flood_of_large_events_leaves_bytes_for_what_was_accepted_already() {
    let (_raft, _batcher, queue, _stop) = parts().await;
    let large = || vec![keys((ENTRY_BYTES_MAX - 64) / 16)];
    let mut waiting = Vec::new();
    while queue.room.available_permits() > RESERVED_BYTES + ENTRY_BYTES_MAX {
        waiting.push(put(&queue, large()));
    }
    waiting.push(put(&queue, large()));
    let event = queue.submit(large(), Priority::Event, Duration::ZERO).await;
    assert_eq!(event, Err(AcceptError::Overloaded));
    let work = queue.submit(large(), Priority::Work, Duration::ZERO).await;
    assert_eq!(work, Err(AcceptError::Unanswered { waited_ms: 0 }));
}

#[tokio::test]
async fn a_full_queue_is_overloaded() {
    let (_raft, _batcher, queue, _stop) = parts().await;
    let waiting: Vec<Answer> = (0..WAITING_MAX).map(|_| put(&queue, vec![TICK])).collect();
    let refused = queue.submit(vec![TICK], Priority::Work, DEADLINE).await;
    assert_eq!(refused, Err(AcceptError::Overloaded));
    drop(waiting);
}

#[tokio::test]
async fn a_request_whose_sender_gave_up_is_left_out() {
    let (raft, batcher, queue, stop) = parts().await;
    let gone = queue.submit(vec![TICK], Priority::Work, Duration::ZERO).await;
    assert_eq!(gone, Err(AcceptError::Unanswered { waited_ms: 0 }));
    let before = *raft.applied().borrow();
    stop.cancel();
    batcher.run().await;
    assert_eq!(*raft.applied().borrow(), before);
}

#[tokio::test]
async fn what_comes_after_the_stop_is_refused() {
    let (_raft, batcher, queue, stop) = parts().await;
    stop.cancel();
    batcher.run().await;
    let refused = queue.submit(vec![TICK], Priority::Work, DEADLINE).await;
    assert_eq!(refused, Err(AcceptError::Stopped));
}

#[tokio::test]
async fn a_stopped_node_answers_that_it_is_stopped() {
    let (raft, batcher, queue, stop) = parts().await;
    let answer = put(&queue, vec![TICK]);
    raft.shutdown().await;
    stop.cancel();
    batcher.run().await;
    assert_eq!(answer.await.unwrap(), Err(AcceptError::Stopped));
}

/// A leader whose disk is low. Its writes are not applied anywhere.
struct LowDisk;

impl PeerService for LowDisk {
    async fn answer(
        self: Arc<Self>,
        _: Hello,
        route: PeerRoute,
        body: Bytes,
    ) -> Result<Vec<u8>, Refused> {
        assert_eq!(route, PeerRoute::Forward);
        let forward = Forward::decode(body).unwrap();
        let answer = if forward.is_event {
            Forwarded { failure: Failure::DiskLow.into(), ..Forwarded::default() }
        } else {
            let count = EncodedCommands::decode(&forward.entry).unwrap().count();
            let answers = encode_answers(&vec![Applied::Done; count]);
            Forwarded { failure: Failure::None.into(), answers, index: 1 << 40 }
        };
        Ok(answer.encode_to_vec())
    }
}

/// A node that reaches that leader.
async fn below_low_disk() -> Node {
    let node = node(1).await;
    node.member.join(CLUSTER).unwrap();
    let listener = PeerListener::bind("127.0.0.1:0").await.unwrap();
    let leader = PeerAddress { node: Some(NodeId(2)), address: listener.address().to_string() };
    tokio::spawn(listener.serve(Arc::new(LowDisk), PeerTls::of_test(), node.stop.clone()));
    node.member.proposer.relays.set(vec![leader]);
    node
}

#[tokio::test]
async fn rule_15_events_do_not_get_past_a_low_disk_with_the_records_beside_them() {
    let mut node = below_low_disk().await;
    let queue = node.member.queue.clone();
    let priorities = [Priority::Event, Priority::Work, Priority::Event, Priority::Kept];
    let waiting = priorities.map(|priority| {
        let (request, answer) = queue.request(EncodedCommands::new(vec![TICK]), priority).unwrap();
        queue.requests.try_send(request).ok().unwrap();
        answer
    });
    node.write();
    let written = || Ok(Written { index: 1 << 40, answers: vec![Applied::Done] });
    let low = || Err(AcceptError::DiskLow);
    for (answer, expected) in waiting.into_iter().zip([low(), written(), low(), written()]) {
        assert_eq!(answer.await.unwrap(), expected);
    }
}

#[tokio::test]
async fn rule_13_what_was_kept_is_fed_although_this_node_does_not_hear_of_the_commit() {
    let mut node = below_low_disk().await;
    node.write();
    let queue = &node.member.queue;
    let fed = queue.submit(vec![TICK], Priority::Kept, DEADLINE).await;
    assert_eq!(fed, Ok(vec![Applied::Done]));
}
