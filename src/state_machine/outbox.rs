//! The outbox: planned effects that are not settled, their lanes and their targets.
//!
//! Each (run, target) is a lane with its own order; a target is written by one open Begin at a
//! time, whichever run it comes from (rules 1, 4, 5).

use super::Tracked;
use super::agenda::{Agenda, ByAge, InOrder, Turns};
use super::command::Grant;
use super::copy_on_write::CopyOnWrite;
use super::dead_letter::Cause;
use super::level::FeatureLevel;
use super::node::NodeId;
use super::run_record::Origin;
use super::slot::SlotId;
use crate::clock::Timestamp;
use crate::effect::{Delivery, EffectId, RouteName, TargetKey};
use crate::event::{Key, Position, RunAge, RunContext, RunEvent, RunState};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Effects a stream lane holds (rule 14).
pub const STREAM_LANE_MAX: usize = 64;
/// Effects in the outbox (rule 14).
pub const OUTBOX_EFFECTS_MAX: usize = 100_000;
/// Bytes of event text in the outbox (rule 14).
pub const OUTBOX_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// An effect that is planned and not settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectRecord {
    pub id: EffectId,
    pub route: RouteName,
    pub target: TargetKey,
    pub delivery: Delivery,
    pub run: Key,
    pub slot: SlotId,
    pub sequence: u64,
    pub event: Arc<RunEvent>,
    pub context: RunContext,
    pub origin: Origin,
    pub accepted_at: Timestamp,
    /// Begins granted so far.
    pub attempts: u32,
    /// When the first of them was granted; unknown before, and at the first level.
    pub first_begun_at: Timestamp,
    pub not_before: Timestamp,
    pub open: Option<OpenBegin>,
    /// Boots that ended while it was open (rule 7).
    pub ended_boots: u32,
    /// An earlier attempt may have happened without its record.
    pub is_in_doubt: bool,
    /// Since when the owner's configuration has lacked the route; unknown if it does not.
    pub parked_since: Timestamp,
    pub last_cause: Option<Cause>,
}

impl EffectRecord {
    /// The lane this effect stands in.
    #[must_use]
    pub fn lane(&self) -> LaneKey {
        (self.run, self.target.clone())
    }

    /// What its next Begin has to ask for.
    #[must_use]
    pub fn next_grant(&self) -> Grant {
        Grant { effect: self.id, attempt: self.attempts.saturating_add(1) }
    }

    /// Its place among the writers of its target.
    #[must_use]
    pub fn writer(&self) -> Writer {
        Writer { age: self.event.age(), position: self.event.position(), sequence: self.sequence }
    }

    /// Text it keeps alive, in bytes: the measure of `OUTBOX_BYTES_MAX`.
    #[must_use]
    pub fn weight_bytes(&self) -> u64 {
        let event = &self.event;
        let maps = [&event.labels, &event.annotations];
        let pairs = maps.into_iter().flatten().map(|(key, value)| key.len() + value.len());
        let values =
            event.results.iter().chain(&event.params).map(|v| v.name.len() + v.value.len());
        let text: usize = pairs.chain(values).sum::<usize>() + event.message.len();
        u64::try_from(text).unwrap_or(u64::MAX).saturating_add(EVENT_WEIGHT_BYTES)
    }
}

/// Flat share of an event in the outbox besides its texts of variable length.
const EVENT_WEIGHT_BYTES: u64 = 1024;

/// A lane: the effects of one run on one target.
pub type LaneKey = (Key, TargetKey);

/// The right to send that is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenBegin {
    pub node: NodeId,
    pub boot: u64,
    pub at: Timestamp,
}

/// Who wrote a target last: the newest run wins, within a run the furthest position.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Writer {
    pub age: RunAge,
    pub position: Position,
    pub sequence: u64,
}

