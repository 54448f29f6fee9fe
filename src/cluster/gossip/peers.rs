//! Converts what gossip knows about processes to one view of each other node. Pure.

use super::facts::{FactsError, NodeFacts, hex_u64};
use crate::state_machine::NodeId;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// Another node, as gossip sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Identity of its data directory.
    pub node: NodeId,
    /// Number of its life.
    pub boot: u64,
    /// The IP address of its gossip.
    pub ip: IpAddr,
    /// Whether a recent heartbeat arrived, from it or through others. A node is not live until its
    /// second heartbeat.
    pub is_live: bool,
    /// What it publishes about itself.
    pub facts: NodeFacts,
}

/// One process that gossip knows.
pub(super) struct Sighting<'a> {
    pub id: &'a str,
    pub boot: u64,
    pub address: SocketAddr,
    pub is_live: bool,
    pub facts: Result<NodeFacts, FactsError>,
}

/// One peer for each node, in the order of their ids: the newest boot, live or not. A copied
/// directory can show one boot at two addresses: the live one counts, then the higher address. A
/// boot with unreadable facts hides older boots, which are over.
pub(super) fn newest_boots<'a>(
    own: NodeId,
    observations: impl Iterator<Item = Sighting<'a>>,
) -> Vec<Peer> {
    let mut newest: BTreeMap<NodeId, Sighting<'a>> = BTreeMap::new();
    for sighting in observations {
        let Some(node) = hex_u64(sighting.id).map(NodeId) else {
            tracing::debug!(id = sighting.id, "gossip about a node without a node id");
            continue;
        };
        let rank = |seen: &Sighting<'_>| (seen.boot, seen.is_live, seen.address);
        let is_newer = newest.get(&node).is_none_or(|known| rank(known) < rank(&sighting));
        if node != own && is_newer {
            newest.insert(node, sighting);
        }
    }
    newest.into_iter().filter_map(|(node, sighting)| peer(node, sighting)).collect()
}

fn peer(node: NodeId, sighting: Sighting<'_>) -> Option<Peer> {
    let Sighting { boot, address, is_live, facts, .. } = sighting;
    match facts {
        Ok(facts) => Some(Peer { node, boot, ip: address.ip().to_canonical(), is_live, facts }),
        Err(error) => {
            tracing::debug!(%node, boot, %error, "gossip facts left out");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: NodeId = NodeId(1);
    const OTHER: &str = "0000000000000002";

    fn seen(id: &str, boot: u64, port: u16, is_live: bool) -> Sighting<'_> {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let facts = Ok(NodeFacts { load: u64::from(port), ..NodeFacts::default() });
        Sighting { id, boot, address, is_live, facts }
    }

    fn summary(observations: Vec<Sighting<'_>>) -> Vec<(u64, u64, bool, u64)> {
        let peers = newest_boots(OWN, observations.into_iter());
        let short = |peer: Peer| (peer.node.0, peer.boot, peer.is_live, peer.facts.load);
        peers.into_iter().map(short).collect()
    }

    #[test]
    fn the_newest_boot_replaces_the_older_ones_even_when_it_is_dead() {
        let (old, new) = (|| seen(OTHER, 9, 5, true), || seen(OTHER, 10, 4, false));
        assert_eq!(summary(vec![old(), new()]), [(2, 10, false, 4)]);
        assert_eq!(summary(vec![new(), old()]), [(2, 10, false, 4)]);
    }

    #[test]
    fn of_one_boot_at_two_addresses_the_live_one_counts_then_the_higher() {
        let (live, dead) = (|| seen(OTHER, 1, 4, true), || seen(OTHER, 1, 5, false));
        assert_eq!(summary(vec![dead(), live()]), [(2, 1, true, 4)]);
        assert_eq!(summary(vec![live(), dead()]), [(2, 1, true, 4)]);
        let higher = || seen(OTHER, 1, 6, true);
        assert_eq!(summary(vec![higher(), live()]), [(2, 1, true, 6)]);
        assert_eq!(summary(vec![live(), higher()]), [(2, 1, true, 6)]);
    }

    #[test]
    fn this_node_is_no_peer_in_any_of_its_lives() {
        let own = OWN.to_string();
        assert_eq!(summary(vec![seen(&own, 1, 4, false), seen(&own, 2, 5, true)]), []);
    }

    #[test]
    fn peers_come_in_the_order_of_their_ids() {
        let third = "00000000000000ff";
        let observations = vec![seen(third, 1, 4, true), seen(OTHER, 1, 5, true)];
        assert_eq!(summary(observations), [(2, 1, true, 5), (0xff, 1, true, 4)]);
    }

    #[test]
    fn a_newest_boot_without_readable_facts_is_unknown_rather_than_its_dead_predecessor() {
        let broken =
            Sighting { facts: Err(FactsError::Missing("name")), ..seen(OTHER, 2, 5, true) };
        assert_eq!(summary(vec![seen(OTHER, 1, 4, false), broken]), []);
    }

    #[test]
    fn an_id_that_is_no_node_id_is_left_out() {
        let observations = vec![seen("relay-0", 1, 4, true), seen("2", 1, 4, true)];
        assert_eq!(summary(observations), []);
    }
}
