//! openraft's own conformance suite over both stores, and what it does not cover: failed syncs, the
//! order of confirmations, and reads while entries move from memory to disk.

use super::super::apply::AppliedState;
use super::super::log_file::LOG;
use super::super::simulated_disk::{SimulatedDisk, Survivor, Unsynced};
use super::super::snapshot_store::SnapshotStore;
use super::*;
use futures_util::FutureExt as _;
use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use openraft::type_config::TypeConfigExt as _;
use redb::backends::InMemoryBackend;
use tempfile::TempDir;

#[path = "power_cut_test.rs"]
mod power_cut;

use power_cut::{entry, large_entry, log_id};

fn open(database: Database) -> LogStore {
    // As if a snapshot contained everything: some histories purge entries that were in none.
    LogStore::open(database, Some(log_id(u64::MAX, u64::MAX - 1)), || true).unwrap()
}

/// A callback of an append, and the result it received.
fn callback() -> (IOFlushed<TypeConfig>, oneshot::Receiver<io::Result<()>>) {
    let (sender, flushed) = TypeConfig::oneshot();
    (IOFlushed::signal(sender), flushed)
}

struct InMemory;

impl StoreBuilder<TypeConfig, LogStore, AppliedState> for InMemory {
    async fn build(&self) -> Result<((), LogStore, AppliedState), StorageError<TypeConfig>> {
        let database = Database::builder().create_with_backend(InMemoryBackend::new()).unwrap();
        let state = AppliedState::open(SnapshotStore::in_memory()).unwrap();
        Ok(((), LogStore::open(database, None, || true).unwrap(), state))
    }
}

struct OnDisk;

impl StoreBuilder<TypeConfig, LogStore, AppliedState, TempDir> for OnDisk {
    async fn build(&self) -> Result<(TempDir, LogStore, AppliedState), StorageError<TypeConfig>> {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::create(folder.path().join("log.redb")).unwrap();
        let snapshots = SnapshotStore::in_folder(folder.path().join("snapshots")).unwrap();
        let log = LogStore::open(database, None, || true).unwrap();
        Ok((folder, log, AppliedState::open(snapshots).unwrap()))
    }
}

#[tokio::test]
async fn the_stores_pass_openrafts_suite_in_memory() {
    Suite::test_all(InMemory).await.unwrap();
}

#[tokio::test]
async fn the_stores_pass_openrafts_suite_on_disk() {
    Suite::test_all(OnDisk).await.unwrap();
}

/// Submits an append without waiting for the disk.
async fn append(
    log: &mut LogStore,
    term: u64,
    range: std::ops::RangeInclusive<u64>,
) -> oneshot::Receiver<io::Result<()>> {
    let (callback, flushed) = callback();
    log.append(range.map(|index| entry(term, index)), callback).await.unwrap();
    flushed
}

fn on(disk: &SimulatedDisk) -> Database {
    Database::builder().create_with_backend(disk.clone()).unwrap()
}

