//! Granting the right to send (rules 1, 2, 5): plans enter the outbox, and a call is made only
//! under a Begin that was granted here.

use super::StateMachine;
use super::change::StateChange;
use super::command::{Applied, Begin, Grant, Owner, Planned, Refusal};
use super::dead_letter::{Cause, CauseKind};
use super::level::FeatureLevel;
use super::outbox::{EffectRecord, LaneKey, OpenBegin, ReplacedBegin, STREAM_LANE_MAX, Writer};
use super::run_record::{QueuedEvent, SettledEffect, Settlement};
use crate::clock::Timestamp;
use crate::effect::{Delivery, EffectId, PlannedEffect, SkipReason};
use crate::event::Key;
use std::time::Duration;

/// After a move, an open Begin of the old owner may be begun anew: it was sent within
/// 1 s of being proposed and ended within the 10 s of `handler_timeout` (rule 2).
pub(super) const TAKEOVER_WAIT: Duration = Duration::from_secs(11);

impl StateMachine {
    pub(super) fn apply_begin(&mut self, begin: Begin) -> Applied {
        if !self.is_owner(begin.owner) {
            return Applied::Refused(Refusal::NotOwner);
        }
        if let Some(planned) = begin.planned
            && self.runs.get(&planned.run).is_some_and(|run| run.slot == begin.owner.slot)
        {
            self.take_plan(planned);
        }
        let mut granted: Vec<Grant> = Vec::new();
        for asked in begin.asked {
            // Asked twice, an effect is granted once: two grants would be two calls at once.
            let is_repeated = granted.iter().any(|grant| grant.effect == asked.effect);
            if !is_repeated && let Some(grant) = self.grant(asked, begin.owner) {
                granted.push(grant);
            }
        }
        Applied::Begun(granted)
    }

    /// A plan counts while its event heads the queue; planning twice changes nothing.
    fn take_plan(&mut self, planned: Planned) {
        let Some(queued) = self.dequeue(planned.run, planned.sequence) else { return };
        for skipped in planned.skipped {
            let id = queued.effect_id(&skipped.route, self.feature_level);
            self.counters.skip(skipped.reason);
            let settled = SettledEffect {
                effect: id,
                route: skipped.route,
                target: None,
                state: queued.event.state,
                settlement: Settlement::Skipped(skipped.reason),
                attempts: 0,
                at: self.now,
            };
            self.note_settled(planned.run, settled);
        }
        for failed in planned.failed {
            self.dead_letter_route(planned.run, &queued, failed);
        }
        for effect in planned.effects {
            self.add_effect(planned.run, &queued, effect);
        }
        self.keep_outbox_bounds();
    }

    /// Takes an event out of its run's queue if it heads it.
    pub(super) fn dequeue(&mut self, run_key: Key, sequence: u64) -> Option<QueuedEvent> {
        let queued = self.runs.dequeue(run_key, sequence)?;
        self.changes.push(StateChange::EventPlanned { run: run_key, sequence });
        Some(queued)
    }

    fn add_effect(&mut self, run_key: Key, queued: &QueuedEvent, planned: PlannedEffect) {
        if self.outbox.effects.contains_key(&planned.id) {
            return self.drop_same_id(run_key, queued, planned);
        }
        let Some(run) = self.runs.get_mut(&run_key) else { return };
        run.unsettled += 1;
        let effect = EffectRecord {
            id: planned.id,
            route: planned.route,
            target: planned.target,
            delivery: planned.delivery,
            run: run_key,
            slot: run.slot,
            sequence: queued.sequence,
            event: queued.event.clone(),
            context: queued.context.clone(),
            origin: queued.origin.clone(),
            accepted_at: queued.accepted_at,
            attempts: 0,
            first_begun_at: Timestamp::UNKNOWN,
            not_before: Timestamp::UNKNOWN,
            open: None,
            ended_boots: 0,
            is_in_doubt: queued.origin.is_repair(),
            parked_since: Timestamp::UNKNOWN,
            last_cause: None,
        };
        let (lane, delivery) = (effect.lane(), effect.delivery);
        self.changes.push(StateChange::EffectPlanned { run: run_key, effect: effect.id });
        self.outbox.push(effect);
        self.make_room_in_lane(&lane, delivery);
    }

    /// Counts a planned effect whose id an unsettled one has, as the first level did not.
    fn drop_same_id(&mut self, run_key: Key, queued: &QueuedEvent, planned: PlannedEffect) {
        if !self.has_reached(FeatureLevel::SECOND) {
            return;
        }
        self.counters.skip(SkipReason::SameId);
        let settled = SettledEffect {
            effect: planned.id,
            route: planned.route,
            target: Some(planned.target),
            state: queued.event.state,
            settlement: Settlement::Skipped(SkipReason::SameId),
            attempts: 0,
            at: self.now,
        };
        self.note_settled(run_key, settled);
    }

