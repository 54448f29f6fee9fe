//! Filters by kind, namespace and name: the cheap, declarative half of routing. They decide what
//! is routed, never what is accepted or accumulated.

use super::NamePattern;
use crate::event::{Parent, RunEvent, RunKind};

/// The type ending of the events that `ignore_unknown` drops.
const UNKNOWN_TYPE_SUFFIX: &str = ".unknown.v1";

/// Allowed and denied names: globs in lower case, matched without regard to ASCII case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowDeny {
    /// When not empty, only these names pass.
    pub allow: Vec<NamePattern>,
    /// These names never pass, even when allowed.
    pub deny: Vec<NamePattern>,
}

/// The names of an event for one list. Several can name the same thing: the Task, and the task of
/// the Pipeline that runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Names<'e> {
    /// Without empty names.
    known: Vec<&'e str>,
    /// Whether no later event of the run can add a name.
    are_settled: bool,
}

impl<'e> Names<'e> {
    fn new(names: &[&'e str], are_settled: bool) -> Self {
        let known = names.iter().copied().filter(|name| !name.is_empty()).collect();
        Self { known, are_settled }
    }
}

impl AllowDeny {
    /// Whether an event with these names passes; `None` if the list does not apply to the event. A
    /// list that needs a name which is not known yet returns no: a later event of the run has the
    /// name, and the list decides on that event.
    fn admits(&self, names: Option<&Names<'_>>) -> bool {
        let Some(names) = names else { return true };
        let is_among = |patterns: &[NamePattern]| {
            names
                .known
                .iter()
                .any(|name| NamePattern::any_admits(patterns, &name.to_ascii_lowercase()))
        };
        let is_denied = is_among(&self.deny) || !(self.deny.is_empty() || names.are_settled);
        !is_denied && (self.allow.is_empty() || is_among(&self.allow))
    }
}

/// The `filter` of one action. An event passes when all four lists let it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameFilter {
    /// Matched with the Task name of a TaskRun, and with the name of its task in the Pipeline.
    pub tasks: AllowDeny,
    /// Matched with the Pipeline name of any run that belongs to one.
    pub pipelines: AllowDeny,
    /// Matched with the name of a CustomRun itself, and with that of its task in the Pipeline.
    pub custom_runs: AllowDeny,
    /// Matched with the name of the EventListener.
    pub event_listeners: AllowDeny,
}

impl NameFilter {
    /// Whether the action accepts events with these names.
    #[must_use]
    pub fn admits(&self, event: &RunEvent) -> bool {
        let final_name = |name, is_final| if is_final { name } else { "" };
        let has_task_name = event.has_final_task_name();
        let task = [final_name(event.task_name.as_str(), has_task_name), &event.pipeline_task];
        let (tasks, custom_runs) = match event.kind {
            RunKind::TaskRun => (Some(Names::new(&task, has_task_name)), None),
            RunKind::CustomRun => {
                (None, Some(Names::new(&[&event.name, &event.pipeline_task], true)))
            }
            RunKind::PipelineRun | RunKind::EventListener => (None, None),
        };
        let has_pipeline = event.kind == RunKind::PipelineRun
            || !event.pipeline_name.is_empty()
            || event.parent != Parent::default() && !event.is_round();
        let has_pipeline_name = event.has_final_pipeline_name();
        let pipeline = final_name(event.pipeline_name.as_str(), has_pipeline_name);
        let pipeline = has_pipeline.then(|| Names::new(&[pipeline], has_pipeline_name));
        let has_listener =
            event.kind == RunKind::EventListener || !event.event_listener_name.is_empty();
        let listener = has_listener.then(|| Names::new(&[&event.event_listener_name], true));
        self.tasks.admits(tasks.as_ref())
            && self.pipelines.admits(pipeline.as_ref())
            && self.custom_runs.admits(custom_runs.as_ref())
            && self.event_listeners.admits(listener.as_ref())
    }
}

/// The top-level `filter`: which events are routed at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventFilter {
    /// Lets TaskRuns in.
    pub allow_taskrun: bool,
    /// Lets PipelineRuns in.
    pub allow_pipelinerun: bool,
    /// Lets CustomRuns in.
    pub allow_customrun: bool,
    /// Lets EventListeners in.
    pub allow_eventlistener: bool,
    /// Drops the `unknown` events that Tekton sends along with `running`.
    pub ignore_unknown: bool,
    /// When not empty, only namespaces that this list admits pass.
    pub allow_namespaces: Vec<NamePattern>,
    /// Namespaces that this list admits are dropped, even when allowed.
    pub deny_namespaces: Vec<NamePattern>,
}

/// Everything passes.
impl Default for EventFilter {
    fn default() -> Self {
        Self {
            allow_taskrun: true,
            allow_pipelinerun: true,
            allow_customrun: true,
            allow_eventlistener: true,
            ignore_unknown: false,
            allow_namespaces: Vec::new(),
            deny_namespaces: Vec::new(),
        }
    }
}

impl EventFilter {
    /// Whether any route may see the event.
    #[must_use]
    pub fn admits(&self, event: &RunEvent) -> bool {
        let is_dropped_unknown =
            self.ignore_unknown && event.ce_type.ends_with(UNKNOWN_TYPE_SUFFIX);
        !is_dropped_unknown
            && self.admits_kind(event.kind)
            && self.admits_namespace(&event.namespace)
    }

    fn admits_kind(&self, kind: RunKind) -> bool {
        match kind {
            RunKind::TaskRun => self.allow_taskrun,
            RunKind::PipelineRun => self.allow_pipelinerun,
            RunKind::CustomRun => self.allow_customrun,
            RunKind::EventListener => self.allow_eventlistener,
        }
    }

    fn admits_namespace(&self, namespace: &str) -> bool {
        let allow = &self.allow_namespaces;
        !NamePattern::any_admits(&self.deny_namespaces, namespace)
            && (allow.is_empty() || NamePattern::any_admits(allow, namespace))
    }
}

#[cfg(test)]
#[path = "filter_test.rs"]
mod tests;
