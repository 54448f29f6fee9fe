//! From a Tekton object to the facts about its run.

use super::annotations::{self, Contract};
use super::bounds::{Bounds, CHILDREN_MAX, NAME_BYTES_MAX};
use super::cloudevent::CloudEvent;
use super::ingest_error::shown;
use super::keep::Keep;
use super::names::NameKind;
use super::naming::Naming;
use super::object::{
    Displayed, Metadata, NamedJson, Object, OwnerReference, RawReference, Spec, Status,
    StatusCondition, Text,
};
use super::reason::{ConditionStatus, of_condition};
use super::run::{ChildRef, Parent, RunEvent, RunKind, SkippedTask};
use super::tekton::DecodeError;
use super::{Key, Rank, RunState, naming};
use crate::clock::Timestamp;
use serde_json::value::RawValue;

const LABEL_TASK: &str = "tekton.dev/task";
const LABEL_PIPELINE: &str = "tekton.dev/pipeline";
const LABEL_PIPELINE_TASK: &str = "tekton.dev/pipelineTask";
const LABEL_PIPELINE_RUN: &str = "tekton.dev/pipelineRun";
const LABEL_PIPELINE_RUN_UID: &str = "tekton.dev/pipelineRunUID";
const LABEL_MEMBER_OF: &str = "tekton.dev/memberOf";
const LABEL_ORIGINAL_NAME: &str = "pipelinesascode.tekton.dev/original-prname";
/// Loop controllers set the round here: `custom.tekton.dev/pipelineLoopIteration`.
const LABEL_CUSTOM: &str = "custom.tekton.dev/";
const LABEL_ITERATION: &str = "Iteration";
const LABEL_TRIGGER: &str = "triggers.tekton.dev/trigger";

/// The kinds whose controllers make runs in a loop.
const LOOP_KINDS: [&str; 2] = ["CustomRun", "Run"];

/// Where an object came from.
#[derive(Clone, Copy)]
pub(super) struct ResolvedOrigin<'a> {
    pub event: &'a CloudEvent,
    pub kind: RunKind,
    /// State and rank for an object without a condition.
    pub by_type: (RunState, Rank),
    pub received_at: Timestamp,
}

/// The facts of `object`.
///
/// # Errors
/// The run has no name, or one that no Kubernetes object can have.
pub(super) fn run_event(
    origin: ResolvedOrigin<'_>,
    object: &Object<'_>,
    keep: &Keep,
) -> Result<RunEvent, DecodeError> {
    let (no_metadata, no_spec, no_status) =
        (Metadata::default(), Spec::default(), Status::default());
    let metadata = object.metadata.as_ref().unwrap_or(&no_metadata);
    let spec = object.spec.as_ref().unwrap_or(&no_spec);
    let status = object.status.as_ref().unwrap_or(&no_status);
    let Identity { name, namespace, uid } = identity(origin, metadata)?;
    let names = KeptNames { event_type: &origin.event.event_type };
    names.check(metadata, spec, status)?;
    let mut bounds = Bounds::new(keep);
    let Outcome { state, rank, reason, message, last_transition } =
        outcome(origin.by_type, status, &mut bounds);
    let Contract { scm, jira_issue_key, group_id } =
        annotations::read(&metadata.annotations, &mut bounds);
    let label = |key: &str| metadata.labels.get(key);
    let task = [label(LABEL_TASK), named(&spec.task_ref), named(&spec.custom_ref)];
    let pipeline = [label(LABEL_PIPELINE), named(&spec.pipeline_ref)];
    // The spec has the display name before the status does, so a queued run has its final name.
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
        attempt: attempt(origin.kind, spec, status),
        last_transition,
        started_at: bounds.time("startTime", status.start_time.as_ref()),
        finished_at: bounds.time("completionTime", status.completion_time.as_ref()),
        parent: parent(origin.kind, metadata, &mut bounds),
        naming: naming(origin.kind, (metadata, spec, status), (state, rank), &mut bounds),
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
        skipped_tasks: skipped_tasks(status, &mut bounds),
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

/// What distinguishes a run from all others.
struct Identity {
    name: String,
    namespace: String,
    uid: String,
}

fn identity(origin: ResolvedOrigin<'_>, metadata: &Metadata<'_>) -> Result<Identity, DecodeError> {
    let event_type = &origin.event.event_type;
    // A cut here would merge two runs.
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
    let names = KeptNames { event_type };
    names.one("metadata.name", NameKind::Subdomain, &name)?;
    names.one("metadata.namespace", NameKind::Label, &namespace)?;
    names.one("metadata.uid", NameKind::Uid, &uid)?;
    if name.is_empty() {
        let event_type = event_type.clone();
        return Err(DecodeError::Missing { event_type, field: "metadata.name" });
    }
    if uid.is_empty() {
        // The time of creation distinguishes two runs of one name.
        let created = as_str(&metadata.creation_timestamp);
        let key = Key::of(&["no-uid", origin.kind.as_str(), &namespace, &name, created]);
        uid = format!("no-uid-{key}");
    }
    Ok(Identity { name, namespace, uid })
}

/// Refuses names that Kubernetes objects cannot have. Such an object was made by hand, and names go
/// into links, commands and messages unchanged.
struct KeptNames<'a> {
    event_type: &'a str,
}

