//! Who gives way when the memory of the state, or the number of runs, is at its bound (rules 8, 14).
//!
//! What is over goes first, oldest first; then what is silent, of the namespace that holds most. What
//! is owed to somebody never gives way to something new.

use super::{ShareId, share_of, weight};
use crate::clock::Timestamp;
use crate::effect::TargetKey;
use crate::event::{Key, RunEvent};
use crate::state_machine::StateMachine;
use crate::state_machine::accept::FORGOTTEN_MARGIN;
use crate::state_machine::change::LetterExit;
use crate::state_machine::dead_letter::{Cause, CauseKind};
use crate::state_machine::level::FeatureLevel;

/// Things that give way for one command. Each frees at least what a tombstone takes, so that
/// what is refused now finds more room the next time.
const STEPS_MAX: usize = 512;
/// Runs passed over in one step because something still needs their record.
const SKIPS_MAX: usize = 64;
/// Share of the memory that new runs of the namespace that holds most leave to the others.
const RESERVE_SHARE: u64 = 8;
/// Share that every new run leaves to the runs that are known.
const KNOWN_SHARE: u64 = 16;
/// What a new run takes, more or less, to tell whether there is room for one.
const NEW_RUN_BYTES: u64 = 8 * 1024;
/// Share of the memory that dead letters may take, and delivery keys.
const PART_SHARE: u64 = 8;
/// Share that planned effects may take.
const OUTBOX_SHARE: u64 = 2;

/// What a command is about to take.
#[derive(Clone, Copy, Debug)]
struct Need {
    bytes: u64,
    bytes_max: u64,
    /// Run records, live and shrunk.
    records: u64,
}

/// Which bound is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lack {
    Bytes,
    Records,
}

impl StateMachine {
    fn bounds_memory(&self) -> bool {
        self.has_reached(FeatureLevel::SECOND)
    }

    /// Makes room for the first event of a run. False when nothing can give way.
    pub(in crate::state_machine) fn make_room_for_new(&mut self, event: &RunEvent) -> bool {
        if !self.bounds_memory() {
            return self.free_a_record();
        }
        self.weigh();
        let max = self.memory_max();
        let is_of_largest = self.memory.largest() == Some(share_of(&event.namespace));
        let held_back = max / if is_of_largest { RESERVE_SHARE } else { KNOWN_SHARE };
        let need = Need {
            bytes: weight::new_run(event),
            bytes_max: max.saturating_sub(held_back),
            records: 1,
        };
        self.make_room(need)
    }

    /// Makes room for one more event of a known run. False when nothing can give way.
    pub(in crate::state_machine) fn make_room_for_known(&mut self, event: &RunEvent) -> bool {
        let bytes_max = self.memory_max();
        let need = Need { bytes: weight::new_run(event), bytes_max, records: 0 };
        !self.bounds_memory() || self.make_room(need)
    }

    /// Makes room for a tombstone. False when nothing can give way.
    pub(in crate::state_machine) fn make_room_for_tombstone(&mut self) -> bool {
        if !self.bounds_memory() {
            return self.free_a_record();
        }
        let bytes_max = self.memory_max();
        self.make_room(Need { bytes: weight::TOMBSTONE_BYTES, bytes_max, records: 1 })
    }

    fn make_room(&mut self, need: Need) -> bool {
        for _ in 0..STEPS_MAX {
            let has_given = match self.lack(need) {
                None => return true,
                Some(Lack::Bytes) => self.give_way(),
                Some(Lack::Records) => self.give_a_record(),
            };
            if !has_given {
                return false;
            }
        }
        self.lack(need).is_none()
    }

    fn lack(&mut self, need: Need) -> Option<Lack> {
        self.weigh();
        let records = u64::try_from(self.runs.len() + self.tombstones.len()).unwrap_or(u64::MAX);
        if need.records > 0 && records.saturating_add(need.records) > self.settings.runs_max {
            return Some(Lack::Records);
        }
        let bytes = self.memory_use().bytes.saturating_add(need.bytes);
        (bytes > need.bytes_max).then_some(Lack::Bytes)
    }

