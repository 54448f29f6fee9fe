//! The request of `commit_status`, its bounds, and every answer GitHub may give.

use super::*;
use crate::effect::{Delivery, Receipt, SkipReason};
use crate::event::{Parent, RunContext, RunEvent, RunKind, RunState};
use crate::failure::{FailureKind, Retryability};
use crate::integration::fixture::{
    answer, answer_with, body, context, done, effect, event, failed, route, sent,
};
use crate::integration::forge::{self, ActionOptions, StatusAction};
use crate::integration::{
    Credential, Exchange, HttpRequest, Integration, Method, Reply, ReplyBody, Text,
};
use crate::secret::SecretRef;
use FailureKind::{Auth, Conflict, Invalid, Network, NotFound, RateLimited, Server, Timeout};
use Retryability::{Permanent, Temporary, Unsettled};
use serde_json::{Value, json};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

type CommitStatus = StatusAction<GithubInstance>;

fn action(options: ActionOptions) -> CommitStatus {
    let token = Credential::Bearer(SecretRef::file("/secrets/token"));
    CommitStatus::new(Arc::new(GithubInstance::new("main", "", token)), options)
}

fn request_for(event: &RunEvent, context: &RunContext) -> HttpRequest {
    let route = route();
    sent(action(ActionOptions::default()).begin(&effect(&route, event, context))).0
}

fn body_for(event: &RunEvent) -> Value {
    body(&request_for(event, &context()))
}

#[test]
fn golden_request() {
    let request = request_for(&event(), &context());
    let headers = [
        ("accept", "application/vnd.github+json"),
        ("user-agent", "tekton-events-relay"),
        ("content-type", "application/json"),
        ("x-github-api-version", "2022-11-28"),
    ];
    let expected = HttpRequest {
        method: Method::Post,
        url: Text::Plain(
            "https://api.github.com/repos/Acme/app/statuses/0123456789abcdef0123456789abcdef01234567"
                .to_owned(),
        ),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        credential: Credential::Bearer(SecretRef::file("/secrets/token")),
        body: json!({
            "state": "failure",
            "context": "tekton/app",
            "description": "Tasks Completed: 2 (Failed: 1)",
            "target_url": "https://dash.example/#/namespaces/ci/pipelineruns/app-x7k2p",
        })
        .to_string(),
        wants: ReplyBody::Glance(512 * 1024),
        connection: None,
    };
    assert_eq!(request, expected);
}

#[test]
fn without_a_dashboard_there_is_no_target_url() {
    let context = RunContext { target_url: String::new(), ..context() };
    assert_eq!(body(&request_for(&event(), &context)).get("target_url"), None);
}

#[test]
fn every_state_has_its_status_and_a_word_when_tekton_gives_no_message() {
    let rows = [
        (RunState::Pending, "pending", "Queued"),
        (RunState::Running, "pending", "Running"),
        (RunState::Success, "success", "Succeeded"),
        (RunState::Failure, "failure", "Failed"),
        (RunState::Error, "error", "Could not run"),
        (RunState::Canceled, "error", "Run cancelled"),
    ];
    for (state, status, word) in rows {
        let body = body_for(&RunEvent { state, message: " \n".to_owned(), ..event() });
        assert_eq!(body["state"], status);
        assert_eq!(body["description"], word);
    }
}

#[test]
fn a_description_is_one_line_of_at_most_140_characters() {
    let message = format!("first\nsecond {}", "ü".repeat(200));
    let description = body_for(&RunEvent { message, ..event() })["description"].clone();
    let description = description.as_str().unwrap();
    assert_eq!(description.chars().count(), 140);
    assert!(description.starts_with("first second ü"), "{description}");
}

#[test]
fn a_cancelled_run_says_so_even_where_the_cut_would_lose_the_word() {
    let state = RunState::Canceled;
    let said = RunEvent { state, message: "PipelineRun was cancelled".to_owned(), ..event() };
    assert_eq!(body_for(&said)["description"], "PipelineRun was cancelled");

    let lost = RunEvent { state, message: "x".repeat(140) + " was cancelled", ..event() };
    let description = body_for(&lost)["description"].clone();
    let description = description.as_str().unwrap();
    assert!(description.starts_with("cancelled: xxx"), "{description}");
    assert_eq!(description.chars().count(), 140);
}

