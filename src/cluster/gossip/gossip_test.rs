use super::*;
use crate::cluster::data_dir::identity::ClusterId;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};

/// Ten times faster than in production. Only the duration of the tests depends on it.
const QUICK: Timing = Timing {
    gossip: Duration::from_millis(50),
    initial: Duration::from_millis(100),
    seek: Duration::from_millis(100),
    greet: Duration::from_millis(100),
};
/// A condition that is not met by then counts as never met.
const DEADLINE: Duration = Duration::from_secs(30);
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const SECRET: &str = "0123456789abcdef";

fn facts(name: &str) -> NodeFacts {
    NodeFacts { name: name.to_owned(), version: "0.1.0".to_owned(), ..NodeFacts::default() }
}

fn options(node: u64, seeds: &[SocketAddr]) -> GossipOptions {
    GossipOptions {
        listen: "127.0.0.1:0".to_owned(),
        advertise: None,
        discovery: Discovery::Seeds(seeds.iter().map(ToString::to_string).collect()),
        node: NodeId(node),
        boot: 1,
        secrets: None,
        is_migrating: false,
    }
}

fn sealed(node: u64, secret: &str, seeds: &[SocketAddr]) -> GossipOptions {
    GossipOptions { secrets: Some(ClusterSecrets::parse(secret).unwrap()), ..options(node, seeds) }
}

async fn start(options: GossipOptions) -> Gossip {
    let name = format!("relay-{}", options.node.0);
    Gossip::start_at(options, facts(&name), QUICK).await.unwrap()
}

/// Waits until the view of `gossip` meets the condition.
async fn until(gossip: &Gossip, what: &str, is_wanted: impl Fn(&[Peer]) -> bool) -> Vec<Peer> {
    let mut changed = gossip.changed();
    let met = async {
        loop {
            changed.borrow_and_update();
            let peers = gossip.peers().await;
            if is_wanted(&peers) {
                return peers;
            }
            changed.changed().await.unwrap();
        }
    };
    within(what, met).await
}

async fn within<T>(what: &str, condition: impl Future<Output = T>) -> T {
    let met = tokio::time::timeout(DEADLINE, condition).await;
    met.unwrap_or_else(|_| panic!("not within {DEADLINE:?}: {what}"))
}

fn live(peers: &[Peer]) -> Vec<u64> {
    peers.iter().filter(|peer| peer.is_live).map(|peer| peer.node.0).collect()
}

#[tokio::test]
async fn two_nodes_find_each_other_by_one_seed() {
    let first = start(options(1, &[])).await;
    let second = start(options(2, &[first.address()])).await;
    let seen = until(&second, "the first is live", |peers| live(peers) == [1]).await;
    assert_eq!(
        seen,
        [Peer { node: NodeId(1), boot: 1, ip: LOOPBACK, is_live: true, facts: facts("relay-1") }]
    );
    let seen = until(&first, "the second is live", |peers| live(peers) == [2]).await;
    assert_eq!(
        seen,
        [Peer { node: NodeId(2), boot: 1, ip: LOOPBACK, is_live: true, facts: facts("relay-2") }]
    );
    first.shutdown().await;
    second.shutdown().await;
}

