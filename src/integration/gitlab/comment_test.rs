//! The requests of `pr_comment`, whose comments are ours, and what must not be carried out.

use super::*;
use crate::effect::{Receipt, SkipReason};
use crate::integration::fixture::{
    answer, answer_with, body, context, done, effect, event, failed, route, sent,
};
use crate::integration::forge::{ActionOptions, CommentAction, CommentMode};
use crate::integration::{Credential, Effect, Integration, Reply, ReplyBody, Text, Turn};
use crate::template::{DataKind, Template};
use serde_json::{Value, json};
use std::sync::Arc;

const ROOT: &str = "https://gitlab.com/api/v4/projects/Acme%2Fapp/merge_requests/7/notes";
const SEARCH: &str = "GET ?per_page=100&order_by=created_at&sort=asc&activity_filter=only_comments";
const ME: &str = "GET https://gitlab.com/api/v4/user";
const MARKER: &str =
    "<!-- tekton-events-relay:5ab1d2f0-0000-4000-8000-000000000001:pr_comment:notes -->";
const TEXT: &str =
    "❌ Build failure for [app-x7k2p](https://dash.example/#/namespaces/ci/pipelineruns/app-x7k2p)";

fn action(mode: CommentMode, template: Option<&str>) -> CommentAction<GitlabInstance> {
    let instance = Arc::new(GitlabInstance::new("main", "", Credential::None));
    let template = template.map(|text| Template::compile(text, DataKind::Event).unwrap());
    let options = ActionOptions { mode, template, ..ActionOptions::default() };
    CommentAction::new(instance, ActionOptions { action: "notes".to_owned(), ..options })
}

fn begin(action: &CommentAction<GitlabInstance>, remote_id: Option<&str>) -> Turn {
    let (route, event, context) = (route(), event(), context());
    action.begin(&Effect { remote_id, ..effect(&route, &event, &context) })
}

fn line(request: &HttpRequest) -> String {
    let Text::Plain(url) = &request.url else { panic!("GitLab's URLs are no secrets") };
    format!("{} {}", request.method.as_str(), url.strip_prefix(ROOT).unwrap_or(url))
}

/// Feeds replies and notes the requests, until the exchange ends.
fn play(remote_id: Option<&str>, replies: Vec<Reply>) -> (Vec<String>, Turn) {
    let mut requests = Vec::new();
    let mut turn = begin(&action(CommentMode::Upsert, None), remote_id);
    for reply in replies {
        let (request, exchange) = sent(turn);
        requests.push(line(&request));
        turn = exchange.on_reply(reply);
    }
    (requests, turn)
}

fn note(id: u64, author: &Value) -> Value {
    json!({ "id": id, "body": format!("{MARKER}\nold"), "author": author, "system": false })
}

