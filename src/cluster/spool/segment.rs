//! One file of the spool: its events, their positions, and how to read them.

use super::Spooled;
use super::error::SpoolError;
use super::format::{self, SEGMENT_HEADER, decode_event};
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// Extension of segments; the name before it is the id of the first event, in 20 digits.
pub(super) const EXTENSION: &str = "spool";

/// The position of a record in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentPlace {
    pub(super) offset: u64,
    /// Bytes of the record.
    pub(super) length: usize,
}

/// An event to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) path: PathBuf,
    pub(super) id: u64,
    pub(super) place: SegmentPlace,
}

/// A segment without its removed events.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    /// The event of the first place.
    first: u64,
    places: VecDeque<SegmentPlace>,
    /// Bytes of its records. Removed ones count as long as the file exists.
    bytes: u64,
}

/// The result of reading a segment.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) segment: Segment,
    /// Start of a torn tail.
    pub(super) torn_at: Option<u64>,
}

/// The file of the segment that starts with event `first`.
pub(super) fn path_of(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:020}.{EXTENSION}"))
}

/// A length in memory or in a file, as a position in it.
pub(super) fn offset(length: usize) -> u64 {
    // No supported machine has more than 64 bits.
    u64::try_from(length).unwrap_or(u64::MAX)
}

impl Segment {
    /// A segment whose first event will be `first`.
    pub(super) fn new(path: PathBuf, first: u64) -> Self {
        Self { path, first, places: VecDeque::new(), bytes: 0 }
    }

    /// Reads a segment of an earlier life without changing it. Only the newest one may have a torn
    /// tail: all others were on disk before the next one began.
    pub(super) fn read(path: PathBuf, first: u64, is_newest: bool) -> Result<Found, SpoolError> {
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(source) => return Err(SpoolError::Disk { path, source }),
        };
        format::check_segment(&path, &bytes)?;
        let mut segment = Self::new(path, first);
        let mut at = SEGMENT_HEADER.len();
        while at < bytes.len() {
            let rest = &bytes[at..];
            let Some(record) = format::record(rest) else {
                if !is_newest || format::shows_synced(rest, segment.next()) {
                    return Err(damaged(&segment.path, offset(at)));
                }
                return Ok(Found { segment, torn_at: Some(offset(at)) });
            };
            let length = format::FRAME_BYTES + record.body.len();
            let place = SegmentPlace { offset: offset(at), length };
            decode(&segment.path, place.offset, record.body, segment.next())?;
            segment.push(place);
            at += length;
        }
        Ok(Found { segment, torn_at: None })
    }

    /// The event after the last one.
    pub(super) fn next(&self) -> u64 {
        self.first + offset(self.places.len())
    }

    pub(super) fn push(&mut self, place: SegmentPlace) {
        self.bytes += offset(place.length);
        self.places.push_back(place);
    }

    /// Remaining events.
    pub(super) fn count(&self) -> usize {
        self.places.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The remaining events, in order.
    pub(super) fn events(&self) -> impl Iterator<Item = Wanted> {
        let path = &self.path;
        (self.first..).zip(&self.places).map(|(id, place)| Wanted {
            path: path.clone(),
            id,
            place: *place,
        })
    }

    /// Removes the events up to and including `id`.
    pub(super) fn remove_through(&mut self, id: u64) {
        while self.first <= id && self.places.pop_front().is_some() {
            self.first += 1;
        }
    }
}

/// Reads events. Those of one file are adjacent.
pub(super) fn load(wanted: &[Wanted]) -> Result<Vec<Spooled>, SpoolError> {
    let mut loaded = Vec::with_capacity(wanted.len());
    for of_one_file in wanted.chunk_by(|one, next| one.path == next.path) {
        let path = &of_one_file[0].path;
        let disk = |source: io::Error| SpoolError::Disk { path: path.clone(), source };
        let file = File::open(path).map_err(disk)?;
        for Wanted { id, place, .. } in of_one_file {
            let mut bytes = vec![0; place.length];
            file.read_exact_at(&mut bytes, place.offset).map_err(disk)?;
            let record = format::record(&bytes).ok_or_else(|| damaged(path, place.offset))?;
            loaded.push(decode(path, place.offset, record.body, *id)?);
        }
    }
    Ok(loaded)
}

fn decode(path: &Path, offset: u64, body: &[u8], id: u64) -> Result<Spooled, SpoolError> {
    match decode_event(body) {
        Ok(Some((received_at, event))) => Ok(Spooled { id, received_at, event }),
        Ok(None) => Err(damaged(path, offset)),
        Err(source) => Err(SpoolError::Unreadable { path: path.to_owned(), offset, source }),
    }
}

fn damaged(path: &Path, offset: u64) -> SpoolError {
    SpoolError::Damaged { path: path.to_owned(), offset }
}
