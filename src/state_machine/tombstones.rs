//! What is left of runs that are over or silent, what it weighs, and in which order it gives way.

use super::memory::{ByShare, ShareId, tombstone_weight};
use super::run_record::RunTombstone;
use crate::clock::Timestamp;
use crate::event::Key;
use std::collections::BTreeMap;
use std::ops::Deref;

/// Tombstones by the keys of their runs. They change through these methods alone: the sum and the order
/// follow them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tombstones {
    records: BTreeMap<Key, RunTombstone>,
    /// What all of them weigh, in bytes. Derived.
    bytes: u64,
    /// By namespace and last sighting. Derived.
    seen: ByShare<Key>,
}

impl Tombstones {
    /// Puts a tombstone in the place of the one that the run had, which is returned.
    pub(crate) fn insert(&mut self, key: Key, tombstone: RunTombstone) -> Option<RunTombstone> {
        let before = self.remove(&key);
        self.bytes = self.bytes.saturating_add(tombstone_weight(&tombstone));
        self.seen.insert(tombstone.share, tombstone.last_seen, &key);
        self.records.insert(key, tombstone);
        before
    }

    /// Takes the tombstone of a run out.
    pub(super) fn remove(&mut self, key: &Key) -> Option<RunTombstone> {
        let tombstone = self.records.remove(key)?;
        self.bytes = self.bytes.saturating_sub(tombstone_weight(&tombstone));
        self.seen.remove(tombstone.share, tombstone.last_seen, key);
        Some(tombstone)
    }

    /// What all of them weigh, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The tombstone that was not seen for longest, and when it was seen.
    pub(super) fn oldest(&self) -> Option<(Timestamp, Key)> {
        self.seen.oldest().map(|(seen, key)| (seen, *key))
    }

    /// The same among those of one namespace.
    pub(super) fn oldest_of(&self, share: ShareId) -> Option<(Timestamp, Key)> {
        self.seen.of(share).next().map(|(seen, key)| (seen, *key))
    }
}

/// Reading is free.
impl Deref for Tombstones {
    type Target = BTreeMap<Key, RunTombstone>;

    fn deref(&self) -> &Self::Target {
        &self.records
    }
}

impl FromIterator<(Key, RunTombstone)> for Tombstones {
    fn from_iter<I: IntoIterator<Item = (Key, RunTombstone)>>(entries: I) -> Self {
        let mut tombstones = Self::default();
        for (key, tombstone) in entries {
            tombstones.insert(key, tombstone);
        }
        tombstones
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::recorded_run;
    use proptest::prelude::*;

    fn tombstone(share: u64, seen: u64) -> RunTombstone {
        let event = recorded_run(38);
        let past = RunTombstone::of(&event, event.position(), Timestamp(seen));
        RunTombstone { share, ..past }
    }

    proptest! {
        #[test]
        fn sum_and_order_are_those_of_the_records(
            steps in prop::collection::vec((0_u128..6, 0_u64..3, 0_u64..50, any::<bool>()), 0..60),
        ) {
            let mut tombstones = Tombstones::default();
            for (key, share, seen, is_kept) in steps {
                if is_kept {
                    tombstones.insert(Key(key), tombstone(share, seen));
                } else {
                    tombstones.remove(&Key(key));
                }
                let again: Tombstones =
                    tombstones.iter().map(|(key, past)| (*key, past.clone())).collect();
                prop_assert_eq!(&again, &tombstones);
                let by_age = || tombstones.iter().map(|(key, past)| (past.last_seen, *key));
                prop_assert_eq!(tombstones.oldest(), by_age().min());
                let of_share = tombstones.iter().filter(|(_, past)| past.share == 1);
                let oldest = of_share.map(|(key, past)| (past.last_seen, *key)).min();
                prop_assert_eq!(tombstones.oldest_of(1), oldest);
            }
        }
    }
}
