//! Why a running cluster can no longer be used. Its process has to end: what was acknowledged is
//! kept, and nothing is acknowledged any more.

use super::data_dir::identity::ClusterId;
use futures_util::FutureExt as _;
use std::panic::AssertUnwindSafe;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The reason. Texts hold the causes, too.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FatalError {
    /// The log or the spool could not be written: what the disk holds of that write is not known.
    #[error("the disk failed: {0}")]
    Disk(String),
    /// The consensus has stopped, for another cause.
    #[error("the consensus has stopped: {0}")]
    Consensus(String),
    /// The node was removed, is a copy, or is of a build that cannot read the log.
    #[error("the cluster turned this node away: {0}")]
    TurnedAway(String),
    /// The others no longer hear of this node, and would not believe it in the same life.
    #[error("gossip ended: {0}")]
    Gossip(String),
    /// This node's state is wrong.
    #[error("the state at entry {index} is not that of a majority")]
    Diverged { index: u64 },
    /// A newer version wrote the log.
    #[error("the log holds what this version does not know: start a newer version")]
    UnknownCommand,
    /// The cluster that this node founded could not be given its id.
    #[error("the cluster has no id: {0}")]
    Unnamed(String),
    /// This node is the only one of its cluster, and another cluster works where it looks for others.
    #[error(
        "this data directory is all of cluster {own}, and cluster {found} works at the same addresses: \
         a person has to say which is right"
    )]
    OtherCluster { own: ClusterId, found: ClusterId },
    /// A task that runs as long as the relay does has panicked or ended: without it the relay would
    /// go on looking well, and not do that part of its work.
    #[error("the task of {task} ended before its time, which is a fault of the relay")]
    TaskEnded { task: &'static str },
}

/// Starts a task of the cluster. Its panic tells the process to end.
pub(super) fn spawn(
    task: &'static str,
    failing: &watch::Sender<Option<FatalError>>,
    work: impl Future<Output = ()> + Send + 'static,
) -> JoinHandle<()> {
    let failing = failing.clone();
    tokio::spawn(async move {
        if AssertUnwindSafe(work).catch_unwind().await.is_err() {
            tell(&failing, FatalError::TaskEnded { task });
        }
    })
}

/// Tells the process to end. The first reason stays: what follows may only be its effect.
pub(super) fn tell(failing: &watch::Sender<Option<FatalError>>, reason: FatalError) {
    failing.send_if_modified(|failed| {
        let is_first = failed.is_none();
        failed.get_or_insert(reason);
        is_first
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_to_end_is_the_one_that_is_told() {
        let (failing, mut failed) = watch::channel(None);
        tell(&failing, FatalError::Diverged { index: 7 });
        assert!(failed.has_changed().unwrap());
        failed.mark_unchanged();
        tell(&failing, FatalError::Consensus("closed".to_owned()));
        assert!(!failed.has_changed().unwrap());
        assert_eq!(*failed.borrow(), Some(FatalError::Diverged { index: 7 }));
    }

    #[tokio::test]
    async fn a_task_that_panics_ends_the_process_and_one_that_is_done_does_not() {
        let (failing, failed) = watch::channel(None);
        spawn("naming", &failing, async {}).await.unwrap();
        assert_eq!(*failed.borrow(), None);
        spawn("the duties", &failing, async { panic!("a test") }).await.unwrap();
        assert_eq!(*failed.borrow(), Some(FatalError::TaskEnded { task: "the duties" }));
    }

    #[test]
    fn only_a_failed_disk_is_called_one() {
        let cause = || "x".to_owned();
        let told = [
            (FatalError::Disk(cause()), "the disk failed: x"),
            (FatalError::Consensus(cause()), "the consensus has stopped: x"),
            (FatalError::TurnedAway(cause()), "the cluster turned this node away: x"),
            (FatalError::Gossip(cause()), "gossip ended: x"),
            (FatalError::Diverged { index: 7 }, "the state at entry 7 is not that of a majority"),
            (
                FatalError::UnknownCommand,
                "the log holds what this version does not know: start a newer version",
            ),
            (FatalError::Unnamed(cause()), "the cluster has no id: x"),
            (
                FatalError::OtherCluster { own: ClusterId(0xc), found: ClusterId(0xd) },
                "this data directory is all of cluster 000000000000000c, and cluster 000000000000000d \
                 works at the same addresses: a person has to say which is right",
            ),
            (
                FatalError::TaskEnded { task: "x" },
                "the task of x ended before its time, which is a fault of the relay",
            ),
        ];
        for (error, text) in told {
            assert_eq!(error.to_string(), text);
        }
    }
}
