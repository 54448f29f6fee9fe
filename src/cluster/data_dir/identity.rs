//! The identity of a node. It belongs to the data directory, never to a pod's ordinal.

use super::durable::write_durably;
use crate::state_machine::NodeId;
use serde::{Deserialize, Serialize, Serializer};
use std::path::{Path, PathBuf};
use std::{fmt, io};

/// Version of the data directory that this build reads and writes.
const FORMAT: u32 = 1;
/// The oldest format that this build reads. No version wrote an older one.
const FORMAT_MIN: u32 = 1;
pub(in crate::cluster) const IDENTITY_FILE: &str = "identity.json";
/// The log of a node. Log and snapshots never exist without an identity.
pub(super) const LOG_FILE: &str = "log.redb";
pub(super) const SNAPSHOT_FOLDER: &str = "snapshots";
/// Identity of a cluster: random, generated when it is formed.
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
    /// Another process uses the directory.
    #[error("data directory {path} is in use by another process")]
    InUse { path: PathBuf },
    /// The directory was written by a newer version.
    #[error("data directory {path} has format {found}, this version reads up to {FORMAT}")]
    NewerFormat { path: PathBuf, found: u32 },
    /// No version ever wrote this format, or this version no longer reads it.
    #[error("data directory {path} has format {found}, this version reads from {FORMAT_MIN}")]
    UnknownFormat { path: PathBuf, found: u32 },
    /// The identity file has a wrong form.
    #[error("{path} is not an identity file")]
    Malformed {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    /// There is a log but no identity: a new identity would not belong to that log.
    #[error("data directory {path} has a log but lacks {IDENTITY_FILE}")]
    Missing { path: PathBuf },
    /// The directory is a copy of one that belongs to a cluster: the original may have acknowledged
    /// events that the copy lacks.
    #[error(
        "data directory {path} is a copy. To join as a new member, delete all in it but `spool`; to \
         begin a new cluster from it, `cluster recover`; if it is the original, on a file system that \
         numbers its files anew, delete the file `place` in it"
    )]
    Copy { path: PathBuf },
    /// The directory belongs to a cluster, or has a snapshot, and its log is missing: its vote and
    /// what it acknowledged after the snapshot are lost.
    #[error(
        "data directory {path} lacks {LOG_FILE}, which it had: to join as a new member, delete all in \
         it but `spool`; to begin a new cluster from its snapshot, `cluster recover`"
    )]
    LogMissing { path: PathBuf },
    /// The disk refused. The boot number may have been raised, which is harmless.
    #[error("data directory {path} cannot be used")]
    Disk {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The operating system provides no randomness.
    #[error("no randomness for an identity")]
    NoRandomness(#[source] getrandom::Error),
}

impl ClusterId {
    /// A new id for a cluster to be formed.
    ///
    /// # Errors
    /// The operating system provides no randomness.
    pub fn draw() -> Result<Self, IdentityError> {
        draw_id().map(Self)
    }
}

/// Never zero, which means "none" in messages.
fn draw_id() -> Result<u64, IdentityError> {
    Ok(getrandom::u64().map_err(IdentityError::NoRandomness)?.max(1))
}

/// The fields of every format.
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

/// The identity of a node in one of its lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeIdentity {
    pub node_id: NodeId,
    /// `None` until the node formed or joined a cluster.
    pub cluster_id: Option<ClusterId>,
    /// Number of this life of the node, from 1.
    pub boot: u64,
}

impl NodeIdentity {
    /// A new node before its first life.
    ///
    /// # Errors
    /// The operating system provides no randomness.
    pub fn draw() -> Result<Self, IdentityError> {
        Ok(Self { node_id: NodeId(draw_id()?), cluster_id: None, boot: 0 })
    }
}

/// The identity of the last life; `None` in a directory that never had one.
pub(in crate::cluster) fn read_identity(
    folder: &Path,
) -> Result<Option<NodeIdentity>, IdentityError> {
    let path = folder.join(IDENTITY_FILE);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let has_log = [LOG_FILE, SNAPSHOT_FOLDER].iter().any(|name| folder.join(name).exists());
            return if has_log {
                Err(IdentityError::Missing { path: folder.to_owned() })
            } else {
                Ok(None)
            };
        }
        Err(source) => return Err(IdentityError::Disk { path, source }),
    };
    let malformed = |source| IdentityError::Malformed { path: path.clone(), source };
    // The format first: another format may have other fields.
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
    Ok(Some(NodeIdentity {
        node_id: NodeId(id(&file.node_id)?),
        cluster_id: file.cluster_id.as_deref().map(id).transpose()?.map(ClusterId),
        boot: file.boot,
    }))
}

/// Makes this the identity of a folder, durably.
///
/// # Errors
/// The disk refuses; the folder has the old or the new identity.
pub(in crate::cluster) fn write_identity(folder: &Path, identity: &NodeIdentity) -> io::Result<()> {
    let file = IdentityFile {
        format: FORMAT,
        node_id: identity.node_id.to_string(),
        cluster_id: identity.cluster_id.map(|id| id.to_string()),
        boot: identity.boot,
    };
    write_durably(&folder.join(IDENTITY_FILE), &serde_json::to_vec(&file)?)
}
