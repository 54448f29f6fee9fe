//! A run event in the JSON names of the Go relay. It is the input of jq, the body of the webhook,
//! the report in a dead letter, and the override of a replay.

use super::context::RunContext;
use super::redaction::without_url_secrets;
use super::run::{NamedValue, RunEvent};
use super::run_state::RunState;
use super::scm::description;
use crate::clock::Timestamp;
use serde_json::{Map, Value, json};

/// The event as JSON. `run_id` is the uid; unknown times and numbers are absent.
#[must_use]
pub fn to_json(event: &RunEvent, context: &RunContext) -> Value {
    let repository = &event.scm.repository;
    let mut object = json!({
        "provider": event.scm.provider,
        "resource": event.kind.as_str(),
        "api_base_url": event.scm.api_base_url,
        "run_name": event.name,
        "run_id": event.uid,
        "namespace": event.namespace,
        "task_name": event.task_name,
        "pipeline_name": event.pipeline_name,
        "pipeline_task_name": event.pipeline_task,
        "event_listener_name": event.event_listener_name,
        "trigger_name": event.trigger_name,
        "task_display_name": event.task_display_name,
        "pipeline_display_name": event.pipeline_display_name,
        "is_finally_task": event.is_finally,
        "scm_event_type": event.scm_event_type,
        "task_count": event.children.len(),
        "state": event.state.as_str(),
        "reason": event.reason,
        "attempt": event.attempt,
        "previous_state": context.previous_state.map_or("", RunState::as_str),
        "context": context.check_name,
        "description": description(event),
        "target_url": context.target_url,
        "commit_sha": event.scm.commit_sha,
        "ref": event.scm.ref_name,
        "repo": {
            "owner": repository.owner,
            "name": repository.name,
            "id": repository.id,
            "workspace": repository.workspace,
            "project": repository.project,
            "org": repository.org,
        },
        "labels": event.labels,
        "annotations": event.annotations,
        "params": named_map(&event.params),
    });
    let optional = [
        ("issue_number", event.scm.issue_number.map(Value::from)),
        ("pr_number", event.scm.pr_number.map(Value::from)),
        ("discussion_number", event.scm.discussion_number.map(Value::from)),
        ("jira_issue_key", text(&event.jira_issue_key)),
        ("accumulator_group_id", text(&event.group_id)),
        ("parent_run_id", text(&event.parent.uid)),
        ("parent_run_name", text(&event.parent.name)),
        ("results", named_list(&event.results)),
        ("started_at", time(event.started_at)),
        ("finished_at", time(event.finished_at)),
    ];
    if let Some(fields) = object.as_object_mut() {
        let known =
            optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        fields.extend(known);
    }
    object
}

/// The keys that [`to_json`] writes, including those of unknown times and numbers.
pub const JSON_KEYS: [&str; 39] = [
    "accumulator_group_id",
    "annotations",
    "api_base_url",
    "attempt",
    "commit_sha",
    "context",
    "description",
    "discussion_number",
    "event_listener_name",
    "finished_at",
    "is_finally_task",
    "issue_number",
    "jira_issue_key",
    "labels",
    "namespace",
    "params",
    "parent_run_id",
    "parent_run_name",
    "pipeline_display_name",
    "pipeline_name",
    "pipeline_task_name",
    "pr_number",
    "previous_state",
    "provider",
    "reason",
    "ref",
    "repo",
    "resource",
    "results",
    "run_id",
    "run_name",
    "scm_event_type",
    "started_at",
    "state",
    "target_url",
    "task_count",
    "task_display_name",
    "task_name",
    "trigger_name",
];

/// The keys of `repo`.
pub const JSON_REPOSITORY_KEYS: [&str; 6] = ["id", "name", "org", "owner", "project", "workspace"];

fn text(value: &str) -> Option<Value> {
    (!value.is_empty()).then(|| Value::from(value))
}

fn time(at: Timestamp) -> Option<Value> {
    at.is_known().then(|| Value::from(at.to_string()))
}

fn named_map(values: &[NamedValue]) -> Value {
    values.iter().map(|named| (named.name.clone(), Value::from(named.value.clone()))).collect()
}

fn named_list(values: &[NamedValue]) -> Option<Value> {
    let list = values.iter().map(|named| json!({"name": named.name, "value": named.value}));
    (!values.is_empty()).then(|| list.collect())
}

/// Why an override does not apply to an event. The event is unchanged.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OverrideError {
    /// A field that is unknown, or that identifies the run.
    #[error("{field} cannot be changed, accepted: {accepted}", accepted = OVERRIDABLE.join(", "))]
    Field { field: String },
    /// A value of the wrong kind.
    #[error("{field} has to be {expected}")]
    Value { field: String, expected: &'static str },
}

/// Fields that a replay may change. None of them identifies the run.
const OVERRIDABLE: [&str; 12] = [
    "provider",
    "api_base_url",
    "commit_sha",
    "context",
    "ref",
    "repo",
    "state",
    "reason",
    "description",
    "pr_number",
    "issue_number",
    "discussion_number",
];

/// Overrides fields of an event with those of `payload`.
///
/// # Errors
/// A field is unknown or has a value of the wrong kind.
pub fn with_override(
    event: &RunEvent,
    payload: &Map<String, Value>,
) -> Result<RunEvent, OverrideError> {
    let mut changed = event.clone();
    for (field, value) in payload {
        lay_over(&mut changed, field, value)?;
    }
    Ok(changed)
}

fn lay_over(event: &mut RunEvent, field: &str, value: &Value) -> Result<(), OverrideError> {
    let wrong = |expected| OverrideError::Value { field: field.to_owned(), expected };
    let text = || value.as_str().map(str::to_owned).ok_or_else(|| wrong("text"));
    let number = || match value.as_u64() {
        Some(number) if number > 0 => Ok(Some(number)),
        Some(_) | None => Err(wrong("a positive number")),
    };
    match field {
        "provider" => event.scm.provider = text()?,
        "api_base_url" => {
            event.scm.api_base_url = without_url_secrets(&text()?).into_owned();
        }
        "commit_sha" => event.scm.commit_sha = text()?,
        "context" => event.scm.context = text()?,
        "ref" => event.scm.ref_name = text()?,
        "reason" => event.reason = text()?,
        "description" => event.message = text()?,
        "state" => {
            let expected = "pending, running, success, failure, error or canceled";
            event.state = RunState::parse(&text()?).ok_or_else(|| wrong(expected))?;
        }
        "pr_number" => event.scm.pr_number = number()?,
        "issue_number" => event.scm.issue_number = number()?,
        "discussion_number" => event.scm.discussion_number = number()?,
        "repo" => {
            let repo = value.as_object().ok_or_else(|| wrong("an object"))?;
            for (part, value) in repo {
                lay_over_repository(event, part, value)?;
            }
        }
        _ => return Err(OverrideError::Field { field: field.to_owned() }),
    }
    Ok(())
}

fn lay_over_repository(
    event: &mut RunEvent,
    part: &str,
    value: &Value,
) -> Result<(), OverrideError> {
    let field = format!("repo.{part}");
    let repository = &mut event.scm.repository;
    let place = match part {
        "owner" => &mut repository.owner,
        "name" => &mut repository.name,
        "id" => &mut repository.id,
        "workspace" => &mut repository.workspace,
        "project" => &mut repository.project,
        "org" => &mut repository.org,
        _ => return Err(OverrideError::Field { field }),
    };
    let text = value.as_str().ok_or(OverrideError::Value { field, expected: "text" })?;
    text.clone_into(place);
    Ok(())
}

#[cfg(test)]
#[path = "json_test.rs"]
mod tests;
