//! Who may know a way to the leader when this node has none of its own (rule 12).

use super::transport::Target;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Live peers, as gossip had them at the last beat, and the one that proved to be a way. Clones
/// share them.
#[derive(Clone, Default)]
pub(super) struct Guides(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    live: Vec<Target>,
    detour: Option<Target>,
}

impl Guides {
    /// Replaces the live peers.
    pub fn set(&self, live: Vec<Target>) {
        self.known().live = live;
    }

    /// Notes the way by which the last check got through, or that it needs none.
    pub fn set_detour(&self, guide: Option<Target>) {
        self.known().detour = guide;
    }

    /// The guide to ask before the leader: its own link gave no proof at the last check, and a
    /// link into the void costs a whole attempt.
    pub fn detour(&self) -> Option<Target> {
        self.known().detour.clone()
    }

    /// All of them but `leader`.
    pub fn beside(&self, leader: Option<&Target>) -> Vec<Target> {
        let known = self.known();
        known.live.iter().filter(|guide| Some(*guide) != leader).cloned().collect()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
