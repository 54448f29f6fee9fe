//! The replicated log and its membership: how nodes find each other and form a cluster, which of
//! them owns which slots, and the handle for the rest of the shell. A cluster of one works the same
//! way, without peers.

mod accept;
mod bootstrap;
mod checks;
mod configure;
pub mod data_dir;
mod fatal;
mod gossip;
mod handle;
mod health;
mod leader;
mod member;
mod membership;
mod operator;
mod options;
mod peer_service;
mod proposal;
pub mod raft;
mod secrets;
mod security;
mod shutdown;
mod spool;
mod start;
mod transport;
mod view;

pub use crate::wire::command_bytes;
pub use data_dir::directory::DataDirectory;
pub use data_dir::identity::{ClusterId, IdentityError, NodeIdentity};
pub use fatal::FatalError;
pub use gossip::{Discovery, NodeFacts};
pub use handle::{AppliedSlots, Cluster};
pub use health::delivery_health::{DeliveryHealth, DeliveryHealthRecorder, Failing};
pub use operator::finalize::{FinalizeError, Lack};
pub use operator::membership::{Named, OrderError};
pub use operator::recover::{RecoverError, Recovered, Recovery, recover};
pub use options::{Backend, Options, PeerOptions, QuorumLossPolicy};
pub use proposal::batcher::ENTRY_BYTES_MAX;
pub use proposal::error::AcceptError;
pub use raft::{
    CHANGES_MAX, ChangeStream, Changed, CompactError, OfflineError, SnapshotError, SnapshotFile,
    StateDigest, snapshot_index,
};
pub use secrets::{ClusterSecrets, SecretsError};
pub use security::{SecretSource, Security, SecurityError};
pub use start::error::StartError;
pub use transport::{CertificateError, CertificateFiles};
pub use view::{ClusterView, MemberState, MemberView};

#[cfg(test)]
#[path = "golden_test.rs"]
pub(crate) mod golden;

#[cfg(test)]
#[path = "manual_clock_test.rs"]
mod test_clock;

#[cfg(test)]
#[path = "member_fixture_test.rs"]
mod test_member;

#[cfg(test)]
#[path = "node_test.rs"]
mod test_node;

#[cfg(test)]
#[path = "cluster_test.rs"]
mod tests;

#[cfg(test)]
#[path = "restart_test.rs"]
mod restart_tests;

#[cfg(test)]
#[path = "peer_attacks_test.rs"]
mod peer_attacks;

#[cfg(test)]
#[path = "several_test.rs"]
mod several_tests;
