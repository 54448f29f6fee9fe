//! What a power cut, a bad disk and another version leave, and what is read of it.

use super::*;
use crate::cluster::raft::simulated_disk::Random;
use crate::cluster::spool::format::{
    FRAME_BYTES, SEGMENT_HEADER, encode_event, encode_mark, frame,
};
use crate::cluster::spool::segment::{offset, path_of};
use crate::cluster::spool::tests::{RECEIVED, all, keep, listed, names, open};
use crate::cluster::spool::{SPOOL_BYTES_MAX, Spool};
use crate::cluster::test_node::{event, files};
use crate::state_machine::{Command, Entry};
use crate::wire::{FORMAT_VERSION, WireError, encode_entry};
use std::collections::BTreeSet;
use tempfile::TempDir;

const HEADER_BYTES: usize = SEGMENT_HEADER.len();
/// A disk writes this much completely or not at all.
const SECTOR_BYTES: usize = 512;

/// A folder with each of these keeps made in one life.
fn kept(keeps: &[&[&str]]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path());
    for uids in keeps {
        keep(&spool, uids).unwrap();
    }
    folder
}

/// A folder with one segment of these bytes.
fn holding(bytes: &[u8]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(path_of(folder.path(), 1), bytes).unwrap();
    folder
}

fn content(folder: &TempDir) -> Vec<u8> {
    std::fs::read(path_of(folder.path(), 1)).unwrap()
}

/// Opens an unusable folder: nothing in it may change.
fn refused(folder: &TempDir) -> SpoolError {
    let before = files(folder.path());
    let error = Spool::open(folder.path(), SPOOL_BYTES_MAX).unwrap_err();
    assert_eq!(files(folder.path()), before);
    error
}

/// A segment with one record.
fn segment_of(body: &[u8]) -> Vec<u8> {
    let mut bytes = SEGMENT_HEADER.to_vec();
    frame(&mut bytes, 0, body);
    bytes
}

#[test]
fn rule_13_a_torn_tail_is_cut_wherever_it_was_torn() {
    let folder = kept(&[&["a"], &["b"]]);
    let whole = content(&folder);
    let record_bytes = FRAME_BYTES + encode_event(RECEIVED, &event("a")).len();
    assert_eq!(whole.len(), HEADER_BYTES + 2 * record_bytes);
    for length in HEADER_BYTES..whole.len() {
        let folder = holding(&whole[..length]);
        let count = (length - HEADER_BYTES) / record_bytes;
        let spool = open(folder.path());
        assert_eq!(spool.len(), offset(count), "cut at {length}");
        keep(&spool, &["c"]).unwrap();
        let expected = [&[(1, "a")][..count], &[(offset(count) + 1, "c")]].concat();
        for spool in [spool, open(folder.path())] {
            assert_eq!(all(&spool), listed(&expected), "cut at {length}");
        }
    }
}

#[test]
fn rule_13_a_power_cut_within_a_group_costs_nothing_that_was_confirmed() {
    let confirmed = content(&kept(&[&["a"]]));
    // Several records of one fsync, over several sectors.
    let group = ["b", "c", "d", "e", "f", "g"];
    let whole = content(&kept(&[&["a"], &group]));
    let everything = all(&open(kept(&[&["a"], &group]).path()));
    let mut cut_to = BTreeSet::new();
    for seed in 0..300 {
        let mut random = Random(seed);
        let mut image = whole.clone();
        let first_sector = confirmed.len() / SECTOR_BYTES;
        for sector in first_sector..whole.len().div_ceil(SECTOR_BYTES) {
            let from = (sector * SECTOR_BYTES).max(confirmed.len());
            let to = ((sector + 1) * SECTOR_BYTES).min(whole.len());
            if random.below(3) == 0 {
                image[from..to].fill(0);
            }
        }
        if random.below(2) == 0 {
            let lost = random.below(offset(whole.len() - confirmed.len()));
            image.truncate(whole.len() - usize::try_from(lost).unwrap());
        }
        let folder = holding(&image);
        let spool = open(folder.path());
        let kept = all(&spool);
        assert!(!kept.is_empty() && everything.starts_with(&kept), "{seed}: {kept:?}");
        cut_to.insert(kept.len());
    }
    assert_eq!(cut_to, (1..=everything.len()).collect());
}

#[test]
fn rule_13_a_flipped_byte_before_the_last_group_is_refused_by_name() {
    let whole = content(&kept(&[&["a"], &["b"], &["c"]]));
    let last_group = HEADER_BYTES + (whole.len() - HEADER_BYTES) / 3 * 2;
    for at in 0..last_group {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        let folder = holding(&bytes);
        let error = refused(&folder);
        let file = path_of(folder.path(), 1);
        let is_named = match &error {
            SpoolError::Damaged { path, offset: from } => *path == file && *from <= offset(at),
            // The format byte: refused as well.
            SpoolError::NewerFormat { path, found: 0x11 } => {
                *path == file && at == HEADER_BYTES - 1
            }
            SpoolError::NewerFormat { .. }
            | SpoolError::Disk { .. }
            | SpoolError::Unreadable { .. } => false,
        };
        assert!(is_named, "byte {at}: {error:?}");
    }
}

#[test]
fn rule_13_an_older_file_may_not_even_be_torn() {
    let folder = kept(&[&["a"]]);
    keep(&open(folder.path()), &["b"]).unwrap();
    let whole = content(&folder);
    for length in [0, HEADER_BYTES - 1, HEADER_BYTES + 1, whole.len() - 1] {
        std::fs::write(path_of(folder.path(), 1), &whole[..length]).unwrap();
        let error = refused(&folder);
        assert!(
            matches!(&error, SpoolError::Damaged { path, .. } if *path == path_of(folder.path(), 1)),
            "{length}: {error:?}"
        );
    }
    std::fs::write(path_of(folder.path(), 1), whole).unwrap();
    assert_eq!(all(&open(folder.path())), listed(&[(1, "a"), (2, "b")]));
}