impl KeptNames<'_> {
    fn check(
        &self,
        metadata: &Metadata<'_>,
        spec: &Spec<'_>,
        status: &Status<'_>,
    ) -> Result<(), DecodeError> {
        for (field, label, kind) in [
            ("label tekton.dev/task", LABEL_TASK, NameKind::LabelValue),
            ("label tekton.dev/pipeline", LABEL_PIPELINE, NameKind::LabelValue),
            ("label tekton.dev/pipelineTask", LABEL_PIPELINE_TASK, NameKind::LabelValue),
            ("label tekton.dev/pipelineRun", LABEL_PIPELINE_RUN, NameKind::LabelValue),
            ("label tekton.dev/pipelineRunUID", LABEL_PIPELINE_RUN_UID, NameKind::Uid),
            ("label triggers.tekton.dev/trigger", LABEL_TRIGGER, NameKind::LabelValue),
        ] {
            self.one(field, kind, metadata.labels.get(label))?;
        }
        for owner in metadata.owner_references.iter().flatten() {
            self.one("metadata.ownerReferences.name", NameKind::Reference, as_str(&owner.name))?;
            self.one("metadata.ownerReferences.uid", NameKind::Uid, as_str(&owner.uid))?;
        }
        for (field, reference) in [
            ("spec.pipelineRef.name", &spec.pipeline_ref),
            ("spec.taskRef.name", &spec.task_ref),
            ("spec.customRef.name", &spec.custom_ref),
        ] {
            self.one(field, NameKind::Reference, named(reference))?;
        }
        for child in status.child_references.iter().flatten() {
            self.one("status.childReferences.name", NameKind::Subdomain, as_str(&child.name))?;
            let task = as_str(&child.pipeline_task_name);
            self.one("status.childReferences.pipelineTaskName", NameKind::Reference, task)?;
        }
        let embedded = [("status.taskRuns", &status.task_runs), ("status.runs", &status.runs)];
        for (field, runs) in embedded {
            for (name, child) in runs.iter().flatten() {
                self.one(field, NameKind::Subdomain, name)?;
                let task = child.as_ref().map_or("", |child| as_str(&child.pipeline_task_name));
                self.one(field, NameKind::Reference, task)?;
            }
        }
        Ok(())
    }

    /// One name, which may be absent.
    fn one(&self, field: &'static str, kind: NameKind, text: &str) -> Result<(), DecodeError> {
        if text.is_empty() || kind.accepts(text) {
            return Ok(());
        }
        let event_type = self.event_type.to_owned();
        Err(DecodeError::Name { event_type, field, value: shown(text), accepted: kind.accepted() })
    }
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
    let conditions = conditions.filter(|condition| as_str(&condition.kind) == "Succeeded");
    let decided = conditions.map(|condition| (decided(by_type, condition), condition));
    // Kubernetes has one condition of a type. Of several the worst counts; of equal ones the first.
    let worst =
        decided.reduce(|one, two| if two.0.0.badness() > one.0.0.badness() { two } else { one });
    let Some(((state, rank), condition)) = worst else {
        let (state, rank) = by_type;
        let (reason, message) = Default::default();
        return Outcome { state, rank, reason, message, last_transition: Timestamp::UNKNOWN };
    };
    Outcome {
        state,
        rank,
        reason: bounds.name("reason", as_str(&condition.reason)),
        message: bounds.message(as_str(&condition.message)),
        last_transition: bounds.time("lastTransitionTime", condition.last_transition_time.as_ref()),
    }
}

