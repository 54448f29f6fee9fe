//! What a worker asks the log for: waiting effects and new plans, as one batch.

use super::batch::{Batch, PLANS_PER_PROPOSAL_MAX, Piece, Places};
use super::worker::{Shared, Worker};
use crate::clock::Timestamp;
use crate::plan::plan;
use crate::state_machine::{Begin, Command, Grant, Owner, Planned, SlotId, StateMachine};
use std::sync::Arc;

impl Worker {
    /// Work for one proposal. Waiting effects come before new plans: a plan adds effects that wait.
    pub(super) fn collect(&mut self) -> Batch {
        let shared = Arc::clone(&self.shared);
        let mut batch = Batch::default();
        self.add_sends(&mut batch, shared.cluster.replicated_now());
        let room = batch.room().min(PLANS_PER_PROPOSAL_MAX);
        let (level, plans) = shared.cluster.read(|state| {
            let due =
                state.due_plans_in_turns(shared.cluster.node_id(), &mut self.turns).take(room);
            let plans = due.map(|(run, slot, queued)| (run, slot, queued.clone()));
            (state.feature_level(), plans.collect::<Vec<_>>())
        });
        for (run, slot, queued) in plans {
            shared.cluster.planning_started(run, queued.sequence);
            let planned = plan(run, &queued, level, &self.ruleset.rules);
            if !self.add_plan(&mut batch, slot, planned) {
                break;
            }
        }
        // Before the proposal: a process that is killed while it waits ended no planning.
        shared.cluster.planning_ended();
        batch
    }

    /// The first Begin of an event carries its plan, and asks for what can start at once. False when
    /// the batch has no room for it.
    fn add_plan(&mut self, batch: &mut Batch, slot: SlotId, planned: Planned) -> bool {
        let Some(owner) = self.owner(slot) else { return true };
        let now = self.shared.clock.monotonic();
        let mut taken = Places::new();
        for effect in &planned.effects {
            let instance = effect.route.full_instance();
            let is_asked = taken.iter().any(|(id, _)| *id == effect.id);
            if !is_asked && self.limits.try_take(&instance, now) {
                taken.push((effect.id, instance));
            }
        }
        let asked = taken.iter().map(|(effect, _)| Grant::first(*effect)).collect();
        let command = Command::Begin(Begin { owner, planned: Some(planned), asked });
        let Some(left_out) = batch.try_push(Piece { command, taken }) else { return true };
        self.give_back(&left_out.taken, &[]);
        if batch.is_empty() {
            batch.push_given_up(&left_out.command);
        }
        false
    }

    fn add_sends(&mut self, batch: &mut Batch, now: Timestamp) {
        let shared = Arc::clone(&self.shared);
        let ruleset = Arc::clone(&self.ruleset);
        let monotonic = shared.clock.monotonic();
        shared.cluster.read(|state| {
            let mut due = state.due_sends(shared.cluster.node_id(), now, &self.turns);
            while let Some(effect) = due.next() {
                // Parks take no place: without room that is kept, they would hold up all plans.
                if batch.room() <= PLANS_PER_PROPOSAL_MAX || self.limits.free() == 0 {
                    return;
                }
                let Some(owner) = owner_of(state, &shared, effect.slot) else { continue };
                let instance = effect.route.full_instance();
                let is_closed = ruleset.rules.open_route(&effect.route, &effect.event).is_none();
                // Only what nobody sends is parked: an effect that is taken over is begun first, and
                // given back.
                let piece = if is_closed && effect.open.is_none() {
                    let command = Command::Park { owner, effects: vec![effect.id] };
                    Piece { command, taken: Places::new() }
                } else if self.limits.try_take(&instance, monotonic) {
                    let asked = vec![effect.next_grant()];
                    let command = Command::Begin(Begin { owner, planned: None, asked });
                    Piece { command, taken: vec![(effect.id, instance)] }
                } else {
                    due.leave_out_instance();
                    continue;
                };
                if let Some(left_out) = batch.try_push(piece) {
                    return self.give_back(&left_out.taken, &[]);
                }
                due.note_served(&mut self.turns);
            }
        });
    }

    fn owner(&self, slot: SlotId) -> Option<Owner> {
        self.shared.cluster.read(|state| owner_of(state, &self.shared, slot))
    }
}

fn owner_of(state: &StateMachine, shared: &Shared, slot: SlotId) -> Option<Owner> {
    let node = shared.cluster.node_id();
    let held = state.slot(slot);
    let owner = Owner { node, boot: shared.cluster.boot(), slot, epoch: held.epoch };
    (held.owner == Some(node)).then_some(owner)
}
