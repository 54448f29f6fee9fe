use super::super::keep::Keep;
use super::super::tekton::{Decoded, decode as decode_any};
use super::*;

fn lifecycle(word: &str, source: &str, data: &str) -> CloudEvent {
    CloudEvent {
        id: "request-1".to_owned(),
        source: source.to_owned(),
        event_type: format!("dev.tekton.event.triggers.{word}.v1"),
        subject: None,
        time: Some(Timestamp(5)),
        data: data.as_bytes().to_vec(),
    }
}

fn listener_of(event: &CloudEvent) -> Result<RunEvent, DecodeError> {
    match decode_any(event, Timestamp(9), &Keep::all())? {
        Decoded::Run(run) => Ok(*run),
        Decoded::Ignored { event_type } => panic!("{event_type} was ignored"),
    }
}

fn listener(word: &str, data: &str) -> RunEvent {
    listener_of(&lifecycle(word, "/apis///namespaces/ci//github", data)).unwrap()
}

fn webhook_of(data: &str) -> (String, String) {
    let run = listener("started", data);
    (run.scm.provider, run.scm_event_type)
}

fn webhook(provider: &str, event: &str) -> (String, String) {
    (provider.to_owned(), event.to_owned())
}

#[test]
fn header_values_other_than_the_event_name_are_not_kept() {
    let data = r#"{"X-Github-Event":["push"],"Authorization":["Bearer hush"],
        "X-Gitlab-Token":["hush"],"X-Hub-Signature-256":["sha256=hush"],"Cookie":"hush"}"#;
    let event = lifecycle("started", "/apis///namespaces/ci//github", data);
    let run = listener_of(&event).unwrap();
    assert_eq!((run.scm.provider.as_str(), run.scm_event_type.as_str()), ("github", "push"));
    assert!(!format!("{run:?}").contains("hush"));
    assert!(!format!("{event:?}").contains("hush"));
}

#[test]
fn name_and_namespace_come_from_the_source() {
    let run = listener("successful", "null");
    assert_eq!((run.namespace.as_str(), run.name.as_str()), ("ci", "github"));
    assert_eq!((run.event_listener_name.as_str(), run.uid.as_str()), ("github", "request-1"));
    let full = "/apis/triggers.tekton.dev/v1beta1/namespaces/ns/EventListener/el";
    assert_eq!(place(full), Some(("ns", "el")));
    assert_eq!(place("urn/el"), Some(("", "el")));
    assert_eq!(place("/namespaces/el"), Some(("", "el")));
}

#[test]
fn a_source_without_a_name_is_refused() {
    let long = format!("/{}", "n".repeat(254));
    let forged = ["/namespaces/ci//a b", "/namespaces/c\u{202e}i//el", "/namespaces/ci//<!here>"];
    for source in ["/apis///namespaces/ci//", "el", "/", &long].into_iter().chain(forged) {
        let error = listener_of(&lifecycle("started", source, "null")).unwrap_err();
        let expected = "source of dev.tekton.event.triggers.started.v1 is ";
        assert!(error.to_string().starts_with(expected), "{source:?}: {error}");
    }
}

#[test]
fn each_word_has_its_state_and_rank() {
    for (word, state, rank) in [
        ("started", RunState::Running, Rank::Started),
        ("successful", RunState::Success, Rank::Terminal),
        ("failed", RunState::Failure, Rank::Terminal),
    ] {
        let run = listener(word, "null");
        assert_eq!((run.state, run.rank), (state, rank), "{word}");
    }
    // F23: `done` is sent also after a failure.
    for word in ["done", "accepted", "running", "queued", ""] {
        assert_eq!(of_type(word), None, "{word}");
    }
}

#[test]
fn events_of_one_request_are_told_apart_and_follow_each_other() {
    let started = listener("started", "{}");
    let [successful, failed] = ["successful", "failed"].map(|word| listener(word, "null"));
    assert!(started.position() < successful.position());
    assert!(started.position() < failed.position());
    let keys = [&started, &successful, &failed].map(RunEvent::delivery_key);
    let distinct: std::collections::BTreeSet<_> = keys.into_iter().collect();
    assert_eq!(distinct.len(), keys.len());
}

#[test]
fn headers_are_known_by_name_in_any_case_and_form() {
    assert_eq!(webhook_of(r#"{"x-gitlab-event":"Push Hook"}"#), webhook("gitlab", "push"));
    assert_eq!(webhook_of(r#"{"X-GITHUB-EVENT":["issues","x"]}"#), webhook("github", "issues"));
    assert_eq!(webhook_of(r#"{"X-\u0047ithub-Event":["push"]}"#), webhook("github", "push"));
}

#[test]
fn the_most_telling_header_decides_in_any_order() {
    for data in [
        r#"{"X-Gitea-Event":["push"],"X-Github-Event":["create"],"X-Gogs-Event":["x"]}"#,
        r#"{"X-Github-Event":["create"],"X-Gogs-Event":["x"],"X-Gitea-Event":["push"]}"#,
    ] {
        assert_eq!(webhook_of(data), webhook("gitea", "push"));
    }
}

#[test]
fn bitbucket_server_is_told_from_cloud_by_its_keys() {
    for (key, expected) in [
        ("repo:push", webhook("bitbucket-cloud", "push")),
        ("pullrequest:updated", webhook("bitbucket-cloud", "pull_request")),
        ("repo:refs_changed", webhook("bitbucket-server", "push")),
        ("pr:opened", webhook("bitbucket-server", "pull_request")),
        ("pr:comment:added", webhook("bitbucket-server", "issue_comment")),
    ] {
        assert_eq!(webhook_of(&format!(r#"{{"X-Event-Key":["{key}"]}}"#)), expected, "{key}");
    }
}

#[test]
fn a_webhook_without_a_known_header_is_no_error() {
    for data in [
        "",
        "null",
        "{}",
        r#"{"Content-Type":["application/json"]}"#,
        r#"{"X-Github-Event":[]}"#,
        r#"{"X-Github-Event":7}"#,
        r#"{"X-Github-Event":null}"#,
        r#"{"eventListener":"el","namespace":"ns","eventListenerUID":"u"}"#,
    ] {
        assert_eq!(webhook_of(data), webhook("", ""), "{data}");
    }
}

#[test]
fn data_that_is_no_map_is_refused_without_quoting_it() {
    for data in [r#""hush""#, r#"["hush"]"#, "7", "{"] {
        let event = lifecycle("started", "/apis///namespaces/ci//github", data);
        let error = listener_of(&event).unwrap_err();
        assert!(matches!(error, DecodeError::Json { .. }), "{data}");
        assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
    }
}

#[test]
fn webhook_events_get_one_word_at_every_provider() {
    for (event, word) in [
        ("Push Hook", "push"),
        ("Tag Push Hook", "push"),
        ("Merge Request Hook", "pull_request"),
        ("Issue Hook", "issues"),
        ("Note Hook", "issue_comment"),
        ("pullrequest:comment_created", "issue_comment"),
        ("pullrequest:updated", "pull_request"),
        ("repo:push", "push"),
        ("issue:comment_created", "issue_comment"),
        ("issue:created", "issues"),
        ("pull_request_approved", "pull_request"),
        ("pull_request_comment", "pull_request"),
        ("pull_request", "pull_request"),
        ("deployment", "deployment"),
    ] {
        assert_eq!(normalised(event), word);
    }
    assert_eq!(normalised(&"x".repeat(100)).len(), SCM_EVENT_CHARS_MAX);
}
