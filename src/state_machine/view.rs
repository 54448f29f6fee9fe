//! Read views: what is due for an owner, what is known of an event, and what answers questions.

use super::outbox::EffectRecord;
use super::run_record::{QueuedEvent, RunRecord};
use super::slot::{Slot, SlotId};
use super::{Counters, DeadLetter, Fate, Grant, NodeId, Settings, StateMachine, run_key};
use crate::clock::Timestamp;
use crate::effect::TargetKey;
use crate::event::{Key, RunEvent};

/// A known transition is touched when this share of its memory's life has passed (rule 8).
const TOUCH_SHARE: u64 = 4;

/// Work that an owner may ask to begin.
#[derive(Clone, Copy, Debug)]
pub enum DueWork<'a> {
    /// The event at the head of this run's queue has no plan.
    Plan { run: Key, slot: SlotId, queued: &'a QueuedEvent },
    /// This effect heads its lane and its time has come.
    Send(&'a EffectRecord),
}

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

    /// Plans to make and effects to begin for the slots of `node`, oldest first. `now` is the
    /// owner's reading of replicated time; nothing is reserved by looking.
    pub fn due_work(&self, node: NodeId, now: Timestamp) -> impl Iterator<Item = DueWork<'_>> {
        let plans = self.unplanned.iter().filter_map(move |(_, key)| {
            let run = self.runs.get(key)?;
            let queued = run.queue.front()?;
            let is_own = self.slots.get(run.slot).owner == Some(node);
            is_own.then_some(DueWork::Plan { run: *key, slot: run.slot, queued })
        });
        let sends = self.outbox.ready(now).filter_map(move |effect| {
            let is_own = self.slots.get(effect.slot).owner == Some(node);
            let target = self.outbox.targets.get(&effect.target);
            let is_free = target.is_none_or(|target| target.open.is_none());
            let is_paused = self.is_paused(&effect.route.instance, now);
            (is_own && is_free && !is_paused).then_some(DueWork::Send(effect))
        });
        let takeovers = self.outbox.open().filter_map(move |effect| {
            let is_own = self.slots.get(effect.slot).owner == Some(node);
            let is_paused = self.is_paused(&effect.route.instance, now);
            (is_own && !is_paused && self.may_take_over(effect, now))
                .then_some(DueWork::Send(effect))
        });
        plans.chain(sends).chain(takeovers)
    }

    /// When, after [`StateMachine::now`], the next effect may be begun. What may be begun already
    /// is found by [`StateMachine::due_work`].
    #[must_use]
    pub fn next_send(&self) -> Option<Timestamp> {
        let is_free = |effect: &EffectRecord, at| !self.is_paused(&effect.route.instance, at);
        let takeovers = self.outbox.open().filter_map(|effect| {
            self.takeover_at(effect).filter(|at| *at > self.now && is_free(effect, *at))
        });
        // What waits for the end of a pause is told by that end alone.
        let ready = self.outbox.next_ready(self.now, is_free);
        takeovers.chain(ready).chain(self.pauses.values().copied()).min()
    }

    /// When the next summary is due, of those that are waited for.
    #[must_use]
    pub fn next_summary(&self) -> Option<Timestamp> {
        let due = self.accumulators.values().map(|accumulator| accumulator.due_at);
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
            let is_same = run.position.attempt == event.attempt
                && run.transitions.contains(&event.transition_key())
                && run.facts_digest == event.facts_digest();
            return is_same.then(|| known(self.touch_if_old(key, run.last_seen)));
        }
        let past = self.past.get(&key)?;
        past.knows(event).then(|| known(self.touch_if_old(key, past.last_seen)))
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
        self.outbox.effects.get(&id)
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

    /// Events that are accepted and not planned.
    #[must_use]
    pub fn unplanned(&self) -> usize {
        let runs = self.unplanned.iter().filter_map(|(_, key)| self.runs.get(key));
        runs.map(|run| run.queue.len()).sum()
    }

    /// Run records in use: live ones, then shrunk ones.
    #[must_use]
    pub fn run_counts(&self) -> (usize, usize) {
        (self.runs.len(), self.past.len())
    }

    /// Delivery keys remembered.
    #[must_use]
    pub fn deliveries_remembered(&self) -> usize {
        self.deliveries.len()
    }
}
