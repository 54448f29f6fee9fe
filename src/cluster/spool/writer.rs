//! The end of the spool that is being written: one file at a time, one group of events at a time,
//! each on disk before the next begins.

use super::disk::Disk;
use super::format::{SEGMENT_HEADER, frame};
use super::segment::{SegmentPlace, offset, path_of};
use crate::cluster::data_dir::durable::write_durably;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A segment takes no group that carries it past this: what is fed leaves the disk in pieces of
/// this size, and a start holds one of them in memory. A larger group has a segment of its own.
const SEGMENT_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// The file that takes the next events.
#[derive(Debug)]
struct Open {
    file: File,
    /// Where the next group starts.
    length: u64,
}

/// Writes events. What an earlier life wrote is never written on.
#[derive(Debug)]
pub(super) struct SpoolWriter {
    folder: PathBuf,
    disk: Arc<dyn Disk>,
    open: Option<Open>,
}

/// Where a group of events is.
#[derive(Debug)]
pub(super) struct WrittenEvents {
    /// The segment that was begun for it.
    pub(super) begun: Option<PathBuf>,
    pub(super) places: Vec<SegmentPlace>,
}

impl SpoolWriter {
    pub(super) fn new(folder: PathBuf, disk: Arc<dyn Disk>) -> Self {
        Self { folder, disk, open: None }
    }

    /// Writes a group of events and returns once it is on disk. The first one is `first`; all
    /// before it are on disk.
    ///
    /// # Errors
    /// The disk refuses. What it holds of the group is not known; nothing may be written any more.
    pub(super) fn write(&mut self, first: u64, bodies: &[Vec<u8>]) -> io::Result<WrittenEvents> {
        let mut group = Vec::new();
        let mut ends = Vec::with_capacity(bodies.len());
        for body in bodies {
            frame(&mut group, first - 1, body);
            ends.push(group.len());
        }
        let (mut open, begun) = match self.open.take() {
            Some(open) if open.length + offset(group.len()) <= SEGMENT_BYTES_MAX => (open, None),
            Some(_) | None => {
                let path = path_of(&self.folder, first);
                (create(&path)?, Some(path))
            }
        };
        let written = self.disk.write(&open.file, &group, open.length);
        if let Err(error) = written.and_then(|()| self.disk.sync(&open.file)) {
            // Nobody was promised these events. As far as the disk still obeys they go, so that
            // the next life does not take for durable what is in the memory of the kernel alone.
            let _ = open.file.set_len(open.length);
            return Err(error);
        }
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let place = |(start, end): (usize, &usize)| SegmentPlace {
            offset: open.length + offset(start),
            length: end - start,
        };
        let places = starts.zip(&ends).map(place).collect();
        open.length += offset(group.len());
        self.open = Some(open);
        Ok(WrittenEvents { begun, places })
    }

    /// Lets go of the open file: what it holds was removed.
    pub(super) fn close(&mut self) {
        self.open = None;
    }
}

/// Begins a segment. It has its whole header from the moment it has its name.
fn create(path: &Path) -> io::Result<Open> {
    write_durably(path, &SEGMENT_HEADER)?;
    let file = OpenOptions::new().write(true).open(path)?;
    Ok(Open { file, length: offset(SEGMENT_HEADER.len()) })
}
