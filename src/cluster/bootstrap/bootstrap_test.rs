use super::formation::{LISTEN_MIN, Waiting};
use super::*;
use crate::cluster::test_member::{CLUSTER, Node, Told, node, node_told};
use crate::cluster::test_node::WITHIN;

fn targets(pods: &[&str]) -> BootstrapTargets {
    let pods = pods.iter().map(|pod| (*pod).to_owned()).collect();
    BootstrapTargets { expected: Expected::new("relay-0", Some(3)).unwrap(), pods }
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

/// The verdicts of two rounds in which all other nodes are pristine.
async fn decide(node: &Node) -> [Formation; 2] {
    let heard = own(&node.member, &DiscoveryAnswers::default()).await;
    let (mut rounds, own) = (Rounds::default(), OwnState { discovered_for: LISTEN_MIN, ..heard });
    let expected = targets(&[]).expected;
    [(), ()].map(|()| rounds.decide(&own, &expected, &others(), 0))
}

#[tokio::test]
async fn a_cluster_whose_id_was_learnt_from_its_leader_is_waited_for_and_none_is_formed() {
    let node = node(1).await;
    let [first, second] = decide(&node).await;
    assert_eq!(first, Formation::Wait(Waiting::OneMoreRound));
    assert!(matches!(second, Formation::Form { .. }), "{second:?}");
    // A leader has called, and no entry of its log has arrived yet.
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
    let round = ask_all(&node.member, &targets(&pods.map(String::as_str))).await;
    let answered: Vec<NodeId> = round.answers.iter().map(|answer| answer.node).collect();
    assert_eq!((answered, round.silent), (vec![NodeId(2)], [nobody].into()));
    assert_eq!((round.answers[0].cluster, round.answers[0].is_pristine), (None, true));
}

/// An address without a listener. `host` is a loopback address of one test alone, so no other test
/// gets the port.
fn free(host: [u8; 4]) -> SocketAddr {
    let socket = std::net::UdpSocket::bind(SocketAddr::from((host, 0))).unwrap();
    socket.local_addr().unwrap()
}

/// A first pod with these seeds that has looked for all of them once.
async fn first(gossip: SocketAddr, seeds: &[String]) -> Node {
    let (gossip, seeds) = (gossip.to_string(), seeds.to_vec());
    let mut node = node_told(1, Told { gossip, seeds, ..Told::default() }).await;
    node.listen();
    until(|| node.member.gossip.seeds_answered() != DiscoveryAnswers::default()).await;
    node
}

/// Polls until the condition holds.
async fn until(holds: impl Fn() -> bool) {
    let looks = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        while !holds() {
            ticks.tick().await;
        }
    };
    tokio::time::timeout(WITHIN, looks).await.unwrap();
}

/// Two more pods, pristine, that answer.
async fn second_and_third() -> [Node; 2] {
    let pods = [(2, "relay-1"), (3, "relay-2")].map(|(id, name)| async move {
        let mut node = node_told(id, Told { name, ..Told::default() }).await;
        node.listen();
        node
    });
    join_all(pods).await.try_into().ok().unwrap()
}

/// Verdicts of the first pod about these three, from the time when it could listen long enough.
async fn verdicts(node: &Node, others: &[Node; 2], count: usize) -> Vec<Formation> {
    let answered_for = || node.member.gossip.seeds_answered().answered_for(Instant::now());
    until(|| answered_for().is_some_and(|listened| listened >= LISTEN_MIN)).await;
    let pods = others.each_ref().map(|other| other.member.own.peer_address.as_str());
    let (targets, mut rounds, mut verdicts) = (targets(&pods), Rounds::default(), Vec::new());
    for _ in 0..count {
        verdicts.push(look(&node.member, &targets, &mut rounds).await.0);
    }
    verdicts
}

#[tokio::test]
async fn rule_24_three_pods_with_no_other_seed_than_themselves_form() {
    let gossip = free([127, 0, 50, 1]);
    let (node, others) = (first(gossip, &[gossip.to_string()]).await, second_and_third().await);
    let [once, twice] = verdicts(&node, &others, 2).await.try_into().unwrap();
    assert_eq!(once, Formation::Wait(Waiting::OneMoreRound));
    assert!(matches!(&twice, Formation::Form { members } if members.len() == 3), "{twice:?}");
}

