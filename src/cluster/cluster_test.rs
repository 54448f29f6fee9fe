//! A cluster of one: what it answers, what it refuses, and how it ends.

use super::data_dir::ballast::Ballast;
use super::test_clock::ManualClock;
use super::test_node::{Node, START_MS, WITHIN, accept, event, until};
use super::*;
use crate::clock::Timestamp;
use crate::event::RunEvent;
use crate::state_machine::{Applied, Command, Fate, Settings, StateMachine};
use raft::simulated_disk::SimulatedDisk;
use std::sync::Arc;
use std::time::Duration;

#[tokio::test]
async fn rule_08_a_known_event_is_answered_without_an_entry() {
    let node = Node::new();
    let cluster = node.start().await;
    accept(&cluster, "a").await;
    let before = *cluster.applied().borrow();
    assert_eq!(accept(&cluster, "a").await, Fate::Duplicate);
    let redelivered = RunEvent { ce_id: "other".to_owned(), ..event("a") };
    assert_eq!(cluster.accept(vec![redelivered]).await.unwrap()[0].fate, Fate::Duplicate);
    assert_eq!(*cluster.applied().borrow(), before);
}

#[tokio::test]
async fn events_of_one_call_share_an_entry_and_are_answered_in_order() {
    let node = Node::new();
    let cluster = node.start().await;
    accept(&cluster, "b").await;
    let before = *cluster.applied().borrow();
    let answers = cluster.accept(["a", "b", "c", "a"].map(event).to_vec()).await.unwrap();
    let fates: Vec<Fate> = answers.iter().map(|accepted| accepted.fate).collect();
    assert_eq!(fates, [Fate::Accepted, Fate::Duplicate, Fate::Accepted, Fate::Duplicate]);
    assert_eq!(*cluster.applied().borrow(), before + 1);
}

#[tokio::test]
async fn s19_a_batch_larger_than_an_entry_of_the_log_is_taken_in_several() {
    let node = Node::new();
    let cluster = node.start().await;
    let before = *cluster.applied().borrow();
    let uids: Vec<String> = (0..40).map(|number| format!("run-{number}")).collect();
    let message = "x".repeat(ENTRY_BYTES_MAX / 20);
    let large = |uid: &String| RunEvent { message: message.clone(), ..event(uid) };
    let answers = cluster.accept(uids.iter().map(large).collect()).await.unwrap();
    assert_eq!(answers.len(), uids.len());
    assert!(answers.iter().all(|accepted| accepted.fate == Fate::Accepted));
    assert!(uids.iter().all(|uid| cluster.read(|state| state.run(uid).is_some())));
    let entries = *cluster.applied().borrow() - before;
    assert!((2..=4).contains(&entries), "{entries}");
}

#[tokio::test]
async fn concurrent_calls_share_entries() {
    let node = Node::new();
    let cluster = node.start().await;
    let before = *cluster.applied().borrow();
    let uids: Vec<String> = (0..64).map(|number| format!("run-{number}")).collect();
    let accepts = uids.iter().map(|uid| accept(&cluster, uid));
    let fates = futures_util::future::join_all(accepts).await;
    assert_eq!(fates, [Fate::Accepted; 64]);
    assert_eq!(cluster.read(StateMachine::unplanned), 64);
    let entries = *cluster.applied().borrow() - before;
    assert!(entries <= 4, "{entries} entries for 64 events");
}

/// A cluster over a disk that the test controls.
async fn over(disk: &SimulatedDisk, ballast: Option<Ballast>, options: &Options) -> Cluster {
    let database = redb::Database::builder().create_with_backend(disk.clone()).unwrap();
    Cluster::over_database(database, ballast, options, Arc::new(ManualClock::default())).await
}

#[tokio::test]
async fn rule_12_a_known_leader_acknowledges_nothing_that_is_not_on_disk() {
    let disk = SimulatedDisk::default();
    let options = Options { accept_timeout: Duration::from_millis(50), ..Options::default() };
    let cluster = over(&disk, None, &options).await;
    disk.stall_syncs();
    let answer = cluster.accept(vec![event("a")]).await;
    assert!(matches!(answer, Err(AcceptError::Unanswered { .. })), "{answer:?}");
    assert_eq!(cluster.leader(), Some(cluster.node_id()));
    disk.go_on();
    let mut applied = cluster.applied();
    let is_applied = |_: &u64| cluster.read(|state| state.run("a").is_some());
    tokio::time::timeout(WITHIN, applied.wait_for(is_applied)).await.unwrap().unwrap();
}

