//! What a replica keeps on its own disk while the cluster has no quorum (promise 8, rule 13). It
//! belongs to the data directory, not to the node: any node on the directory feeds it to the log,
//! in order, and removes committed events. This module does not know the log, and an event may be
//! fed twice: the log's keys remove duplicates.

mod disk;
mod error;
pub mod feed;
mod format;
mod kept;
pub(super) mod quorum_loss;
mod recover;
mod segment;
mod writer;

pub use error::{KeepError, SpoolError};

use crate::clock::Timestamp;
use crate::cluster::data_dir::durable::write_durably;
use crate::event::RunEvent;
use disk::{Disk, SystemDisk};
use format::{encode_event, encode_mark};
use kept::Kept;
use parking_lot::{Mutex, MutexGuard};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use writer::SpoolWriter;

/// Default of the largest spool: some 150,000 events, an hour of 40 a second.
pub const SPOOL_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The length of a record has 32 bits.
const BYTES_LIMIT: u64 = u32::MAX as u64;
/// Ending of file copies with an unreadable record.
const SET_ASIDE: &str = "unreadable";
/// The events fed at a time must fit into one entry of the log.
const OLDEST_BYTES_MAX: u64 = 1024 * 1024;

/// A kept event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spooled {
    /// Number of the event in this data directory; rises, also across restarts.
    pub id: u64,
    /// When the event was received.
    pub received_at: Timestamp,
    pub event: RunEvent,
}

/// The spool of one data directory. Clones share it. It reads and writes files and waits for the
/// disk: asynchronous callers use a thread that may block, except for [`Self::len`],
/// [`Self::bytes`], [`Self::is_empty`] and [`Self::room`].
#[derive(Clone, Debug)]
pub struct Spool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    bytes_max: u64,
    /// Held while the disk works. Lock order: this before `kept`.
    writer: Mutex<SpoolWriter>,
    kept: Mutex<Kept>,
}

/// Events that a keep has in hand. Where it panics they are lost without an answer, so that the spool
/// fails.
struct InHand<'a>(&'a Spool);

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.0.kept().fail(io::Error::other("a keep panicked"));
        }
    }
}

impl Spool {
    /// Opens the spool in `folder`, which is created if needed, with the events of an earlier life.
    /// A torn tail, which was never acknowledged, is cut. The caller has locked the data directory.
    /// `bytes_max` is [`SPOOL_BYTES_MAX`] by default, and at most 4 GiB.
    ///
    /// # Errors
    /// The disk refuses, or a file is damaged or of a newer version. Nothing was changed.
    pub fn open(folder: &Path, bytes_max: u64) -> Result<Self, SpoolError> {
        Self::open_on(Arc::new(SystemDisk), folder, bytes_max)
    }

    fn open_on(disk: Arc<dyn Disk>, folder: &Path, bytes_max: u64) -> Result<Self, SpoolError> {
        Ok(Self(Arc::new(Shared {
            folder: folder.to_owned(),
            bytes_max: bytes_max.min(BYTES_LIMIT),
            kept: Mutex::new(recover::recover(folder)?),
            writer: Mutex::new(SpoolWriter::new(folder.to_owned(), disk)),
        })))
    }

    /// Keeps events, in order: all of them are on disk when this returns. Concurrent keeps share an
    /// fsync. `free_bytes` is the free space of the disk.
    ///
    /// A power cut before this returns may leave some of the events. They are fed like others: they
    /// were not acknowledged, so their sender sends them again.
    ///
    /// # Errors
    /// [`KeepError::Full`] if more than the bound or a quarter of the free disk would be used, and
    /// [`KeepError::Failed`] after the disk failed once. None of the events counts as kept.
    pub fn keep(
        &self,
        received_at: Timestamp,
        events: &[RunEvent],
        free_bytes: u64,
    ) -> Result<(), KeepError> {
        if events.is_empty() {
            return Ok(());
        }
        let bodies = events.iter().map(|event| encode_event(received_at, event)).collect();
        let last = self.kept().queue(bodies, self.0.bytes_max, free_bytes)?;
        // While one group is being written the next one gathers here. The first caller to get the
        // writer writes for all.
        let mut writer = self.0.writer.lock();
        if self.kept().is_synced(last)? {
            return Ok(());
        }
        self.write_waiting(&mut writer)
    }

