//! Makes a snapshot when the log has grown enough, by size: entries differ by three orders of
//! magnitude, so a count would say little.

use super::RaftNode;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Runs until `stop` is cancelled. A failed snapshot is retried with the next entry: meanwhile the
/// log is longer than needed, and nothing is lost.
pub(in crate::cluster) async fn run(raft: RaftNode, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = compact_when_due(&raft) => {}
    }
}

async fn compact_when_due(raft: &RaftNode) {
    let mut applied = raft.applied();
    loop {
        if raft.is_snapshot_due() {
            match raft.compact().await {
                Ok(()) => info!(index = *applied.borrow(), "log compacted"),
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    warn!(error, "log not compacted");
                }
            }
        }
        if applied.changed().await.is_err() {
            return;
        }
    }
}
