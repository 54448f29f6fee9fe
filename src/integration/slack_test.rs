//! The message in both forms, what run data may not do in it, and every answer of Slack.

use super::*;
use crate::event::shaped_runs;
use crate::integration::Reply;
use crate::integration::fixture::{
    answer, answer_with, body, context, done, effect, event, failed, route, sent, summary,
};
use crate::integration::hostile::{EVERY_FIELD, Hostile};
use crate::template::DataKind;
use FailureKind::{Auth, Invalid, Network, NotFound, RateLimited, Server, Timeout};
use Retryability::{Permanent, Temporary};
use std::time::Duration;

fn options() -> SlackOptions {
    SlackOptions {
        name: "team".to_owned(),
        url: SecretRef::file("/secrets/slack"),
        channel: String::new(),
        username: String::new(),
        icon_emoji: String::new(),
        template: None,
    }
}

fn templated_options(text: &str) -> SlackOptions {
    SlackOptions { template: Some(Template::compile(text, DataKind::Event).unwrap()), ..options() }
}

fn request(options: SlackOptions, event: &RunEvent) -> HttpRequest {
    let (route, context) = (route(), context());
    sent(SlackWebhook::new(options).begin(&effect(&route, event, &context))).0
}

/// What comes of a message that is answered so.
fn answered(reply: Reply) -> Turn {
    let (route, event, context) = (route(), event(), context());
    let turn = SlackWebhook::new(options()).begin(&effect(&route, &event, &context));
    sent(turn).1.on_reply(reply)
}

#[test]
fn golden_request() {
    let field = |title: &str, value: &str| json!({"title": title, "value": value, "short": true});
    let headers = [
        ("accept", "application/json"),
        ("user-agent", "tekton-events-relay"),
        ("content-type", "application/json"),
    ];
    let attachment = json!({
        "color": "#e01e5a",
        "fallback": "app-x7k2p: failed",
        "text": ":x: *<https://dash.example/#/namespaces/ci/pipelineruns/app-x7k2p|tekton/app>* failed\nTasks Completed: 2 (Failed: 1)",
        "fields": [
            field("State", "failure"),
            field("Run", "app-x7k2p"),
            field("Commit", "0123456"),
            field("Duration", "1m 5s"),
        ],
        "footer": "ci/app-x7k2p",
        "mrkdwn_in": ["text"],
    });
    let expected = HttpRequest {
        method: Method::Post,
        url: Text::Secret(SecretRef::file("/secrets/slack")),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        credential: Credential::None,
        body: json!({
            "username": "tekton-events-relay",
            "icon_emoji": ":rocket:",
            "attachments": [attachment],
        })
        .to_string(),
        wants: ReplyBody::Glance(ANSWER_BYTES_MAX),
        connection: None,
    };
    assert_eq!(request(options(), &event()), expected);
}

#[test]
fn channel_name_and_icon_are_those_configured() {
    let options = SlackOptions {
        channel: "#ci".to_owned(),
        username: "CI".to_owned(),
        icon_emoji: ":robot_face:".to_owned(),
        ..templated_options("{{.RunName}}")
    };
    let expected = json!({
        "username": "CI",
        "icon_emoji": ":robot_face:",
        "channel": "#ci",
        "text": "app-x7k2p",
    });
    assert_eq!(body(&request(options, &event())), expected);
}

#[test]
fn every_state_has_colour_and_icon() {
    let rows = [
        (RunState::Pending, "#aaaaaa", ":grey_question:"),
        (RunState::Running, "#daa038", ":hourglass_flowing_sand:"),
        (RunState::Success, "#36a64f", ":white_check_mark:"),
        (RunState::Failure, "#e01e5a", ":x:"),
        (RunState::Error, "#e01e5a", ":x:"),
        (RunState::Canceled, "#aaaaaa", ":no_entry_sign:"),
    ];
    for (state, colour, icon) in rows {
        let body = body(&request(options(), &RunEvent { state, ..event() }));
        let attachment = &body["attachments"][0];
        assert_eq!(attachment["color"], colour);
        assert!(attachment["text"].as_str().unwrap().starts_with(icon));
    }
}

