//! A cluster of one over restarts: what it keeps, and on what it refuses to start.

use super::spool::{SPOOL_BYTES_MAX, Spool};
use super::test_node::{Node, WITHIN, accept, begin, event, files, unplanned};
use super::*;
use crate::clock::Timestamp;
use crate::state_machine::{Fate, NodeId, SlotId, StateMachine, run_key};
use raft::{LogFileError, OpenError, RaftNode, RestoreError, SnapshotError, SnapshotStoreError};
use redb::{ReadableDatabase as _, ReadableTable as _};
use std::path::PathBuf;

#[tokio::test]
async fn rule_23_a_restart_keeps_the_state_and_raises_the_boot_number() {
    let node = Node::new();
    let cluster = node.start().await;
    let id = cluster.node_id();
    for uid in ["a", "b", "c"] {
        assert_eq!(accept(&cluster, uid).await, Fate::Accepted);
    }
    let cluster = node.restart(cluster).await;
    let cluster = node.restart(cluster).await;
    assert_eq!((cluster.node_id(), cluster.boot()), (id, 3));
    assert_eq!(cluster.read(|state| state.boot_of(id)), Some(3));
    assert_eq!(cluster.read(StateMachine::unplanned), 3);
    assert_eq!(accept(&cluster, "b").await, Fate::Duplicate);
}

#[tokio::test]
async fn rule_13_what_a_node_of_several_had_spooled_goes_into_the_log_of_a_cluster_of_one() {
    let node = Node::new();
    let cluster = node.start().await;
    accept(&cluster, "a").await;
    cluster.shutdown().await;
    drop(cluster);
    let spool = Spool::open(&node.path("spool"), SPOOL_BYTES_MAX).unwrap();
    spool.keep(Timestamp(1), &[event("a"), event("b")], u64::MAX).unwrap();
    drop(spool);
    let cluster = node.start().await;
    let is_there = |state: &StateMachine| state.run("b").is_some();
    let mut applied = cluster.applied();
    let fed = applied.wait_for(|_| cluster.read(is_there));
    tokio::time::timeout(WITHIN, fed).await.unwrap().unwrap();
    assert_eq!(cluster.read(StateMachine::unplanned), 2);
    cluster.shutdown().await;
    // Not fed again: its file was removed after the commit, at the latest with the shutdown.
    let spool = Spool::open(&node.path("spool"), SPOOL_BYTES_MAX).unwrap();
    assert!(spool.is_empty());
}

#[tokio::test]
async fn a_directory_of_a_cluster_of_several_is_not_started_alone() {
    let node = Node::new();
    let directory = DataDirectory::open(node.folder.path()).unwrap();
    let id = directory.identity().node_id;
    drop(directory);
    let network = raft::PeerNetwork::new(None);
    let raft = RaftNode::start(id, Some(node.folder.path()), network, raft::ELECTION_MIN).await;
    let raft = raft.unwrap();
    let members = [id, NodeId(id.0 ^ 1)].map(|member| (member, raft::MemberNode::default()));
    raft.form(members.into()).await.unwrap();
    raft.shutdown().await;
    drop(raft);
    let error = node.try_start().await.err();
    assert!(matches!(error, Some(StartError::HasPeers { members: 2 })), "{error:?}");
}

#[tokio::test]
async fn rule_02_an_effect_on_the_wire_at_the_end_of_a_process_is_in_doubt() {
    let node = Node::new();
    let cluster = node.start().await;
    accept(&cluster, "a").await;
    let effect = begin(&cluster).await;
    assert_eq!(cluster.read(|state| state.counters().in_doubt), 0);
    let cluster = node.restart(cluster).await;
    assert_eq!(cluster.read(|state| state.counters().in_doubt), 1);
    let record = cluster.read(|state| state.effect(effect).cloned()).unwrap();
    assert!(record.is_in_doubt);
    assert_eq!(record.open, None);
}

/// Two snapshots with an event after each: the log reaches back to the first one.
async fn snapshot_twice(cluster: &Cluster) -> u64 {
    accept(cluster, "a").await;
    begin(cluster).await;
    cluster.snapshot().await.unwrap();
    let first = *cluster.applied().borrow();
    accept(cluster, "b").await;
    cluster.snapshot().await.unwrap();
    accept(cluster, "c").await;
    first
}

