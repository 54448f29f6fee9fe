//! The live records of runs, with the indexes that find events to plan and runs that wait.

use super::copy_on_write::CopyOnWrite;
use super::memory::Tracked;
use super::node::NodeId;
use super::run_key;
use super::run_record::{QueuedEvent, RunRecord};
use super::slot::SlotId;
use super::turns::{InTurns, NamespaceNumber};
use super::unplanned::Unplanned;
use crate::clock::Timestamp;
use crate::event::{Key, RunEvent};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::Arc;

/// Records by the keys of their runs. The queue of a record, and whether it waits, change through
/// these methods alone: the indexes follow them.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    /// Entries of a tree are moved when others come between them, and most of a state is runs: a
    /// copy of the state shares them.
    records: Tracked<Key, CopyOnWrite<RunRecord>>,
    /// Runs with unplanned events, by the sequence of the oldest. Derived.
    unplanned: Unplanned,
    /// Events in all queues. Derived.
    queued: usize,
    /// Runs that wait for their PipelineRun, by its key. Derived.
    waiting: BTreeMap<Key, BTreeSet<Key>>,
}

impl Runs {
    /// Adds the record of a run, which has no events yet.
    pub(crate) fn insert(&mut self, key: Key, record: RunRecord) {
        self.records.insert(key, CopyOnWrite::new(record));
    }

    /// Hands out a record to be changed.
    pub(crate) fn get_mut(&mut self, key: &Key) -> Option<&mut CopyOnWrite<RunRecord>> {
        self.records.get_mut(key)
    }

    /// Replaces what is known of a run. One that waits goes on waiting for the parent that it has now:
    /// a state that is read from a snapshot knows no other.
    pub(super) fn set_facts(&mut self, key: Key, facts: Arc<RunEvent>) {
        let Some(run) = self.records.get_mut(&key) else { return };
        let before = std::mem::replace(&mut run.facts, facts);
        let (parent, waits) = (run.facts.parent.uid.clone(), run.waits_until.is_known());
        if waits && before.parent.uid != parent {
            self.leave_waiting(key, &before.parent.uid);
            self.waiting.entry(run_key(&parent)).or_default().insert(key);
        }
    }

    /// Takes a record out, with its places in the indexes.
    pub(super) fn remove(&mut self, key: &Key) -> Option<CopyOnWrite<RunRecord>> {
        let run = self.records.remove(key)?;
        self.unplanned.remove(*key);
        self.queued -= run.queue.len();
        self.leave_waiting(*key, &run.facts.parent.uid);
        Some(run)
    }

    /// Puts an event at the end of its run's queue. False when there is no record.
    pub(super) fn enqueue(&mut self, key: Key, queued: QueuedEvent) -> bool {
        let Some(run) = self.records.get_mut(&key) else { return false };
        if run.queue.is_empty() && !run.waits_until.is_known() {
            self.unplanned.insert(key, &queued, run.slot);
        }
        run.queue.push_back(queued);
        self.queued += 1;
        true
    }

    /// Takes an event out of its run's queue if it heads it.
    pub(super) fn dequeue(&mut self, key: Key, sequence: u64) -> Option<QueuedEvent> {
        let run = self.records.get_mut(&key)?;
        if run.queue.front()?.sequence != sequence {
            return None;
        }
        let queued = run.queue.pop_front();
        if run.queue.is_empty() {
            // Room for four events, in every run that waits for its next one.
            run.queue.shrink_to_fit();
        }
        self.unplanned.remove(key);
        if let Some(next) = run.queue.front() {
            self.unplanned.insert(key, next, run.slot);
        }
        self.queued -= 1;
        queued
    }

    /// Lets the events of a run wait for its PipelineRun until a moment in replicated time.
    pub(super) fn wait(&mut self, key: Key, until: Timestamp) {
        let Some(run) = self.records.get_mut(&key) else { return };
        run.waits_until = until;
        let above = run_key(&run.facts.parent.uid);
        self.waiting.entry(above).or_default().insert(key);
    }

