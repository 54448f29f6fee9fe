//! What a comment says, its target, and its first request.

use super::*;
use crate::effect::{Delivery, SkipReason};
use crate::event::{RunContext, RunState};
use crate::failure::{FailureKind, Retryability};
use crate::integration::fixture::{body, context, effect, event, failed, route, sent, summary};
use crate::integration::forge::{ActionOptions, CommentAction, CommentMode, default_text};
use crate::integration::{Credential, Effect, Integration, ReplyBody, Text};
use crate::secret::SecretRef;
use crate::template::{DataKind, Template};
use serde_json::json;
use std::sync::Arc;

type Comment = CommentAction<GithubInstance>;

const RUN_MARKER: &str =
    "<!-- tekton-events-relay:5ab1d2f0-0000-4000-8000-000000000001:pr_comment:notes -->";
const DEFAULT_TEXT: &str =
    "❌ Build failure for [app-x7k2p](https://dash.example/#/namespaces/ci/pipelineruns/app-x7k2p)";

fn action(mode: CommentMode, template: Option<&str>) -> Comment {
    let token = Credential::Bearer(SecretRef::file("/secrets/token"));
    let instance = Arc::new(GithubInstance::new("main", "https://ghe.example/api/v3", token));
    let template = template.map(|text| Template::compile(text, DataKind::Event).unwrap());
    let action = "notes".to_owned();
    Comment::new(instance, ActionOptions { action, template, mode, ..ActionOptions::default() })
}

fn first_request(action: &Comment, remote_id: Option<&str>, is_in_doubt: bool) -> HttpRequest {
    let (route, event, context) = (route(), event(), context());
    let effect = Effect { remote_id, is_in_doubt, ..effect(&route, &event, &context) };
    sent(action.begin(&effect)).0
}

fn url(request: &HttpRequest) -> &str {
    match &request.url {
        Text::Plain(url) => url,
        Text::Secret(_) => panic!("GitHub's URLs are no secrets"),
    }
}

#[test]
fn golden_request_of_create() {
    let request = first_request(&action(CommentMode::Create, None), None, false);
    let headers = [
        ("accept", "application/vnd.github+json"),
        ("user-agent", "tekton-events-relay"),
        ("content-type", "application/json"),
        ("x-github-api-version", "2022-11-28"),
    ];
    let marker = RUN_MARKER.replace(" -->", ":00000000000000000000000000000abc -->");
    let expected = HttpRequest {
        method: Method::Post,
        url: Text::Plain("https://ghe.example/api/v3/repos/Acme/app/issues/7/comments".to_owned()),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        credential: Credential::Bearer(SecretRef::file("/secrets/token")),
        body: json!({ "body": format!("{marker}\n{DEFAULT_TEXT}") }).to_string(),
        wants: ReplyBody::Glance(512 * 1024),
        connection: None,
    };
    assert_eq!(request, expected);
}

#[test]
fn golden_request_of_upsert_with_a_remembered_comment() {
    let request = first_request(&action(CommentMode::Upsert, None), Some("31"), false);
    assert_eq!(request.method, Method::Patch);
    assert_eq!(url(&request), "https://ghe.example/api/v3/repos/Acme/app/issues/comments/31");
    assert_eq!(body(&request), json!({ "body": format!("{RUN_MARKER}\n{DEFAULT_TEXT}") }));
}

#[test]
fn upsert_without_a_usable_remembered_id_searches_first() {
    for remote_id in [None, Some(""), Some("../../user")] {
        let request = first_request(&action(CommentMode::Upsert, None), remote_id, false);
        assert_eq!(request.method, Method::Get);
        let expected = "https://ghe.example/api/v3/repos/Acme/app/issues/7/comments?per_page=100";
        assert_eq!(url(&request), expected);
        assert_eq!(request.body, "");
    }
}

#[test]
fn create_searches_only_when_in_doubt() {
    let create = action(CommentMode::Create, None);
    assert_eq!(first_request(&create, None, true).method, Method::Get);
    assert_eq!(first_request(&create, Some("31"), false).method, Method::Post);
}

#[test]
fn a_template_replaces_the_text_and_its_error_is_permanent() {
    let templated = action(CommentMode::Create, Some("Run {{.RunName}}"));
    let request = first_request(&templated, None, false);
    assert!(body(&request)["body"].as_str().unwrap().ends_with(" -->\nRun app-x7k2p"));

    let (route, event, context) = (route(), event(), context());
    let broken = action(CommentMode::Create, Some("{{(index .Results 5).Name}}"));
    let failure = failed(broken.begin(&effect(&route, &event, &context)));
    assert_eq!(
        (failure.kind, failure.retryability),
        (FailureKind::Render, Retryability::Permanent)
    );
}

#[test]
fn a_summary_follows_the_text() {
    let (route, event, context, summary) = (route(), event(), context(), summary());
    let effect = Effect { summary: Some(&summary), ..effect(&route, &event, &context) };
    let request = sent(action(CommentMode::Create, Some("Done.")).begin(&effect)).0;
    let body = body(&request)["body"].as_str().unwrap().to_owned();
    assert!(body.contains(" -->\nDone.\n\n### ❌ app: failed\n\n| Task |"), "{body}");
    assert!(body.contains("| deploy | ❔ unknown |  |  |"), "{body}");
}

#[test]
fn a_comment_is_cut_to_65000_characters_and_keeps_its_marker() {
    let long = action(CommentMode::Upsert, Some(&"ü🚀".repeat(8_000)));
    let (route, context) = (route(), context());
    let mut summary = summary();
    summary.rows = vec![summary.rows[0].clone(); 3_000];
    let event = event();
    let effect = Effect {
        summary: Some(&summary),
        remote_id: Some("1"),
        ..effect(&route, &event, &context)
    };
    let text = body(&sent(long.begin(&effect)).0)["body"].as_str().unwrap().to_owned();
    assert_eq!(text.encode_utf16().count(), COMMENT_UNITS_MAX);
    assert!(text.starts_with(RUN_MARKER));
}

#[test]
fn the_default_text_escapes_names_and_needs_no_link() {
    let event = RunEvent { name: "a_b*".to_owned(), state: RunState::Success, ..event() };
    let context = RunContext { target_url: String::new(), ..context() };
    assert_eq!(default_text(&event, &context), "✅ Build success for a\\_b\\*");
}

#[test]
fn each_run_and_action_has_a_target_of_its_own() {
    let upsert = action(CommentMode::Upsert, None).target(&event(), &context()).unwrap();
    let expected = "github/main/acme/app/7/5ab1d2f0-0000-4000-8000-000000000001/notes";
    assert_eq!(upsert.key.0, expected);
    assert_eq!(upsert.delivery, Delivery::Latest);

    let create = action(CommentMode::Create, None).target(&event(), &context()).unwrap();
    assert_eq!(create.key.0, format!("{expected}/create"));
    assert_eq!(create.delivery, Delivery::Stream);
}

#[test]
fn a_run_without_pull_request_or_repository_owes_nothing() {
    let mut no_number = event();
    no_number.scm.pr_number = None;
    let mut no_owner = event();
    no_owner.scm.repository.owner.clear();
    for event in [no_number, no_owner] {
        let action = action(CommentMode::Upsert, None);
        assert_eq!(action.target(&event, &context()), Err(SkipReason::MissingFacts));
        let (route, context) = (route(), context());
        let failure = failed(action.begin(&effect(&route, &event, &context)));
        assert_eq!(failure.kind, FailureKind::Invalid);
    }
}
