//! Why a running cluster can no longer be used. Its process has to end: what was acknowledged is
//! kept, and nothing is acknowledged any more.

use tokio::sync::watch;

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
        ];
        for (error, text) in told {
            assert_eq!(error.to_string(), text);
        }
    }
}