#[tokio::test]
async fn rule_15_a_failed_disk_is_told_and_nothing_is_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let disk = SimulatedDisk::default();
    let ballast = Some(Ballast::load(folder.path(), 0));
    let cluster = over(&disk, ballast, &Options::default()).await;
    assert_eq!(accept(&cluster, "a").await, Fate::Accepted);
    assert!(cluster.failed().borrow().is_none());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

    disk.fail_one_sync(std::io::ErrorKind::StorageFull);
    assert_eq!(cluster.accept(vec![event("b")]).await, Err(AcceptError::Stopped));
    let mut failed = cluster.failed();
    let failed = tokio::time::timeout(WITHIN, failed.wait_for(Option::is_some)).await.unwrap();
    let reason = failed.unwrap().clone().unwrap();
    let FatalError::Log(reason) = reason else { panic!("{reason:?}") };
    assert!(reason.to_string().contains("the disk lost a page"), "{reason}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "ballast was kept");
    assert_eq!(cluster.accept(vec![event("c")]).await, Err(AcceptError::Stopped));
    cluster.shutdown().await;
}

#[tokio::test]
async fn a_shutdown_that_was_asked_for_is_no_failure() {
    let node = Node::new();
    let cluster = node.start().await;
    let failed = cluster.failed();
    cluster.shutdown().await;
    assert!(failed.borrow().is_none());
}

#[tokio::test]
async fn a_cluster_in_memory_is_a_cluster_of_one_like_any_other() {
    let cluster =
        Cluster::start(Options::default(), Arc::new(ManualClock::default())).await.unwrap();
    assert_eq!(accept(&cluster, "a").await, Fate::Accepted);
    cluster.snapshot().await.unwrap();
    let view = cluster.view().await;
    assert_eq!(view.leader, Some(cluster.node_id()));
    let voters: Vec<_> = view.members.iter().map(|member| (member.node, member.is_voter)).collect();
    assert_eq!(voters, [(cluster.node_id(), true)]);
    assert_eq!((view.slots_unowned, view.quorum(), view.fault_tolerance()), (0, 1, 0));
    cluster.shutdown().await;
}

#[tokio::test]
async fn rule_20_settings_are_proposed_when_they_differ() {
    let node = Node::new();
    let cluster = node.start().await;
    cluster.shutdown().await;
    drop(cluster);
    let settings = Settings { runs_max: 7, ..Settings::default() };
    let node = Node { settings: settings.clone(), ..node };
    let cluster = node.start().await;
    assert_eq!(cluster.read(|state| state.settings().clone()), settings);
}

#[tokio::test]
async fn a_stopped_cluster_accepts_nothing() {
    let node = Node::new();
    let cluster = node.start().await;
    cluster.shutdown().await;
    let refused = cluster.accept(vec![event("a")]).await.unwrap_err();
    assert!(matches!(refused, AcceptError::Stopped), "{refused:?}");
    let refused = cluster.propose(vec![Command::Tick]).await.unwrap_err();
    assert!(matches!(refused, AcceptError::Stopped), "{refused:?}");
}

#[tokio::test]
async fn rule_15_a_low_disk_refuses_events_and_lets_records_through() {
    let node = Node { free_bytes_min: u64::MAX, ..Node::new() };
    let cluster = node.start().await;
    let refused = cluster.accept(vec![event("a")]).await.unwrap_err();
    assert!(matches!(refused, AcceptError::DiskLow), "{refused:?}");
    assert!(cluster.is_disk_low());
    let answers = cluster.propose(vec![Command::Tick]).await.unwrap();
    assert_eq!(answers, [Applied::Done]);
}

#[tokio::test]
async fn rule_19_a_tick_carries_time_to_a_summary_that_nothing_else_would_reach() {
    let settings = Settings { accumulates: true, straggler_window_ms: 50, ..Settings::default() };
    let node = Node { settings, ..Node::new() };
    let cluster = node.start().await;
    let child = crate::event::ChildRef {
        name: "missing".to_owned(),
        pipeline_task: "missing".to_owned(),
        ..crate::event::ChildRef::default()
    };
    let ended = RunEvent { children: vec![child], ..event("a") };
    cluster.accept(vec![ended]).await.unwrap();
    let due_at = cluster.read(StateMachine::next_summary).unwrap();
    assert_eq!(due_at, Timestamp(START_MS + 50));
    assert_eq!(cluster.read(StateMachine::unplanned), 1);
    node.clock.advance(Duration::from_millis(200));
    until(&cluster, |state| state.unplanned() == 2).await;
    assert!(cluster.read(StateMachine::now) >= due_at);
}
