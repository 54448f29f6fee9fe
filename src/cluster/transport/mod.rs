//! How members communicate: one HTTP/2 connection for each purpose and peer, a checked [`Hello`] on
//! every call, opaque bodies. The modules that make the bodies know their meaning.

mod admission;
mod certificate;
mod client;
mod download;
mod hello;
mod refusal;
mod refusal_log;
mod resolve;
mod server;
mod tls;
mod unfinished;
mod upload;

pub(in crate::cluster) mod proto {
    include!(concat!(env!("OUT_DIR"), "/relay.peer.v1.rs"));
}

pub(in crate::cluster) use admission::{LocalNode, PeerAdmission};
pub use certificate::{CertificateError, CertificateFiles};
pub(in crate::cluster) use client::{CallError, PeerAddress, Peers};
pub(in crate::cluster) use hello::{Hello, WIRE_VERSION};
pub(in crate::cluster) use refusal::{RefusalKind, Refused, Rejection};
pub(in crate::cluster) use server::{PeerListener, PeerService};
pub(in crate::cluster) use tls::{Keys, PeerTls};
pub(in crate::cluster) use upload::ProgressTimeout;

use super::secrets::ClusterSecrets;
use certificate::NodeCertificate;

/// The operation of a call. Closed set; the path on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::cluster) enum PeerRoute {
    Append,
    Vote,
    PreVote,
    Transfer,
    Snapshot,
    Forward,
    LeaderCheck,
    NodeStatus,
    ClusterView,
    Remove,
    HandOver,
    Finalize,
}

/// Calls that share a connection. A snapshot in progress must not delay heartbeats (rule 30).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Lane {
    Raft,
    Work,
    Snapshot,
}

impl PeerRoute {
    const ALL: [Self; 12] = [
        Self::Append,
        Self::Vote,
        Self::PreVote,
        Self::Transfer,
        Self::Snapshot,
        Self::Forward,
        Self::LeaderCheck,
        Self::NodeStatus,
        Self::ClusterView,
        Self::Remove,
        Self::HandOver,
        Self::Finalize,
    ];

    fn path(self) -> &'static str {
        match self {
            Self::Append => "/raft/append",
            Self::Vote => "/raft/vote",
            Self::PreVote => "/raft/pre-vote",
            Self::Transfer => "/raft/transfer",
            Self::Snapshot => "/raft/snapshot",
            Self::Forward => "/cluster/forward",
            Self::LeaderCheck => "/cluster/check",
            Self::NodeStatus => "/cluster/ask",
            Self::ClusterView => "/cluster/look",
            Self::Remove => "/cluster/remove",
            Self::HandOver => "/cluster/hand-over",
            Self::Finalize => "/cluster/finalize",
        }
    }

    fn from_path(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|route| route.path() == path)
    }

    fn lane(self) -> Lane {
        match self {
            Self::Append | Self::Vote | Self::PreVote | Self::Transfer => Lane::Raft,
            Self::Snapshot => Lane::Snapshot,
            Self::Forward
            | Self::LeaderCheck
            | Self::NodeStatus
            | Self::ClusterView
            | Self::Remove
            | Self::HandOver
            | Self::Finalize => Lane::Work,
        }
    }

    /// Whether the call speaks for a cluster: by it a node without a cluster joins the caller's.
    pub fn is_raft(self) -> bool {
        match self {
            Self::Append | Self::Vote | Self::PreVote | Self::Transfer | Self::Snapshot => true,
            Self::Forward
            | Self::LeaderCheck
            | Self::NodeStatus
            | Self::ClusterView
            | Self::Remove
            | Self::HandOver
            | Self::Finalize => false,
        }
    }
}

/// The keys of a node: under a given certificate, or one that it issues itself.
///
/// # Errors
/// There is no usable certificate.
pub(in crate::cluster) fn peer_keys(
    secrets: &ClusterSecrets,
    given: Option<&CertificateFiles>,
) -> Result<Keys, CertificateError> {
    let certificate = match given {
        Some(files) => NodeCertificate::read(files)?,
        None => NodeCertificate::issue(secrets)?,
    };
    Keys::new(certificate)
}

/// Header with the Hello.
const HELLO_HEADER: &str = "relay-hello";
/// Largest body except for snapshots: an append holds some entries of at most 1 MiB.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Largest snapshot: a packed state of the largest size that the bounds on runs and effects allow.
const SNAPSHOT_BYTES_MAX: usize = 1024 * 1024 * 1024;
/// Bytes in flight without a window update; the default of 64 KiB would make an append of 1 MiB
/// wait sixteen times.
const WINDOW_BYTES: u32 = 8 * 1024 * 1024;
/// One append is one frame: its reader has to copy several frames together.
const FRAME_BYTES_MAX: u32 = 2 * 1024 * 1024;

impl PeerRoute {
    fn body_bytes_max(self) -> usize {
        if self == Self::Snapshot { SNAPSHOT_BYTES_MAX } else { BODY_BYTES_MAX }
    }
}

#[cfg(test)]
#[path = "golden_test.rs"]
pub(in crate::cluster) mod golden;

#[cfg(test)]
#[path = "transport_test.rs"]
mod tests;
