//! What is remembered of a run: while it lives, and the few bytes kept of it afterwards.

use super::accept::changed_at;
use super::command::Fate;
use super::dead_letter::CauseKind;
use super::slot::SlotId;
use crate::clock::Timestamp;
use crate::effect::{EffectId, Receipt, RouteName, SkipReason, TargetKey};
use crate::event::{Key, Position, Rank, RunContext, RunEvent, RunState};
use std::cmp::Ordering;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// Transitions remembered per run and attempt (rule 9). A PipelineRun of old controllers emits
/// one per finished task.
pub const TRANSITIONS_MAX: usize = 64;
/// Entries of a run's timeline; the oldest leave first.
pub const TIMELINE_MAX: usize = 128;
/// Settled effects shown per run; the oldest leave first.
pub const SETTLED_MAX: usize = 256;

/// A run that is not yet quiet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRecord {
    pub slot: SlotId,
    /// The newest taken event, with later facts merged into it.
    pub facts: Arc<RunEvent>,
    pub facts_digest: u64,
    pub position: Position,
    /// Check name and the like, fixed at first sight.
    pub context: RunContext,
    /// Transition keys of the present attempt.
    pub transitions: BTreeSet<Key>,
    /// Non-final transitions beyond [`TRANSITIONS_MAX`]: counted, not kept.
    pub transitions_uncounted: u64,
    /// A second, different final state of this attempt was taken.
    pub has_second_final: bool,
    /// Accepted events that have not been planned, oldest first.
    pub queue: VecDeque<QueuedEvent>,
    pub timeline: VecDeque<Moment>,
    pub settled: VecDeque<SettledEffect>,
    /// Planned effects that are not settled.
    pub unsettled: u32,
    pub last_seen: Timestamp,
}

impl RunRecord {
    /// The record of a run that is first heard of through `facts`.
    #[must_use]
    pub fn first(slot: SlotId, facts: Arc<RunEvent>, context: RunContext, now: Timestamp) -> Self {
        Self {
            slot,
            facts_digest: facts.facts_digest(),
            position: facts.position(),
            context,
            transitions: BTreeSet::new(),
            transitions_uncounted: 0,
            has_second_final: false,
            queue: VecDeque::new(),
            timeline: VecDeque::new(),
            settled: VecDeque::new(),
            unsettled: 0,
            last_seen: now,
            facts,
        }
    }

    /// Nothing is left to plan or to deliver.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.unsettled == 0
    }

    /// Adds to the timeline, which keeps its newest entries.
    pub fn note(&mut self, moment: Moment) {
        if self.timeline.len() == TIMELINE_MAX {
            self.timeline.pop_front();
        }
        self.timeline.push_back(moment);
    }

    /// Adds to the settled effects, which keep their newest entries.
    pub fn note_settled(&mut self, settled: SettledEffect) {
        if self.settled.len() == SETTLED_MAX {
            self.settled.pop_front();
        }
        self.settled.push_back(settled);
    }
}

/// Why an event stands in a run's queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Tekton reported it. `is_latest_only`: a second final state, shown but not streamed (rule 9).
    Reported { is_latest_only: bool },
    /// The summary of the run, or group, is to be shown. The number counts its renderings.
    Summary { rendering: u32 },
    /// A dead letter is delivered again, on one route.
    Replay { letter: u64, replays: u32, route: RouteName, is_summary: bool },
    /// A call whose Begin was replaced may have overwritten the target of this route (rule 3).
    Repair { effect: EffectId, attempt: u32, route: RouteName },
}

impl Origin {
    /// Whether the effect shows a summary.
    #[must_use]
    pub fn is_summary(&self) -> bool {
        match self {
            Self::Reported { .. } | Self::Repair { .. } => false,
            Self::Summary { .. } => true,
            Self::Replay { is_summary, .. } => *is_summary,
        }
    }

