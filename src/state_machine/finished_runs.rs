//! The last finished run of each pipeline and branch, by which an event knows the state before it.

use super::memory::Tracked;
use crate::clock::Timestamp;
use crate::event::{Key, RunAge, RunState};
use std::ops::Deref;

/// Pipelines whose last finished run is remembered.
pub(super) const HISTORY_MAX: usize = 10_000;
/// The oldest of them that are forgotten at once: finding them costs a walk over all.
const HISTORY_STEP: usize = HISTORY_MAX / 16;

/// The last finished run of one (namespace, pipeline, repository, branch or PR).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    pub state: RunState,
    pub age: RunAge,
    pub at: Timestamp,
}

/// Finished runs by the keys of what they were runs of, and what they weigh.
#[derive(Clone, Debug, Default)]
pub(crate) struct FinishedRuns {
    records: Tracked<Key, Finished>,
    /// As of the last weighing. Derived.
    bytes: u64,
}

impl FinishedRuns {
    /// Remembers a finished run, unless a newer one is known.
    pub(super) fn remember(&mut self, key: Key, finished: Finished) {
        if self.records.get(&key).is_some_and(|known| known.age > finished.age) {
            return;
        }
        self.records.insert(key, finished);
        if self.records.len() <= HISTORY_MAX {
            return;
        }
        let mut by_age: Vec<_> = self.records.iter().map(|(key, run)| (run.at, *key)).collect();
        by_age.sort_unstable();
        for (_, oldest) in by_age.into_iter().take(HISTORY_STEP) {
            self.records.remove(&oldest);
        }
    }

    /// Brings the claimed creation of every run down to `now`.
    pub(super) fn bound_ages(&mut self, now: Timestamp) {
        for finished in self.records.values_mut() {
            finished.age.created_at = finished.age.created_at.min(now);
        }
    }

    /// Brings the sum up to date.
    pub(super) fn weigh(&mut self) {
        let Self { records, bytes } = self;
        records.changes(|_, before, after| {
            *bytes = bytes.saturating_sub(before.copied().unwrap_or_default());
            *bytes = bytes.saturating_add(after.copied().unwrap_or_default());
        });
    }

    /// Counts everything again, for a state that was read from a snapshot.
    pub(super) fn weigh_again(&mut self) {
        let mut bytes: u64 = 0;
        self.records.forget_standings(|_, weight| bytes = bytes.saturating_add(*weight));
        self.bytes = bytes;
    }

    /// What all of it weighs, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The records as they are read from a snapshot, before they are weighed again.
    pub(crate) fn records_mut(&mut self) -> &mut Tracked<Key, Finished> {
        &mut self.records
    }
}

/// Reading is free.
impl Deref for FinishedRuns {
    type Target = Tracked<Key, Finished>;

    fn deref(&self) -> &Self::Target {
        &self.records
    }
}

impl FromIterator<(Key, Finished)> for FinishedRuns {
    fn from_iter<I: IntoIterator<Item = (Key, Finished)>>(entries: I) -> Self {
        Self { records: entries.into_iter().collect(), bytes: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::recorded_run;

    fn finished(created_at: u64, at: u64) -> Finished {
        let age = RunAge { created_at: Timestamp(created_at), ..recorded_run(38).age() };
        Finished { state: RunState::Success, age, at: Timestamp(at) }
    }

    #[test]
    fn the_newest_run_stands_and_the_sum_follows() {
        let mut runs = FinishedRuns::default();
        runs.remember(Key(1), finished(5, 50));
        runs.remember(Key(1), finished(4, 60));
        assert_eq!(runs[&Key(1)], finished(5, 50));
        runs.remember(Key(2), finished(6, 70));
        runs.weigh();
        let weighed = runs.bytes();
        runs.weigh_again();
        assert_eq!((runs.bytes(), weighed > 0), (weighed, true));
        runs.bound_ages(Timestamp(5));
        assert_eq!(runs[&Key(2)].age.created_at, Timestamp(5));
    }
}