#[tokio::test]
async fn rule_24_a_seed_that_keeps_silent_prevents_a_cluster_although_all_pods_are_pristine() {
    // Scaled to four, and the first three lost their disks: this one may know the cluster.
    let fourth = free([127, 0, 50, 2]).to_string();
    let (node, others) = (first(free([127, 0, 50, 3]), &[fourth]).await, second_and_third().await);
    let waiting = Formation::Wait(Waiting::Unreachable(1));
    assert_eq!(verdicts(&node, &others, 3).await, [waiting.clone(), waiting.clone(), waiting]);
}

#[tokio::test]
async fn rule_24_a_member_that_gossip_does_not_know_is_asked_where_discovery_shows_it() {
    let gossip = free([127, 0, 50, 4]);
    let fourth = SocketAddr::from(([127, 0, 50, 5], gossip.port()));
    let (node, others) = (first(gossip, &[fourth.to_string()]).await, second_and_third().await);
    let port = node.member.own.peer_address.rsplit(':').next().unwrap();
    let peers = format!("{}:{port}", fourth.ip());
    let mut member = node_told(4, Told { name: "relay-3", peers, ..Told::default() }).await;
    member.member.join(CLUSTER).unwrap();
    member.listen();
    assert_eq!(verdicts(&node, &others, 1).await, [Formation::Join(CLUSTER)]);
}

#[tokio::test]
async fn rule_24_seeds_are_met_in_gossip_or_at_the_ports_of_this_node() {
    // Another address of this machine, where this node itself listens for peers.
    let gossip = free([127, 0, 50, 6]);
    let alias = format!("127.0.0.1:{}", gossip.port());
    let (other, silent) = (free([127, 0, 50, 7]), free([127, 0, 50, 8]).to_string());
    let nowhere = format!("{}:1", "x".repeat(64));
    let seeds = [alias, other.to_string(), silent.clone(), nowhere.clone()];
    let node = first(gossip, &seeds).await;
    let missed = ask_all(&node.member, &targets(&[])).await.silent;
    assert_eq!(missed, [other.to_string(), silent.clone(), nowhere.clone()].into());
    let (gossip, seeds) = (other.to_string(), vec![gossip.to_string()]);
    let mut peer = node_told(2, Told { gossip, seeds, ..Told::default() }).await;
    peer.listen();
    let live = async {
        let mut changed = node.member.gossip.changed();
        while node.member.live_peers().await.is_empty() {
            changed.changed().await.unwrap();
        }
    };
    tokio::time::timeout(WITHIN, live).await.unwrap();
    let missed = ask_all(&node.member, &targets(&[])).await.silent;
    assert_eq!(missed, [silent, nowhere].into());
}

#[test]
fn whoever_is_silent_is_named_where_it_prevents_a_cluster() {
    let silent = ["10.0.0.4:3322".to_owned(), "relay-7:3322".to_owned()].into();
    assert_eq!(
        told(&Waiting::Unreachable(2), &silent),
        "no answer from 2 discovered addresses: 10.0.0.4:3322, relay-7:3322"
    );
    let other = Waiting::NotOrdinalZero { name: "relay-1".to_owned() };
    assert_eq!(told(&other, &silent), other.to_string());
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
    let running = run(Arc::clone(&node.member), targets(&[]), node.stop.clone());
    tokio::time::timeout(WITHIN, running).await.unwrap();
    assert!(node.member.cluster().is_some());
    assert!(node.failed.borrow().is_none());
}

#[tokio::test]
async fn a_consensus_that_has_stopped_over_an_empty_log_leaves_the_node_without_a_cluster() {
    let node = node(1).await;
    node.member.raft().shutdown().await;
    let running = run(Arc::clone(&node.member), targets(&[]), node.stop.clone());
    tokio::time::timeout(WITHIN, running).await.unwrap();
    assert_eq!(node.member.cluster(), None);
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
