//! The values that the flags of `serve`, or their environment variables, set in place of keys of
//! the file. The functions that read the file also parse these values.

use super::cluster::{ClusterSettings, PeerTlsPolicy};
use crate::secret::SecretRef;
use std::path::PathBuf;

/// Values that win over the file; an absent one leaves the file's value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--server-addr` in place of `server.addr`.
    pub server_addr: Option<String>,
    /// `--data-dir` in place of `cluster.data_dir`.
    pub data_dir: Option<PathBuf>,
    /// `--replicas` in place of `cluster.replicas`.
    pub replicas: Option<u16>,
    /// `--service` in place of `cluster.service` and `cluster.seeds`.
    pub service: Option<String>,
    /// `--seed` in place of `cluster.seeds` and `cluster.service`.
    pub seeds: Vec<String>,
    /// `--pod-name` in place of `cluster.pod_name`.
    pub pod_name: Option<String>,
    /// `--peer-addr` in place of `cluster.peer_addr`.
    pub peer_addr: Option<String>,
    /// `--gossip-addr` in place of `cluster.gossip_addr`.
    pub gossip_addr: Option<String>,
    /// `--advertise-host` in place of `cluster.advertise_host`.
    pub advertise_host: Option<String>,
    /// `--secret-file` in place of `cluster.secret_file`.
    pub secret_file: Option<PathBuf>,
    /// `--peer-tls` in place of `cluster.peer_tls`.
    pub peer_tls: Option<PeerTlsPolicy>,
}

impl Overrides {
    pub(super) fn apply(&self, settings: &mut ClusterSettings) {
        set(&mut settings.data_dir, self.data_dir.as_ref());
        set(&mut settings.replicas, self.replicas.as_ref());
        settings.is_replicas_given |= self.replicas.is_some();
        if self.service.is_some() || !self.seeds.is_empty() {
            settings.service.clone_from(&self.service);
            settings.seeds.clone_from(&self.seeds);
        }
        set(&mut settings.peer_addr, self.peer_addr.as_ref());
        set(&mut settings.gossip_addr, self.gossip_addr.as_ref());
        set(&mut settings.peer_tls, self.peer_tls.as_ref());
        if let Some(file) = &self.secret_file {
            settings.secret_file = Some(SecretRef::file(file));
        }
        if self.pod_name.is_some() {
            settings.pod_name.clone_from(&self.pod_name);
        }
        if self.advertise_host.is_some() {
            settings.advertise_host.clone_from(&self.advertise_host);
        }
    }
}

/// Replaces a value by the given one.
pub(super) fn set<T: Clone>(value: &mut T, given: Option<&T>) {
    if let Some(given) = given {
        value.clone_from(given);
    }
}
