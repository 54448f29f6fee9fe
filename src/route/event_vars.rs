//! [`EventVars`]: one event as the variable `event` of rules. It is built once per event and read
//! by every rule, so that no rule can see data of another event. It also holds the functions that
//! rules are rewritten to and that plain CEL lacks; they too see only their arguments.

use super::pattern::{PATTERN_TYPE, Pattern};
use super::text_map::TextMap;
use super::texts;
use super::vocabulary::{EVENT, EVENT_FIELDS};
use crate::clock::Timestamp;
use crate::event::{NamedValue, Repository, RunContext, RunEvent, RunState, description};
use cel::common::types::{
    CelBool, CelInt, CelMap, CelMapKey, CelString, CelTimestamp, STRING_TYPE, TIMESTAMP_TYPE,
};
use cel::common::value::{CowVal, Val};
use cel::{Context, Env, ExecutionError};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

/// `@duration_ms(started, finished)`: the length of the run, 0 if either end is unknown.
pub(super) const DURATION_MS: &str = "@duration_ms";

/// `@matches(text, pattern)`: matches with a pattern that was compiled at load.
pub(super) const MATCHES: &str = "@matches";

/// The fields that Tekton may set late, through labels.
const PIPELINE_NAME: &str = "PipelineName";
const TASK_NAME: &str = "TaskName";
pub(super) const LATE_FIELDS: [&str; 2] = [PIPELINE_NAME, TASK_NAME];

/// Seconds from the Unix epoch to the start of year 1. An unknown time has this value: it is Go's
/// zero time, and existing rules compare with it.
const ZERO_TIME_SECONDS: i64 = -62_135_596_800;

/// The functions that rules may call, in the form of the evaluator. It holds no data of any event.
pub(super) static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
    // Rules have no optional syntax: absent names already read as "".
    let mut env = Env::stdlib().with_optional_support(false);
    let declared = env
        .add_overload(
            DURATION_MS,
            "duration_ms_timestamps",
            vec![TIMESTAMP_TYPE, TIMESTAMP_TYPE],
            duration_ms,
        )
        .and_then(|()| {
            let arguments = vec![STRING_TYPE, PATTERN_TYPE];
            env.add_overload(MATCHES, "matches_pattern", arguments, matches)
        })
        .and_then(|()| env.add_extension(cel::extensions::strings))
        .and_then(|()| texts::declare(&mut env));
    declared.expect("names with @ are not in the standard library");
    Arc::new(env)
});

/// One event, ready to be read by rules.
pub struct EventVars {
    scope: Context<'static, 'static>,
    /// Fields with names that a later event of the run may change.
    unsettled: Vec<&'static str>,
}

impl fmt::Debug for EventVars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventVars").finish_non_exhaustive()
    }
}

impl EventVars {
    /// Makes the variables of `event`. `context` adds what no single event has: the check name, the
    /// dashboard link and the state of the previous run.
    #[must_use]
    pub fn new(event: &RunEvent, context: &RunContext) -> Self {
        let mut fields = Fields::new();
        fields.add_texts(event, context);
        fields.add_numbers(event);
        fields.add_maps(event);
        let mut scope = Context::with_env(Arc::clone(&ENVIRONMENT));
        scope.add_variable_as_val(EVENT, Box::new(CelMap::from(fields.0)));
        let names = [
            (PIPELINE_NAME, event.has_final_pipeline_name()),
            (TASK_NAME, event.has_final_task_name()),
        ];
        let unsettled = names.into_iter().filter(|(_, is_final)| !is_final);
        Self { scope, unsettled: unsettled.map(|(name, _)| name).collect() }
    }

    /// Whether a later event of the run may have another value in one of these fields.
    pub(super) fn may_change(&self, fields: &[&str]) -> bool {
        self.unsettled.iter().any(|name| fields.contains(name))
    }

    /// The scope for the evaluation of a rule.
    pub(super) fn scope(&self) -> &Context<'static, 'static> {
        &self.scope
    }
}

