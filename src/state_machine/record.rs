//! Outcomes of attempts: settled, to be repeated, given up, or too late (rules 1, 3, 6).

use super::change::StateChange;
use super::command::{Applied, AttemptOutcome, AttemptResult, FailedRoute, Owner, Refusal};
use super::dead_letter::{Cause, DeadLetter};
use super::level::FeatureLevel;
use super::outbox::{EffectRecord, TargetRecord};
use super::run_record::{Origin, QueuedEvent, SettledEffect, Settlement};
use super::{StateMachine, run_key};
use crate::clock::Timestamp;
use crate::effect::{Delivery, EffectId, Receipt, RouteName, SkipReason, TargetKey};
use crate::event::Key;
use std::time::Duration;

/// How long an effect waits for a configuration that has its route (rule 6).
const PARK_MAX: Duration = Duration::from_mins(15);
/// How often a parked effect is looked at again.
const PARK_RETRY: Duration = Duration::from_secs(15);

impl StateMachine {
    pub(super) fn apply_record(&mut self, outcomes: Vec<AttemptOutcome>) -> Applied {
        for outcome in outcomes {
            self.record(outcome);
        }
        Applied::Done
    }

    /// A record counts if it names the open Begin, whatever the epoch is by now.
    fn record(&mut self, outcome: AttemptOutcome) {
        let id = outcome.effect;
        let is_current = self
            .outbox
            .effects
            .get(&id)
            .is_some_and(|effect| effect.open.is_some() && effect.attempts == outcome.attempt);
        if !is_current {
            self.record_late(&outcome);
            return;
        }
        if let AttemptResult::RetryIn { cause, .. } | AttemptResult::Dead(cause) = &outcome.result
            && let Some(effect) = self.outbox.effect(id).cloned()
        {
            self.owe_repair_of_timeout(&effect, cause);
        }
        match outcome.result {
            AttemptResult::Delivered(receipt) => self.settle_delivered(id, receipt),
            AttemptResult::RetryIn { wait_ms, cause } => self.repeat(id, wait_ms, cause),
            AttemptResult::Dead(cause) => self.dead_letter(id, cause),
            AttemptResult::Skipped(reason) => self.skip(id, reason),
            AttemptResult::Unsent => self.close(id),
        }
    }

    fn repeat(&mut self, id: EffectId, wait_ms: u64, cause: Cause) {
        let not_before = Timestamp(self.now.0.saturating_add(wait_ms));
        self.close(id);
        self.update_effect(id, |effect| {
            effect.not_before = not_before;
            effect.last_cause = Some(cause);
        });
        self.drop_if_superseded(id);
    }

    /// A latest effect that failed while a newer one waits behind it gives way at once.
    fn drop_if_superseded(&mut self, id: EffectId) {
        let Some(effect) = self.outbox.effects.get(&id) else { return };
        let writer = effect.writer();
        let has_newer = self.outbox.lane(&effect.lane()).any(|other| other.writer() > writer);
        if effect.delivery == Delivery::Latest && has_newer {
            self.skip(id, SkipReason::Superseded);
        }
    }

    /// Rule 3: the call of a replaced Begin did end; its target's state is sent once more unless
    /// no call was made, and an object that it made is adopted where none is known.
    fn record_late(&mut self, outcome: &AttemptOutcome) {
        let Some(begin) = self.outbox.replaced.remove(&(outcome.effect, outcome.attempt)) else {
            return;
        };
        self.counters.late += 1;
        match &outcome.result {
            AttemptResult::Delivered(receipt) => {
                let late = Settlement::Late(receipt.clone());
                let settled = self.settled(&begin.effect, late, outcome.attempt);
                self.note_settled(begin.effect.run, settled);
                if let Some(target) = self.outbox.targets.get_mut(&begin.effect.target)
                    && target.remote_id.is_empty()
                {
                    target.remote_id.clone_from(&receipt.remote_id);
                }
                self.send_state_once_more(outcome.attempt, &begin.effect);
            }
            // A call that failed, by a timeout for one, may have been carried out.
            AttemptResult::RetryIn { cause, .. } | AttemptResult::Dead(cause) => {
                self.owe_repair_of_timeout(&begin.effect, cause);
                self.send_state_once_more(outcome.attempt, &begin.effect);
            }
            AttemptResult::Skipped(_) | AttemptResult::Unsent => {}
        }
    }

    /// Queues the present state of a target that a call nobody recorded may have overwritten.
    /// Streams are left alone: what was sent twice cannot be taken back.
    pub(super) fn send_state_once_more(&mut self, attempt: u32, effect: &EffectRecord) {
        if effect.delivery == Delivery::Stream {
            return;
        }
        let call = (effect.id, attempt, effect.route.clone());
        self.send_state_of(&effect.target, (effect.run, &effect.event.uid), call);
    }

    /// Queues the present state of `target`: that of its last writer, or of the run, with its uid,
    /// whose call is in doubt.
    pub(super) fn send_state_of(
        &mut self,
        target: &TargetKey,
        (run, uid): (Key, &str),
        (effect, attempt, route): (EffectId, u32, RouteName),
    ) {
        let target = self.outbox.targets.get(target);
        let writer = target.and_then(|target| target.writer.as_ref());
        let is_own = writer.is_none_or(|writer| writer.age.uid == uid);
        let run = match writer {
            Some(writer) if !is_own => run_key(&writer.age.uid),
            Some(_) | None => run,
        };
        let sequence = self.take_sequence();
        let Some(record) = self.runs.get(&run) else { return };
        let queued = QueuedEvent {
            sequence,
            event: record.facts.clone(),
            context: record.context.clone(),
            origin: Origin::Repair { effect, attempt, route },
            accepted_at: self.now,
            ended_plannings: 0,
        };
        self.enqueue(run, queued);
    }

