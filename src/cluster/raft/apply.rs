//! Applies committed entries to the state machine, and builds and installs its snapshots.

use super::changes::{ChangeFeed, ChangeStream};
use super::checkpoint::{Checkpoints, StateDigest, is_checkpoint};
use super::snapshot_file::{SnapshotError, decode, encode};
use super::snapshot_store::{SnapshotFile, SnapshotStore, SnapshotStoreError};
use super::types::{Answers, LogId, RaftEntry, SnapshotMeta, StoredMembership, TypeConfig};
use crate::state_machine::{Outcome, StateMachine};
use futures_util::{Stream, TryStreamExt as _};
use openraft::storage::{EntryResponder, RaftSnapshotBuilder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend, Snapshot, alias};
use parking_lot::RwLock;
use std::io;
use std::sync::Arc;
use tokio::sync::watch;

/// Why the state could not be restored. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The newest snapshot cannot be read.
    #[error("the newest snapshot cannot be read")]
    Store(#[source] SnapshotStoreError),
    /// The newest snapshot is complete, but cannot be decoded.
    #[error("the newest snapshot is not understood")]
    Snapshot(#[source] SnapshotError),
}

/// The replicated state and its index. Clones share it.
#[derive(Clone)]
pub struct AppliedState {
    replica: Arc<RwLock<Replica>>,
    applied: watch::Sender<u64>,
    changes: ChangeFeed,
    snapshots: Arc<SnapshotStore>,
    checkpoints: Checkpoints,
}

/// The content of a snapshot. One lock protects it: state and index always belong together.
#[derive(Clone, Debug, Default)]
pub(super) struct Replica {
    pub state: StateMachine,
    pub last: Option<LogId>,
    pub membership: StoredMembership,
}

impl Replica {
    fn meta(&self) -> SnapshotMeta {
        SnapshotMeta { last_log_id: self.last, last_membership: self.membership.clone() }
    }

    /// Applies an entry, and returns whether it marks a checkpoint. An entry that cannot be decoded
    /// changes nothing, not even the applied index.
    pub(super) fn apply(&mut self, entry: RaftEntry) -> io::Result<(Outcome, bool)> {
        let last = Some(entry.log_id);
        let applied = match entry.payload {
            EntryPayload::Blank => (Outcome::default(), false),
            EntryPayload::Membership(membership) => {
                self.membership = StoredMembership::new(last, membership);
                (Outcome::default(), false)
            }
            EntryPayload::Normal(proposal) => {
                let failed = |error| io::Error::new(io::ErrorKind::InvalidData, error);
                let entry = proposal.take().map_err(failed)?;
                let is_marked = is_checkpoint(&entry);
                (self.state.apply(entry), is_marked)
            }
        };
        self.last = last;
        Ok(applied)
    }
}

impl AppliedState {
    /// Starts from the newest snapshot in the store.
    ///
    /// # Errors
    /// That snapshot is damaged or cannot be decoded.
    pub fn open(snapshots: SnapshotStore) -> Result<Self, RestoreError> {
        let mut replica = Replica::default();
        if let Some((_, bytes)) = snapshots.newest().map_err(RestoreError::Store)? {
            replica = restore(&bytes).map_err(RestoreError::Snapshot)?;
        }
        let (applied, _) = watch::channel(replica.last.map_or(0, |id| id.index));
        let replica = Arc::new(RwLock::new(replica));
        let snapshots = Arc::new(snapshots);
        let (changes, checkpoints) = (ChangeFeed::default(), Checkpoints::default());
        Ok(Self { replica, applied, changes, snapshots, checkpoints })
    }

    /// Reads the state. Apply waits meanwhile: keep it short.
    pub fn read<T>(&self, look: impl FnOnce(&StateMachine) -> T) -> T {
        self.look(|replica| look(&replica.state))
    }

    /// Reads the state together with the index of its last entry.
    pub fn read_indexed<T>(&self, look: impl FnOnce(u64, &StateMachine) -> T) -> T {
        self.look(|replica| look(replica.last.map_or(0, |id| id.index), &replica.state))
    }

    /// The last applied entry.
    #[must_use]
    pub fn last(&self) -> Option<LogId> {
        self.look(|replica| replica.last)
    }

    /// The index of the last applied entry, and a signal for each one.
    #[must_use]
    pub fn applied(&self) -> watch::Receiver<u64> {
        self.applied.subscribe()
    }

    /// The changes of all entries applied from now on.
    #[must_use]
    pub fn changes(&self) -> ChangeStream {
        self.changes.subscribe()
    }

    /// Digests of the state at the newest checkpoints, the newest first.
    #[must_use]
    pub fn checkpoints(&self) -> Vec<StateDigest> {
        self.checkpoints.kept()
    }

    /// The index at which the oldest kept snapshot ends.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn oldest_snapshot_index(&self) -> io::Result<Option<u64>> {
        self.snapshots.oldest_index()
    }

    /// Opens the newest kept snapshot.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open_newest_snapshot(&self) -> io::Result<Option<SnapshotFile>> {
        self.snapshots.open_newest()
    }

    fn look<T>(&self, look: impl FnOnce(&Replica) -> T) -> T {
        look(&self.replica.read())
    }

    fn change<T>(&self, change: impl FnOnce(&mut Replica) -> T) -> T {
        change(&mut self.replica.write())
    }

    /// Apply waits only for the copy.
    fn build(&self) -> io::Result<alias::SnapshotOf<TypeConfig, Vec<u8>>> {
        let (meta, state) = self.look(|replica| (replica.meta(), replica.state.stored_copy()));
        let bytes = encode(&meta, &state)?;
        self.snapshots.keep(&meta, &bytes)?;
        Ok(Snapshot { meta, snapshot: bytes })
    }

    fn install(&self, bytes: &[u8]) -> io::Result<()> {
        let replica =
            restore(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        self.snapshots.keep(&replica.meta(), bytes)?;
        let index = replica.last.map_or(0, |id| id.index);
        self.change(|current| *current = replica);
        self.applied.send_replace(index);
        self.changes.snapshot(index);
        Ok(())
    }
}