impl Writer {
    /// Whether what `other` has is older. Of one run its place alone counts: what it claims of its
    /// own age may differ from event to event.
    #[must_use]
    pub fn is_newer_than(&self, other: &Self) -> bool {
        if self.age.uid == other.age.uid {
            return (self.position, self.sequence) > (other.position, other.sequence);
        }
        self > other
    }

    /// Whether nobody can tell which of two runs is the newer one: they were created in one second,
    /// or one of them does not say when.
    #[must_use]
    pub fn ties_with(&self, other: &Self) -> bool {
        let (own, others) = (self.age.created_at, other.age.created_at);
        let is_unknown = !own.is_known() || !others.is_known();
        self.age.uid != other.age.uid && (own == others || is_unknown)
    }
}

/// A remote object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetRecord {
    pub writer: Option<Writer>,
    /// Empty until a write returned one.
    pub remote_id: String,
    pub open: Option<EffectId>,
    pub touched_at: Timestamp,
    /// The newest state of each writer, by its key; more than one where checks collide.
    pub standings: BTreeMap<Key, Standing>,
    /// The namespace that it counts for, of the run that wrote it last; 0 where that was not noted,
    /// at the first feature level.
    pub share: u64,
}

/// The newest state of one writer of a target, whether it was shown or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub writer: Writer,
    pub state: RunState,
}

/// A Begin that was begun anew while its call might still be under way (rule 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplacedBegin {
    pub node: NodeId,
    pub boot: u64,
    /// The effect as it stood, to send its target's state once more.
    pub effect: EffectRecord,
}

/// Effects, lanes and targets, with the indexes that find due work.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    pub(crate) effects: BTreeMap<EffectId, CopyOnWrite<EffectRecord>>,
    pub(crate) lanes: BTreeMap<LaneKey, VecDeque<EffectId>>,
    pub(crate) targets: Tracked<TargetKey, TargetRecord>,
    pub(crate) replaced: BTreeMap<(EffectId, u32), ReplacedBegin>,
    /// Lane heads that are not open. Derived.
    agenda: Agenda,
    /// Effects on the wire. Derived.
    open: BTreeSet<EffectId>,
    /// Unsettled effects per instance, by its name and kind, oldest first. Derived.
    by_instance: BTreeMap<(String, String), BTreeSet<(u64, EffectId)>>,
    bytes: u64,
}

impl Outbox {
    /// Builds the derived indexes anew, for a state that was read from a snapshot.
    #[must_use]
    pub(crate) fn restore(
        effects: BTreeMap<EffectId, CopyOnWrite<EffectRecord>>,
        targets: Tracked<TargetKey, TargetRecord>,
        replaced: BTreeMap<(EffectId, u32), ReplacedBegin>,
        lanes: BTreeMap<LaneKey, VecDeque<EffectId>>,
    ) -> Self {
        let mut outbox = Self { targets, replaced, lanes, ..Self::default() };
        for effect in effects.into_values() {
            outbox.index(&effect);
            outbox.effects.insert(effect.id, effect);
        }
        let heads: Vec<_> =
            outbox.lanes.values().filter_map(|lane| lane.front().copied()).collect();
        for head in heads {
            outbox.place(head);
        }
        outbox
    }

    /// The effects, lanes and targets without the indexes that find due work.
    pub(super) fn stored_copy(&self) -> Self {
        Self {
            effects: self.effects.clone(),
            lanes: self.lanes.clone(),
            targets: self.targets.clone(),
            replaced: self.replaced.clone(),
            ..Self::default()
        }
    }

    /// Adds an effect to the end of its lane.
    pub(crate) fn push(&mut self, effect: EffectRecord) {
        let id = effect.id;
        self.index(&effect);
        self.lanes.entry(effect.lane()).or_default().push_back(id);
        self.effects.insert(id, CopyOnWrite::new(effect));
        self.refresh_lane(id);
    }

