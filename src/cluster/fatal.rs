//! Why a running cluster can no longer be used. Its process must end: acknowledged events are kept,
//! and no new ones are acknowledged.

use super::data_dir::identity::{ClusterId, IdentityError};
use super::gossip::GossipEnd;
use super::raft::StopCause;
use super::transport::Rejection;
use futures_util::FutureExt as _;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The reason, with what led to it as its sources. What was acknowledged before is kept; a variant
/// says what may not be known.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FatalError {
    /// The log could not be written: what the disk holds of the last write is not known.
    #[error("the disk of the log failed")]
    Log(#[source] Arc<io::Error>),
    /// The spool could not be written: what the disk holds of the last events is not known. They
    /// were not acknowledged.
    #[error("the disk of the spool failed")]
    Spool(#[source] Arc<io::Error>),
    /// The id of the cluster that this node joins could not be written: whether the node belongs to
    /// the cluster shows at its next start.
    #[error("the id of the cluster cannot be kept")]
    Identity(#[source] Arc<io::Error>),
    /// The consensus has stopped, for another cause than the disk. The log is as it was.
    #[error("the consensus has stopped")]
    Consensus(#[source] StopCause),
    /// The node is a member no more, or is a copy. Its directory is set aside, if the disk let it.
    #[error("the cluster turned this node away; the next start begins as a new node")]
    NodeOver(#[source] Rejection),
    /// The node's build cannot read the log. A newer build goes on with the same directory.
    #[error("the cluster turned this node away")]
    BuildTooOld(#[source] Rejection),
    /// The other nodes no longer receive this node's gossip, and would not accept it in the same
    /// life.
    #[error("gossip ended")]
    Gossip(#[source] GossipEnd),
    /// This node's state is wrong.
    #[error("the state at entry {index} is not that of a majority")]
    Diverged { index: u64 },
    /// A newer version wrote the log.
    #[error("the log holds what this version does not know: start a newer version")]
    UnknownCommand,
    /// The cluster that this node founded could not be given its id. The log is begun; the next start
    /// tries again.
    #[error("the cluster has no id")]
    Unnamed(#[source] Arc<IdentityError>),
    /// This node is the only one of its cluster, and another cluster works at the addresses of its
    /// discovery.
    #[error(
        "this data directory is all of cluster {own}, and cluster {found} works at the same addresses: \
         a person has to say which is right"
    )]
    OtherCluster { own: ClusterId, found: ClusterId },
    /// A task that must run as long as the relay has panicked or ended. Without it the relay would
    /// look healthy but not do that part of its work.
    #[error("the task of {task} ended before its time, which is a fault of the relay")]
    TaskEnded { task: &'static str },
}

/// Starts a task of the cluster. Its panic ends the process.
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

/// Signals that the process must end. The first reason stays: later ones may be its effect.
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
    use crate::cluster::transport::RefusalKind;
    use crate::telemetry::chain;

    #[test]
    fn the_first_reason_to_end_is_the_one_that_is_told() {
        let (failing, mut failed) = watch::channel(None);
        tell(&failing, FatalError::Diverged { index: 7 });
        assert!(failed.has_changed().unwrap());
        failed.mark_unchanged();
        tell(&failing, FatalError::UnknownCommand);
        assert!(!failed.has_changed().unwrap());
        assert!(matches!(*failed.borrow(), Some(FatalError::Diverged { index: 7 })));
    }

    #[tokio::test]
    async fn a_task_that_panics_ends_the_process_and_one_that_is_done_does_not() {
        let (failing, failed) = watch::channel(None);
        spawn("naming", &failing, async {}).await.unwrap();
        assert!(failed.borrow().is_none());
        spawn("the duties", &failing, async { panic!("a test") }).await.unwrap();
        assert!(matches!(*failed.borrow(), Some(FatalError::TaskEnded { task: "the duties" })));
    }

    #[test]
    fn a_reason_is_told_with_all_that_led_to_it() {
        let disk = || Arc::new(io::Error::other("a page is lost"));
        let removed = || Rejection { kind: RefusalKind::Retired, detail: String::new() };
        let told = [
            (FatalError::Log(disk()), "the disk of the log failed: a page is lost"),
            (FatalError::Spool(disk()), "the disk of the spool failed: a page is lost"),
            (FatalError::Identity(disk()), "the id of the cluster cannot be kept: a page is lost"),
            (
                FatalError::NodeOver(removed()),
                "the cluster turned this node away; the next start begins as a new node: this node \
                 was removed from its cluster",
            ),
            (
                FatalError::Gossip(GossipEnd::Failed { why: "no socket".to_owned() }),
                "gossip ended: its server failed: no socket",
            ),
        ];
        for (error, text) in told {
            assert_eq!(chain(&error), text);
        }
    }
}
