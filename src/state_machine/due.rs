//! What an owner may plan and begin now, and when the next of it is due. Nothing is reserved by
//! looking.

use super::outbox::EffectRecord;
use super::ready::Heads;
use super::run_record::QueuedEvent;
use super::slot::SlotId;
use super::{NodeId, StateMachine};
use crate::clock::Timestamp;
use crate::event::Key;

/// Work that an owner may ask to begin.
#[derive(Clone, Copy, Debug)]
pub enum DueWork<'a> {
    /// The event at the head of this run's queue has no plan.
    Plan { run: Key, slot: SlotId, queued: &'a QueuedEvent },
    /// This effect heads its lane and its time has come.
    Send(&'a EffectRecord),
}

/// Effects that an owner may begin: those whose time has come, longest waiting first, then those
/// that it takes over from others.
pub struct DueSends<'a> {
    state: &'a StateMachine,
    node: NodeId,
    now: Timestamp,
    heads: Heads<'a>,
    takeovers: std::vec::IntoIter<&'a EffectRecord>,
}

impl StateMachine {
    /// Plans to make and effects to begin for the slots of `node`, oldest first. `now` is the
    /// owner's reading of replicated time.
    pub fn due_work(&self, node: NodeId, now: Timestamp) -> impl Iterator<Item = DueWork<'_>> {
        let plan = |(run, slot, queued)| DueWork::Plan { run, slot, queued };
        self.due_plans(node).map(plan).chain(self.due_sends(node, now).map(DueWork::Send))
    }

    /// Runs whose oldest event has no plan, with their slots, for the slots of `node`. Oldest first.
    pub fn due_plans(&self, node: NodeId) -> impl Iterator<Item = (Key, SlotId, &QueuedEvent)> {
        self.runs.unplanned().filter_map(move |key| {
            let run = self.runs.get(&key)?;
            let queued = run.queue.front()?;
            let is_own = self.slots.get(run.slot).owner == Some(node);
            is_own.then_some((key, run.slot, queued))
        })
    }

    /// Effects to begin for the slots of `node`. `now` is the owner's reading of replicated time.
    #[must_use]
    pub fn due_sends(&self, node: NodeId, now: Timestamp) -> DueSends<'_> {
        let is_own = |effect: &EffectRecord| self.slots.get(effect.slot).owner == Some(node);
        // As many as calls are under way, at most.
        let takeovers: Vec<_> = self
            .outbox
            .open()
            .filter(|effect| is_own(effect) && self.may_take_over(effect, now))
            .filter(|effect| !self.is_paused(&effect.route, now))
            .collect();
        let (heads, takeovers) = (self.outbox.ready(now), takeovers.into_iter());
        DueSends { state: self, node, now, heads, takeovers }
    }

    /// When, after [`StateMachine::now`], the next effect may be begun. What may be begun already
    /// is found by [`StateMachine::due_work`].
    #[must_use]
    pub fn next_send(&self) -> Option<Timestamp> {
        let takeovers = self.outbox.open().filter_map(|effect| {
            let is_free = |at: &Timestamp| *at > self.now && !self.is_paused(&effect.route, *at);
            self.takeover_at(effect).filter(is_free)
        });
        // What waits for the end of a pause is told by that end alone.
        let ready = self.outbox.next_ready(self.now, |route| self.pause_end(route));
        takeovers.chain(ready).chain(self.pauses.values().copied()).min()
    }
}

impl DueSends<'_> {
    /// Passes over all others that wait for the instance of the effect that came last.
    pub fn leave_out_instance(&mut self) {
        self.heads.leave_out_instance();
    }
}

impl<'a> Iterator for DueSends<'a> {
    type Item = &'a EffectRecord;

    fn next(&mut self) -> Option<&'a EffectRecord> {
        let outbox = &self.state.outbox;
        while let Some(id) = self.heads.next() {
            let Some(effect) = outbox.effects.get(&id) else { continue };
            if self.state.is_paused(&effect.route, self.now) {
                self.heads.leave_out_instance();
                continue;
            }
            let is_own = self.state.slots.get(effect.slot).owner == Some(self.node);
            let target = outbox.targets.get(&effect.target);
            if is_own && target.is_none_or(|target| target.open.is_none()) {
                return Some(effect);
            }
        }
        self.takeovers.next()
    }
}