/// An address without a listener. `host` is a loopback address of one test alone, so no other test
/// gets the port.
fn free(host: [u8; 4]) -> SocketAddr {
    std::net::UdpSocket::bind(SocketAddr::from((host, 0))).unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn a_seed_that_starts_later_is_found() {
    let reserved = free([127, 0, 0, 3]);
    let first = start(options(2, &[reserved])).await;
    let mut answers = first.answers.clone();
    let greeted = answers.wait_for(|answers| answers.last.is_some());
    assert!(within("a greeting in vain", greeted).await.is_ok());
    let listen = reserved.to_string();
    let late = start(GossipOptions { listen, ..options(3, &[]) }).await;
    until(&first, "the late seed is live", |peers| live(peers) == [3]).await;
    until(&late, "the first is live", |peers| live(peers) == [2]).await;
}

#[tokio::test]
async fn the_name_of_a_service_leads_to_its_nodes() {
    let first = start(options(1, &[])).await;
    let port = first.address().port();
    let discovery = Discovery::Service { name: "localhost".to_owned(), port };
    let second = start(GossipOptions { discovery, ..options(2, &[]) }).await;
    until(&second, "the first is live", |peers| live(peers) == [1]).await;
}

#[tokio::test]
async fn nodes_that_share_no_seed_learn_of_each_other_through_a_third() {
    let middle = start(options(1, &[])).await;
    let left = start(options(2, &[middle.address()])).await;
    let right = start(options(3, &[middle.address()])).await;
    until(&left, "left sees both", |peers| live(peers) == [1, 3]).await;
    until(&right, "right sees both", |peers| live(peers) == [1, 2]).await;
}

#[tokio::test]
async fn a_changed_fact_arrives() {
    let first = start(options(1, &[])).await;
    let second = start(options(2, &[first.address()])).await;
    until(&second, "the first is live", |peers| live(peers) == [1]).await;
    let changed = NodeFacts {
        cluster: Some(ClusterId(9)),
        is_ready: true,
        load: 7,
        wall_ms: 8,
        ..facts("relay-1")
    };
    first.publish(changed.clone()).await;
    let is_there = |peers: &[Peer]| peers.iter().any(|peer| peer.facts == changed);
    until(&second, "the changed facts", is_there).await;
}

#[tokio::test]
async fn facts_that_cannot_be_told_leave_the_old_ones() {
    let first = start(options(1, &[])).await;
    let second = start(options(2, &[first.address()])).await;
    first.publish(NodeFacts { version: "x".repeat(70_000), load: 1, ..facts("relay-1") }).await;
    first.publish(NodeFacts { load: 2, ..facts("relay-1") }).await;
    let seen = until(&second, "load 2", |peers| peers.iter().any(|peer| peer.facts.load == 2));
    assert_eq!(seen.await[0].facts.version, "0.1.0");
}

#[tokio::test]
async fn a_stopped_node_is_no_longer_live_and_not_forgotten() {
    let first = start(options(1, &[])).await;
    let second = start(options(2, &[first.address()])).await;
    until(&second, "the first is live", |peers| live(peers) == [1]).await;
    first.shutdown().await;
    let seen = until(&second, "the first is dead", |peers| live(peers).is_empty()).await;
    assert_eq!(seen[0].node, NodeId(1));
    assert_eq!(seen[0].facts, facts("relay-1"));
}

#[tokio::test]
async fn a_restarted_node_at_another_port_replaces_its_former_life() {
    let first = start(options(1, &[])).await;
    let listen = free([127, 0, 0, 5]).to_string();
    let old = start(GossipOptions { listen, ..options(2, &[first.address()]) }).await;
    until(&first, "the second is live", |peers| live(peers) == [2]).await;
    old.shutdown().await;
    let new = start(GossipOptions { boot: 2, ..options(2, &[first.address()]) }).await;
    new.publish(NodeFacts { gossip_address: new.address().to_string(), ..facts("relay-2") }).await;
    let is_new = |peers: &[Peer]| {
        let [peer] = peers else { return false };
        peer.boot == 2 && peer.is_live && peer.facts.gossip_address == new.address().to_string()
    };
    until(&first, "the new life alone", is_new).await;
}

/// Whether `outsider` stays outside a network under `SECRET` whose nodes all greet it.
async fn stays_outside(outsider: GossipOptions) {
    let outsider = start(outsider).await;
    let seed = start(sealed(1, SECRET, &[outsider.address()])).await;
    let right = start(sealed(3, SECRET, &[seed.address(), outsider.address()])).await;
    assert!(outsider.chitchat.gossip(seed.address()).is_ok());
    let mut looks = tokio::time::interval(QUICK.gossip);
    let both_refused = async {
        while seed.refused_datagrams() == 0 || outsider.refused_datagrams() == 0 {
            looks.tick().await;
        }
    };
    within("both refuse", both_refused).await;
    until(&seed, "the right key is live", |peers| live(peers) == [3]).await;
    until(&right, "the seed is live", |peers| live(peers) == [1]).await;
    assert_eq!(seed.peers().await.len(), 1);
    assert_eq!(right.peers().await.len(), 1);
    assert_eq!(outsider.peers().await, []);
}

#[tokio::test]
async fn a_node_with_another_key_neither_sees_nor_is_seen() {
    stays_outside(sealed(2, "fedcba9876543210", &[])).await;
}

#[tokio::test]
async fn a_node_without_a_key_neither_sees_nor_is_seen() {
    stays_outside(options(2, &[])).await;
}

#[tokio::test]
async fn a_lone_node_is_told_that_its_seed_is_itself_and_nobody_else_is_there() {
    let own = free([127, 0, 0, 4]);
    let options = GossipOptions { listen: own.to_string(), ..options(1, &[own]) };
    let alone = Gossip::start_at(options, facts("relay-1"), QUICK).await.unwrap();
    let mut answers = alone.answers.clone();
    let is_alone = answers.wait_for(|answers| answers.alone_since.is_some());
    let found = within("an answer", is_alone).await.unwrap().clone();
    assert_eq!((found.others, found.knows_another), (BTreeSet::new(), false));
}

#[tokio::test]
async fn a_node_that_is_shown_another_is_not_alone_while_nobody_answers() {
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap();
    let node = start(options(1, &[silent])).await;
    let mut answers = node.answers.clone();
    let answered = answers.wait_for(|answers| answers.last.is_some());
    let found = within("an answer", answered).await.unwrap().clone();
    assert_eq!((found.others, found.alone_since), ([silent].into(), None));
}

#[tokio::test]
async fn a_seed_knows_the_node_that_greeted_it() {
    let seed = start(options(1, &[])).await;
    assert_eq!(seed.seeds_answered(), DiscoveryAnswers::default());
    let _second = start(options(2, &[seed.address()])).await;
    let mut answers = seed.answers.clone();
    let known = answers.wait_for(|answers| answers.knows_another);
    assert_eq!(within("another", known).await.unwrap().alone_since, None);
}

#[tokio::test]
async fn a_node_bound_to_every_address_is_found_at_the_one_towards_its_seeds() {
    let seed = start(options(1, &[])).await;
    let listen = "0.0.0.0:0".to_owned();
    let any = start(GossipOptions { listen, ..options(2, &[seed.address()]) }).await;
    assert_eq!(any.advertised(), SocketAddr::from(([127, 0, 0, 1], any.address().port())));
    until(&seed, "the second is live", |peers| live(peers) == [2]).await;
    until(&any, "the seed is live", |peers| live(peers) == [1]).await;
}

#[tokio::test]
async fn options_that_cannot_work_are_named() {
    let cases = [
        (GossipOptions { listen: "127.0.0.1".to_owned(), ..options(1, &[]) }, "gossip address"),
        (
            GossipOptions {
                discovery: Discovery::Seeds(vec!["relay-0".to_owned()]),
                ..options(1, &[])
            },
            "seed relay-0 is not HOST:PORT",
        ),
    ];
    for (options, expected) in cases {
        let error = Gossip::start(options, facts("relay-1")).await.err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let long = NodeFacts { name: "n".repeat(301), ..NodeFacts::default() };
    let refused = Gossip::start(options(1, &[]), long).await.err();
    assert!(matches!(refused, Some(GossipError::Facts(FactsError::TooLong("name")))));
}

#[tokio::test]
async fn a_taken_address_is_an_error() {
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let refused = Gossip::start(GossipOptions { listen, ..options(1, &[]) }, facts("a")).await;
    assert!(matches!(refused.err(), Some(GossipError::Bind { .. })));
}

#[tokio::test]
async fn an_end_that_nobody_asked_for_is_reported_and_a_shutdown_is_not() {
    let node = start(options(1, &[])).await;
    node.shutdown().await;
    assert_eq!(*node.failed().borrow(), None);
    let node = start(options(1, &[])).await;
    node.chitchat.abort();
    let mut failed = node.failed();
    assert!(within("the report", failed.wait_for(Option::is_some)).await.is_ok());
}

#[tokio::test]
async fn after_a_shutdown_the_address_is_free() {
    let listen = free([127, 0, 0, 6]).to_string();
    let node = start(GossipOptions { listen, ..options(1, &[]) }).await;
    node.shutdown().await;
    node.shutdown().await;
    assert!(std::net::UdpSocket::bind(node.address()).is_ok());
}
