//! Calls over real connections on loopback.

use super::*;
use crate::cluster::data_dir::identity::ClusterId;
use crate::state_machine::{FEATURE_LEVEL, FeatureLevel, NodeId};
use axum::body::Bytes;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A condition that is not met by then counts as never met.
const WITHIN: Duration = Duration::from_secs(20);
/// A deadline that a silent peer misses.
const SHORT: Duration = Duration::from_millis(50);
const CLUSTER: ClusterId = ClusterId(7);

/// Echoes its input, and counts connections by the lives that called.
#[derive(Default)]
struct Echo {
    admission: PeerAdmission,
    calls: AtomicUsize,
    is_silent: AtomicBool,
    /// The level of its cluster; zero, which every caller has, until raised.
    level: AtomicU32,
}

impl PeerService for Echo {
    async fn answer(
        self: Arc<Self>,
        hello: Hello,
        route: PeerRoute,
        body: Bytes,
    ) -> Result<Vec<u8>, Refused> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if self.is_silent.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        let level = FeatureLevel(self.level.load(Ordering::Relaxed));
        let own = LocalNode { node: NodeId(1), cluster: Some(CLUSTER), level };
        self.admission.check(own, &hello, route, None)?;
        Ok(body.to_vec())
    }
}

struct Peer {
    service: Arc<Echo>,
    target: PeerAddress,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<()>,
}

impl Peer {
    async fn at(address: &str) -> Self {
        let listener = PeerListener::bind(address).await.unwrap();
        let address = listener.address().to_string();
        let target = PeerAddress { node: Some(NodeId(1)), address };
        let (service, stop) = (Arc::new(Echo::default()), CancellationToken::new());
        let serving =
            tokio::spawn(listener.serve(Arc::clone(&service), PeerTls::of_test(), stop.clone()));
        Self { service, target, stop, serving }
    }

    async fn start() -> Self {
        Self::at("127.0.0.1:0").await
    }

    async fn end(self) -> PeerAddress {
        self.stop.cancel();
        self.serving.await.unwrap();
        self.target
    }
}

fn caller(boot: u64) -> Peers {
    Peers::new(hello(boot), PeerTls::of_test())
}

fn hello(boot: u64) -> Hello {
    Hello::new(Some(CLUSTER), NodeId(2), boot, boot)
}

#[tokio::test]
async fn every_route_carries_a_body_there_and_back() {
    let peer = Peer::start().await;
    let peers = caller(1);
    for route in PeerRoute::ALL {
        let body = format!("{route:?}").into_bytes();
        let answer = peers.call(&peer.target, route, body.clone(), WITHIN).await.unwrap();
        assert_eq!(answer, body);
    }
}

#[tokio::test]
async fn a_body_larger_than_the_window_arrives_whole() {
    let peer = Peer::start().await;
    let length = usize::try_from(WINDOW_BYTES).unwrap() + 1;
    let body: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let answer =
        caller(1).call(&peer.target, PeerRoute::Append, body.clone(), WITHIN).await.unwrap();
    assert!(answer == body);
}

#[tokio::test]
async fn a_body_over_its_bound_is_refused_and_the_next_call_goes_through() {
    let peer = Peer::start().await;
    let peers = caller(1);
    let too_large = vec![0; BODY_BYTES_MAX + 1];
    assert!(peers.call(&peer.target, PeerRoute::Append, too_large, WITHIN).await.is_err());
    assert_eq!(peer.service.calls.load(Ordering::Relaxed), 0);
    assert!(peers.call(&peer.target, PeerRoute::Append, vec![1], WITHIN).await.is_ok());
}

#[tokio::test]
async fn a_node_that_took_over_an_address_is_not_mistaken_for_the_old_one() {
    let peer = Peer::start().await;
    let target = PeerAddress { node: Some(NodeId(9)), ..peer.target.clone() };
    let answer = caller(1).call(&target, PeerRoute::Append, vec![], WITHIN).await;
    let Err(CallError::Refused { source, .. }) = answer else { panic!("{answer:?}") };
    assert_eq!(source, Rejection::from(&Refused::WrongNode { own: NodeId(1) }));
}

#[tokio::test]
async fn rule_23_a_caller_that_is_a_copy_is_told_so_and_remembers_it() {
    let peer = Peer::start().await;
    let (newer, older) = (caller(5), caller(4));
    newer.call(&peer.target, PeerRoute::Append, vec![], WITHIN).await.unwrap();
    assert!(older.rejected_by().borrow().is_none());
    older.call(&peer.target, PeerRoute::Append, vec![], WITHIN).await.unwrap_err();
    let rejected_by = older.rejected_by().borrow().clone().unwrap();
    assert_eq!(rejected_by.kind, RefusalKind::StaleBoot);
    assert!(newer.rejected_by().borrow().is_none());
}

