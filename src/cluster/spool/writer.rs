//! Writes the end of the spool: one file at a time, one group of events at a time, each on disk
//! before the next begins.

use super::disk::Disk;
use super::format::{SEGMENT_HEADER, frame};
use super::segment::{SegmentPlace, offset, path_of};
use crate::cluster::data_dir::durable::write_durably;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A segment accepts no group that would exceed this size: fed events leave the disk in pieces of
/// this size, and a start holds one of them in memory. A larger group has its own segment.
const SEGMENT_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// The file for the next events.
#[derive(Debug)]
struct Open {
    file: File,
    /// Position of the next group.
    length: u64,
}

/// Writes events, never into files of an earlier life.
#[derive(Debug)]
pub(super) struct SpoolWriter {
    folder: PathBuf,
    disk: Arc<dyn Disk>,
    open: Option<Open>,
}

/// The position of a group of events.
#[derive(Debug)]
pub(super) struct WrittenEvents {
    /// The segment created for it.
    pub(super) begun: Option<PathBuf>,
    pub(super) places: Vec<SegmentPlace>,
}

impl SpoolWriter {
    pub(super) fn new(folder: PathBuf, disk: Arc<dyn Disk>) -> Self {
        Self { folder, disk, open: None }
    }

    /// Writes a group of events and returns once it is on disk. `first` is the id of the first one;
    /// all earlier events are on disk.
    ///
    /// # Errors
    /// The disk refuses. It is unknown how much of the group is on the disk; nothing may be written
    /// any more.
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
            // These events were not acknowledged. They are removed if the disk still works, so that
            // the next life does not treat data in the kernel's memory as durable.
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

    /// Closes the open file: its events were removed.
    pub(super) fn close(&mut self) {
        self.open = None;
    }
}

/// Creates a segment. It has its complete header before it gets its name.
fn create(path: &Path) -> io::Result<Open> {
    write_durably(path, &SEGMENT_HEADER)?;
    let file = OpenOptions::new().write(true).open(path)?;
    Ok(Open { file, length: offset(SEGMENT_HEADER.len()) })
}
