//! A directory before and after: what is kept, what has ended, and what is refused.

use super::*;
use crate::cluster::test_node::{Node, accept, begin, files};
use crate::cluster::*;
use crate::state_machine::{Applied, Entry, Fate, Refusal, SLOTS};
use crate::wire::encode_state;

fn of(node: &Node) -> Recovery {
    Recovery { data_dir: node.folder.path().to_owned(), snapshot: None, is_forced: false }
}

fn from(node: &Node, snapshot: &Path) -> Recovery {
    Recovery { snapshot: Some(snapshot.to_owned()), ..of(node) }
}

/// A stopped node with a snapshot, an effect on the wire before it and events after it, and the
/// state that it had.
async fn stopped() -> (Node, StateMachine, NodeId) {
    let node = Node::new();
    let cluster = node.start().await;
    accept(&cluster, "a").await;
    begin(&cluster).await;
    cluster.snapshot().await.unwrap();
    accept(&cluster, "b").await;
    accept(&cluster, "c").await;
    let (state, id) = (cluster.read(StateMachine::clone), cluster.node_id());
    cluster.shutdown().await;
    (node, state, id)
}

/// The newest snapshot file of a node.
fn newest_snapshot(node: &Node) -> PathBuf {
    let snapshots = std::fs::read_dir(node.path("snapshots")).unwrap();
    snapshots.map(|entry| entry.unwrap().path()).max().unwrap()
}

/// The expected state once the recovered node has registered its first life.
fn expected(mut state: StateMachine, old: NodeId, started: &Cluster) -> StateMachine {
    let commands = taking_over(&state, &BTreeSet::from([old]), started.node_id());
    let answers = state.apply(Entry { at: state.now(), commands }).answers;
    assert!(answers.iter().all(|answer| *answer == Applied::Done), "{answers:?}");
    let boot = Boot { node: started.node_id(), number: 1, ended_while_planning: None };
    let at = started.read(StateMachine::now);
    state.apply(Entry { at, commands: vec![Command::Boot(boot)] });
    state
}

#[tokio::test]
async fn a_recovered_directory_has_all_of_its_log_under_new_ids() {
    let (node, state, old) = stopped().await;
    let before = std::fs::read(node.path("identity.json")).unwrap();
    let made = recover(&of(&node)).unwrap();
    assert_eq!(made.entries_from_log, 2);
    let started = node.start().await;
    assert_eq!((started.node_id(), started.cluster_id()), (made.node, Some(made.cluster)));
    assert_ne!(started.node_id(), old);
    assert!(started.read(encode_state) == encode_state(&expected(state, old, &started)));
    for uid in ["a", "b", "c"] {
        assert_eq!(accept(&started, uid).await, Fate::Duplicate);
    }
    assert_eq!(accept(&started, "d").await, Fate::Accepted);
    let aside = made.set_aside.unwrap();
    assert_eq!(std::fs::read(aside.join("identity.json")).unwrap(), before);
    assert!(aside.join("log.redb").exists() && aside.join("snapshots").exists());
}

#[tokio::test]
async fn rule_02_what_the_old_nodes_had_on_the_wire_is_in_doubt_and_they_never_return() {
    let (node, state, old) = stopped().await;
    assert_eq!(state.counters().in_doubt, 0);
    recover(&of(&node)).unwrap();
    let started = node.start().await;
    started.read(|state| {
        assert_eq!(state.counters().in_doubt, 1);
        assert!(state.is_retired(old));
        assert_eq!(state.booted().collect::<Vec<_>>(), [started.node_id()]);
        let owned = state.slots().filter(|(_, slot)| slot.owner == Some(started.node_id()));
        assert_eq!(owned.count(), usize::from(SLOTS));
    });
    let boot = Boot { node: old, number: u64::MAX, ended_while_planning: None };
    let answers = started.propose(vec![Command::Boot(boot)]).await.unwrap();
    assert_eq!(answers, [Applied::Refused(Refusal::Retired)]);
}

#[tokio::test]
async fn a_snapshot_makes_an_empty_directory_a_cluster() {
    let (node, _, old) = stopped().await;
    let elsewhere = Node::new();
    let empty =
        Recovery { data_dir: elsewhere.path("new"), ..from(&elsewhere, &newest_snapshot(&node)) };
    let made = recover(&empty).unwrap();
    assert_eq!((made.entries_from_log, made.set_aside), (0, None));
    std::fs::rename(elsewhere.path("new"), elsewhere.path("data")).unwrap();
    let options = Options {
        backend: Backend::Disk(elsewhere.path("data")),
        free_bytes_min: 0,
        ..Options::default()
    };
    let started = Cluster::start(options, elsewhere.clock.clone()).await.unwrap();
    assert_eq!(started.node_id(), made.node);
    assert!(started.read(|state| state.is_retired(old)));
    assert_eq!(accept(&started, "a").await, Fate::Duplicate);
    // After the snapshot: lost with the log.
    assert_eq!(accept(&started, "b").await, Fate::Accepted);
}

#[tokio::test]
async fn a_snapshot_that_would_lose_entries_is_refused_unless_forced() {
    let (node, _, _) = stopped().await;
    let snapshot = newest_snapshot(&node);
    let before = files(node.folder.path());
    let refused = recover(&from(&node, &snapshot)).unwrap_err();
    assert!(matches!(refused, RecoverError::WouldLose { entries: 2, .. }), "{refused}");
    let is_log = |path: &PathBuf| path.ends_with("log.redb");
    let kept = |files: std::collections::BTreeMap<PathBuf, Vec<u8>>| {
        files.into_iter().filter(|(path, _)| !is_log(path)).collect::<Vec<_>>()
    };
    assert!(kept(files(node.folder.path())) == kept(before));
    let forced = Recovery { is_forced: true, ..from(&node, &snapshot) };
    assert_eq!(recover(&forced).unwrap().entries_from_log, 0);
    let started = node.start().await;
    assert_eq!(accept(&started, "b").await, Fate::Accepted);
}

