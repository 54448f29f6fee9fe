//! Notices that the log can no longer be written, tells the process, and gives up the ballast
//! when the cause is a full disk.

use crate::cluster::data_dir::ballast::Ballast;
use crate::cluster::fatal::{self, FatalError};
use crate::cluster::raft::RaftNode;
use std::error::Error;
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
            FatalError::Disk(chain(&*error))
        }
        cause = raft.stopped() => FatalError::Consensus(chain(&cause)),
    };
    fatal::tell(&failed, reason);
}

async fn disk_failure(raft: &RaftNode) -> std::sync::Arc<io::Error> {
    let mut failed = raft.disk_failed();
    let error = failed.wait_for(Option::is_some).await.ok().and_then(|error| error.clone());
    match error {
        Some(error) => error,
        // The writer was closed in good order: no failure can follow.
        None => std::future::pending().await,
    }
}

/// An error and its causes in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
