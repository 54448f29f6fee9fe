//! What is checked when a log is opened, and what is read from memory and what from disk.

use super::super::simulated_disk::{Operation, SimulatedDisk};
use super::*;
use crate::clock::Timestamp;
use crate::state_machine::{Command, Entry};
use openraft::EntryPayload;
use openraft::storage::RaftLogStorageExt as _;
use redb::ReadableTable as _;

fn database(disk: &SimulatedDisk) -> Database {
    Database::builder().create_with_backend(disk.clone()).unwrap()
}

fn open(disk: &SimulatedDisk) -> LogStore {
    LogStore::open(database(disk), None, || true).unwrap()
}

fn id(term: u64, index: u64) -> LogId {
    LogId { leader_id: term.into(), index }
}

fn entry(term: u64, index: u64, commands: usize) -> RaftEntry {
    let entry = Entry { at: Timestamp(index), commands: vec![Command::Tick; commands] };
    let payload = EntryPayload::Normal(super::super::types::LogEntry::from(entry));
    RaftEntry { log_id: id(term, index), payload }
}

fn indexes(entries: &[RaftEntry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.log_id.index).collect()
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_reopening() {
    let disk = SimulatedDisk::default();
    let mut log = open(&disk);
    log.save_vote(&Vote::new_committed(3, 7)).await.unwrap();
    log.blocking_append((0..5).map(|index| entry(3, index, 1))).await.unwrap();
    log.save_committed(Some(id(3, 3))).await.unwrap();
    log.truncate_after(Some(id(3, 3))).await.unwrap();
    log.purge(id(3, 1)).await.unwrap();
    log.close().await;

    let snapshot = Some(id(3, 1));
    let mut log = LogStore::open(database(&disk), snapshot, || true).unwrap();
    assert_eq!(log.read_vote().await.unwrap(), Some(Vote::new_committed(3, 7)));
    assert_eq!(log.read_committed().await.unwrap(), Some(id(3, 3)));
    let state = log.get_log_state().await.unwrap();
    assert_eq!(state.last_purged_log_id, Some(id(3, 1)));
    assert_eq!(state.last_log_id, Some(id(3, 3)));
    assert_eq!(indexes(&log.try_get_log_entries(..).await.unwrap()), [2, 3]);
}

#[tokio::test]
async fn the_last_committed_id_is_written_at_the_close_without_an_fsync_of_its_own() {
    let disk = SimulatedDisk::default();
    let mut log = open(&disk);
    log.blocking_append([entry(1, 0, 1)]).await.unwrap();
    let syncs = |disk: &SimulatedDisk| {
        let is_sync = |operation: &&Operation| matches!(operation, Operation::Sync);
        disk.operations().iter().filter(is_sync).count()
    };
    let before = syncs(&disk);
    log.save_committed(Some(id(1, 0))).await.unwrap();
    // A later vote takes the same path: earlier jobs are done when it is confirmed.
    log.save_vote(&Vote::new(1, 1)).await.unwrap();
    let of_one_write = syncs(&disk) - before;
    let before = syncs(&disk);
    log.save_vote(&Vote::new(2, 1)).await.unwrap();
    assert_eq!(syncs(&disk) - before, of_one_write);
    log.close().await;
    assert_eq!(open(&disk).read_committed().await.unwrap(), Some(id(1, 0)));
}

#[tokio::test]
async fn entries_that_left_the_memory_are_read_from_disk_without_a_hole() {
    let disk = SimulatedDisk::default();
    let mut log = open(&disk);
    // Ten entries of about 1.6 MiB: more than memory holds.
    for index in 0..10 {
        log.blocking_append([entry(1, index, 400_000)]).await.unwrap();
    }
    let slice = log.memory().tail.slice(0..10);
    assert!(!slice.on_disk.is_empty() && !slice.held.is_empty(), "{:?}", slice.on_disk);
    let all = log.try_get_log_entries(0..10).await.unwrap();
    assert_eq!(indexes(&all), (0..10).collect::<Vec<_>>());
    assert_eq!(indexes(&log.try_get_log_entries(0..2).await.unwrap()), [0, 1]);
}

#[tokio::test]
async fn rule_15_a_full_disk_is_told_from_other_failures() {
    let disk = SimulatedDisk::default();
    let mut log = open(&disk);
    disk.fail_one_sync(io::ErrorKind::StorageFull);
    log.blocking_append([entry(1, 0, 1)]).await.unwrap_err();
    let mut failed = log.failed();
    let error = failed.wait_for(Option::is_some).await.unwrap().clone().unwrap();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
}

#[tokio::test]
async fn bytes_are_counted_until_a_snapshot_holds_them() {
    let disk = SimulatedDisk::default();
    let mut log = open(&disk);
    log.blocking_append([entry(1, 0, 10)]).await.unwrap();
    let snapshotted = log.unsnapshotted_bytes();
    log.blocking_append([entry(1, 1, 10), entry(1, 2, 10)]).await.unwrap();
    let all = log.unsnapshotted_bytes();
    assert!(0 < snapshotted && snapshotted < all);
    log.close().await;
    let reopened = LogStore::open(database(&disk), Some(id(1, 0)), || true).unwrap();
    assert_eq!(reopened.unsnapshotted_bytes(), all - snapshotted);
    reopened.note_snapshot(all - snapshotted);
    assert_eq!(reopened.unsnapshotted_bytes(), 0);
}

#[tokio::test]
async fn a_purged_log_without_its_snapshot_is_refused() {
    let disk = SimulatedDisk::default();
    let mut log = open(&disk);
    log.blocking_append((0..4).map(|index| entry(1, index, 1))).await.unwrap();
    log.purge(id(1, 2)).await.unwrap();
    log.close().await;
    let opened = LogStore::open(database(&disk), None, || true).map(drop);
    assert!(matches!(opened, Err(LogFileError::Detached { purged: 2, .. })), "{opened:?}");
    LogStore::open(database(&disk), Some(id(1, 2)), || true).unwrap();
}

#[tokio::test]
async fn rule_28_a_log_that_lost_committed_entries_is_refused() {
    let disk = SimulatedDisk::default();
    let mut log = open(&disk);
    log.blocking_append((0..4).map(|index| entry(1, index, 1))).await.unwrap();
    log.save_committed(Some(id(1, 3))).await.unwrap();
    log.truncate_after(Some(id(1, 1))).await.unwrap();
    log.close().await;
    let opened = LogStore::open(database(&disk), None, || true).map(drop);
    let reverted = matches!(opened, Err(LogFileError::Reverted { committed: 3, last: 1 }));
    assert!(reverted, "{opened:?}");
}

/// Changes one byte of the record of an entry, as a failing disk does below the pages of redb.
fn damage(disk: &SimulatedDisk, index: u64) {
    let database = database(disk);
    let transaction = database.begin_write().unwrap();
    {
        let mut log = transaction.open_table(log_file::LOG).unwrap();
        let mut record = log.get(index).unwrap().unwrap().value().to_vec();
        // In the stamp of the entry: the record can still be decoded.
        let at = record.len() - 8;
        record[at] ^= 1;
        log.insert(index, record.as_slice()).unwrap();
    }
    transaction.commit().unwrap();
}

#[tokio::test]
async fn a_record_that_is_not_what_was_written_is_refused_by_its_index() {
    let disk = SimulatedDisk::default();
    let mut log = open(&disk);
    log.blocking_append((0..4).map(|index| entry(1, index, 1))).await.unwrap();
    log.close().await;
    damage(&disk, 1);
    let opened = LogStore::open(database(&disk), None, || true).map(drop);
    let error = opened.unwrap_err();
    let LogFileError::Record(error) = error else { panic!("{error:?}") };
    assert_eq!(error.to_string(), "log record 1 is damaged: its checksum does not fit");
}

#[tokio::test]
async fn records_of_the_first_feature_level_have_no_checksum_and_are_read() {
    let disk = SimulatedDisk::default();
    let mut log = LogStore::open(database(&disk), None, || false).unwrap();
    let record = encode_record(&entry(1, 0, 1));
    log.blocking_append([entry(1, 0, 1)]).await.unwrap();
    log.close().await;
    let stored = database(&disk).begin_read().unwrap();
    let stored = stored.open_table(log_file::LOG).unwrap().get(0).unwrap().unwrap();
    assert_eq!(stored.value(), record);
    drop(stored);
    // The same log continues with checksums.
    let mut log = open(&disk);
    log.blocking_append([entry(1, 1, 1)]).await.unwrap();
    assert_eq!(indexes(&log.try_get_log_entries(..).await.unwrap()), [0, 1]);
    log.close().await;
    assert_eq!(indexes(&open(&disk).try_get_log_entries(..).await.unwrap()), [0, 1]);
}