/// What one condition says. It is not a success when the event type says that the run failed.
fn decided(by_type: (RunState, Rank), condition: &StatusCondition<'_>) -> (RunState, Rank) {
    let by_condition = condition_status(condition)
        .map_or(by_type, |status| of_condition(status, as_str(&condition.reason)));
    let is_contradicted = by_type.0 == RunState::Failure && by_condition.0 == RunState::Success;
    if is_contradicted { by_type } else { by_condition }
}

fn condition_status(condition: &StatusCondition<'_>) -> Option<ConditionStatus> {
    match as_str(&condition.status) {
        "True" => Some(ConditionStatus::True),
        status if status.eq_ignore_ascii_case("False") => Some(ConditionStatus::False),
        "Unknown" => Some(ConditionStatus::Unknown),
        _ => None,
    }
}

/// How many attempts came before. At most as many as the spec allows; a PipelineRun is never
/// retried.
fn attempt(kind: RunKind, spec: &Spec<'_>, status: &Status<'_>) -> u32 {
    let is_retried = matches!(kind, RunKind::TaskRun | RunKind::CustomRun);
    let retries = spec.retries.filter(|_| is_retried).map(RawValue::get);
    let allowed = retries.and_then(|number| number.parse().ok()).unwrap_or(0);
    let past = status.retries_status.as_ref().map_or(0, Vec::len);
    u32::try_from(past).unwrap_or(u32::MAX).min(allowed)
}

/// The owner that made the run, if it is of one of these kinds. The other owners of an object only
/// decide when it may be deleted.
fn controller<'m, 'e>(
    metadata: &'m Metadata<'e>,
    kinds: &[&str],
) -> Option<&'m OwnerReference<'e>> {
    let mut owners = metadata.owner_references.iter().flatten();
    let owner = owners.find(|owner| owner.controller == Some(true));
    owner.filter(|owner| kinds.contains(&as_str(&owner.kind)))
}

/// What names the run's pipeline or task, in addition to its labels.
fn naming(
    kind: RunKind,
    (metadata, spec, status): (&Metadata<'_>, &Spec<'_>, &Status<'_>),
    (state, rank): (RunState, Rank),
    bounds: &mut Bounds<'_>,
) -> Naming {
    let (reference, written_out, found) = match kind {
        RunKind::PipelineRun => (&spec.pipeline_ref, &spec.pipeline_spec, &status.pipeline_spec),
        RunKind::TaskRun => (&spec.task_ref, &spec.task_spec, &status.task_spec),
        RunKind::CustomRun => (&spec.custom_ref, &spec.custom_spec, &None),
        RunKind::EventListener => return Naming::default(),
    };
    let loops = controller(metadata, &LOOP_KINDS);
    // A run that has started may still need its resolver.
    let is_at_work = rank >= Rank::Running && state != RunState::Pending;
    Naming {
        reference: self::reference(reference.as_ref(), written_out.is_some(), bounds),
        is_resolved: found.is_some() || is_at_work,
        generate_name: bounds.name("generateName", as_str(&metadata.generate_name)),
        original_name: bounds.name("original-prname", metadata.labels.get(LABEL_ORIGINAL_NAME)),
        custom_kind: bounds.name("customRef", &custom_kind(kind, reference.as_ref())),
        iteration: bounds.name("iteration", iteration(metadata)),
        owner: bounds.name("owner", loops.map_or("", |owner| as_str(&owner.name))),
    }
}

fn reference(
    reference: Option<&RawReference<'_>>,
    is_written_out: bool,
    bounds: &mut Bounds<'_>,
) -> naming::Reference {
    let Some(reference) = reference else {
        let inline = is_written_out.then_some(naming::Reference::Inline);
        return inline.unwrap_or_default();
    };
    let is_remote =
        [&reference.resolver, &reference.bundle].into_iter().any(|by| !as_str(by).is_empty());
    match as_str(&reference.name) {
        _ if is_remote => naming::Reference::Resolver,
        "" => naming::Reference::Unknown,
        name => naming::Reference::Name(bounds.name("reference", name)),
    }
}

fn custom_kind(kind: RunKind, reference: Option<&RawReference<'_>>) -> String {
    let Some(reference) = reference else { return String::new() };
    let group = as_str(&reference.api_version).split_once('/').map_or("", |(group, _)| group);
    let name = as_str(&reference.kind);
    match (kind, name, group) {
        (RunKind::PipelineRun | RunKind::EventListener, _, _)
        | (RunKind::TaskRun, "" | "Task", "" | "tekton.dev") => String::new(),
        (RunKind::TaskRun, name, "" | "tekton.dev") => name.to_owned(),
        (RunKind::TaskRun | RunKind::CustomRun, name, group) => format!("{name}.{group}"),
    }
}

fn iteration<'m>(metadata: &'m Metadata<'_>) -> &'m str {
    let is_round = |key: &str| key.starts_with(LABEL_CUSTOM) && key.ends_with(LABEL_ITERATION);
    metadata.labels.iter().find(|(key, _)| is_round(key)).map_or("", |(_, value)| value)
}

/// What a run belongs to: the PipelineRun that made it, completed from the labels; else the
/// PipelineRun of the labels; else the CustomRun that made it.
fn parent(kind: RunKind, metadata: &Metadata<'_>, bounds: &mut Bounds<'_>) -> Parent {
    let by_labels =
        [LABEL_PIPELINE_RUN_UID, LABEL_PIPELINE_RUN].map(|label| metadata.labels.get(label));
    let [uid, name] = if kind == RunKind::EventListener {
        ["", ""]
    } else if let Some(owner) = controller(metadata, &["PipelineRun"]) {
        let [uid, name] = by_labels;
        [first_of(&[as_str(&owner.uid), uid]), first_of(&[as_str(&owner.name), name])]
    } else if by_labels != ["", ""] && are_labels_its_own(kind, metadata, by_labels) {
        by_labels
    } else {
        controller(metadata, &LOOP_KINDS)
            .map_or(["", ""], |owner| [as_str(&owner.uid), as_str(&owner.name)])
    };
    Parent { uid: bounds.name("parent.uid", uid), name: bounds.name("parent.name", name) }
}

/// Whether the labels are copies from the PipelineRun's own Pipeline. They make it a child only if
/// an owner agrees.
fn are_labels_its_own(kind: RunKind, metadata: &Metadata<'_>, [uid, name]: [&str; 2]) -> bool {
    let mut owners = metadata.owner_references.iter().flatten();
    let is_named = |owner: &OwnerReference<'_>| {
        let said = [(as_str(&owner.uid), uid), (as_str(&owner.name), name)];
        let is_alike = said.iter().any(|(said, label)| !said.is_empty() && said == label);
        as_str(&owner.kind) == "PipelineRun" && is_alike
    };
    kind != RunKind::PipelineRun
        || controller(metadata, &LOOP_KINDS).is_some()
        || owners.any(is_named)
}

