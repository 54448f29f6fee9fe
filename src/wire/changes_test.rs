//! Changes name everything that changes. A follower that reads only what they name has the same
//! data as the state.

use super::level::entries;
use crate::clock::Timestamp;
use crate::effect::EffectId;
use crate::event::{Key, Position, RunContext, RunEvent};
use crate::state_machine::{
    Command, Counters, EffectEnd, EffectRecord, End, Entry, FeatureLevel, LetterExit, NodeId,
    RunRecord, Settings, SettledEffect, Slot, SlotId, StateChange, StateMachine, TimelineEntry,
};
use crate::wire::decode_entry;
use crate::wire::history::History;
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// The data that [`StateChange::RunChanged`] is about.
#[derive(Debug, PartialEq)]
struct Told {
    facts: Arc<RunEvent>,
    context: RunContext,
    position: Position,
    timeline: VecDeque<TimelineEntry>,
    ends: Vec<End>,
    waits_until: Timestamp,
    is_given_up: bool,
    transitions_uncounted: u64,
}

impl Told {
    fn of(run: &RunRecord) -> Self {
        Self {
            facts: Arc::clone(&run.facts),
            context: run.context.clone(),
            position: run.position,
            timeline: run.timeline.clone(),
            ends: run.ends.clone(),
            waits_until: run.waits_until,
            is_given_up: run.is_given_up,
            transitions_uncounted: run.transitions_uncounted,
        }
    }
}

/// The data of a follower.
#[derive(Debug, Default, PartialEq)]
struct Follower {
    runs: BTreeMap<Key, Told>,
    /// Sequences of queued events.
    queues: BTreeMap<Key, Vec<u64>>,
    settled: BTreeMap<Key, VecDeque<SettledEffect>>,
    effects: BTreeMap<EffectId, EffectRecord>,
    letters: BTreeMap<u64, Timestamp>,
    slots: BTreeMap<SlotId, Slot>,
    pauses: BTreeMap<String, Timestamp>,
    boots: BTreeMap<NodeId, u64>,
    retired: Vec<NodeId>,
    settings: Settings,
    level: FeatureLevel,
    /// Counts of fates, skipped, dead and delivered effects, and dropped letters.
    counts: Counters,
}

/// Sets the value of a key, or removes it.
fn put<K: Ord, V>(known: &mut BTreeMap<K, V>, key: K, value: Option<V>) {
    match value {
        Some(value) => drop(known.insert(key, value)),
        None => drop(known.remove(&key)),
    }
}

impl Follower {
    /// All data of the state.
    fn of(state: &StateMachine) -> Self {
        let mut all = Self { settings: state.settings().clone(), ..Self::default() };
        all.level = state.feature_level();
        state.runs.keys().for_each(|run| all.read_whole_run(state, *run));
        state.outbox.effects.keys().for_each(|effect| all.read_effect(state, *effect));
        all.letters = state.dead_letters().map(|letter| (letter.id, letter.failed_at)).collect();
        all.slots = state.slots().filter(|(_, slot)| slot.owner.is_some()).collect();
        all.pauses = state.pauses.clone();
        all.boots = state.boots.clone();
        all.retired = state.retired.keys().copied().collect();
        all.counts = counts(state);
        all
    }

    fn read_whole_run(&mut self, state: &StateMachine, run: Key) {
        self.read_run(state, run);
        self.read_queue(state, run);
        self.read_settled(state, run);
    }

    fn read_run(&mut self, state: &StateMachine, run: Key) {
        put(&mut self.runs, run, state.runs.get(&run).map(|run| Told::of(run)));
    }

    fn read_queue(&mut self, state: &StateMachine, run: Key) {
        let queue = state.runs.get(&run).map(|run| &run.queue).filter(|queue| !queue.is_empty());
        let queue = queue.map(|queue| queue.iter().map(|queued| queued.sequence).collect());
        put(&mut self.queues, run, queue);
    }

    fn read_settled(&mut self, state: &StateMachine, run: Key) {
        let settled = state.runs.get(&run).map(|run| run.settled.clone());
        put(&mut self.settled, run, settled.filter(|settled| !settled.is_empty()));
    }

