//! What a node publishes by gossip: the keys and values, and the envelope of a datagram (rule 22).
//! The messages in the envelope are chitchat's own.

use super::facts::NodeFacts;
use super::seal::{Seal, SealRefusal};
use crate::cluster::data_dir::identity::ClusterId;
use crate::cluster::secrets::ClusterSecrets;
use crate::golden::Case;
use std::collections::BTreeMap;

pub(in crate::cluster) fn cases() -> Vec<Case> {
    let full = NodeFacts {
        name: "relay-2".to_owned(),
        peer_address: "relay-2.relay:3320".to_owned(),
        http_address: "relay-2.relay:8080".to_owned(),
        gossip_address: "relay-2.relay:3322".to_owned(),
        cluster: Some(ClusterId(0xfeed)),
        is_ready: true,
        is_draining: true,
        version: "0.1.0".to_owned(),
        wire_version: 3,
        feature_level: 4,
        config_hash: u64::MAX,
        load: 5,
        applied_index: 6,
        spooled: 7,
        wall_ms: 8,
    };
    let newcomers = NodeFacts { cluster: None, is_ready: false, ..full.clone() };
    vec![
        facts("gossip/facts", full),
        facts("gossip/facts-of-a-newcomer", newcomers),
        datagram("gossip/datagram-plain", None),
        datagram(
            "gossip/datagram-sealed",
            Some(ClusterSecrets::parse("a secret of some length").unwrap()),
        ),
    ]
}

/// One line for each key, in the order of the keys.
fn facts(name: &str, facts: NodeFacts) -> Case {
    let pairs: BTreeMap<_, _> = facts.to_pairs().unwrap().into_iter().collect();
    let lines: String = pairs.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
    let read = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes).unwrap();
        let pairs: BTreeMap<_, _> =
            text.lines().map(|line| line.split_once('=').unwrap()).collect();
        NodeFacts::from_pairs(|key| pairs.get(key).copied())
    };
    Case::new(name, facts, lines.into_bytes(), read)
}

fn datagram(name: &str, secret: Option<ClusterSecrets>) -> Case {
    let message = b"what chitchat says".to_vec();
    let seal = Seal::new(secret.as_ref(), false).unwrap();
    let bytes = seal.close([9; 12], &message).unwrap();
    let read = move |bytes: &[u8]| -> Result<Vec<u8>, SealRefusal> {
        seal.open(&mut bytes.to_vec()).map(|(_, message)| message.to_vec())
    };
    Case::new(name, message, bytes, read)
}
