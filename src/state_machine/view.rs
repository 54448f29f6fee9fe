//! Read views: what is known of an event, and what answers questions.

use super::claim::{Sight, Weight};
use super::level::FeatureLevel;
use super::outbox::EffectRecord;
use super::run_record::RunRecord;
use super::slot::{Slot, SlotId};
use super::{Counters, DeadLetter, Fate, Grant, NodeId, Settings, StateMachine, run_key};
use crate::clock::Timestamp;
use crate::effect::TargetKey;
use crate::event::{Key, RunEvent};

/// A known transition is touched when this share of its memory's life has passed (rule 8).
const TOUCH_SHARE: u64 = 4;

/// What applied state knows of an event that was sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    pub fate: Fate,
    pub slot: SlotId,
    /// The run whose memory is to be kept by a `Touch`.
    pub touch: Option<Key>,
}

/// A run as `GET /api/v1/runs/{uid}` shows it.
#[derive(Clone, Debug)]
pub struct RunView<'a> {
    pub run: &'a RunRecord,
    pub unsettled: Vec<&'a EffectRecord>,
}

impl StateMachine {
    /// The largest stamp applied so far.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Slots with owner and epoch.
    pub fn slots(&self) -> impl Iterator<Item = (SlotId, Slot)> + '_ {
        self.slots.iter()
    }

    /// The state of one slot.
    #[must_use]
    pub fn slot(&self, slot: SlotId) -> Slot {
        self.slots.get(slot)
    }

    /// The newest boot number of a node that the log knows.
    #[must_use]
    pub fn boot_of(&self, node: NodeId) -> Option<u64> {
        self.boots.get(&node).copied()
    }

    /// Nodes that have a life in the log.
    pub fn booted(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.boots.keys().copied()
    }

    /// Whether a node left for good: a boot of it is refused, and it is given no slot.
    #[must_use]
    pub fn is_retired(&self, node: NodeId) -> bool {
        self.retired.contains_key(&node)
    }

    /// Nodes that left for good, by id, and when the log was told. At most
    /// [`RETIRED_MAX`](super::RETIRED_MAX): those that left longest ago are forgotten first.
    pub fn retired(&self) -> impl Iterator<Item = (NodeId, Timestamp)> + '_ {
        self.retired.iter().map(|(node, at)| (*node, *at))
    }

    /// When the next summary is due, of those that are waited for.
    #[must_use]
    pub fn next_summary(&self) -> Option<Timestamp> {
        let due = self.summaries.accumulators.values().map(|accumulator| accumulator.due_at);
        due.filter(|due_at| due_at.is_known()).min()
    }

    /// What is known of an event without writing anything (rule 8).
    #[must_use]
    pub fn known(&self, event: &RunEvent) -> Option<Known> {
        let slot = SlotId::of_root(event.root_uid());
        let known = |touch| Known { fate: Fate::Duplicate, slot, touch };
        if self.deliveries.contains(&event.delivery_key()) {
            return Some(known(None));
        }
        let key = run_key(&event.uid);
        if let Some(run) = self.runs.get(&key) {
            let is_same = if self.has_reached(FeatureLevel::SECOND) {
                Sight::of(run, event) == Sight::Same
            } else {
                run.position.attempt == event.attempt
                    && run.transitions.contains(&event.transition_key())
                    && run.facts_digest == event.facts_digest()
                    && !run.owes_second_final(event)
            };
            return is_same.then(|| known(self.touch_if_old(key, run.last_seen)));
        }
        let past = self.tombstones.get(&key)?;
        let is_same = past.knows(event)
            && (!self.has_reached(FeatureLevel::SECOND) || past.weigh(event) == Weight::Known);
        is_same.then(|| known(self.touch_if_old(key, past.last_seen)))
    }

    fn touch_if_old(&self, key: Key, last_seen: Timestamp) -> Option<Key> {
        let age_ms = self.now.0.saturating_sub(last_seen.0);
        (age_ms >= self.settings.transition_ttl_ms / TOUCH_SHARE).then_some(key)
    }

    /// Calls that `node` may make in its life `boot`, as far as the log knows.
    pub fn begun_by(&self, node: NodeId, boot: u64) -> impl Iterator<Item = Grant> + '_ {
        let own = self.outbox.open().filter(move |effect| {
            effect.open.as_ref().is_some_and(|open| open.node == node && open.boot == boot)
        });
        own.map(|effect| Grant { effect: effect.id, attempt: effect.attempts })
    }

    /// One unsettled effect.
    #[must_use]
    pub fn effect(&self, id: crate::effect::EffectId) -> Option<&EffectRecord> {
        self.outbox.effect(id)
    }

    /// The remote id that the last write to a target left.
    #[must_use]
    pub fn remote_id(&self, target: &TargetKey) -> Option<&str> {
        let id = self.outbox.targets.get(target)?.remote_id.as_str();
        (!id.is_empty()).then_some(id)
    }

    /// A live run by uid.
    #[must_use]
    pub fn run(&self, uid: &str) -> Option<RunView<'_>> {
        let key = run_key(uid);
        let run = self.runs.get(&key)?;
        let unsettled = self.outbox.of_run(key).collect();
        Some(RunView { run, unsettled })
    }

    /// Dead letters, oldest first.
    pub fn dead_letters(&self) -> impl ExactSizeIterator<Item = &DeadLetter> {
        self.dead_letters.values()
    }

    /// Planned effects that are not settled.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.outbox.effects.len()
    }

    /// Events that are accepted and not planned, those that wait for their PipelineRun among them.
    #[must_use]
    pub fn unplanned(&self) -> usize {
        self.runs.queued()
    }

    /// Run records in use: live ones, then shrunk ones.
    #[must_use]
    pub fn run_counts(&self) -> (usize, usize) {
        (self.runs.len(), self.tombstones.len())
    }

    /// Delivery keys remembered.
    #[must_use]
    pub fn deliveries_remembered(&self) -> usize {
        self.deliveries.len()
    }
}
