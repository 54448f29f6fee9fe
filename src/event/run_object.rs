//! From a Tekton object to the facts about its run.

use super::annotations::{self, Contract};
use super::bounds::{Bounds, CHILDREN_MAX, NAME_BYTES_MAX};
use super::cloudevent::CloudEvent;
use super::object::{Condition, Displayed, Metadata, Named, Object, Reference, Spec, Status, Text};
use super::reason::{ConditionStatus, of_condition};
use super::run::{ChildRef, Parent, RunEvent, RunKind};
use super::tekton::{DecodeError, Keep};
use super::{Key, Rank, RunState};
use crate::clock::Timestamp;

const LABEL_TASK: &str = "tekton.dev/task";
const LABEL_PIPELINE: &str = "tekton.dev/pipeline";
const LABEL_PIPELINE_TASK: &str = "tekton.dev/pipelineTask";
const LABEL_PIPELINE_RUN: &str = "tekton.dev/pipelineRun";
const LABEL_PIPELINE_RUN_UID: &str = "tekton.dev/pipelineRunUID";
const LABEL_MEMBER_OF: &str = "tekton.dev/memberOf";
const LABEL_TRIGGER: &str = "triggers.tekton.dev/trigger";

/// Where an object came from.
#[derive(Clone, Copy)]
pub(super) struct Origin<'a> {
    pub event: &'a CloudEvent,
    pub kind: RunKind,
    /// State and rank where the object carries no condition.
    pub by_type: (RunState, Rank),
    pub received_at: Timestamp,
}

/// The facts of `object`.
///
/// # Errors
/// The run has no name, or one that no Kubernetes object can have.
pub(super) fn run_event(
    origin: Origin<'_>,
    object: &Object<'_>,
    keep: &Keep,
) -> Result<RunEvent, DecodeError> {
    let (no_metadata, no_spec, no_status) =
        (Metadata::default(), Spec::default(), Status::default());
    let metadata = object.metadata.as_ref().unwrap_or(&no_metadata);
    let spec = object.spec.as_ref().unwrap_or(&no_spec);
    let status = object.status.as_ref().unwrap_or(&no_status);
    let Identity { name, namespace, uid } = identity(origin, metadata)?;
    let mut bounds = Bounds::new(keep);
    let Outcome { state, rank, reason, message, last_transition } =
        outcome(origin.by_type, status, &mut bounds);
    let Contract { scm, jira_issue_key, group_id } =
        annotations::read(&metadata.annotations, &mut bounds);
    let label = |key: &str| metadata.labels.get(key);
    let task = [label(LABEL_TASK), named(&spec.task_ref), named(&spec.custom_ref)];
    let pipeline = [label(LABEL_PIPELINE), named(&spec.pipeline_ref)];
    // The spec has the display name before the status has it: a queued run is named for good.
    let task_display = [displayed(&status.task_spec), displayed(&spec.task_spec)];
    let pipeline_display = [displayed(&status.pipeline_spec), displayed(&spec.pipeline_spec)];
    let event = origin.event;
    Ok(RunEvent {
        ce_id: event.id.clone(),
        ce_source: event.source.clone(),
        ce_type: event.event_type.clone(),
        ce_time: event.time.unwrap_or(origin.received_at),
        kind: origin.kind,
        namespace,
        name,
        uid,
        resource_version: as_str(&metadata.resource_version).parse().unwrap_or_default(),
        created_at: bounds.time("creationTimestamp", metadata.creation_timestamp.as_ref()),
        rank,
        state,
        reason,
        message,
        attempt: attempt(status),
        last_transition,
        started_at: bounds.time("startTime", status.start_time.as_ref()),
        finished_at: bounds.time("completionTime", status.completion_time.as_ref()),
        parent: parent(origin.kind, metadata, &mut bounds),
        task_name: bounds.name("task_name", first_of(&task)),
        pipeline_name: bounds.name("pipeline_name", first_of(&pipeline)),
        pipeline_task: bounds.name("pipeline_task", label(LABEL_PIPELINE_TASK)),
        event_listener_name: String::new(),
        trigger_name: bounds.name("trigger_name", label(LABEL_TRIGGER)),
        task_display_name: bounds.name("task_display_name", first_of(&task_display)),
        pipeline_display_name: bounds.name("pipeline_display_name", first_of(&pipeline_display)),
        is_finally: label(LABEL_MEMBER_OF) == "finally",
        scm_event_type: String::new(),
        children: children(status, &mut bounds),
        scm,
        jira_issue_key,
        group_id,
        params: bounds.values("params", spec.params.as_deref().unwrap_or_default()),
        results: bounds.values("results", results(status)),
        labels: bounds.labels(&metadata.labels),
        annotations: bounds.annotations(&metadata.annotations),
        cut: bounds.into_cut(),
    })
}

/// What tells a run from all others.
struct Identity {
    name: String,
    namespace: String,
    uid: String,
}

