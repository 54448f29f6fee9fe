//! How a cluster is started.

use super::data_dir::identity::ClusterId;
use super::gossip::Discovery;
use super::security::Security;
use crate::config::OnQuorumLoss;
use crate::state_machine::Settings;
use std::path::PathBuf;
use std::time::Duration;

/// Default deadline of an accept: Tekton's own retries come sooner.
const ACCEPT_TIMEOUT: Duration = Duration::from_secs(1);
/// Default of `store.free_bytes_min`.
const FREE_BYTES_MIN: u64 = 512 * 1024 * 1024;

/// Where the log lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backend {
    /// In this directory.
    Disk(PathBuf),
    /// In memory: lost when the process ends.
    Memory,
}

/// How a cluster is started.
#[derive(Clone, Debug)]
pub struct Options {
    pub backend: Backend,
    pub settings: Settings,
    /// Free bytes below which events are refused.
    pub free_bytes_min: u64,
    /// How long an accept or a proposal waits for its confirmation.
    pub accept_timeout: Duration,
    /// The only allowed cluster; with it this node forms none.
    pub expected_cluster: Option<ClusterId>,
    /// How this node finds others; `None` for a cluster of one.
    pub peer_options: Option<PeerOptions>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            backend: Backend::Memory,
            settings: Settings::default(),
            free_bytes_min: FREE_BYTES_MIN,
            accept_timeout: ACCEPT_TIMEOUT,
            expected_cluster: None,
            peer_options: None,
        }
    }
}

/// What happens to events without a quorum (rule 13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuorumLossPolicy {
    /// How long a quorum may be lost before anything but waiting happens.
    pub spool_after: Duration,
    pub on_quorum_loss: OnQuorumLoss,
}

/// How a node of a cluster with peers is named and finds the others.
#[derive(Clone, Debug)]
pub struct PeerOptions {
    /// Its pod name.
    pub name: String,
    /// Replicas that the first formation waits for.
    pub replicas: Option<u16>,
    /// Addresses to listen on, `HOST:PORT`.
    pub peer_addr: String,
    pub gossip_addr: String,
    /// Host for other nodes; `None`: that of the peer address.
    pub advertise_host: Option<String>,
    /// Where it accepts events, shown to people.
    pub http_address: String,
    pub discovery: Discovery,
    /// How peers authenticate this node.
    pub security: Security,
    /// Lower bound of the election timeout; the upper one is twice this.
    pub election_timeout: Duration,
    /// How long a member must be gone before it is removed.
    pub removal_grace: Duration,
    /// Names that may become members, in addition to those of the own set.
    pub admit: Vec<String>,
    /// What happens to events without a quorum.
    pub degrade: QuorumLossPolicy,
    /// Equal on nodes with the same rules.
    pub config_hash: u64,
}