    fn settle_delivered(&mut self, id: EffectId, receipt: Receipt) {
        let Some(effect) = self.outbox.remove(id) else { return };
        self.counters.delivered += 1;
        let now = self.now;
        let target = self.target_in_use(&effect.target);
        target.touched_at = now;
        if !receipt.remote_id.is_empty() {
            target.remote_id.clone_from(&receipt.remote_id);
        }
        self.settle(&effect, Settlement::Delivered(receipt));
    }

    pub(super) fn skip(&mut self, id: EffectId, reason: SkipReason) {
        let Some(effect) = self.outbox.remove(id) else { return };
        self.counters.skip(reason);
        if reason == SkipReason::Superseded && effect.is_in_doubt {
            self.pass_doubt_on(&effect);
        }
        self.settle(&effect, Settlement::Skipped(reason));
    }

    /// Whoever writes the target next must know that it may hold what nobody recorded.
    fn pass_doubt_on(&mut self, effect: &EffectRecord) {
        let next: Vec<EffectId> = self.outbox.lane(&effect.lane()).map(|next| next.id).collect();
        for id in next {
            self.update_effect(id, |next| next.is_in_doubt = true);
        }
    }

    /// The record of a target, made when there is none.
    pub(super) fn target_in_use(&mut self, key: &TargetKey) -> &mut TargetRecord {
        if !self.outbox.targets.contains_key(key) {
            self.arm_target_timer(key);
        }
        self.outbox.targets.get_or_default(key.clone())
    }

    /// Turns an effect into a dead letter.
    pub(super) fn dead_letter(&mut self, id: EffectId, cause: Cause) {
        let Some(effect) = self.outbox.remove(id) else { return };
        let kind = cause.kind;
        self.add_letter(DeadLetter {
            id: 0,
            failed_at: self.now,
            cause,
            replays: effect.origin.replays(),
            attempts: effect.attempts,
            run: effect.run,
            route: effect.route.clone(),
            event: effect.event.clone(),
            context: effect.context.clone(),
            is_summary: effect.origin.is_summary(),
            sequence: effect.sequence,
        });
        self.settle(&effect, Settlement::Dead(kind));
    }

    /// A dead letter for a route that could not be planned.
    pub(super) fn dead_letter_route(
        &mut self,
        run: Key,
        queued: &QueuedEvent,
        failed: FailedRoute,
    ) {
        let kind = failed.cause.kind;
        let effect = queued.effect_id(&failed.route, self.feature_level);
        let settled = SettledEffect {
            effect,
            route: failed.route.clone(),
            target: None,
            state: queued.event.state,
            settlement: Settlement::Dead(kind),
            attempts: 0,
            at: self.now,
        };
        self.note_settled(run, settled);
        self.add_letter(DeadLetter {
            id: 0,
            failed_at: self.now,
            cause: failed.cause,
            replays: queued.origin.replays(),
            attempts: 0,
            run,
            route: failed.route,
            event: queued.event.clone(),
            context: queued.context.clone(),
            is_summary: queued.origin.is_summary(),
            sequence: queued.sequence,
        });
    }

    fn settle(&mut self, effect: &EffectRecord, settlement: Settlement) {
        if let Some(run) = self.runs.get_mut(&effect.run) {
            run.unsettled = run.unsettled.saturating_sub(1);
        }
        let settled = self.settled(effect, settlement, effect.attempts);
        self.note_settled(effect.run, settled);
        // Nothing reads the target of a stream between two of its effects.
        let is_stream = effect.delivery == Delivery::Stream;
        if is_stream
            && self.has_reached(FeatureLevel::SECOND)
            && self.outbox.targets.get(&effect.target).is_some_and(|target| target.open.is_none())
            && !self.outbox.leads_to(&effect.lane())
        {
            self.outbox.targets.remove(&effect.target);
        }
    }

    fn settled(
        &self,
        effect: &EffectRecord,
        settlement: Settlement,
        attempts: u32,
    ) -> SettledEffect {
        SettledEffect {
            effect: effect.id,
            route: effect.route.clone(),
            target: Some(effect.target.clone()),
            state: effect.event.state,
            settlement,
            attempts,
            at: self.now,
        }
    }

    pub(super) fn note_settled(&mut self, run: Key, settled: SettledEffect) {
        let (effect, end) = (settled.effect, (&settled.settlement).into());
        self.changes.push(StateChange::EffectSettled { run, effect, end });
        if let Some(run) = self.runs.get_mut(&run) {
            run.note_settled(settled);
        }
    }

    /// Rule 6: a route may be missing because a configuration is being rolled out.
    pub(super) fn apply_park(&mut self, owner: Owner, effects: &[EffectId]) -> Applied {
        if !self.is_owner(owner) {
            return Applied::Refused(Refusal::NotOwner);
        }
        for id in effects {
            let Some(effect) = self.outbox.effects.get(id) else { continue };
            if effect.slot != owner.slot || effect.open.is_some() {
                continue;
            }
            let since = if effect.parked_since.is_known() { effect.parked_since } else { self.now };
            if self.now.since(since) >= PARK_MAX {
                self.skip(*id, SkipReason::RouteGone);
                continue;
            }
            let not_before = self.now.after(PARK_RETRY);
            self.update_effect(*id, |effect| {
                effect.parked_since = since;
                effect.not_before = not_before;
            });
        }
        Applied::Done
    }
}
