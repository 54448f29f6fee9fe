//! Where a node keeps its snapshots: the newest, and the previous one in case the disk damages the
//! newest. The log is purged only up to the older one, so that either is enough to start.

use super::snapshot_file::{SnapshotError, decode_meta};
use super::types::SnapshotMeta;
use crate::cluster::data_dir::durable::write_durably;
use crate::cluster::data_dir::files;
use parking_lot::Mutex;
use std::io;
use std::path::{Path, PathBuf};

const KEPT: usize = 2;
const EXTENSION: &str = "snapshot";

/// Why the newest snapshot cannot be used. Nothing was changed; the previous one is used if the
/// file is moved away.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotStoreError {
    /// The folder or a file in it cannot be read.
    #[error("{path} cannot be read")]
    Disk {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The newest snapshot is damaged, or of another version.
    #[error("{path} cannot be used")]
    Unusable {
        path: PathBuf,
        #[source]
        source: SnapshotError,
    },
}

/// A kept snapshot, to be read from its beginning. It stays readable after a newer one replaces it.
pub struct SnapshotFile {
    /// The index of the last entry in it.
    pub index: u64,
    /// Its length.
    pub bytes: u64,
    pub content: Box<dyn io::Read + Send>,
}

/// The snapshots of one node.
#[derive(Debug)]
pub enum SnapshotStore {
    /// Files in this folder.
    Folder(PathBuf),
    /// The newest one, for as long as the process lives.
    Memory(Mutex<Option<(SnapshotMeta, Vec<u8>)>>),
}

impl SnapshotStore {
    /// A store that is lost when the process ends.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::Memory(Mutex::new(None))
    }

    /// A store in `folder`, which is created if needed.
    ///
    /// # Errors
    /// The folder cannot be created or read.
    pub fn in_folder(folder: PathBuf) -> Result<Self, SnapshotStoreError> {
        let opened = files::create_folder(&folder).and_then(|()| remove_unfinished(&folder));
        match opened {
            Ok(()) => Ok(Self::Folder(folder)),
            Err(source) => Err(SnapshotStoreError::Disk { path: folder, source }),
        }
    }

    /// Keeps a snapshot; older ones are removed once it is on disk.
    ///
    /// # Errors
    /// The disk refuses; older snapshots are unchanged.
    pub fn keep(&self, meta: &SnapshotMeta, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Folder(folder) => {
                let index = meta.last_log_id.map_or(0, |id| id.index);
                write_durably(&folder.join(format!("{index:020}.{EXTENSION}")), bytes)?;
                let files = snapshots(folder)?;
                for (_, old) in files.iter().rev().skip(KEPT) {
                    std::fs::remove_file(old)?;
                }
            }
            Self::Memory(newest) => {
                let mut newest = newest.lock();
                // A newer one may have been installed during the build of this one.
                if newest.as_ref().is_none_or(|(kept, _)| kept.last_log_id <= meta.last_log_id) {
                    *newest = Some((meta.clone(), bytes.to_vec()));
                }
            }
        }
        Ok(())
    }

    /// The newest snapshot, if there is one. Its checksum is verified.
    ///
    /// # Errors
    /// The newest cannot be read or is damaged. An older one is never used on its own accord: an
    /// operator must learn that the disk loses data.
    pub fn newest(&self) -> Result<Option<(SnapshotMeta, Vec<u8>)>, SnapshotStoreError> {
        let folder = match self {
            Self::Folder(folder) => folder,
            Self::Memory(newest) => {
                return Ok(newest.lock().clone());
            }
        };
        let disk = |path: &Path, source| SnapshotStoreError::Disk { path: path.to_owned(), source };
        let files = snapshots(folder).map_err(|source| disk(folder, source))?;
        let Some((_, path)) = files.into_iter().next_back() else { return Ok(None) };
        let bytes = std::fs::read(&path).map_err(|source| disk(&path, source))?;
        match decode_meta(&bytes) {
            Ok(meta) => Ok(Some((meta, bytes))),
            Err(source) => Err(SnapshotStoreError::Unusable { path, source }),
        }
    }

    /// Opens the newest snapshot, if there is one, without checking it.
    ///
    /// # Errors
    /// The folder or the file cannot be read.
    pub fn open_newest(&self) -> io::Result<Option<SnapshotFile>> {
        match self {
            Self::Folder(folder) => {
                let Some((index, path)) = snapshots(folder)?.pop() else { return Ok(None) };
                let file = std::fs::File::open(path)?;
                let bytes = file.metadata()?.len();
                Ok(Some(SnapshotFile { index, bytes, content: Box::new(file) }))
            }
            Self::Memory(newest) => {
                let newest = newest.lock().clone();
                Ok(newest.map(|(meta, content)| SnapshotFile {
                    index: meta.last_log_id.map_or(0, |id| id.index),
                    bytes: u64::try_from(content.len()).unwrap_or(u64::MAX),
                    content: Box::new(io::Cursor::new(content)),
                }))
            }
        }
    }

    /// The index at which the oldest kept snapshot ends: the log before it is not needed.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn oldest_index(&self) -> io::Result<Option<u64>> {
        match self {
            Self::Folder(folder) => Ok(snapshots(folder)?.first().map(|(index, _)| *index)),
            Self::Memory(newest) => {
                let newest = newest.lock();
                let last = newest.as_ref().and_then(|(meta, _)| meta.last_log_id);
                Ok(last.map(|id| id.index))
            }
        }
    }
}