    /// Takes an effect out, wherever it stands in its lane.
    pub(crate) fn remove(&mut self, id: EffectId) -> Option<EffectRecord> {
        let effect = self.effects.remove(&id)?.into_inner();
        self.agenda.take_out(&effect);
        self.open.remove(&id);
        self.bytes = self.bytes.saturating_sub(effect.weight_bytes());
        let instance = name_and_kind(&effect.route);
        if let Some(ids) = self.by_instance.get_mut(&instance) {
            ids.remove(&(effect.sequence, id));
            if ids.is_empty() {
                self.by_instance.remove(&instance);
            }
        }
        let lane_key = effect.lane();
        let mut next = None;
        if let Some(lane) = self.lanes.get_mut(&lane_key) {
            lane.retain(|other| *other != id);
            next = lane.front().copied();
            if lane.is_empty() {
                self.lanes.remove(&lane_key);
            }
        }
        if let Some(target) = self.targets.get_mut(&effect.target)
            && target.open == Some(id)
        {
            target.open = None;
        }
        if let Some(next) = next {
            self.place(next);
        }
        Some(effect)
    }

    /// Changes an effect and keeps the indexes true.
    pub(crate) fn update(&mut self, id: EffectId, change: impl FnOnce(&mut EffectRecord)) {
        let Some(effect) = self.effects.get_mut(&id) else { return };
        change(effect);
        if effect.open.is_some() {
            self.open.insert(id);
        } else {
            self.open.remove(&id);
        }
        self.refresh_lane(id);
    }

    /// An effect, while it is unsettled.
    pub(crate) fn effect(&self, id: EffectId) -> Option<&EffectRecord> {
        self.effects.get(&id).map(|effect| &**effect)
    }

    /// The effects of a lane, oldest first.
    pub(crate) fn lane(&self, lane: &LaneKey) -> impl Iterator<Item = &EffectRecord> {
        self.lanes.get(lane).into_iter().flatten().filter_map(|id| self.effect(*id))
    }

    /// Whether `id` heads its lane.
    pub(crate) fn is_head(&self, effect: &EffectRecord) -> bool {
        self.lanes.get(&effect.lane()).and_then(|lane| lane.front()) == Some(&effect.id)
    }

