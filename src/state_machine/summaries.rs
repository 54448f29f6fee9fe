//! What summaries are built from, what it weighs, and which of it gives way first.

use super::group::Group;
use super::group_key::GroupKey;
use super::memory::Tracked;
use super::summary::Accumulator;
use crate::clock::Timestamp;
use crate::event::Key;
use std::collections::BTreeSet;

/// Accumulators by the keys of their PipelineRuns, and groups.
#[derive(Clone, Debug, Default)]
pub struct Summaries {
    pub(crate) accumulators: Tracked<Key, Accumulator>,
    pub(crate) groups: Tracked<GroupKey, Group>,
    weights: SummaryWeights,
}

/// Sums and orders over accumulators and groups, as of the last weighing. Derived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SummaryWeights {
    bytes: u64,
    /// Accumulators of runs that were never heard of themselves.
    orphans: BTreeSet<(Timestamp, Key)>,
    empty_groups: BTreeSet<(Timestamp, GroupKey)>,
}

impl Summaries {
    /// Brings the sums and orders up to date.
    pub(super) fn weigh(&mut self) {
        let Self { accumulators, groups, weights } = self;
        let SummaryWeights { bytes, orphans, empty_groups } = weights;
        accumulators.changes(|key, before, after| change(bytes, orphans, key, before, after));
        groups.changes(|key, before, after| change(bytes, empty_groups, key, before, after));
    }

    /// Counts everything again, for a state that was read from a snapshot.
    pub(super) fn weigh_again(&mut self) {
        let mut weights = SummaryWeights::default();
        let SummaryWeights { bytes, orphans, empty_groups } = &mut weights;
        let of = |key: &_, standing: &_| change(bytes, orphans, key, None, Some(standing));
        self.accumulators.forget_standings(of);
        let of = |key: &_, standing: &_| change(bytes, empty_groups, key, None, Some(standing));
        self.groups.forget_standings(of);
        self.weights = weights;
    }

    /// What all of it weighs, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.weights.bytes
    }

    /// The accumulator that waits longest for a run that never reported itself.
    pub(super) fn oldest_orphan(&self) -> Option<Key> {
        self.weights.orphans.first().map(|(_, key)| *key)
    }

    /// Groups without members, the oldest first.
    pub(super) fn empty_groups(&self) -> impl Iterator<Item = (Timestamp, &GroupKey)> {
        self.weights.empty_groups.iter().map(|(at, key)| (*at, key))
    }

    /// The sums and orders, to be compared.
    #[cfg(test)]
    pub(super) fn weights(&self) -> &SummaryWeights {
        &self.weights
    }
}

/// Bytes, and since when the entry is idle, before and after.
type Idle = (u64, Option<Timestamp>);

fn change<K: Ord + Clone>(
    sum: &mut u64,
    idle: &mut BTreeSet<(Timestamp, K)>,
    key: &K,
    before: Option<&Idle>,
    after: Option<&Idle>,
) {
    if let Some((bytes, since)) = before {
        *sum = sum.saturating_sub(*bytes);
        if let Some(since) = since {
            idle.remove(&(*since, key.clone()));
        }
    }
    if let Some((bytes, since)) = after {
        *sum = sum.saturating_add(*bytes);
        if let Some(since) = since {
            idle.insert((*since, key.clone()));
        }
    }
}
