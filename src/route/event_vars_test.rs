//! Tests of the variables: every field of the vocabulary, with the type it promises.

use super::super::fixture::{STARTED, pipeline_run, task_run, vars};
use super::super::vocabulary::{REPOSITORY_FIELDS, Type};
use super::super::{Condition, TextExpression};
use super::*;
use crate::event::ChildRef;

fn text(rule: &str, vars: &EventVars) -> String {
    TextExpression::compile(rule).unwrap().evaluate(vars).unwrap()
}

fn is_true(rule: &str, vars: &EventVars) -> bool {
    Condition::compile(rule).unwrap().evaluate(vars).unwrap()
}

#[test]
fn every_field_exists_with_the_type_that_the_checker_promises() {
    let vars = vars(&pipeline_run());
    let event = vars.scope().get_variable(EVENT).unwrap();
    let map: &CelMap<'_> = event.downcast_ref().unwrap();
    assert_eq!(map.inner().len(), EVENT_FIELDS.len());
    for (name, promised) in EVENT_FIELDS {
        let value = map.inner().get(&CelMapKey::from(name)).unwrap();
        let is_time = promised == Type::Timestamp;
        let expected = if is_time { "google.protobuf.Timestamp" } else { promised.as_str() };
        assert_eq!(value.get_type().name(), expected, "{name}");
    }
    for name in REPOSITORY_FIELDS {
        assert!(is_true(&format!("has(event.Repo.{name})"), &vars), "{name}");
    }
}

#[test]
fn each_text_field_carries_its_own_fact() {
    let mut event = task_run();
    event.message = "step failed".into();
    event.pipeline_task = "compile".into();
    event.event_listener_name = "listener".into();
    event.trigger_name = "push".into();
    event.task_display_name = "Build it".into();
    event.pipeline_display_name = "The CI".into();
    event.scm_event_type = "pull_request".into();
    event.jira_issue_key = "SHOP-1".into();
    event.group_id = "release-1".into();
    event.scm.api_base_url = "https://git.example".into();
    event.annotations = [("note".to_owned(), "hi".to_owned())].into();
    let context = RunContext {
        check_name: "ci/fixed".into(),
        previous_state: Some(RunState::Failure),
        target_url: "https://dash/run".into(),
        ..RunContext::default()
    };
    let vars = EventVars::new(&event, &context);
    let rows = [
        ("APIBaseURL", "https://git.example"),
        ("AccumulatorGroupID", "release-1"),
        ("Annotations.note", "hi"),
        ("CommitSHA", "0123456789abcdef"),
        ("Context", "ci/fixed"),
        ("Description", "step failed"),
        ("EventListenerName", "listener"),
        ("JiraIssueKey", "SHOP-1"),
        ("Labels.team", "shop"),
        ("Namespace", "production"),
        ("Params.revision", "main"),
        ("PipelineDisplayName", "The CI"),
        ("PipelineName", "ci"),
        ("PipelineTaskName", "compile"),
        ("PreviousState", "failure"),
        ("Provider", "github"),
        ("Reason", "Completed"),
        ("Ref", "main"),
        ("Repo.Name", "shop"),
        ("Repo.Owner", "acme"),
        ("Resource", "taskrun"),
        ("RunID", "uid-8"),
        ("RunName", "ci-7-build"),
        ("SCMEventType", "pull_request"),
        ("State", "running"),
        ("TargetURL", "https://dash/run"),
        ("TaskDisplayName", "Build it"),
        ("TaskName", "build"),
        ("TriggerName", "push"),
    ];
    for (field, expected) in rows {
        assert_eq!(text(&format!("event.{field}"), &vars), expected, "{field}");
    }
}

#[test]
fn numbers_flags_and_times_are_read_from_the_event() {
    let mut event = pipeline_run();
    event.attempt = 2;
    event.is_finally = true;
    event.children = vec![ChildRef::default(), ChildRef::default()];
    event.scm.issue_number = Some(3);
    event.scm.discussion_number = Some(4);
    let vars = vars(&event);
    let rule = "event.Attempt == 2 && event.TaskCount == 2 && event.IsFinallyTask \
                && event.IssueNumber == 3 && event.PRNumber == 7 && event.DiscussionNumber == 4";
    assert!(is_true(rule, &vars));
    assert!(is_true("event.StartedAt == timestamp('2026-11-20T18:00:00Z')", &vars));
    assert!(is_true("event.FinishedAt - event.StartedAt == duration('5m')", &vars));
}

#[test]
fn a_number_beyond_cel_reads_as_the_largest() {
    let mut event = pipeline_run();
    event.scm.pr_number = Some(u64::MAX);
    assert!(is_true("event.PRNumber == 9223372036854775807", &vars(&event)));
}

#[test]
fn an_unknown_time_reads_as_year_one() {
    let zero = "event.FinishedAt == timestamp('0001-01-01T00:00:00Z')";
    assert!(is_true(zero, &vars(&task_run())));
    assert!(!is_true(zero, &vars(&pipeline_run())));
}

#[test]
fn the_check_name_of_the_run_wins_over_the_one_it_asks_for() {
    let event = pipeline_run();
    assert_eq!(text("event.Context", &vars(&event)), "ci/asked");
    let context = RunContext { check_name: "ci/fixed".into(), ..Default::default() };
    assert_eq!(text("event.Context", &EventVars::new(&event, &context)), "ci/fixed");
}

#[test]
fn a_run_without_both_ends_has_no_length() {
    let rule = Condition::compile("buildTimeExceeds(0)").unwrap();
    let mut event = pipeline_run();
    assert_eq!(rule.evaluate(&vars(&event)), Ok(true));
    event.started_at = Timestamp::UNKNOWN;
    assert_eq!(rule.evaluate(&vars(&event)), Ok(false));
    event.started_at = STARTED;
    event.finished_at = Timestamp::UNKNOWN;
    assert_eq!(rule.evaluate(&vars(&event)), Ok(false));
}

#[test]
fn variables_can_be_shared_between_threads() {
    fn is_shareable<T: Send + Sync>() {}
    is_shareable::<EventVars>();
    is_shareable::<Condition>();
    is_shareable::<TextExpression>();
}
