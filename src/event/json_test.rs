use super::super::recorded_run;
use super::*;

fn payload(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap()
}

fn overridden(text: &str) -> Result<RunEvent, OverrideError> {
    with_override(&recorded_run(38), &payload(text))
}

#[test]
fn the_known_keys_are_those_of_an_event_that_has_everything() {
    let mut event = recorded_run(37);
    event.results = vec![NamedValue { name: "digest".to_owned(), value: "sha256:1".to_owned() }];
    (event.jira_issue_key, event.group_id) = ("J-1".to_owned(), "nightly".to_owned());
    (event.parent.uid, event.parent.name) = ("u".to_owned(), "n".to_owned());
    (event.scm.pr_number, event.scm.issue_number) = (Some(1), Some(2));
    event.scm.discussion_number = Some(3);
    (event.started_at, event.finished_at) = (Timestamp(1), Timestamp(2));
    let object = to_json(&event, &RunContext::default());
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&object), JSON_KEYS);
    assert_eq!(keys(&object["repo"]), JSON_REPOSITORY_KEYS);
}

#[test]
fn all_names_are_the_go_relays_and_their_additions() {
    let mut event = recorded_run(37);
    event.results = vec![NamedValue { name: "digest".to_owned(), value: "sha256:1".to_owned() }];
    event.params = vec![NamedValue { name: "image".to_owned(), value: "app".to_owned() }];
    event.jira_issue_key = "J-1".to_owned();
    event.group_id = "nightly".to_owned();
    let context = RunContext {
        check_name: "ci/cleanup".to_owned(),
        previous_state: Some(RunState::Failure),
        target_url: "https://dash/ok".to_owned(),
        ..RunContext::default()
    };
    let expected = json!({
        "provider": "github",
        "resource": "taskrun",
        "api_base_url": "",
        "run_name": "ok-cleanup",
        "run_id": "188d34c6-39f6-40a7-89f5-5bd5fd0c0682",
        "namespace": "default",
        "task_name": "",
        "pipeline_name": "ok",
        "pipeline_task_name": "cleanup",
        "event_listener_name": "",
        "trigger_name": "",
        "task_display_name": "",
        "pipeline_display_name": "",
        "is_finally_task": true,
        "scm_event_type": "",
        "task_count": 0,
        "state": "success",
        "reason": "Succeeded",
        "attempt": 0,
        "previous_state": "failure",
        "context": "ci/cleanup",
        "description": "All Steps have completed executing",
        "target_url": "https://dash/ok",
        "commit_sha": "6dcb09b5b57875f334f61aebed695e2e4193db5e",
        "ref": "",
        "repo": {"owner": "o", "name": "r", "id": "", "workspace": "", "project": "", "org": ""},
        "labels": event.labels,
        "annotations": event.annotations,
        "params": {"image": "app"},
        "results": [{"name": "digest", "value": "sha256:1"}],
        "pr_number": 7,
        "jira_issue_key": "J-1",
        "accumulator_group_id": "nightly",
        "parent_run_id": "e057acf0-b2db-44f1-9998-244f88eb1daa",
        "parent_run_name": "ok",
        "started_at": "2026-11-20T18:53:37Z",
        "finished_at": "2026-11-20T18:53:40Z",
    });
    assert_eq!(to_json(&event, &context), expected);
}

#[test]
fn what_is_not_known_is_absent_and_never_a_year_1() {
    let mut event = recorded_run(1);
    event.scm.pr_number = None;
    let json = to_json(&event, &RunContext::default());
    for name in [
        "started_at",
        "finished_at",
        "pr_number",
        "issue_number",
        "discussion_number",
        "jira_issue_key",
        "accumulator_group_id",
        "parent_run_id",
        "parent_run_name",
        "results",
    ] {
        assert_eq!(json.get(name), None, "{name}");
    }
    assert_eq!((&json["previous_state"], &json["params"]), (&json!(""), &json!({})));
    assert_eq!(json["labels"], json!({"team": "a"}));
}

#[test]
fn an_override_changes_what_it_names_and_nothing_else() {
    let changed = overridden(r#"{"commit_sha":"f00","repo":{"name":"x"},"pr_number":9}"#).unwrap();
    let mut expected = recorded_run(38);
    expected.scm.commit_sha = "f00".to_owned();
    expected.scm.repository.name = "x".to_owned();
    expected.scm.pr_number = Some(9);
    assert_eq!(changed, expected);
}

#[test]
fn every_overridable_field_can_be_overridden() {
    for field in OVERRIDABLE {
        let value = match field {
            "repo" => json!({"owner": "a", "name": "b", "id": "c", "workspace": "d",
                "project": "e", "org": "f"}),
            "state" => json!("error"),
            "pr_number" | "issue_number" | "discussion_number" => json!(11),
            _ => json!("text"),
        };
        let payload: Map<String, Value> = [(field.to_owned(), value)].into_iter().collect();
        let changed = with_override(&recorded_run(38), &payload).unwrap();
        assert_ne!(changed, recorded_run(38), "{field}");
    }
}

#[test]
fn an_override_of_the_identity_is_refused_by_name() {
    for field in ["run_id", "namespace", "attempt", "unknown"] {
        let error = overridden(&format!(r#"{{"{field}":"x"}}"#)).unwrap_err();
        assert_eq!(error, OverrideError::Field { field: field.to_owned() });
    }
    let error = overridden(r#"{"repo":{"url":"x"}}"#).unwrap_err();
    assert!(error.to_string().starts_with("repo.url cannot be changed, accepted: provider, "));
}

#[test]
fn an_override_of_the_wrong_kind_is_refused_by_name() {
    for (payload, text) in [
        (r#"{"state":7}"#, "state has to be text"),
        (
            r#"{"state":"cancelled"}"#,
            "state has to be pending, running, success, failure, error or canceled",
        ),
        (r#"{"pr_number":0}"#, "pr_number has to be a positive number"),
        (r#"{"pr_number":"7"}"#, "pr_number has to be a positive number"),
        (r#"{"repo":"o/r"}"#, "repo has to be an object"),
        (r#"{"repo":{"owner":1}}"#, "repo.owner has to be text"),
    ] {
        assert_eq!(overridden(payload).unwrap_err().to_string(), text);
    }
}

#[test]
fn an_overridden_url_loses_its_credentials_too() {
    let changed = overridden(r#"{"api_base_url":"https://u:hush@git.example/api?t=hush"}"#);
    assert_eq!(changed.unwrap().scm.api_base_url, "https://git.example/api");
}
