//! The newest part of the log, in memory: what apply and replication read next, and everything that
//! the writer has not put on disk yet. Pure bookkeeping; the disk belongs to the writer.

use super::types::{LogId, RaftEntry, Vote};
use openraft::entry::RaftEntry as _;
use std::collections::BTreeMap;
use std::ops::Range;

/// Encoded bytes of entries on disk that also stay in memory. One full entry is at most 1 MiB, so
/// several always fit; decoded they take a small multiple.
const HELD_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The log as its reader sees it: ahead of the disk by what the writer holds.
#[derive(Default)]
pub(super) struct LogTail {
    held: BTreeMap<u64, Held>,
    held_bytes: usize,
    last: Option<LogId>,
    purged: Option<LogId>,
}

/// What is known without reading.
pub(super) struct LogMemory {
    pub tail: LogTail,
    /// Number of the last write handed to the writer.
    pub writes: u64,
    pub vote: Option<Vote>,
    pub committed: Option<LogId>,
    /// Encoded bytes of the entries that no snapshot contains.
    pub unsnapshotted_bytes: u64,
}

struct Held {
    entry: RaftEntry,
    bytes: usize,
    /// Number of the write with the entry. Not its index: after a truncation an index can be
    /// written again while the earlier write is still in progress.
    write: u64,
}

/// The result of a read: the part on disk, then the part in memory.
pub(super) struct Slice {
    pub on_disk: Range<u64>,
    pub held: Vec<RaftEntry>,
}

impl LogTail {
    /// A log that is completely on disk.
    pub(super) fn new(last: Option<LogId>, purged: Option<LogId>) -> Self {
        Self { last: last.max(purged), purged, ..Self::default() }
    }

    pub(super) fn last(&self) -> Option<LogId> {
        self.last
    }

    pub(super) fn purged(&self) -> Option<LogId> {
        self.purged
    }

    /// Adds an entry of `bytes` that write number `write` will put on disk.
    pub(super) fn append(&mut self, entry: RaftEntry, bytes: usize, write: u64) {
        self.last = Some(entry.log_id());
        self.held_bytes += bytes;
        let replaced = self.held.insert(entry.index(), Held { entry, bytes, write });
        self.held_bytes -= replaced.map_or(0, |held| held.bytes);
    }

    /// Everything up to write number `write` is on disk: old entries may leave the memory.
    pub(super) fn flushed(&mut self, write: u64) {
        while self.held_bytes > HELD_BYTES_MAX {
            let Some(oldest) = self.held.first_entry() else { return };
            if oldest.get().write > write {
                return;
            }
            self.held_bytes -= oldest.remove().bytes;
        }
    }

    /// Removes all entries after `last`.
    pub(super) fn truncate_after(&mut self, last: Option<LogId>) {
        if self.last <= last {
            return;
        }
        let removed = self.held.split_off(&next(last));
        self.held_bytes -= removed.values().map(|held| held.bytes).sum::<usize>();
        self.last = last.max(self.purged);
    }

    /// Removes all entries up to and including `upto`.
    pub(super) fn purge(&mut self, upto: LogId) {
        let kept = self.held.split_off(&(upto.index + 1));
        let removed = std::mem::replace(&mut self.held, kept);
        self.held_bytes -= removed.values().map(|held| held.bytes).sum::<usize>();
        self.purged = self.purged.max(Some(upto));
        self.last = self.last.max(self.purged);
    }

    /// The entries of `range` that the log has, split by where they are.
    pub(super) fn slice(&self, range: Range<u64>) -> Slice {
        let first = range.start.max(next(self.purged));
        let end = range.end.min(next(self.last));
        if first >= end {
            return Slice { on_disk: 0..0, held: Vec::new() };
        }
        let held_from = self.held.first_key_value().map_or(end, |(index, _)| *index).min(end);
        let held = self.held.range(first..end).map(|(_, held)| held.entry.clone()).collect();
        Slice { on_disk: first..held_from.max(first), held }
    }
}