    fn read_effect(&mut self, state: &StateMachine, effect: EffectId) {
        put(&mut self.effects, effect, state.effect(effect).cloned());
    }

    /// Reads the data that one change names.
    fn follow(&mut self, state: &StateMachine, change: StateChange) {
        match change {
            StateChange::EventTaken { fate, .. } => self.counts.fate(fate),
            StateChange::RunChanged { run } => self.read_run(state, run),
            StateChange::RunShrunk { run } => self.read_whole_run(state, run),
            StateChange::EventQueued { run, .. } | StateChange::EventPlanned { run, .. } => {
                self.read_queue(state, run);
            }
            StateChange::EffectPlanned { effect, .. }
            | StateChange::EffectBegun { effect, .. }
            | StateChange::EffectChanged { effect, .. } => self.read_effect(state, effect),
            StateChange::EffectSettled { run, effect, end } => {
                self.read_settled(state, run);
                self.read_effect(state, effect);
                match end {
                    EffectEnd::Delivered => self.counts.delivered += 1,
                    EffectEnd::Skipped(reason) => self.counts.skip(reason),
                    EffectEnd::Dead(_) | EffectEnd::Late => {}
                }
            }
            StateChange::LetterAdded { letter, cause } => {
                self.counts.dead(cause);
                let added = state.dead_letters.get(&letter).map(|letter| letter.failed_at);
                put(&mut self.letters, letter, added);
            }
            StateChange::LetterLeft { letter, why } => {
                self.letters.remove(&letter);
                self.counts.letters_dropped += u64::from(why == LetterExit::NoRoom);
            }
            StateChange::SlotMoved { slot } => drop(self.slots.insert(slot, state.slot(slot))),
            StateChange::InstancePaused { instance }
            | StateChange::InstanceResumed { instance } => {
                let until = state.pause_of(&instance);
                put(&mut self.pauses, instance, until);
            }
            StateChange::NodeBooted { node } => put(&mut self.boots, node, state.boot_of(node)),
            StateChange::NodeRetired { node } => {
                self.boots.remove(&node);
                self.retired.push(node);
                self.retired.sort_unstable();
            }
            StateChange::SettingsChanged => self.settings.clone_from(state.settings()),
            StateChange::LevelRaised { level } => self.level = level,
        }
    }
}

/// The counters that the changes must add up to.
fn counts(state: &StateMachine) -> Counters {
    let Counters { fates, skipped, dead, delivered, letters_dropped, .. } =
        state.counters().clone();
    Counters { fates, skipped, dead, delivered, letters_dropped, ..Counters::default() }
}

/// Applies a log and follows its changes; compares everything after every `looks` entries.
fn follow(state: &mut StateMachine, log: impl IntoIterator<Item = Entry>, looks: usize) {
    let mut follower = Follower::of(state);
    for (number, entry) in (1..).zip(log) {
        for change in state.apply(entry).changes {
            follower.follow(state, change);
        }
        if number % looks == 0 {
            assert_eq!(follower, Follower::of(state), "after entry {number}");
        }
    }
    assert_eq!(follower, Follower::of(state));
}

fn second_level() -> StateMachine {
    let mut state = StateMachine::default();
    let commands = vec![Command::RaiseLevel { level: FeatureLevel::SECOND }];
    state.apply(Entry { at: Timestamp(1), commands });
    state
}

#[test]
fn a_follower_of_the_changes_of_a_long_log_holds_what_the_state_holds() {
    let log = || entries().into_iter().map(|bytes| decode_entry(&bytes).unwrap());
    follow(&mut StateMachine::default(), log(), 500);
    follow(&mut second_level(), log(), 500);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_follower_of_the_changes_of_any_log_holds_what_the_state_holds(
        steps in proptest::collection::vec(any::<[u8; 4]>(), 0..160),
    ) {
        let log = History::of(&steps).entries;
        follow(&mut StateMachine::default(), log.clone(), 1);
        follow(&mut second_level(), log, 1);
    }
}
