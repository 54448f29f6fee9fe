//! Effects: decided outbound calls, as data. An effect names its destination and its target. Its
//! body is rendered when it is sent, so no text and no secret is ever stored.

use crate::clock::Timestamp;
use crate::event::{Key, RunState};
use std::fmt;

/// Identity of one effect. Derives from (transition, kind and name of the instance, action,
/// replay), never from text or time, so that planning twice names the same effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EffectId(pub Key);

impl EffectId {
    /// The effect that `route` owes for `transition`; `replay` counts deliberate repetitions.
    #[must_use]
    pub fn of(transition: Key, route: &RouteName, replay: u32) -> Self {
        let (transition, replay) = (transition.to_string(), replay.to_string());
        let RouteName { kind, instance, action } = route;
        Self(Key::of(&["effect", &transition, kind, instance, action, &replay]))
    }

    /// The id at the first feature level, where two instances of one name share ids even if their
    /// kinds differ.
    #[must_use]
    pub fn of_first_level(transition: Key, route: &RouteName, replay: u32) -> Self {
        let (transition, replay) = (transition.to_string(), replay.to_string());
        Self(Key::of(&["effect", &transition, &route.instance, &route.action, &replay]))
    }
}

impl fmt::Display for EffectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The configured place that caused an effect: integration kind, instance name, action name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteName {
    /// Integration kind: `github`, `slack`, ...
    pub kind: String,
    /// `name` of the configured instance.
    pub instance: String,
    /// `name` of the action within it; `notify` for notifiers.
    pub action: String,
}

impl RouteName {
    /// Kind and name of the instance, `{kind}/{name}`: instances of two kinds may have the same
    /// name.
    #[must_use]
    pub fn full_instance(&self) -> String {
        format!("{}/{}", self.kind, self.instance)
    }
}

impl fmt::Display for RouteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.kind, self.instance, self.action)
    }
}

/// What a target keeps of several effects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Delivery {
    /// The target shows one state: unsent older effects are skipped.
    Latest,
    /// The target receives every accepted transition, in order.
    Stream,
}

/// The remote object that an effect writes. Effects with equal keys never run at the same time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetKey(pub String);

impl fmt::Display for TargetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An effect as planned: everything that the log stores about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedEffect {
    pub id: EffectId,
    pub route: RouteName,
    pub target: TargetKey,
    pub delivery: Delivery,
}

/// Why a route owes nothing for an event, or an effect was not sent. Closed set, each counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SkipReason {
    /// `when` was false.
    WhenFalse,
    /// A `filter` of the action excludes the task, pipeline, custom run or event listener.
    FilteredByName,
    /// The top-level `filter` excludes the kind or namespace.
    FilteredByKind,
    /// The run belongs to another SCM provider, or to none.
    OtherProvider,
    /// The run lacks what the action needs (commit, repository, pull request number).
    MissingFacts,
    /// A newer state of the same run replaced it before it was sent.
    Superseded,
    /// A newer run wrote the target.
    OlderThanTarget,
    /// The configuration did not get the route back in time.
    RouteGone,
    /// Another unsettled effect has the same id.
    SameId,
    /// The check that the run writes is not known yet.
    CheckNotSettled,
    /// Another writer of this check has a worse state, which must stay visible.
    WorseStateStands,
    /// The run names a commit, owner or repository that no forge accepts.
    ImpossibleFacts,
    /// The policy does not allow this effect for runs of this namespace.
    NotAllowed,
}

impl SkipReason {
    /// All reasons, in declaration order.
    pub const ALL: [Self; 13] = [
        Self::WhenFalse,
        Self::FilteredByName,
        Self::FilteredByKind,
        Self::OtherProvider,
        Self::MissingFacts,
        Self::Superseded,
        Self::OlderThanTarget,
        Self::RouteGone,
        Self::SameId,
        Self::CheckNotSettled,
        Self::WorseStateStands,
        Self::ImpossibleFacts,
        Self::NotAllowed,
    ];

    /// The word used in answers and metric labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WhenFalse => "when_false",
            Self::FilteredByName => "filtered_by_name",
            Self::FilteredByKind => "filtered_by_kind",
            Self::OtherProvider => "other_provider",
            Self::MissingFacts => "missing_facts",
            Self::Superseded => "superseded",
            Self::OlderThanTarget => "older_than_target",
            Self::RouteGone => "route_gone",
            Self::SameId => "same_id",
            Self::CheckNotSettled => "check_not_settled",
            Self::WorseStateStands => "worse_state_stands",
            Self::ImpossibleFacts => "impossible_facts",
            Self::NotAllowed => "not_allowed",
        }
    }
}

/// A route that owes nothing for an event, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    pub route: RouteName,
    pub reason: SkipReason,
}

/// The part of the vendor's answer that the relay keeps: enough to find the object again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Id of the remote object (comment id, message id); empty when the vendor gives none.
    pub remote_id: String,
    /// HTTP status of the last answer; 0 when the transport has none.
    pub status: u16,
}

/// One row of a summary: a run that belongs to a PipelineRun or group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummaryRow {
    /// The child's display name, its pipeline task, or its run if several runs have one task.
    pub name: String,
    pub run_name: String,
    pub is_finally: bool,
    /// `None`: the PipelineRun announced it, but no event of it came.
    pub state: Option<RunState>,
    pub reason: String,
    /// It failed, and its pipeline went on.
    pub is_ignored: bool,
    /// Its pipeline skipped it.
    pub is_skipped: bool,
    pub started_at: Timestamp,
    pub finished_at: Timestamp,
}

/// What a summary shows. Built from the replicated state when it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Name of the pipeline, or of the group.
    pub title: String,
    pub run_name: String,
    pub state: RunState,
    pub rows: Vec<SummaryRow>,
    /// The run sent no more events, or its TTL ended before every member was final.
    pub is_incomplete: bool,
}
