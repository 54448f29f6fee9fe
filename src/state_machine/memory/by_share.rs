//! Entries of all namespaces by age, and the oldest of each.

use super::ShareId;
use crate::clock::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Keys by share and time. Each key stands once; the oldest of a share once more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::state_machine) struct ByShare<K> {
    shares: BTreeMap<ShareId, BTreeSet<(Timestamp, K)>>,
    heads: BTreeSet<(Timestamp, K, ShareId)>,
}

impl<K> Default for ByShare<K> {
    fn default() -> Self {
        Self { shares: BTreeMap::new(), heads: BTreeSet::new() }
    }
}

impl<K: Ord + Clone> ByShare<K> {
    pub(in crate::state_machine) fn insert(&mut self, share: ShareId, at: Timestamp, key: &K) {
        self.change(share, |keys| {
            keys.insert((at, key.clone()));
        });
    }

    pub(in crate::state_machine) fn remove(&mut self, share: ShareId, at: Timestamp, key: &K) {
        self.change(share, |keys| {
            keys.remove(&(at, key.clone()));
        });
        if self.shares.get(&share).is_some_and(BTreeSet::is_empty) {
            self.shares.remove(&share);
        }
    }

    /// The oldest of all.
    pub(in crate::state_machine) fn oldest(&self) -> Option<(Timestamp, &K)> {
        self.heads.first().map(|(at, key, _)| (*at, key))
    }

    /// Those of one share, oldest first.
    pub(in crate::state_machine) fn of(
        &self,
        share: ShareId,
    ) -> impl Iterator<Item = (Timestamp, &K)> {
        self.shares.get(&share).into_iter().flatten().map(|(at, key)| (*at, key))
    }

    fn change(&mut self, share: ShareId, change: impl FnOnce(&mut BTreeSet<(Timestamp, K)>)) {
        let keys = self.shares.entry(share).or_default();
        let before = keys.first().cloned();
        change(keys);
        let after = keys.first().cloned();
        if before == after {
            return;
        }
        if let Some((at, key)) = before {
            self.heads.remove(&(at, key, share));
        }
        if let Some((at, key)) = after {
            self.heads.insert((at, key, share));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_of_all_and_of_each_share_are_known_while_others_come_and_go() {
        let mut ages = ByShare::default();
        for (share, at, key) in [(1, 5, 'b'), (2, 3, 'a'), (1, 4, 'c'), (2, 9, 'd')] {
            ages.insert(share, Timestamp(at), &key);
        }
        assert_eq!(ages.oldest(), Some((Timestamp(3), &'a')));
        ages.remove(2, Timestamp(3), &'a');
        assert_eq!(ages.oldest(), Some((Timestamp(4), &'c')));
        assert_eq!(ages.of(1).map(|(_, key)| *key).collect::<String>(), "cb");
        ages.remove(1, Timestamp(4), &'c');
        ages.remove(1, Timestamp(5), &'b');
        assert_eq!(ages.oldest(), Some((Timestamp(9), &'d')));
        ages.remove(2, Timestamp(9), &'d');
        assert_eq!(ages, ByShare::default());
    }
}
