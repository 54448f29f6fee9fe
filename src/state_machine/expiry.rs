//! Everything that ends by time: timers, keys, runs that fall quiet, targets, dead letters.
//! Work is bounded per entry, so that no single entry holds up the log.

use super::StateMachine;
use super::accept::FORGOTTEN_MARGIN;
use super::change::{LetterExit, StateChange};
use super::level::FeatureLevel;
use super::memory::share_of;
use super::run_record::{RunRecord, RunTombstone};
use super::settings::millis;
use super::summary::SILENCE_MAX;
use super::timer::Timer;
use super::{DeadLetter, run_key};
use crate::clock::Timestamp;
use crate::effect::TargetKey;
use crate::event::{Key, Position, RunEvent};
use std::time::Duration;

/// Timers handled in one entry (rule 19).
const TIMERS_PER_ENTRY_MAX: usize = 256;
/// Keys and runs forgotten in one entry.
const FORGOTTEN_PER_ENTRY_MAX: usize = 256;
/// Shortest wait between two looks at a run that is not quiet.
const QUIET_POLL_MIN: Duration = Duration::from_mins(1);

impl StateMachine {
    pub(super) fn run_due_timers(&mut self) {
        for _ in 0..TIMERS_PER_ENTRY_MAX {
            let Some((due_at, _)) = self.timers.first() else { return };
            if *due_at > self.now {
                return;
            }
            if let Some((due_at, timer)) = self.timers.pop_first() {
                self.fire(timer, due_at);
            }
        }
    }

    fn fire(&mut self, timer: Timer, due_at: Timestamp) {
        match timer {
            Timer::Summary(run) => self.summary_due(run, due_at),
            Timer::Group(group, generation) => self.group_due(&group, generation),
            Timer::Quiet(run) => self.shrink_if_quiet(run),
            Timer::Target(target) => self.forget_target_if_idle(&target),
            Timer::Repair(target) => self.repair_due(&target),
            Timer::DeadLetter(letter) => {
                self.take_letter(letter, LetterExit::Expired);
            }
            Timer::Parent(run) => self.stop_waiting(run, due_at),
        }
    }

    /// When the state next changes by time alone.
    #[must_use]
    pub fn next_timer(&self) -> Option<Timestamp> {
        self.timers.first().map(|(due_at, _)| *due_at)
    }

    /// Starts the one timer that a run record has. It is set anew whenever it fires, until the
    /// run shrinks, so that the timers never outnumber the runs.
    pub(super) fn arm_quiet_timer(&mut self, key: Key) {
        let first_look_at = Timestamp(self.now.0.saturating_add(self.quiet_poll_ms()));
        self.look_again_at(key, first_look_at);
    }

    /// From the second level on a run knows its timer, which goes with it.
    fn look_again_at(&mut self, key: Key, at: Timestamp) {
        self.timers.insert((at, Timer::Quiet(key)));
        if self.has_reached(FeatureLevel::SECOND)
            && let Some(run) = self.runs.get_mut(&key)
        {
            run.look_at = at;
        }
    }

    fn quiet_poll_ms(&self) -> u64 {
        self.settings.ttl_ms.max(millis(QUIET_POLL_MIN))
    }

    /// Rule 8: a final, delivered and quiet run shrinks to what recognises its transitions.
    fn shrink_if_quiet(&mut self, key: Key) {
        let Some(run) = self.runs.get(&key) else { return };
        let quiet_at = self.quiet_at(run);
        let is_over = run.is_idle() && !self.may_be_repaired(key, &run.facts.uid);
        if quiet_at <= self.now && is_over && !self.awaits_summary(key) && !self.end_silent(key) {
            self.shrink(key);
            return;
        }
        let Some(run) = self.runs.get(&key) else { return };
        let quiet_at = self.quiet_at(run);
        let poll_at = Timestamp(self.now.0.saturating_add(self.quiet_poll_ms()));
        let again_at = if quiet_at > self.now { quiet_at.min(poll_at) } else { poll_at };
        self.look_again_at(key, again_at);
    }

    /// A run that is deleted before its end is never heard of again: silence ends it too, else
    /// its record would be in use for ever.
    fn quiet_at(&self, run: &RunRecord) -> Timestamp {
        let quiet_at = Timestamp(run.last_seen.0.saturating_add(self.settings.ttl_ms));
        if run.facts.state.is_final() {
            return quiet_at;
        }
        quiet_at.max(run.last_seen.after(SILENCE_MAX))
    }

    /// Rule 3: a call that may still be made needs the record of the run whose state is sent after
    /// it: that of the call itself, or of the target's last writer.
    pub(super) fn may_be_repaired(&self, key: Key, uid: &str) -> bool {
        let is_owed = !self.repairs.is_empty() && self.is_owed_a_repair(key, uid);
        let mut unheard = self.outbox.unheard_calls();
        is_owed
            || unheard.any(|effect| {
                let target = self.outbox.targets.get(&effect.target);
                let writer = target.and_then(|target| target.writer.as_ref());
                effect.run == key || writer.is_some_and(|writer| writer.age.uid == uid)
            })
    }

