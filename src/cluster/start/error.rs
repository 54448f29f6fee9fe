//! Why a cluster could not be started.

use crate::cluster::data_dir::identity::{ClusterId, IdentityError};
use crate::cluster::proposal::error::AcceptError;
use crate::cluster::raft::OpenError;

/// Why a cluster could not be started. Nothing was accepted.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be used.
    #[error("the data directory cannot be used")]
    NodeIdentity(#[source] IdentityError),
    /// The log or the state cannot be used.
    #[error("the log cannot be used")]
    Raft(#[source] OpenError),
    /// A file in the data directory cannot be used.
    #[error("the data directory cannot be written")]
    Disk(#[source] std::io::Error),
    /// The first entry of this life was not confirmed.
    #[error("the node could not register itself")]
    Register(#[source] AcceptError),
    /// A cluster with peers in memory would forget what it acknowledged.
    #[error("a cluster of several needs a data directory")]
    NeedsDisk,
    /// Name and number of replicas do not match.
    #[error("no cluster can be formed like this")]
    Formation(#[source] crate::cluster::bootstrap::formation::FormationError),
    /// The address for peers cannot be bound.
    #[error("the peer address cannot be listened on")]
    Listen(#[source] std::io::Error),
    /// The spool in the data directory cannot be used.
    #[error("the spool cannot be used")]
    Spool(#[source] crate::cluster::spool::SpoolError),
    /// Secrets or certificates cannot be used.
    #[error("this node cannot prove itself to its peers")]
    Security(#[source] crate::cluster::security::SecurityError),
    /// Gossip could not be started.
    #[error("gossip could not be started")]
    Gossip(#[source] crate::cluster::gossip::GossipError),
    /// The operating system provides no randomness.
    #[error("no randomness to start with")]
    NoRandomness,
    /// The directory belongs to a cluster with peers, but the configuration does not say how to
    /// find them.
    #[error("the data directory belongs to a cluster of {members}: set cluster.service or seeds")]
    HasPeers { members: usize },
    /// The directory belongs to another cluster than the expected one. Nothing was changed.
    #[error(
        "the data directory belongs to cluster {found}, but cluster.expected_cluster_id is {expected}"
    )]
    OtherCluster { expected: ClusterId, found: ClusterId },
    /// A cluster of one would have to be formed, but an expected cluster forbids it. Nothing was
    /// changed.
    #[error(
        "the data directory belongs to no cluster, but cluster.expected_cluster_id is {expected}: \
         none is formed"
    )]
    NoCluster { expected: ClusterId },
    /// The consensus stopped during its start.
    #[error("the consensus has stopped")]
    Stopped(#[source] crate::cluster::raft::StopCause),
    /// The log knows a later life of this node: the directory is a copy, or was restored.
    #[error("life {boot} of node {node} is over: the data directory is an old copy")]
    StaleBoot { node: crate::state_machine::NodeId, boot: u64 },
}
