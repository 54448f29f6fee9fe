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

/// What comes of a request that is answered so.
fn answered(reply: Reply) -> Turn {
    sent(begin(options())).1.on_reply(reply)
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
        wants: ReplyBody::Unread,
        connection: None,
    };
    assert_eq!(sent(begin(options())).0, expected);
}

/// The program that a webhook runs, and what follows.
fn transforming(program: &str) -> (Transform, Box<dyn Exchange>) {
    let transform = Some(Program::compile(program).unwrap());
    match begin(WebhookOptions { transform, ..options() }) {
        Turn::Send(Outbound::Transform(transform), exchange) => (transform, exchange),
        other @ (Turn::Send(..) | Turn::Done(_) | Turn::Fail(_)) => {
            panic!("{other:?} runs no program")
        }
    }
}

#[test]
fn a_transform_makes_the_body() {
    let program = r#"{text: "\(.repo.owner)/\(.repo.name) \(.state)", id: .run_id}"#;
    let (transform, exchange) = transforming(program);
    assert_eq!((&*transform.program, &transform.input), (program, &to_json(&event(), &context())));
    let made = Program::compile(program).unwrap().run(&transform.input).unwrap();
    let request = sent(exchange.on_reply(Reply::Transformed(made))).0;
    let expected = json!({"text": "Acme/app failure", "id": event().uid});
    assert_eq!(body(&request), expected);
    let direct = sent(begin(options())).0;
    assert_eq!(HttpRequest { body: direct.body.clone(), ..request }, direct);
}

#[test]
fn a_transform_that_makes_nothing_is_a_render_failure() {
    let detail = "jq program gave no result".to_owned();
    for (is_final, retryability) in [(true, Retryability::Permanent), (false, Temporary)] {
        let reply = Reply::NotTransformed { is_final, detail: detail.clone() };
        let failure = failed(transforming("empty").1.on_reply(reply));
        assert_eq!((failure.kind, failure.retryability), (FailureKind::Render, retryability));
        assert!(failure.to_string().contains(&detail), "{failure}");
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
        let receipt = done(answered(answer(status, body)));
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
        let failure = failed(answered(reply.clone()));
        let outcome = (failure.kind, failure.retryability, failure.retry_after);
        assert_eq!(outcome, (kind, retryability, wait.map(Duration::from_secs)), "{reply:?}");
    }
}
