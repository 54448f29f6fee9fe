//! Who this node is: an identity that belongs to the data directory, never to a pod's ordinal.
//!
//! The directory is locked by one process at a time. Its boot number is raised and on disk
//! before anything else happens, so that no life of the node is ever mistaken for another.

use super::succession;
use crate::state_machine::NodeId;
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Version of the data directory that this build reads and writes.
const FORMAT: u32 = 1;
/// The oldest format that this build reads. No version wrote an older one.
const FORMAT_MIN: u32 = 1;
const LOCK_FILE: &str = "lock";
pub(super) const IDENTITY_FILE: &str = "identity.json";
/// Files that a directory with an identity holds besides: never without one.
const LOG_FILES: [&str; 2] = ["log.redb", "snapshots"];
/// Identity of a cluster: random, drawn when it is formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(pub u64);

/// 16 hexadecimal digits.
impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The form that `Display` writes.
impl Serialize for ClusterId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Why a data directory cannot be used. It was not changed, except as a variant says.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Another process works on the directory.
    #[error("data directory {path} is in use by another process")]
    InUse { path: PathBuf },
    /// The directory was written by a newer version.
    #[error("data directory {path} has format {found}, this version reads up to {FORMAT}")]
    NewerFormat { path: PathBuf, found: u32 },
    /// No version ever wrote this format, or one that this version no longer reads.
    #[error("data directory {path} has format {found}, this version reads from {FORMAT_MIN}")]
    UnknownFormat { path: PathBuf, found: u32 },
    /// The identity file is not what it has to be.
    #[error("{path} is not an identity file")]
    Malformed {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    /// There is a log but no identity: a new one would be a stranger to that log.
    #[error("data directory {path} has a log but lacks {IDENTITY_FILE}")]
    Missing { path: PathBuf },
    /// The disk refused. The boot number may have been raised, which is harmless.
    #[error("data directory {path} cannot be used")]
    Disk {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The operating system has no randomness to give.
    #[error("no randomness for an identity")]
    NoRandomness(#[source] getrandom::Error),
}

impl ClusterId {
    /// The id of a cluster that is about to be formed.
    ///
    /// # Errors
    /// The operating system has no randomness to give.
    pub fn draw() -> Result<Self, IdentityError> {
        draw_id().map(Self)
    }
}

/// Never zero, which stands for "none" in messages.
fn draw_id() -> Result<u64, IdentityError> {
    Ok(getrandom::u64().map_err(IdentityError::NoRandomness)?.max(1))
}

/// What every format has.
#[derive(Debug, Deserialize)]
struct Versioned {
    format: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct IdentityFile {
    format: u32,
    node_id: String,
    /// Absent until the node formed or joined a cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cluster_id: Option<String>,
    boot: u64,
}

/// Who a node is, in one of its lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    pub node_id: NodeId,
    /// `None` until the node formed or joined a cluster.
    pub cluster_id: Option<ClusterId>,
    /// Number of this life of the node, from 1.
    pub boot: u64,
}

impl Identity {
    /// A node that nobody has seen before, before its first life.
    ///
    /// # Errors
    /// The operating system has no randomness to give.
    pub fn draw() -> Result<Self, IdentityError> {
        Ok(Self { node_id: NodeId(draw_id()?), cluster_id: None, boot: 0 })
    }
}

/// A locked data directory in which no life begins. The lock ends when this is dropped.
#[derive(Debug)]
pub(super) struct IdleDirectory {
    /// Who the node was in its last life; `None` in a directory that never had one.
    pub identity: Option<Identity>,
    /// Where the files of a node are that was over already, if they were moved just now.
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
        let set_aside = succession::settle(path).map_err(disk)?;
        let identity = read_identity(path)?;
        Ok(Self { identity, set_aside, path: path.to_owned(), _lock: lock })
    }

    /// Starts a new life in the directory.
    ///
    /// # Errors
    /// The disk refuses, or there is no randomness for a new node.
    pub fn begin(self) -> Result<DataDirectory, IdentityError> {
        let Self { identity: before, path, _lock, .. } = self;
        let before = match before {
            Some(identity) => identity,
            None => Identity::draw()?,
        };
        let identity = Identity { boot: before.boot + 1, ..before };
        let disk = |source| IdentityError::Disk { path: path.clone(), source };
        write_identity(&path, &identity).map_err(disk)?;
        Ok(DataDirectory { path, identity: Mutex::new(identity), _lock })
    }
}

/// A locked data directory with its identity. The lock ends when this is dropped.
#[derive(Debug)]
pub struct DataDirectory {
    path: PathBuf,
    identity: Mutex<Identity>,
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

    /// Who this node is.
    #[must_use]
    pub fn identity(&self) -> Identity {
        *self.identity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes this node one of `cluster`, durably. A node belongs to one cluster for life.
    ///
    /// # Errors
    /// The disk refuses; the node may or may not belong to the cluster at its next start.
    pub fn join(&self, cluster: ClusterId) -> io::Result<()> {
        let mut identity = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        if identity.cluster_id.is_some() {
            return Ok(());
        }
        let joined = Identity { cluster_id: Some(cluster), ..*identity };
        write_identity(&self.path, &joined)?;
        *identity = joined;
        Ok(())
    }

    /// Has the next start put everything here aside and begin as a new node: this one was removed
    /// from its cluster, or its directory is a copy.
    ///
    /// # Errors
    /// The disk refuses; the next start is one of the same node.
    pub fn set_aside(&self) -> io::Result<()> {
        succession::mark_as_over(&self.path)
    }
}

fn create_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    std::fs::create_dir_all(path)?;
    sync_parent(path)
}

fn lock(path: &Path) -> Result<File, IdentityError> {
    let disk = |source| IdentityError::Disk { path: path.to_owned(), source };
    let lock = OpenOptions::new()
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

/// The identity of the last life; `None` in a directory that never had one.
pub(super) fn read_identity(folder: &Path) -> Result<Option<Identity>, IdentityError> {
    let path = folder.join(IDENTITY_FILE);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let has_log = LOG_FILES.iter().any(|name| folder.join(name).exists());
            return if has_log {
                Err(IdentityError::Missing { path: folder.to_owned() })
            } else {
                Ok(None)
            };
        }
        Err(source) => return Err(IdentityError::Disk { path, source }),
    };
    let malformed = |source| IdentityError::Malformed { path: path.clone(), source };
    // The format first: another one may have other fields.
    let Versioned { format } = serde_json::from_slice(&text).map_err(malformed)?;
    let (path_of_folder, found) = (folder.to_owned(), format);
    if format > FORMAT {
        return Err(IdentityError::NewerFormat { path: path_of_folder, found });
    }
    if format < FORMAT_MIN {
        return Err(IdentityError::UnknownFormat { path: path_of_folder, found });
    }
    let file: IdentityFile = serde_json::from_slice(&text).map_err(malformed)?;
    let id = |text: &str| {
        let parsed = u64::from_str_radix(text, 16);
        parsed.map_err(|error| malformed(serde::de::Error::custom(error)))
    };
    Ok(Some(Identity {
        node_id: NodeId(id(&file.node_id)?),
        cluster_id: file.cluster_id.as_deref().map(id).transpose()?.map(ClusterId),
        boot: file.boot,
    }))
}