/// The content of a snapshot.
///
/// # Errors
/// The bytes are damaged or of another version; nothing is used of them.
pub(super) fn restore(bytes: &[u8]) -> Result<Replica, SnapshotError> {
    let (meta, state) = decode(bytes)?;
    Ok(Replica { state, last: meta.last_log_id, membership: meta.last_membership })
}

/// Reads, writes or packs large files away from the tasks that answer.
async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

impl RaftStateMachine<TypeConfig> for AppliedState {
    type SnapshotData = Vec<u8>;
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        Ok(self.look(|replica| (replica.last, replica.membership.clone())))
    }

    async fn apply<Strm>(&mut self, mut entries: Strm) -> Result<(), io::Error>
    where
        Strm: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        while let Some((entry, responder)) = entries.try_next().await? {
            let index = entry.log_id.index;
            let (Outcome { answers, changes }, is_marked) =
                self.change(|replica| replica.apply(entry))?;
            if is_marked {
                // Before the next entry: until then nothing else changes the state.
                self.checkpoints.note(index, || self.read(StateMachine::stored_copy));
            }
            self.applied.send_replace(index);
            self.changes.entry(index, changes);
            if let Some(responder) = responder {
                responder.send(Answers(answers));
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn install_snapshot(
        &mut self,
        _meta: &SnapshotMeta,
        snapshot: Vec<u8>,
    ) -> Result<(), io::Error> {
        let this = self.clone();
        in_background(move || this.install(&snapshot)).await
    }

    async fn get_current_snapshot(
        &mut self,
    ) -> Result<Option<alias::SnapshotOf<TypeConfig, Vec<u8>>>, io::Error> {
        let snapshots = Arc::clone(&self.snapshots);
        let newest = in_background(move || snapshots.newest().map_err(io::Error::other)).await?;
        Ok(newest.map(|(meta, snapshot)| Snapshot { meta, snapshot }))
    }
}

impl RaftSnapshotBuilder<TypeConfig> for AppliedState {
    type SnapshotData = Vec<u8>;

    async fn build_snapshot(
        &mut self,
    ) -> Result<alias::SnapshotOf<TypeConfig, Vec<u8>>, io::Error> {
        let this = self.clone();
        in_background(move || this.build()).await
    }
}

#[cfg(test)]
#[path = "apply_test.rs"]
mod tests;