#[tokio::test]
async fn a_restart_from_a_snapshot_and_a_purged_log_gives_the_same_state() {
    let node = Node::new();
    let cluster = node.start().await;
    let first_snapshot = snapshot_twice(&cluster).await;
    assert_eq!(cluster.proposer.raft.purged(WITHIN).await, first_snapshot);
    let cluster = node.restart(cluster).await;
    let cluster = node.restart(cluster).await;
    assert_eq!(cluster.read(StateMachine::backlog), 1);
    assert_eq!(cluster.read(StateMachine::unplanned), 2);
    cluster.shutdown().await;
    let log = redb::Database::open(node.path("log.redb")).unwrap();
    let log = log.begin_read().unwrap();
    let table = redb::TableDefinition::<u64, &[u8]>::new("log");
    let first = log.open_table(table).unwrap().first().unwrap().unwrap().0.value();
    assert_eq!(first, first_snapshot + 1);
}

/// Damages the newest snapshot of a stopped node and returns its path.
fn damage_newest_snapshot(node: &Node) -> PathBuf {
    let snapshots = std::fs::read_dir(node.path("snapshots")).unwrap();
    let newest = snapshots.map(|entry| entry.unwrap().path()).max().unwrap();
    let mut bytes = std::fs::read(&newest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(&newest, bytes).unwrap();
    newest
}

#[tokio::test]
async fn a_damaged_newest_snapshot_refuses_to_start_and_touches_nothing() {
    let node = Node::new();
    let cluster = node.start().await;
    snapshot_twice(&cluster).await;
    cluster.shutdown().await;
    drop(cluster);
    node.mark_planning(run_key("a"), 1);
    let newest = damage_newest_snapshot(&node);
    let before = files(node.folder.path());
    let refused = node.try_start().await.err().unwrap();
    let StartError::Raft(OpenError::State(RestoreError::Store(error))) = &refused else {
        panic!("{refused:?}");
    };
    let SnapshotStoreError::Unusable { path, source: SnapshotError::Checksum } = error else {
        panic!("{error:?}");
    };
    assert_eq!(*path, newest);
    assert!(files(node.folder.path()) == before);
}

#[tokio::test]
async fn the_snapshot_before_a_damaged_one_and_the_log_are_enough() {
    let node = Node::new();
    let cluster = node.start().await;
    snapshot_twice(&cluster).await;
    cluster.proposer.raft.purged(WITHIN).await;
    let runs = cluster.read(StateMachine::run_counts);
    cluster.shutdown().await;
    drop(cluster);
    std::fs::remove_file(damage_newest_snapshot(&node)).unwrap();
    let cluster = node.start().await;
    assert_eq!(cluster.read(StateMachine::run_counts), runs);
    assert_eq!(accept(&cluster, "b").await, Fate::Duplicate);
    assert_eq!(accept(&cluster, "c").await, Fate::Duplicate);
}

#[tokio::test]
async fn a_purged_log_without_any_snapshot_refuses_to_start() {
    let node = Node::new();
    let cluster = node.start().await;
    snapshot_twice(&cluster).await;
    cluster.proposer.raft.purged(WITHIN).await;
    cluster.shutdown().await;
    drop(cluster);
    std::fs::remove_dir_all(node.path("snapshots")).unwrap();
    let refused = node.try_start().await.err().unwrap();
    let StartError::Raft(OpenError::Log(LogFileError::Detached { snapshot: 0, .. })) = &refused
    else {
        panic!("{refused:?}");
    };
}

#[tokio::test]
async fn a_process_that_was_killed_left_everything_it_had_acknowledged() {
    let node = Node::new();
    let cluster = node.start().await;
    snapshot_twice(&cluster).await;
    // The files of a killed process, copied while it still holds them.
    let killed = Node::new();
    for (path, content) in files(node.folder.path()) {
        // The disk of a killed process is not a copy.
        if path.ends_with("place") {
            continue;
        }
        let copy = killed.path(path.strip_prefix(node.folder.path()).unwrap().to_str().unwrap());
        std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
        std::fs::write(copy, content).unwrap();
    }
    std::fs::copy(node.path("identity.json"), killed.path("identity.json")).unwrap();
    let revived = killed.start().await;
    assert_eq!((revived.node_id(), revived.boot()), (cluster.node_id(), 2));
    assert_eq!(revived.cluster_id(), cluster.cluster_id());
    for uid in ["a", "b", "c"] {
        assert_eq!(accept(&revived, uid).await, Fate::Duplicate);
    }
    assert_eq!(revived.read(|state| state.counters().in_doubt), 1);
}

#[tokio::test]
async fn rule_23_an_old_copy_of_the_directory_is_refused() {
    let node = Node::new();
    let cluster = node.start().await;
    cluster.shutdown().await;
    drop(cluster);
    let old_identity = std::fs::read(node.path("identity.json")).unwrap();
    let cluster = node.start().await;
    let (id, later) = (cluster.node_id(), cluster.boot());
    accept(&cluster, "a").await;
    cluster.shutdown().await;
    drop(cluster);
    // Two starts later the log knows a life above the next one of the copy.
    node.start().await.shutdown().await;
    std::fs::write(node.path("identity.json"), old_identity).unwrap();
    let refused = node.try_start().await.err().unwrap();
    let StartError::StaleBoot { node: refused_id, boot } = refused else { panic!("{refused:?}") };
    assert_eq!((refused_id, boot), (id, later));
}

#[tokio::test]
async fn a_second_cluster_on_the_same_directory_is_refused() {
    let node = Node::new();
    let cluster = node.start().await;
    let refused = node.try_start().await.err().unwrap();
    let is_in_use = matches!(refused, StartError::NodeIdentity(IdentityError::InUse { .. }));
    assert!(is_in_use, "{refused:?}");
    assert_eq!(accept(&cluster, "a").await, Fate::Accepted);
}

#[tokio::test]
async fn rule_07_an_event_that_ends_two_processes_is_given_up() {
    let node = Node::new();
    let cluster = node.start().await;
    accept(&cluster, "a").await;
    let (run, _, sequence, _) = unplanned(&cluster);
    cluster.shutdown().await;
    drop(cluster);
    node.mark_planning(run, sequence);
    let cluster = node.start().await;
    assert_eq!(unplanned(&cluster), (run, SlotId::of_root("a"), sequence, 1));
    // The mark is used up: a normal restart blames no event.
    let cluster = node.restart(cluster).await;
    cluster.shutdown().await;
    drop(cluster);
    node.mark_planning(run, sequence);
    let cluster = node.start().await;
    assert_eq!(cluster.read(StateMachine::unplanned), 0);
    let causes: Vec<String> = cluster.read(|state| {
        state.dead_letters().map(|letter| letter.cause.kind.as_str().to_owned()).collect()
    });
    assert_eq!(causes, ["poison"]);
}

/// Options over a node's directory that allow only this cluster.
fn expecting(node: &Node, expected: ClusterId) -> Options {
    Options {
        backend: Backend::Disk(node.folder.path().to_owned()),
        free_bytes_min: 0,
        expected_cluster: Some(expected),
        ..Options::default()
    }
}

/// How a node finds others, with ports of its own.
fn peer_options() -> PeerOptions {
    PeerOptions {
        name: "relay-0".to_owned(),
        replicas: Some(3),
        peer_addr: "127.0.0.1:0".to_owned(),
        gossip_addr: "127.0.0.1:0".to_owned(),
        advertise_host: None,
        http_address: String::new(),
        discovery: Discovery::Seeds(Vec::new()),
        security: Security::of_test(),
        election_timeout: raft::ELECTION_MIN,
        removal_grace: WITHIN,
        admit: Vec::new(),
        degrade: QuorumLossPolicy {
            spool_after: WITHIN,
            on_quorum_loss: crate::config::OnQuorumLoss::Spool,
        },
        config_hash: 0,
    }
}

async fn refusal(node: &Node, options: Options) -> StartError {
    Cluster::start(options, node.clock.clone()).await.err().unwrap()
}

#[tokio::test]
async fn rule_24_a_directory_of_another_cluster_than_the_expected_one_is_not_started_on() {
    let node = Node::new();
    let cluster = node.start().await;
    let own = cluster.cluster_id().unwrap();
    cluster.shutdown().await;
    drop(cluster);
    let before = std::fs::read(node.path("identity.json")).unwrap();
    let other = ClusterId(own.0 ^ 1);
    for peer_options in [None, Some(peer_options())] {
        let refused = refusal(&node, Options { peer_options, ..expecting(&node, other) }).await;
        let told = format!(
            "the data directory belongs to cluster {own}, but cluster.expected_cluster_id is {other}"
        );
        assert_eq!(refused.to_string(), told);
    }
    assert_eq!(std::fs::read(node.path("identity.json")).unwrap(), before);
    let cluster = Cluster::start(expecting(&node, own), node.clock.clone()).await.unwrap();
    assert_eq!((cluster.cluster_id(), cluster.boot()), (Some(own), 2));
    cluster.shutdown().await;
}

#[tokio::test]
async fn rule_24_an_expected_cluster_forbids_forming_one_also_alone() {
    let node = Node::new();
    let expected = ClusterId(7);
    let in_memory = Options { backend: Backend::Memory, ..expecting(&node, expected) };
    for options in [expecting(&node, expected), in_memory] {
        let refused = refusal(&node, options).await;
        let told = "the data directory belongs to no cluster, but cluster.expected_cluster_id is \
                    0000000000000007: none is formed";
        assert_eq!(refused.to_string(), told);
    }
    assert!(!node.path("identity.json").exists());
}
