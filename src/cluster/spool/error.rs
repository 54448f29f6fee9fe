//! Why events were not kept, and why kept events cannot be read.

use super::format::FORMAT;
use crate::wire::WireError;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Why events were not kept. None of the events in the call counts as kept: their sender must learn
/// that it has to retry.
#[derive(Clone, Debug, thiserror::Error)]
pub enum KeepError {
    /// The spool would outgrow its bound, or its share of the free disk. Nothing was written.
    #[error("the spool would hold {bytes} bytes, it may hold {bytes_max}")]
    Full { bytes: u64, bytes_max: u64 },
    /// A write or an fsync failed, now or in an earlier keep. It is unknown how much of it is on
    /// the disk, so this life writes no more; earlier events stay readable.
    #[error("the spool cannot be written any more")]
    Failed(#[source] Arc<io::Error>),
}

/// Why the spool cannot be read, or something removed from it. No event was lost by it.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The disk refuses. What was already removed stays removed.
    #[error("{path} cannot be used")]
    Disk {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A newer version wrote the file. It is unchanged.
    #[error("{path} has format {found}, this version reads up to {FORMAT}")]
    NewerFormat { path: PathBuf, found: u8 },
    /// The file differs from what was written. It is unchanged. A damaged segment or removal mark
    /// that is moved out of the folder no longer stops a start. Without the mark all remaining
    /// events are fed again.
    #[error("{path} is damaged at byte {offset}")]
    Damaged { path: PathBuf, offset: u64 },
    /// A complete record that this version cannot decode. It is unchanged.
    #[error("{path} has a record at byte {offset} that is not understood")]
    Unreadable {
        path: PathBuf,
        offset: u64,
        #[source]
        source: WireError,
    },
}
