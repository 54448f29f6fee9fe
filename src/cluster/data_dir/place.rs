//! Whether a data directory is the original or a copy. A copied file is another file, with another
//! inode number. A copy lacks what the original acknowledged later, and its boot number alone does
//! not always show it (rule 23).
//!
//! The device number is not compared: the same volume has another one on another machine.

use super::durable::write_durably;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Holds the inode number of the directory's lock file.
pub(in crate::cluster) const PLACE_FILE: &str = "place";

/// Whether `folder` is a copy, by its lock file. A directory of a version that kept no number
/// counts as the original, and its number is stored.
///
/// # Errors
/// The disk refuses.
pub(in crate::cluster) fn is_copy(folder: &Path, lock: &File) -> io::Result<bool> {
    let file = folder.join(PLACE_FILE);
    let own = lock.metadata()?.ino().to_string();
    match std::fs::read_to_string(&file) {
        Ok(known) => Ok(known != own),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            note(folder, lock)?;
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Marks `folder` as the original from now on.
///
/// # Errors
/// The disk refuses.
pub(in crate::cluster) fn note(folder: &Path, lock: &File) -> io::Result<()> {
    let own = lock.metadata()?.ino().to_string();
    write_durably(&folder.join(PLACE_FILE), own.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::directory::{DataDirectory, IdleDirectory};
    use super::super::identity::{ClusterId, IdentityError};
    use super::*;

    fn copied(from: &Path, to: &Path) {
        std::fs::create_dir(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }

    #[test]
    fn rule_23_a_directory_that_was_copied_file_by_file_is_not_started() {
        let folder = tempfile::tempdir().unwrap();
        let (original, copy) = (folder.path().join("a"), folder.path().join("b"));
        DataDirectory::open(&original).unwrap().join(ClusterId(7)).unwrap();
        copied(&original, &copy);
        let before = std::fs::read(copy.join("identity.json")).unwrap();
        let opened = DataDirectory::open(&copy);
        assert!(matches!(opened, Err(IdentityError::Copy { .. })), "{opened:?}");
        assert_eq!(std::fs::read(copy.join("identity.json")).unwrap(), before);
        // The original stays the original under another name.
        let moved = folder.path().join("c");
        std::fs::rename(&original, &moved).unwrap();
        assert_eq!(DataDirectory::open(&moved).unwrap().identity().boot, 2);
        // An operator may override the check.
        std::fs::remove_file(copy.join(PLACE_FILE)).unwrap();
        assert_eq!(DataDirectory::open(&copy).unwrap().identity().boot, 2);
    }

    #[test]
    fn a_copy_of_a_directory_that_belongs_to_no_cluster_harms_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let (original, copy) = (folder.path().join("a"), folder.path().join("b"));
        drop(DataDirectory::open(&original).unwrap());
        copied(&original, &copy);
        assert_eq!(DataDirectory::open(&copy).unwrap().identity().boot, 2);
    }

    #[test]
    fn a_directory_of_a_cluster_that_lost_its_log_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        DataDirectory::open(folder.path()).unwrap().join(ClusterId(7)).unwrap();
        let begun = IdleDirectory::open(folder.path()).unwrap().begin_with_log();
        let error = begun.unwrap_err();
        assert!(matches!(error, IdentityError::LogMissing { .. }), "{error:?}");
        assert!(error.to_string().contains("lacks log.redb"), "{error}");
        std::fs::write(folder.path().join("log.redb"), "").unwrap();
        assert!(IdleDirectory::open(folder.path()).unwrap().begin_with_log().is_ok());
    }

    #[test]
    fn a_snapshot_without_a_log_is_refused_too() {
        let folder = tempfile::tempdir().unwrap();
        drop(DataDirectory::open(folder.path()).unwrap());
        std::fs::create_dir(folder.path().join("snapshots")).unwrap();
        assert!(IdleDirectory::open(folder.path()).unwrap().begin_with_log().is_ok());
        std::fs::write(folder.path().join("snapshots/1.snapshot"), "state").unwrap();
        let begun = IdleDirectory::open(folder.path()).unwrap().begin_with_log();
        assert!(matches!(begun, Err(IdentityError::LogMissing { .. })), "{begun:?}");
    }
}
