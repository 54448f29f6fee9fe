//! What the cluster agreed on: a function of the commands in the log.
//!
//! [`StateMachine::apply`] is pure: time comes in the entry and never goes back; there is no
//! clock, randomness, hash order, float or configuration inside. Equal states give equal
//! snapshot bytes, which is why every map here is ordered.

mod accept;
mod begin;
mod command;
mod counters;
mod dead_letter;
mod expiry;
mod group;
mod level;
mod life;
mod outbox;
mod pause;
mod record;
mod replay;
mod run_record;
mod settings;
mod slot;
mod summary;
mod view;

pub use command::{
    Accepted, Applied, AttemptResult, Begin, Boot, Command, Entry, FailedRoute, Fate, Grant,
    NodeId, Outcome, Owner, Planned, Refusal, ReplayItem,
};
pub use counters::Counters;
pub use dead_letter::{Cause, CauseKind, DeadLetter};
pub(crate) use expiry::Timer;
pub use group::{Group, GroupKey};
pub use level::{FEATURE_LEVEL, FeatureLevel};
pub use life::RETIRED_MAX;
pub use outbox::{
    EffectRecord, LaneKey, OpenBegin, Outbox, ReplacedBegin, STREAM_LANE_MAX, TargetRecord, Writer,
};
pub use pause::{PAUSE_MAX, PAUSES_MAX};
pub use run_record::{
    Moment, Origin, PastRun, QueuedEvent, RunRecord, SettledEffect, Settlement, TIMELINE_MAX,
    TRANSITIONS_MAX,
};
pub use settings::{Settings, millis};
pub use slot::{SLOTS, Slot, SlotId, SlotMap, SlotMove};
pub use summary::{Accumulator, Member};
pub use view::{DueWork, Known, RunView};

use crate::clock::Timestamp;
use crate::event::{Key, RunAge, RunState};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The last finished run of one (namespace, pipeline, repository, branch or PR).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    pub state: RunState,
    pub age: RunAge,
    pub at: Timestamp,
}

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
    /// Keys of deliveries, and the order in which they expire.
    pub(crate) deliveries: BTreeSet<Key>,
    pub(crate) delivery_expiry: VecDeque<(Timestamp, Key)>,
    /// Boxed: entries of a tree are moved when others come between them.
    pub(crate) runs: BTreeMap<Key, Box<RunRecord>>,
    pub(crate) past: BTreeMap<Key, PastRun>,
    /// `past` by last sighting. Derived.
    pub(crate) past_by_seen: BTreeSet<(Timestamp, Key)>,
    /// Unknown runs that changed before this moment fire nothing (rule 8).
    pub(crate) forgotten_before: Timestamp,
    pub(crate) outbox: Outbox,
    pub(crate) history: BTreeMap<Key, Finished>,
    pub(crate) accumulators: BTreeMap<Key, Accumulator>,
    pub(crate) groups: BTreeMap<GroupKey, Group>,
    pub(crate) dead_letters: BTreeMap<u64, DeadLetter>,
    pub(crate) timers: BTreeSet<(Timestamp, expiry::Timer)>,
    /// Runs with unplanned events, by the sequence of the oldest. Derived.
    pub(crate) unplanned: BTreeSet<(u64, Key)>,
    pub(crate) next_sequence: u64,
    pub(crate) next_letter: u64,
    pub(crate) counters: Counters,
}

impl StateMachine {
    /// Applies one entry and answers each of its commands, in order.
    pub fn apply(&mut self, entry: Entry) -> Vec<Applied> {
        self.now = self.now.max(entry.at);
        self.run_due_timers();
        self.expire();
        entry.commands.into_iter().map(|command| self.apply_command(command)).collect()
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
            Command::Retire { node } => self.apply_retire(node),
            Command::Pause { instance, until } => self.apply_pause(instance, until),
            Command::RaiseLevel { level } => self.apply_raise_level(level),
            Command::Tick | Command::Checkpoint => Applied::Done,
        }
    }

    fn apply_settings(&mut self, settings: Settings) -> Applied {
        self.settings = settings;
        Applied::Done
    }

    fn apply_assign(&mut self, moves: &[SlotMove]) -> Applied {
        for to in moves.iter().filter(|to| !self.retired.contains_key(&to.to)) {
            self.slots.assign(to, self.now);
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
        self.deliveries = self.delivery_expiry.iter().map(|(_, key)| *key).collect();
        self.past_by_seen = self.past.iter().map(|(key, past)| (past.last_seen, *key)).collect();
        let heads = self.runs.iter().filter_map(|(key, run)| Some((run.queue.front()?, *key)));
        self.unplanned = heads.map(|(head, key)| (head.sequence, key)).collect();
        let Outbox { effects, targets, replaced, lanes, .. } = std::mem::take(&mut self.outbox);
        self.outbox = Outbox::restore(effects, targets, replaced, lanes);
    }

    fn take_sequence(&mut self) -> u64 {
        self.next_sequence += 1;
        self.next_sequence
    }

    /// Puts an event into its run's queue, to be planned by the owner of its slot.
    fn enqueue(&mut self, run_key: Key, queued: QueuedEvent) {
        let Some(run) = self.runs.get_mut(&run_key) else { return };
        if run.queue.is_empty() {
            self.unplanned.insert((queued.sequence, run_key));
        }
        run.queue.push_back(queued);
    }
}

/// The key of a run record.
#[must_use]
pub fn run_key(uid: &str) -> Key {
    Key::of(&["run", uid])
}

#[cfg(test)]
mod tests;