/// Snapshot files by the log index in their name, ascending.
fn snapshots(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let is_snapshot = path.extension().is_some_and(|extension| extension == EXTENSION);
        let index = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
        if let (true, Some(index)) = (is_snapshot, index) {
            files.push((index, path));
        }
    }
    files.sort();
    Ok(files)
}

/// Removes the files of a process that died while writing a snapshot.
fn remove_unfinished(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "tmp") {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::snapshot_file::encode;
    use super::super::types::LogId;
    use super::*;
    use crate::state_machine::StateMachine;

    fn keep(store: &SnapshotStore, index: u64) -> SnapshotMeta {
        let last_log_id = Some(LogId { leader_id: 1_u64.into(), index });
        let meta = SnapshotMeta { last_log_id, ..SnapshotMeta::default() };
        store.keep(&meta, &encode(&meta, &StateMachine::default()).unwrap()).unwrap();
        meta
    }

    #[test]
    fn the_newest_two_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let store = SnapshotStore::in_folder(folder.path().to_owned()).unwrap();
        // Ten sorts after nine; plain numbers in names would not.
        let kept: Vec<_> = [8, 9, 10, 11].map(|index| keep(&store, index)).into();
        assert_eq!(store.newest().unwrap().unwrap().0, kept[3]);
        assert_eq!(store.oldest_index().unwrap(), Some(10));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), KEPT);
    }

    #[test]
    fn a_damaged_newest_is_refused_by_name_and_not_replaced_silently() {
        let folder = tempfile::tempdir().unwrap();
        let store = SnapshotStore::in_folder(folder.path().to_owned()).unwrap();
        let older = keep(&store, 1);
        keep(&store, 2);
        let newest = folder.path().join(format!("{:020}.snapshot", 2));
        let mut bytes = std::fs::read(&newest).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&newest, bytes).unwrap();
        let error = store.newest().unwrap_err();
        assert!(error.to_string().contains("00000002.snapshot"), "{error}");
        assert!(matches!(
            error,
            SnapshotStoreError::Unusable { source: SnapshotError::Checksum, .. }
        ));
        std::fs::remove_file(newest).unwrap();
        assert_eq!(store.newest().unwrap().unwrap().0, older);
    }

    #[test]
    fn what_was_left_unfinished_is_cleared_away() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("00000000000000000007.tmp"), "half").unwrap();
        let store = SnapshotStore::in_folder(folder.path().to_owned()).unwrap();
        assert!(store.newest().unwrap().is_none());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_newest_is_read_as_it_is_kept_also_when_it_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        for store in [
            SnapshotStore::in_folder(folder.path().to_owned()).unwrap(),
            SnapshotStore::in_memory(),
        ] {
            assert!(store.open_newest().unwrap().is_none());
            keep(&store, 9);
            let newest = keep(&store, 10);
            let mut opened = store.open_newest().unwrap().unwrap();
            for index in 11..14 {
                keep(&store, index);
            }
            let mut bytes = Vec::new();
            opened.content.read_to_end(&mut bytes).unwrap();
            assert_eq!((opened.index, opened.bytes), (10, bytes.len() as u64));
            assert_eq!(decode_meta(&bytes).unwrap(), newest);
        }
    }

    #[test]
    fn a_store_in_memory_keeps_the_newest() {
        let store = SnapshotStore::in_memory();
        assert_eq!(store.oldest_index().unwrap(), None);
        keep(&store, 1);
        let newest = keep(&store, 2);
        assert_eq!(store.newest().unwrap().unwrap().0, newest);
        assert_eq!(store.oldest_index().unwrap(), Some(2));
    }
}
