//! Notices that the log can no longer be written, signals that the process must end, and frees the
//! ballast if the disk is full.

use crate::cluster::data_dir::ballast::Ballast;
use crate::cluster::fatal::{self, FatalError};
use crate::cluster::raft::RaftNode;
use std::io;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Runs until `stop` is cancelled or the log has failed, which `failed` then holds.
pub(in crate::cluster) async fn run(
    raft: RaftNode,
    ballast: Option<Ballast>,
    failed: watch::Sender<Option<FatalError>>,
    stop: CancellationToken,
) {
    let reason = tokio::select! {
        biased;
        () = stop.cancelled() => return,
        error = disk_failure(&raft) => {
            if error.kind() == io::ErrorKind::StorageFull && let Some(ballast) = ballast {
                ballast.give_up();
            }
            FatalError::Log(error)
        }
        cause = raft.stopped() => FatalError::Consensus(cause),
    };
    fatal::tell(&failed, reason);
}

async fn disk_failure(raft: &RaftNode) -> std::sync::Arc<io::Error> {
    let mut failed = raft.disk_failed();
    let error = failed.wait_for(Option::is_some).await.ok().and_then(|error| error.clone());
    match error {
        Some(error) => error,
        // The writer was closed in an orderly way: no failure can follow.
        None => std::future::pending().await,
    }
}