#[test]
fn a_context_has_at_most_255_characters_and_stays_its_own() {
    let context_of = |check_name: String| {
        let context = RunContext { check_name, ..context() };
        body(&request_for(&event(), &context))["context"].as_str().unwrap().to_owned()
    };
    let (one, other) = (context_of("c".repeat(300)), context_of("c".repeat(301)));
    assert_eq!((one.len(), other.len()), (255, 255));
    assert_ne!(one, other);
    assert_eq!(context_of("ü".repeat(255)), "ü".repeat(255));
}

#[test]
fn characters_above_the_basic_plane_are_left_out_of_descriptions() {
    let described = |message: &str| {
        let event = RunEvent { message: message.to_owned(), state: RunState::Success, ..event() };
        body_for(&event)["description"].as_str().unwrap().to_owned()
    };
    assert_eq!(described("🚀 all 12 checks passed"), "all 12 checks passed");
    assert_eq!(described("by 👩\u{200d}👩\u{fe0f} ✅\u{fe0f} 𝓯ine"), "by ✅\u{fe0f} ine");
    assert_eq!(described("🚀🚀"), "succeeded");
    assert_eq!(described(&"🚀a".repeat(140)), "a".repeat(140));
    assert_eq!(described("gr\u{fc}n \u{ffff}"), "gr\u{fc}n \u{ffff}");
}

#[test]
fn characters_above_the_basic_plane_are_spelled_out_in_contexts() {
    let name = |check_name: &str| RunContext { check_name: check_name.to_owned(), ..context() };
    let rocket = name("tekton/🚀");
    assert_eq!(body(&request_for(&event(), &rocket))["context"], "tekton/U+1F680");
    let action = action(ActionOptions::default());
    let key = |name: &RunContext| action.target(&event(), name).unwrap().key;
    assert_ne!(key(&rocket), key(&name("tekton/🐛")));
    assert_ne!(key(&rocket), key(&name("tekton/")));
}

#[test]
fn context_per_task_names_the_task_of_a_lone_task_run_once() {
    let per_task = action(ActionOptions { context_per_task: true, ..ActionOptions::default() });
    let lone = RunEvent { kind: RunKind::TaskRun, task_name: "build".to_owned(), ..event() };
    assert_eq!(per_task.check_name(&lone, &context()).unwrap(), "tekton/app/build");

    let named = RunContext { check_name: "tekton/build".to_owned(), ..context() };
    assert_eq!(per_task.check_name(&lone, &named).unwrap(), "tekton/build");

    let nameless = RunEvent { task_name: String::new(), ..lone.clone() };
    assert_eq!(per_task.check_name(&nameless, &context()).unwrap(), "tekton/app/app-x7k2p");

    let parent = Parent { uid: "p".to_owned(), name: "p".to_owned() };
    let child = RunEvent { parent, ..lone.clone() };
    assert_eq!(per_task.check_name(&child, &context()).unwrap(), "tekton/app");
    assert_eq!(per_task.check_name(&event(), &context()).unwrap(), "tekton/app");
    assert_eq!(
        action(ActionOptions::default()).check_name(&lone, &context()).unwrap(),
        "tekton/app"
    );
}

#[test]
fn the_target_is_commit_and_context_whatever_the_case_of_the_repository() {
    let action = action(ActionOptions::default());
    let target = action.target(&event(), &context()).unwrap();
    let expected = "github/main/acme/app/0123456789abcdef0123456789abcdef01234567/tekton%2Fapp";
    assert_eq!(target.key.0, expected);
    assert_eq!(target.delivery, Delivery::Latest);

    let mut shouted = event();
    shouted.scm.repository.name = "APP".to_owned();
    shouted.scm.repository.owner = "ACME".to_owned();
    shouted.scm.commit_sha = shouted.scm.commit_sha.to_uppercase();
    assert_eq!(action.target(&shouted, &context()), Ok(target.clone()));
    // The name of a clone URL leads to the same commit, so its writers share the target.
    let mut cloned = event();
    cloned.scm.repository.name.push_str(".git");
    assert_eq!(action.target(&cloned, &context()), Ok(target));
}

#[test]
fn contexts_that_differ_in_case_alone_are_one_target_and_sent_as_written() {
    let action = action(ActionOptions::default());
    let named = |name: &str| RunContext { check_name: name.to_owned(), ..context() };
    let (upper, lower) = (named("CI/Build"), named("ci/build"));
    assert_eq!(action.target(&event(), &upper), action.target(&event(), &lower));
    assert_ne!(action.target(&event(), &upper), action.target(&event(), &named("ci/built")));
    assert_eq!(action.check_name(&event(), &upper).as_deref(), Some("CI/Build"));
}