#[tokio::test]
async fn rule_22_a_caller_below_the_level_of_the_cluster_is_told_so_and_remembers_it() {
    let peer = Peer::start().await;
    let peers = caller(1);
    peers.call(&peer.target, PeerRoute::Append, vec![], WITHIN).await.unwrap();
    peer.service.level.store(FEATURE_LEVEL.0 + 1, Ordering::Relaxed);
    let answer = peers.call(&peer.target, PeerRoute::Append, vec![], WITHIN).await;
    let Err(CallError::Refused { source, .. }) = answer else { panic!("{answer:?}") };
    let cluster = FeatureLevel(FEATURE_LEVEL.0 + 1);
    let refused = Refused::FeatureLevel { cluster, caller: FEATURE_LEVEL };
    assert_eq!(source, Rejection::from(&refused));
    assert_eq!(*peers.rejected_by().borrow(), Some(source));
}

#[tokio::test]
async fn a_caller_without_a_common_version_complains_once_and_goes_on() {
    let peer = Peer::start().await;
    let newer = Hello { wire_version_min: 8, wire_version: 9, ..hello(1) };
    let peers = Peers::new(newer, PeerTls::of_test());
    for _ in 0..2 {
        let answer = peers.call(&peer.target, PeerRoute::NodeStatus, vec![], WITHIN).await;
        let Err(CallError::Refused { address, source }) = answer else { panic!("{answer:?}") };
        assert_eq!(source.kind, RefusalKind::WireVersion);
        let told = &source.detail;
        assert!(told.starts_with("the caller speaks 8 to 9, the callee 1 to 1: start"), "{told}");
        assert!(!peers.is_untold(&address, &source));
    }
    assert!(peers.rejected_by().borrow().is_none());
}

#[tokio::test]
async fn nobody_listening_is_known_not_to_have_worked_on_the_call() {
    let target = Peer::start().await.end().await;
    let answer = caller(1).call(&target, PeerRoute::Append, vec![], WITHIN).await;
    assert!(matches!(answer, Err(CallError::Unreachable { .. })), "{answer:?}");
}

#[tokio::test]
async fn a_peer_that_came_back_is_reached_again() {
    let peers = caller(1);
    let peer = Peer::start().await;
    peers.call(&peer.target, PeerRoute::Append, vec![1], WITHIN).await.unwrap();
    let target = peer.end().await;
    assert!(peers.call(&target, PeerRoute::Append, vec![2], WITHIN).await.is_err());
    let again = Peer::at(&target.address).await;
    let reached = async {
        while peers.call(&target, PeerRoute::Append, vec![3], WITHIN).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(WITHIN, reached).await.unwrap();
    assert!(again.service.calls.load(Ordering::Relaxed) > 0);
}

#[tokio::test]
async fn rule_30_two_missed_deadlines_close_the_connection() {
    let peer = Peer::start().await;
    let peers = caller(1);
    peers.call(&peer.target, PeerRoute::Append, vec![], WITHIN).await.unwrap();
    peer.service.is_silent.store(true, Ordering::Relaxed);
    for _ in 0..2 {
        let silent = peers.call(&peer.target, PeerRoute::Append, vec![], SHORT).await;
        assert!(matches!(silent, Err(CallError::TimedOut { .. })), "{silent:?}");
    }
    assert_eq!(peers.opened(&peer.target.address, PeerRoute::Append).await, (1, false));
    peer.service.is_silent.store(false, Ordering::Relaxed);
    peers.call(&peer.target, PeerRoute::Append, vec![], WITHIN).await.unwrap();
    assert_eq!(peers.opened(&peer.target.address, PeerRoute::Append).await, (2, true));
}

#[tokio::test]
async fn rule_30_a_peer_whose_name_leads_nowhere_is_called_where_gossip_hears_it() {
    let peer = Peer::start().await;
    let (_, port) = peer.target.address.rsplit_once(':').unwrap();
    let nameless =
        PeerAddress { address: format!("relay-1.invalid:{port}"), ..peer.target.clone() };
    let peers = caller(1);
    let call = async || peers.call(&nameless, PeerRoute::PreVote, vec![3], WITHIN).await;
    let unheard = call().await;
    assert!(matches!(unheard, Err(CallError::Unreachable { .. })), "{unheard:?}");
    peers.heard([(NodeId(1), Ipv4Addr::LOCALHOST.into())].into());
    assert_eq!(call().await.unwrap(), vec![3]);
}

#[test]
fn every_route_has_a_path_of_its_own() {
    for route in PeerRoute::ALL {
        assert_eq!(PeerRoute::from_path(route.path()), Some(route));
    }
    assert_eq!(PeerRoute::from_path("/raft/nothing"), None);
}
