//! The request of `commit_status`, its bounds, and what a refused change means.

use super::*;
use crate::effect::{Delivery, Receipt};
use crate::event::{RunContext, RunEvent, RunState};
use crate::failure::{FailureKind, Retryability};
use crate::integration::fixture::{
    answer, body, context, done, effect, event, failed, route, sent,
};
use crate::integration::forge::{ActionOptions, StatusAction};
use crate::integration::{Credential, Exchange, HttpRequest, Integration, Method, ReplyBody, Text};
use crate::secret::SecretRef;
use serde_json::json;
use std::sync::Arc;

const REFUSED: &str = "Cannot transition status via";

fn action() -> StatusAction<GitlabInstance> {
    let secret = SecretRef::file("/secrets/token");
    let token = Credential::Header { name: "private-token".to_owned(), secret };
    let instance = Arc::new(GitlabInstance::new("main", "", token));
    StatusAction::new(instance, ActionOptions::default())
}

fn started(event: &RunEvent, context: &RunContext) -> (HttpRequest, Box<dyn Exchange>) {
    let route = route();
    sent(action().begin(&effect(&route, event, context)))
}

#[test]
fn golden_request() {
    let (request, _) = started(&event(), &context());
    let headers = [
        ("accept", "application/json"),
        ("user-agent", "tekton-events-relay"),
        ("content-type", "application/json"),
    ];
    let expected = HttpRequest {
        connection: None,
        method: Method::Post,
        url: Text::Plain(
            "https://gitlab.com/api/v4/projects/Acme%2Fapp/statuses/0123456789abcdef0123456789abcdef01234567"
                .to_owned(),
        ),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        credential: Credential::Header {
            name: "private-token".to_owned(),
            secret: SecretRef::file("/secrets/token"),
        },
        body: json!({
            "state": "failed",
            "name": "tekton/app",
            "description": "Tasks Completed: 2 (Failed: 1)",
            "target_url": "https://dash.example/#/namespaces/ci/pipelineruns/app-x7k2p",
        })
        .to_string(),
        wants: ReplyBody::Glance(512 * 1024),
    };
    assert_eq!(request, expected);
}

#[test]
fn every_state_has_its_word() {
    let rows = [
        (RunState::Pending, "pending", "Queued"),
        (RunState::Running, "running", "Running"),
        (RunState::Success, "success", "Succeeded"),
        (RunState::Failure, "failed", "Failed"),
        (RunState::Error, "failed", "Could not run"),
        (RunState::Canceled, "canceled", "Run cancelled"),
    ];
    for (state, word, description) in rows {
        let event = RunEvent { state, message: String::new(), ..event() };
        let body = body(&started(&event, &context()).0);
        assert_eq!((body["state"].as_str(), body["description"].as_str()), {
            (Some(word), Some(description))
        });
    }
}

#[test]
fn texts_have_at_most_255_characters_and_a_longer_link_is_left_out() {
    let message = "ü🚀".repeat(200);
    let context = RunContext {
        check_name: "c".repeat(300),
        target_url: format!("https://dash.example/{}", "x".repeat(235)),
        ..context()
    };
    let long = body(&started(&RunEvent { message, ..event() }, &context).0);
    let chars = |field: &str| long[field].as_str().unwrap().chars().count();
    assert_eq!((chars("name"), chars("description")), (255, 255));
    assert!(long["description"].as_str().unwrap().starts_with("ü🚀ü🚀"));
    assert_eq!(long.get("target_url"), None);

    let target_url = format!("https://dash.example/{}", "x".repeat(234));
    let fits = RunContext { target_url: target_url.clone(), ..context };
    assert_eq!(body(&started(&event(), &fits).0)["target_url"], target_url);
}

#[test]
fn names_that_differ_in_case_are_two_targets() {
    let named = |name: &str| RunContext { check_name: name.to_owned(), ..context() };
    let target = |name: &str| action().target(&event(), &named(name)).unwrap();
    let expected = "gitlab/main/acme/app/0123456789abcdef0123456789abcdef01234567/CI%2FBuild";
    assert_eq!(target("CI/Build").key.0, expected);
    assert_eq!(target("CI/Build").delivery, Delivery::Latest);
    assert_ne!(target("CI/Build"), target("ci/build"));
}

#[test]
fn a_status_that_stands_already_is_delivered() {
    let rows = [
        (":enqueue from :pending", r#" (Reason(s): Status cannot transition via \"enqueue\")"#),
        (":enqueue from :running", ""),
        (":run from :running", r#" (Reason(s): Status cannot transition via \"run\")"#),
        (":success from :success", ""),
        (":drop from :failed", ""),
        (":cancel from :canceled", ""),
    ];
    for (change, reason) in rows {
        let said = format!(r#"{{"message":"{REFUSED} {change}{reason}"}}"#);
        let receipt = done(started(&event(), &context()).1.on_reply(answer(400, &said)));
        assert_eq!(receipt, Receipt { remote_id: String::new(), status: 400 }, "{change}");
    }
}

#[test]
fn a_status_that_stands_elsewhere_is_no_success() {
    let rows = [
        (400, format!("{REFUSED} :success from :failed")),
        (400, format!("{REFUSED} :drop from :success")),
        (400, format!("{REFUSED} :run from :success")),
        (400, format!("{REFUSED} :run from :runningly")),
        (400, format!("{REFUSED} :run from ")),
        (400, format!("so: {REFUSED} :run from :running")),
        (422, format!("{REFUSED} :run from :running")),
        (400, "state does not have a valid value".to_owned()),
    ];
    for (status, message) in rows {
        let said = json!({ "message": message }).to_string();
        let failure = failed(started(&event(), &context()).1.on_reply(answer(status, &said)));
        let outcome = (failure.kind, failure.retryability);
        assert_eq!(outcome, (FailureKind::Invalid, Retryability::Permanent), "{message}");
    }
}
