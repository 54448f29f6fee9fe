//! Why a cluster could not be started, and why an event or command was not confirmed.

use super::identity::{ClusterId, IdentityError};
use super::raft::OpenError;

/// Why a cluster could not be started. Nothing was accepted.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be used.
    #[error("the data directory cannot be used")]
    Identity(#[source] IdentityError),
    /// The log or the state cannot be used.
    #[error("the log cannot be used")]
    Raft(#[source] OpenError),
    /// A file in the data directory cannot be used.
    #[error("the data directory cannot be written")]
    Disk(#[source] std::io::Error),
    /// The first entry of this life was not confirmed.
    #[error("the node could not register itself")]
    Register(#[source] AcceptError),
    /// A cluster of several in memory would forget what it acknowledged.
    #[error("a cluster of several needs a data directory")]
    NeedsDisk,
    /// Name and number of replicas do not fit.
    #[error("no cluster can be formed like this")]
    Formation(#[source] super::formation::FormationError),
    /// The address for peers is not to be had.
    #[error("the peer address cannot be listened on")]
    Listen(#[source] std::io::Error),
    /// The spool in the data directory cannot be used.
    #[error("the spool cannot be used")]
    Spool(#[source] super::spool::SpoolError),
    /// Gossip could not be started.
    #[error("gossip could not be started")]
    Gossip(#[source] super::gossip::GossipError),
    /// The operating system has no randomness to give.
    #[error("no randomness to start with")]
    NoRandomness,
    /// The directory belongs to a cluster of several, and nothing says how to find the others.
    #[error("the data directory belongs to a cluster of {members}: set cluster.service or seeds")]
    OfSeveral { members: usize },
    /// The directory belongs to another cluster than the expected one. Nothing was changed.
    #[error(
        "the data directory belongs to cluster {found}, but cluster.expected_cluster_id is {expected}"
    )]
    OtherCluster { expected: ClusterId, found: ClusterId },
    /// A cluster of one would have to be formed, which an expected cluster forbids. Nothing was
    /// changed.
    #[error(
        "the data directory belongs to no cluster, but cluster.expected_cluster_id is {expected}: \
         none is formed"
    )]
    NoCluster { expected: ClusterId },
    /// The consensus stopped while it was started.
    #[error("the consensus has stopped")]
    Stopped(#[source] super::raft::StopCause),
    /// The log knows a later life of this node: the directory is a copy, or was restored.
    #[error("life {boot} of node {node} is over: the data directory is an old copy")]
    StaleBoot { node: crate::state_machine::NodeId, boot: u64 },
}

/// Why an event or command was not confirmed. Sending it again is always safe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AcceptError {
    /// The log did not answer in time. It may or may not be stored.
    #[error("no confirmation within {waited_ms} ms")]
    Unanswered { waited_ms: u64 },
    /// Leadership was lost on the way. It may or may not be stored.
    #[error("leadership was lost before the confirmation")]
    Unconfirmed,
    /// This replica cannot write to the log now. Nothing was stored.
    #[error("no leader to write to the log")]
    NoLeader,
    /// Too much waits already. Nothing was stored.
    #[error("too many requests are waiting for the log")]
    Overloaded,
    /// More than one entry may hold. Nothing was stored; in parts it may be.
    #[error("request of {bytes} bytes, an entry of the log holds {bytes_max}")]
    TooLarge { bytes: usize, bytes_max: usize },
    /// The disk is nearly full. Nothing was stored.
    #[error("the disk is nearly full")]
    DiskLow,
    /// Every run record is in use. That event was not stored.
    #[error("every run record is in use, see store.runs_max")]
    Full,
    /// The relay is stopping, or its disk has failed. It may or may not be stored.
    #[error("the log is closed")]
    Stopped,
}

impl AcceptError {
    /// Whether the leader says this to new events and takes what was accepted already.
    pub(super) fn is_about_events(&self) -> bool {
        match self {
            Self::Overloaded | Self::DiskLow => true,
            Self::Unanswered { .. }
            | Self::Unconfirmed
            | Self::NoLeader
            | Self::TooLarge { .. }
            | Self::Full
            | Self::Stopped => false,
        }
    }

    /// Whether another way, or the next leader, may confirm it.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::NoLeader | Self::Unconfirmed => true,
            Self::Unanswered { .. }
            | Self::Overloaded
            | Self::TooLarge { .. }
            | Self::DiskLow
            | Self::Full
            | Self::Stopped => false,
        }
    }
}
