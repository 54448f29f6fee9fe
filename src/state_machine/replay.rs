//! Dead letters and their way back to work. A replay goes past the dedupe on purpose and is
//! planned anew, so that a mended template, rule or credential helps.

use super::change::{LetterExit, StateChange};
use super::claim::clamp;
use super::command::{Applied, ReplayItem};
use super::dead_letter::{Cause, DeadLetter};
use super::level::FeatureLevel;
use super::run_record::{Origin, QueuedEvent, RunTombstone};
use super::slot::SlotId;
use super::timer::Timer;
use super::{RunRecord, StateMachine, run_key};
use crate::effect::RouteName;
use crate::event::{Key, Position, RunContext, RunEvent};
use std::collections::BTreeSet;
use std::sync::Arc;

impl StateMachine {
    pub(super) fn add_letter(&mut self, letter: DeadLetter) {
        let (cause, expires_at) = (letter.cause.kind, self.letter_expires_at(&letter));
        self.counters.dead(cause);
        let id = self.dead_letters.add(letter);
        self.timers.insert((expires_at, Timer::DeadLetter(id)));
        self.changes.push(StateChange::LetterAdded { letter: id, cause });
        let letters_max = usize::try_from(self.settings.dead_letters_max).unwrap_or(usize::MAX);
        while self.dead_letters.len() > letters_max || self.has_letters_to_drop() {
            let Some(oldest) = self.dead_letters.oldest() else { return };
            self.remove_letter(oldest, LetterExit::NoRoom);
            self.counters.letters_dropped += 1;
        }
    }

    /// A dead letter for an event that no process survived planning.
    pub(super) fn dead_letter_event(&mut self, run: Key, queued: &QueuedEvent, cause: Cause) {
        let route = queued.origin.only_route().cloned().unwrap_or_else(RouteName::every);
        self.add_letter(DeadLetter {
            id: 0,
            failed_at: self.now,
            cause,
            replays: queued.origin.replays(),
            attempts: 0,
            run,
            route,
            event: Arc::clone(&queued.event),
            context: queued.context.clone(),
            is_summary: queued.origin.is_summary(),
            sequence: queued.sequence,
        });
    }

    /// Queues letters again in the order in which their events were accepted.
    pub(super) fn apply_replay(&mut self, items: Vec<ReplayItem>) -> Applied {
        let mut replayed: Vec<(DeadLetter, ReplayItem)> = items
            .into_iter()
            .filter_map(|item| Some((self.remove_letter(item.letter, LetterExit::Replayed)?, item)))
            .collect();
        replayed.sort_by_key(|(letter, _)| (letter.sequence, letter.id));
        let count = u64::try_from(replayed.len()).unwrap_or(u64::MAX);
        for (letter, item) in replayed {
            self.replay(letter, item);
        }
        Applied::Replayed(count)
    }

    /// Takes letters out for good: what they owed is owed no more.
    pub(super) fn apply_delete_letters(&mut self, letters: &[u64]) -> Applied {
        let delete = |letter: &u64| self.remove_letter(*letter, LetterExit::Deleted);
        let deleted = letters.iter().filter_map(delete).count();
        Applied::Deleted(u64::try_from(deleted).unwrap_or(u64::MAX))
    }

    fn replay(&mut self, letter: DeadLetter, item: ReplayItem) {
        let is_second = self.has_reached(FeatureLevel::SECOND);
        let event = item.event.map_or_else(
            || Arc::clone(&letter.event),
            |mut event| {
                if is_second {
                    clamp(&mut event, self.now);
                }
                Arc::from(*event)
            },
        );
        let key = if letter.is_summary { letter.run } else { run_key(&event.uid) };
        self.revive(key, &event, &letter.context);
        let sequence = self.take_sequence();
        let queued = QueuedEvent {
            sequence,
            event,
            context: letter.context,
            origin: Origin::Replay {
                letter: letter.id,
                replays: letter.replays + 1,
                route: letter.route,
                is_summary: letter.is_summary,
            },
            accepted_at: self.now,
            ended_plannings: 0,
        };
        self.enqueue(key, queued);
    }

    /// The run may have shrunk since the letter was written. What was remembered of it holds:
    /// a final state that it had reached must not count as new when it is sent again.
    fn revive(&mut self, key: Key, event: &Arc<RunEvent>, context: &RunContext) {
        if self.runs.contains_key(&key) {
            return;
        }
        let reached = self.tombstones.get(&key).map_or(event.position(), |past| Position {
            attempt: past.attempt,
            rank: past.rank,
            last_transition: past.changed_at,
            ce_time: event.ce_time,
        });
        let end = self.tombstones.get(&key).and_then(RunTombstone::end);
        self.forget_tombstone(key);
        let position = reached.max(event.position());
        let (rank, attempt) = (position.rank, position.attempt);
        let furthest = RunEvent { rank, attempt, ..(**event).clone() };
        let slot = SlotId::of_root(event.root_uid());
        let mut record = RunRecord::first(slot, Arc::clone(event), context.clone(), self.now);
        record.position = position;
        record.transitions = BTreeSet::from([event.transition_key(), furthest.transition_key()]);
        record.ends.extend(end);
        self.runs.insert(key, record);
        self.changes.run_changed(key);
        self.arm_quiet_timer(key);
    }
}

impl RouteName {
    /// Stands for all routes of an event that was never planned.
    #[must_use]
    pub fn every() -> Self {
        Self { kind: String::new(), instance: String::new(), action: String::new() }
    }

    /// Whether a replay of `self` covers `route`: the same one, or all of them.
    #[must_use]
    pub fn covers(&self, route: &Self) -> bool {
        self.kind.is_empty() || self == route
    }
}
