//! What the spool holds and what waits to be written, without touching a disk. Events are numbered
//! in the order of their submission, from 1.

use super::error::KeepError;
use super::format::FRAME_BYTES;
use super::segment::{Segment, Wanted, offset};
use super::writer::WrittenEvents;
use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Share of the free disk that the spool may take: the log and its snapshots need the rest.
const FREE_DISK_SHARE: u64 = 4;

/// The index of one spool.
#[derive(Debug)]
pub(super) struct Kept {
    /// Segments in order; segments without remaining events are removed.
    segments: VecDeque<Segment>,
    removed_through: u64,
    /// Events up to this one are on disk.
    synced_through: u64,
    /// The events after that, encoded.
    waiting: Vec<Vec<u8>>,
    /// Bytes of the waiting events and of those being written.
    waiting_bytes: u64,
    /// The last submitted event.
    queued_through: u64,
    /// Why nothing is written any more.
    failed: Option<Arc<io::Error>>,
}

impl Kept {
    /// With the events of an earlier life.
    pub(super) fn new(segments: VecDeque<Segment>, removed_through: u64) -> Self {
        let last = segments.back().map_or(0, |segment| segment.next() - 1);
        let synced_through = last.max(removed_through);
        Self {
            segments,
            removed_through,
            synced_through,
            waiting: Vec::new(),
            waiting_bytes: 0,
            queued_through: synced_through,
            failed: None,
        }
    }

