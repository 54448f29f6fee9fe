//! Which peers may reach the leader when this node cannot (rule 12).

use crate::cluster::transport::PeerAddress;
use parking_lot::{Mutex, MutexGuard};
use std::sync::Arc;

/// Live peers, as gossip had them at the last check, and the relay that worked. Clones share them.
#[derive(Clone, Default)]
pub(in crate::cluster) struct Relays(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    live: Vec<PeerAddress>,
    relay_first: Option<PeerAddress>,
}

impl Relays {
    /// Replaces the live peers.
    pub fn set(&self, live: Vec<PeerAddress>) {
        self.known().live = live;
    }

    /// Records the relay of the last successful check, or that it needed none.
    pub fn set_relay_first(&self, relay: Option<PeerAddress>) {
        self.known().relay_first = relay;
    }

    /// The relay to ask before the leader: the direct link gave no proof at the last check, and a
    /// dead link costs a whole attempt.
    pub fn relay_first(&self) -> Option<PeerAddress> {
        self.known().relay_first.clone()
    }

    /// All of them except `leader`.
    pub fn except(&self, leader: Option<&PeerAddress>) -> Vec<PeerAddress> {
        let known = self.known();
        known.live.iter().filter(|relay| Some(*relay) != leader).cloned().collect()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock()
    }
}