async fn ids(
    log: &mut LogStore,
    range: impl RangeBounds<u64> + Clone + Debug + Send,
) -> Vec<LogId> {
    let entries = log.try_get_log_entries(range).await.unwrap();
    entries.iter().map(openraft::entry::RaftEntry::log_id).collect()
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_acknowledged() {
    let disk = SimulatedDisk::default();
    let mut log = open(on(&disk));
    append(&mut log, 1, 0..=3).await.await.unwrap().unwrap();
    log.save_vote(&Vote::new(1, 7)).await.unwrap();
    let mut failed = log.failed();
    disk.stall_syncs();
    let failing = append(&mut log, 1, 4..=4).await;
    disk.until_stalled();
    let queued = append(&mut log, 1, 5..=5).await;
    disk.fail_one_sync(io::ErrorKind::Other);
    let error = failing.await.unwrap().unwrap_err();
    assert!(error.to_string().contains("the disk lost a page"), "{error}");
    assert!(queued.await.unwrap().is_err());
    let reason = failed.wait_for(Option::is_some).await.unwrap().clone().unwrap().to_string();
    assert!(reason.contains("the disk lost a page"), "{reason}");
    // The disk works again. That must not matter: the lost page is not written again.
    log.save_vote(&Vote::new(2, 8)).await.unwrap_err();
    let (callback, flushed) = callback();
    log.append([entry(1, 6)], callback).await.unwrap_err();
    assert!(!matches!(flushed.await, Ok(Ok(()))));
    log.truncate_after(Some(log_id(1, 2))).await.unwrap_err();
    log.purge(log_id(1, 2)).await.unwrap_err();
    log.save_committed(Some(log_id(1, 3))).await.unwrap_err();
    assert_eq!(log.read_vote().await.unwrap(), Some(Vote::new(1, 7)));
    drop(log);
    let operations = disk.operations();
    let left = Survivor::default().after(&operations, operations.len(), Unsynced::Lost);
    let mut log = open(on(&SimulatedDisk::with(left)));
    assert_eq!(log.read_vote().await.unwrap(), Some(Vote::new(1, 7)));
    assert_eq!(ids(&mut log, ..=3).await, [0, 1, 2, 3].map(|index| log_id(1, index)));
}

#[tokio::test]
async fn an_append_is_readable_at_once_and_confirmed_after_its_sync() {
    let disk = SimulatedDisk::default();
    let mut log = open(on(&disk));
    disk.stall_syncs();
    let mut flushed = append(&mut log, 1, 0..=2).await;
    disk.until_stalled();
    assert_eq!(ids(&mut log, ..).await.len(), 3);
    assert!((&mut flushed).now_or_never().is_none());
    disk.go_on();
    flushed.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_truncation_behind_queued_appends_is_written_after_them() {
    let disk = SimulatedDisk::default();
    let mut log = open(on(&disk));
    disk.stall_syncs();
    let first = append(&mut log, 1, 0..=0).await;
    disk.until_stalled();
    let queued = append(&mut log, 1, 1..=9).await;
    {
        let mut truncating = log.clone();
        let mut truncated = std::pin::pin!(truncating.truncate_after(Some(log_id(1, 4))));
        assert!(truncated.as_mut().now_or_never().is_none());
        disk.go_on();
        truncated.await.unwrap();
    }
    first.await.unwrap().unwrap();
    queued.await.unwrap().unwrap();
    append(&mut log, 2, 5..=6).await.await.unwrap().unwrap();
    assert_eq!(ids(&mut log, 4..).await, [log_id(1, 4), log_id(2, 5), log_id(2, 6)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_never_sees_a_hole_while_entries_leave_the_memory() {
    const CALLS: u64 = 25;
    const PER_CALL: u64 = 10;
    /// About 64 KiB in one entry; memory holds 128 of them.
    const KEYS: usize = 4_000;
    /// A range that starts on disk and ends in memory.
    const READ: u64 = 140;
    let mut log = open(on(&SimulatedDisk::default()));
    let mut reader = log.clone();
    let reading = tokio::spawn(async move {
        let mut end = 0;
        while end < CALLS * PER_CALL {
            let first = u64::saturating_sub(end, READ);
            let found = ids(&mut reader, first..).await;
            let expected: Vec<LogId> =
                (first..).take(found.len()).map(|index| log_id(1, index)).collect();
            assert_eq!(found, expected);
            let found_end = first + found.len() as u64;
            assert!(found_end >= end, "{found_end} after {end}");
            end = found_end;
        }
    });
    for call in 0..CALLS {
        let (callback, flushed) = callback();
        let entries = (0..PER_CALL).map(|at| large_entry(1, call * PER_CALL + at, KEYS));
        log.append(entries, callback).await.unwrap();
        flushed.await.unwrap().unwrap();
    }
    reading.await.unwrap();
    let left = log.memory().tail.slice(CALLS * PER_CALL - READ..u64::MAX).on_disk;
    assert!(!left.is_empty(), "nothing left the memory");
}

#[tokio::test]
async fn ranges_beyond_the_log_are_cut_to_it() {
    let mut log = open(on(&SimulatedDisk::default()));
    assert_eq!(ids(&mut log, ..).await, []);
    append(&mut log, 1, 0..=4).await.await.unwrap().unwrap();
    log.purge(log_id(1, 1)).await.unwrap();
    assert_eq!(ids(&mut log, 0..=u64::MAX).await, [2, 3, 4].map(|index| log_id(1, index)));
    assert_eq!(ids(&mut log, 5..).await, []);
    #[expect(clippy::reversed_empty_ranges, reason = "the range under test")]
    let reversed = 4..2;
    assert_eq!(ids(&mut log, reversed).await, []);
}

#[tokio::test]
async fn a_log_with_a_hole_is_not_opened() {
    let disk = SimulatedDisk::default();
    let mut log = open(on(&disk));
    append(&mut log, 1, 0..=4).await.await.unwrap().unwrap();
    log.close().await;
    let database = on(&disk);
    let transaction = database.begin_write().unwrap();
    transaction.open_table(LOG).unwrap().remove(2).unwrap();
    transaction.commit().unwrap();
    let error = LogStore::open(database, None, || true).err().unwrap();
    assert_eq!(error.to_string(), "log entry 2 is missing, the next one is 3");
}

#[tokio::test]
async fn a_closed_log_frees_its_file_and_counts_its_bytes_when_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log.redb");
    let mut log = open(Database::create(&file).unwrap());
    append(&mut log, 1, 0..=9).await.await.unwrap().unwrap();
    let appended = log.unsnapshotted_bytes();
    log.close().await;
    assert_eq!(ids(&mut log, 5..=9).await.len(), 5);
    let (callback, _) = callback();
    log.append([entry(1, 10)], callback).await.unwrap_err();
    assert!(log.failed().borrow().is_none());
    let again = LogStore::open(Database::open(&file).unwrap(), None, || true).unwrap();
    assert_eq!(again.unsnapshotted_bytes(), appended);
}
