//! Keeping, feeding and removing, with restarts and a failing disk.

use super::faulty_disk::{FaultyDisk, Mood};
use super::*;
use crate::cluster::test_node::event;
use std::error::Error as _;
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub(super) const RECEIVED: Timestamp = Timestamp(1_790_000_000_123);
/// More than any test needs.
pub(super) const FREE: u64 = 1 << 40;
const MIB: usize = 1 << 20;
/// Threads that have not come this far by then count as stuck.
const WITHIN: Duration = Duration::from_secs(10);

pub(super) fn open(folder: &Path) -> Spool {
    Spool::open(folder, SPOOL_BYTES_MAX).unwrap()
}

pub(super) fn keep(spool: &Spool, uids: &[&str]) -> Result<(), KeepError> {
    let events: Vec<RunEvent> = uids.iter().map(|uid| event(uid)).collect();
    spool.keep(RECEIVED, &events, FREE)
}

/// Ids and uids of all kept events.
pub(super) fn all(spool: &Spool) -> Vec<(u64, String)> {
    let oldest = spool.oldest(usize::MAX).unwrap();
    oldest.into_iter().map(|spooled| (spooled.id, spooled.event.uid)).collect()
}

/// `all`, in short form.
pub(super) fn listed(items: &[(u64, &str)]) -> Vec<(u64, String)> {
    items.iter().map(|(id, uid)| (*id, (*uid).to_owned())).collect()
}

/// Names of the files in a folder, in order.
pub(super) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// An event with a message of this many bytes.
fn large(uid: &str, bytes: usize) -> RunEvent {
    RunEvent { message: "m".repeat(bytes), ..event(uid) }
}

/// Bytes that one event of `event("x")`'s size takes.
fn event_bytes() -> u64 {
    segment::offset(format::FRAME_BYTES + encode_event(RECEIVED, &event("x")).len())
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    (folder, path)
}

fn on_faulty_disk(folder: &Path) -> (Spool, Arc<FaultyDisk>) {
    let disk = Arc::new(FaultyDisk::default());
    let shared = Arc::clone(&disk) as Arc<dyn Disk>;
    (Spool::open_on(shared, folder, SPOOL_BYTES_MAX).unwrap(), disk)
}

/// Waits until this many events were submitted.
fn until_queued(spool: &Spool, queued: u64) {
    let deadline = Instant::now() + WITHIN;
    while spool.kept().queued_through() < queued {
        assert!(Instant::now() < deadline, "{queued} events were not handed over");
        std::thread::yield_now();
    }
}

#[test]
fn rule_13_what_was_kept_survives_restarts_in_order() {
    let (_folder, path) = folder();
    let spool = open(&path);
    keep(&spool, &["a"]).unwrap();
    keep(&spool, &["b", "c"]).unwrap();
    drop(spool);
    let spool = open(&path);
    keep(&spool, &["d"]).unwrap();
    drop(spool);
    let spool = open(&path);
    assert_eq!(all(&spool), listed(&[(1, "a"), (2, "b"), (3, "c"), (4, "d")]));
    assert_eq!((spool.len(), spool.bytes()), (4, 4 * event_bytes()));
}

#[test]
fn rule_13_an_item_comes_back_with_all_it_was_received_with() {
    let (_folder, path) = folder();
    let event = RunEvent { ce_time: Timestamp(5), ..event("a") };
    open(&path).keep(RECEIVED, std::slice::from_ref(&event), FREE).unwrap();
    let spooled = Spooled { id: 1, received_at: RECEIVED, event };
    assert_eq!(open(&path).oldest(1).unwrap(), [spooled]);
}

#[test]
fn rule_13_a_keep_over_the_bound_keeps_nothing() {
    let (_folder, path) = folder();
    let bytes_max = 3 * event_bytes();
    let spool = Spool::open(&path, bytes_max).unwrap();
    keep(&spool, &["a"]).unwrap();
    let full = keep(&spool, &["b", "c", "d"]);
    let bytes = 4 * event_bytes();
    assert!(
        matches!(full, Err(KeepError::Full { bytes: b, bytes_max: m }) if (b, m) == (bytes, bytes_max)),
        "{full:?}"
    );
    assert_eq!(all(&spool), listed(&[(1, "a")]));
    keep(&spool, &["b", "c"]).unwrap();
    assert!(!spool.room(FREE));
    assert!(matches!(keep(&spool, &["d"]), Err(KeepError::Full { .. })));
    drop(spool);
    let spool = Spool::open(&path, bytes_max).unwrap();
    assert!(matches!(keep(&spool, &["d"]), Err(KeepError::Full { .. })));
    assert_eq!(all(&spool), listed(&[(1, "a"), (2, "b"), (3, "c")]));
}