struct Fields(HashMap<CelMapKey<'static>, Box<dyn Val>>);

impl Fields {
    fn new() -> Self {
        Self(HashMap::with_capacity(EVENT_FIELDS.len()))
    }

    fn add(&mut self, name: &'static str, value: impl Val + 'static) {
        self.0.insert(CelMapKey::from(name), Box::new(value));
    }

    fn add_texts(&mut self, event: &RunEvent, context: &RunContext) {
        let check_name =
            if context.check_name.is_empty() { &event.scm.context } else { &context.check_name };
        let said = description(event);
        let rows: [(&'static str, &str); 24] = [
            ("APIBaseURL", &event.scm.api_base_url),
            ("AccumulatorGroupID", &event.group_id),
            ("CommitSHA", &event.scm.commit_sha),
            ("Context", check_name),
            ("Description", &said),
            ("EventListenerName", &event.event_listener_name),
            ("JiraIssueKey", &event.jira_issue_key),
            ("Namespace", &event.namespace),
            ("PipelineDisplayName", &event.pipeline_display_name),
            (PIPELINE_NAME, &event.pipeline_name),
            ("PipelineTaskName", &event.pipeline_task),
            ("PreviousState", context.previous_state.map_or("", RunState::as_str)),
            ("Provider", &event.scm.provider),
            ("Reason", &event.reason),
            ("Ref", &event.scm.ref_name),
            ("Resource", event.kind.as_str()),
            ("RunID", &event.uid),
            ("RunName", &event.name),
            ("SCMEventType", &event.scm_event_type),
            ("State", event.state.as_str()),
            ("TargetURL", &context.target_url),
            ("TaskDisplayName", &event.task_display_name),
            (TASK_NAME, &event.task_name),
            ("TriggerName", &event.trigger_name),
        ];
        for (name, text) in rows {
            self.add(name, CelString::from(text.to_owned()));
        }
    }

    fn add_numbers(&mut self, event: &RunEvent) {
        let children = u64::try_from(event.children.len()).unwrap_or(u64::MAX);
        self.add("Attempt", CelInt::from(i64::from(event.attempt)));
        self.add("TaskCount", number(children));
        self.add("IssueNumber", number(event.scm.issue_number.unwrap_or(0)));
        self.add("PRNumber", number(event.scm.pr_number.unwrap_or(0)));
        self.add("DiscussionNumber", number(event.scm.discussion_number.unwrap_or(0)));
        self.add("IsFinallyTask", CelBool::from(event.is_finally));
        self.add("Ignored", CelBool::from(event.is_ignored()));
        self.add("StartedAt", moment(event.started_at));
        self.add("FinishedAt", moment(event.finished_at));
    }

    fn add_maps(&mut self, event: &RunEvent) {
        self.add("Labels", TextMap::new(event.labels.iter().map(text_pair)));
        self.add("Annotations", TextMap::new(event.annotations.iter().map(text_pair)));
        self.add("Params", TextMap::new(event.params.iter().map(value_pair)));
        self.add("Results", TextMap::new(event.results.iter().map(value_pair)));
        self.add("Repo", repository(&event.scm.repository));
    }
}

fn text_pair<'a>((name, text): (&'a String, &'a String)) -> (&'a str, &'a str) {
    (name, text)
}

fn value_pair(value: &NamedValue) -> (&str, &str) {
    (&value.name, &value.value)
}

fn number(number: u64) -> CelInt {
    i64::try_from(number).unwrap_or(i64::MAX).into()
}

fn moment(at: Timestamp) -> CelTimestamp {
    let known = at.is_known().then(|| i64::try_from(at.0).ok()).flatten();
    known
        .and_then(chrono::DateTime::from_timestamp_millis)
        .or_else(|| chrono::DateTime::from_timestamp(ZERO_TIME_SECONDS, 0))
        .unwrap_or_default()
        .fixed_offset()
        .into()
}

fn repository(repository: &Repository) -> CelMap<'static> {
    let rows: [(&'static str, &str); 6] = [
        ("ID", &repository.id),
        ("Name", &repository.name),
        ("Org", &repository.org),
        ("Owner", &repository.owner),
        ("Project", &repository.project),
        ("Workspace", &repository.workspace),
    ];
    let fields = rows.map(|(name, text)| {
        let text: Box<dyn Val> = Box::new(CelString::from(text.to_owned()));
        (CelMapKey::from(name), text)
    });
    CelMap::from(HashMap::from(fields))
}

/// The evaluator has already matched the argument types; these errors would be its defects.
pub(super) fn argument<'a, 'b, 'v, T>(
    arguments: &'a [CowVal<'b, 'v>],
    place: usize,
) -> Result<&'a T, ExecutionError>
where
    T: cel::common::value::FromVal<'a, 'v>,
{
    arguments
        .get(place)
        .and_then(|value| value.as_ref().downcast_ref::<T>())
        .ok_or_else(ExecutionError::missing_argument_or_target)
}

fn duration_ms<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let started: &CelTimestamp = argument(&arguments, 0)?;
    let finished: &CelTimestamp = argument(&arguments, 1)?;
    let (started, finished) = (started.inner(), finished.inner());
    let are_known =
        started.timestamp() != ZERO_TIME_SECONDS && finished.timestamp() != ZERO_TIME_SECONDS;
    let length_ms = if are_known { (*finished - *started).num_milliseconds() } else { 0 };
    Ok(CowVal::owned(CelInt::from(length_ms)))
}

fn matches<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let text: &CelString<'v> = argument(&arguments, 0)?;
    let pattern: &Pattern = argument(&arguments, 1)?;
    Ok(CowVal::owned(CelBool::from(pattern.is_match(text.inner()))))
}

#[cfg(test)]
#[path = "event_vars_test.rs"]
mod tests;