#[test]
fn a_run_can_neither_mention_people_nor_form_links() {
    let message = "<!channel> & <https://evil.example|click>".to_owned();
    let harmless = "&lt;!channel&gt; &amp; &lt;https://evil.example|click&gt;";
    let event = RunEvent { message, ..event() };
    let plain = body(&request(options(), &event));
    let text = plain["attachments"][0]["text"].as_str().unwrap();
    assert!(text.ends_with(harmless), "{text}");

    let templated = templated_options("<https://ours.example|run> {{.Description}}");
    let expected = format!("<https://ours.example|run> {harmless}");
    assert_eq!(body(&request(templated, &event))["text"], expected);

    // Not the message alone: whatever an event names.
    let said = "<!channel>".to_owned();
    let event = RunEvent {
        name: said.clone(),
        namespace: said.clone(),
        pipeline_name: said.clone(),
        labels: [("team".to_owned(), said.clone())].into(),
        ..event
    };
    let names = "{{.RunName}}{{.Namespace}}{{.PipelineName}}{{.Labels.team}}";
    let text = body(&request(templated_options(names), &event))["text"].clone();
    assert_eq!(text, "&lt;!channel&gt;".repeat(4));
    let plain = request(options(), &event).body;
    assert!(!plain.contains("<!channel>"), "{plain}");
}

#[test]
fn a_check_name_cannot_end_its_link() {
    let context = RunContext {
        check_name: "a>b".to_owned(),
        target_url: "https://dash.example/a|b>c".to_owned(),
        ..context()
    };
    let (route, event) = (route(), event());
    let headline = headline(Escaped::new(&effect(&route, &event, &context), ESCAPE));
    assert_eq!(headline, ":x: *<https://dash.example/a%7Cb%3Ec|a&gt;b>* failed");
}

#[test]
fn texts_are_cut_to_their_bounds() {
    let long = RunEvent { message: "m".repeat(50_000), ..event() };
    let plain = body(&request(options(), &long));
    let text = plain["attachments"][0]["text"].as_str().unwrap();
    assert_eq!(text.chars().count(), ATTACHMENT_UNITS_MAX);

    let templated = body(&request(templated_options("{{.Description}}"), &long));
    assert_eq!(templated["text"].as_str().unwrap().chars().count(), TEXT_UNITS_MAX);
}

#[test]
fn a_summary_is_a_line_for_each_task() {
    let (route, event, context, summary) = (route(), event(), context(), summary());
    let effect = Effect { summary: Some(&summary), ..effect(&route, &event, &context) };
    let lines = "\n❌ build: failed (1m 1s)\n❔ deploy: unknown";
    let plain = body(&sent(SlackWebhook::new(options()).begin(&effect)).0);
    assert!(plain["attachments"][0]["text"].as_str().unwrap().ends_with(lines));
    let templated = SlackWebhook::new(templated_options("Done"));
    assert_eq!(body(&sent(templated.begin(&effect)).0)["text"], format!("Done{lines}"));
}

#[test]
fn chat_lines_are_escaped_for_slack() {
    let (route, event, context, mut summary) = (route(), event(), context(), summary());
    summary.rows[1].name = "<!channel>".to_owned();
    let effect = Effect { summary: Some(&summary), ..effect(&route, &event, &context) };
    let lines = summary_lines(Escaped::new(&effect, ESCAPE));
    assert_eq!(lines, "❌ build: failed (1m 1s)\n❔ &lt;!channel&gt;: unknown");
}

/// Whatever a run says in whichever of its fields, Slack shows it as text.
#[test]
fn no_text_of_a_run_is_markup_in_slack() {
    let hostile = "<!channel> <https://evil.example|x> <@U1>";
    let escaped = "&lt;!channel&gt; &lt;https://evil.example|x&gt;";
    for templated in [false, true] {
        let options = if templated { templated_options(&EVERY_FIELD) } else { options() };
        let slack = SlackWebhook::new(options);
        for event in shaped_runs() {
            let said = Hostile::new(event, hostile);
            let request = sent(slack.begin(&said.effect())).0.body;
            assert!(request.contains(escaped), "{request}");
            for raw in ["<!channel>", "<@U1>", "<https://evil"] {
                assert!(!request.contains(raw), "{raw} in {request}");
            }
        }
    }
}

#[test]
fn a_failing_template_is_permanent() {
    let (route, event, context) = (route(), event(), context());
    let broken = SlackWebhook::new(templated_options("{{(index .Results 5).Name}}"));
    let failure = failed(broken.begin(&effect(&route, &event, &context)));
    assert_eq!((failure.kind, failure.retryability), (FailureKind::Render, Permanent));
}

