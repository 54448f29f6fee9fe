use super::super::formation::Waiting;
use super::super::test_member::{CLUSTER, Node, node};
use super::super::test_node::WITHIN;
use super::*;

fn meeting(pods: &[&str]) -> Meeting {
    let pods = pods.iter().map(|pod| (*pod).to_owned()).collect();
    Meeting { expected: Expected::new("relay-0", Some(3)).unwrap(), pods }
}

fn others() -> [Answer; 2] {
    [1, 2].map(|ordinal| Answer {
        node: NodeId(100 + ordinal),
        name: format!("relay-{ordinal}"),
        address: format!("relay-{ordinal}:3320"),
        cluster: None,
        is_pristine: true,
    })
}

/// The verdicts of two rounds in which all others are pristine.
async fn decide(node: &Node) -> [Formation; 2] {
    let (mut rounds, own) = (Rounds::default(), own(&node.member).await);
    let expected = meeting(&[]).expected;
    [(), ()].map(|()| rounds.decide(&own, &expected, &others(), 0))
}

#[tokio::test]
async fn a_cluster_whose_id_was_learnt_from_its_leader_is_waited_for_and_none_is_formed() {
    let node = node(1).await;
    let [first, second] = decide(&node).await;
    assert_eq!(first, Formation::Wait(Waiting::OneMoreRound));
    assert!(matches!(second, Formation::Form { .. }), "{second:?}");
    // A leader called, and nothing of its log has come yet.
    node.member.join(CLUSTER).unwrap();
    assert!(node.member.raft().is_pristine().await.unwrap());
    assert_eq!(decide(&node).await, [Formation::Join(CLUSTER), Formation::Join(CLUSTER)]);
}

#[tokio::test]
async fn all_pods_and_seeds_are_asked_but_not_this_node_itself() {
    let (node, mut other) = (node(1).await, node(2).await);
    other.listen();
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = free.local_addr().unwrap().to_string();
    drop(free);
    let pods = [&nobody, &node.member.own.peer_address, &other.member.own.peer_address];
    let round = ask_all(&node.member, &meeting(&pods.map(String::as_str))).await;
    let answered: Vec<NodeId> = round.answers.iter().map(|answer| answer.node).collect();
    assert_eq!((answered, round.unreachable), (vec![NodeId(2)], 1));
    assert_eq!((round.answers[0].cluster, round.answers[0].is_pristine), (None, true));
}

#[tokio::test]
async fn a_cluster_is_in_the_log_before_it_has_an_id() {
    let node = node(1).await;
    let members = BTreeMap::from([(NodeId(1), MemberNode::default())]);
    form(&node.member, members).await.unwrap();
    assert!(!node.member.raft().is_pristine().await.unwrap());
    let drawn = node.member.cluster();
    assert!(drawn.is_some_and(|id| id.0 != 0), "{drawn:?}");
}

#[tokio::test]
async fn an_earlier_life_that_formed_a_cluster_and_ended_leaves_the_id_to_the_next() {
    let node = node(1).await;
    let members = BTreeMap::from([(NodeId(1), MemberNode::default())]);
    node.member.raft().form(members).await.unwrap();
    let running = run(Arc::clone(&node.member), meeting(&[]), node.stop.clone());
    tokio::time::timeout(WITHIN, running).await.unwrap();
    assert!(node.member.cluster().is_some());
    assert!(node.failed.borrow().is_none());
}

#[test]
fn an_answer_without_a_cluster_is_of_none() {
    let status = NodeStatus { node: 7, cluster: 0, is_pristine: true, ..NodeStatus::default() };
    assert_eq!(answer(status.clone()).cluster, None);
    let of_cluster = NodeStatus { cluster: CLUSTER.0, is_pristine: false, ..status };
    let answer = answer(of_cluster);
    assert_eq!(
        (answer.node, answer.cluster, answer.is_pristine),
        (NodeId(7), Some(CLUSTER), false)
    );
}

#[test]
fn a_reason_is_told_at_once_when_it_is_new_and_else_now_and_then() {
    let mut notice = Notice::default();
    let mut told =
        |seconds, text: &str| notice.due(Duration::from_secs(seconds), text.to_owned()).is_some();
    assert!(told(100, "no answer"));
    assert!(!told(109, "no answer"));
    assert!(told(110, "no answer"));
    assert!(told(111, "one more round"));
    assert!(told(112, "no answer"));
}