#[test]
fn rule_13_a_quarter_of_the_free_disk_is_the_most() {
    let (_folder, path) = folder();
    let spool = open(&path);
    let keep = |uid: &str, free| spool.keep(RECEIVED, &[event(uid)], free);
    assert!(!spool.room(3));
    assert!(matches!(keep("a", 4 * event_bytes() - 1), Err(KeepError::Full { .. })));
    keep("a", 4 * event_bytes()).unwrap();
    // One event later the same disk has that much less: kept events count as free.
    let free = 3 * event_bytes();
    assert!(!spool.room(free));
    assert!(matches!(keep("b", free), Err(KeepError::Full { .. })));
    assert!(spool.room(free + 4));
    keep("b", 7 * event_bytes()).unwrap();
    assert_eq!(spool.len(), 2);
}

#[test]
fn rule_13_removed_items_do_not_return_after_a_clean_restart() {
    let (_folder, path) = folder();
    let spool = open(&path);
    keep(&spool, &["a", "b", "c"]).unwrap();
    spool.remove_through(2).unwrap();
    assert_eq!(all(&spool), listed(&[(3, "c")]));
    drop(spool);
    let spool = open(&path);
    assert_eq!(all(&spool), listed(&[(3, "c")]));
    spool.remove_through(3).unwrap();
    assert!(spool.is_empty());
    drop(spool);
    let spool = open(&path);
    assert_eq!((all(&spool), spool.bytes()), (vec![], 0));
    assert_eq!(names(&path), ["removed"]);
}

#[test]
fn rule_13_a_crash_between_commit_and_removal_feeds_again() {
    let (_folder, path) = folder();
    let spool = open(&path);
    keep(&spool, &["a", "b", "c"]).unwrap();
    spool.remove_through(1).unwrap();
    let fed = spool.oldest(2).unwrap();
    drop(spool);
    assert_eq!(open(&path).oldest(2).unwrap(), fed);
    assert_eq!(fed.iter().map(|spooled| spooled.id).collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn rule_13_a_crash_before_the_files_are_gone_feeds_nothing_again() {
    let (_folder, path) = folder();
    let spool = open(&path);
    keep(&spool, &["a"]).unwrap();
    let file = segment::path_of(&path, 1);
    let content = std::fs::read(&file).unwrap();
    spool.remove_through(1).unwrap();
    drop(spool);
    // The name of a deleted file may return after a power cut.
    std::fs::write(&file, content).unwrap();
    let spool = open(&path);
    assert!(spool.is_empty());
    assert_eq!(names(&path), ["removed"]);
    keep(&spool, &["b"]).unwrap();
    assert_eq!(all(&spool), listed(&[(2, "b")]));
}

#[test]
fn numbers_rise_across_removals_and_restarts() {
    let (_folder, path) = folder();
    for (id, uid) in [(1, "a"), (2, "b"), (3, "c")] {
        let spool = open(&path);
        keep(&spool, &[uid]).unwrap();
        assert_eq!(all(&spool), listed(&[(id, uid)]));
        spool.remove_through(id).unwrap();
    }
}

#[test]
fn what_was_never_handed_out_is_not_removed() {
    let (_folder, path) = folder();
    let spool = open(&path);
    spool.remove_through(9).unwrap();
    assert_eq!(names(&path), [""; 0]);
    keep(&spool, &["a"]).unwrap();
    spool.remove_through(u64::MAX).unwrap();
    keep(&spool, &["b", "c"]).unwrap();
    spool.remove_through(1).unwrap();
    assert_eq!(all(&spool), listed(&[(2, "b"), (3, "c")]));
}

#[test]
fn rule_13_concurrent_keeps_are_all_readable() {
    const THREADS: usize = 8;
    const KEEPS: usize = 10;
    let (_folder, path) = folder();
    let spool = open(&path);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let spool = spool.clone();
            scope.spawn(move || {
                for round in 0..KEEPS {
                    let uids = ["x", "y"].map(|half| format!("{thread}-{round}-{half}"));
                    keep(&spool, &[&uids[0], &uids[1]]).unwrap();
                }
            });
        }
    });
    for spool in [spool, open(&path)] {
        let kept = all(&spool);
        assert_eq!(kept.len(), 2 * THREADS * KEEPS);
        for thread in 0..THREADS {
            let prefix = format!("{thread}-");
            let of_thread: Vec<_> =
                kept.iter().filter(|(_, uid)| uid.starts_with(&prefix)).collect();
            for (round, pair) in of_thread.chunks(2).enumerate() {
                let uids = ["x", "y"].map(|half| format!("{thread}-{round}-{half}"));
                assert_eq!([&pair[0].1, &pair[1].1], [&uids[0], &uids[1]]);
                assert_eq!(pair[0].0 + 1, pair[1].0, "one keep stays together");
            }
        }
    }
}

