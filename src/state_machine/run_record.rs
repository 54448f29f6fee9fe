//! What is remembered of a run: while it lives, and the few bytes kept of it afterwards.

use super::claim::End;
use super::command::Fate;
use super::dead_letter::CauseKind;
use super::level::FeatureLevel;
use super::slot::SlotId;
use crate::clock::Timestamp;
use crate::effect::{EffectId, Receipt, RouteName, SkipReason, TargetKey};
use crate::event::{CheckWriter, Key, Position, Rank, RunContext, RunEvent, RunState};
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
    /// A second, different final state of this attempt was taken. Of the first level alone.
    pub has_second_final: bool,
    /// Ends that events have told of this attempt, oldest first. Empty at the first level.
    pub ends: Vec<End>,
    /// How often a state of this attempt came back and was shown again.
    pub returns: u32,
    /// Accepted events that have not been planned, oldest first.
    pub queue: VecDeque<QueuedEvent>,
    pub timeline: VecDeque<TimelineEntry>,
    pub settled: VecDeque<SettledEffect>,
    /// Planned effects that are not settled.
    pub unsettled: u32,
    pub last_seen: Timestamp,
    /// Until when its events wait for its PipelineRun; unknown when they do not.
    pub waits_until: Timestamp,
    /// It was silent for so long that its checks were ended in its place.
    pub is_given_up: bool,
    /// When its timer is due; unknown for a timer that was set at the first feature level.
    pub look_at: Timestamp,
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
            ends: Vec::new(),
            returns: 0,
            queue: VecDeque::new(),
            timeline: VecDeque::new(),
            settled: VecDeque::new(),
            unsettled: 0,
            last_seen: now,
            waits_until: Timestamp::UNKNOWN,
            is_given_up: false,
            look_at: Timestamp::UNKNOWN,
            facts,
        }
    }

    /// Forgets what was known of the attempt before.
    pub(super) fn begin_attempt(&mut self) {
        self.transitions.clear();
        self.has_second_final = false;
        self.ends.clear();
        self.returns = 0;
    }

    /// Whether the first level takes `event` as a second, different end of this attempt.
    pub(super) fn owes_second_final(&self, event: &RunEvent) -> bool {
        !self.has_second_final
            && event.state.is_final()
            && self.facts.state.is_final()
            && event.state != self.facts.state
            && event.resource_version > self.facts.resource_version
    }

    /// Nothing is left to plan or to deliver.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.unsettled == 0
    }

    /// Adds to the timeline, which keeps its newest entries.
    pub fn note(&mut self, moment: TimelineEntry) {
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
    /// Tekton reported it. `is_latest_only`: a second final state, shown but not streamed, as the
    /// first level has it (rule 9).
    Reported { is_latest_only: bool },
    /// Tekton reported a known transition that is shown again: another end of the attempt stands
    /// now, or a state came back. For targets that keep the latest state (rule 9).
    Revised,
    /// The summary of the run, or group, is to be shown. The number counts its renderings.
    Summary { rendering: u32 },
    /// A dead letter is delivered again, on one route.
    Replay { letter: u64, replays: u32, route: RouteName, is_summary: bool },
    /// A call whose Begin was replaced may have overwritten the target of this route (rule 3).
    Repair { effect: EffectId, attempt: u32, route: RouteName },
    /// The run was not heard of again, and this effect left its target unfinished.
    Silence { effect: EffectId, route: RouteName },
}

impl Origin {
    /// Whether the effect shows a summary.
    #[must_use]
    pub fn is_summary(&self) -> bool {
        match self {
            Self::Reported { .. } | Self::Revised | Self::Repair { .. } | Self::Silence { .. } => {
                false
            }
            Self::Summary { .. } => true,
            Self::Replay { is_summary, .. } => *is_summary,
        }
    }

    /// Whether the target may hold what nobody recorded.
    #[must_use]
    pub fn is_repair(&self) -> bool {
        match self {
            Self::Reported { .. }
            | Self::Revised
            | Self::Summary { .. }
            | Self::Replay { .. }
            | Self::Silence { .. } => false,
            Self::Repair { .. } => true,
        }
    }

