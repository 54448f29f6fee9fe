//! `cluster`: where a replica keeps what it agreed on. For now a cluster is one replica; the keys by
//! which several find each other are refused by name.

use super::fields::Fields;
use std::path::PathBuf;

/// Keys of a cluster of several.
const SEVERAL: [&str; 11] = [
    "replicas",
    "service",
    "seeds",
    "pod_name",
    "peer_addr",
    "gossip_addr",
    "advertise_host",
    "election_timeout",
    "removal_grace",
    "secret_file",
    "expected_cluster_id",
];

/// How this replica takes part in the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterSettings {
    /// `data_dir`: the directory of the log, the snapshots and the identity. Default `./data`.
    pub data_dir: PathBuf,
}

impl Default for ClusterSettings {
    fn default() -> Self {
        Self { data_dir: PathBuf::from("./data") }
    }
}

/// Reads `cluster`.
pub(super) fn read(mut fields: Fields<'_>) -> ClusterSettings {
    let default = ClusterSettings::default();
    let data_dir = fields.text("data_dir").map_or(default.data_dir, PathBuf::from);
    fields.not_supported(&SEVERAL);
    fields.finish();
    ClusterSettings { data_dir }
}
