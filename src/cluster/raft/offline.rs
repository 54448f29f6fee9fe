//! The content of a stopped node, read without running it, and the initial files of a node of a
//! cluster of one. For a quorum that is lost for good: nothing here calls other nodes, and nothing
//! may run on the folder meanwhile.

use super::apply::{Replica, RestoreError, restore};
use super::log_file::{self, LogFileError, io_error};
use super::node::{LOG_FILE, SNAPSHOT_FOLDER, open_database};
use super::snapshot_file::{SnapshotError, encode};
use super::snapshot_store::SnapshotStore;
use super::types::{LogId, MemberNode, SnapshotMeta, StoredMembership, Vote};
use crate::state_machine::{Command, Entry, NodeId, StateMachine};
use openraft::Membership;
use redb::{Database, ReadableDatabase as _};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

/// Entries read at a time: bounds the memory apart from the state.
const ENTRIES_PER_READ: u64 = 1024;

/// Why a folder or a file cannot be used. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// There is neither an entry nor a snapshot.
    #[error("it holds no entry")]
    Empty,
    /// The newest snapshot cannot be used.
    #[error("the state cannot be restored")]
    State(#[source] RestoreError),
    /// The log after it cannot be used.
    #[error("the log cannot be read")]
    Log(#[source] LogFileError),
    /// The snapshot is damaged, or of another version.
    #[error("the snapshot cannot be used")]
    Snapshot(#[source] SnapshotError),
}

/// The state of a node, and its position in the log.
#[derive(Debug)]
pub struct Offline {
    state: StateMachine,
    last: LogId,
    members: BTreeSet<NodeId>,
    snapshot_index: Option<u64>,
}

impl Offline {
    /// The content of a snapshot.
    ///
    /// # Errors
    /// The bytes are damaged, of another version, or of a node without any entry.
    pub fn of_snapshot(bytes: &[u8]) -> Result<Self, OfflineError> {
        let replica = restore(bytes).map_err(OfflineError::Snapshot)?;
        let index = replica.last.map(|id| id.index);
        Self::of_replica(replica, index)
    }

    /// The content of the node in `folder`: its newest snapshot, and the whole log after it.
    /// Entries that may have been confirmed count, since it is unknown.
    ///
    /// # Errors
    /// There is none, or it is damaged.
    pub fn of_folder(folder: &Path) -> Result<Self, OfflineError> {
        if !folder.join(LOG_FILE).exists() && !folder.join(SNAPSHOT_FOLDER).exists() {
            return Err(OfflineError::Empty);
        }
        let mut replica = newest(folder).map_err(OfflineError::State)?;
        let snapshot = replica.last;
        if folder.join(LOG_FILE).exists() {
            let database = open_database(Some(folder)).map_err(OfflineError::Log)?;
            apply_log(&database, &mut replica).map_err(OfflineError::Log)?;
        }
        Self::of_replica(replica, snapshot.map(|id| id.index))
    }

    fn of_replica(replica: Replica, snapshot_index: Option<u64>) -> Result<Self, OfflineError> {
        let members = replica.membership.membership().nodes().map(|(id, _)| NodeId(*id)).collect();
        let last = replica.last.ok_or(OfflineError::Empty)?;
        Ok(Self { state: replica.state, last, members, snapshot_index })
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> &StateMachine {
        &self.state
    }

    /// Voters and learners.
    #[must_use]
    pub fn members(&self) -> &BTreeSet<NodeId> {
        &self.members
    }

    /// The index of the last entry.
    #[must_use]
    pub fn last_index(&self) -> u64 {
        self.last.index
    }

    /// Entries after the snapshot, from the log.
    #[must_use]
    pub fn entries_in_log(&self) -> u64 {
        let behind = self.snapshot_index.map_or(0, |index| index + 1);
        (self.last.index + 1).saturating_sub(behind)
    }

    /// Applies `commands` at the last moment of the old cluster, and writes the initial files of
    /// node `replacement` as the only member of a new one: a snapshot that ends one entry after the
    /// old log, no entries, and a vote in the term of the last one, so that the next term is later.
    ///
    /// # Errors
    /// The disk refuses; the folder is useless.
    pub fn begin_anew(
        mut self,
        folder: &Path,
        replacement: NodeId,
        commands: Vec<Command>,
    ) -> io::Result<()> {
        self.state.apply(Entry { at: self.state.now(), commands });
        // As an entry of its own: two states never have one index.
        let last = LogId { index: self.last.index + 1, ..self.last };
        let voters = vec![BTreeSet::from([replacement.0])];
        // As in every cluster of one; a node that starts with peers fills in its own.
        let nodes = BTreeMap::from([(replacement.0, MemberNode::default())]);
        let membership = Membership::new(voters, nodes).map_err(io::Error::other)?;
        let last_membership = StoredMembership::new(Some(last), membership);
        let meta = SnapshotMeta { last_log_id: Some(last), last_membership };
        let snapshots = SnapshotStore::in_folder(folder.join(SNAPSHOT_FOLDER));
        let snapshots = snapshots.map_err(io::Error::other)?;
        snapshots.keep(&meta, &encode(&meta, &self.state)?)?;
        let vote = Vote::new(*last.leader_id, replacement.0);
        log_file::create_with_vote(&folder.join(LOG_FILE), &vote)
    }
}

/// Reads a snapshot's bytes only to check that it is complete, and at which index it ends.
///
/// # Errors
/// The bytes are damaged or of another version.
pub fn snapshot_index(bytes: &[u8]) -> Result<u64, SnapshotError> {
    let meta = super::snapshot_file::decode_meta(bytes)?;
    Ok(meta.last_log_id.map_or(0, |id| id.index))
}

/// The newest snapshot of a folder that may have none.
fn newest(folder: &Path) -> Result<Replica, RestoreError> {
    let folder = folder.join(SNAPSHOT_FOLDER);
    if !folder.exists() {
        return Ok(Replica::default());
    }
    let snapshots = SnapshotStore::Folder(folder);
    match snapshots.newest().map_err(RestoreError::Store)? {
        Some((_, bytes)) => restore(&bytes).map_err(RestoreError::Snapshot),
        None => Ok(Replica::default()),
    }
}

fn apply_log(database: &Database, replica: &mut Replica) -> Result<(), LogFileError> {
    let content = log_file::load(database, replica.last)?;
    let disk = |error: redb::TransactionError| LogFileError::Disk(io_error(error));
    let transaction = database.begin_read().map_err(disk)?;
    let end = content.last.map_or(0, |id| id.index + 1);
    let mut next = replica.last.map_or(0, |id| id.index + 1);
    while next < end {
        let upto = end.min(next + ENTRIES_PER_READ);
        let entries = log_file::read(&transaction, next..upto).map_err(LogFileError::Disk)?;
        entries.into_iter().for_each(|entry| drop(replica.apply(entry)));
        next = upto;
    }
    Ok(())
}

#[cfg(test)]
#[path = "offline_test.rs"]
mod tests;
