//! Makes a new cluster of one in a data directory, from its content or from a backup: the way out
//! when a quorum is lost for good. Works on a directory that no process uses, and sets the old
//! files aside.

use crate::cluster::data_dir::directory::IdleDirectory;
use crate::cluster::data_dir::identity::{ClusterId, IdentityError, NodeIdentity, write_identity};
use crate::cluster::data_dir::replace;
use crate::cluster::raft::{Offline, OfflineError};
use crate::state_machine::{Boot, Command, NodeId, SlotMove, StateMachine};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// What to recover, and from what.
#[derive(Clone, Debug)]
pub struct Recovery {
    pub data_dir: PathBuf,
    /// A snapshot file; `None`: the newest snapshot of the directory and the log after it.
    pub snapshot: Option<PathBuf>,
    /// Gives up entries that the directory has and the snapshot lacks.
    pub is_forced: bool,
}

/// The result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    pub node: NodeId,
    pub cluster: ClusterId,
    /// The index of the last log entry in the state.
    pub last_index: u64,
    /// Entries in it that no snapshot contained.
    pub entries_from_log: u64,
    /// Where the files of the old node are, if there was one.
    pub set_aside: Option<PathBuf>,
}

/// Why nothing was recovered. The directory is unchanged, except as a variant says.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The directory cannot be used.
    #[error("the data directory cannot be used")]
    Directory(#[source] IdentityError),
    /// There is no node in the directory.
    #[error("{path} holds no node: name a snapshot to begin from (--from-snapshot)")]
    NoNode { path: PathBuf },
    /// The node in the directory had been removed from its cluster, or was a copy. Its files were
    /// set aside, as the next start would have done.
    #[error(
        "the node in {path} was over and is in {set_aside} now: name a snapshot to begin from \
         (--from-snapshot)"
    )]
    Over { path: PathBuf, set_aside: PathBuf },
    /// The content of the directory cannot be used. If it is to be given up, it is unknown what
    /// would be lost.
    #[error(
        "{path} cannot be read: begin from a snapshot (--from-snapshot), and give up what the log has \
         besides (--force)"
    )]
    Unreadable {
        path: PathBuf,
        #[source]
        source: OfflineError,
    },
    /// The snapshot cannot be used.
    #[error("{path} is no usable snapshot")]
    Snapshot {
        path: PathBuf,
        #[source]
        source: OfflineError,
    },
    /// The snapshot file cannot be read.
    #[error("{path} cannot be read")]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The directory has more entries than the snapshot.
    #[error(
        "{path} has {entries} log entries after the snapshot, up to {last_index}: begin from the \
         directory itself (without --from-snapshot), or give them up (--force)"
    )]
    WouldLose { path: PathBuf, entries: u64, last_index: u64 },
    /// The disk refuses. The directory holds the old node or the new one. If neither can be
    /// started, the next start or recovery continues.
    #[error("{path} cannot be written")]
    Disk {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Makes the directory that of a new node, the only member of a new cluster. It has the state of
/// the old one with these changes: the lives of all old nodes are over, so their calls on the wire
/// are in doubt; the old nodes are retired; the new node owns all slots. The spool stays.
///
/// # Errors
/// Nothing was recovered; see [`RecoverError`].
pub fn recover(recovery: &Recovery) -> Result<Recovered, RecoverError> {
    let folder = recovery.data_dir.as_path();
    if recovery.snapshot.is_none() && !folder.is_dir() {
        return Err(RecoverError::NoNode { path: folder.to_owned() });
    }
    // Read before the directory is created.
    let snapshot = recovery.snapshot.as_deref().map(read_snapshot).transpose()?;
    let directory = IdleDirectory::open(folder).map_err(RecoverError::Directory)?;
    let known = directory.identity.map(|_| Offline::of_folder(folder));
    let offline = match (choose(snapshot, known, recovery), directory.set_aside.clone()) {
        (Err(RecoverError::NoNode { path }), Some(set_aside)) => {
            return Err(RecoverError::Over { path, set_aside });
        }
        (chosen, _) => chosen?,
    };
    let identity = NodeIdentity::draw().map_err(RecoverError::Directory)?;
    let cluster = ClusterId::draw().map_err(RecoverError::Directory)?;
    let identity = NodeIdentity { cluster_id: Some(cluster), ..identity };
    let (last_index, entries_from_log) = (offline.last_index(), offline.entries_in_log());
    let disk = |source| RecoverError::Disk { path: folder.to_owned(), source };
    let set_aside = pass_on(folder, offline, &identity).map_err(disk)?.or(directory.set_aside);
    Ok(Recovered { node: identity.node_id, cluster, last_index, entries_from_log, set_aside })
}

fn read_snapshot(file: &Path) -> Result<Offline, RecoverError> {
    let bytes = std::fs::read(file)
        .map_err(|source| RecoverError::File { path: file.to_owned(), source })?;
    Offline::of_snapshot(&bytes)
        .map_err(|source| RecoverError::Snapshot { path: file.to_owned(), source })
}

/// The initial state. `known` is the content of the directory; `None` if it has no node.
fn choose(
    snapshot: Option<Offline>,
    known: Option<Result<Offline, OfflineError>>,
    recovery: &Recovery,
) -> Result<Offline, RecoverError> {
    let path = recovery.data_dir.clone();
    match (snapshot, known) {
        (None, None) => Err(RecoverError::NoNode { path }),
        (None, Some(known)) => known.map_err(|source| RecoverError::Unreadable { path, source }),
        // A node that has not joined a cluster has nothing to lose.
        (Some(snapshot), None | Some(Err(OfflineError::Empty))) => Ok(snapshot),
        (Some(snapshot), Some(_)) if recovery.is_forced => Ok(snapshot),
        (Some(_), Some(Err(source))) => Err(RecoverError::Unreadable { path, source }),
        (Some(snapshot), Some(Ok(known))) => {
            let last_index = known.last_index();
            match last_index.saturating_sub(snapshot.last_index()) {
                0 => Ok(snapshot),
                entries => Err(RecoverError::WouldLose { path, entries, last_index }),
            }
        }
    }
}

/// Writes the new node, then lets it replace the old one.
fn pass_on(
    folder: &Path,
    offline: Offline,
    new_node: &NodeIdentity,
) -> io::Result<Option<PathBuf>> {
    let prepared = replace::stage_replacement(folder)?;
    let commands = taking_over(offline.state(), offline.members(), new_node.node_id);
    offline.begin_anew(&prepared, new_node.node_id, commands)?;
    write_identity(&prepared, new_node)?;
    replace::commit_replacement(folder)?;
    replace::settle(folder)
}

/// The commands by which `new_node` replaces all nodes. A boot number that none of them will ever
/// have ends their lives at once, whatever they were doing: they no longer exist.
fn taking_over(state: &StateMachine, members: &BTreeSet<NodeId>, new_node: NodeId) -> Vec<Command> {
    let last_boots = state.booted().filter_map(|node| {
        let number = state.boot_of(node)?.saturating_add(1);
        Some(Command::Boot(Boot { node, number, ended_while_planning: None }))
    });
    let moves = state.slots().map(|(slot, held)| SlotMove {
        slot,
        expected_epoch: held.epoch,
        to: new_node,
        is_forced: held.owner.is_some(),
    });
    let old: BTreeSet<NodeId> = state.booted().chain(members.iter().copied()).collect();
    let retired = old.into_iter().map(|node| Command::Retire { node });
    last_boots.chain([Command::Assign(moves.collect())]).chain(retired).collect()
}

#[cfg(test)]
#[path = "recover_test.rs"]
mod tests;
