//! The attacks of a stranger on the peer port of a leading member. Each is a message that does harm
//! if the caller is believed: without the secret it reaches nothing, and with the secret it would.

use super::member::Member;
use super::raft::RaftStatus;
use super::test_member::{CLUSTER, Node, node};
use super::test_node::{WITHIN, event};
use super::transport::proto::{Ask, Check, Finalize, Forward, HandOver, Look, Remove};
use super::transport::{CallError, Hello, PeerAddress, PeerRoute, PeerTls, Peers};
use crate::state_machine::{Command, NodeId, Settings};
use crate::wire::{EncodedCommands, encode_state};
use prost::Message as _;

const STRANGER: NodeId = NodeId(0xbad);
/// A node of the cluster that the stranger claims to be.
const MEMBER: NodeId = NodeId(2);
/// A part of the 1 GiB allowed for a snapshot; enough to be visible in memory.
const SNAPSHOT_BYTES: usize = 64 * 1024 * 1024;

/// A member that leads alone and listens.
async fn member() -> (Node, PeerAddress) {
    let mut node = node(1).await;
    node.lead().await;
    node.listen();
    let own = &node.member.own;
    let target = PeerAddress { node: Some(own.node), address: own.peer_address.clone() };
    (node, target)
}

/// Everything that a stranger could have changed or stopped.
#[derive(Debug, PartialEq)]
struct Standing {
    leader: Option<NodeId>,
    term: u64,
    members: Vec<NodeId>,
    last_index: u64,
    state: Vec<u8>,
    /// Whether a life of the claimed member is known.
    is_known: bool,
}

impl Standing {
    fn of(member: &Member) -> Self {
        let RaftStatus { leader, term, members, last_index, .. } = member.raft().status();
        Self {
            leader,
            term,
            members: members.into_keys().collect(),
            last_index,
            state: member.raft().read(encode_state),
            is_known: member.admission.level_of(MEMBER, None).is_some(),
        }
    }
}

fn forward(commands: Vec<Command>, is_event: bool) -> Vec<u8> {
    let entry = EncodedCommands::new(commands).unstamped();
    Forward { entry, is_event, within_ms: 1_000, hops: 0 }.encode_to_vec()
}

