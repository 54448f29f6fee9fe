//! What a node publishes about itself, as gossip keys and values. Pure. Every key is always
//! present, so that a partial view of a node differs from a complete one. A key added later needs a
//! value for nodes that do not send it.

use crate::cluster::data_dir::identity::ClusterId;
use std::str::FromStr;

/// Longest text: a DNS name and a port need 259 bytes.
const TEXT_BYTES_MAX: usize = 300;

const NAME: &str = "name";
const PEER_ADDRESS: &str = "peer_address";
const HTTP_ADDRESS: &str = "http_address";
const GOSSIP_ADDRESS: &str = "gossip_address";
const CLUSTER: &str = "cluster";
const IS_READY: &str = "is_ready";
const IS_DRAINING: &str = "is_draining";
const VERSION: &str = "version";
const WIRE_VERSION: &str = "wire_version";
const FEATURE_LEVEL: &str = "feature_level";
const CONFIG_HASH: &str = "config_hash";
const LOAD: &str = "load";
const APPLIED_INDEX: &str = "applied_index";
const SPOOLED: &str = "spooled";
const WALL_MS: &str = "wall_ms";
const KEYS: usize = 15;

/// What a node publishes about itself. These are hints: only the log decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeFacts {
    /// Name of the pod.
    pub name: String,
    /// `HOST:PORT` for members.
    pub peer_address: String,
    /// `HOST:PORT` for users.
    pub http_address: String,
    /// `HOST:PORT` for gossip.
    pub gossip_address: String,
    /// The cluster it belongs to; `None` before it formed or joined one.
    pub cluster: Option<ClusterId>,
    /// Whether it accepts requests.
    pub is_ready: bool,
    /// Whether it is about to leave.
    pub is_draining: bool,
    /// Version of its program.
    pub version: String,
    /// Newest version of the peer protocol that it speaks.
    pub wire_version: u32,
    /// Newest feature level that it can apply.
    pub feature_level: u32,
    /// Hash of its configuration.
    pub config_hash: u64,
    /// Unsettled effects that it owns.
    pub load: u64,
    /// Index of the last entry that it applied.
    pub applied_index: u64,
    /// Events in its spool.
    pub spooled: u64,
    /// Its wall clock at publication, in milliseconds since 1970.
    pub wall_ms: u64,
}

