//! What the cluster agreed on: a function of the commands in the log.
//!
//! [`StateMachine::apply`] is pure: time comes in the entry and never goes back; there is no
//! clock, randomness, hash order, float or configuration inside. Equal states give equal
//! snapshot bytes, which is why every map here is ordered.

mod accept;
mod agenda;
mod begin;
mod change;
mod check;
mod claim;
mod command;
mod copy_on_write;
mod counters;
mod dead_letter;
mod dead_letter_queue;
mod deliveries;
mod due;
mod expiry;
mod finished_runs;
mod group;
mod group_key;
mod level;
mod memory;
mod node;
mod node_lifecycle;
mod outbox;
mod pause;
mod record;
mod repair;
mod replay;
mod run_record;
mod runs;
mod settings;
mod silence;
mod slot;
mod standing;
mod stored_copy;
mod summaries;
mod summary;
mod timer;
mod tombstones;
mod turns;
mod unplanned;
mod view;

pub use agenda::Turns;
use change::Changes;
pub use change::{EffectEnd, LetterExit, Outcome, StateChange};
pub use check::PARENT_WAIT;
pub use claim::End;
pub use command::{
    Accepted, Applied, AttemptOutcome, AttemptResult, Begin, Boot, Command, Entry, FailedRoute,
    Fate, Grant, Owner, Planned, Refusal, ReplayItem,
};
pub(crate) use copy_on_write::CopyOnWrite;
pub use counters::Counters;
pub use dead_letter::{Cause, CauseKind, DeadLetter};
pub(crate) use dead_letter_queue::DeadLetterQueue;
pub(crate) use deliveries::DeliveryKeys;
pub use due::{DueSends, DueWork};
pub use finished_runs::Finished;
pub(crate) use finished_runs::FinishedRuns;
pub use group::Group;
pub use group_key::GroupKey;
pub use level::{FEATURE_LEVEL, FeatureLevel};
use memory::Memory;
pub use memory::{MEMORY_BYTES_DEFAULT, MemoryUse, Part};
pub(crate) use memory::{Record, Tracked};
pub use node::NodeId;
pub use node_lifecycle::RETIRED_MAX;
pub use outbox::{
    EffectRecord, LaneKey, OpenBegin, Outbox, ReplacedBegin, STREAM_LANE_MAX, Standing,
    TargetRecord, Writer,
};
pub use pause::{PAUSE_MAX, PAUSES_MAX};
pub use repair::OwedRepair;
pub use run_record::{
    KeptCheck, Origin, QueuedEvent, RunRecord, RunTombstone, SettledEffect, Settlement,
    TIMELINE_MAX, TRANSITIONS_MAX, TimelineEntry,
};
pub(crate) use runs::Runs;
pub use settings::{Settings, millis};
pub use slot::{SLOTS, Slot, SlotId, SlotMap, SlotMove};
pub(crate) use summaries::Summaries;
pub use summary::{Accumulator, SummaryMember};
pub(crate) use timer::Timer;
pub(crate) use tombstones::Tombstones;
pub use view::{Known, RunView};

use crate::clock::Timestamp;
use crate::effect::TargetKey;
use crate::event::Key;
use std::collections::{BTreeMap, BTreeSet};

/// Everything the log has led to.
#[derive(Clone, Debug, Default)]
pub struct StateMachine {
    /// The largest stamp applied so far.
    pub(crate) now: Timestamp,
    pub(crate) settings: Settings,
    pub(crate) feature_level: FeatureLevel,
    pub(crate) slots: SlotMap,
    /// The newest boot number of each node.
    pub(crate) boots: BTreeMap<NodeId, u64>,
    /// Nodes that left for good, and when the log was told.
    pub(crate) retired: BTreeMap<NodeId, Timestamp>,
    /// Instances for which nothing is begun, and until when.
    pub(crate) pauses: BTreeMap<String, Timestamp>,
    pub(crate) deliveries: DeliveryKeys,
    pub(crate) runs: Runs,
    pub(crate) tombstones: Tombstones,
    /// Unknown runs that changed before this moment fire nothing (rule 8).
    pub(crate) forgotten_before: Timestamp,
    pub(crate) outbox: Outbox,
    /// Repairs that are owed, one a target at most.
    pub(crate) repairs: BTreeMap<TargetKey, OwedRepair>,
    /// The last finished runs.
    pub(crate) history: FinishedRuns,
    pub(crate) summaries: Summaries,
    pub(crate) dead_letters: DeadLetterQueue,
    pub(crate) timers: BTreeSet<(Timestamp, Timer)>,
    /// What all of this weighs, and the order in which it gives way. Derived.
    memory: Memory,
    pub(crate) next_sequence: u64,
    pub(crate) counters: Counters,
    /// What the present entry changed. No part of the replicated state.
    changes: Changes,
}

