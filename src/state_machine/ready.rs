//! Lane heads by instance and by the time they may be begun. Whoever has no place left for an
//! instance passes over all that waits for it at once: a look costs what it finds, however much
//! waits. Derived from the effects, and no part of the stored state.

use crate::clock::Timestamp;
use crate::effect::{EffectId, RouteName};
use crate::event::Key;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, btree_set};

/// When it may be begun, its sequence number, and the effect.
pub(super) type Head = (Timestamp, u64, EffectId);

/// The heads of all lanes that are not on the wire.
#[derive(Clone, Debug, Default)]
pub(super) struct Ready {
    /// By name and kind. None of the sets is empty.
    by_instance: BTreeMap<(String, String), BTreeSet<Head>>,
}

impl Ready {
    pub fn insert(&mut self, route: &RouteName, head: Head) {
        self.by_instance.entry(name_and_kind(route)).or_default().insert(head);
    }

    pub fn remove(&mut self, route: &RouteName, head: Head) {
        let instance = name_and_kind(route);
        let Some(heads) = self.by_instance.get_mut(&instance) else { return };
        heads.remove(&head);
        if heads.is_empty() {
            self.by_instance.remove(&instance);
        }
    }

    /// Those that may be begun at `now`, longest waiting first.
    pub fn until(&self, now: Timestamp) -> Heads<'_> {
        let queues: Vec<_> = self.by_instance.values().map(BTreeSet::iter).collect();
        let mut heads = Heads { now, queues, firsts: BinaryHeap::new(), taken_from: None };
        (0..heads.queues.len()).for_each(|queue| heads.advance(queue));
        heads
    }

    /// The first that may be begun at or after `at`, of each instance.
    pub fn firsts_from(&self, at: Timestamp) -> impl Iterator<Item = Head> {
        let from = (at, 0, EffectId(Key(0)));
        self.by_instance.values().filter_map(move |heads| heads.range(from..).next().copied())
    }

    /// The first of an instance that may be begun at or after `at`.
    pub fn first_of(&self, route: &RouteName, at: Timestamp) -> Option<Head> {
        let heads = self.by_instance.get(&name_and_kind(route))?;
        heads.range((at, 0, EffectId(Key(0)))..).next().copied()
    }
}

/// The queues of all instances as one, of which those that are left out give nothing more.
pub(super) struct Heads<'a> {
    now: Timestamp,
    queues: Vec<btree_set::Iter<'a, Head>>,
    /// The next head of each queue that has one.
    firsts: BinaryHeap<Reverse<(Head, usize)>>,
    taken_from: Option<usize>,
}

impl Heads<'_> {
    /// Passes over all others of the instance whose head was taken last.
    pub fn leave_out_instance(&mut self) {
        self.taken_from = None;
    }

    fn advance(&mut self, queue: usize) {
        let next = self.queues.get_mut(queue).and_then(Iterator::next);
        let due = next.filter(|(not_before, ..)| *not_before <= self.now);
        self.firsts.extend(due.map(|head| Reverse((*head, queue))));
    }
}

impl Iterator for Heads<'_> {
    type Item = EffectId;

    fn next(&mut self) -> Option<EffectId> {
        if let Some(queue) = self.taken_from.take() {
            self.advance(queue);
        }
        let Reverse(((.., effect), queue)) = self.firsts.pop()?;
        self.taken_from = Some(queue);
        Some(effect)
    }
}

fn name_and_kind(route: &RouteName) -> (String, String) {
    (route.instance.clone(), route.kind.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn route(instance: u8) -> RouteName {
        let (kind, action) = ("slack".to_owned(), "notify".to_owned());
        RouteName { kind, instance: format!("i{instance}"), action }
    }

    fn head(at: u8, sequence: u64) -> Head {
        (Timestamp(at.into()), sequence, EffectId(Key(sequence.into())))
    }

    fn ids(heads: impl Iterator<Item = EffectId>) -> Vec<u128> {
        heads.map(|EffectId(Key(id))| id).collect()
    }

    #[test]
    fn what_has_waited_longest_comes_first_whatever_its_instance() {
        let mut ready = Ready::default();
        for (instance, at, sequence) in [(1, 3, 1), (2, 1, 2), (1, 2, 3), (2, 9, 4)] {
            ready.insert(&route(instance), head(at, sequence));
        }
        assert_eq!(ids(ready.until(Timestamp(5))), [2, 3, 1]);
        ready.remove(&route(2), head(1, 2));
        assert_eq!(ids(ready.until(Timestamp(9))), [3, 1, 4]);
        assert_eq!(ready.first_of(&route(1), Timestamp(3)), Some(head(3, 1)));
        assert_eq!(ready.firsts_from(Timestamp(4)).collect::<Vec<_>>(), [head(9, 4)]);
    }

    #[test]
    fn an_instance_that_is_left_out_gives_nothing_more() {
        let mut ready = Ready::default();
        for (instance, at, sequence) in [(1, 1, 1), (1, 2, 2), (2, 3, 3), (1, 4, 4), (2, 5, 5)] {
            ready.insert(&route(instance), head(at, sequence));
        }
        let mut heads = ready.until(Timestamp(5));
        assert_eq!(heads.next(), Some(EffectId(Key(1))));
        heads.leave_out_instance();
        assert_eq!(ids(heads), [3, 5]);
    }

    proptest! {
        #[test]
        fn the_heads_of_all_instances_are_those_of_one_sorted_list(
            heads in proptest::collection::vec((0u8..4, 0u8..20), 0..60),
            removed in proptest::collection::vec(any::<prop::sample::Index>(), 0..20),
            now in 0u8..20,
        ) {
            let mut ready = Ready::default();
            let mut list: Vec<(u8, Head)> = (1..).zip(&heads)
                .map(|(sequence, (instance, at))| (*instance, head(*at, sequence)))
                .collect();
            list.iter().for_each(|(instance, head)| ready.insert(&route(*instance), *head));
            for index in removed {
                if !list.is_empty() {
                    let (instance, head) = list.remove(index.index(list.len()));
                    ready.remove(&route(instance), head);
                }
            }
            list.sort_by_key(|(_, head)| *head);
            let due = list.iter().filter(|(_, (at, ..))| *at <= Timestamp(now.into()));
            let expected: Vec<u128> = due.map(|(_, (.., EffectId(Key(id))))| *id).collect();
            prop_assert_eq!(ids(ready.until(Timestamp(now.into()))), expected);
        }
    }
}
