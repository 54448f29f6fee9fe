//! What an owner may plan and begin now, and when the next of it is due. Nothing is reserved by
//! looking.

use super::agenda::{InOrder, Turns};
use super::outbox::EffectRecord;
use super::run_record::QueuedEvent;
use super::slot::SlotId;
use super::{NodeId, StateMachine};
use crate::clock::Timestamp;
use crate::event::Key;
use std::collections::VecDeque;

/// Work that an owner may ask to begin.
#[derive(Clone, Copy, Debug)]
pub enum DueWork<'a> {
    /// The event at the head of this run's queue has no plan.
    Plan { run: Key, slot: SlotId, queued: &'a QueuedEvent },
    /// This effect heads its lane and its time has come.
    Send(&'a EffectRecord),
}

/// Effects that an owner may begin, in the order in which they should leave: those that it takes over
/// from others, then one of each instance in turn.
pub struct DueSends<'a> {
    state: &'a StateMachine,
    now: Timestamp,
    takeovers: std::vec::IntoIter<&'a EffectRecord>,
    /// The instance whose turn comes next is in front.
    instances: VecDeque<InOrder<'a>>,
    /// Whether the effect that came last is of the instance at the back.
    is_of_the_back: bool,
}

impl StateMachine {
    /// Plans to make and effects to begin for the slots of `node`, oldest first. `now` is the
    /// owner's reading of replicated time.
    pub fn due_work(&self, node: NodeId, now: Timestamp) -> impl Iterator<Item = DueWork<'_>> {
        let plan = |(run, slot, queued)| DueWork::Plan { run, slot, queued };
        let heads = self.outbox.due_by_age(node, now).filter_map(|id| self.outbox.effect(id));
        let sends = heads.filter(move |effect| self.is_unhindered(effect, now));
        let sends = sends.chain(self.takeovers(node, now)).map(DueWork::Send);
        self.due_plans(node).map(plan).chain(sends)
    }

    /// Runs whose oldest event has no plan, with their slots, for the slots of `node`. Oldest first.
    pub fn due_plans(&self, node: NodeId) -> impl Iterator<Item = (Key, SlotId, &QueuedEvent)> {
        let own = self.runs.unplanned().filter_map(|key| self.queued_event(key));
        own.filter(move |(_, slot, _)| self.slots.get(*slot).owner == Some(node))
    }

    /// The same in turns between namespaces. `turns` says where they stand, and moves on with each
    /// event that is handed out.
    pub fn due_plans_in_turns<'a>(
        &'a self,
        node: NodeId,
        turns: &mut Turns,
    ) -> impl Iterator<Item = (Key, SlotId, &'a QueuedEvent)> {
        let runs = self.runs.unplanned_in_turns(node, turns.plans());
        runs.filter_map(|(namespace, key)| {
            turns.planned(namespace);
            self.queued_event(key)
        })
    }

    /// Effects to begin for the slots of `node`. `now` is the owner's reading of replicated time, and
    /// `turns` says which instance and namespace had the last turns.
    #[must_use]
    pub fn due_sends(&self, node: NodeId, now: Timestamp, turns: &Turns) -> DueSends<'_> {
        let takeovers: Vec<_> = self.takeovers(node, now).collect();
        DueSends {
            state: self,
            now,
            takeovers: takeovers.into_iter(),
            instances: self.outbox.due_in_order(node, now, turns).into(),
            is_of_the_back: false,
        }
    }

    /// Effects that others have begun and `node` may begin anew: as many as calls are under way, at
    /// most.
    fn takeovers(&self, node: NodeId, now: Timestamp) -> impl Iterator<Item = &EffectRecord> {
        let own = self.outbox.open().filter(move |effect| {
            self.slots.get(effect.slot).owner == Some(node) && self.may_take_over(effect, now)
        });
        own.filter(move |effect| !self.is_paused(&effect.route, now))
    }

    fn queued_event(&self, run: Key) -> Option<(Key, SlotId, &QueuedEvent)> {
        let record = self.runs.get(&run)?;
        Some((run, record.slot, record.queue.front()?))
    }

    /// Whether nothing holds a lane head up: its instance is not paused, and nothing writes to its
    /// target.
    fn is_unhindered(&self, effect: &EffectRecord, now: Timestamp) -> bool {
        !self.is_paused(&effect.route, now) && self.is_target_free(effect)
    }

    fn is_target_free(&self, effect: &EffectRecord) -> bool {
        let target = self.outbox.targets.get(&effect.target);
        target.is_none_or(|target| target.open.is_none())
    }

    /// When, after [`StateMachine::now`], the next effect may be begun. What may be begun already
    /// is found by [`StateMachine::due_work`].
    #[must_use]
    pub fn next_send(&self) -> Option<Timestamp> {
        self.next_send_after(self.now)
    }

    /// The same after `now`, the owner's reading of replicated time.
    #[must_use]
    pub fn next_send_after(&self, now: Timestamp) -> Option<Timestamp> {
        let now = now.max(self.now);
        let takeovers = self.outbox.open().filter_map(|effect| {
            let is_free = |at: &Timestamp| *at > now && !self.is_paused(&effect.route, *at);
            self.takeover_at(effect).filter(is_free)
        });
        // What waits for the end of a pause is told by that end alone.
        let ready = self.outbox.next_ready(now, |route| self.pause_end(route));
        let pauses = self.pauses.values().copied().filter(|until| *until > now);
        takeovers.chain(ready).chain(pauses).min()
    }
}

impl DueSends<'_> {
    /// Notes that a place was taken for the effect that came last: the turn of its instance and
    /// namespace is over.
    pub fn note_served(&self, turns: &mut Turns) {
        if let Some(queue) = self.instances.back().filter(|_| self.is_of_the_back) {
            turns.served(queue);
        }
    }

    /// Passes over all others that wait for the instance of the effect that came last.
    pub fn leave_out_instance(&mut self) {
        if std::mem::take(&mut self.is_of_the_back) {
            self.instances.pop_back();
        }
    }
}

impl<'a> Iterator for DueSends<'a> {
    type Item = &'a EffectRecord;

    fn next(&mut self) -> Option<&'a EffectRecord> {
        self.is_of_the_back = false;
        if let Some(effect) = self.takeovers.next() {
            return Some(effect);
        }
        while let Some(mut instance) = self.instances.pop_front() {
            let effects = instance.by_ref().filter_map(|id| self.state.outbox.effect(id));
            let mut unpaused =
                effects.take_while(|effect| !self.state.is_paused(&effect.route, self.now));
            let free = unpaused.find(|effect| self.state.is_target_free(effect));
            if let Some(effect) = free {
                self.instances.push_back(instance);
                self.is_of_the_back = true;
                return Some(effect);
            }
        }
        None
    }
}
