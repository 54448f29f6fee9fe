//! The disk operations of the spool, so that a test can make them fail.

use std::fmt::Debug;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// Writes and makes durable.
pub(super) trait Disk: Debug + Send + Sync {
    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// A part may have been written.
    fn write(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Returns once content and length of the file are on disk.
    ///
    /// # Errors
    /// Data since the last sync may be lost, and a second try would not show it: the kernel reports
    /// a lost page once.
    fn sync(&self, file: &File) -> io::Result<()>;
}

/// The disk of the operating system.
#[derive(Clone, Copy, Debug)]
pub(super) struct SystemDisk;

impl Disk for SystemDisk {
    fn write(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        file.write_all_at(bytes, offset)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }
}
