//! Events and summaries as templates read them.

use super::*;
use crate::template::fixture::{STARTED, context, event, summary};
use crate::template::value::text_of;

fn read(data: &Data, path: &[&str]) -> String {
    let found = path.iter().fold(&data.0, |value, name| value.field(name).unwrap());
    text_of(found)
}

#[test]
fn an_event_is_read_under_the_names_of_the_go_relay() {
    let data = Data::event(&event(), &context());
    for (name, expected) in [
        ("Provider", "gitlab"),
        ("Resource", "pipelinerun"),
        ("APIBaseURL", "https://git.example/api"),
        ("RunName", "build-x1"),
        ("RunID", "uid-1"),
        ("Namespace", "ci"),
        ("TaskName", ""),
        ("PipelineName", "build"),
        ("PipelineTaskName", ""),
        ("EventListenerName", "listener"),
        ("TriggerName", "push"),
        ("TaskDisplayName", ""),
        ("PipelineDisplayName", "Build & test"),
        ("IsFinallyTask", "false"),
        ("SCMEventType", "pull_request"),
        ("TaskCount", "2"),
        ("State", "failure"),
        ("Context", "tekton/build"),
        ("Description", "Tasks Completed: 2 (Failed: 1)"),
        ("TargetURL", "https://dash.example/build-x1"),
        ("CommitSHA", "0123456789abcdef"),
        ("IssueNumber", "<nil>"),
        ("PRNumber", "17"),
        ("DiscussionNumber", "<nil>"),
        ("JiraIssueKey", "OPS-9"),
        ("AccumulatorGroupID", "release"),
        ("StartedAt", "2026-03-05 16:07:09 +0000 UTC"),
        ("FinishedAt", "2026-03-05 16:08:32.5 +0000 UTC"),
        ("Reason", "Failed"),
        ("Attempt", "1"),
        ("PreviousState", "success"),
        ("Ref", "main"),
        ("Labels", "map[app.kubernetes.io/name:shop]"),
        ("Annotations", "map[team:blue]"),
        ("Params", "map[count:3 image:shop:1]"),
    ] {
        assert_eq!(read(&data, &[name]), expected, "{name}");
    }
    for (name, expected) in [
        ("Owner", "acme"),
        ("Name", "shop"),
        ("ID", "42"),
        ("Workspace", "ws"),
        ("Project", "SHOP"),
        ("Org", "acme-org"),
    ] {
        assert_eq!(read(&data, &["Repo", name]), expected, "{name}");
    }
}

#[test]
fn an_event_without_a_message_is_described_by_its_state() {
    for (state, word) in [
        (RunState::Pending, "Queued"),
        (RunState::Running, "Running"),
        (RunState::Success, "Succeeded"),
        (RunState::Failure, "Failed"),
        (RunState::Error, "Could not run"),
        (RunState::Canceled, "Run cancelled"),
    ] {
        let silent = RunEvent { state, message: String::new(), ..event() };
        assert_eq!(read(&Data::event(&silent, &context()), &["Description"]), word);
    }
}

#[test]
fn unknown_times_are_gos_zero_time() {
    let early = RunEvent { started_at: Timestamp::UNKNOWN, ..event() };
    let data = Data::event(&early, &RunContext::default());
    assert_eq!(read(&data, &["StartedAt"]), "0001-01-01 00:00:00 +0000 UTC");
    assert_eq!(read(&data, &["PreviousState"]), "");
}

#[test]
fn every_state_has_its_emoji() {
    let shown: Vec<_> = RunState::ALL.into_iter().map(|state| emoji(Some(state))).collect();
    assert_eq!(shown, ["⏳", "⏳", "✅", "❌", "❌", "🚫"]);
    assert_eq!(emoji(None), "❔");
}

#[test]
fn a_task_without_both_ends_has_no_duration() {
    assert_eq!(row_duration(STARTED, Timestamp::UNKNOWN), "");
    assert_eq!(row_duration(Timestamp::UNKNOWN, STARTED), "");
    assert_eq!(row_duration(STARTED, Timestamp(STARTED.0 + 83_000)), "1m23s");
}

#[test]
fn a_summary_lists_its_members() {
    let Data(value) = Data::summary(&summary());
    let Value::List(tasks) = value.field("Tasks").unwrap() else { panic!("no list") };
    assert_eq!(text_of(&tasks[0]), "{1m23s ✅ false lint Why lint-run false success}");
    assert_eq!(text_of(&tasks[2]), "{ ❔ false deploy Why deploy-run false unknown}");
    assert_eq!(value.field("IsIncomplete"), Some(&Value::Bool(true)));
}
