//! What the leader remembers about nodes between two rounds: since when they are live, silent or
//! caught up. It converts what Raft, gossip and DNS say at one moment into a view for decisions.

use super::dns_names::DnsNames;
use crate::cluster::gossip::Peer;
use crate::cluster::membership::{
    ANSWERED_AGO_MAX, CAUGHT_UP_LAG_MAX, ClusterMember, Joiner, Liveness, MembershipView,
};
use crate::cluster::raft::{MemberStatus, RaftStatus};
use crate::state_machine::NodeId;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A member that is silent for this long counts as dead.
const DEAD_AFTER: Duration = Duration::from_secs(10);

/// A report about a member's spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SpoolReport {
    /// From the member itself, just now.
    Now(u64),
    /// From gossip, which keeps the report of a dead node for a while.
    Once(u64),
    Unknown,
}

/// Since when nodes are in their states, within one leadership.
#[derive(Debug, Default)]
pub(in crate::cluster) struct Observations {
    term: Option<u64>,
    /// The last known spools of members, in the life of this process: gossip forgets the dead, and
    /// a new leader has received no checks (rule 13).
    spooled: BTreeMap<NodeId, u64>,
    live_since: BTreeMap<NodeId, Duration>,
    last_live: BTreeMap<NodeId, Duration>,
    caught_up_since: BTreeMap<NodeId, Duration>,
    pub(super) names: DnsNames,
    /// Live nodes already warned about, whose names are not admitted.
    pub(super) not_admitted: BTreeSet<NodeId>,
}

/// The inputs of one round.
pub(super) struct Look<'a> {
    pub now: Duration,
    pub own: NodeId,
    pub status: &'a RaftStatus,
    /// All nodes that gossip knows, including dead ones.
    pub peers: &'a [Peer],
    /// Draining members, and the reports about spools.
    pub drains: &'a dyn Fn(NodeId) -> bool,
    pub spooled: &'a dyn Fn(NodeId) -> SpoolReport,
}

impl Observations {
    /// This node leads in `term`, or does not lead: silences of another leadership do not count.
    pub(super) fn leads(&mut self, term: Option<u64>) {
        if self.term != term {
            *self = Self { term, spooled: std::mem::take(&mut self.spooled), ..Self::default() };
        }
    }

    /// Records what members say about their spools, also while another node leads.
    pub(super) fn hear(&mut self, status: &RaftStatus, spooled: &dyn Fn(NodeId) -> SpoolReport) {
        self.spooled.retain(|node, _| status.members.contains_key(node));
        for node in status.members.keys() {
            match spooled(*node) {
                SpoolReport::Now(events) => {
                    self.spooled.insert(*node, events);
                }
                SpoolReport::Once(events) => {
                    self.spooled.entry(*node).or_insert(events);
                }
                SpoolReport::Unknown => {}
            }
        }
    }

    /// Takes one observation and fills in members and joiners.
    pub(super) fn take(&mut self, look: &Look<'_>, view: &mut MembershipView) {
        self.note(look);
        let members = look.status.members.iter();
        view.members = members.map(|(node, status)| self.member(look, *node, status)).collect();
        let joiners = look
            .peers
            .iter()
            .filter(|peer| peer.is_live && !look.status.members.contains_key(&peer.node));
        view.joiners = joiners.map(|peer| self.joiner(look, peer)).collect();
    }

    fn note(&mut self, look: &Look<'_>) {
        let now = look.now;
        self.hear(look.status, look.spooled);
        for (node, status) in &look.status.members {
            self.last_live.entry(*node).or_insert(now);
            let is_heard = status.answered_ago.is_some_and(|ago| ago <= ANSWERED_AGO_MAX);
            if *node == look.own || is_heard || is_live(look, *node) {
                self.last_live.insert(*node, now);
            }
            let lag =
                status.matched_index.map(|index| look.status.last_index.saturating_sub(index));
            if *node == look.own || lag.is_some_and(|lag| lag <= CAUGHT_UP_LAG_MAX) {
                self.caught_up_since.entry(*node).or_insert(now);
            } else {
                self.caught_up_since.remove(node);
            }
        }
        self.live_since.retain(|node, _| is_live(look, *node));
        for peer in look.peers.iter().filter(|peer| peer.is_live) {
            self.live_since.entry(peer.node).or_insert(now);
        }
    }

    fn member(&self, look: &Look<'_>, node: NodeId, status: &MemberStatus) -> ClusterMember {
        let silence =
            look.now.saturating_sub(self.last_live.get(&node).copied().unwrap_or(look.now));
        let liveness = if silence.is_zero() {
            Liveness::Live
        } else if silence < DEAD_AFTER {
            Liveness::Suspect
        } else {
            Liveness::Dead(silence)
        };
        let since = self.caught_up_since.get(&node);
        let announced = look.peers.iter().find(|peer| peer.node == node && peer.is_live);
        ClusterMember {
            node,
            name: status.node.name.clone(),
            address: status.node.address.clone(),
            announced_address: announced.map(|peer| peer.facts.peer_address.clone()),
            liveness,
            answered_ago: status.answered_ago,
            is_draining: (look.drains)(node),
            caught_up_for: since.map(|since| look.now.saturating_sub(*since)),
            dns: self.names.of(&status.node.name, look.now),
            spooled: self.spooled.get(&node).copied().unwrap_or_default(),
        }
    }

    fn joiner(&self, look: &Look<'_>, peer: &Peer) -> Joiner {
        let since = self.live_since.get(&peer.node).copied().unwrap_or(look.now);
        Joiner {
            node: peer.node,
            name: peer.facts.name.clone(),
            address: peer.facts.peer_address.clone(),
            cluster: peer.facts.cluster,
            // Its own answer, when asked before anything is done.
            is_pristine: peer.facts.cluster.is_none(),
            feature_level: peer.facts.feature_level,
            live_for: look.now.saturating_sub(since),
        }
    }
}

fn is_live(look: &Look<'_>, node: NodeId) -> bool {
    look.peers.iter().any(|peer| peer.node == node && peer.is_live)
}

#[cfg(test)]
#[path = "observations_test.rs"]
mod tests;
