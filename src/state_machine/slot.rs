//! Slots: fixed hash buckets of runs, each with an owner and an epoch that rises with every move.

use super::node::NodeId;
use crate::clock::Timestamp;
use std::fmt;

/// How many slots there are. Fixed for the life of a cluster: it is part of every run's address.
pub const SLOTS: u16 = 256;

/// A hash bucket of runs, 0 to 255.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(u16);

impl SlotId {
    /// The slot of a root run: `xxh3_64(uid) % 256`.
    #[must_use]
    pub fn of_root(root_uid: &str) -> Self {
        let hash = xxhash_rust::xxh3::xxh3_64(root_uid.as_bytes());
        Self(u16::try_from(hash % u64::from(SLOTS)).unwrap_or_default())
    }

    /// The slot with this number, if there is one.
    #[must_use]
    pub fn new(number: u16) -> Option<Self> {
        (number < SLOTS).then_some(Self(number))
    }

    /// All slots, ascending.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..SLOTS).map(Self)
    }

    /// 0 to 255.
    #[must_use]
    pub fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Display for SlotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One slot's ownership.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    pub owner: Option<NodeId>,
    /// Rises with every move; a request that names another epoch is refused.
    pub epoch: u64,
    /// When the last move was applied. Planned moves count too: an owner may die after it gave
    /// the slot away and before it recorded its last call.
    pub moved_at: Timestamp,
}

/// An explicit move. The algorithm that chose it is not part of the replicated rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotMove {
    pub slot: SlotId,
    /// The epoch the mover saw; the move is void when it has changed.
    pub expected_epoch: u64,
    pub to: NodeId,
    /// The old owner did not release the slot. Told to operators; applies like any other move.
    pub is_forced: bool,
}

/// All slots by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotMap(Vec<Slot>);

impl Default for SlotMap {
    fn default() -> Self {
        Self(vec![Slot::default(); usize::from(SLOTS)])
    }
}

impl SlotMap {
    /// A map from stored slots; missing ones are unowned, surplus ones dropped.
    #[must_use]
    pub fn from_slots(mut slots: Vec<Slot>) -> Self {
        slots.resize(usize::from(SLOTS), Slot::default());
        Self(slots)
    }

    /// The state of one slot.
    #[must_use]
    pub fn get(&self, slot: SlotId) -> Slot {
        self.0[usize::from(slot.0)]
    }

    /// Slots with their state, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (SlotId, Slot)> + '_ {
        SlotId::all().zip(self.0.iter().copied())
    }

    /// Applies a move; false, and nothing changed, when the expected epoch is not current or the
    /// slot is already there.
    pub fn assign(&mut self, to: &SlotMove, at: Timestamp) -> bool {
        let slot = &mut self.0[usize::from(to.slot.0)];
        if slot.epoch != to.expected_epoch || slot.owner == Some(to.to) {
            return false;
        }
        *slot = Slot { owner: Some(to.to), epoch: slot.epoch + 1, moved_at: at };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(node: u64, expected_epoch: u64) -> SlotMove {
        let slot = SlotId::new(7).unwrap();
        SlotMove { slot, expected_epoch, to: NodeId(node), is_forced: false }
    }

    #[test]
    fn a_move_raises_the_epoch_once_however_often_it_is_applied() {
        let mut slots = SlotMap::default();
        assert!(slots.assign(&to(1, 0), Timestamp(1)));
        assert!(!slots.assign(&to(1, 0), Timestamp(2)));
        assert_eq!(slots.get(SlotId::new(7).unwrap()).epoch, 1);
    }

    #[test]
    fn a_move_that_saw_an_old_epoch_is_void() {
        let mut slots = SlotMap::default();
        assert!(slots.assign(&to(1, 0), Timestamp(1)));
        assert!(!slots.assign(&to(2, 0), Timestamp(2)));
        assert_eq!(slots.get(SlotId::new(7).unwrap()).owner, Some(NodeId(1)));
    }

    #[test]
    fn runs_spread_over_all_slots() {
        let used: std::collections::BTreeSet<_> =
            (0..4096).map(|n| SlotId::of_root(&format!("run-{n}"))).collect();
        assert_eq!(used.len(), usize::from(SLOTS));
    }
}
