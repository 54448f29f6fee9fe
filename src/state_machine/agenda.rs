//! The agenda: heads of lanes that are not on the wire, in the order in which they should leave. A
//! change costs the logarithm of what waits, and a look costs what it takes. Derived from the effects
//! and the slots, and no part of the stored state.

use super::node::NodeId;
use super::outbox::EffectRecord;
use super::slot::SlotId;
use super::turns::{InTurns, NamespaceNumber, NamespaceQueues};
use crate::clock::Timestamp;
use crate::effect::{Delivery, EffectId, RouteName, TargetKey};
use crate::event::Key;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, btree_set};
use std::fmt;
use std::time::Duration;

/// Since when it waits, or when it may be begun if that is later; its sequence number, and the effect.
pub(super) type DueHead = (Timestamp, u64, EffectId);

/// Comes before all heads of one moment.
const FIRST_EFFECT: (u64, EffectId) = (0, EffectId(Key(0)));

/// A head that has waited for so long takes a share of the places, whatever is more urgent.
const PATIENCE: Duration = Duration::from_secs(10);

/// One of so many places goes to the head that has waited longest, once it is out of patience.
const OLDEST_EVERY: u32 = 4;

/// What leaves first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// The end of a run: people and merge gates wait for it.
    Final,
    /// The first state of a target: it shows that a run is there.
    First,
    /// A state that a later one of the run replaces.
    Progress,
}

impl Urgency {
    const ALL: [Self; 3] = [Self::Final, Self::First, Self::Progress];

    /// How urgent an effect is. `is_first` says that nothing was written to its target yet.
    fn of(effect: &EffectRecord, is_first: bool) -> Self {
        if effect.event.state.is_final() {
            return Self::Final;
        }
        let is_first = is_first && effect.delivery == Delivery::Latest;
        if is_first { Self::First } else { Self::Progress }
    }
}

/// An instance by number, which holds in this process alone.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct InstanceNumber(usize);

/// Equal agendas are written alike, whatever numbers their instances have.
impl fmt::Debug for InstanceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
}

/// Where a head stands in the agenda.
#[derive(Clone, Copy, Debug)]
struct Placement {
    slot: SlotId,
    owner: Option<NodeId>,
    instance: InstanceNumber,
    urgency: Urgency,
    namespace: NamespaceNumber,
    head: DueHead,
}

/// The heads of one instance, of the slots of one owner.
#[derive(Clone, Debug, Default)]
struct InstanceQueue {
    by_time: BTreeSet<DueHead>,
    /// Heads whose time has come, by [`Urgency::ALL`]: their sequence numbers and effects.
    due: [NamespaceQueues<(u64, EffectId)>; Urgency::ALL.len()],
}

/// The heads of all lanes that are not on the wire.
#[derive(Clone, Default)]
pub(super) struct Agenda {
    /// Replicated time up to which heads have come due.
    now: Timestamp,
    /// Kinds, the names of their instances, and the numbers of these. An instance keeps its number.
    instances: BTreeMap<String, BTreeMap<String, InstanceNumber>>,
    instance_count: usize,
    owners: BTreeMap<SlotId, NodeId>,
    placements: BTreeMap<EffectId, Placement>,
    /// Heads that would be the first to write their target.
    firsts: BTreeSet<(TargetKey, EffectId)>,
    of_slot: BTreeSet<(SlotId, EffectId)>,
    /// None of the queues is empty.
    queues: BTreeMap<(Option<NodeId>, InstanceNumber), InstanceQueue>,
    /// Heads whose time has not come.
    later: BTreeSet<(Timestamp, EffectId)>,
}

impl Agenda {
    /// Places the head of a lane, anew where it stands in the agenda already. `is_first` says that
    /// nothing was written to its target yet.
    pub(super) fn place(&mut self, effect: &EffectRecord, is_first: bool) {
        self.take_out(effect);
        let urgency = Urgency::of(effect, is_first);
        if urgency == Urgency::First {
            self.firsts.insert((effect.target.clone(), effect.id));
        }
        let placement = Placement {
            slot: effect.slot,
            owner: self.owners.get(&effect.slot).copied(),
            instance: self.number(&effect.route),
            urgency,
            namespace: NamespaceNumber::of(&effect.event.namespace),
            head: (effect.not_before.max(effect.accepted_at), effect.sequence, effect.id),
        };
        self.insert(placement);
    }

