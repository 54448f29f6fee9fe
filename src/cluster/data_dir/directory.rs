//! The data directory, locked by one process at a time. Its boot number is raised and on disk
//! before anything else happens, so that two lives of the node are never confused.

use super::durable::sync_parent;
use super::identity::{
    ClusterId, IdentityError, LOG_FILE, NodeIdentity, SNAPSHOT_FOLDER, read_identity,
    write_identity,
};
use super::{files, place, replace};
use parking_lot::Mutex;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

const LOCK_FILE: &str = "lock";

/// A locked data directory without a running life. The lock ends when this is dropped.
#[derive(Debug)]
pub(in crate::cluster) struct IdleDirectory {
    /// The node's identity in its last life; `None` in a directory that never had one.
    pub identity: Option<NodeIdentity>,
    /// Where the files of a retired node are, if this call moved them.
    pub set_aside: Option<PathBuf>,
    path: PathBuf,
    _lock: File,
}

impl IdleDirectory {
    /// Locks the directory, creating it where needed.
    ///
    /// # Errors
    /// The directory is in use, of a newer format, damaged, or the disk refuses.
    pub fn open(path: &Path) -> Result<Self, IdentityError> {
        let disk = |source| IdentityError::Disk { path: path.to_owned(), source };
        create_folder(path).map_err(disk)?;
        let lock = lock(path)?;
        let set_aside = replace::settle(path).map_err(disk)?;
        let identity = read_identity(path)?;
        Ok(Self { identity, set_aside, path: path.to_owned(), _lock: lock })
    }

    /// Whether the log is missing although the node has a cluster or a snapshot.
    fn lost_its_log(&self) -> bool {
        let has_cluster = self.identity.is_some_and(|identity| identity.cluster_id.is_some());
        let snapshots = std::fs::read_dir(self.path.join(SNAPSHOT_FOLDER));
        let has_snapshot = snapshots.is_ok_and(|mut files| files.next().is_some());
        (has_cluster || has_snapshot) && !self.path.join(LOG_FILE).exists()
    }

    /// Starts a new life in the directory.
    ///
    /// # Errors
    /// Its log is missing; otherwise as for [`Self::begin`].
    pub fn begin_with_log(self) -> Result<DataDirectory, IdentityError> {
        if self.lost_its_log() {
            return Err(IdentityError::LogMissing { path: self.path });
        }
        self.begin()
    }

    /// Starts a new life in the directory.
    ///
    /// # Errors
    /// The disk refuses, or the system has no randomness for a new node.
    pub fn begin(self) -> Result<DataDirectory, IdentityError> {
        let Self { identity: before, path, _lock, .. } = self;
        let disk = |source| IdentityError::Disk { path: path.clone(), source };
        let is_copy = place::is_copy(&path, &_lock).map_err(disk)?;
        if is_copy && before.is_some_and(|identity| identity.cluster_id.is_some()) {
            return Err(IdentityError::Copy { path });
        }
        if is_copy {
            place::note(&path, &_lock).map_err(disk)?;
        }
        let before = match before {
            Some(identity) => identity,
            None => NodeIdentity::draw()?,
        };
        let identity = NodeIdentity { boot: before.boot + 1, ..before };
        write_identity(&path, &identity).map_err(disk)?;
        Ok(DataDirectory { path, identity: Mutex::new(identity), _lock })
    }
}

/// A locked data directory with its identity. The lock ends when this is dropped.
#[derive(Debug)]
pub struct DataDirectory {
    path: PathBuf,
    identity: Mutex<NodeIdentity>,
    _lock: File,
}

impl DataDirectory {
    /// Locks the directory, creating it where needed, and starts a new life in it.
    ///
    /// # Errors
    /// The directory is in use, of a newer format, damaged, or the disk refuses.
    pub fn open(path: &Path) -> Result<Self, IdentityError> {
        IdleDirectory::open(path)?.begin()
    }

    /// The directory itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The identity of this node.
    #[must_use]
    pub fn identity(&self) -> NodeIdentity {
        *self.identity.lock()
    }

    /// Makes this node a member of `cluster`, durably. A node belongs to one cluster for life.
    ///
    /// # Errors
    /// The disk refuses; the node may or may not belong to the cluster at its next start.
    pub fn join(&self, cluster: ClusterId) -> io::Result<()> {
        let mut identity = self.identity.lock();
        if identity.cluster_id.is_some() {
            return Ok(());
        }
        let joined = NodeIdentity { cluster_id: Some(cluster), ..*identity };
        write_identity(&self.path, &joined)?;
        *identity = joined;
        Ok(())
    }

    /// Makes the next start set aside all files here and begin as a new node: this one was removed
    /// from its cluster, or its directory is a copy.
    ///
    /// # Errors
    /// The disk refuses; the next start is one of the same node.
    pub fn set_aside(&self) -> io::Result<()> {
        replace::retire_directory(&self.path)
    }
}

fn create_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    files::create_folder(path)?;
    sync_parent(path)
}