#[test]
fn keeps_that_wait_share_an_fsync() {
    let (_folder, path) = folder();
    let (spool, disk) = on_faulty_disk(&path);
    disk.set(Mood::Stalls);
    std::thread::scope(|scope| {
        let spool = &spool;
        let first = scope.spawn(move || keep(spool, &["first"]));
        disk.until_stalled();
        let others = ["a", "b", "c"].map(|uid| scope.spawn(move || keep(spool, &[uid])));
        until_queued(spool, 4);
        assert_eq!((disk.syncs(), spool.len()), (1, 0));
        disk.set(Mood::Works);
        first.join().unwrap().unwrap();
        others.into_iter().for_each(|other| other.join().unwrap().unwrap());
    });
    assert_eq!(disk.syncs(), 2);
    assert_eq!((spool.len(), all(&spool)[0].1.as_str()), (4, "first"));
}

#[test]
fn rule_13_after_a_failed_fsync_nothing_is_kept_any_more() {
    let (_folder, path) = folder();
    let (spool, disk) = on_faulty_disk(&path);
    keep(&spool, &["a", "b"]).unwrap();
    disk.set(Mood::LosesAPage);
    for uid in ["lost", "later"] {
        let failed = keep(&spool, &[uid]).unwrap_err();
        let cause = failed.source().unwrap().to_string();
        assert!(matches!(failed, KeepError::Failed(_)), "{failed:?}");
        assert_eq!(cause, "the disk lost a page");
    }
    assert!(!spool.room(FREE));
    assert_eq!(all(&spool), listed(&[(1, "a"), (2, "b")]));
    spool.remove_through(1).unwrap();
    drop(spool);
    let spool = open(&path);
    keep(&spool, &["c"]).unwrap();
    assert_eq!(all(&spool), listed(&[(2, "b"), (3, "c")]));
}

#[test]
fn a_write_that_ends_early_leaves_nothing_behind() {
    for length in [0, 1, 20, usize::MAX] {
        let (_folder, path) = folder();
        let (spool, disk) = on_faulty_disk(&path);
        keep(&spool, &["a"]).unwrap();
        disk.set(Mood::IsFullAfter(length));
        let failed = keep(&spool, &["lost"]);
        assert!(
            matches!(&failed, Err(KeepError::Failed(error)) if error.kind() == io::ErrorKind::StorageFull),
            "{failed:?}"
        );
        for spool in [spool, open(&path)] {
            assert_eq!(all(&spool), listed(&[(1, "a")]), "{length} bytes");
        }
    }
}

#[test]
fn keeps_that_wait_hear_of_the_failure_before_them() {
    let (_folder, path) = folder();
    let (spool, disk) = on_faulty_disk(&path);
    disk.set(Mood::Stalls);
    std::thread::scope(|scope| {
        let spool = &spool;
        let first = scope.spawn(move || keep(spool, &["first"]));
        disk.until_stalled();
        let second = scope.spawn(move || keep(spool, &["second"]));
        until_queued(spool, 2);
        disk.set(Mood::LosesAPage);
        for kept in [first, second] {
            let kept = kept.join().unwrap();
            assert!(matches!(kept, Err(KeepError::Failed(_))), "{kept:?}");
        }
    });
    assert_eq!(disk.syncs(), 1);
    assert!(spool.is_empty());
}

#[test]
fn a_keep_that_panics_fails_those_after_it() {
    let (_folder, path) = folder();
    let (spool, disk) = on_faulty_disk(&path);
    keep(&spool, &["a"]).unwrap();
    disk.set(Mood::Panics);
    std::thread::scope(|scope| {
        assert!(scope.spawn(|| keep(&spool, &["lost"])).join().is_err());
    });
    disk.set(Mood::Works);
    assert!(matches!(keep(&spool, &["b"]), Err(KeepError::Failed(_))));
    assert_eq!(all(&spool), listed(&[(1, "a")]));
    spool.remove_through(1).unwrap();
    assert!(open(&path).is_empty());
}

#[test]
fn a_segment_that_cannot_be_begun_is_a_failure() {
    let (_folder, path) = folder();
    let spool = open(&path);
    std::fs::remove_dir(&path).unwrap();
    assert!(matches!(keep(&spool, &["a"]), Err(KeepError::Failed(_))));
    std::fs::create_dir(&path).unwrap();
    assert!(matches!(keep(&spool, &["a"]), Err(KeepError::Failed(_))));
    assert!(spool.is_empty());
}

