//! Decides which check a run writes. Commit statuses depend on this decision alone (ADR 0012).
//!
//! It is injective over writers, equal for every run of a writer, and independent of the order and
//! the number of events. A check that is not settled is not written.

use super::child_name::{ChildPlace, place};
use super::naming::Reference;
use super::run::{RunEvent, RunKind};
use std::fmt;

/// First part of a check whose run names no context.
const BASE: &str = "tekton";

/// What the tasks of a writer belong to. The words are part of check names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RootKind {
    /// A Pipeline, by its name.
    Pipeline,
    /// PipelineRuns with an inline pipeline, by their `generateName`.
    PipelineRuns,
    /// A PipelineRun that has only its own name.
    PipelineRun,
    /// What Pipelines-as-Code starts from one file, by the name in that file.
    PipelinesAsCode,
    /// A Task without a PipelineRun, by its name.
    Task,
    /// TaskRuns with an inline task, by their `generateName`.
    TaskRuns,
    TaskRun,
    /// A custom task without a PipelineRun, by its kind and name.
    CustomTask,
    CustomRuns,
    CustomRun,
    EventListener,
    /// The summary of a group.
    Group,
}

impl RootKind {
    /// All kinds, in declaration order.
    pub const ALL: [Self; 12] = [
        Self::Pipeline,
        Self::PipelineRuns,
        Self::PipelineRun,
        Self::PipelinesAsCode,
        Self::Task,
        Self::TaskRuns,
        Self::TaskRun,
        Self::CustomTask,
        Self::CustomRuns,
        Self::CustomRun,
        Self::EventListener,
        Self::Group,
    ];

    /// The word of check names and of `.Kind` in a `context` template.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pipeline => "pipeline",
            Self::PipelineRuns => "runs",
            Self::PipelineRun => "run",
            Self::PipelinesAsCode => "pac",
            Self::Task => "task",
            Self::TaskRuns => "taskruns",
            Self::TaskRun => "taskrun",
            Self::CustomTask => "custom",
            Self::CustomRuns => "customruns",
            Self::CustomRun => "customrun",
            Self::EventListener => "eventlistener",
            Self::Group => "group",
        }
    }

    /// Where the name comes from, for people.
    fn told(self) -> &'static str {
        match self {
            Self::Pipeline => "pipelineRef or label tekton.dev/pipeline",
            Self::PipelineRuns | Self::TaskRuns | Self::CustomRuns => "generateName",
            Self::PipelineRun | Self::TaskRun | Self::CustomRun => "the run's own name",
            Self::PipelinesAsCode => "label pipelinesascode.tekton.dev/original-prname",
            Self::Task => "taskRef or label tekton.dev/task",
            Self::CustomTask => "customRef",
            Self::EventListener => "the event listener",
            Self::Group => "the group id",
        }
    }
}

/// Identity of what writes a check: the root, the path of pipeline tasks below it, and the
/// combination of the last task. Runs with equal identity share their checks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckWriter {
    pub kind: RootKind,
    /// Name of the root.
    pub root: String,
    /// Pipeline tasks from the root down; all but the last with their combination. The first one
    /// may instead be a round of a loop without a PipelineRun; then it starts with a colon.
    pub tasks: Vec<String>,
    /// Which run of the last task it is: an index of a matrix or a round of a loop; empty if there
    /// is only one.
    pub combination: String,
}

/// Why a run does not write a check yet. Closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NotSettled {
    /// A resolver still looks for the pipeline or task, or Tekton has not set its label yet.
    AwaitsName,
    /// The run is a child, and its parent is not known yet.
    AwaitsParent,
}

impl NotSettled {
    /// All reasons, in declaration order.
    pub const ALL: [Self; 2] = [Self::AwaitsName, Self::AwaitsParent];

    /// The words for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AwaitsName => "the name of its pipeline or task is not known yet",
            Self::AwaitsParent => "its PipelineRun is not known yet",
        }
    }
}

/// The PipelineRun above a run, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub enum Above<'a> {
    /// Its event, or its writer, may still come.
    Awaited,
    /// The wait for it is over: the run uses its own facts.
    Unknown,
    Settled(&'a CheckWriter),
}

/// The writer that `event` speaks for, given what is known above its run.
///
/// # Errors
/// The facts do not decide it yet. At the end of a run they always do.
pub fn writer(event: &RunEvent, above: Above<'_>) -> Result<CheckWriter, NotSettled> {
    if !is_child(event) {
        return root(event);
    }
    match above {
        Above::Settled(parent) => Ok(below(event, parent.clone())),
        Above::Awaited => Err(NotSettled::AwaitsParent),
        Above::Unknown => root_by_child(event).map(|root| below(event, root)),
    }
}

/// The writer of a run whose end is known and that gets no more events.
#[must_use]
pub fn last_resort(event: &RunEvent) -> CheckWriter {
    let ended = RunEvent { state: super::RunState::Error, ..event.clone() };
    writer(&ended, Above::Unknown)
        .unwrap_or_else(|_| CheckWriter::of(RootKind::PipelineRun, &event.name))
}

