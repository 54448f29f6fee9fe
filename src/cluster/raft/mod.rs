//! Adapters between openraft and our log, state and wire. The only code that names openraft.

mod apply;
mod changes;
mod checkpoint;
pub(super) mod compaction;
mod log_file;
mod log_store;
mod log_tail;
mod member;
mod message;
mod network;
mod node;
mod offline;
mod record;
mod serve;
#[cfg(test)]
#[path = "simulated_disk_test.rs"]
pub(in crate::cluster) mod simulated_disk;
mod snapshot_file;
mod snapshot_store;
mod timing;
mod types;
mod writer;

pub use apply::RestoreError;
pub use changes::{CHANGES_MAX, ChangeStream, Changed};
pub use checkpoint::StateDigest;
pub use log_file::LogFileError;
pub use member::{ChangeError, LogEnd, MemberStatus, RaftStatus};
pub use network::PeerNetwork;
pub use node::{CompactError, OpenError, RaftNode, StopCause, WriteError, Written};
pub use offline::{Offline, OfflineError, snapshot_index};
pub use record::RecordError;
pub use serve::RaftCallError;
pub use snapshot_file::SnapshotError;
pub use snapshot_store::{SnapshotFile, SnapshotStoreError};
pub use timing::ELECTION_MIN;
pub use types::{LogEntry, MemberNode};

#[cfg(test)]
#[path = "golden_test.rs"]
pub(in crate::cluster) mod golden;
