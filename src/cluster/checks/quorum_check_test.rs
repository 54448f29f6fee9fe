//! Checks of a node that cannot reach the leader, and of a relay that can.

use super::*;
use crate::cluster::raft::MemberNode;
use crate::cluster::spool::feed::Degradation;
use crate::cluster::test_member::{Node, Pair, SPOOL_AFTER, node};
use crate::cluster::test_node::{WITHIN, event};
use crate::cluster::transport::proto::Check;
use crate::cluster::transport::{Hello, PeerListener, PeerService, PeerTls, Refused};
use crate::state_machine::{Fate, NodeId};
use axum::body::Bytes;

const RELAY: NodeId = NodeId(3);

/// Forwards every call to the leader in memory.
struct Bridge(Arc<Member>);

impl PeerService for Bridge {
    async fn answer(
        self: Arc<Self>,
        hello: Hello,
        route: PeerRoute,
        body: Bytes,
    ) -> Result<Vec<u8>, Refused> {
        let to = Some(self.0.own.node);
        Arc::clone(&self.0).answer(Hello { from: RELAY, to, ..hello }, route, body).await
    }
}

/// A leader, and a node that receives its calls but gets no answers: the leader's port is bound,
/// and no task serves it.
async fn cut_off() -> (Node, Node) {
    let (mut leader, mut follower) = (node(2).await, node(1).await);
    leader.lead().await;
    follower.listen();
    follower.write();
    let own = &follower.member.own;
    let at = MemberNode { name: own.name.clone(), address: own.peer_address.clone() };
    let raft = leader.member.raft();
    raft.set_member(&raft.status(), own.node, at).await.unwrap();
    let known = async {
        while follower.member.proposer.leader().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(WITHIN, known).await.unwrap();
    (leader, follower)
}

/// Gives the node a relay that reaches the leader.
async fn relay(follower: &Node, leader: &Node) -> PeerAddress {
    let listener = PeerListener::bind("127.0.0.1:0").await.unwrap();
    let target = PeerAddress { node: Some(RELAY), address: listener.address().to_string() };
    let bridge = Arc::new(Bridge(Arc::clone(&leader.member)));
    tokio::spawn(listener.serve(bridge, PeerTls::of_test(), follower.stop.clone()));
    follower.member.proposer.relays.set(vec![target.clone()]);
    target
}

#[tokio::test]
async fn rule_12_a_quorum_that_a_guide_reaches_is_not_lost_and_takes_the_event() {
    let (leader, follower) = cut_off().await;
    leader.begin(&follower).await;
    let cluster = follower.cluster(WITHIN);
    let relay = relay(&follower, &leader).await;
    follower.clock.advance(10 * SPOOL_AFTER);
    check(&follower.member).await;
    assert_eq!(follower.member.degradation(), Degradation::Wait);
    assert_eq!(follower.member.proposer.relays.relay_first(), Some(relay));
    // The leader gets this node's check nevertheless.
    assert!(leader.member.checks.lock().contains_key(&follower.member.own.node));

    // The direct link would take a whole attempt while the quorum is not lost.
    let accepted = cluster.accept(vec![event("a")]).await.unwrap();
    assert_eq!(accepted[0].fate, Fate::Accepted);
    assert!(leader.member.raft().read(|state| state.run("a").is_some()));
    assert_eq!(follower.member.quorum_loss.len(), 0);
}

#[tokio::test]
async fn rule_12_without_a_way_to_the_quorum_the_event_is_spooled() {
    let (_leader, follower) = cut_off().await;
    let cluster = follower.cluster(WITHIN);
    follower.clock.advance(10 * SPOOL_AFTER);
    check(&follower.member).await;
    assert_eq!(follower.member.proposer.relays.relay_first(), None);
    let accepted = cluster.accept(vec![event("a")]).await.unwrap();
    assert_eq!(accepted[0].fate, Fate::Spooled);
    assert_eq!(follower.member.quorum_loss.len(), 1);
}

#[tokio::test]
async fn rule_12_a_leader_that_answers_again_needs_no_guide() {
    let (mut leader, follower) = cut_off().await;
    let relay = relay(&follower, &leader).await;
    check(&follower.member).await;
    assert_eq!(follower.member.proposer.relays.relay_first(), Some(relay));
    leader.listen();
    // Two missed deadlines in a row close the dead connection.
    let answered = async {
        while follower.member.proposer.relays.relay_first().is_some() {
            check(&follower.member).await;
        }
    };
    tokio::time::timeout(WITHIN, answered).await.unwrap();
    assert!(!follower.member.proposer.quorum.is_lost());
}

#[tokio::test]
async fn rule_12_a_sole_voter_is_its_own_quorum_however_long_it_idles() {
    let mut alone = node(1).await;
    alone.lead().await;
    for _ in 0..3 {
        alone.clock.advance(10 * SPOOL_AFTER);
        check(&alone.member).await;
        assert!(!alone.member.proposer.quorum.is_lost());
        assert_eq!(alone.member.degradation(), Degradation::Wait);
    }
    // Its learners get the same answer.
    let asked = Arc::clone(&alone.member).answer(
        Hello {
            to: Some(alone.member.own.node),
            ..Hello::new(alone.member.cluster(), RELAY, 1, 7)
        },
        PeerRoute::LeaderCheck,
        Bytes::from(Check { node: RELAY.0, ..Check::default() }.encode_to_vec()),
    );
    let answer = Checked::decode(asked.await.unwrap().as_slice()).unwrap();
    assert_eq!((answer.is_leader, answer.quorum_age_ms), (true, 0));
}

#[tokio::test]
async fn rule_23_a_replica_that_stands_still_behind_its_leader_is_unready_and_says_so() {
    let node = node(1).await;
    node.member.follows(5);
    node.clock.advance(crate::cluster::health::standstill::STUCK_AFTER);
    node.member.follows(9);
    assert_eq!(node.member.stuck(), Some(0));
    assert!(node.cluster(WITHIN).is_stuck());
    node.member.follows(0);
    assert_eq!(node.member.stuck(), None);
}

#[tokio::test]
async fn rule_12_one_of_two_voters_is_no_quorum() {
    let pair = Pair::elected().await;
    let leader = &pair.leader;
    leader.clock.advance(10 * SPOOL_AFTER);
    assert!(leader.member.raft().status().voters.len() == 2);
    assert!(leader.member.proposer.quorum.is_lost());
}

#[tokio::test]
async fn rule_12_a_check_is_handed_on_to_the_leader_once() {
    let (mut leader, follower) = cut_off().await;
    leader.listen();
    let asker = NodeId(9);
    let body = Bytes::from(Check { node: asker.0, ..Check::default() }.encode_to_vec());
    let (cluster, own) = (leader.member.cluster(), follower.member.own.node);
    let asked = async |from| {
        let hello = Hello { to: Some(own), ..Hello::new(cluster, from, 1, 7) };
        let answer =
            Arc::clone(&follower.member).answer(hello, PeerRoute::LeaderCheck, body.clone()).await;
        Checked::decode(answer.unwrap().as_slice()).unwrap()
    };
    let answer = asked(asker).await;
    assert!(answer.is_leader && answer.quorum_age_ms < u64::MAX, "{answer:?}");
    assert!(leader.member.checks.lock().contains_key(&asker));
    // A check from a relay is answered where it arrives, and is not relayed again.
    assert!(!asked(RELAY).await.is_leader);
}