    /// Rule 14: a latest lane keeps what is on the wire and the newest behind it, which is not
    /// the last to come when an older effect is replayed; a stream lane keeps a fixed number.
    fn make_room_in_lane(&mut self, lane: &LaneKey, delivery: Delivery) {
        let is_waiting = |effect: &&EffectRecord| effect.open.is_none();
        let mut waiting: Vec<(Writer, EffectId)> = self
            .outbox
            .lane(lane)
            .filter(is_waiting)
            .map(|effect| (effect.writer(), effect.id))
            .collect();
        match delivery {
            Delivery::Latest => {
                waiting.sort();
                waiting.pop();
                for (_, id) in waiting {
                    self.skip(id, SkipReason::Superseded);
                }
            }
            Delivery::Stream => {
                let surplus = waiting.len().saturating_sub(STREAM_LANE_MAX);
                for (_, id) in waiting.into_iter().take(surplus) {
                    let detail = format!("over {STREAM_LANE_MAX} effects waited for one target");
                    self.dead_letter(id, Cause { kind: CauseKind::BacklogFull, detail });
                }
            }
        }
    }

    /// Rule 14: accepts go on; the oldest effects of the largest backlog give way.
    fn keep_outbox_bounds(&mut self) {
        while self.outbox.is_over_full(self.outbox_bytes_max()) {
            let level = self.feature_level;
            let Some(id) = self.outbox.to_give_up(level) else { return };
            let detail = "the outbox was full and this instance had most waiting".to_owned();
            self.dead_letter(id, Cause { kind: CauseKind::BacklogFull, detail });
        }
    }

    fn grant(&mut self, asked: Grant, owner: Owner) -> Option<Grant> {
        let id = asked.effect;
        let effect = self.outbox.effects.get(&id)?;
        if effect.slot != owner.slot || !self.outbox.is_head(effect) {
            return None;
        }
        if let Some(open) = effect.open {
            let is_own = (open.node, open.boot) == (owner.node, owner.boot);
            if is_own && asked.attempt == effect.attempts {
                // The same request once more gets the first answer (rule 17).
                return Some(asked);
            }
            if !self.may_take_over(effect, self.now) {
                return None;
            }
        }
        if asked != effect.next_grant() {
            return None;
        }
        if self.is_paused(&effect.route, self.now) {
            return None;
        }
        let target = self.outbox.targets.get(&effect.target);
        let is_target_busy = target.and_then(|target| target.open).is_some_and(|open| open != id);
        if is_target_busy {
            return None;
        }
        if effect.delivery == Delivery::Latest
            && let Some(reason) = self.stands_back(id)
        {
            self.skip(id, reason);
            return None;
        }
        self.replace_open(id);
        // The end of the third process was told while the effect was on the wire of a fourth.
        if self.dead_letter_if_poison(id) {
            return None;
        }
        Some(self.open(id, owner))
    }

    /// Rule 2: the old owner's call has ended once the takeover wait is over.
    pub(super) fn may_take_over(&self, effect: &EffectRecord, now: Timestamp) -> bool {
        self.takeover_at(effect).is_some_and(|at| at <= now)
    }

    /// When an effect that is open under another node than its slot's owner may be begun anew.
    pub(super) fn takeover_at(&self, effect: &EffectRecord) -> Option<Timestamp> {
        let slot = self.slots.get(effect.slot);
        let is_foreign = effect.open.is_some_and(|open| Some(open.node) != slot.owner);
        is_foreign.then(|| slot.moved_at.after(TAKEOVER_WAIT))
    }

    fn replace_open(&mut self, id: EffectId) {
        let Some(effect) = self.outbox.effects.get(&id) else { return };
        let Some(open) = effect.open else { return };
        let begin = ReplacedBegin { node: open.node, boot: open.boot, effect: (**effect).clone() };
        self.outbox.replaced.insert((id, effect.attempts), begin);
        self.counters.in_doubt += 1;
        self.owe_repair_of_lost_call(id);
        self.outbox.update(id, |effect| effect.is_in_doubt = true);
    }

    fn open(&mut self, id: EffectId, owner: Owner) -> Grant {
        let now = self.now;
        let is_second = self.has_reached(FeatureLevel::SECOND);
        let mut attempt = 0;
        self.outbox.update(id, |effect| {
            if is_second && !effect.first_begun_at.is_known() {
                effect.first_begun_at = now;
            }
            effect.attempts += 1;
            attempt = effect.attempts;
            effect.open = Some(OpenBegin { node: owner.node, boot: owner.boot, at: now });
            effect.parked_since = Timestamp::UNKNOWN;
        });
        if let Some(effect) = self.outbox.effects.get(&id) {
            self.changes.push(StateChange::EffectBegun { run: effect.run, effect: id, attempt });
            let (key, writer) = (effect.target.clone(), effect.writer());
            let share = self.noted_share(&effect.event.namespace);
            let target = self.target_in_use(&key);
            target.share = share;
            target.open = Some(id);
            target.writer = Some(writer);
            target.touched_at = now;
            self.outbox.note_first_writer(&key);
            self.set_repair(&key);
            self.note_standing(id);
        }
        Grant { effect: id, attempt }
    }

    /// Changes an effect that stays in the outbox.
    pub(super) fn update_effect(&mut self, id: EffectId, change: impl FnOnce(&mut EffectRecord)) {
        let Some(effect) = self.outbox.effects.get(&id) else { return };
        self.changes.effect_changed(effect.run, id);
        self.outbox.update(id, change);
    }

    /// Ends the open Begin of an effect, which keeps its place.
    pub(super) fn close(&mut self, id: EffectId) {
        self.update_effect(id, |effect| effect.open = None);
        let Some(effect) = self.outbox.effects.get(&id) else { return };
        if let Some(target) = self.outbox.targets.get_mut(&effect.target)
            && target.open == Some(id)
        {
            target.open = None;
        }
    }
}