fn identity(origin: Origin<'_>, metadata: &Metadata<'_>) -> Result<Identity, DecodeError> {
    let event_type = &origin.event.event_type;
    // Cutting one of these would make two runs one.
    let whole = |field, text: &Option<Text<'_>>| {
        let text = as_str(text);
        let (event_type, bytes, bytes_max) = (event_type.clone(), text.len(), NAME_BYTES_MAX);
        if bytes > bytes_max {
            return Err(DecodeError::TooLong { event_type, field, bytes, bytes_max });
        }
        Ok(text.to_owned())
    };
    let name = whole("metadata.name", &metadata.name)?;
    let namespace = whole("metadata.namespace", &metadata.namespace)?;
    let mut uid = whole("metadata.uid", &metadata.uid)?;
    if name.is_empty() {
        let event_type = event_type.clone();
        return Err(DecodeError::Missing { event_type, field: "metadata.name" });
    }
    if uid.is_empty() {
        // Of two runs of one name the time of creation tells which is meant.
        let created = as_str(&metadata.creation_timestamp);
        let key = Key::of(&["no-uid", origin.kind.as_str(), &namespace, &name, created]);
        uid = format!("no-uid-{key}");
    }
    Ok(Identity { name, namespace, uid })
}

/// What the `Succeeded` condition says.
struct Outcome {
    state: RunState,
    rank: Rank,
    reason: String,
    message: String,
    last_transition: Timestamp,
}

fn outcome(by_type: (RunState, Rank), status: &Status<'_>, bounds: &mut Bounds<'_>) -> Outcome {
    let conditions = status.conditions.iter().flatten();
    let condition = conditions.into_iter().find(|condition| as_str(&condition.kind) == "Succeeded");
    let Some(condition) = condition else {
        let (state, rank) = by_type;
        let (reason, message) = Default::default();
        return Outcome { state, rank, reason, message, last_transition: Timestamp::UNKNOWN };
    };
    let (state, rank) = condition_status(condition)
        .map_or(by_type, |status| of_condition(status, as_str(&condition.reason)));
    Outcome {
        state,
        rank,
        reason: bounds.name("reason", as_str(&condition.reason)),
        message: bounds.message(as_str(&condition.message)),
        last_transition: bounds.time("lastTransitionTime", condition.last_transition_time.as_ref()),
    }
}

fn condition_status(condition: &Condition<'_>) -> Option<ConditionStatus> {
    match as_str(&condition.status) {
        "True" => Some(ConditionStatus::True),
        "False" => Some(ConditionStatus::False),
        "Unknown" => Some(ConditionStatus::Unknown),
        _ => None,
    }
}

fn attempt(status: &Status<'_>) -> u32 {
    let retries = status.retries_status.as_ref().map_or(0, Vec::len);
    u32::try_from(retries).unwrap_or(u32::MAX)
}

/// The PipelineRun of a TaskRun or CustomRun: its owner, and what the owner reference leaves
/// open from the labels.
fn parent(kind: RunKind, metadata: &Metadata<'_>, bounds: &mut Bounds<'_>) -> Parent {
    match kind {
        RunKind::PipelineRun | RunKind::EventListener => Parent::default(),
        RunKind::TaskRun | RunKind::CustomRun => {
            let owners = metadata.owner_references.iter().flatten();
            let owner = owners.into_iter().find(|owner| as_str(&owner.kind) == "PipelineRun");
            let (uid, name) =
                owner.map_or(("", ""), |owner| (as_str(&owner.uid), as_str(&owner.name)));
            let label = |key: &str| metadata.labels.get(key);
            let uid = first_of(&[uid, label(LABEL_PIPELINE_RUN_UID)]);
            let name = first_of(&[name, label(LABEL_PIPELINE_RUN)]);
            Parent { uid: bounds.name("parent.uid", uid), name: bounds.name("parent.name", name) }
        }
    }
}

fn children(status: &Status<'_>, bounds: &mut Bounds<'_>) -> Vec<ChildRef> {
    let references = status.child_references.iter().flatten();
    let references =
        references.map(|child| (as_str(&child.name), as_str(&child.pipeline_task_name)));
    let embedded = [&status.task_runs, &status.runs].into_iter().flatten().flatten();
    let embedded = embedded.map(|(name, child)| {
        let task = child.as_ref().map(|child| as_str(&child.pipeline_task_name));
        (&**name, task.unwrap_or_default())
    });
    // Some releases in between wrote both forms.
    let is_embedded = status.child_references.is_none();
    let mut children = Vec::new();
    for (name, task) in references.chain(embedded.filter(|_| is_embedded)) {
        if children.len() == CHILDREN_MAX {
            bounds.note("children");
            break;
        }
        let name = bounds.name("children.name", name);
        children.push(ChildRef { name, pipeline_task: bounds.name("children.task", task) });
    }
    children
}

fn results<'a, 'e>(status: &'a Status<'e>) -> &'a [Named<'e>] {
    let names = [&status.task_results, &status.pipeline_results, &status.results];
    names.into_iter().find_map(Option::as_deref).unwrap_or_default()
}

fn named<'a>(reference: &'a Option<Reference<'_>>) -> &'a str {
    reference.as_ref().map_or("", |reference| as_str(&reference.name))
}

fn displayed<'a>(spec: &'a Option<Displayed<'_>>) -> &'a str {
    spec.as_ref().map_or("", |spec| as_str(&spec.display_name))
}

fn as_str<'a>(text: &'a Option<Text<'_>>) -> &'a str {
    text.as_deref().unwrap_or_default()
}

fn first_of<'a>(texts: &[&'a str]) -> &'a str {
    texts.iter().find(|text| !text.is_empty()).copied().unwrap_or_default()
}

#[cfg(test)]
#[path = "run_object_test.rs"]
mod tests;
