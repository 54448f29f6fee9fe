//! Checks of a node whose link to the leader is a hole, with a guide beside it.

use super::super::raft::MemberNode;
use super::super::spool::feed::Degradation;
use super::super::test_member::{Node, SPOOL_AFTER, node};
use super::super::test_node::{WITHIN, event};
use super::super::transport::proto::Check;
use super::super::transport::{Hello, PeerListener, PeerService, Refused};
use super::*;
use crate::state_machine::{Fate, NodeId};
use axum::body::Bytes;

const GUIDE: NodeId = NodeId(3);

/// Hands every call on to the leader, whom it reaches without a wire.
struct Bridge(Arc<Member>);

impl PeerService for Bridge {
    async fn answer(
        self: Arc<Self>,
        hello: Hello,
        route: Route,
        body: Bytes,
    ) -> Result<Vec<u8>, Refused> {
        let to = Some(self.0.own.node);
        Arc::clone(&self.0).answer(Hello { from: GUIDE, to, ..hello }, route, body).await
    }
}

/// A leader, and a node that hears it and is not answered: the leader's listener is bound, and
/// nobody serves it.
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
        while follower.member.way.leader().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(WITHIN, known).await.unwrap();
    (leader, follower)
}

/// Gives the node a guide that reaches the leader.
async fn guide(follower: &Node, leader: &Node) -> Target {
    let listener = PeerListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target { node: Some(GUIDE), address: listener.address().to_string() };
    let bridge = Arc::new(Bridge(Arc::clone(&leader.member)));
    tokio::spawn(listener.serve(bridge, follower.stop.clone()));
    follower.member.way.guides.set(vec![target.clone()]);
    target
}

#[tokio::test]
async fn rule_12_a_quorum_that_a_guide_reaches_is_not_lost_and_takes_the_event() {
    let (leader, follower) = cut_off().await;
    let cluster = follower.cluster(WITHIN);
    let guide = guide(&follower, &leader).await;
    follower.clock.advance(10 * SPOOL_AFTER);
    check(&follower.member).await;
    assert_eq!(follower.member.degradation(), Degradation::Wait);
    assert_eq!(follower.member.way.guides.detour(), Some(guide));
    // The leader hears of this node all the same.
    assert!(leader.member.checks.lock().unwrap().contains_key(&follower.member.own.node));

    // The leader's link would take a whole attempt, for as long as the quorum is not lost.
    let accepted = cluster.accept(vec![event("a")]).await.unwrap();
    assert_eq!(accepted[0].fate, Fate::Accepted);
    assert!(leader.member.raft().read(|state| state.run("a").is_some()));
    assert_eq!(follower.member.degraded.len(), 0);
}

#[tokio::test]
async fn rule_12_without_a_way_to_the_quorum_the_event_is_spooled() {
    let (_leader, follower) = cut_off().await;
    let cluster = follower.cluster(WITHIN);
    follower.clock.advance(10 * SPOOL_AFTER);
    check(&follower.member).await;
    assert_eq!(follower.member.way.guides.detour(), None);
    let accepted = cluster.accept(vec![event("a")]).await.unwrap();
    assert_eq!(accepted[0].fate, Fate::Spooled);
    assert_eq!(follower.member.degraded.len(), 1);
}

#[tokio::test]
async fn rule_12_a_leader_that_answers_again_needs_no_guide() {
    let (mut leader, follower) = cut_off().await;
    let guide = guide(&follower, &leader).await;
    check(&follower.member).await;
    assert_eq!(follower.member.way.guides.detour(), Some(guide));
    leader.listen();
    // Two deadlines in a row close the connection that went nowhere.
    let answered = async {
        while follower.member.way.guides.detour().is_some() {
            check(&follower.member).await;
        }
    };
    tokio::time::timeout(WITHIN, answered).await.unwrap();
    assert!(!follower.member.way.quorum.is_lost());
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
        let answer = Arc::clone(&follower.member).answer(hello, Route::Check, body.clone()).await;
        Checked::decode(answer.unwrap().as_slice()).unwrap()
    };
    let answer = asked(asker).await;
    assert!(answer.is_leader && answer.quorum_age_ms < u64::MAX, "{answer:?}");
    assert!(leader.member.checks.lock().unwrap().contains_key(&asker));
    // From a guide it is answered by whoever gets it.
    assert!(!asked(GUIDE).await.is_leader);
}