#[test]
fn a_status_needs_the_full_hash_of_its_commit() {
    let action = action(ActionOptions::default());
    for digits in 7..=64 {
        let mut event = event();
        event.scm.commit_sha = "a".repeat(digits);
        let target = action.target(&event, &context());
        match digits {
            40 | 64 => assert!(target.is_ok(), "{digits} digits"),
            _ => assert_eq!(target, Err(SkipReason::MissingFacts), "{digits} digits"),
        }
    }
}

#[test]
fn a_run_without_commit_or_repository_owes_nothing() {
    type Blank = fn(&mut RunEvent);
    let blanks: [(Blank, SkipReason); 6] = [
        (|event| event.scm.commit_sha.clear(), SkipReason::MissingFacts),
        (|event| event.scm.repository.owner.clear(), SkipReason::MissingFacts),
        (|event| event.scm.repository.name.clear(), SkipReason::MissingFacts),
        (|event| event.scm.commit_sha = "..".to_owned(), SkipReason::ImpossibleFacts),
        (|event| event.scm.repository.owner = "..".to_owned(), SkipReason::ImpossibleFacts),
        (|event| event.scm.repository.name = ".".to_owned(), SkipReason::ImpossibleFacts),
    ];
    for (blank, reason) in blanks {
        let mut event = event();
        blank(&mut event);
        let action = action(ActionOptions::default());
        assert_eq!(action.target(&event, &context()), Err(reason));
        let (route, context) = (route(), context());
        let failure = failed(action.begin(&effect(&route, &event, &context)));
        assert_eq!((failure.kind, failure.retryability), (Invalid, Permanent));
    }
}

#[test]
fn a_created_status_is_remembered_by_id() {
    let receipt = done(
        Box::new(forge::Creating::<GithubInstance>(PhantomData))
            .on_reply(answer(201, r#"{"id":99,"state":"failure"}"#)),
    );
    assert_eq!(receipt, Receipt { remote_id: "99".to_owned(), status: 201 });
}

#[test]
fn every_failing_answer_has_its_outcome() {
    let no_commit = r#"{"message":"No commit found for SHA: 0123"}"#;
    let full =
        r#"{"message":"Validation Failed","errors":["reached the maximum number of statuses"]}"#;
    let rows = [
        (answer(200, "<html>"), Server, Temporary, None),
        (answer(301, ""), Invalid, Permanent, None),
        (answer(403, "secondary rate limit"), RateLimited, Temporary, Some(60)),
        (answer(429, ""), RateLimited, Temporary, Some(60)),
        (answer(400, ""), Invalid, Permanent, None),
        (answer(401, r#"{"message":"Bad credentials"}"#), Auth, Permanent, None),
        (answer(403, r#"{"message":"Resource not accessible"}"#), Auth, Permanent, None),
        (answer_with(403, &[("retry-after", "60")], ""), RateLimited, Temporary, Some(60)),
        (
            answer_with(
                403,
                &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795168810")],
                "",
            ),
            RateLimited,
            Temporary,
            Some(10),
        ),
        (answer(404, r#"{"message":"Not Found"}"#), NotFound, Unsettled, None),
        (answer(409, ""), Conflict, Unsettled, None),
        (answer(422, no_commit), NotFound, Unsettled, None),
        (answer(422, full), Invalid, Permanent, None),
        (answer_with(429, &[("retry-after", "5")], ""), RateLimited, Temporary, Some(5)),
        (answer(500, ""), Server, Temporary, None),
        (answer(503, ""), Server, Temporary, None),
        (Reply::Failed { kind: Timeout, detail: String::new() }, Timeout, Temporary, None),
        (Reply::Failed { kind: Network, detail: String::new() }, Network, Temporary, None),
    ];
    for (reply, kind, retryability, wait) in rows {
        let failure = failed(
            Box::new(forge::Creating::<GithubInstance>(PhantomData)).on_reply(reply.clone()),
        );
        let outcome = (failure.kind, failure.retryability, failure.retry_after);
        assert_eq!(outcome, (kind, retryability, wait.map(Duration::from_secs)), "{reply:?}");
    }
}