    /// Takes an effect out, if it stands in the agenda.
    pub(super) fn take_out(&mut self, effect: &EffectRecord) {
        let placement = self.displace(effect.id);
        if placement.is_some_and(|placement| placement.urgency == Urgency::First) {
            self.firsts.remove(&(effect.target.clone(), effect.id));
        }
    }

    /// Heads that would have been the first to write this target.
    pub(super) fn firsts_of(&self, target: &TargetKey) -> Vec<EffectId> {
        let from = (target.clone(), FIRST_EFFECT.1);
        let firsts = self.firsts.range(from..).take_while(|(of, _)| of == target);
        firsts.map(|(_, id)| *id).collect()
    }

    fn displace(&mut self, id: EffectId) -> Option<Placement> {
        let placement = self.placements.remove(&id)?;
        let Placement { slot, owner, instance, urgency, namespace, head } = placement;
        self.of_slot.remove(&(slot, id));
        self.later.remove(&(head.0, id));
        let queue = self.queues.get_mut(&(owner, instance))?;
        queue.by_time.remove(&head);
        queue.due[urgency as usize].remove(namespace, &(head.1, id));
        if queue.by_time.is_empty() {
            self.queues.remove(&(owner, instance));
        }
        Some(placement)
    }

    fn insert(&mut self, placement: Placement) {
        let Placement { slot, owner, instance, urgency, namespace, head } = placement;
        let (at, sequence, id) = head;
        let queue = self.queues.entry((owner, instance)).or_default();
        queue.by_time.insert(head);
        if at <= self.now {
            queue.due[urgency as usize].insert(namespace, (sequence, id));
        } else {
            self.later.insert((at, id));
        }
        self.of_slot.insert((slot, id));
        self.placements.insert(id, placement);
    }