fn children(status: &Status<'_>, bounds: &mut Bounds<'_>) -> Vec<ChildRef> {
    let references = status.child_references.iter().flatten();
    let references = references.map(|child| {
        (as_str(&child.name), as_str(&child.pipeline_task_name), as_str(&child.display_name))
    });
    let embedded = [&status.task_runs, &status.runs].into_iter().flatten().flatten();
    let embedded = embedded.map(|(name, child)| {
        let task = child.as_ref().map(|child| as_str(&child.pipeline_task_name));
        (&**name, task.unwrap_or_default(), "")
    });
    // Some releases in between wrote both forms.
    let is_embedded = status.child_references.is_none();
    let mut children = Vec::new();
    for (name, task, display_name) in references.chain(embedded.filter(|_| is_embedded)) {
        if children.len() == CHILDREN_MAX {
            bounds.note("children");
            break;
        }
        let name = bounds.name("children.name", name);
        children.push(ChildRef {
            name,
            pipeline_task: bounds.name("children.task", task),
            display_name: bounds.name("children.displayName", display_name),
        });
    }
    children
}

fn skipped_tasks(status: &Status<'_>, bounds: &mut Bounds<'_>) -> Vec<SkippedTask> {
    let skipped = status.skipped_tasks.as_deref().unwrap_or_default();
    if skipped.len() > CHILDREN_MAX {
        bounds.note("skippedTasks");
    }
    let kept = skipped.iter().take(CHILDREN_MAX);
    kept.map(|task| SkippedTask {
        name: bounds.name("skippedTasks.name", as_str(&task.name)),
        reason: bounds.name("skippedTasks.reason", as_str(&task.reason)),
    })
    .collect()
}

fn results<'a, 'e>(status: &'a Status<'e>) -> &'a [NamedJson<'e>] {
    let names = [&status.task_results, &status.pipeline_results, &status.results];
    names.into_iter().find_map(Option::as_deref).unwrap_or_default()
}

fn named<'a>(reference: &'a Option<RawReference<'_>>) -> &'a str {
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