/// The index after `id`; 0 if there is none.
fn next(id: Option<LogId>) -> u64 {
    id.map_or(0, |id| id.index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use openraft::EntryPayload;

    const LARGE: usize = HELD_BYTES_MAX / 2;

    fn id(term: u64, index: u64) -> LogId {
        LogId { leader_id: term.into(), index }
    }

    fn tail(entries: &[(u64, u64, usize, u64)]) -> LogTail {
        let mut tail = LogTail::default();
        for (term, index, bytes, write) in entries {
            let log_id = id(*term, *index);
            tail.append(RaftEntry { log_id, payload: EntryPayload::Blank }, *bytes, *write);
        }
        tail
    }

    fn indexes(slice: &Slice) -> Vec<u64> {
        slice.held.iter().map(|entry| entry.log_id.index).collect()
    }

    #[test]
    fn entries_that_are_not_on_disk_never_leave_the_memory() {
        let mut tail = tail(&[(1, 0, LARGE, 1), (1, 1, LARGE, 2), (1, 2, LARGE, 3)]);
        tail.flushed(0);
        assert_eq!(tail.slice(0..9).on_disk, 0..0);
        assert_eq!(indexes(&tail.slice(0..9)), [0, 1, 2]);
        tail.flushed(3);
        assert_eq!(tail.slice(0..9).on_disk, 0..1);
        assert_eq!(indexes(&tail.slice(0..9)), [1, 2]);
    }

    #[test]
    fn an_index_written_again_waits_for_its_own_write() {
        let mut tail = tail(&[(1, 0, LARGE, 1), (1, 1, LARGE, 1), (1, 2, LARGE, 1)]);
        tail.truncate_after(None);
        for index in 0..3 {
            let log_id = id(2, index);
            tail.append(RaftEntry { log_id, payload: EntryPayload::Blank }, LARGE, 2);
        }
        tail.flushed(1);
        assert_eq!(indexes(&tail.slice(0..9)), [0, 1, 2]);
    }

    #[test]
    fn a_slice_stays_within_what_the_log_has() {
        let mut log = tail(&[]);
        log.purge(id(1, 4));
        for index in 5..8 {
            let log_id = id(1, index);
            log.append(RaftEntry { log_id, payload: EntryPayload::Blank }, 1, 1);
        }
        assert_eq!(indexes(&log.slice(0..u64::MAX)), [5, 6, 7]);
        assert_eq!(log.slice(0..u64::MAX).on_disk, 5..5);
        assert_eq!(indexes(&log.slice(6..7)), [6]);
        assert_eq!(indexes(&log.slice(8..20)), [0_u64; 0]);
    }

    #[test]
    fn a_log_that_was_opened_is_read_from_disk() {
        let opened = LogTail::new(Some(id(1, 9)), Some(id(1, 3)));
        assert_eq!(opened.slice(0..100).on_disk, 4..10);
        assert_eq!(opened.slice(6..8).on_disk, 6..8);
    }

    #[test]
    fn truncating_after_the_end_changes_nothing() {
        let mut tail = tail(&[(1, 0, 1, 1), (1, 1, 1, 1)]);
        tail.truncate_after(Some(id(1, 5)));
        assert_eq!(tail.last(), Some(id(1, 1)));
        tail.truncate_after(Some(id(1, 0)));
        assert_eq!((tail.last(), tail.held_bytes), (Some(id(1, 0)), 1));
    }

    #[test]
    fn purging_beyond_the_end_moves_the_end() {
        let mut tail = tail(&[(1, 0, 1, 1)]);
        tail.purge(id(1, 20));
        assert_eq!((tail.last(), tail.purged()), (Some(id(1, 20)), Some(id(1, 20))));
        assert_eq!(tail.held_bytes, 0);
    }
}