#[test]
fn golden_request_of_create() {
    let (request, exchange) = sent(begin(&action(CommentMode::Create, None), None));
    let headers = [
        ("accept", "application/json"),
        ("user-agent", "tekton-events-relay"),
        ("content-type", "application/json"),
    ];
    let marker = MARKER.replace(" -->", ":00000000000000000000000000000abc -->");
    let expected = HttpRequest {
        connection: None,
        method: Method::Post,
        url: Text::Plain(ROOT.to_owned()),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        credential: Credential::None,
        body: json!({ "body": format!("{marker}\n{TEXT}") }).to_string(),
        wants: ReplyBody::Glance(512 * 1024),
    };
    assert_eq!(request, expected);
    let receipt = done(exchange.on_reply(answer(201, r#"{"id":302,"body":"x"}"#)));
    assert_eq!(receipt, Receipt { remote_id: "302".to_owned(), status: 201 });
}

#[test]
fn golden_request_of_an_edit() {
    let (request, _) = sent(begin(&action(CommentMode::Upsert, None), Some("31")));
    assert_eq!(line(&request), "PUT /31");
    assert_eq!(body(&request), json!({ "body": format!("{MARKER}\n{TEXT}") }));
}

#[test]
fn a_note_of_ours_is_found_on_a_later_page_and_edited() {
    let us = json!({"id": 5, "username": "relay", "name": "Relay"});
    let them = json!({"id": 6, "username": "mallory", "name": "Relay"});
    let next = format!("{ROOT}?per_page=100&page=2");
    let link = format!(r#"<{next}>; rel="next", <{ROOT}?page=1>; rel="first""#);
    let first = Value::Array(vec![note(1, &them), note(2, &Value::Null)]).to_string();
    let second = Value::Array(vec![note(3, &us)]).to_string();
    let me = || answer(200, &us.to_string());
    let replies = vec![
        answer_with(200, &[("link", &link)], &first),
        me(),
        answer(200, &second),
        me(),
        answer(200, r#"{"id":3}"#),
    ];
    let (requests, end) = play(None, replies);
    assert_eq!(requests, [SEARCH, ME, "GET ?per_page=100&page=2", ME, "PUT /3"]);
    assert_eq!(done(end).remote_id, "3");
}

#[test]
fn a_deleted_note_is_written_anew() {
    let replies = vec![answer(404, ""), answer(200, "[]"), answer(201, r#"{"id":9}"#)];
    let (requests, end) = play(Some("31"), replies);
    assert_eq!(requests, ["PUT /31", SEARCH, "POST "]);
    assert_eq!(done(end).remote_id, "9");
}

#[test]
fn nothing_is_written_while_gitlab_does_not_say_who_we_are() {
    let listed = Value::Array(vec![note(1, &json!({"id": 5}))]).to_string();
    for refused in [answer(403, r#"{"error":"insufficient_scope"}"#), answer(200, "<html>")] {
        let (requests, end) = play(None, vec![answer(200, &listed), refused]);
        assert_eq!(requests, [SEARCH, ME]);
        failed(end);
    }
}

#[test]
fn no_line_of_a_note_is_a_quick_action() {
    let template = "/close\n  /label ~x\n\r/merge\nsee a/b and https://h/x\n{{.RunName}}\n/approve";
    let (request, _) = sent(begin(&action(CommentMode::Upsert, Some(template)), Some("1")));
    let text = body(&request)["body"].as_str().unwrap().to_owned();
    let expected = format!(
        "{MARKER}\n\u{200b}/close\n  \u{200b}/label ~x\n\r\u{200b}/merge\nsee a/b and \
         https://h/x\napp-x7k2p\n\u{200b}/approve"
    );
    assert_eq!(text, expected);
    assert_eq!(GitlabInstance::inert(String::new()), "");
    assert_eq!(GitlabInstance::inert("a\n".to_owned()), "a\n");
}

#[test]
fn a_note_is_cut_to_65000_characters_and_keeps_its_marker() {
    let long = action(CommentMode::Upsert, Some(&"ü🚀".repeat(9_000)));
    let note = GitlabInstance::cut(&"ü🚀".repeat(40_000));
    assert_eq!(note.chars().count(), NOTE_CHARS_MAX);
    let (request, _) = sent(begin(&long, Some("1")));
    assert!(body(&request)["body"].as_str().unwrap().starts_with(MARKER));
}

#[test]
fn a_run_without_merge_request_or_project_owes_nothing() {
    let action = action(CommentMode::Upsert, None);
    let target = action.target(&event(), &context()).unwrap();
    let expected = "gitlab/main/acme/app/7/5ab1d2f0-0000-4000-8000-000000000001/notes";
    assert_eq!(target.key.0, expected);
    let mut no_number = event();
    no_number.scm.pr_number = None;
    let mut no_owner = event();
    no_owner.scm.repository.owner.clear();
    for event in [no_number, no_owner] {
        assert_eq!(action.target(&event, &context()), Err(SkipReason::MissingFacts));
        let (route, context) = (route(), context());
        failed(action.begin(&effect(&route, &event, &context)));
    }
}