    /// Lets heads come due up to a moment in replicated time.
    pub(super) fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        while let Some((_, id)) = self.later.first().filter(|(at, _)| *at <= self.now).copied() {
            self.later.pop_first();
            let Some(placement) = self.placements.get(&id) else { continue };
            let Placement { owner, instance, urgency, namespace, head, .. } = *placement;
            if let Some(queue) = self.queues.get_mut(&(owner, instance)) {
                queue.due[urgency as usize].insert(namespace, (head.1, id));
            }
        }
    }

    /// Hands the heads of a slot to its new owner.
    pub(super) fn move_slot(&mut self, slot: SlotId, owner: Option<NodeId>) {
        match owner {
            Some(node) => drop(self.owners.insert(slot, node)),
            None => drop(self.owners.remove(&slot)),
        }
        let first = (slot, FIRST_EFFECT.1);
        let of_slot = self.of_slot.range(first..).take_while(|(of, _)| *of == slot);
        let moved: Vec<EffectId> = of_slot.map(|(_, id)| *id).collect();
        for id in moved {
            let Some(placement) = self.displace(id) else { continue };
            self.insert(Placement { owner, ..placement });
        }
    }

    /// The heads of an owner that may be begun at `now`, longest waiting first.
    pub(super) fn by_age(&self, owner: NodeId, now: Timestamp) -> ByAge<'_> {
        let queues: Vec<_> = self.of_owner(owner).map(|(_, queue)| queue.by_time.iter()).collect();
        let now = now.max(self.now);
        let mut heads = ByAge { now, queues, firsts: BinaryHeap::new() };
        (0..heads.queues.len()).for_each(|queue| heads.advance(queue));
        heads
    }

    /// The heads of an owner that may be begun at `now`, instance by instance, each in the order of
    /// urgency and in turns between namespaces. Instances begin behind the one that was last.
    pub(super) fn in_order(
        &self,
        owner: NodeId,
        now: Timestamp,
        turns: &Turns,
    ) -> Vec<InOrder<'_>> {
        let mut all: Vec<_> = self
            .of_owner(owner)
            .map(|(instance, queue)| {
                InOrder::new(instance, queue, turns.of(instance), self.now, now)
            })
            .collect();
        let behind = all.partition_point(|queue| queue.instance <= turns.instance);
        all.rotate_left(behind);
        all
    }

    fn of_owner(&self, owner: NodeId) -> impl Iterator<Item = (InstanceNumber, &InstanceQueue)> {
        let first = (Some(owner), InstanceNumber(0));
        let of_owner =
            self.queues.range(first..).take_while(move |((of, _), _)| *of == Some(owner));
        of_owner.map(|((_, instance), queue)| (*instance, queue))
    }

    /// The first that may be begun at or after `at`, of each instance and owner.
    pub(super) fn firsts_from(&self, at: Timestamp) -> impl Iterator<Item = DueHead> {
        self.queues.values().filter_map(move |queue| queue.first_from(at))
    }

    /// The first of an instance that may be begun at or after `at`.
    pub(super) fn first_of(&self, route: &RouteName, at: Timestamp) -> Option<DueHead> {
        let number = *self.instances.get(&route.kind)?.get(&route.instance)?;
        let of_instance = self.queues.iter().filter(|((_, instance), _)| *instance == number);
        of_instance.filter_map(|(_, queue)| queue.first_from(at)).min()
    }

    fn number(&mut self, route: &RouteName) -> InstanceNumber {
        let known = self.instances.get(&route.kind).and_then(|names| names.get(&route.instance));
        if let Some(number) = known {
            return *number;
        }
        self.instance_count += 1;
        let number = InstanceNumber(self.instance_count);
        let names = self.instances.entry(route.kind.clone()).or_default();
        names.insert(route.instance.clone(), number);
        number
    }
}

/// Without the numbers of instances and names that are gone, which depend on what was before.
impl fmt::Debug for Agenda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.instances.iter().flat_map(|(kind, names)| {
            names.iter().map(move |(name, number)| (*number, (kind, name)))
        });
        let names: BTreeMap<_, _> = names.collect();
        let queues = self.queues.iter();
        let queues = queues.map(|((owner, number), queue)| ((owner, names.get(number)), queue));
        f.debug_struct("Agenda")
            .field("now", &self.now)
            .field("owners", &self.owners)
            .field("placements", &self.placements)
            .field("firsts", &self.firsts)
            .field("of_slot", &self.of_slot)
            .field("queues", &queues.collect::<BTreeMap<_, _>>())
            .field("later", &self.later)
            .finish()
    }
}

impl InstanceQueue {
    fn first_from(&self, at: Timestamp) -> Option<DueHead> {
        self.by_time.range((at, FIRST_EFFECT.0, FIRST_EFFECT.1)..).next().copied()
    }
}

/// The queues of all instances as one, longest waiting first.
pub(super) struct ByAge<'a> {
    now: Timestamp,
    queues: Vec<btree_set::Iter<'a, DueHead>>,
    /// The next head of each queue that has one.
    firsts: BinaryHeap<Reverse<(DueHead, usize)>>,
}

impl ByAge<'_> {
    fn advance(&mut self, queue: usize) {
        let next = self.queues.get_mut(queue).and_then(Iterator::next);
        let due = next.filter(|(not_before, ..)| *not_before <= self.now);
        self.firsts.extend(due.map(|head| Reverse((*head, queue))));
    }
}

impl Iterator for ByAge<'_> {
    type Item = EffectId;

    fn next(&mut self) -> Option<EffectId> {
        let Reverse(((.., effect), queue)) = self.firsts.pop()?;
        self.advance(queue);
        Some(effect)
    }
}

/// Where the turns of instances and namespaces stand, from one look to the next. A worker keeps it.
#[derive(Clone, Debug, Default)]
pub struct Turns {
    instance: InstanceNumber,
    of: BTreeMap<InstanceNumber, InstanceTurn>,
    /// The namespace whose event was planned last.
    plans: NamespaceNumber,
}

