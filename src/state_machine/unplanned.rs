//! Events to plan: the head of each run's queue, by the owner of its slot and in turns between
//! namespaces. Derived from the runs and the slots.

use super::node::NodeId;
use super::run_record::QueuedEvent;
use super::slot::SlotId;
use super::turns::{InTurns, NamespaceNumber, NamespaceQueues};
use crate::event::Key;
use std::collections::{BTreeMap, BTreeSet};

/// The head of a run's queue.
#[derive(Clone, Copy, Debug)]
struct UnplannedHead {
    sequence: u64,
    slot: SlotId,
    owner: Option<NodeId>,
    namespace: NamespaceNumber,
}

/// Runs whose oldest event has no plan.
#[derive(Clone, Debug, Default)]
pub(super) struct Unplanned {
    owners: BTreeMap<SlotId, NodeId>,
    heads: BTreeMap<Key, UnplannedHead>,
    by_age: BTreeSet<(u64, Key)>,
    of_slot: BTreeSet<(SlotId, Key)>,
    /// None of the queues is empty.
    queues: BTreeMap<Option<NodeId>, NamespaceQueues<(u64, Key)>>,
}

impl Unplanned {
    /// Adds a run with its oldest event.
    pub(super) fn insert(&mut self, run: Key, oldest: &QueuedEvent, slot: SlotId) {
        let owner = self.owners.get(&slot).copied();
        let namespace = NamespaceNumber::of(&oldest.event.namespace);
        self.remove(run);
        self.place(run, UnplannedHead { sequence: oldest.sequence, slot, owner, namespace });
    }

    /// Takes a run out, if it is here.
    pub(super) fn remove(&mut self, run: Key) {
        let Some(head) = self.heads.remove(&run) else { return };
        self.by_age.remove(&(head.sequence, run));
        self.of_slot.remove(&(head.slot, run));
        let Some(queues) = self.queues.get_mut(&head.owner) else { return };
        queues.remove(head.namespace, &(head.sequence, run));
        if queues.is_empty() {
            self.queues.remove(&head.owner);
        }
    }

    /// Takes all runs out. Who owns which slot stays.
    pub(super) fn clear(&mut self) {
        *self = Self { owners: std::mem::take(&mut self.owners), ..Self::default() };
    }

    /// Hands the runs of a slot to its new owner.
    pub(super) fn move_slot(&mut self, slot: SlotId, owner: Option<NodeId>) {
        match owner {
            Some(node) => drop(self.owners.insert(slot, node)),
            None => drop(self.owners.remove(&slot)),
        }
        let of_slot = self.of_slot.range((slot, Key(0))..).take_while(|(of, _)| *of == slot);
        let moved: Vec<Key> = of_slot.map(|(_, run)| *run).collect();
        for run in moved {
            let Some(head) = self.heads.get(&run).copied() else { continue };
            self.remove(run);
            self.place(run, UnplannedHead { owner, ..head });
        }
    }

    /// All runs, the oldest event first.
    pub(super) fn by_age(&self) -> impl Iterator<Item = Key> + '_ {
        self.by_age.iter().map(|(_, run)| *run)
    }

    /// The runs of an owner in turns between namespaces, beginning behind `last`.
    pub(super) fn in_turns(
        &self,
        owner: NodeId,
        last: NamespaceNumber,
    ) -> Option<InTurns<'_, (u64, Key)>> {
        self.queues.get(&Some(owner)).map(|queues| queues.in_turns(last))
    }

    fn place(&mut self, run: Key, head: UnplannedHead) {
        self.by_age.insert((head.sequence, run));
        self.of_slot.insert((head.slot, run));
        let queues = self.queues.entry(head.owner).or_default();
        queues.insert(head.namespace, (head.sequence, run));
        self.heads.insert(run, head);
    }
}