#[test]
fn a_removal_that_fails_removes_nothing() {
    let (_folder, path) = folder();
    let spool = open(&path);
    keep(&spool, &["a"]).unwrap();
    // A folder in the place of the mark cannot be replaced.
    let mark = path.join("removed");
    std::fs::create_dir(&mark).unwrap();
    let failed = spool.remove_through(1);
    assert!(matches!(&failed, Err(SpoolError::Disk { path, .. }) if *path == mark), "{failed:?}");
    assert_eq!(all(&spool), listed(&[(1, "a")]));
    std::fs::remove_dir(&mark).unwrap();
    spool.remove_through(1).unwrap();
    assert!(spool.is_empty());
}

#[test]
fn files_are_bounded_and_go_one_by_one() {
    let (_folder, path) = folder();
    let spool = open(&path);
    for uid in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] {
        spool.keep(RECEIVED, &[large(uid, 2 * MIB)], FREE).unwrap();
    }
    let segments = ["00000000000000000001", "00000000000000000004", "00000000000000000007"];
    let files: Vec<String> = segments
        .into_iter()
        .chain(["00000000000000000010"])
        .map(|first| format!("{first}.spool"))
        .collect();
    assert_eq!(names(&path), files);
    let length = |name: &String| std::fs::metadata(path.join(name)).unwrap().len();
    assert!(files.iter().all(|name| length(name) <= 8 * 1024 * 1024));
    let headers = 4 * segment::offset(format::SEGMENT_HEADER.len());
    assert_eq!(spool.bytes(), files.iter().map(length).sum::<u64>() - headers);
    let whole = spool.bytes();
    spool.remove_through(5).unwrap();
    assert_eq!(names(&path), [&files[1..], &["removed".to_owned()]].concat());
    assert_eq!(spool.bytes(), whole / 10 * 7);
    let spool = open(&path);
    assert_eq!((spool.len(), spool.oldest(1).unwrap()[0].event.uid.as_str()), (5, "f"));
    spool.remove_through(10).unwrap();
    assert_eq!((names(&path), spool.bytes()), (vec!["removed".to_owned()], 0));
}

#[test]
fn an_event_larger_than_a_file_has_one_of_its_own() {
    let (_folder, path) = folder();
    let spool = open(&path);
    keep(&spool, &["a"]).unwrap();
    spool.keep(RECEIVED, &[large("b", 9 * MIB)], FREE).unwrap();
    keep(&spool, &["c"]).unwrap();
    assert_eq!(names(&path).len(), 3);
    let fed = |spool: &Spool| {
        let mut uids = Vec::new();
        while let Some(last) = spool.oldest(9).unwrap().pop() {
            uids.push(last.event.uid);
            spool.remove_through(last.id).unwrap();
        }
        uids
    };
    assert_eq!(fed(&open(&path)), ["a", "b", "c"]);
}

#[test]
fn what_is_read_at_once_fits_into_one_entry_of_the_log() {
    let (_folder, path) = folder();
    let spool = open(&path);
    let events = ["a", "b", "c", "d"].map(|uid| large(uid, MIB / 4));
    spool.keep(RECEIVED, &events, FREE).unwrap();
    let uids = |count_max| {
        let oldest = spool.oldest(count_max).unwrap();
        oldest.into_iter().map(|spooled| spooled.event.uid).collect::<Vec<_>>()
    };
    assert_eq!(uids(0), [""; 0]);
    assert_eq!(uids(2), ["a", "b"]);
    assert_eq!(uids(9), ["a", "b", "c"]);
    spool.remove_through(3).unwrap();
    spool.keep(RECEIVED, &[large("e", 2 * MIB)], FREE).unwrap();
    assert_eq!(uids(9), ["d"]);
    spool.remove_through(4).unwrap();
    assert_eq!(uids(9), ["e"]);
}

#[test]
fn keeping_nothing_writes_nothing() {
    let (_folder, path) = folder();
    let spool = open(&path);
    spool.keep(RECEIVED, &[], 0).unwrap();
    assert_eq!((names(&path), spool.len()), (vec![], 0));
}

#[test]
fn rule_13_a_record_that_cannot_be_read_is_set_aside_and_holds_up_no_other() {
    let (_folder, path) = folder();
    let spool = open(&path);
    keep(&spool, &["a", "b"]).unwrap();
    assert_eq!(spool.set_aside_unreadable().unwrap(), None);
    let file = names(&path).into_iter().find(|name| name.ends_with("spool")).unwrap();
    let mut bytes = std::fs::read(path.join(&file)).unwrap();
    let inside_of_a = format::SEGMENT_HEADER.len() + format::FRAME_BYTES + 20;
    bytes[inside_of_a] ^= 1;
    std::fs::write(path.join(&file), bytes).unwrap();
    assert!(matches!(spool.oldest(1), Err(SpoolError::Damaged { .. })));
    let copy = spool.set_aside_unreadable().unwrap().unwrap();
    assert!(copy.exists());
    assert_eq!(all(&spool), listed(&[(2, "b")]));
}