/// Why keys and values are not valid facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FactsError {
    /// The node has not published it, or part of its state has not arrived.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// The value is of another form.
    #[error("{0} is malformed")]
    Malformed(&'static str),
    /// The text has too many bytes.
    #[error("{0} has more than {TEXT_BYTES_MAX} bytes")]
    TooLong(&'static str),
}

impl NodeFacts {
    /// The keys and values to gossip.
    ///
    /// # Errors
    /// A text is too long.
    pub(super) fn to_pairs(&self) -> Result<[(&'static str, String); KEYS], FactsError> {
        let cluster = self.cluster.map(|id| id.to_string()).unwrap_or_default();
        Ok([
            (NAME, bounded(NAME, &self.name)?),
            (PEER_ADDRESS, bounded(PEER_ADDRESS, &self.peer_address)?),
            (HTTP_ADDRESS, bounded(HTTP_ADDRESS, &self.http_address)?),
            (GOSSIP_ADDRESS, bounded(GOSSIP_ADDRESS, &self.gossip_address)?),
            (CLUSTER, cluster),
            (IS_READY, self.is_ready.to_string()),
            (IS_DRAINING, self.is_draining.to_string()),
            (VERSION, bounded(VERSION, &self.version)?),
            (WIRE_VERSION, self.wire_version.to_string()),
            (FEATURE_LEVEL, self.feature_level.to_string()),
            (CONFIG_HASH, self.config_hash.to_string()),
            (LOAD, self.load.to_string()),
            (APPLIED_INDEX, self.applied_index.to_string()),
            (SPOOLED, self.spooled.to_string()),
            (WALL_MS, self.wall_ms.to_string()),
        ])
    }

    /// Reads what [`NodeFacts::to_pairs`] writes. Unknown keys belong to a newer version.
    ///
    /// # Errors
    /// A key is missing, or its value has a wrong form.
    pub(super) fn from_pairs<'a>(
        get: impl Fn(&'static str) -> Option<&'a str>,
    ) -> Result<Self, FactsError> {
        let raw = |key| get(key).ok_or(FactsError::Missing(key));
        let text = |key| raw(key).and_then(|value| bounded(key, value));
        let number = |key| raw(key).and_then(|value| parsed::<u64>(key, value));
        let small = |key| raw(key).and_then(|value| parsed::<u32>(key, value));
        let flag = |key| raw(key).and_then(|value| parsed::<bool>(key, value));
        Ok(Self {
            name: text(NAME)?,
            peer_address: text(PEER_ADDRESS)?,
            http_address: text(HTTP_ADDRESS)?,
            gossip_address: text(GOSSIP_ADDRESS)?,
            cluster: cluster(raw(CLUSTER)?)?,
            is_ready: flag(IS_READY)?,
            is_draining: flag(IS_DRAINING)?,
            version: text(VERSION)?,
            wire_version: small(WIRE_VERSION)?,
            feature_level: small(FEATURE_LEVEL)?,
            config_hash: number(CONFIG_HASH)?,
            load: number(LOAD)?,
            applied_index: number(APPLIED_INDEX)?,
            spooled: number(SPOOLED)?,
            wall_ms: number(WALL_MS)?,
        })
    }
}

fn bounded(key: &'static str, value: &str) -> Result<String, FactsError> {
    if value.len() > TEXT_BYTES_MAX {
        return Err(FactsError::TooLong(key));
    }
    Ok(value.to_owned())
}

fn parsed<T: FromStr>(key: &'static str, value: &str) -> Result<T, FactsError> {
    value.parse().map_err(|_| FactsError::Malformed(key))
}

fn cluster(value: &str) -> Result<Option<ClusterId>, FactsError> {
    if value.is_empty() {
        return Ok(None);
    }
    let id = hex_u64(value).ok_or(FactsError::Malformed(CLUSTER))?;
    Ok(Some(ClusterId(id)))
}

/// Reads 16 hexadecimal digits, the form of node and cluster ids.
pub(super) fn hex_u64(text: &str) -> Option<u64> {
    let is_hex = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn full() -> NodeFacts {
        NodeFacts {
            name: "relay-2".to_owned(),
            peer_address: "relay-2.relay:3320".to_owned(),
            http_address: "relay-2.relay:8080".to_owned(),
            gossip_address: "relay-2.relay:3322".to_owned(),
            cluster: Some(ClusterId(0xfeed)),
            is_ready: true,
            is_draining: true,
            version: "0.1.0".to_owned(),
            wire_version: 3,
            feature_level: u32::MAX,
            config_hash: u64::MAX,
            load: 5,
            applied_index: 6,
            spooled: 7,
            wall_ms: 8,
        }
    }

    fn map(facts: &NodeFacts) -> BTreeMap<&'static str, String> {
        facts.to_pairs().unwrap().into_iter().collect()
    }

    fn read(pairs: &BTreeMap<&'static str, String>) -> Result<NodeFacts, FactsError> {
        NodeFacts::from_pairs(|key| pairs.get(key).map(String::as_str))
    }

    #[test]
    fn every_fact_survives_the_keys_and_values() {
        let without_cluster = NodeFacts { cluster: None, ..full() };
        for facts in [full(), without_cluster, NodeFacts::default()] {
            let pairs = map(&facts);
            assert_eq!(pairs.len(), KEYS);
            assert_eq!(read(&pairs), Ok(facts));
        }
    }

    #[test]
    fn a_fact_that_is_missing_is_named_whichever_it_is() {
        for key in map(&full()).into_keys() {
            let mut pairs = map(&full());
            pairs.remove(key);
            assert_eq!(read(&pairs), Err(FactsError::Missing(key)));
        }
    }

    #[test]
    fn a_number_flag_or_id_of_another_form_is_named() {
        let bad = [
            (CLUSTER, "feed"),
            (CLUSTER, "+00000000000feed"),
            (IS_READY, "yes"),
            (IS_DRAINING, ""),
            (WIRE_VERSION, "4294967296"),
            (FEATURE_LEVEL, "-1"),
            (CONFIG_HASH, "0x1"),
            (LOAD, ""),
            (APPLIED_INDEX, "18446744073709551616"),
            (SPOOLED, "1.5"),
            (WALL_MS, "now"),
        ];
        for (key, value) in bad {
            let mut pairs = map(&full());
            pairs.insert(key, value.to_owned());
            assert_eq!(read(&pairs), Err(FactsError::Malformed(key)), "{value}");
        }
    }

    #[test]
    fn a_text_over_the_bound_is_neither_sent_nor_taken() {
        let fitting = NodeFacts { name: "n".repeat(TEXT_BYTES_MAX), ..full() };
        assert_eq!(read(&map(&fitting)), Ok(fitting));
        let long = "n".repeat(TEXT_BYTES_MAX + 1);
        let facts = NodeFacts { version: long.clone(), ..full() };
        assert_eq!(facts.to_pairs(), Err(FactsError::TooLong(VERSION)));
        for key in [NAME, PEER_ADDRESS, HTTP_ADDRESS, GOSSIP_ADDRESS, VERSION] {
            let mut pairs = map(&full());
            pairs.insert(key, long.clone());
            assert_eq!(read(&pairs), Err(FactsError::TooLong(key)));
        }
    }

    #[test]
    fn the_keys_of_a_newer_version_are_no_error() {
        let mut pairs = map(&full());
        pairs.insert("zone", "a".to_owned());
        assert_eq!(read(&pairs), Ok(full()));
    }
}