/// The writer of a group's summary.
#[must_use]
pub fn group(group_id: &str) -> CheckWriter {
    CheckWriter::of(RootKind::Group, group_id)
}

/// Whether the run belongs to a PipelineRun, or to a loop's CustomRun.
#[must_use]
pub fn is_child(event: &RunEvent) -> bool {
    let has_parent = !event.parent.uid.is_empty() || !event.parent.name.is_empty();
    has_parent && event.kind != RunKind::EventListener
}

fn root(event: &RunEvent) -> Result<CheckWriter, NotSettled> {
    let naming = &event.naming;
    match event.kind {
        RunKind::PipelineRun if !naming.original_name.is_empty() => {
            Ok(CheckWriter::of(RootKind::PipelinesAsCode, &naming.original_name))
        }
        RunKind::PipelineRun => named(event, &event.pipeline_name, RootKind::Pipeline)
            .unwrap_or_else(|| unnamed(event, RootKind::PipelineRuns, RootKind::PipelineRun)),
        RunKind::TaskRun => named(event, &event.task_name, RootKind::Task)
            .unwrap_or_else(|| unnamed(event, RootKind::TaskRuns, RootKind::TaskRun)),
        RunKind::CustomRun => Ok(match &naming.reference {
            Reference::Name(name) => of_kind(RootKind::CustomTask, &naming.custom_kind, name),
            Reference::Unknown | Reference::Resolver | Reference::Inline => {
                generated(event, RootKind::CustomRuns, RootKind::CustomRun)
            }
        }),
        RunKind::EventListener => {
            Ok(CheckWriter::of(RootKind::EventListener, &event.event_listener_name))
        }
    }
}

/// The root by the name of its pipeline or task. `label` is that name once Tekton has set it. When
/// Tekton knows no name it sets the run's own name, which is ignored.
fn named(event: &RunEvent, label: &str, kind: RootKind) -> Option<Result<CheckWriter, NotSettled>> {
    let naming = &event.naming;
    let is_name = !label.is_empty() && label != event.name;
    match &naming.reference {
        Reference::Name(name) if naming.custom_kind.is_empty() => {
            Some(Ok(CheckWriter::of(kind, name)))
        }
        Reference::Name(name) => Some(Ok(of_kind(kind, &naming.custom_kind, name))),
        Reference::Resolver if !naming.is_resolved && !event.state.is_final() => {
            Some(Err(NotSettled::AwaitsName))
        }
        Reference::Resolver if !is_name && !event.state.is_final() => {
            Some(Err(NotSettled::AwaitsName))
        }
        Reference::Resolver | Reference::Unknown => {
            is_name.then(|| Ok(CheckWriter::of(kind, label)))
        }
        // The label was copied with the manifest from another run.
        Reference::Inline => None,
    }
}

/// The root by kind and name, for names that several kinds can have. Neither kind nor name contains
/// the colon between them.
fn of_kind(root: RootKind, kind: &str, name: &str) -> CheckWriter {
    let name = format!("{}:{}", escaped(kind), escaped(name));
    CheckWriter { root: name, ..CheckWriter::of(root, "") }
}

/// The root of a run whose pipeline or task has no name of its own.
fn unnamed(event: &RunEvent, many: RootKind, one: RootKind) -> Result<CheckWriter, NotSettled> {
    let may_be_labelled = event.naming.reference == Reference::Unknown
        && event.rank == super::Rank::Queued
        && event.task_name.is_empty()
        && event.pipeline_name.is_empty();
    if may_be_labelled { Err(NotSettled::AwaitsName) } else { Ok(generated(event, many, one)) }
}

fn generated(event: &RunEvent, many: RootKind, one: RootKind) -> CheckWriter {
    let generate_name = event.naming.generate_name.as_str();
    match generate_name.strip_suffix('-') {
        _ if generate_name.is_empty() => CheckWriter::of(one, &event.name),
        Some(name) => CheckWriter::of(many, name),
        None => CheckWriter {
            root: format!("{}*", escaped(generate_name)),
            ..CheckWriter::of(many, "")
        },
    }
}

/// The root above a child whose PipelineRun is unknown. The label of a TaskRun names the pipeline
/// of its PipelineRun; so does the label of a queued child PipelineRun. If the label holds the
/// PipelineRun's own name, the pipeline has no other name, or it is not known yet.
fn root_by_child(event: &RunEvent) -> Result<CheckWriter, NotSettled> {
    if event.is_round() {
        let of_loop = CheckWriter::of(RootKind::CustomRun, &event.parent.name);
        return event.state.is_final().then_some(of_loop).ok_or(NotSettled::AwaitsParent);
    }
    if !event.naming.original_name.is_empty() {
        return Ok(CheckWriter::of(RootKind::PipelinesAsCode, &event.naming.original_name));
    }
    let is_of_parent = event.kind != RunKind::PipelineRun || event.rank == super::Rank::Queued;
    let pipeline = &event.pipeline_name;
    if is_of_parent && !pipeline.is_empty() && *pipeline != event.parent.name {
        return Ok(CheckWriter::of(RootKind::Pipeline, pipeline));
    }
    if !event.state.is_final() {
        return Err(NotSettled::AwaitsParent);
    }
    let names = [&event.parent.name, &event.parent.uid];
    let name = names.into_iter().find(|name| !name.is_empty());
    Ok(CheckWriter::of(RootKind::PipelineRun, name.unwrap_or(&event.name)))
}

