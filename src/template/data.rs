//! The data of templates: events and summaries as engine values, under the field names of
//! [`super::shape`].

use super::time::{millis_of, short_duration};
use super::value::{record_value, time_value};
use crate::clock::Timestamp;
use crate::effect::{Summary, SummaryRow};
use crate::event::{
    CheckWriter, NamedValue, Repository, RunContext, RunEvent, RunState, description,
};
use gotmpl::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// State word of a member that was announced and sent no event.
const UNKNOWN_STATE: &str = "unknown";
/// State word of a task that its pipeline skipped.
const SKIPPED: &str = "skipped";

/// The data of one rendering. Build it once and render any number of templates with it.
#[derive(Clone, Debug)]
pub struct Data(pub(super) Value);

impl Data {
    /// The data of an event template.
    #[must_use]
    pub fn event(event: &RunEvent, context: &RunContext) -> Self {
        let previous = context.previous_state.map_or("", RunState::as_str);
        Self(record_value([
            ("Provider", text(&event.scm.provider)),
            ("Resource", text(event.kind.as_str())),
            ("APIBaseURL", text(&event.scm.api_base_url)),
            ("RunName", text(&event.name)),
            ("RunID", text(&event.uid)),
            ("Namespace", text(&event.namespace)),
            ("TaskName", text(&event.task_name)),
            ("PipelineName", text(&event.pipeline_name)),
            ("PipelineTaskName", text(&event.pipeline_task)),
            ("EventListenerName", text(&event.event_listener_name)),
            ("TriggerName", text(&event.trigger_name)),
            ("TaskDisplayName", text(&event.task_display_name)),
            ("PipelineDisplayName", text(&event.pipeline_display_name)),
            ("IsFinallyTask", Value::Bool(event.is_finally)),
            ("Ignored", Value::Bool(event.is_ignored())),
            ("FailedTasks", text(&context.failed_tasks)),
            ("SCMEventType", text(&event.scm_event_type)),
            ("TaskCount", Value::Int(i64::try_from(event.children.len()).unwrap_or(i64::MAX))),
            ("State", text(event.state.as_str())),
            ("Context", text(&context.check_name)),
            ("Description", text(&description(event))),
            ("TargetURL", text(&context.target_url)),
            ("CommitSHA", text(&event.scm.commit_sha)),
            ("Repo", repository(&event.scm.repository)),
            ("IssueNumber", number(event.scm.issue_number)),
            ("PRNumber", number(event.scm.pr_number)),
            ("DiscussionNumber", number(event.scm.discussion_number)),
            ("JiraIssueKey", text(&event.jira_issue_key)),
            ("AccumulatorGroupID", text(&event.group_id)),
            ("Results", event.results.iter().map(named_value).collect::<Vec<_>>().into()),
            ("StartedAt", time_value(millis_of(event.started_at))),
            ("FinishedAt", time_value(millis_of(event.finished_at))),
            ("Reason", text(&event.reason)),
            ("Attempt", Value::Int(i64::from(event.attempt))),
            ("Labels", text_map(&event.labels)),
            ("Annotations", text_map(&event.annotations)),
            ("Params", parameters(&event.params)),
            ("PreviousState", text(previous)),
            ("Ref", text(&event.scm.ref_name)),
        ]))
    }

    /// The data of a `context` template.
    #[must_use]
    pub fn check(writer: &CheckWriter, event: &RunEvent) -> Self {
        Self(record_value([
            ("Kind", text(writer.kind.as_str())),
            ("Pipeline", text(&writer.root)),
            ("Task", text(&writer.task_path())),
            ("Combination", text(&writer.combination)),
            ("Context", text(&event.scm.context)),
            ("Namespace", text(&event.namespace)),
        ]))
    }

    /// The data of a summary template.
    #[must_use]
    pub fn summary(summary: &Summary) -> Self {
        Self(record_value([
            ("PipelineName", text(&summary.title)),
            ("RunName", text(&summary.run_name)),
            ("State", text(summary.state.as_str())),
            ("Tasks", summary.rows.iter().map(task).collect::<Vec<_>>().into()),
            ("IsIncomplete", Value::Bool(summary.is_incomplete)),
        ]))
    }
}

fn task(row: &SummaryRow) -> Value {
    record_value([
        ("Name", text(&row.name)),
        ("State", text(row_state(row))),
        ("Emoji", text(row_emoji(row))),
        ("Duration", text(&row_duration(row.started_at, row.finished_at))),
        ("Reason", text(&row.reason)),
        ("RunName", text(&row.run_name)),
        ("Ignored", Value::Bool(row.is_ignored)),
        ("Skipped", Value::Bool(row.is_skipped)),
    ])
}

fn row_state(row: &SummaryRow) -> &'static str {
    let unknown = if row.is_skipped { SKIPPED } else { UNKNOWN_STATE };
    row.state.map_or(unknown, RunState::as_str)
}

fn row_emoji(row: &SummaryRow) -> &'static str {
    match (row.is_skipped, row.is_ignored) {
        (true, _) => "⏭️",
        (_, true) => "⚠️",
        (false, false) => emoji(row.state),
    }
}

/// Empty until both ends are known.
fn row_duration(started: Timestamp, finished: Timestamp) -> String {
    if !started.is_known() || !finished.is_known() {
        return String::new();
    }
    short_duration(finished.since(started))
}

fn emoji(state: Option<RunState>) -> &'static str {
    match state {
        Some(RunState::Success) => "✅",
        Some(RunState::Failure | RunState::Error) => "❌",
        Some(RunState::Pending | RunState::Running) => "⏳",
        Some(RunState::Canceled) => "🚫",
        None => "❔",
    }
}

fn repository(repository: &Repository) -> Value {
    record_value([
        ("Owner", text(&repository.owner)),
        ("Name", text(&repository.name)),
        ("ID", text(&repository.id)),
        ("Workspace", text(&repository.workspace)),
        ("Project", text(&repository.project)),
        ("Org", text(&repository.org)),
    ])
}

fn named_value(named: &NamedValue) -> Value {
    record_value([("Name", text(&named.name)), ("Value", text(&named.value))])
}

fn parameters(params: &[NamedValue]) -> Value {
    let entries = params.iter().map(|param| (Arc::from(param.name.as_str()), text(&param.value)));
    Value::Map(Arc::new(entries.collect()))
}

fn text_map(map: &BTreeMap<String, String>) -> Value {
    let entries = map.iter().map(|(key, value)| (Arc::from(key.as_str()), text(value)));
    Value::Map(Arc::new(entries.collect()))
}

/// Nil if absent, so that `if .PRNumber` tests for it.
fn number(number: Option<u64>) -> Value {
    number.map_or(Value::Nil, |number| Value::Int(i64::try_from(number).unwrap_or(i64::MAX)))
}

fn text(text: &str) -> Value {
    Value::from(text)
}

#[cfg(test)]
#[path = "data_test.rs"]
mod tests;
