//! Votes and entries in redb, as openraft sees them. One writer thread takes all waiting jobs,
//! writes them in one transaction, and calls back after the fsync, so all log and vote writes have
//! one order.
//!
//! After a failed write the store is closed for good: the content of the page cache is then
//! unknown.

use super::log_file::{self, LogContent, LogFileError};
use super::log_tail::{LogMemory, LogTail};
use super::record::{encode_checked_record, encode_log_id, encode_record, encode_vote};
use super::types::{LogId, RaftEntry, TypeConfig, Vote};
use super::writer::{self, LogWriter, WriterJob};
use openraft::entry::RaftEntry as _;
use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};
use openraft::{OptionalSend, alias};
use parking_lot::{Mutex, MutexGuard};
use redb::{Database, ReadableDatabase as _};
use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;
use tokio::sync::{oneshot, watch};

/// The log of one node. Clones share it.
#[derive(Clone)]
pub struct LogStore {
    shared: Arc<Shared>,
}

struct Shared {
    /// Taken out when the log is closed, so that the file is free even while a clone lives on.
    database: Mutex<Option<Arc<Database>>>,
    memory: Arc<Mutex<LogMemory>>,
    writer: LogWriter,
    /// Whether records get a checksum: the first feature level does not know it.
    checks: Box<dyn Fn() -> bool + Send + Sync>,
    failed: watch::Receiver<Option<Arc<io::Error>>>,
}

impl LogStore {
    /// Opens the log in a database and starts its writer. `checks` says at each append whether
    /// records get a checksum. Entries after `snapshot` count as not contained in a snapshot.
    ///
    /// # Errors
    /// The database cannot be read, has a gap, does not reach back to the snapshot, or has content
    /// that this version cannot decode. Nothing was changed.
    pub fn open(
        database: Database,
        snapshot: Option<LogId>,
        checks: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<Self, LogFileError> {
        let content = log_file::load(&database, snapshot)?;
        let checks = Box::new(checks);
        let database = Arc::new(database);
        let LogContent { vote, committed, purged, last, unsnapshotted_bytes } = content;
        let tail = LogTail::new(last, purged);
        let memory = LogMemory { tail, writes: 0, vote, committed, unsnapshotted_bytes };
        let memory = Arc::new(Mutex::new(memory));
        let (writer, failed) = writer::spawn(Arc::clone(&database), Arc::clone(&memory))
            .map_err(LogFileError::Disk)?;
        let database = Mutex::new(Some(database));
        Ok(Self { shared: Arc::new(Shared { database, memory, writer, checks, failed }) })
    }

    /// Set once, with the reason, when the disk has failed. Nothing is acknowledged after that.
    #[must_use]
    pub fn failed(&self) -> watch::Receiver<Option<Arc<io::Error>>> {
        self.shared.failed.clone()
    }

    /// Encoded bytes of the entries that no snapshot contains.
    #[must_use]
    pub fn unsnapshotted_bytes(&self) -> u64 {
        self.memory().unsnapshotted_bytes
    }

    /// A snapshot contains everything that had been counted as `bytes`.
    pub fn note_snapshot(&self, bytes: u64) {
        let mut memory = self.memory();
        memory.unsnapshotted_bytes = memory.unsnapshotted_bytes.saturating_sub(bytes);
    }

    /// Writes all waiting jobs and frees the file. The log cannot be used any more.
    pub async fn close(&self) {
        // A failed writer has already ended and dropped its jobs.
        let _ = self.write(|done| WriterJob::Close { done }).await;
        drop(self.shared.database.lock().take());
    }

    fn memory(&self) -> MutexGuard<'_, LogMemory> {
        self.shared.memory.lock()
    }

    /// Sends a job to the writer and waits until it is on disk.
    async fn write(
        &self,
        make: impl FnOnce(oneshot::Sender<io::Result<()>>) -> WriterJob,
    ) -> io::Result<()> {
        let (done, ended) = oneshot::channel();
        self.shared.writer.send(make(done)).await?;
        ended.await.map_err(|_| writer::stopped())?
    }

    /// The entries of `first..end` that the log has, without a gap.
    async fn read(&self, first: u64, end: u64) -> io::Result<Vec<RaftEntry>> {
        let (slice, transaction) = {
            let memory = self.memory();
            let slice = memory.tail.slice(first..end);
            if slice.on_disk.is_empty() {
                return Ok(slice.held);
            }
            // Under the lock: this view of the disk contains an entry that leaves the memory later,
            // and lacks one that replaces another later.
            let database = self.shared.database.lock();
            let database = database.as_ref().ok_or_else(writer::stopped)?;
            (slice, database.begin_read().map_err(log_file::io_error)?)
        };
        let range = slice.on_disk;
        let read = tokio::task::spawn_blocking(move || log_file::read(&transaction, range)).await;
        let mut entries = read.map_err(io::Error::other)??;
        entries.extend(slice.held);
        Ok(entries)
    }
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<RaftEntry>, io::Error> {
        let first = match range.start_bound() {
            Bound::Included(first) => *first,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(last) => last.saturating_add(1),
            Bound::Excluded(end) => *end,
            Bound::Unbounded => u64::MAX,
        };
        self.read(first, end).await
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.memory().vote)
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, io::Error> {
        let memory = self.memory();
        let (last_purged_log_id, last_log_id) = (memory.tail.purged(), memory.tail.last());
        Ok(LogState { last_purged_log_id, last_log_id })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        let bytes = encode_vote(vote);
        self.write(|done| WriterJob::Vote { bytes, done }).await?;
        self.memory().vote = Some(*vote);
        Ok(())
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        let Some(committed) = committed else { return Ok(()) };
        self.memory().committed = Some(committed);
        // Without waiting: it only saves time at the next start.
        self.shared.writer.send(WriterJob::Committed(encode_log_id(&committed))).await
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(self.memory().committed)
    }

    async fn append<I>(
        &mut self,
        entries: I,
        callback: IOFlushed<TypeConfig>,
    ) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = alias::EntryOf<TypeConfig>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let encode = if (self.shared.checks)() { encode_checked_record } else { encode_record };
        let encoded: Vec<_> = entries.into_iter().map(|entry| (encode(&entry), entry)).collect();
        let mut records = Vec::with_capacity(encoded.len());
        let write = {
            let mut memory = self.memory();
            memory.writes += 1;
            let write = memory.writes;
            for (bytes, entry) in encoded {
                memory.unsnapshotted_bytes += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                let index = entry.index();
                memory.tail.append(entry, bytes.len(), write);
                records.push((index, bytes));
            }
            write
        };
        self.shared.writer.send(WriterJob::Append { records, write, callback }).await
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> Result<(), io::Error> {
        self.memory().tail.truncate_after(last);
        let from = last.map_or(0, |id| id.index + 1);
        self.write(|done| WriterJob::Truncate { from, done }).await
    }

    async fn purge(&mut self, upto: LogId) -> Result<(), io::Error> {
        self.memory().tail.purge(upto);
        let bytes = encode_log_id(&upto);
        self.write(|done| WriterJob::Purge { upto: upto.index, bytes, done }).await
    }
}

#[cfg(test)]
#[path = "log_store_test.rs"]
mod tests;

#[cfg(test)]
#[path = "log_open_test.rs"]
mod open_tests;
