//! Why events were not kept, and why what was kept cannot be used.

use super::format::FORMAT;
use crate::wire::WireError;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Why events were not kept. None of those in the call counts as kept: their sender has to hear
/// that it must send them again.
#[derive(Clone, Debug, thiserror::Error)]
pub enum KeepError {
    /// The spool would outgrow its bound, or its share of the free disk. Nothing was written.
    #[error("the spool would hold {bytes} bytes, it may hold {bytes_max}")]
    Full { bytes: u64, bytes_max: u64 },
    /// A write or an fsync failed, now or in an earlier keep. What the disk holds of that one is
    /// not known, so that this life writes no more; what was kept before stays readable.
    #[error("the spool cannot be written any more")]
    Failed(#[source] Arc<io::Error>),
}

/// Why the spool cannot be read, or something removed from it. No event was lost by it.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The disk refuses. What was removed already stays removed.
    #[error("{path} cannot be used")]
    Disk {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The file was written by a newer version. It was left alone.
    #[error("{path} has format {found}, this version reads up to {FORMAT}")]
    NewerFormat { path: PathBuf, found: u8 },
    /// The file is not what was written. It was left alone. Moved out of the folder, a segment no
    /// longer stops a start, and neither does the mark of what was removed: without the mark all
    /// that is left is fed again.
    #[error("{path} is damaged at byte {offset}")]
    Damaged { path: PathBuf, offset: u64 },
    /// A whole record that this version does not understand. It was left alone.
    #[error("{path} has a record at byte {offset} that is not understood")]
    Unreadable {
        path: PathBuf,
        offset: u64,
        #[source]
        source: WireError,
    },
}
