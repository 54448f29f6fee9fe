//! What applying an entry changed, for those that follow the state: an archive, a page, hooks, logs.
//!
//! A change names what changed by its key; what it is now is read from the state. Like the answers,
//! changes are a function of the state and the entry. They are no part of the replicated state: no
//! digest and no snapshot holds them.
//!
//! Memory of what is over (delivery keys, tombstones, last finished runs, idle targets), timers,
//! and what a summary collects before it is shown have no changes: no view shows them.

use super::command::{Applied, Fate};
use super::dead_letter::CauseKind;
use super::level::FeatureLevel;
use super::node::NodeId;
use super::run_record::Settlement;
use super::slot::SlotId;
use crate::effect::{EffectId, SkipReason};
use crate::event::Key;
use std::collections::BTreeSet;

/// What applying one entry came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// One for each command, in order.
    pub answers: Vec<Applied>,
    /// In the order in which they happened: first what time alone led to, then command by command.
    pub changes: Vec<StateChange>,
}

/// One thing that changed. `run` is the key of a run record, see [`run_key`](super::run_key).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateChange {
    /// An event about `run` got this fate.
    EventTaken { run: Key, fate: Fate },
    /// The record of a run was made, or what it tells of the run changed: its facts, check, timeline
    /// or ends. Its queue and its effects have changes of their own.
    RunChanged { run: Key },
    /// The live record of a run is gone. The few bytes that recognise its transitions stay.
    RunShrunk { run: Key },
    /// An event, a summary, a replay or a repair waits to be planned.
    EventQueued { run: Key, sequence: u64 },
    /// It left the queue: it was planned, or given up after several processes ended while planning
    /// it.
    EventPlanned { run: Key, sequence: u64 },
    /// The effect entered the outbox.
    EffectPlanned { run: Key, effect: EffectId },
    /// The right to make the call `attempt` of an effect was granted.
    EffectBegun { run: Key, effect: EffectId, attempt: u32 },
    /// Something else of an unsettled effect changed: its attempt failed and is repeated, its Begin
    /// ended without a call, its process ended, its route is missing, or it is in doubt.
    EffectChanged { run: Key, effect: EffectId },
    /// The effect ended so. Also for a route that was skipped or failed when its event was planned,
    /// which never entered the outbox.
    EffectSettled { run: Key, effect: EffectId, end: EffectEnd },
    /// The dead letter `letter` was added.
    LetterAdded { letter: u64, cause: CauseKind },
    /// The dead letter `letter` left.
    LetterLeft { letter: u64, why: LetterExit },
    /// The slot has another owner and epoch.
    SlotMoved { slot: SlotId },
    /// Nothing is begun for the instance of this [`pause_key`](super::StateMachine::pause_key) for
    /// a while, or for longer than was known.
    InstancePaused { instance: String },
    /// The pause of the instance is over, or gave way to others.
    InstanceResumed { instance: String },
    /// A new life of the node is in the log.
    NodeBooted { node: NodeId },
    /// The node left for good.
    NodeRetired { node: NodeId },
    /// The replicated settings are others.
    SettingsChanged,
    /// The cluster writes at this level from now on. Times of runs and targets that lay in the
    /// future were brought back.
    LevelRaised { level: FeatureLevel },
}

/// How an effect ended. Its receipt, target and attempts are in the settled effects of its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EffectEnd {
    /// The target was written.
    Delivered,
    Skipped(SkipReason),
    Dead(CauseKind),
    /// A replaced call wrote the target after all. The effect itself ends, or ended, in another
    /// change.
    Late,
}

impl From<&Settlement> for EffectEnd {
    fn from(settlement: &Settlement) -> Self {
        match settlement {
            Settlement::Delivered(_) => Self::Delivered,
            Settlement::Skipped(reason) => Self::Skipped(*reason),
            Settlement::Dead(kind) => Self::Dead(*kind),
            Settlement::Late(_) => Self::Late,
        }
    }
}

/// Why a dead letter left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetterExit {
    /// Its retention ended.
    Expired,
    /// There was no room for it (rule 14).
    NoRoom,
    /// It was queued again.
    Replayed,
    /// An operator deleted it.
    Deleted,
}

/// The changes of the entry that is being applied. Empty between two entries.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    list: Vec<StateChange>,
    /// Runs that the present command has changed, and not shrunk since.
    runs: BTreeSet<Key>,
}

impl Changes {
    /// The changes from here on belong to the next command.
    pub fn begin_command(&mut self) {
        self.runs.clear();
    }

    /// Adds a change.
    pub fn push(&mut self, change: StateChange) {
        if let StateChange::RunShrunk { run } = &change {
            self.runs.remove(run);
        }
        self.list.push(change);
    }

    /// Adds [`StateChange::RunChanged`], once for a command however many steps change the run.
    pub fn run_changed(&mut self, run: Key) {
        if self.runs.insert(run) {
            self.push(StateChange::RunChanged { run });
        }
    }

    /// Adds [`StateChange::EffectChanged`], once for steps that follow each other.
    pub fn effect_changed(&mut self, run: Key, effect: EffectId) {
        let change = StateChange::EffectChanged { run, effect };
        if self.list.last() != Some(&change) {
            self.push(change);
        }
    }

    /// Takes all changes out.
    pub fn take(&mut self) -> Vec<StateChange> {
        self.runs.clear();
        std::mem::take(&mut self.list)
    }
}