    /// After every command: what a plan, a letter or a summary added may not pass the bound either.
    /// When nothing that is over can go, the oldest letters do, then effects become letters.
    pub(in crate::state_machine) fn keep_memory_bound(&mut self) {
        self.weigh();
        if !self.bounds_memory() {
            return;
        }
        for _ in 0..STEPS_MAX {
            let memory = self.memory_use();
            if memory.bytes <= memory.bytes_max {
                return;
            }
            if !self.give_way() && !self.drop_oldest_letter() && !self.give_up_an_effect() {
                return;
            }
            self.weigh();
        }
    }

    /// The bound of the outbox in bytes.
    pub(in crate::state_machine) fn outbox_bytes_max(&self) -> u64 {
        if self.bounds_memory() { self.memory_max() / OUTBOX_SHARE } else { u64::MAX }
    }

    /// Whether the dead letters take more than their share. The newest one always stays.
    pub(in crate::state_machine) fn has_letters_to_drop(&self) -> bool {
        let is_over = self.dead_letters.bytes() > self.memory_max() / PART_SHARE;
        self.bounds_memory() && self.dead_letters.len() > 1 && is_over
    }

    /// Delivery keys that fit into their share.
    pub(in crate::state_machine) fn deliveries_max(&self) -> usize {
        if !self.bounds_memory() {
            return usize::MAX;
        }
        let number = self.memory_max() / PART_SHARE / weight::DELIVERY_BYTES;
        usize::try_from(number).unwrap_or(usize::MAX)
    }

    /// Forgets targets and empty groups that were not used for `store.transition_ttl`: from the
    /// second level on they have no timers, which would outlive them.
    pub(in crate::state_machine) fn expire_unused(&mut self, number_max: usize) {
        if !self.bounds_memory() {
            return;
        }
        self.weigh();
        let before = Timestamp(self.now.0.saturating_sub(self.settings.transition_ttl_ms));
        for _ in 0..number_max {
            let idle = self.memory.idle_targets.oldest().filter(|(at, _)| *at <= before);
            let Some(key) = idle.map(|(_, key)| key.clone()) else { break };
            if !self.is_free(&key) {
                break;
            }
            self.outbox.targets.remove(&key);
            self.weigh();
        }
        let groups = self.summaries.empty_groups().take_while(|(at, _)| *at <= before);
        let groups: Vec<_> = groups.take(number_max).map(|(_, key)| key.clone()).collect();
        for key in groups {
            self.forget_group(&key);
        }
    }

    /// Whether a new run would be refused.
    pub(super) fn is_memory_full(&self, bytes: u64) -> bool {
        let max = self.memory_max();
        let runs = u64::try_from(self.runs.len()).unwrap_or(u64::MAX);
        let has_room = bytes.saturating_add(NEW_RUN_BYTES)
            <= max.saturating_sub(max / RESERVE_SHARE)
            && runs < self.settings.runs_max;
        let memory = &self.memory;
        let can_give = !memory.settled.is_empty()
            || !self.tombstones.is_empty()
            || memory.idle_targets.oldest().is_some()
            || self.summaries.oldest_orphan().is_some()
            || memory.largest().is_some_and(|share| memory.silent.of(share).next().is_some());
        !has_room && !can_give
    }

    /// Frees bytes. False when nothing can go.
    fn give_way(&mut self) -> bool {
        self.shrink_settled()
            || self.forget_aged()
            || self.forget_orphan()
            || self.forget_empty_group()
            || self.press_largest()
    }

    /// Frees a place among the records. False when none can go.
    fn give_a_record(&mut self) -> bool {
        let largest = self.memory.largest();
        self.forget_aged_tombstone()
            || largest.is_some_and(|share| self.forget_tombstone_of(share))
            || self.shrink_settled()
            || largest.is_some_and(|share| self.shrink_silent(share))
    }

    /// Shrinks the run that is over for longest, of those whose record nothing needs.
    fn shrink_settled(&mut self) -> bool {
        let mut over = self.memory.settled.iter().take(SKIPS_MAX).map(|(_, key)| *key);
        let Some(key) = over.find(|key| self.may_shrink(*key)) else { return false };
        self.shrink(key);
        true
    }

    fn may_shrink(&self, key: Key) -> bool {
        let Some(run) = self.runs.get(&key) else { return false };
        run.is_idle() && !self.may_be_repaired(key, &run.facts.uid) && !self.awaits_summary(key)
    }