/// The turn of one instance.
#[derive(Clone, Copy, Debug, Default)]
struct InstanceTurn {
    /// The namespace that was served last.
    namespace: NamespaceNumber,
    /// Heads served so far.
    served: u32,
}

impl Turns {
    fn of(&self, instance: InstanceNumber) -> InstanceTurn {
        self.of.get(&instance).copied().unwrap_or_default()
    }

    pub(super) fn plans(&self) -> NamespaceNumber {
        self.plans
    }

    pub(super) fn planned(&mut self, namespace: NamespaceNumber) {
        self.plans = namespace;
    }

    /// Counts the head that a queue gave last as served.
    pub(super) fn served(&mut self, queue: &InOrder<'_>) {
        self.instance = queue.instance;
        self.of.insert(queue.instance, queue.turn);
    }
}

/// The heads of one instance in the order in which they should leave.
pub(super) struct InOrder<'a> {
    instance: InstanceNumber,
    queue: &'a InstanceQueue,
    turn: InstanceTurn,
    now: Timestamp,
    /// Place in [`Urgency::ALL`].
    urgency: usize,
    in_turns: InTurns<'a, (u64, EffectId)>,
    /// Those that have waited longest.
    oldest: btree_set::Iter<'a, DueHead>,
    /// Those whose time has come since the last entry, which had no turn yet.
    recent: btree_set::Range<'a, DueHead>,
    given: BTreeSet<EffectId>,
}

impl<'a> InOrder<'a> {
    fn new(
        instance: InstanceNumber,
        queue: &'a InstanceQueue,
        turn: InstanceTurn,
        applied: Timestamp,
        now: Timestamp,
    ) -> Self {
        let in_turns = queue.due[0].in_turns(turn.namespace);
        let oldest = queue.by_time.iter();
        let after = Timestamp(applied.0.saturating_add(1));
        let recent = queue.by_time.range((after, FIRST_EFFECT.0, FIRST_EFFECT.1)..);
        let given = BTreeSet::new();
        Self { instance, queue, turn, now, urgency: 0, in_turns, oldest, recent, given }
    }

    fn next_by_urgency(&mut self) -> Option<(NamespaceNumber, EffectId)> {
        loop {
            let given = &self.given;
            let next = self.in_turns.by_ref().find(|(_, (_, id))| !given.contains(id));
            if let Some((namespace, (_, id))) = next {
                return Some((namespace, id));
            }
            self.urgency += 1;
            self.in_turns = self.queue.due.get(self.urgency)?.in_turns(self.turn.namespace);
        }
    }

    /// The head that has waited longest, where it is out of patience.
    fn next_oldest(&mut self) -> Option<EffectId> {
        let impatient = |at: Timestamp| at.after(PATIENCE) <= self.now;
        let given = &self.given;
        let (at, _, id) = self.oldest.by_ref().find(|(.., id)| !given.contains(id))?;
        impatient(*at).then_some(*id)
    }

    fn next_recent(&mut self) -> Option<EffectId> {
        let (now, given) = (self.now, &self.given);
        let mut due = self.recent.by_ref().take_while(|(at, ..)| *at <= now);
        due.find(|(.., id)| !given.contains(id)).map(|(.., id)| *id)
    }
}

impl Iterator for InOrder<'_> {
    type Item = EffectId;

    fn next(&mut self) -> Option<EffectId> {
        let is_turn_of_the_oldest = self.turn.served % OLDEST_EVERY == OLDEST_EVERY - 1;
        let oldest = if is_turn_of_the_oldest { self.next_oldest() } else { None };
        let id = match oldest {
            Some(id) => id,
            None => match self.next_by_urgency() {
                Some((namespace, id)) => {
                    self.turn.namespace = namespace;
                    id
                }
                None => self.next_recent()?,
            },
        };
        self.turn.served = self.turn.served.wrapping_add(1);
        self.given.insert(id);
        Some(id)
    }
}