/// Makes this the identity of a folder, durably.
///
/// # Errors
/// The disk refuses; the folder has the old identity, or already the new one.
pub(super) fn write_identity(folder: &Path, identity: &Identity) -> io::Result<()> {
    let file = IdentityFile {
        format: FORMAT,
        node_id: identity.node_id.to_string(),
        cluster_id: identity.cluster_id.map(|id| id.to_string()),
        boot: identity.boot,
    };
    write_durably(&folder.join(IDENTITY_FILE), &serde_json::to_vec(&file)?)
}

/// Replaces a file so that after a power cut it holds either the old or the new content.
///
/// # Errors
/// The disk refuses; the file has the old content, or already the new one.
pub fn write_durably(file: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = file.with_extension("tmp");
    let mut opened = File::create(&temporary)?;
    opened.write_all(content)?;
    opened.sync_all()?;
    std::fs::rename(&temporary, file)?;
    sync_parent(file)
}

/// Makes a new name durable: it is on disk only once its folder is.
///
/// # Errors
/// The folder cannot be opened, or the disk refuses.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ids_stay_and_the_boot_number_rises() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new");
        let first = DataDirectory::open(&path).unwrap().identity();
        let second = DataDirectory::open(&path).unwrap().identity();
        assert_eq!(first.boot, 1);
        assert_eq!(second, Identity { boot: 2, ..first });
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
