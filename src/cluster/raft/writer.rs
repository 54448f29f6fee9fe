//! The only thread that writes the log: it takes waiting jobs, makes one transaction and one fsync,
//! then calls back.

use super::log_file::{COMMITTED, LOG, META, PURGED, VOTE, io_error};
use super::log_tail::LogMemory;
use super::types::TypeConfig;
use openraft::storage::IOFlushed;
use parking_lot::Mutex;
use redb::{Database, Durability, WriteTransaction};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};

/// Jobs that may wait for the disk. openraft itself bounds the appends in progress.
const JOBS_MAX: usize = 1024;
/// Jobs written in one transaction: bounds the time until the first callback.
const JOBS_PER_COMMIT_MAX: usize = 256;

type Done = oneshot::Sender<io::Result<()>>;

/// A job of the writer.
pub(super) enum WriterJob {
    Append {
        records: Vec<(u64, Vec<u8>)>,
        write: u64,
        callback: IOFlushed<TypeConfig>,
    },
    Vote {
        bytes: Vec<u8>,
        done: Done,
    },
    /// Written with the next job: losing it costs only time.
    Committed(Vec<u8>),
    Truncate {
        from: u64,
        done: Done,
    },
    Purge {
        upto: u64,
        bytes: Vec<u8>,
        done: Done,
    },
    /// The last job: frees the database.
    Close {
        done: Done,
    },
}

/// The channel to the writer thread.
pub(super) struct LogWriter(mpsc::Sender<WriterJob>);

impl LogWriter {
    /// Sends a job; waits while too many others wait.
    ///
    /// # Errors
    /// The writer has failed or was closed; the job is dropped.
    pub(super) async fn send(&self, job: WriterJob) -> io::Result<()> {
        self.0.send(job).await.map_err(|_| stopped())
    }
}

/// The answer to every job after a failure or the end.
pub(super) fn stopped() -> io::Error {
    io::Error::other("the log is closed")
}

struct Thread {
    database: Arc<Database>,
    memory: Arc<Mutex<LogMemory>>,
    failed: watch::Sender<Option<Arc<io::Error>>>,
    /// Waits for a transaction that is worth an fsync.
    committed: Option<Vec<u8>>,
}

/// Starts the thread. It ends when it is closed, when all senders are gone, or with the first
/// failure, which the receiver then holds.
pub(super) fn spawn(
    database: Arc<Database>,
    memory: Arc<Mutex<LogMemory>>,
) -> io::Result<(LogWriter, watch::Receiver<Option<Arc<io::Error>>>)> {
    let (sender, jobs) = mpsc::channel(JOBS_MAX);
    let (failed, failure) = watch::channel(None);
    let thread = Thread { database, memory, failed, committed: None };
    std::thread::Builder::new().name("log-writer".to_owned()).spawn(move || thread.run(jobs))?;
    Ok((LogWriter(sender), failure))
}

impl Thread {
    fn run(mut self, mut jobs: mpsc::Receiver<WriterJob>) {
        let mut batch = Vec::new();
        while jobs.blocking_recv_many(&mut batch, JOBS_PER_COMMIT_MAX) > 0 {
            let closing = Self::take_close(&mut batch);
            let result = self.write(&batch, closing.is_some());
            let has_failed = result.is_err();
            if let Err(error) = &result {
                self.failed.send_replace(Some(Arc::clone(error)));
            }
            self.answer(batch.drain(..), &result);
            if closing.is_none() && !has_failed {
                continue;
            }
            self.refuse(jobs);
            // Frees the database before the caller gets the answer.
            drop(self);
            if let Some(done) = closing {
                let _ = done.send(copy(&result));
            }
            return;
        }
    }

    /// Answers submitted jobs that are not written any more.
    fn refuse(&self, mut jobs: mpsc::Receiver<WriterJob>) {
        jobs.close();
        let refusal = Err(Arc::new(stopped()));
        while let Ok(job) = jobs.try_recv() {
            self.answer(std::iter::once(job), &refusal);
        }
    }

    /// Removes a close from the batch. No job follows it: its sender has stopped openraft.
    fn take_close(batch: &mut Vec<WriterJob>) -> Option<Done> {
        let at = batch.iter().position(|job| matches!(job, WriterJob::Close { .. }))?;
        match batch.remove(at) {
            WriterJob::Close { done } => Some(done),
            WriterJob::Append { .. }
            | WriterJob::Vote { .. }
            | WriterJob::Committed(_)
            | WriterJob::Truncate { .. }
            | WriterJob::Purge { .. } => None,
        }
    }

    fn write(&mut self, batch: &[WriterJob], is_last: bool) -> Result<(), Arc<io::Error>> {
        for job in batch {
            if let WriterJob::Committed(bytes) = job {
                self.committed = Some(bytes.clone());
            }
        }
        let is_only_committed = batch.iter().all(|job| matches!(job, WriterJob::Committed(_)));
        if is_only_committed && !is_last {
            return Ok(());
        }
        // A panic is a failure like any other: it must not end the thread silently.
        let committed = catch_unwind(AssertUnwindSafe(|| self.commit(batch)));
        match committed {
            Ok(committed) => committed.map_err(|error| Arc::new(io_error(error))),
            Err(_) => Err(Arc::new(io::Error::other("the log writer panicked"))),
        }
    }

    fn commit(&mut self, batch: &[WriterJob]) -> Result<(), redb::Error> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        for job in batch {
            write_job(&transaction, job)?;
        }
        if let Some(bytes) = self.committed.take() {
            transaction.open_table(META)?.insert(COMMITTED, bytes.as_slice())?;
        }
        Ok(transaction.commit()?)
    }

    /// Callbacks only after the commit: after them the sender may forget its event.
    fn answer(&self, batch: impl Iterator<Item = WriterJob>, result: &Result<(), Arc<io::Error>>) {
        for job in batch {
            match job {
                WriterJob::Append { write, callback, .. } => {
                    if result.is_ok() {
                        let mut memory = self.memory.lock();
                        memory.tail.flushed(write);
                    }
                    callback.io_completed(copy(result));
                }
                WriterJob::Vote { done, .. }
                | WriterJob::Truncate { done, .. }
                | WriterJob::Purge { done, .. }
                | WriterJob::Close { done } => {
                    // A caller that is gone does not need the answer.
                    let _ = done.send(copy(result));
                }
                WriterJob::Committed(_) => {}
            }
        }
    }
}

fn write_job(transaction: &WriteTransaction, job: &WriterJob) -> Result<(), redb::Error> {
    match job {
        WriterJob::Append { records, .. } => {
            let mut log = transaction.open_table(LOG)?;
            for (index, record) in records {
                log.insert(index, record.as_slice())?;
            }
        }
        WriterJob::Vote { bytes, .. } => {
            transaction.open_table(META)?.insert(VOTE, bytes.as_slice())?;
        }
        WriterJob::Truncate { from, .. } => {
            transaction.open_table(LOG)?.retain_in(*from.., |_, _| false)?;
        }
        WriterJob::Purge { upto, bytes, .. } => {
            transaction.open_table(LOG)?.retain_in(..=*upto, |_, _| false)?;
            transaction.open_table(META)?.insert(PURGED, bytes.as_slice())?;
        }
        WriterJob::Committed(_) | WriterJob::Close { .. } => {}
    }
    Ok(())
}

fn copy(result: &Result<(), Arc<io::Error>>) -> io::Result<()> {
    result.as_ref().map_err(|error| io::Error::new(error.kind(), Arc::clone(error))).copied()
}
