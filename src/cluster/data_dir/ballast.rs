//! A file that reserves disk space (rule 15). The node deletes it when the disk is full. The next
//! start then has room to open the log, record deliveries, and make a snapshot.

use super::files;
use super::free_space::free_bytes;
use rustix::fs::FallocateFlags;
use std::io;
use std::path::{Path, PathBuf};

const FILE: &str = "ballast";
/// Room for the log until the next snapshot, and for that snapshot.
const BALLAST_BYTES: u64 = 64 * 1024 * 1024;

/// The ballast of one data directory.
#[derive(Debug)]
pub(in crate::cluster) struct Ballast {
    path: PathBuf,
}

impl Ballast {
    /// Allocates ballast if `free_bytes_min`, plus the size of the ballast, remain free. The relay
    /// works without ballast, so a failure is not an error.
    pub(in crate::cluster) fn load(folder: &Path, free_bytes_min: u64) -> Self {
        let ballast = Self { path: folder.join(FILE) };
        if ballast.bytes() == BALLAST_BYTES {
            return ballast;
        }
        let has_room = free_bytes(folder).is_some_and(|free| has_room(free, free_bytes_min));
        if !has_room || ballast.write().is_err() {
            ballast.give_up();
        }
        ballast
    }

    /// Reserved bytes.
    pub(in crate::cluster) fn bytes(&self) -> u64 {
        std::fs::symlink_metadata(&self.path).map_or(0, |file| file.len())
    }

    /// Frees the space.
    pub(in crate::cluster) fn give_up(&self) {
        // An absent file holds nothing.
        let _ = std::fs::remove_file(&self.path);
    }

    /// Allocates the blocks: some file systems store a file of zeros as nothing.
    fn write(&self) -> io::Result<()> {
        let file = files::create(&self.path)?;
        rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, BALLAST_BYTES)?;
        file.sync_all()
    }
}

/// Whether `free` bytes leave room for ballast. The space of a deleted ballast is free at the next
/// start and is needed then, so only room beyond it counts.
fn has_room(free: u64, free_bytes_min: u64) -> bool {
    free >= free_bytes_min.saturating_add(2 * BALLAST_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_15_the_room_that_ballast_gave_up_is_not_taken_back_at_the_next_start() {
        assert!(!has_room(BALLAST_BYTES, 0));
        assert!(!has_room(2 * BALLAST_BYTES - 1, 0));
        assert!(has_room(2 * BALLAST_BYTES, 0));
        assert!(!has_room(2 * BALLAST_BYTES, 1));
        assert!(!has_room(u64::MAX - 1, u64::MAX));
    }

    #[test]
    fn rule_15_ballast_is_held_until_it_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Ballast::load(folder.path(), 0).bytes(), BALLAST_BYTES);
        let ballast = Ballast::load(folder.path(), 0);
        ballast.give_up();
        assert_eq!(ballast.bytes(), 0);
    }

    #[test]
    fn ballast_never_takes_what_has_to_stay_free() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Ballast::load(folder.path(), u64::MAX).bytes(), 0);
    }

    #[test]
    fn ballast_is_not_written_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        std::fs::write(&target, "kept").unwrap();
        std::os::unix::fs::symlink(&target, folder.path().join(FILE)).unwrap();
        Ballast::load(folder.path(), 0);
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "kept");
    }

    #[test]
    fn ballast_that_was_cut_short_is_loaded_anew_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), "short").unwrap();
        assert_eq!(Ballast::load(folder.path(), u64::MAX).bytes(), 0);
    }
}