/// The writer of a child below the writer of its PipelineRun. A round has the path of its loop.
fn below(event: &RunEvent, parent: CheckWriter) -> CheckWriter {
    let CheckWriter { kind, root, mut tasks, combination } = parent;
    if event.is_round() {
        let combination = joined(&combination, &round_of(event));
        let combination = combination.trim_start_matches(':').to_owned();
        return CheckWriter { kind, root, tasks, combination };
    }
    if let Some(last) = tasks.last_mut() {
        *last = joined(last, &combination);
    } else if !combination.is_empty() {
        // Rounds of a loop without a PipelineRun. No task name begins with a colon.
        tasks.push(joined("", &combination));
    }
    tasks.push(escaped(&event.pipeline_task));
    CheckWriter { kind, root, tasks, combination: combination_of(event) }
}

fn combination_of(event: &RunEvent) -> String {
    let (parent, task) = (event.parent.name.as_str(), event.pipeline_task.as_str());
    let index = |name: &str| match place(parent, task, name) {
        ChildPlace::Only => Some(String::new()),
        ChildPlace::Combination(index) => Some(index.to_string()),
        ChildPlace::Foreign => None,
    };
    if event.naming.iteration.is_empty() {
        return index(&event.name).unwrap_or_else(|| round_of(event));
    }
    // The loop itself may be part of a matrix.
    let of_loop = match event.naming.owner.as_str() {
        "" => String::new(),
        owner => index(owner).unwrap_or_else(|| format!("run:{}", escaped(owner))),
    };
    joined(&of_loop, &round_of(event)).trim_start_matches(':').to_owned()
}

fn round_of(event: &RunEvent) -> String {
    match event.naming.iteration.as_str() {
        "" => format!("run:{}", escaped(&event.name)),
        iteration => format!("each:{}", escaped(iteration)),
    }
}

/// A task with its combination. No part contains the colon between them.
fn joined(task: &str, combination: &str) -> String {
    if combination.is_empty() { task.to_owned() } else { format!("{task}:{combination}") }
}

/// Escapes the characters used between names. Names of Kubernetes stay as they are.
fn escaped(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.chars().all(is_plain) {
        return name.to_owned();
    }
    name.chars().fold(String::new(), |mut text, c| {
        if is_plain(c) {
            text.push(c);
        } else {
            text.push_str(&format!("%{:x};", u32::from(c)));
        }
        text
    })
}

impl CheckWriter {
    fn of(kind: RootKind, name: &str) -> Self {
        Self { kind, root: escaped(name), tasks: Vec::new(), combination: String::new() }
    }

    /// The name of its check: below the context that its run asks for, else below `tekton` and the
    /// root.
    #[must_use]
    pub fn check_name(&self, context: &str) -> String {
        let mut name = if context.is_empty() { self.root_name() } else { context.to_owned() };
        let of_loop = [RootKind::CustomTask, RootKind::CustomRuns, RootKind::CustomRun];
        let is_loop = of_loop.contains(&self.kind);
        for (depth, task) in self.tasks.iter().enumerate() {
            // A round of a loop without a PipelineRun is not a task.
            if !(is_loop && depth == 0 && task.starts_with(':')) {
                name.push('/');
            }
            name.push_str(task);
        }
        joined(&name, &self.combination)
    }

    fn root_name(&self) -> String {
        if self.kind == RootKind::Pipeline {
            return format!("{BASE}/{}", self.root);
        }
        format!("{BASE}/{}:{}", self.kind.as_str(), self.root)
    }

    /// The pipeline tasks as one text: `deploy/roll-out`.
    #[must_use]
    pub fn task_path(&self) -> String {
        self.tasks.join("/").trim_start_matches(':').to_owned()
    }

    /// A text that no other writer has: the identity of a writer within its namespace.
    #[must_use]
    pub fn identity(&self) -> String {
        self.check_name("")
    }
}

/// Why the check has this name, for people.
impl fmt::Display for CheckWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}` by {}", self.kind.as_str(), self.root, self.kind.told())?;
        if !self.tasks.is_empty() {
            write!(f, ", pipeline task `{}`", self.task_path())?;
        }
        if !self.combination.is_empty() {
            write!(f, ", combination `{}` by the run's name and labels", self.combination)?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "check_test.rs"]
mod tests;
