//! The request with and without a transform, its headers, and every answer an endpoint may give.

use super::*;
use crate::integration::fixture::{
    answer, answer_with, body, context, done, effect, event, failed, route, sent,
};
use FailureKind::{Auth, Conflict, Invalid, NotFound, RateLimited, Server, Timeout};
use Retryability::{Temporary, Unsettled};
use serde_json::json;
use std::time::Duration;

fn options() -> WebhookOptions {
    WebhookOptions {
        name: "hook".to_owned(),
        url: SecretRef::file("/secrets/url"),
        credential: Credential::HmacSha256 {
            name: "x-webhook-signature".to_owned(),
            secret: SecretRef::file("/secrets/key"),
        },
        headers: Vec::new(),
        transform: None,
    }
}

fn begin(options: WebhookOptions) -> Turn {
    let (route, event, context) = (route(), event(), context());
    Webhook::new(options).begin(&effect(&route, &event, &context))
}

#[test]
fn golden_request() {
    let headers = [
        ("accept", "application/json"),
        ("user-agent", "tekton-events-relay"),
        ("content-type", "application/json"),
        ("webhook-id", "00000000000000000000000000000abc"),
    ];
    let expected = HttpRequest {
        method: Method::Post,
        url: Text::Secret(SecretRef::file("/secrets/url")),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        credential: options().credential,
        body: to_json(&event(), &context()).to_string(),
    };
    assert_eq!(sent(begin(options())).0, expected);
}

#[test]
fn a_transform_makes_the_body() {
    let program = r#"{text: "\(.repo.owner)/\(.repo.name) \(.state)", id: .run_id}"#;
    let transform = Some(Program::compile(program).unwrap());
    let request = sent(begin(WebhookOptions { transform, ..options() })).0;
    let expected = json!({"text": "Acme/app failure", "id": event().uid});
    assert_eq!(body(&request), expected);
}

#[test]
fn a_transform_without_one_result_is_a_permanent_render_failure() {
    for program in ["empty", "1, 2", "null", "error(\"x\")"] {
        let transform = Some(Program::compile(program).unwrap());
        let failure = failed(begin(WebhookOptions { transform, ..options() }));
        let outcome = (failure.kind, failure.retryability);
        assert_eq!(outcome, (FailureKind::Render, Retryability::Permanent), "{program}");
    }
}

#[test]
fn configured_headers_replace_ours_but_not_the_id() {
    let headers = [("User-Agent", "mine"), ("X-Team", "ci"), ("Webhook-Id", "1")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let request = sent(begin(WebhookOptions { headers, ..options() })).0;
    let expected = [
        ("accept", "application/json"),
        ("user-agent", "mine"),
        ("content-type", "application/json"),
        ("x-team", "ci"),
        ("webhook-id", "00000000000000000000000000000abc"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(request.headers, expected);
}

#[test]
fn every_transition_of_a_run_goes_to_one_stream() {
    let target = Webhook::new(options()).target(&event(), &context()).unwrap();
    assert_eq!(target.key.0, "webhook/hook/5ab1d2f0-0000-4000-8000-000000000001");
    assert_eq!(target.delivery, Delivery::Stream);
}

#[test]
fn any_2xx_is_a_success_whatever_the_body() {
    for (status, body) in [(200, "<html>"), (202, "{}"), (204, "")] {
        let receipt = done(Box::new(Posting).on_reply(answer(status, body)));
        assert_eq!(receipt, Receipt { remote_id: String::new(), status });
    }
}

#[test]
fn every_failing_answer_has_its_outcome() {
    use Retryability::Permanent;
    let rows = [
        (answer(308, ""), Invalid, Permanent, None),
        (answer(400, ""), Invalid, Permanent, None),
        (answer(401, ""), Auth, Permanent, None),
        (answer(403, ""), Auth, Permanent, None),
        (answer_with(403, &[("retry-after", "3")], ""), RateLimited, Temporary, Some(3)),
        (answer(404, ""), NotFound, Unsettled, None),
        (answer(409, ""), Conflict, Unsettled, None),
        (answer(410, ""), NotFound, Permanent, None),
        (answer(422, ""), Invalid, Permanent, None),
        (answer_with(429, &[("retry-after", "7")], ""), RateLimited, Temporary, Some(7)),
        (answer(500, "not JSON"), Server, Temporary, None),
        (Reply::Failed { kind: Timeout, detail: String::new() }, Timeout, Temporary, None),
    ];
    for (reply, kind, retryability, wait) in rows {
        let failure = failed(Box::new(Posting).on_reply(reply.clone()));
        let outcome = (failure.kind, failure.retryability, failure.retry_after);
        assert_eq!(outcome, (kind, retryability, wait.map(Duration::from_secs)), "{reply:?}");
    }
}