    /// Whether the target may hold what nobody recorded.
    #[must_use]
    pub fn is_repair(&self) -> bool {
        match self {
            Self::Reported { .. } | Self::Summary { .. } | Self::Replay { .. } => false,
            Self::Repair { .. } => true,
        }
    }

    /// How often this was replayed.
    #[must_use]
    pub fn replays(&self) -> u32 {
        match self {
            Self::Reported { .. } | Self::Summary { .. } | Self::Repair { .. } => 0,
            Self::Replay { replays, .. } => *replays,
        }
    }

    /// The one route this is for; `None` means every route.
    #[must_use]
    pub fn only_route(&self) -> Option<&RouteName> {
        match self {
            Self::Reported { .. } | Self::Summary { .. } => None,
            Self::Replay { route, .. } | Self::Repair { route, .. } => Some(route),
        }
    }
}

/// An accepted event that waits to be planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedEvent {
    /// Order among all accepted events of the cluster.
    pub sequence: u64,
    pub event: Arc<RunEvent>,
    pub context: RunContext,
    pub origin: Origin,
    pub accepted_at: Timestamp,
    /// Processes that ended while planning it (rule 7).
    pub ended_plannings: u32,
}

impl QueuedEvent {
    /// What effect ids of this event derive from.
    #[must_use]
    pub fn transition_key(&self) -> Key {
        match &self.origin {
            Origin::Reported { is_latest_only: false } => self.event.transition_key(),
            Origin::Reported { is_latest_only: true } => {
                Key::of(&["second-final", &self.event.transition_key().to_string()])
            }
            Origin::Summary { rendering } => {
                Key::of(&["summary", &self.event.uid, &rendering.to_string()])
            }
            Origin::Replay { letter, .. } => Key::of(&["replay", &letter.to_string()]),
            Origin::Repair { effect, attempt, .. } => {
                Key::of(&["repair", &effect.to_string(), &attempt.to_string()])
            }
        }
    }
}

/// One line of a run's timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    pub at: Timestamp,
    pub ce_time: Timestamp,
    pub state: RunState,
    pub reason: String,
    pub attempt: u32,
    pub fate: Fate,
}

/// How an effect ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    Delivered(Receipt),
    Skipped(SkipReason),
    Dead(CauseKind),
    /// A call that had been begun anew by then was made after all (rule 3). The effect itself ends,
    /// or ended, in another line.
    Late(Receipt),
}

/// An effect, or a skipped route, as the run's history shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettledEffect {
    pub effect: EffectId,
    pub route: RouteName,
    /// `None` for a route that was skipped before a target was known.
    pub target: Option<TargetKey>,
    pub state: RunState,
    pub settlement: Settlement,
    pub attempts: u32,
    pub at: Timestamp,
}

/// What is kept of a run that is final, delivered and quiet: enough to know its transitions
/// when a restarted controller sends them again (rule 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastRun {
    pub attempt: u32,
    pub rank: Rank,
    pub facts_digest: u64,
    pub last_seen: Timestamp,
    /// When its last transition happened.
    pub changed_at: Timestamp,
}

impl PastRun {
    /// What is remembered of a run whose furthest event is at `position`.
    #[must_use]
    pub fn of(facts: &RunEvent, position: Position, last_seen: Timestamp) -> Self {
        Self {
            attempt: position.attempt,
            rank: position.rank,
            facts_digest: facts.facts_digest(),
            last_seen,
            changed_at: changed_at(facts),
        }
    }

    /// Whether `event` is not newer than what was remembered. A final state is named by its
    /// attempt alone, for its copies may differ in time; what is not final goes on in time.
    #[must_use]
    pub fn knows(&self, event: &RunEvent) -> bool {
        match (event.attempt, event.rank).cmp(&(self.attempt, self.rank)) {
            Ordering::Less => true,
            Ordering::Equal => self.rank == Rank::Terminal || changed_at(event) <= self.changed_at,
            Ordering::Greater => false,
        }
    }
}