fn lock(path: &Path) -> Result<File, IdentityError> {
    let disk = |source| IdentityError::Disk { path: path.to_owned(), source };
    let lock = files::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path.join(LOCK_FILE))
        .map_err(disk)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(IdentityError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(disk(source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::data_dir::identity::IDENTITY_FILE;

    #[test]
    fn the_ids_stay_and_the_boot_number_rises() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new");
        let first = DataDirectory::open(&path).unwrap().identity();
        let second = DataDirectory::open(&path).unwrap().identity();
        assert_eq!(first.boot, 1);
        assert_eq!(second, NodeIdentity { boot: 2, ..first });
    }

    #[test]
    fn two_directories_are_two_nodes() {
        let folder = tempfile::tempdir().unwrap();
        let node = |name| DataDirectory::open(&folder.path().join(name)).unwrap().identity();
        let (one, other) = (node("a"), node("b"));
        assert_ne!(one.node_id, other.node_id);
        assert_eq!((one.cluster_id, other.cluster_id), (None, None));
    }

    #[test]
    fn a_node_joins_one_cluster_for_life() {
        let folder = tempfile::tempdir().unwrap();
        let directory = DataDirectory::open(folder.path()).unwrap();
        directory.join(ClusterId(7)).unwrap();
        directory.join(ClusterId(8)).unwrap();
        assert_eq!(directory.identity().cluster_id, Some(ClusterId(7)));
        drop(directory);
        let again = DataDirectory::open(folder.path()).unwrap();
        assert_eq!(again.identity().cluster_id, Some(ClusterId(7)));
    }

    #[test]
    fn rule_23_a_directory_that_was_set_aside_becomes_a_new_node_and_keeps_its_spool() {
        let folder = tempfile::tempdir().unwrap();
        let directory = DataDirectory::open(folder.path()).unwrap();
        let before = directory.identity();
        std::fs::write(folder.path().join("log.redb"), "log").unwrap();
        std::fs::write(folder.path().join("spool"), "events").unwrap();
        directory.set_aside().unwrap();
        drop(directory);
        let after = DataDirectory::open(folder.path()).unwrap().identity();
        assert_ne!(after.node_id, before.node_id);
        assert_eq!((after.boot, after.cluster_id), (1, None));
        let content =
            |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap_or_default();
        let aside = format!("set-aside-{}-1/log.redb", before.node_id);
        assert_eq!(content(&aside), "log");
        assert_eq!((content("log.redb"), content("spool")), (String::new(), "events".to_owned()));
        let third = DataDirectory::open(folder.path()).unwrap().identity();
        assert_eq!(third.node_id, after.node_id);
    }

    #[test]
    fn a_second_process_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataDirectory::open(folder.path()).unwrap();
        let second = DataDirectory::open(folder.path());
        assert!(matches!(second, Err(IdentityError::InUse { .. })), "{second:?}");
        drop(first);
        assert_eq!(DataDirectory::open(folder.path()).unwrap().identity().boot, 2);
    }

    #[test]
    fn a_newer_format_is_refused_and_left_alone_whatever_else_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(IDENTITY_FILE);
        let newer = r#"{"format":2,"node":{"key":"aa"}}"#;
        std::fs::write(&file, newer).unwrap();
        let opened = DataDirectory::open(folder.path());
        assert!(matches!(opened, Err(IdentityError::NewerFormat { found: 2, .. })), "{opened:?}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), newer);
    }

    #[test]
    fn a_format_that_no_version_wrote_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(IDENTITY_FILE);
        let unknown = r#"{"format":0,"node_id":"00000000000000aa","boot":1}"#;
        std::fs::write(&file, unknown).unwrap();
        let error = DataDirectory::open(folder.path()).unwrap_err();
        assert!(matches!(error, IdentityError::UnknownFormat { found: 0, .. }), "{error:?}");
        assert!(error.to_string().ends_with("has format 0, this version reads from 1"), "{error}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), unknown);
    }

    #[test]
    fn a_broken_identity_is_never_replaced_by_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        for broken in ["{", r#"{"format":1,"node_id":"x","cluster_id":"1","boot":1}"#] {
            std::fs::write(folder.path().join(IDENTITY_FILE), broken).unwrap();
            let opened = DataDirectory::open(folder.path());
            assert!(matches!(opened, Err(IdentityError::Malformed { .. })), "{opened:?}");
        }
    }

    #[test]
    fn a_log_without_its_identity_gets_no_new_one() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("log.redb"), "").unwrap();
        let opened = DataDirectory::open(folder.path());
        assert!(matches!(opened, Err(IdentityError::Missing { .. })), "{opened:?}");
        assert!(!folder.path().join(IDENTITY_FILE).exists());
    }

    #[test]
    fn a_path_that_is_no_directory_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let opened = DataDirectory::open(file.path());
        assert!(matches!(opened, Err(IdentityError::Disk { .. })), "{opened:?}");
    }
}