/// Its name, the route, the body, and the claimed id and life.
type Attack = (&'static str, PeerRoute, Vec<u8>, (NodeId, u64));

/// Each attack, by its name: the route, the body, and the claimed id and life.
fn attacks() -> Vec<Attack> {
    let short = Settings { ttl_ms: 1_000, runs_max: 1, ..Settings::default() };
    let own = (STRANGER, 1);
    vec![
        ("ask who it is", PeerRoute::NodeStatus, Ask {}.encode_to_vec(), own),
        ("look at the cluster", PeerRoute::ClusterView, Look {}.encode_to_vec(), own),
        (
            "forward an event",
            PeerRoute::Forward,
            forward(vec![Command::Accept(Box::new(event("forged")))], true),
            own,
        ),
        (
            "forward settings",
            PeerRoute::Forward,
            forward(vec![Command::Settings(short)], false),
            own,
        ),
        (
            "retire the leader",
            PeerRoute::Forward,
            forward(vec![Command::Retire { node: NodeId(1) }], false),
            own,
        ),
        ("hand over", PeerRoute::HandOver, HandOver { to: 0 }.encode_to_vec(), own),
        ("remove a member", PeerRoute::Remove, Remove { node: 1 }.encode_to_vec(), own),
        ("finalize", PeerRoute::Finalize, Finalize {}.encode_to_vec(), own),
        (
            "check",
            PeerRoute::LeaderCheck,
            Check { node: 2, ..Check::default() }.encode_to_vec(),
            own,
        ),
        ("append as a leader", PeerRoute::Append, append(51), own),
        ("append what nobody knows", PeerRoute::Append, vec![0xff; 64], own),
        ("vote", PeerRoute::Vote, vec![0x0a, 0x02, 0x08, 51], own),
        ("call a member a copy", PeerRoute::NodeStatus, Ask {}.encode_to_vec(), (MEMBER, 999)),
        ("fill the memory", PeerRoute::Snapshot, vec![7; SNAPSHOT_BYTES], own),
    ]
}

/// An empty append by a leader of this term: field 1 is its vote of term, node, committed.
fn append(term: u8) -> Vec<u8> {
    let vote = [&[0x08, term, 0x11][..], &STRANGER.0.to_le_bytes(), &[0x18, 1]].concat();
    [&[0x0a, u8::try_from(vote.len()).unwrap()][..], &vote].concat()
}

/// Calls as the node and life that an attack claims.
async fn attack(
    target: &PeerAddress,
    tls: PeerTls,
    (route, body): (PeerRoute, &[u8]),
    (claimed, boot): (NodeId, u64),
) -> Result<usize, CallError> {
    let peers = Peers::new(Hello::new(Some(CLUSTER), claimed, boot, 1), tls);
    peers.call(target, route, body.to_vec(), WITHIN).await.map(|answer| answer.len())
}

#[tokio::test]
async fn s04_who_has_no_secret_reads_changes_and_ends_nothing() {
    let (node, target) = member().await;
    let before = Standing::of(&node.member);
    let strangers = || [PeerTls::new(None, false), PeerTls::under("what somebody has guessed")];
    for (name, route, body, claimed) in attacks() {
        for tls in strangers() {
            let answered = attack(&target, tls, (route, &body), claimed).await;
            let is_silent = matches!(
                answered,
                Err(CallError::Unreachable { .. }
                    | CallError::Broken { .. }
                    | CallError::TimedOut { .. })
            );
            assert!(is_silent, "{name}: {answered:?}");
        }
        assert_eq!(Standing::of(&node.member), before, "{name}");
    }
    assert!(node.failed.borrow().is_none());
    // Each is counted when its connection has ended.
    let all = 2 * u64::try_from(attacks().len()).unwrap();
    let counted = async {
        while node.member.tls.refused() < all {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(WITHIN, counted).await.unwrap();
}

#[tokio::test]
async fn s04_the_same_bytes_reach_the_member_with_the_secret() {
    let (node, target) = member().await;
    for (name, route, body, claimed) in attacks() {
        // These two would end the member, so they cannot be controls for later ones.
        if matches!(name, "append as a leader" | "append what nobody knows" | "vote") {
            continue;
        }
        let answered = attack(&target, PeerTls::of_test(), (route, &body), claimed).await;
        assert!(matches!(answered, Ok(_) | Err(CallError::Refused { .. })), "{name}: {answered:?}");
    }
    assert!(node.member.admission.level_of(MEMBER, None).is_some(), "a life is known now");
}

#[tokio::test]
async fn s04_while_peers_are_believed_a_stranger_still_makes_no_member_a_copy() {
    let mut node = node(1).await;
    node.lead().await;
    node.member.tls.become_migrating();
    node.listen();
    let own = &node.member.own;
    let target = PeerAddress { node: Some(own.node), address: own.peer_address.clone() };
    let body = Ask {}.encode_to_vec();
    let plain = || PeerTls::new(None, false);
    attack(&target, plain(), (PeerRoute::NodeStatus, &body), (MEMBER, 999)).await.unwrap();
    // The member itself is accepted in its own, lower life.
    attack(&target, PeerTls::of_test(), (PeerRoute::NodeStatus, &body), (MEMBER, 3)).await.unwrap();
}

#[tokio::test]
async fn s04_connections_that_never_prove_anything_keep_no_member_out() {
    let (_node, target) = member().await;
    let mut idle = Vec::new();
    for _ in 0..400 {
        idle.push(tokio::net::TcpStream::connect(&target.address).await.unwrap());
    }
    let body = Ask {}.encode_to_vec();
    attack(&target, PeerTls::of_test(), (PeerRoute::NodeStatus, &body), (MEMBER, 1)).await.unwrap();
}