    fn write_waiting(&self, writer: &mut SpoolWriter) -> Result<(), KeepError> {
        let _in_hand = InHand(self);
        let (first, bodies) = self.kept().take_waiting();
        match writer.write(first, &bodies) {
            Ok(written) => {
                self.kept().written(written);
                Ok(())
            }
            Err(error) => Err(self.kept().fail(error)),
        }
    }

    /// The oldest events, in order. At most `count_max`, and at most one log entry, but at least
    /// one. They stay until they are removed. Only one caller may read and remove: a concurrent
    /// removal may cause an error here.
    ///
    /// # Errors
    /// The disk refuses, or a record was damaged after it was kept.
    pub fn oldest(&self, count_max: usize) -> Result<Vec<Spooled>, SpoolError> {
        let wanted = self.kept().oldest(count_max, OLDEST_BYTES_MAX);
        segment::load(&wanted)
    }

    /// Uids of the runs with kept events, and the number of each. Reads the whole spool.
    ///
    /// # Errors
    /// As for [`Self::oldest`].
    pub fn uids(&self) -> Result<BTreeMap<String, u64>, SpoolError> {
        let all = self.kept().oldest(usize::MAX, u64::MAX);
        let mut uids = BTreeMap::new();
        for portion in all.chunks(feed::FEED_COUNT_MAX) {
            for spooled in segment::load(portion)? {
                *uids.entry(spooled.event.uid).or_default() += 1;
            }
        }
        Ok(uids)
    }

    /// Sets the oldest event aside if its record is unreadable for good, so that it does not block
    /// later ones. Returns the copy of its file, which nothing reads any more. `None`, and no
    /// change, if there is no such event.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn set_aside_unreadable(&self) -> Result<Option<PathBuf>, SpoolError> {
        let oldest = self.kept().oldest(1, OLDEST_BYTES_MAX);
        let Some(wanted) = oldest.first() else { return Ok(None) };
        match segment::load(&oldest) {
            Err(SpoolError::Damaged { .. } | SpoolError::Unreadable { .. }) => {}
            Err(error @ (SpoolError::Disk { .. } | SpoolError::NewerFormat { .. })) => {
                return Err(error);
            }
            Ok(_) => return Ok(None),
        }
        let copy = wanted.path.with_extension(SET_ASIDE);
        let disk = |source| SpoolError::Disk { path: copy.clone(), source };
        std::fs::copy(&wanted.path, &copy).map_err(disk)?;
        self.remove_through(wanted.id)?;
        Ok(Some(copy))
    }

    /// Removes the events up to and including `id`, after their commit. Once this returned they do
    /// not come back. If the process ends before, they may be fed again.
    ///
    /// # Errors
    /// The disk refuses. The events are still there, or only their files are: those are removed at
    /// the next start.
    pub fn remove_through(&self, id: u64) -> Result<(), SpoolError> {
        let disk = |path: &Path, source| SpoolError::Disk { path: path.to_owned(), source };
        // The files of a keep that panicked can be removed like others.
        let mut writer = self.0.writer.lock();
        let Some(through) = self.kept().removable(id) else { return Ok(()) };
        // Before any file is removed: if no file is left, the next life takes its numbers from the
        // mark.
        let mark = self.0.folder.join(recover::MARK_FILE);
        write_durably(&mark, &encode_mark(through)).map_err(|source| disk(&mark, source))?;
        let emptied = self.kept().remove_through(through);
        if self.is_empty() {
            writer.close();
        }
        for path in emptied {
            std::fs::remove_file(&path).map_err(|source| disk(&path, source))?;
        }
        Ok(())
    }

    /// Number of kept events.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.kept().count()
    }

    /// Bytes on disk. Removed events count until their file is deleted.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.kept().bytes()
    }

    /// Whether the spool is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether an event may be kept now. `free_bytes` is the free space of the disk. A keep checks
    /// for itself: the last event before the bound may not fit.
    #[must_use]
    pub fn room(&self, free_bytes: u64) -> bool {
        self.kept().has_room(self.0.bytes_max, free_bytes)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock()
    }
}

#[cfg(test)]
#[path = "golden_test.rs"]
pub(in crate::cluster) mod golden;

#[cfg(test)]
#[path = "faulty_disk_test.rs"]
mod faulty_disk;

#[cfg(test)]
#[path = "spool_test.rs"]
mod tests;
