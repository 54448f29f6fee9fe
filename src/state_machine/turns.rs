//! Queues by namespace, of which each gives one item in turn: a flood of one namespace holds up no
//! other.

use crate::event::Key;
use std::collections::{BTreeMap, BTreeSet, VecDeque, btree_map, btree_set};
use std::iter::Chain;
use std::ops::Bound;

/// Stands for a namespace. Two namespaces of one number share their turns, which harms nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NamespaceNumber(u64);

impl NamespaceNumber {
    /// The number of a namespace, the same at each call.
    pub(super) fn of(namespace: &str) -> Self {
        let Key(hash) = Key::of(&["namespace", namespace]);
        Self(u64::try_from(hash >> u64::BITS).unwrap_or_default())
    }
}

/// Items in their own order, by namespace.
#[derive(Clone, Debug)]
pub(super) struct NamespaceQueues<T> {
    /// None of the sets is empty.
    queues: BTreeMap<NamespaceNumber, BTreeSet<T>>,
}

impl<T> Default for NamespaceQueues<T> {
    fn default() -> Self {
        Self { queues: BTreeMap::new() }
    }
}

impl<T: Copy + Ord> NamespaceQueues<T> {
    pub(super) fn insert(&mut self, namespace: NamespaceNumber, item: T) {
        self.queues.entry(namespace).or_default().insert(item);
    }

    pub(super) fn remove(&mut self, namespace: NamespaceNumber, item: &T) {
        let Some(queue) = self.queues.get_mut(&namespace) else { return };
        queue.remove(item);
        if queue.is_empty() {
            self.queues.remove(&namespace);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// All items: the first of each namespace, beginning with the namespace behind `last`, then the
    /// second of each, and so on. Taking an item costs no more than a look at one queue.
    pub(super) fn in_turns(&self, last: NamespaceNumber) -> InTurns<'_, T> {
        let behind = self.queues.range((Bound::Excluded(last), Bound::Unbounded));
        InTurns { fresh: behind.chain(self.queues.range(..=last)), again: VecDeque::new() }
    }
}

/// The items of [`NamespaceQueues::in_turns`], each with its namespace.
pub(super) struct InTurns<'a, T> {
    /// Queues that have not given an item yet.
    fresh: Chain<Queues<'a, T>, Queues<'a, T>>,
    /// Queues that have, in the order of their turns.
    again: VecDeque<(NamespaceNumber, btree_set::Iter<'a, T>)>,
}

type Queues<'a, T> = btree_map::Range<'a, NamespaceNumber, BTreeSet<T>>;

impl<T: Copy> Iterator for InTurns<'_, T> {
    type Item = (NamespaceNumber, T);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let fresh = self.fresh.next().map(|(namespace, queue)| (*namespace, queue.iter()));
            let (namespace, mut items) = fresh.or_else(|| self.again.pop_front())?;
            if let Some(item) = items.next() {
                self.again.push_back((namespace, items));
                return Some((namespace, *item));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn queues(items: &[(u64, u32)]) -> NamespaceQueues<u32> {
        let mut queues = NamespaceQueues::default();
        items
            .iter()
            .for_each(|(namespace, item)| queues.insert(NamespaceNumber(*namespace), *item));
        queues
    }

    fn in_turns(queues: &NamespaceQueues<u32>, last: u64) -> Vec<u32> {
        queues.in_turns(NamespaceNumber(last)).map(|(_, item)| item).collect()
    }

    #[test]
    fn each_namespace_gives_one_item_in_turn_beginning_behind_the_last() {
        let queues = queues(&[(1, 10), (1, 11), (1, 12), (2, 20), (3, 30), (3, 31)]);
        assert_eq!(in_turns(&queues, 0), [10, 20, 30, 11, 31, 12]);
        assert_eq!(in_turns(&queues, 1), [20, 30, 10, 31, 11, 12]);
        assert_eq!(in_turns(&queues, 9), [10, 20, 30, 11, 31, 12]);
    }

    #[test]
    fn a_namespace_has_the_same_number_at_each_call_and_another_one_a_different_number() {
        assert_eq!(NamespaceNumber::of("ci"), NamespaceNumber::of("ci"));
        assert_ne!(NamespaceNumber::of("ci"), NamespaceNumber::of("cd"));
    }

    proptest! {
        #[test]
        fn all_items_come_once_and_those_of_a_namespace_in_their_order(
            items in proptest::collection::btree_set((0u64..5, 0u32..40), 0..60),
            removed in proptest::collection::btree_set((0u64..5, 0u32..40), 0..60),
            last in 0u64..6,
        ) {
            let all: Vec<(u64, u32)> = items.iter().copied().collect();
            let mut queues = queues(&all);
            for (namespace, item) in &removed {
                queues.remove(NamespaceNumber(*namespace), item);
            }
            let left: Vec<(u64, u32)> = items.difference(&removed).copied().collect();
            let turns = queues.in_turns(NamespaceNumber(last));
            let mut given: Vec<(u64, u32)> =
                turns.map(|(NamespaceNumber(namespace), item)| (namespace, item)).collect();
            // A stable sort by namespace leaves the order within each as it came.
            given.sort_by_key(|(namespace, _)| *namespace);
            prop_assert_eq!(&given, &left);
            prop_assert_eq!(queues.is_empty(), left.is_empty());
        }
    }
}