    /// Forgets the oldest of what is so old that a run which changed before it is known by that
    /// alone, and fires nothing.
    fn forget_aged(&mut self) -> bool {
        let aged = self.now.before(FORGOTTEN_MARGIN);
        let past = self.tombstones.oldest().map(|(at, _)| at);
        let target = self.memory.idle_targets.oldest();
        let target = target.filter(|(at, key)| *at <= aged && self.is_free(key));
        match target.map(|(at, key)| (at, key.clone())) {
            Some((at, key)) if past.is_none_or(|past| at < past) => {
                self.forget_target(&key);
                true
            }
            Some((_, key)) => {
                if !self.forget_aged_tombstone() {
                    self.forget_target(&key);
                }
                true
            }
            None => self.forget_aged_tombstone(),
        }
    }

    fn forget_aged_tombstone(&mut self) -> bool {
        let aged = self.now.before(FORGOTTEN_MARGIN);
        let Some((_, key)) = self.tombstones.oldest().filter(|(seen, _)| *seen <= aged) else {
            return false;
        };
        self.evict(key);
        true
    }

    /// Whether no call that nobody heard of may still write to a target, and no repair is owed to it.
    fn is_free(&self, key: &TargetKey) -> bool {
        !self.repairs.contains_key(key)
            && !self.outbox.unheard_calls().any(|effect| effect.target == *key)
    }

    fn forget_target(&mut self, key: &TargetKey) {
        let target = self.outbox.targets.remove(key);
        if let Some(writer) = target.and_then(|target| target.writer) {
            self.forget_before(writer.position.last_transition);
        }
    }

    fn forget_orphan(&mut self) -> bool {
        let Some(key) = self.summaries.oldest_orphan() else { return false };
        self.forget_accumulator(key);
        self.counters.incomplete_summaries += u64::from(self.settings.accumulates);
        true
    }

    fn forget_empty_group(&mut self) -> bool {
        let oldest = self.summaries.empty_groups().next();
        let Some(key) = oldest.map(|(_, key)| key.clone()) else { return false };
        self.forget_group(&key);
        true
    }

    /// Takes from the namespace that holds most: the run that was silent for longest shrinks, then
    /// the older one of its oldest tombstone and its oldest idle target is forgotten.
    fn press_largest(&mut self) -> bool {
        let Some(share) = self.memory.largest() else { return false };
        if self.shrink_silent(share) {
            return true;
        }
        let target = self.oldest_free_target_of(share);
        let past = self.tombstones.oldest_of(share).map(|(at, _)| at);
        match target {
            Some((at, key)) if past.is_none_or(|past| at < past) => {
                self.forget_target(&key);
                true
            }
            Some(_) | None => self.forget_tombstone_of(share),
        }
    }

    fn oldest_free_target_of(&self, share: ShareId) -> Option<(Timestamp, TargetKey)> {
        let targets = self.memory.idle_targets.of(share).take(SKIPS_MAX);
        let mut free = targets.filter(|(_, key)| self.is_free(key));
        free.next().map(|(at, key)| (at, key.clone()))
    }

    fn shrink_silent(&mut self, share: ShareId) -> bool {
        let Some(key) = self.longest_silent_of(share) else { return false };
        self.shrink(key);
        true
    }

    fn longest_silent_of(&self, share: ShareId) -> Option<Key> {
        let silent = self.memory.silent.of(share).take(SKIPS_MAX).map(|(_, key)| *key);
        let mut free = silent.filter(|key| {
            let run = self.runs.get(key);
            run.is_some_and(|run| run.is_idle() && !self.may_be_repaired(*key, &run.facts.uid))
        });
        free.next()
    }

    fn forget_tombstone_of(&mut self, share: ShareId) -> bool {
        let Some((_, key)) = self.tombstones.oldest_of(share) else { return false };
        self.evict(key);
        true
    }

    fn drop_oldest_letter(&mut self) -> bool {
        let Some(oldest) = self.dead_letters.oldest() else { return false };
        self.remove_letter(oldest, LetterExit::NoRoom);
        self.counters.letters_dropped += 1;
        true
    }

    fn give_up_an_effect(&mut self) -> bool {
        let Some(id) = self.outbox.to_give_up(self.feature_level) else { return false };
        let detail = "the memory of the state was full, see store.memory".to_owned();
        self.dead_letter(id, Cause { kind: CauseKind::BacklogFull, detail });
        true
    }
}
