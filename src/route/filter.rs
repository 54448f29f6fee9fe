//! Filters by kind, namespace and name: the cheap, declarative half of routing. They decide what
//! is routed, never what is accepted or accumulated.

use super::NamespacePattern;
use crate::event::{RunEvent, RunKind};

/// The type ending of the events that `ignore_unknown` drops.
const UNKNOWN_TYPE_SUFFIX: &str = ".unknown.v1";

/// Names let in and names kept out. Compared whole and without regard to ASCII case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowDeny {
    /// When not empty, only these names pass.
    pub allow: Vec<String>,
    /// These names never pass, even when allowed.
    pub deny: Vec<String>,
}

impl AllowDeny {
    /// Whether `name` passes. An empty name does: the list is about something the event has not.
    #[must_use]
    pub fn admits(&self, name: &str) -> bool {
        let names = |list: &[String]| list.iter().any(|entry| entry.eq_ignore_ascii_case(name));
        name.is_empty() || (!names(&self.deny) && (self.allow.is_empty() || names(&self.allow)))
    }
}

/// The `filter` of one action. An event passes when all four lists let it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameFilter {
    /// Matched with the Task name of a TaskRun.
    pub tasks: AllowDeny,
    /// Matched with the Pipeline name of any run that belongs to one.
    pub pipelines: AllowDeny,
    /// Matched with the name of a CustomRun itself.
    pub custom_runs: AllowDeny,
    /// Matched with the name of the EventListener.
    pub event_listeners: AllowDeny,
}

impl NameFilter {
    /// Whether the action wants events under these names.
    #[must_use]
    pub fn admits(&self, event: &RunEvent) -> bool {
        let (task, custom_run) = match event.kind {
            RunKind::TaskRun => (event.task_name.as_str(), ""),
            RunKind::CustomRun => ("", event.name.as_str()),
            RunKind::PipelineRun | RunKind::EventListener => ("", ""),
        };
        self.tasks.admits(task)
            && self.pipelines.admits(&event.pipeline_name)
            && self.custom_runs.admits(custom_run)
            && self.event_listeners.admits(&event.event_listener_name)
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
    /// Drops the `unknown` events that Tekton sends beside `running`.
    pub ignore_unknown: bool,
    /// When not empty, only namespaces that this list admits pass.
    pub allow_namespaces: Vec<NamespacePattern>,
    /// Namespaces that this list admits are kept out, even when allowed.
    pub deny_namespaces: Vec<NamespacePattern>,
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
        !NamespacePattern::any_admits(&self.deny_namespaces, namespace)
            && (allow.is_empty() || NamespacePattern::any_admits(allow, namespace))
    }
}

#[cfg(test)]
#[path = "filter_test.rs"]
mod tests;
