//! One openraft node: starting it over its stores, writing to it, and reading from it.

use super::apply::{AppliedState, RestoreError};
use super::changes::ChangeStream;
use super::checkpoint::StateDigest;
use super::log_file::{self, LogFileError, io_error};
use super::log_store::LogStore;
use super::network::PeerNetwork;
use super::snapshot_store::{SnapshotFile, SnapshotStore};
use super::timing::{ELECTION_MIN, config};
use super::types::{LogEntry, MemberNode, TypeConfig};
use crate::state_machine::{Applied, FeatureLevel, NodeId, StateMachine};
use openraft::async_runtime::watch::WatchReceiver as _;
use openraft::errors::{ClientWriteError, Fatal, ForwardReason, RaftError};
use openraft::{Raft, ServerState};
use redb::Database;
use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A single node leads once its vote is on disk: this is how long a disk may take.
const LEADER_WITHIN: Duration = Duration::from_secs(30);
/// A snapshot of the largest state takes seconds; after this much the disk is at fault.
const SNAPSHOT_WITHIN: Duration = Duration::from_secs(300);
/// Between two requests for a snapshot: openraft makes one at a time, and forgets other requests.
const SNAPSHOT_ASK_EVERY: Duration = Duration::from_secs(1);
/// A leader without a certain lease refuses entries, which is normal for some milliseconds after
/// its election. The write is retried this often, for half an accept's deadline.
const LEASE_RETRY: Duration = Duration::from_millis(5);
const LEASE_TRIES_MAX: u32 = 100;
/// Pages that redb keeps: entries are cached as values, so few pages are read twice.
const DATABASE_CACHE_BYTES: usize = 4 * 1024 * 1024;
/// A snapshot is due when this much was appended since the last one. The log holds at most twice as
/// much: a start reads that in well under a second.
const SNAPSHOT_EVERY_BYTES: u64 = 32 * 1024 * 1024;
pub(super) const LOG_FILE: &str = "log.redb";
pub(super) const SNAPSHOT_FOLDER: &str = "snapshots";