    pub(super) fn shrink(&mut self, key: Key) {
        let Some(run) = self.runs.remove(&key) else { return };
        self.changes.push(StateChange::RunShrunk { run: key });
        self.timers.remove(&(run.look_at, Timer::Quiet(key)));
        let check = Self::check_to_keep(&run);
        let past =
            RunTombstone { check, ..self.tombstone_of(&run.facts, run.position, run.last_seen) };
        let keeps_end = self.has_reached(FeatureLevel::SECOND);
        self.insert_tombstone(key, if keeps_end { past.with_end(&run.facts) } else { past });
        self.forget_accumulator(key);
        // Without summaries no timer ends what is known of a root that never reports itself.
        let root = run_key(run.facts.root_uid());
        if !self.settings.accumulates && !self.runs.contains_key(&root) {
            self.forget_accumulator(root);
        }
    }

    pub(super) fn insert_tombstone(&mut self, key: Key, past: RunTombstone) {
        self.memory.add_tombstone(&past);
        if let Some(before) = self.tombstones.insert(key, past) {
            self.memory.remove_tombstone(&before);
        }
    }

    /// What is remembered of a run, with the namespace that it counts for.
    pub(super) fn tombstone_of(
        &self,
        facts: &RunEvent,
        position: Position,
        last_seen: Timestamp,
    ) -> RunTombstone {
        let share = self.noted_share(&facts.namespace);
        RunTombstone { share, ..RunTombstone::of(facts, position, last_seen) }
    }

    /// The share of a namespace as records note it: not at the first level, which knows none.
    pub(super) fn noted_share(&self, namespace: &str) -> u64 {
        if self.has_reached(FeatureLevel::SECOND) { share_of(namespace) } else { 0 }
    }

    pub(super) fn forget_tombstone(&mut self, key: Key) {
        if let Some(past) = self.tombstones.remove(&key) {
            self.memory.remove_tombstone(&past);
        }
    }

    /// Makes sure one more run record fits. Only tombstones are evicted, oldest first; that
    /// moves the moment before which unknown runs fire nothing. False when all are in use.
    pub(super) fn free_a_record(&mut self) -> bool {
        let runs_max = usize::try_from(self.settings.runs_max).unwrap_or(usize::MAX);
        // Several at a time: records may have become too many when the setting was lowered.
        for _ in 0..FORGOTTEN_PER_ENTRY_MAX {
            if self.runs.len() + self.tombstones.len() < runs_max {
                return true;
            }
            let Some((_, key)) = self.tombstones.oldest() else { return false };
            self.evict(key);
        }
        true
    }

    pub(super) fn evict(&mut self, key: Key) {
        if let Some(changed_at) = self.tombstones.get(&key).map(|past| past.changed_at) {
            self.forget_before(changed_at);
        }
        self.forget_tombstone(key);
    }

    /// What changed before `at` may have been forgotten: an unknown run that did fires nothing.
    pub(super) fn forget_before(&mut self, at: Timestamp) {
        let latest = self.now.before(FORGOTTEN_MARGIN);
        self.forgotten_before = self.forgotten_before.max(at.min(latest));
    }

    pub(super) fn expire(&mut self) {
        self.drop_ended_pauses();
        self.deliveries.expire(self.now, FORGOTTEN_PER_ENTRY_MAX);
        self.expire_unused(FORGOTTEN_PER_ENTRY_MAX);
        let life_ms = self.settings.transition_ttl_ms;
        for _ in 0..FORGOTTEN_PER_ENTRY_MAX {
            match self.tombstones.oldest() {
                Some((seen, key)) if seen.0.saturating_add(life_ms) <= self.now.0 => {
                    self.forget_tombstone(key);
                }
                Some(_) | None => break,
            }
        }
    }

    /// Starts the one timer that a target has, set anew until the target is forgotten. From the
    /// second level on `expire` finds idle targets without.
    pub(super) fn arm_target_timer(&mut self, key: &TargetKey) {
        if self.has_reached(FeatureLevel::SECOND) {
            return;
        }
        let life_ms = self.settings.transition_ttl_ms.max(millis(QUIET_POLL_MIN));
        let idle_at = Timestamp(self.now.0.saturating_add(life_ms));
        self.timers.insert((idle_at, Timer::Target(key.clone())));
    }

    fn forget_target_if_idle(&mut self, key: &TargetKey) {
        let Some(target) = self.outbox.targets.get(key) else { return };
        let life_ms = self.settings.transition_ttl_ms;
        let idle_at = Timestamp(target.touched_at.0.saturating_add(life_ms));
        if idle_at > self.now && self.has_reached(FeatureLevel::SECOND) {
            return;
        }
        if idle_at > self.now {
            self.timers.insert((idle_at, Timer::Target(key.clone())));
        } else if target.open.is_some() || self.outbox.unheard_calls().any(|e| e.target == *key) {
            self.arm_target_timer(key);
        } else {
            self.outbox.targets.remove(key);
        }
    }

    /// Takes a dead letter out together with the timer of its retention.
    pub(super) fn remove_letter(&mut self, id: u64, why: LetterExit) -> Option<DeadLetter> {
        let letter = self.take_letter(id, why)?;
        self.timers.remove(&(self.letter_expires_at(&letter), Timer::DeadLetter(id)));
        Some(letter)
    }

    fn take_letter(&mut self, id: u64, why: LetterExit) -> Option<DeadLetter> {
        let letter = self.dead_letters.remove(id)?;
        self.changes.push(StateChange::LetterLeft { letter: id, why });
        Some(letter)
    }

    pub(super) fn letter_expires_at(&self, letter: &DeadLetter) -> Timestamp {
        Timestamp(letter.failed_at.0.saturating_add(self.settings.dead_letter_ttl_ms))
    }
}
