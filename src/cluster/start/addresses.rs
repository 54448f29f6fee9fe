//! The addresses that a node listens on, announces, and looks for.

use crate::cluster::data_dir::identity::NodeIdentity;
use crate::cluster::gossip::{Discovery, GossipOptions};
use crate::cluster::member::OwnNode;
use crate::cluster::options::PeerOptions;
use crate::cluster::secrets::ClusterSecrets;
use crate::cluster::transport::PeerListener;

pub(in crate::cluster) fn own(
    identity: NodeIdentity,
    peer_options: &PeerOptions,
    listener: &PeerListener,
) -> OwnNode {
    let host = match &peer_options.advertise_host {
        Some(host) => host.clone(),
        None => listener.address().ip().to_string(),
    };
    let port = |address: &str| address.rsplit(':').next().unwrap_or_default().to_owned();
    OwnNode {
        node: identity.node_id,
        boot: identity.boot,
        name: peer_options.name.clone(),
        peer_address: format!("{host}:{}", listener.address().port()),
        http_address: peer_options.http_address.clone(),
        gossip_address: format!("{host}:{}", port(&peer_options.gossip_addr)),
    }
}

pub(in crate::cluster) fn gossip_options(
    identity: NodeIdentity,
    peer_options: &PeerOptions,
    (secrets, is_migrating): (Option<ClusterSecrets>, bool),
) -> GossipOptions {
    GossipOptions {
        listen: peer_options.gossip_addr.clone(),
        advertise: peer_options.advertise_host.clone(),
        discovery: peer_options.discovery.clone(),
        node: identity.node_id,
        boot: identity.boot,
        secrets,
        is_migrating,
    }
}

/// Peer addresses of the pods that the first formation waits for.
pub(in crate::cluster) fn pods(peer_options: &PeerOptions) -> Vec<String> {
    let Discovery::Service { name: service, .. } = &peer_options.discovery else {
        return Vec::new();
    };
    let base = peer_options.name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let port = peer_options.peer_addr.rsplit(':').next().unwrap_or_default();
    let pods = 0..peer_options.replicas.unwrap_or_default();
    pods.map(|ordinal| format!("{base}{ordinal}.{service}:{port}")).collect()
}