#[test]
fn every_transition_of_a_run_goes_to_one_stream() {
    let target = SlackWebhook::new(options()).target(&event(), &context()).unwrap();
    assert_eq!(target.key.0, "slack/team/5ab1d2f0-0000-4000-8000-000000000001");
    assert_eq!(target.delivery, Delivery::Stream);
}

#[test]
fn success_is_ok_or_what_look_alikes_say() {
    for body in ["ok", "ok\n", "", r#"{"success":true}"#] {
        let receipt = done(answered(answer(200, body)));
        assert_eq!(receipt, Receipt { remote_id: String::new(), status: 200 });
    }
}

#[test]
fn every_failing_answer_has_its_outcome() {
    let rows = [
        (answer(200, "<html>"), Server, Temporary, "status 200 with an unexpected body"),
        (answer(302, ""), Invalid, Permanent, "status 302"),
        (answer(400, "invalid_payload"), Invalid, Permanent, "status 400: invalid_payload"),
        (answer(401, ""), Auth, Permanent, "status 401"),
        (answer(403, "action_prohibited"), Auth, Permanent, "status 403: action_prohibited"),
        (answer(404, "no_service"), NotFound, Permanent, "status 404: no_service"),
        (answer(404, "channel_not_found"), NotFound, Permanent, "status 404: channel_not_found"),
        (answer(404, "<html>"), NotFound, Permanent, "status 404"),
        (answer(409, ""), FailureKind::Conflict, Permanent, "status 409"),
        (
            answer(410, "channel_is_archived"),
            NotFound,
            Permanent,
            "status 410: channel_is_archived",
        ),
        (answer(422, ""), Invalid, Permanent, "status 422"),
        (answer(500, "rollup_error"), Server, Temporary, "status 500: rollup_error"),
        (answer(503, ""), Server, Temporary, "status 503"),
        (Reply::Failed { kind: Timeout, detail: "late".to_owned() }, Timeout, Temporary, "late"),
        (Reply::Failed { kind: Network, detail: "dns".to_owned() }, Network, Temporary, "dns"),
    ];
    for (reply, kind, retryability, detail) in rows {
        let failure = failed(answered(reply));
        let outcome = (failure.kind, failure.retryability, failure.detail());
        assert_eq!(outcome, (kind, retryability, detail));
    }
}

#[test]
fn a_good_status_over_an_error_is_no_success() {
    let rows = [
        (r#"{"ok":false,"error":"ratelimited"}"#, RateLimited, Temporary, "ratelimited"),
        (r#"{"ok":false,"error":"invalid_auth"}"#, Auth, Permanent, "invalid_auth"),
        (r#"{"ok":false,"error":"channel_not_found"}"#, NotFound, Permanent, "channel_not_found"),
        (r#"{"ok":false,"error":"internal_error"}"#, Server, Temporary, "internal_error"),
        (r#"{"ok":false,"error":"msg_too_long"}"#, Invalid, Permanent, "msg_too_long"),
        (r#"{"ok":false,"error":"something_new"}"#, Invalid, Permanent, "something_new"),
        (r#"{"ok":false}"#, Invalid, Permanent, "not ok"),
        (r#"{"success":false,"error":"Not a word!"}"#, Invalid, Permanent, "not ok"),
        ("ratelimited", RateLimited, Temporary, "ratelimited"),
        ("invalid_token", Auth, Permanent, "invalid_token"),
        ("no_service\n", NotFound, Permanent, "no_service"),
    ];
    for (body, kind, retryability, word) in rows {
        let failure = failed(answered(answer(200, body)));
        let outcome = (failure.kind, failure.retryability, failure.detail().to_owned());
        assert_eq!(outcome, (kind, retryability, format!("status 200: {word}")), "{body}");
    }
}

#[test]
fn an_error_word_counts_more_than_the_status_it_came_with() {
    let limited = failed(answered(answer(400, "rate_limited")));
    assert_eq!((limited.kind, limited.retryability), (RateLimited, Temporary));
    let gone = failed(answered(answer(500, "no_team")));
    assert_eq!((gone.kind, gone.retryability), (NotFound, Permanent));
}

#[test]
fn a_rate_limit_names_its_wait() {
    let limited = answer_with(429, &[("retry-after", "30")], "rate_limited");
    let failure = failed(answered(limited));
    assert_eq!((failure.kind, failure.retryability), (RateLimited, Temporary));
    assert_eq!(failure.retry_after, Some(Duration::from_secs(30)));
}