#[test]
fn a_damaged_file_that_was_moved_away_no_longer_stops_a_start() {
    let folder = kept(&[&["a"]]);
    for uid in ["b", "c"] {
        keep(&open(folder.path()), &[uid]).unwrap();
    }
    let file = path_of(folder.path(), 2);
    std::fs::write(&file, "damaged").unwrap();
    refused(&folder);
    std::fs::rename(&file, folder.path().join("damaged")).unwrap();
    assert_eq!(all(&open(folder.path())), listed(&[(1, "a"), (3, "c")]));
    assert!(folder.path().join("damaged").exists());
}

#[test]
fn rule_13_a_newer_format_is_refused_and_left_alone() {
    let folder = kept(&[&["a", "b"]]);
    open(folder.path()).remove_through(1).unwrap();
    let segment = path_of(folder.path(), 1);
    let mark = folder.path().join(MARK_FILE);
    std::fs::write(folder.path().join("left.tmp"), "").unwrap();
    for path in [segment, mark] {
        let ours = std::fs::read(&path).unwrap();
        let mut newer = ours.clone();
        newer[HEADER_BYTES - 1] = 2;
        newer.extend(b"something else");
        std::fs::write(&path, newer).unwrap();
        let error = refused(&folder);
        assert!(
            matches!(&error, SpoolError::NewerFormat { path: at, found: 2 } if *at == path),
            "{error:?}"
        );
        std::fs::write(&path, ours).unwrap();
    }
    assert_eq!(all(&open(folder.path())), listed(&[(2, "b")]));
}

#[test]
fn rule_13_a_newer_file_keeps_a_torn_one_from_being_cut() {
    let folder = kept(&[&["a"], &["b"]]);
    let whole = content(&folder);
    let mut newer = whole.clone();
    newer[HEADER_BYTES - 1] = 2;
    std::fs::write(path_of(folder.path(), 1), newer).unwrap();
    std::fs::write(path_of(folder.path(), 3), &whole[..whole.len() - 1]).unwrap();
    assert!(matches!(refused(&folder), SpoolError::NewerFormat { .. }));
}

#[test]
fn a_record_of_a_newer_log_is_refused_and_left_alone() {
    let mut body = encode_event(RECEIVED, &event("a"));
    body[1] = FORMAT_VERSION + 1;
    let error = refused(&holding(&segment_of(&body)));
    assert!(
        matches!(
            &error,
            SpoolError::Unreadable { source: WireError::Version { .. }, offset: at, .. }
                if *at == offset(HEADER_BYTES)
        ),
        "{error:?}"
    );
}

#[test]
fn a_record_about_something_else_is_damage() {
    let entry = Entry { at: RECEIVED, commands: vec![Command::Tick] };
    let error = refused(&holding(&segment_of(&encode_entry(&entry))));
    assert!(matches!(error, SpoolError::Damaged { .. }), "{error:?}");
}

#[test]
fn a_damaged_mark_is_refused_and_without_it_all_that_is_left_is_fed_again() {
    let folder = kept(&[&["a", "b"]]);
    open(folder.path()).remove_through(1).unwrap();
    let mark = folder.path().join(MARK_FILE);
    let mut bytes = std::fs::read(&mark).unwrap();
    bytes[HEADER_BYTES + 7] ^= 2;
    std::fs::write(&mark, bytes).unwrap();
    let error = refused(&folder);
    assert!(matches!(&error, SpoolError::Damaged { path, .. } if *path == mark), "{error:?}");
    std::fs::remove_file(&mark).unwrap();
    assert_eq!(all(&open(folder.path())), listed(&[(1, "a"), (2, "b")]));
}

#[test]
fn two_files_with_one_event_are_refused() {
    let folder = kept(&[&["a", "b"]]);
    std::fs::write(path_of(folder.path(), 2), content(&folder)).unwrap();
    let error = refused(&folder);
    let second = path_of(folder.path(), 2);
    assert!(matches!(&error, SpoolError::Damaged { path, .. } if *path == second), "{error:?}");
}

#[test]
fn a_segment_without_a_number_is_refused() {
    for name in ["copy.spool", "0.spool", "-1.spool"] {
        let folder = kept(&[&["a"]]);
        std::fs::write(folder.path().join(name), content(&folder)).unwrap();
        let error = refused(&folder);
        assert!(
            matches!(&error, SpoolError::Damaged { path, .. } if path.ends_with(name)),
            "{error:?}"
        );
    }
}

#[test]
fn what_a_power_cut_left_unfinished_goes_and_strangers_stay() {
    let folder = kept(&[&["a"]]);
    for name in ["00000000000000000002.tmp", "removed.tmp", "notes.txt"] {
        std::fs::write(folder.path().join(name), "x").unwrap();
    }
    assert_eq!(all(&open(folder.path())), listed(&[(1, "a")]));
    assert_eq!(names(folder.path()), ["00000000000000000001.spool", "notes.txt"]);
}

#[test]
fn a_mark_ahead_of_all_files_still_gives_the_next_number() {
    let folder = kept(&[&["a"]]);
    std::fs::write(folder.path().join(MARK_FILE), encode_mark(7)).unwrap();
    let spool = open(folder.path());
    keep(&spool, &["b"]).unwrap();
    assert_eq!(all(&spool), listed(&[(8, "b")]));
}

#[test]
fn a_folder_that_cannot_be_one_is_an_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let opened = Spool::open(file.path(), SPOOL_BYTES_MAX);
    assert!(matches!(opened, Err(SpoolError::Disk { .. })), "{opened:?}");
}
