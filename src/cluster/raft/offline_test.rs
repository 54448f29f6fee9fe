//! A log read without a node, and a node that continues from its end.

use super::super::node::RaftNode;
use super::*;
use crate::clock::Timestamp;

const OLD: NodeId = NodeId(1);
const HEIR: NodeId = NodeId(2);

async fn tick(node: &RaftNode, at: u64) -> u64 {
    let entry = Entry { at: Timestamp(at), commands: vec![Command::Tick] };
    node.write(entry.into()).await.unwrap().index
}

/// A node that ended in its third term, with a snapshot and `behind` entries after it.
async fn ended(folder: &Path, behind: u64) -> u64 {
    for _ in 0..2 {
        RaftNode::start_single_node(OLD, Some(folder)).await.unwrap().shutdown().await;
    }
    let node = RaftNode::start_single_node(OLD, Some(folder)).await.unwrap();
    tick(&node, 1).await;
    node.compact().await.unwrap();
    for at in 0..behind {
        tick(&node, 100 + at).await;
    }
    let last = *node.applied().borrow();
    node.shutdown().await;
    last
}

#[tokio::test]
async fn a_node_goes_on_behind_the_log_it_was_made_of_and_in_a_later_term() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let last = ended(old.path(), 5).await;
    let offline = Offline::of_folder(old.path()).unwrap();
    assert_eq!((offline.last_index(), offline.entries_in_log()), (last, 5));
    assert_eq!(offline.members(), &BTreeSet::from([OLD]));
    let term = *offline.last.leader_id;
    assert!(term >= 3, "{term}");
    offline.begin_anew(new.path(), HEIR, Vec::new()).unwrap();

    let node = RaftNode::start_single_node(HEIR, Some(new.path())).await.unwrap();
    let status = node.status();
    assert_eq!((status.leader, status.term), (Some(HEIR), term + 1));
    assert_eq!(status.voters, BTreeSet::from([HEIR]));
    assert_eq!(node.read(StateMachine::now), Timestamp(104));
    assert!(tick(&node, 200).await > last);
    node.shutdown().await;
    let again = RaftNode::start_single_node(HEIR, Some(new.path())).await.unwrap();
    assert_eq!(again.read(StateMachine::now), Timestamp(200));
    again.shutdown().await;
}

#[tokio::test]
async fn more_entries_than_are_read_at_a_time_are_all_applied() {
    let old = tempfile::tempdir().unwrap();
    let last = ended(old.path(), 2 * ENTRIES_PER_READ + 1).await;
    let offline = Offline::of_folder(old.path()).unwrap();
    assert_eq!(offline.last_index(), last);
    assert_eq!(offline.state().now(), Timestamp(100 + 2 * ENTRIES_PER_READ));
}

#[tokio::test]
async fn a_snapshot_alone_ends_where_it_was_made() {
    let old = tempfile::tempdir().unwrap();
    let last = ended(old.path(), 5).await;
    std::fs::remove_file(old.path().join(LOG_FILE)).unwrap();
    let offline = Offline::of_folder(old.path()).unwrap();
    assert_eq!((offline.last_index(), offline.entries_in_log()), (last - 5, 0));
    let snapshots = std::fs::read_dir(old.path().join(SNAPSHOT_FOLDER)).unwrap();
    let file = snapshots.map(|entry| entry.unwrap().path()).max().unwrap();
    let bytes = std::fs::read(file).unwrap();
    assert_eq!(snapshot_index(&bytes).unwrap(), last - 5);
    assert_eq!(Offline::of_snapshot(&bytes).unwrap().last_index(), last - 5);
}

#[test]
fn a_folder_without_a_log_holds_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let empty = Offline::of_folder(folder.path()).unwrap_err();
    assert!(matches!(empty, OfflineError::Empty), "{empty:?}");
    log_file::create(&folder.path().join(LOG_FILE)).unwrap();
    let unused = Offline::of_folder(folder.path()).unwrap_err();
    assert!(matches!(unused, OfflineError::Empty), "{unused:?}");
}