    /// Lane heads of an owner's slots that may be begun at `now`, longest waiting first.
    pub(super) fn due_by_age(&self, owner: NodeId, now: Timestamp) -> ByAge<'_> {
        self.agenda.by_age(owner, now)
    }

    /// The same, instance by instance, each in the order in which they should leave.
    pub(super) fn due_in_order(
        &self,
        owner: NodeId,
        now: Timestamp,
        turns: &Turns,
    ) -> Vec<InOrder<'_>> {
        self.agenda.in_order(owner, now, turns)
    }

    /// Lets lane heads come due up to a moment in replicated time.
    pub(super) fn advance(&mut self, now: Timestamp) {
        self.agenda.advance(now);
    }

    /// A target has its first writer: no other effect will be the first one there.
    pub(super) fn note_first_writer(&mut self, target: &TargetKey) {
        for id in self.agenda.firsts_of(target) {
            self.place(id);
        }
    }

    /// Hands the effects of a slot to its new owner.
    pub(super) fn move_slot(&mut self, slot: SlotId, owner: Option<NodeId>) {
        self.agenda.move_slot(slot, owner);
    }

    /// When, after `now`, the next lane head may be begun, of those that no pause holds up then.
    pub(super) fn next_ready(
        &self,
        now: Timestamp,
        pause_end: impl Fn(&RouteName) -> Option<Timestamp>,
    ) -> Option<Timestamp> {
        let firsts = self.agenda.firsts_from(Timestamp(now.0.saturating_add(1)));
        let free = firsts.filter_map(|(at, _, id)| {
            let route = &self.effects.get(&id)?.route;
            let until = pause_end(route).filter(|until| at < *until);
            until.map_or(Some(at), |until| Some(self.agenda.first_of(route, until)?.0))
        });
        free.min()
    }

    /// Effects on the wire.
    pub(crate) fn open(&self) -> impl Iterator<Item = &EffectRecord> {
        self.open.iter().filter_map(|id| self.effect(*id))
    }

    /// Effects of replaced Begins after whose end their target is written once more (rule 3).
    pub(crate) fn unheard_calls(&self) -> impl Iterator<Item = &EffectRecord> {
        let effects = self.replaced.values().map(|begin| &begin.effect);
        effects.filter(|effect| effect.delivery == Delivery::Latest)
    }

    /// Unsettled effects of one run, lane by lane.
    pub(crate) fn of_run(&self, run: Key) -> impl Iterator<Item = &EffectRecord> {
        let first = (run, TargetKey(String::new()));
        let lanes = self.lanes.range(first..).take_while(move |((of, _), _)| *of == run);
        lanes.flat_map(|(_, ids)| ids).filter_map(|id| self.effect(*id))
    }

    /// Whether a bound of rule 14 is passed.
    pub(crate) fn is_over_full(&self, bytes_max: u64) -> bool {
        self.effects.len() > OUTBOX_EFFECTS_MAX || self.bytes > OUTBOX_BYTES_MAX.min(bytes_max)
    }

    /// Text that the effects keep alive, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether a run's lane to a target has an effect, or a call that nobody heard of goes there.
    pub(crate) fn leads_to(&self, lane: &LaneKey) -> bool {
        self.lanes.contains_key(lane)
            || self.replaced.values().any(|begin| begin.effect.target == lane.1)
    }

    /// The oldest effect, not on the wire, of the instance with the largest backlog. At the first
    /// level instances of one name share a backlog.
    pub(crate) fn to_give_up(&self, level: FeatureLevel) -> Option<EffectId> {
        type Waiting = BTreeSet<(u64, EffectId)>;
        let mut backlogs: BTreeMap<(&str, &str), Vec<&Waiting>> = BTreeMap::new();
        for ((name, kind), ids) in &self.by_instance {
            let kind = if level >= FeatureLevel::SECOND { kind } else { "" };
            backlogs.entry((name, kind)).or_default().push(ids);
        }
        let mut largest: Vec<_> = backlogs.into_values().collect();
        largest.sort_by_key(|shares| {
            std::cmp::Reverse(shares.iter().map(|ids| ids.len()).sum::<usize>())
        });
        let is_waiting = |id| self.effects.get(id).is_some_and(|effect| effect.open.is_none());
        largest.into_iter().find_map(|shares| {
            let oldest =
                shares.into_iter().filter_map(|ids| ids.iter().find(|(_, id)| is_waiting(id)));
            oldest.min().map(|(_, id)| *id)
        })
    }

    fn index(&mut self, effect: &EffectRecord) {
        self.bytes = self.bytes.saturating_add(effect.weight_bytes());
        let ids = self.by_instance.entry(name_and_kind(&effect.route)).or_default();
        ids.insert((effect.sequence, effect.id));
        if effect.open.is_some() {
            self.open.insert(effect.id);
        }
    }

    /// Re-indexes the head of the lane that `id` stands in.
    fn refresh_lane(&mut self, id: EffectId) {
        let head = self
            .effects
            .get(&id)
            .and_then(|effect| self.lanes.get(&effect.lane()))
            .and_then(|lane| lane.front().copied());
        if let Some(head) = head {
            self.place(head);
        }
    }

    /// Places the head of a lane in the agenda, and takes it out while it is on the wire.
    fn place(&mut self, head: EffectId) {
        let Some(effect) = self.effects.get(&head) else { return };
        if effect.open.is_some() {
            return self.agenda.take_out(effect);
        }
        let target = self.targets.get(&effect.target);
        let is_first = target.is_none_or(|target| target.writer.is_none());
        self.agenda.place(effect, is_first);
    }
}

fn name_and_kind(route: &RouteName) -> (String, String) {
    (route.instance.clone(), route.kind.clone())
}