    /// Gives the events of a run that waited to be planned, in their order. When the wait would have
    /// ended, if there was one.
    pub(super) fn end_wait(&mut self, key: Key) -> Option<Timestamp> {
        let run = self.records.get_mut(&key).filter(|run| run.waits_until.is_known())?;
        let until = std::mem::replace(&mut run.waits_until, Timestamp::UNKNOWN);
        if let Some(head) = run.queue.front() {
            self.unplanned.insert(key, head, run.slot);
        }
        let parent = run.facts.parent.uid.clone();
        self.leave_waiting(key, &parent);
        Some(until)
    }

    /// Runs that wait for the run `above`.
    pub(super) fn waiting_for(&self, above: &Key) -> impl Iterator<Item = Key> + '_ {
        self.waiting.get(above).into_iter().flatten().copied()
    }

    /// All runs that wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> impl Iterator<Item = Key> + '_ {
        self.waiting.values().flatten().copied()
    }

    /// Runs with events to plan, the oldest event first.
    pub(crate) fn unplanned(&self) -> impl Iterator<Item = Key> + '_ {
        self.unplanned.by_age()
    }

    /// Runs of an owner's slots with events to plan, in turns between namespaces that begin behind
    /// `last`. The oldest event of a namespace comes first.
    pub(super) fn unplanned_in_turns(
        &self,
        owner: NodeId,
        last: NamespaceNumber,
    ) -> impl Iterator<Item = (NamespaceNumber, Key)> + '_ {
        let runs: Option<InTurns<'_, _>> = self.unplanned.in_turns(owner, last);
        runs.into_iter().flatten().map(|(namespace, (_, run))| (namespace, run))
    }

    /// Events in all queues, those that wait for a PipelineRun among them.
    pub(super) fn queued(&self) -> usize {
        self.queued
    }

    /// Hands the events of a slot to its new owner.
    pub(super) fn move_slot(&mut self, slot: SlotId, owner: Option<NodeId>) {
        self.unplanned.move_slot(slot, owner);
    }

    /// The records without the indexes.
    pub(super) fn stored_copy(&self) -> Self {
        Self { records: self.records.clone(), ..Self::default() }
    }

    /// The records as they are weighed and read from a snapshot. Whoever changes a queue here has to
    /// [`reindex`](Self::reindex).
    pub(crate) fn records_mut(&mut self) -> &mut Tracked<Key, CopyOnWrite<RunRecord>> {
        &mut self.records
    }

    /// Builds the indexes of records that were read from a snapshot.
    pub(crate) fn reindex(&mut self) {
        self.unplanned.clear();
        self.waiting.clear();
        self.queued = 0;
        for (key, run) in &self.records {
            self.queued += run.queue.len();
            if run.waits_until.is_known() {
                let above = run_key(&run.facts.parent.uid);
                self.waiting.entry(above).or_default().insert(*key);
            } else if let Some(head) = run.queue.front() {
                self.unplanned.insert(*key, head, run.slot);
            }
        }
    }

    fn leave_waiting(&mut self, key: Key, parent_uid: &str) {
        let above = run_key(parent_uid);
        if let Some(waiting) = self.waiting.get_mut(&above) {
            waiting.remove(&key);
            if waiting.is_empty() {
                self.waiting.remove(&above);
            }
        }
    }
}

/// Reading is free.
impl Deref for Runs {
    type Target = BTreeMap<Key, CopyOnWrite<RunRecord>>;

    fn deref(&self) -> &Self::Target {
        &self.records
    }
}

impl<'a> IntoIterator for &'a Runs {
    type Item = (&'a Key, &'a CopyOnWrite<RunRecord>);
    type IntoIter = std::collections::btree_map::Iter<'a, Key, CopyOnWrite<RunRecord>>;

    fn into_iter(self) -> Self::IntoIter {
        self.records.iter()
    }
}