impl StateMachine {
    /// Applies one entry: answers each of its commands, in order, and says what changed.
    pub fn apply(&mut self, entry: Entry) -> Outcome {
        self.now = self.now.max(entry.at);
        self.outbox.advance(self.now);
        self.run_due_timers();
        self.expire();
        self.keep_memory_bound();
        let apply = |command| {
            self.changes.begin_command();
            let applied = self.apply_command(command);
            self.keep_memory_bound();
            applied
        };
        let answers = entry.commands.into_iter().map(apply).collect();
        Outcome { answers, changes: self.changes.take() }
    }

    fn apply_command(&mut self, command: Command) -> Applied {
        match command {
            Command::Settings(settings) => self.apply_settings(settings),
            Command::Boot(boot) => self.apply_boot(&boot),
            Command::Assign(moves) => self.apply_assign(&moves),
            Command::Accept(event) => self.apply_accept(*event),
            Command::Touch(runs) => self.apply_touch(&runs),
            Command::Begin(begin) => self.apply_begin(begin),
            Command::Record(outcomes) => self.apply_record(outcomes),
            Command::Park { owner, effects } => self.apply_park(owner, &effects),
            Command::Replay(items) => self.apply_replay(items),
            Command::DeleteLetters(letters) => self.apply_delete_letters(&letters),
            Command::Retire { node } => self.apply_retire(node),
            Command::Pause { instance, until } => self.apply_pause(instance, until),
            Command::RaiseLevel { level } => self.apply_raise_level(level),
            Command::Tick | Command::Checkpoint => Applied::Done,
        }
    }

    fn apply_settings(&mut self, settings: Settings) -> Applied {
        let is_switched_on = settings.accumulates && !self.settings.accumulates;
        if settings != self.settings {
            self.changes.push(StateChange::SettingsChanged);
        }
        self.settings = settings;
        if is_switched_on && self.has_reached(FeatureLevel::SECOND) {
            self.time_accumulators();
        }
        Applied::Done
    }

    fn apply_raise_level(&mut self, level: FeatureLevel) -> Applied {
        if self.raise_level(level) {
            self.changes.push(StateChange::LevelRaised { level });
        }
        Applied::Done
    }

    fn apply_assign(&mut self, moves: &[SlotMove]) -> Applied {
        for to in moves {
            let is_retired = self.retired.contains_key(&to.to);
            if !is_retired && self.slots.assign(to, self.now) {
                self.hand_over(to.slot);
                self.changes.push(StateChange::SlotMoved { slot: to.slot });
            }
        }
        Applied::Done
    }

    /// Whether `owner` owns its slot in its epoch, in its present life.
    fn is_owner(&self, owner: Owner) -> bool {
        let slot = self.slots.get(owner.slot);
        slot.owner == Some(owner.node)
            && slot.epoch == owner.epoch
            && self.boots.get(&owner.node) == Some(&owner.boot)
    }

    /// Builds the derived indexes anew, for a state that was read from a snapshot.
    pub(crate) fn rebuild_indexes(&mut self) {
        self.runs.reindex();
        let Outbox { effects, targets, replaced, lanes, .. } = std::mem::take(&mut self.outbox);
        self.outbox = Outbox::restore(effects, targets, replaced, lanes);
        self.outbox.advance(self.now);
        SlotId::all().for_each(|slot| self.hand_over(slot));
        self.weigh_anew();
    }

    /// Lets the present owner of a slot find the work that is due there.
    fn hand_over(&mut self, slot: SlotId) {
        let owner = self.slots.get(slot).owner;
        self.runs.move_slot(slot, owner);
        self.outbox.move_slot(slot, owner);
    }

    fn take_sequence(&mut self) -> u64 {
        self.next_sequence += 1;
        self.next_sequence
    }

    /// Puts an event into its run's queue, to be planned by the owner of its slot.
    fn enqueue(&mut self, run_key: Key, queued: QueuedEvent) {
        let sequence = queued.sequence;
        if self.runs.enqueue(run_key, queued) {
            self.changes.push(StateChange::EventQueued { run: run_key, sequence });
        }
    }
}

/// The key of a run record.
#[must_use]
pub fn run_key(uid: &str) -> Key {
    Key::of(&["run", uid])
}

#[cfg(test)]
mod tests;