    /// Whether only targets that keep the latest state are written: what was sent to a stream cannot
    /// be taken back.
    #[must_use]
    pub fn is_latest_only(&self) -> bool {
        match self {
            Self::Reported { is_latest_only } => *is_latest_only,
            // The route of a repair may have become a stream since.
            Self::Revised | Self::Repair { .. } | Self::Silence { .. } => true,
            Self::Summary { .. } | Self::Replay { .. } => false,
        }
    }

    /// How often this was replayed.
    #[must_use]
    pub fn replays(&self) -> u32 {
        match self {
            Self::Reported { .. }
            | Self::Revised
            | Self::Summary { .. }
            | Self::Repair { .. }
            | Self::Silence { .. } => 0,
            Self::Replay { replays, .. } => *replays,
        }
    }

    /// The one route this is for; `None` means every route.
    #[must_use]
    pub fn only_route(&self) -> Option<&RouteName> {
        match self {
            Self::Reported { .. } | Self::Revised | Self::Summary { .. } => None,
            Self::Replay { route, .. }
            | Self::Repair { route, .. }
            | Self::Silence { route, .. } => Some(route),
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
    /// The effect that `route` owes for this event, in a cluster that writes at `level`.
    #[must_use]
    pub fn effect_id(&self, route: &RouteName, level: FeatureLevel) -> EffectId {
        let (transition, replays) = (self.transition_key(), self.origin.replays());
        if level >= FeatureLevel::SECOND {
            EffectId::of(transition, route, replays)
        } else {
            EffectId::of_first_level(transition, route, replays)
        }
    }

    /// What effect ids of this event derive from.
    #[must_use]
    pub fn transition_key(&self) -> Key {
        match &self.origin {
            Origin::Reported { is_latest_only: false } => self.event.transition_key(),
            Origin::Reported { is_latest_only: true } => {
                Key::of(&["second-final", &self.event.transition_key().to_string()])
            }
            // One transition may be shown again several times.
            Origin::Revised => {
                let transition = self.event.transition_key().to_string();
                Key::of(&["revised", &transition, &self.sequence.to_string()])
            }
            Origin::Summary { rendering } => {
                Key::of(&["summary", &self.event.uid, &rendering.to_string()])
            }
            Origin::Replay { letter, .. } => Key::of(&["replay", &letter.to_string()]),
            Origin::Repair { effect, attempt, .. } => {
                Key::of(&["repair", &effect.to_string(), &attempt.to_string()])
            }
            Origin::Silence { effect, .. } => Key::of(&["silence", &effect.to_string()]),
        }
    }
}

/// One line of a run's timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimelineEntry {
    pub at: Timestamp,
    pub ce_time: Timestamp,
    pub state: RunState,
    pub reason: String,
    pub attempt: u32,
    pub fate: Fate,
    /// It told another end of its attempt than the one that was shown.
    pub is_contradiction: bool,
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunTombstone {
    pub attempt: u32,
    pub rank: Rank,
    pub facts_digest: u64,
    pub last_seen: Timestamp,
    /// When its last transition happened.
    pub changed_at: Timestamp,
    /// How it ended, and the `resourceVersion` of that. `None` and 0 at the first level.
    pub end_state: Option<RunState>,
    pub end_version: u64,
    /// Its check, where its own facts do not tell it again.
    pub check: Option<Box<KeptCheck>>,
    /// The namespace that it counts for; 0 where that was not noted, at the first feature level.
    pub share: u64,
}

/// The check of a run that is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptCheck {
    pub writer: CheckWriter,
    pub name: String,
}

impl RunTombstone {
    /// What is remembered of a run whose furthest event is at `position`.
    #[must_use]
    pub fn of(facts: &RunEvent, position: Position, last_seen: Timestamp) -> Self {
        Self {
            attempt: position.attempt,
            rank: position.rank,
            facts_digest: facts.facts_digest(),
            last_seen,
            changed_at: changed_at(facts),
            end_state: None,
            end_version: 0,
            check: None,
            share: 0,
        }
    }

    /// As [`RunTombstone::of`], with how the run ended.
    #[must_use]
    pub(super) fn with_end(self, facts: &RunEvent) -> Self {
        let end_state = facts.state.is_final().then_some(facts.state);
        let end_version = if end_state.is_some() { facts.resource_version } else { 0 };
        Self { end_state, end_version, ..self }
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

/// When the transition happened, as well as the event tells.
pub(super) fn changed_at(event: &RunEvent) -> Timestamp {
    if event.last_transition.is_known() { event.last_transition } else { event.ce_time }
}