    /// Bytes of the records on disk.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().map(Segment::bytes).sum()
    }

    /// Remaining events.
    pub(super) fn count(&self) -> u64 {
        self.segments.iter().map(|segment| offset(segment.count())).sum()
    }

    /// Bytes that the spool may take. Its own bytes count as free; otherwise each event would lower
    /// the bound for the next one.
    fn bound(&self, bytes_max: u64, free_bytes: u64) -> u64 {
        bytes_max.min(free_bytes.saturating_add(self.bytes()) / FREE_DISK_SHARE)
    }

    /// Whether an event may be accepted.
    pub(super) fn has_room(&self, bytes_max: u64, free_bytes: u64) -> bool {
        let taken = self.bytes() + self.waiting_bytes;
        self.failed.is_none() && taken < self.bound(bytes_max, free_bytes)
    }

    /// Accepts events, all or none, and returns the last one's id.
    pub(super) fn queue(
        &mut self,
        bodies: Vec<Vec<u8>>,
        bytes_max: u64,
        free_bytes: u64,
    ) -> Result<u64, KeepError> {
        self.check()?;
        let added: u64 = bodies.iter().map(|body| offset(FRAME_BYTES + body.len())).sum();
        let bytes = self.bytes() + self.waiting_bytes + added;
        let bytes_max = self.bound(bytes_max, free_bytes);
        if bytes > bytes_max {
            return Err(KeepError::Full { bytes, bytes_max });
        }
        self.waiting_bytes += added;
        self.queued_through += offset(bodies.len());
        self.waiting.extend(bodies);
        Ok(self.queued_through)
    }

    /// Whether event `id` is on disk; an error if it can no longer get there.
    pub(super) fn is_synced(&self, id: u64) -> Result<bool, KeepError> {
        // Checked before the failure: an earlier group may be safe nevertheless.
        if id <= self.synced_through {
            return Ok(true);
        }
        self.check().map(|()| false)
    }

    fn check(&self) -> Result<(), KeepError> {
        self.failed.as_ref().map_or(Ok(()), |error| Err(KeepError::Failed(Arc::clone(error))))
    }

    /// The last submitted event.
    #[cfg(test)]
    pub(super) fn queued_through(&self) -> u64 {
        self.queued_through
    }

    /// Takes the waiting events and returns them with the id of the first.
    pub(super) fn take_waiting(&mut self) -> (u64, Vec<Vec<u8>>) {
        (self.synced_through + 1, std::mem::take(&mut self.waiting))
    }

    /// Records that the taken events are on disk.
    pub(super) fn written(&mut self, written: WrittenEvents) {
        let WrittenEvents { begun, places } = written;
        let first = self.synced_through + 1;
        self.segments.extend(begun.map(|path| Segment::new(path, first)));
        self.synced_through += offset(places.len());
        self.waiting_bytes -= places.iter().map(|place| offset(place.length)).sum::<u64>();
        if let Some(open) = self.segments.back_mut() {
            places.into_iter().for_each(|place| open.push(place));
        }
    }

    /// Records that nothing may be written any more; the first reason stays.
    pub(super) fn fail(&mut self, error: io::Error) -> KeepError {
        let error = self.failed.get_or_insert_with(|| Arc::new(error));
        KeepError::Failed(Arc::clone(error))
    }

    /// Positions of the oldest events, in order. At most `count_max`, and together at most
    /// `bytes_max`, but at least one.
    pub(super) fn oldest(&self, count_max: usize, bytes_max: u64) -> Vec<Wanted> {
        let all = self.segments.iter().flat_map(Segment::events);
        let mut bytes = 0;
        let fits = |wanted: &Wanted| {
            let is_first = bytes == 0;
            bytes += offset(wanted.place.length);
            is_first || bytes <= bytes_max
        };
        all.take(count_max).take_while(fits).collect()
    }

    /// The last event to remove if all through `id` are removed; `None` if none of those is left.
    /// Events that are not on disk were never returned by a read.
    pub(super) fn removable(&self, id: u64) -> Option<u64> {
        let through = id.min(self.synced_through);
        (through > self.removed_through).then_some(through)
    }

    /// Removes events; returns the files without remaining events.
    pub(super) fn remove_through(&mut self, id: u64) -> Vec<PathBuf> {
        self.removed_through = id;
        let mut emptied = Vec::new();
        while let Some(segment) = self.segments.front_mut() {
            segment.remove_through(id);
            if segment.count() > 0 {
                break;
            }
            emptied.extend(self.segments.pop_front().map(|segment| segment.path));
        }
        emptied
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::spool::segment::SegmentPlace;

    const BODY: &[u8] = b"an event";
    const RECORD_BYTES: usize = FRAME_BYTES + BODY.len();
    const FREE: u64 = 1 << 40;

    fn queue(kept: &mut Kept, records_max: usize) -> Result<u64, KeepError> {
        kept.queue(vec![BODY.to_vec()], offset(RECORD_BYTES * records_max), FREE)
    }

    /// What a writer reports about one event in a new segment.
    fn one_written() -> WrittenEvents {
        let begun = Some(PathBuf::from("1.spool"));
        WrittenEvents { begun, places: vec![SegmentPlace { offset: 8, length: RECORD_BYTES }] }
    }

    #[test]
    fn rule_13_what_waits_and_what_is_being_written_counts_against_the_bound() {
        let mut kept = Kept::new(VecDeque::new(), 0);
        assert_eq!(queue(&mut kept, 2).unwrap(), 1);
        assert!(kept.has_room(offset(2 * RECORD_BYTES), FREE));
        assert_eq!(kept.take_waiting(), (1, vec![BODY.to_vec()]));
        assert_eq!(queue(&mut kept, 2).unwrap(), 2);
        assert!(matches!(queue(&mut kept, 2), Err(KeepError::Full { .. })));
        assert!(!kept.has_room(offset(2 * RECORD_BYTES), FREE));
        kept.written(one_written());
        assert_eq!((kept.count(), kept.bytes()), (1, offset(RECORD_BYTES)));
        assert!(matches!(queue(&mut kept, 2), Err(KeepError::Full { .. })));
        assert_eq!(kept.take_waiting(), (2, vec![BODY.to_vec()]));
    }

    #[test]
    fn a_later_failure_takes_nothing_back() {
        let mut kept = Kept::new(VecDeque::new(), 0);
        queue(&mut kept, 9).unwrap();
        assert!(matches!(kept.is_synced(1), Ok(false)));
        kept.written(one_written());
        queue(&mut kept, 9).unwrap();
        kept.fail(io::Error::other("first"));
        kept.fail(io::Error::other("second"));
        assert!(matches!(kept.is_synced(1), Ok(true)));
        let failed = kept.is_synced(2);
        assert!(
            matches!(&failed, Err(KeepError::Failed(error)) if error.to_string() == "first"),
            "{failed:?}"
        );
        assert_eq!(kept.oldest(9, FREE).len(), 1);
    }

    #[test]
    fn numbers_go_on_behind_what_was_removed() {
        let mut kept = Kept::new(VecDeque::new(), 7);
        assert_eq!(queue(&mut kept, 9).unwrap(), 8);
        assert_eq!(kept.removable(8), None);
        kept.written(one_written());
        assert_eq!(kept.removable(u64::MAX), Some(8));
        assert_eq!(kept.remove_through(8), [PathBuf::from("1.spool")]);
        assert_eq!((kept.count(), kept.bytes(), kept.removable(8)), (0, 0, None));
    }
}
