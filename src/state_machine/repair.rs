//! Repairs (rules 2, 3): what a target shows after a call whose end nobody heard.
//!
//! A newer life of a node proves that the dead one sends nothing more, not that what it sent was
//! carried out; nor does a deadline that has passed. So the state of the target is sent once more
//! when such a call must be over, with what is true at that moment.

use super::StateMachine;
use super::dead_letter::{Cause, CauseKind};
use super::level::FeatureLevel;
use super::outbox::{EffectRecord, Writer};
use super::timer::Timer;
use crate::clock::Timestamp;
use crate::effect::{Delivery, EffectId, RouteName, TargetKey};
use crate::event::Key;
use crate::failure::FailureKind;
use std::time::Duration;

/// From the moment at which an effect is begun anew. A call that its process did not hear the end
/// of was sent within 1 s, and its target has had the 10 s of its deadline since.
pub(super) const REPAIR_AFTER_BEGIN: Duration = Duration::from_secs(12);
/// From a time-out, and between two looks at a target that is still written.
pub(super) const REPAIR_AFTER_TIMEOUT: Duration = Duration::from_mins(1);

/// The repair that a target is owed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwedRepair {
    pub due_at: Timestamp,
    /// The attempt whose call may still be carried out.
    pub effect: EffectId,
    pub attempt: u32,
    pub run: Key,
    pub route: RouteName,
    pub writer: Writer,
    /// The time counts from a Begin that was granted, or a time-out: no later Begin moves it.
    pub is_set: bool,
    /// That call was a repair itself.
    pub is_of_repair: bool,
}

impl StateMachine {
    /// Owes a repair to the target of a call that its process did not hear the end of.
    pub(super) fn owe_repair_of_lost_call(&mut self, id: EffectId) {
        if let Some(effect) = self.outbox.effect(id).cloned() {
            self.owe_repair(&effect, REPAIR_AFTER_BEGIN, false);
        }
    }

    /// Counts a call that ended by a time-out as in doubt, and owes its target a repair.
    pub(super) fn owe_repair_of_timeout(&mut self, effect: &EffectRecord, cause: &Cause) {
        let has_timed_out = cause.kind == CauseKind::Delivery(FailureKind::Timeout);
        if !has_timed_out || !self.has_reached(FeatureLevel::SECOND) {
            return;
        }
        self.counters.in_doubt += 1;
        self.owe_repair(effect, REPAIR_AFTER_TIMEOUT, true);
    }

    fn owe_repair(&mut self, effect: &EffectRecord, after: Duration, is_set: bool) {
        if !self.has_reached(FeatureLevel::SECOND) || effect.delivery == Delivery::Stream {
            return;
        }
        let known = self.take_repair(&effect.target);
        let due_at = known.map_or(Timestamp::UNKNOWN, |known| known.due_at);
        let repair = OwedRepair {
            due_at: due_at.max(self.now.after(after)),
            effect: effect.id,
            attempt: effect.attempts,
            run: effect.run,
            route: effect.route.clone(),
            writer: effect.writer(),
            is_set,
            is_of_repair: effect.origin.is_repair(),
        };
        self.put_repair(effect.target.clone(), repair);
    }

    /// The first Begin on a target since its call was lost: the time counts from here.
    pub(super) fn set_repair(&mut self, target: &TargetKey) {
        if self.repairs.get(target).is_none_or(|repair| repair.is_set) {
            return;
        }
        if let Some(repair) = self.take_repair(target) {
            let due_at = self.now.after(REPAIR_AFTER_BEGIN);
            self.put_repair(target.clone(), OwedRepair { due_at, is_set: true, ..repair });
        }
    }

    /// Sends the target's state once more, if nothing is about to write it anyway.
    pub(super) fn repair_due(&mut self, target: &TargetKey) {
        let Some(repair) = self.repairs.remove(target) else { return };
        if self.is_written_soon(target, repair.run) {
            let due_at = self.now.after(REPAIR_AFTER_TIMEOUT);
            self.put_repair(target.clone(), OwedRepair { due_at, ..repair });
            return;
        }
        let record = self.outbox.targets.get(target);
        let writer = record.and_then(|record| record.writer.as_ref());
        // Else a target that times out for good would be repaired for good.
        if repair.is_of_repair && writer == Some(&repair.writer) {
            return;
        }
        let uid = repair.writer.age.uid.clone();
        self.send_state_of(
            target,
            (repair.run, &uid),
            (repair.effect, repair.attempt, repair.route),
        );
    }

    /// Whether a call to the target is under way, or an effect waits whose call will show its state.
    fn is_written_soon(&self, target: &TargetKey, run: Key) -> bool {
        let record = self.outbox.targets.get(target);
        let writer = record.and_then(|record| record.writer.as_ref());
        let writer = writer.map(|writer| super::run_key(&writer.age.uid));
        let waits = |run: Key| self.outbox.lane(&(run, target.clone())).next().is_some();
        record.is_some_and(|record| record.open.is_some())
            || waits(run)
            || writer.is_some_and(waits)
    }

    /// Whether the record of a run is needed for a repair that is owed.
    pub(super) fn is_owed_a_repair(&self, key: Key, uid: &str) -> bool {
        self.repairs.iter().any(|(target, repair)| {
            let record = self.outbox.targets.get(target);
            let writer = record.and_then(|record| record.writer.as_ref());
            repair.run == key || writer.is_some_and(|writer| writer.age.uid == uid)
        })
    }

    fn take_repair(&mut self, target: &TargetKey) -> Option<OwedRepair> {
        let repair = self.repairs.remove(target)?;
        self.timers.remove(&(repair.due_at, Timer::Repair(target.clone())));
        Some(repair)
    }

    fn put_repair(&mut self, target: TargetKey, repair: OwedRepair) {
        self.timers.insert((repair.due_at, Timer::Repair(target.clone())));
        self.repairs.insert(target, repair);
    }
}