#[tokio::test]
async fn a_directory_can_be_recovered_again_and_keeps_what_it_spooled() {
    let (node, _, old) = stopped().await;
    std::fs::create_dir_all(node.path("spool")).unwrap();
    std::fs::write(node.path("spool/kept"), "events").unwrap();
    let first = recover(&of(&node)).unwrap();
    node.start().await.shutdown().await;
    let second = recover(&of(&node)).unwrap();
    assert_ne!((second.node, second.cluster), (first.node, first.cluster));
    assert!(second.last_index > first.last_index);
    assert_eq!(std::fs::read_to_string(node.path("spool/kept")).unwrap(), "events");
    let started = node.start().await;
    assert!(started.read(|state| state.is_retired(old) && state.is_retired(first.node)));
    assert_eq!(accept(&started, "c").await, Fate::Duplicate);
}

#[tokio::test]
async fn a_directory_in_use_is_refused() {
    let node = Node::new();
    let cluster = node.start().await;
    let refused = recover(&of(&node)).unwrap_err();
    let RecoverError::Directory(IdentityError::InUse { .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(accept(&cluster, "a").await, Fate::Accepted);
}

#[test]
fn nothing_is_made_of_nothing() {
    let node = Node::new();
    for data_dir in [node.folder.path().to_owned(), node.path("absent")] {
        let refused = recover(&Recovery { data_dir, ..of(&node) }).unwrap_err();
        assert!(matches!(refused, RecoverError::NoNode { .. }), "{refused:?}");
    }
    assert!(!node.path("absent").exists() && !node.path("identity.json").exists());
}

#[tokio::test]
async fn a_snapshot_that_is_damaged_or_of_a_newer_version_changes_nothing() {
    let (node, _, _) = stopped().await;
    let whole = std::fs::read(newest_snapshot(&node)).unwrap();
    let before = files(node.folder.path());
    let elsewhere = Node::new();
    let mut newer = whole.clone();
    newer[7] = b'2';
    for (bytes, told) in [
        (newer, "not a snapshot of this version"),
        (whole[..whole.len() - 1].to_vec(), "the checksum does not match"),
        (Vec::new(), "not a snapshot of this version"),
    ] {
        let file = elsewhere.path("backup");
        std::fs::write(&file, bytes).unwrap();
        let forced = Recovery { is_forced: true, ..from(&node, &file) };
        let refused = recover(&forced).unwrap_err();
        let RecoverError::Snapshot { source: OfflineError::Snapshot(cause), .. } = &refused else {
            panic!("{refused:?}");
        };
        assert_eq!(cause.to_string(), told);
    }
    assert!(files(node.folder.path()) == before);
}

#[tokio::test]
async fn a_log_that_cannot_be_read_is_given_up_only_when_told_to() {
    let (node, _, _) = stopped().await;
    let snapshot = newest_snapshot(&node);
    std::fs::write(node.path("log.redb"), "spoilt").unwrap();
    for recovery in [of(&node), from(&node, &snapshot)] {
        let refused = recover(&recovery).unwrap_err();
        let RecoverError::Unreadable { source: OfflineError::Log(_), .. } = refused else {
            panic!("{refused:?}");
        };
    }
    let made = recover(&Recovery { is_forced: true, ..from(&node, &snapshot) }).unwrap();
    let aside = made.set_aside.unwrap();
    assert_eq!(std::fs::read(aside.join("log.redb")).unwrap(), b"spoilt");
    assert_eq!(accept(&node.start().await, "a").await, Fate::Duplicate);
}

#[tokio::test]
async fn a_node_that_was_over_is_not_recovered_and_its_files_are_named() {
    let (node, _, old) = stopped().await;
    let life = DataDirectory::open(node.folder.path()).unwrap();
    life.set_aside().unwrap();
    let aside = node.path(&format!("set-aside-{old}-{}", life.identity().boot));
    drop(life);
    let refused = recover(&of(&node)).unwrap_err();
    let RecoverError::Over { set_aside, .. } = refused else { panic!("{refused:?}") };
    assert_eq!(set_aside, aside);
    assert!(aside.join("log.redb").exists() && !node.path("identity.json").exists());
    // Its snapshot is usable when named by hand.
    let snapshots = std::fs::read_dir(aside.join("snapshots")).unwrap();
    let newest = snapshots.map(|entry| entry.unwrap().path()).max().unwrap();
    recover(&from(&node, &newest)).unwrap();
    assert_eq!(accept(&node.start().await, "a").await, Fate::Duplicate);
}

#[tokio::test]
async fn a_backup_in_place_of_a_node_that_was_over_tells_where_its_files_are() {
    let (node, _, old) = stopped().await;
    let backup = Node::new();
    std::fs::copy(newest_snapshot(&node), backup.path("backup")).unwrap();
    let life = DataDirectory::open(node.folder.path()).unwrap();
    life.set_aside().unwrap();
    let aside = node.path(&format!("set-aside-{old}-{}", life.identity().boot));
    drop(life);
    assert_eq!(recover(&from(&node, &backup.path("backup"))).unwrap().set_aside, Some(aside));
}
