//! What the leader remembers about nodes between two looks: since when they are live, silent or
//! caught up. Turns what Raft, gossip and DNS say at one moment into a view that can be decided on.

use super::names::Names;
use crate::cluster::gossip::Peer;
use crate::cluster::membership::{
    ANSWERED_AGO_MAX, CAUGHT_UP_LAG_MAX, Liveness, Member, MembershipView, Stranger,
};
use crate::cluster::raft::{MemberStatus, RaftStatus};
use crate::state_machine::NodeId;
use std::collections::BTreeMap;
use std::time::Duration;

/// A member that was silent for this long is called dead.
const DEAD_AFTER: Duration = Duration::from_secs(10);

/// Since when things are as they are, in this leadership.
#[derive(Debug, Default)]
pub(in crate::cluster) struct Census {
    live_since: BTreeMap<NodeId, Duration>,
    last_live: BTreeMap<NodeId, Duration>,
    caught_up_since: BTreeMap<NodeId, Duration>,
    pub(super) names: Names,
}

/// One look.
pub(super) struct Look<'a> {
    pub now: Duration,
    pub own: NodeId,
    pub status: &'a RaftStatus,
    /// Everybody that gossip knows, dead ones included.
    pub peers: &'a [Peer],
    /// Members that give their work away, and what their spools hold.
    pub drains: &'a dyn Fn(NodeId) -> bool,
    pub spooled: &'a dyn Fn(NodeId) -> u64,
}

impl Census {
    /// Takes one look and fills in members and strangers.
    pub(super) fn take(&mut self, look: &Look<'_>, view: &mut MembershipView) {
        self.note(look);
        let members = look.status.members.iter();
        view.members = members.map(|(node, status)| self.member(look, *node, status)).collect();
        let strangers = look
            .peers
            .iter()
            .filter(|peer| peer.is_live && !look.status.members.contains_key(&peer.node));
        view.strangers = strangers.map(|peer| self.stranger(look, peer)).collect();
    }

    fn note(&mut self, look: &Look<'_>) {
        let now = look.now;
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

    fn member(&self, look: &Look<'_>, node: NodeId, status: &MemberStatus) -> Member {
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
        Member {
            node,
            name: status.node.name.clone(),
            address: status.node.address.clone(),
            announced_address: announced.map(|peer| peer.facts.peer_address.clone()),
            liveness,
            answered_ago: status.answered_ago,
            is_draining: (look.drains)(node),
            caught_up_for: since.map(|since| look.now.saturating_sub(*since)),
            dns: self.names.of(&status.node.name, look.now),
            spooled: (look.spooled)(node),
        }
    }

    fn stranger(&self, look: &Look<'_>, peer: &Peer) -> Stranger {
        let since = self.live_since.get(&peer.node).copied().unwrap_or(look.now);
        Stranger {
            node: peer.node,
            name: peer.facts.name.clone(),
            address: peer.facts.peer_address.clone(),
            cluster: peer.facts.cluster,
            // What it says itself when it is asked, before anything is done.
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
#[path = "census_test.rs"]
mod tests;