/// Why openraft has stopped.
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub struct StopCause(#[from] Fatal<TypeConfig>);

/// Why a node could not be started. Nothing was accepted.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The log file cannot be used, or is in use.
    #[error("the log cannot be opened")]
    Log(#[source] LogFileError),
    /// The newest snapshot cannot be used.
    #[error("the state cannot be restored")]
    State(#[source] RestoreError),
    /// openraft's settings contradict each other.
    #[error("the consensus settings are invalid")]
    Settings(#[source] openraft::ConfigError),
    /// openraft found the stores unusable, or failed at its first writes.
    #[error("the consensus could not be started")]
    Stopped(#[source] StopCause),
    /// The log belongs to a cluster with peers, which this node alone cannot lead.
    #[error("the log belongs to a cluster of {members}")]
    HasPeers { members: usize },
    /// No leadership in time: the log belongs to another node, or the disk does not answer.
    #[error("no leadership within {} s", LEADER_WITHIN.as_secs())]
    NoLeader,
}

/// Why an entry was not confirmed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WriteError {
    /// This node does not lead. The entry is not in the log.
    #[error("this node is not the leader")]
    NotLeader,
    /// Leadership was lost while the entry was in progress: it may or may not be in the log.
    #[error("leadership was lost before the entry was confirmed")]
    Unconfirmed,
    /// The node has stopped. The entry may or may not be in the log.
    #[error("the consensus has stopped")]
    Stopped(#[source] StopCause),
}

/// Why no snapshot was made, or the log before it was not purged. The state is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum CompactError {
    /// The node has stopped.
    #[error("the consensus has stopped")]
    Stopped(#[source] StopCause),
    /// The snapshot was not finished in time.
    #[error("no snapshot within {} s", SNAPSHOT_WITHIN.as_secs())]
    TimedOut,
    /// The snapshots cannot be listed, or the newest cannot be opened.
    #[error("the snapshots cannot be read")]
    Disk(#[source] io::Error),
    /// There is no state yet.
    #[error("nothing was applied yet")]
    Empty,
}

/// A written and applied entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub index: u64,
    /// One for each command.
    pub answers: Vec<Applied>,
}

/// A running openraft node. Clones share it.
#[derive(Clone)]
pub struct RaftNode {
    pub(super) raft: Raft<TypeConfig, AppliedState>,
    log: LogStore,
    pub(super) state: AppliedState,
    pub(super) network: PeerNetwork,
    pub(super) id: NodeId,
}

impl RaftNode {
    /// Starts a node over the files in `folder`, or in memory; a new one forms a cluster of one.
    /// When this returns, everything that an earlier life confirmed is applied.
    ///
    /// # Errors
    /// A store cannot be used, or the node could not become leader.
    pub async fn start_single_node(id: NodeId, folder: Option<&Path>) -> Result<Self, OpenError> {
        let node = Self::start(id, folder, PeerNetwork::new(None), ELECTION_MIN).await?;
        let members = node.raft.with_raft_state(|state| {
            state.membership_state.effective().membership().nodes().count()
        });
        let members = members.await.map_err(|fatal| OpenError::Stopped(fatal.into()))?;
        if members > 1 {
            node.shutdown().await;
            return Err(OpenError::HasPeers { members });
        }
        node.lead_alone().await
    }

    /// Starts a node over the files in `folder`, or in memory, that reaches others by `network`. A
    /// new one belongs to no cluster yet.
    ///
    /// # Errors
    /// A store cannot be used.
    pub async fn start(
        id: NodeId,
        folder: Option<&Path>,
        network: PeerNetwork,
        election_min: Duration,
    ) -> Result<Self, OpenError> {
        let snapshots = match folder {
            Some(folder) => SnapshotStore::in_folder(folder.join(SNAPSHOT_FOLDER)),
            None => Ok(SnapshotStore::in_memory()),
        };
        let snapshots = snapshots.map_err(|error| OpenError::State(RestoreError::Store(error)))?;
        let state = AppliedState::open(snapshots).map_err(OpenError::State)?;
        let database = undamaged(|| open_database(folder)).map_err(OpenError::Log)?;
        Self::over(id, database, state, (network, election_min)).await
    }

    async fn over(
        id: NodeId,
        database: Database,
        state: AppliedState,
        (network, election_min): (PeerNetwork, Duration),
    ) -> Result<Self, OpenError> {
        let applied = state.clone();
        let checks = move || applied.read(|state| state.has_reached(FeatureLevel::SECOND));
        let log = undamaged(|| LogStore::open(database, state.last(), checks));
        let log = log.map_err(OpenError::Log)?;
        let config = config(election_min).validate().map_err(OpenError::Settings)?;
        let raft =
            Raft::new(id.0, Arc::new(config), network.clone(), log.clone(), state.clone()).await;
        let raft = raft.map_err(|fatal| OpenError::Stopped(fatal.into()))?;
        Ok(Self { raft, log, state, network, id })
    }

    async fn lead_alone(self) -> Result<Self, OpenError> {
        if let Err(error) = self.lead().await {
            self.shutdown().await;
            return Err(error);
        }
        Ok(self)
    }

    /// A cluster of one has no peer to wait for.
    async fn lead(&self) -> Result<(), OpenError> {
        let stopped = |fatal: Fatal<TypeConfig>| OpenError::Stopped(fatal.into());
        if self.raft.is_initialized().await.map_err(stopped)? {
            self.raft.trigger().elect(false).await.map_err(stopped)?;
        } else {
            let members = BTreeMap::from([(self.id, MemberNode::default())]);
            self.form(members).await.map_err(OpenError::Stopped)?;
        }
        let leading = self
            .raft
            .wait(Some(LEADER_WITHIN))
            .state(ServerState::Leader, "a cluster of one elects itself")
            .await;
        leading.map_err(|_| OpenError::NoLeader)?;
        // Confirms the leadership and everything an earlier life had in its log.
        match self.raft.write_blank().await {
            Ok(_) => Ok(()),
            Err(RaftError::Fatal(fatal)) => Err(stopped(fatal)),
            Err(RaftError::APIError(_)) => Err(OpenError::NoLeader),
        }
    }

    /// Writes an entry and waits until it is applied here. Takes as long as the disk does; the
    /// caller sets the deadline.
    ///
    /// # Errors
    /// The entry was not confirmed; the variants say whether it may be in the log.
    pub async fn write(&self, proposal: LogEntry) -> Result<Written, WriteError> {
        for _ in 0..LEASE_TRIES_MAX {
            match self.raft.client_write(proposal.clone()).await {
                Ok(response) => {
                    let (index, answers) = (response.log_id.index, response.data.0);
                    return Ok(Written { index, answers });
                }
                Err(RaftError::Fatal(fatal)) => return Err(WriteError::Stopped(fatal.into())),
                Err(RaftError::APIError(ClientWriteError::ForwardToLeader(forward)))
                    if forward.reason == ForwardReason::LeaseExpired =>
                {
                    tokio::time::sleep(LEASE_RETRY).await;
                }
                Err(RaftError::APIError(ClientWriteError::LogEntryDiscarded(_))) => {
                    return Err(WriteError::Unconfirmed);
                }
                Err(RaftError::APIError(
                    ClientWriteError::ForwardToLeader(_)
                    | ClientWriteError::ChangeMembershipError(_)
                    | ClientWriteError::PreconditionFailed(_),
                )) => return Err(WriteError::NotLeader),
            }
        }
        Err(WriteError::NotLeader)
    }

    /// This node's id.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Reads the applied state. Apply waits meanwhile: keep it short.
    pub fn read<T>(&self, look: impl FnOnce(&StateMachine) -> T) -> T {
        self.state.read(look)
    }

    /// Reads the applied state together with the index of its last entry.
    pub fn read_indexed<T>(&self, look: impl FnOnce(u64, &StateMachine) -> T) -> T {
        self.state.read_indexed(look)
    }

    /// The index of the last applied entry, and a signal for each one.
    #[must_use]
    pub fn applied(&self) -> watch::Receiver<u64> {
        self.state.applied()
    }

    /// The changes of all entries applied from now on.
    #[must_use]
    pub fn changes(&self) -> ChangeStream {
        self.state.changes()
    }

    /// Digests of the state at the newest checkpoints, the newest first.
    #[must_use]
    pub fn checkpoints(&self) -> Vec<StateDigest> {
        self.state.checkpoints()
    }

    /// Set once, with the reason, when the disk has failed.
    #[must_use]
    pub fn disk_failed(&self) -> watch::Receiver<Option<Arc<io::Error>>> {
        self.log.failed()
    }

    /// Returns when openraft has stopped, for any reason.
    pub async fn stopped(&self) -> StopCause {
        let mut metrics = self.raft.metrics();
        loop {
            let running = metrics.borrow_watched().running_state.clone();
            if let Err(fatal) = running {
                return fatal.into();
            }
            if metrics.changed().await.is_err() {
                return Fatal::Stopped.into();
            }
        }
    }

    /// Whether enough was appended for a snapshot.
    #[must_use]
    pub fn is_snapshot_due(&self) -> bool {
        self.log.unsnapshotted_bytes() >= SNAPSHOT_EVERY_BYTES
    }

    /// Makes a snapshot of the applied state and purges the log up to the previous snapshot.
    ///
    /// # Errors
    /// No snapshot was made, or the log was not purged.
    pub async fn compact(&self) -> Result<(), CompactError> {
        let stopped = |fatal: Fatal<TypeConfig>| CompactError::Stopped(fatal.into());
        let bytes = self.log.unsnapshotted_bytes();
        let applied = self.state.last();
        let making = async {
            loop {
                // openraft ignores this request while it makes another snapshot, which may end
                // before `applied`.
                self.raft.trigger().snapshot().await?;
                let waiting = self.raft.wait(Some(SNAPSHOT_ASK_EVERY));
                let made = waiting.metrics(|metrics| metrics.snapshot >= applied, "snapshot");
                if made.await.is_ok() {
                    return Ok(());
                }
            }
        };
        let made = tokio::time::timeout(SNAPSHOT_WITHIN, making).await;
        made.map_err(|_| CompactError::TimedOut)?.map_err(stopped)?;
        self.log.note_snapshot(bytes);
        let oldest = self.state.oldest_snapshot_index().map_err(CompactError::Disk)?;
        if let Some(upto) = oldest {
            self.raft.trigger().purge_log(upto).await.map_err(stopped)?;
        }
        Ok(())
    }

    /// Makes a snapshot of the applied state and opens its file.
    ///
    /// # Errors
    /// There is nothing to keep, or no snapshot was made, or the disk refuses.
    pub async fn open_snapshot(&self) -> Result<SnapshotFile, CompactError> {
        if self.state.last().is_none() {
            return Err(CompactError::Empty);
        }
        self.compact().await?;
        let opened = self.state.open_newest_snapshot().map_err(CompactError::Disk)?;
        opened.ok_or(CompactError::Empty)
    }

    /// Starts a node over a test's database.
    #[cfg(test)]
    pub(crate) async fn over_database(id: NodeId, database: Database) -> Result<Self, OpenError> {
        let state = AppliedState::open(SnapshotStore::in_memory()).unwrap();
        let alone = (PeerNetwork::new(None), ELECTION_MIN);
        Self::over(id, database, state, alone).await?.lead_alone().await
    }

    /// Waits until entries before a snapshot were purged.
    #[cfg(test)]
    pub(crate) async fn purged(&self, within: Duration) -> u64 {
        let wait = self.raft.wait(Some(within));
        let metrics = wait.metrics(|metrics| metrics.purged.is_some(), "purged").await.unwrap();
        metrics.purged.unwrap().index
    }

    /// Stops the node and frees its files.
    pub async fn shutdown(&self) {
        // The error says that the core panicked; `stopped` has already reported that.
        let _ = self.raft.shutdown().await;
        self.log.close().await;
    }
}

/// Opens a part of the log. redb panics on some kinds of damage.
fn undamaged<T>(open: impl FnOnce() -> Result<T, LogFileError>) -> Result<T, LogFileError> {
    catch_unwind(AssertUnwindSafe(open)).unwrap_or(Err(LogFileError::Damaged))
}

pub(super) fn open_database(folder: Option<&Path>) -> Result<Database, LogFileError> {
    let mut builder = Database::builder();
    builder.set_cache_size(DATABASE_CACHE_BYTES);
    let opened = match folder {
        Some(folder) => {
            let file = folder.join(LOG_FILE);
            log_file::create(&file).map_err(LogFileError::Disk)?;
            builder.open(file)
        }
        None => builder.create_with_backend(redb::backends::InMemoryBackend::new()),
    };
    opened.map_err(|error| LogFileError::Disk(io_error(error)))
}
