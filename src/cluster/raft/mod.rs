//! Adapters between openraft and our log, state and wire. The only code that names openraft.

mod apply;
mod log_file;
mod log_store;
mod log_tail;
mod network;
mod node;
mod record;
#[cfg(test)]
#[path = "simulated_disk_test.rs"]
pub(in crate::cluster) mod simulated_disk;
mod snapshot_file;
mod snapshot_store;
mod types;
mod writer;

pub use apply::RestoreError;
pub use log_file::LogFileError;
pub use node::{CompactError, OpenError, RaftNode, RaftStatus, StopCause, WriteError};
pub use record::RecordError;
pub use snapshot_file::SnapshotError;
pub use snapshot_store::SnapshotStoreError;
