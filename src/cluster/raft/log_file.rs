//! The tables of the log in redb: their layout, the checks at opening, and how entries are read
//! back.

use super::record::{RecordError, check, decode_log_id, decode_record, decode_vote, encode_vote};
use super::types::{LogId, RaftEntry, Vote};
use crate::cluster::data_dir::durable::sync_parent;
use openraft::entry::RaftEntry as _;
use prost::bytes::Bytes;
use redb::{Database, ReadTransaction, ReadableDatabase as _, TableDefinition};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;

/// Encoded entries by index.
pub(super) const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");
/// All other records, by name.
pub(super) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
/// The vote of this node.
pub(super) const VOTE: &str = "vote";
/// The id of the last entry that was purged.
pub(super) const PURGED: &str = "purged";
/// The id of a committed entry: this one or a later one was committed.
pub(super) const COMMITTED: &str = "committed";

/// Why a log cannot be used. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum LogFileError {
    /// The file cannot be opened or read.
    #[error("the log file cannot be read")]
    Disk(#[source] io::Error),
    /// The file is so damaged that even redb cannot read it.
    #[error("the log file is damaged")]
    Damaged,
    /// A record is damaged or of another version.
    #[error("a record of the log is not understood")]
    Record(#[source] RecordError),
    /// An entry is missing: the following ones cannot be applied.
    #[error("log entry {missing} is missing, the next one is {found}")]
    Gap { missing: u64, found: u64 },
    /// Committed entries are missing, for example after an old copy of the file was restored.
    #[error("log entry {committed} was committed, but the log ends at {last}")]
    Reverted { committed: u64, last: u64 },
    /// Entries between the snapshot and the log are missing: the state cannot be rebuilt.
    #[error("the log starts after entry {purged}, the newest snapshot ends at {snapshot}")]
    Detached { purged: u64, snapshot: u64 },
}

/// The content of a log, apart from its entries.
pub(super) struct LogContent {
    pub vote: Option<Vote>,
    pub committed: Option<LogId>,
    pub purged: Option<LogId>,
    pub last: Option<LogId>,
    /// Encoded bytes of the entries after the snapshot.
    pub unsnapshotted_bytes: u64,
}

/// Reads and checks a log, or creates a new one. openraft itself checks little of this in a release
/// build, and would build an empty state over a log without its snapshot.
pub(super) fn load(
    database: &Database,
    snapshot: Option<LogId>,
) -> Result<LogContent, LogFileError> {
    let transaction = open_tables(database).map_err(|error| LogFileError::Disk(io_error(error)))?;
    let content = scan(&transaction, snapshot)?;
    let index = |id: Option<LogId>| id.map_or(0, |id| id.index);
    if content.committed > content.last.max(snapshot) {
        let (committed, last) = (index(content.committed), index(content.last));
        return Err(LogFileError::Reverted { committed, last });
    }
    if content.purged > snapshot {
        let (purged, snapshot) = (index(content.purged), index(snapshot));
        return Err(LogFileError::Detached { purged, snapshot });
    }
    Ok(content)
}

/// Creates the file of a new log, if there is none. It gets its name only when complete: redb
/// cannot open a file whose creation was interrupted.
///
/// # Errors
/// The disk refuses; the next call starts again.
pub(super) fn create(file: &Path) -> io::Result<()> {
    if file.exists() {
        return Ok(());
    }
    let unfinished = file.with_extension("new");
    match std::fs::remove_file(&unfinished) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let database = Database::create(&unfinished).map_err(io_error)?;
    open_tables(&database).map_err(io_error)?;
    drop(database);
    File::open(&unfinished)?.sync_all()?;
    std::fs::rename(&unfinished, file)?;
    sync_parent(file)
}

/// Creates the file of a new log with a vote and without entries.
///
/// # Errors
/// The disk refuses; the file is useless.
pub(super) fn create_with_vote(file: &Path, vote: &Vote) -> io::Result<()> {
    create(file)?;
    write_vote(file, vote).map_err(io_error)
}

fn write_vote(file: &Path, vote: &Vote) -> Result<(), redb::Error> {
    let transaction = Database::open(file)?.begin_write()?;
    transaction.open_table(META)?.insert(VOTE, encode_vote(vote).as_slice())?;
    transaction.commit()?;
    Ok(())
}

/// Creates the tables of a new log, so that readers always find them.
fn open_tables(database: &Database) -> Result<ReadTransaction, redb::Error> {
    let transaction = database.begin_write()?;
    transaction.open_table(LOG)?;
    transaction.open_table(META)?;
    transaction.commit()?;
    Ok(database.begin_read()?)
}

fn scan(
    transaction: &ReadTransaction,
    snapshot: Option<LogId>,
) -> Result<LogContent, LogFileError> {
    let meta = |name| read_meta(transaction, name).map_err(|e| LogFileError::Disk(io_error(e)));
    let log_id = |bytes: Vec<u8>| decode_log_id(&bytes).map_err(LogFileError::Record);
    let vote = meta(VOTE)?.map(|bytes| decode_vote(&bytes)).transpose();
    let purged = meta(PURGED)?.map(log_id).transpose()?;
    let mut content = LogContent {
        vote: vote.map_err(LogFileError::Record)?,
        committed: meta(COMMITTED)?.map(log_id).transpose()?,
        purged,
        last: purged,
        unsnapshotted_bytes: 0,
    };
    scan_entries(transaction, snapshot, &mut content)?;
    Ok(content)
}

fn scan_entries(
    transaction: &ReadTransaction,
    snapshot: Option<LogId>,
    content: &mut LogContent,
) -> Result<(), LogFileError> {
    let disk = |error: redb::Error| LogFileError::Disk(io_error(error));
    let log = transaction.open_table(LOG).map_err(|error| disk(error.into()))?;
    let first = content.purged.map_or(0, |id| id.index + 1);
    let rows = log.range::<u64>(..).map_err(|error| disk(error.into()))?;
    let mut last = None;
    for (expected, row) in (first..).zip(rows) {
        let (index, record) = row.map_err(|error| disk(error.into()))?;
        if index.value() != expected {
            return Err(LogFileError::Gap { missing: expected, found: index.value() });
        }
        check(record.value()).map_err(LogFileError::Record)?;
        if snapshot.is_none_or(|snapshot| index.value() > snapshot.index) {
            content.unsnapshotted_bytes += u64::try_from(record.value().len()).unwrap_or(u64::MAX);
        }
        last = Some(record);
    }
    if let Some(record) = last {
        let entry =
            decode_record(Bytes::copy_from_slice(record.value())).map_err(LogFileError::Record)?;
        content.last = Some(entry.log_id());
    }
    Ok(())
}

fn read_meta(transaction: &ReadTransaction, name: &str) -> Result<Option<Vec<u8>>, redb::Error> {
    let meta = transaction.open_table(META)?;
    Ok(meta.get(name)?.map(|bytes| bytes.value().to_vec()))
}

/// Reads the entries of `range`; those before the start of the log are left out.
///
/// # Errors
/// One of the others is missing, or one cannot be decoded.
pub(super) fn read(transaction: &ReadTransaction, range: Range<u64>) -> io::Result<Vec<RaftEntry>> {
    let log = transaction.open_table(LOG).map_err(io_error)?;
    let mut entries: Vec<RaftEntry> = Vec::new();
    for row in log.range(range.clone()).map_err(io_error)? {
        let (_, record) = row.map_err(io_error)?;
        entries.push(decode_record(Bytes::copy_from_slice(record.value()))?);
    }
    let is_whole = match (entries.first(), entries.last()) {
        (Some(first), Some(last)) => {
            let count = u64::try_from(entries.len()).unwrap_or(u64::MAX);
            last.index() + 1 == range.end && first.index() + count == range.end
        }
        (None, _) | (_, None) => true,
    };
    if is_whole {
        return Ok(entries);
    }
    let found = entries.len();
    Err(io::Error::other(format!("the log has {found} entries of {range:?}, with a hole")))
}

/// Keeps the kind of a disk error: a full disk is answered differently.
pub(super) fn io_error(error: impl Into<redb::Error>) -> io::Error {
    let error = error.into();
    if let redb::Error::Io(error) = error {
        return error;
    }
    io::Error::other(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_was_cut_short_in_creating_is_created_anew() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("log.redb");
        std::fs::write(folder.path().join("log.new"), "half").unwrap();
        create(&file).unwrap();
        let content = load(&Database::open(&file).unwrap(), None).unwrap();
        assert_eq!((content.vote, content.last), (None, None));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_log_that_is_there_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("log.redb");
        std::fs::write(&file, "not ours").unwrap();
        create(&file).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"not ours");
    }
}
