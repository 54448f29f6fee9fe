use super::*;
use crate::cluster::data_dir::identity::ClusterId;
use crate::cluster::gossip::NodeFacts;
use crate::cluster::membership::{AdmittedNames, Dns};
use crate::cluster::raft::MemberNode;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

const SECOND: Duration = Duration::from_secs(1);
const LEADER: NodeId = NodeId(1);
const OTHER: NodeId = NodeId(2);

fn status(matched: u64, answered_ago: Duration) -> RaftStatus {
    let member = |name: &str, matched, answered| MemberStatus {
        node: MemberNode { name: name.to_owned(), address: format!("{name}:3320") },
        is_voter: true,
        matched_index: Some(matched),
        answered_ago: Some(answered),
    };
    let members = [
        (LEADER, member("relay-0", 1_000, Duration::ZERO)),
        (OTHER, member("relay-1", matched, answered_ago)),
    ];
    RaftStatus { last_index: 1_000, members: members.into(), ..RaftStatus::default() }
}

fn peer(node: NodeId, is_live: bool) -> Peer {
    let text = |part: &str| format!("{part}-{node}");
    let facts = NodeFacts {
        name: text("relay"),
        peer_address: text("peer"),
        http_address: text("http"),
        gossip_address: text("gossip"),
        cluster: None,
        is_ready: true,
        is_draining: false,
        version: "1".to_owned(),
        wire_version: 1,
        feature_level: 1,
        config_hash: 0,
        load: 0,
        applied_index: 0,
        spooled: 0,
        wall_ms: 0,
    };
    Peer { node, boot: 1, ip: Ipv4Addr::LOCALHOST.into(), is_live, facts }
}

fn take(
    observations: &mut Observations,
    seconds: u32,
    status: &RaftStatus,
    peers: &[Peer],
) -> MembershipView {
    let mut view = MembershipView {
        cluster: ClusterId(1),
        leader: LEADER,
        voters: BTreeSet::new(),
        is_joint: false,
        members: Vec::new(),
        joiners: Vec::new(),
        retired: BTreeSet::new(),
        has_static_seeds: true,
        removal_grace: SECOND,
        feature_level: 1,
        admission: AdmittedNames::default(),
    };
    let look = Look {
        now: seconds * SECOND,
        own: LEADER,
        status,
        peers,
        drains: &|node| node == OTHER,
        spooled: &|_| SpoolReport::Now(4),
    };
    observations.take(&look, &mut view);
    view
}

fn other(view: &MembershipView) -> &ClusterMember {
    view.members.iter().find(|member| member.node == OTHER).unwrap()
}

#[test]
fn a_member_that_answers_or_gossips_is_live() {
    let mut observations = Observations::default();
    let silent = status(1_000, 60 * SECOND);
    take(&mut observations, 0, &silent, &[]);
    assert_eq!(
        other(&take(&mut observations, 9, &silent, &[peer(OTHER, true)])).liveness,
        Liveness::Live
    );
    let answering = status(1_000, ANSWERED_AGO_MAX);
    assert_eq!(other(&take(&mut observations, 20, &answering, &[])).liveness, Liveness::Live);
}

#[test]
fn a_silent_member_is_suspect_and_after_ten_seconds_dead() {
    let mut observations = Observations::default();
    let silent = status(1_000, 60 * SECOND);
    let mut at = |seconds| other(&take(&mut observations, seconds, &silent, &[])).liveness;
    assert_eq!(at(100), Liveness::Live);
    assert_eq!(at(109), Liveness::Suspect);
    assert_eq!(at(110), Liveness::Dead(10 * SECOND));
}

#[test]
fn being_caught_up_counts_from_when_it_began_and_ends_with_a_lag() {
    let mut observations = Observations::default();
    let near = status(1_000 - CAUGHT_UP_LAG_MAX, SECOND);
    let far = status(1_000 - CAUGHT_UP_LAG_MAX - 1, SECOND);
    assert_eq!(other(&take(&mut observations, 1, &near, &[])).caught_up_for, Some(Duration::ZERO));
    assert_eq!(other(&take(&mut observations, 4, &near, &[])).caught_up_for, Some(3 * SECOND));
    assert_eq!(other(&take(&mut observations, 5, &far, &[])).caught_up_for, None);
    assert_eq!(other(&take(&mut observations, 6, &near, &[])).caught_up_for, Some(Duration::ZERO));
}

#[test]
fn only_live_nodes_that_are_no_members_are_strangers() {
    let mut observations = Observations::default();
    let seen = [peer(OTHER, true), peer(NodeId(3), true), peer(NodeId(4), false)];
    take(&mut observations, 1, &status(1_000, SECOND), &seen);
    let view = take(&mut observations, 3, &status(1_000, SECOND), &seen);
    let joiners: Vec<_> = view.joiners.iter().map(|node| (node.node, node.live_for)).collect();
    assert_eq!(joiners, [(NodeId(3), 2 * SECOND)]);
}

#[test]
fn a_stranger_that_was_away_starts_anew() {
    let mut observations = Observations::default();
    let near = status(1_000, SECOND);
    take(&mut observations, 1, &near, &[peer(NodeId(3), true)]);
    take(&mut observations, 2, &near, &[peer(NodeId(3), false)]);
    let view = take(&mut observations, 3, &near, &[peer(NodeId(3), true)]);
    assert_eq!(view.joiners[0].live_for, Duration::ZERO);
}

#[test]
fn what_others_say_of_a_member_is_passed_on() {
    let view = take(&mut Observations::default(), 1, &status(1_000, SECOND), &[peer(OTHER, true)]);
    let other = other(&view);
    assert_eq!(other.announced_address.as_deref(), Some("peer-0000000000000002"));
    assert_eq!((other.is_draining, other.spooled, other.dns), (true, 4, Dns::Unknown));
}

#[test]
fn rule_13_what_a_spool_held_is_known_after_gossip_forgot_its_node_and_in_a_later_leadership() {
    let mut observations = Observations::default();
    let status = status(1_000, 60 * SECOND);
    let heard = |observations: &Observations| observations.spooled.get(&OTHER).copied();
    for (said, known) in [
        (SpoolReport::Unknown, None),
        (SpoolReport::Once(3), Some(3)),
        (SpoolReport::Now(0), Some(0)),
        (SpoolReport::Now(7), Some(7)),
        // The last report by gossip is older.
        (SpoolReport::Once(5), Some(7)),
        (SpoolReport::Unknown, Some(7)),
    ] {
        observations.hear(&status, &|_| said);
        assert_eq!(heard(&observations), known, "{said:?}");
    }
    // Silences count again from zero; the spool is remembered.
    observations.leads(Some(2));
    observations.live_since.insert(OTHER, SECOND);
    observations.leads(Some(2));
    assert_eq!((observations.live_since.len(), heard(&observations)), (1, Some(7)));
    for term in [None, Some(3)] {
        observations.leads(term);
        assert_eq!((observations.live_since.len(), heard(&observations)), (0, Some(7)));
    }
    // A node that is not a member any more is forgotten.
    let mut without = status;
    without.members.remove(&OTHER);
    observations.hear(&without, &|_| SpoolReport::Unknown);
    assert_eq!(heard(&observations), None);
}
