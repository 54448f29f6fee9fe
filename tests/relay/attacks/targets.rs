//! Targets and texts that turn a message against its readers, or the relay.

use crate::harness::{Call, Receiver, Relay, Scripted, Setup};
use base64::Engine as _;
use serde_json::{Value, json};
use std::path::Path;
use tekton_events_relay::demo::Recorded;

const TOKEN: &str = "ghp_S3cr3tT0kenOfTheRelay";
const HOOK_PART: &str = "s3cr3tHookPart";
const SHA: &str = "6dcb09b5b57875f334f61aebed695e2e4193db5e";
const UID: &str = "11111111-0000-4000-8000-0000000000a1";

/// A failed PipelineRun of a pull request. `message` is its message and its other free texts.
fn failed_run(message: &str) -> Recorded {
    let contract = "tekton.dev/tekton-events-relay.scm";
    let body = json!({"pipelineRun": {
        "metadata": {
            "name": "ci-x1", "namespace": "ci", "uid": UID, "resourceVersion": "100",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"tekton.dev/pipeline": "ci"},
            "annotations": {
                (format!("{contract}.provider")): "github",
                (format!("{contract}.repo-owner")): "acme",
                (format!("{contract}.repo-name")): "app",
                (format!("{contract}.commit-sha")): SHA,
                (format!("{contract}.pr-number")): "7",
                "example.com/note": message,
            },
        },
        "spec": {"params": [{"name": "note", "value": message}]},
        "status": {
            "conditions": [{
                "type": "Succeeded", "status": "False", "reason": "Failed", "message": message,
                "lastTransitionTime": "2026-01-01T00:00:09Z",
            }],
            "startTime": "2026-01-01T00:00:00Z", "completionTime": "2026-01-01T00:00:09Z",
            "results": [{"name": "note", "value": message}],
            "pipelineResults": [{"name": "note", "value": message}],
        },
    }});
    let headers = [
        ("ce-id", "a1"),
        ("ce-specversion", "1.0"),
        ("ce-type", "dev.tekton.event.pipelinerun.failed.v1"),
        ("ce-source", "/apis///namespaces/ci//ci-x1"),
        ("ce-subject", "ci-x1"),
        ("ce-time", "2026-01-01T00:00:09Z"),
        ("content-type", "application/json"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Recorded { headers, body: body.to_string().into_bytes() }
}

/// A GitHub instance with one comment action, and a Slack webhook, both with this template.
fn setup(receiver: &Receiver, template: &str) -> Setup {
    let setup = Setup::empty();
    setup.write("token", TOKEN);
    setup.write("slack", &format!("{}/slack", receiver.url()));
    let path = |name: &str| setup.path(name).display().to_string();
    let template = serde_json::to_string(template).unwrap();
    let text = format!(
        r#"retry: {{ initial_backoff: 20ms, max_backoff: 200ms }}
store: {{ free_bytes_min: 0 }}
dashboard_url: "https://dash.example"
scm:
  github:
    - name: hub
      base_url: "{}"
      auth: {{ secret_file: "{}" }}
      actions:
        - {{ name: notes, type: pr_comment, mode: upsert, template: {template} }}
notifiers:
  slack:
    - {{ name: team, auth: {{ webhook_url_file: "{}" }}, template: {template} }}
"#,
        receiver.url(),
        path("token"),
        path("slack"),
    );
    setup.write("relay.yaml", &text);
    setup
}

/// The texts written for `message`: the comment without its marker, and the message in chat.
async fn texts_for(message: &str, template: &str) -> (String, String) {
    let receiver = Receiver::start().await;
    let setup = setup(&receiver, template);
    let relay = Relay::start(&setup).await;
    relay.take(&[failed_run(message)]).await;
    relay.settled().await;
    assert_eq!(relay.dead_letters().await.len(), 0);
    let seen = receiver.seen();
    let (_, comment) = seen.comments.values().next().unwrap().clone();
    let chat = seen.taken().find(|call| call.path == "/slack").unwrap().body["text"].clone();
    relay.kill_nine().await;
    let (_marker, comment) = comment.split_once('\n').unwrap();
    (comment.to_owned(), chat.as_str().unwrap().to_owned())
}

/// Whether any file below `folder` holds `needle`.
fn is_on_disk(folder: &Path, needle: &str) -> bool {
    std::fs::read_dir(folder).unwrap().map(Result::unwrap).any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return is_on_disk(&path, needle);
        }
        let content = std::fs::read(&path).unwrap();
        content.windows(needle.len()).any(|window| window == needle.as_bytes())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn s10_a_secret_that_a_target_echoes_is_kept_nowhere() {
    let receiver = Receiver::start().await;
    receiver.answer(|call: &Call| {
        let told = call.headers.get("authorization").map(|value| value.to_str().unwrap());
        let told = told.unwrap_or_default();
        let base64 = base64::engine::general_purpose::STANDARD.encode(told);
        let percent = told.replace('_', "%5f");
        let message = format!("no {told} / {base64} / {percent} / {} / {told}", call.path);
        // The bound of a detail cuts the second one in two.
        let errors = json!([{"message": format!("{}{told}", "x".repeat(60))}]);
        let body = json!({"message": message, "errors": errors});
        Some(Scripted { status: 401, body, ..Scripted::default() })
    });
    let setup = setup(&receiver, "{{ .RunName }}");
    setup.write("slack", &format!("{}/slack/{HOOK_PART}?key=s3cr3tQuery", receiver.url()));
    let relay = Relay::start(&setup).await;
    relay.take(&[failed_run("ok")]).await;
    relay.settled().await;

    let letters = Value::from(relay.dead_letters().await).to_string();
    assert_eq!(letters.matches("\"cause\":\"auth\"").count(), 2, "{letters}");
    assert!(letters.matches("[secret]").count() >= 4, "{letters}");
    let run = relay.get(&format!("/api/v1/runs/{UID}")).await.to_string();
    let log = relay.log();
    assert!(log.contains("delivery given up"), "{log}");
    relay.kill_nine().await;
    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("Bearer {TOKEN}"));
    // The smallest remaining part of each in any of its forms.
    for secret in [&TOKEN[4..16], HOOK_PART, "s3cr3tQuery", &encoded[16..32]] {
        for told in [&letters, &run, &log] {
            assert!(!told.contains(secret), "{secret} in {told}");
        }
        assert!(!is_on_disk(&setup.path("data"), secret), "{secret} is on disk");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_no_text_of_an_event_forms_a_mention_or_a_link_in_chat() {
    let template = "<{{ .TargetURL }}|{{ .RunName }}> {{ .Description }} {{ .Params.note }} \
        {{ index .Annotations \"example.com/note\" }} {{ (index .Results 0).Value }}";
    let message = "<!channel> <https://evil.example|ok> @all &";
    let (_, chat) = texts_for(message, template).await;
    let link = "<https://dash.example/#/namespaces/ci/pipelineruns/ci-x1|ci-x1>";
    let text = "&lt;!channel&gt; &lt;https://evil.example|ok&gt; @\u{200b}all &amp;";
    assert_eq!(chat, format!("{link} {text} {text} {text} {text}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn s12_no_text_of_an_event_forms_markup_in_a_comment() {
    let template = "**{{ .RunName }}** [log]({{ .Params.note }}) {{ .Description }} \
        `{{ (index .Results 0).Value }}` {{ raw .Params.note }}";
    let message = "@org/team ![p](//evil/x.png) <img src=x>";
    let (comment, _) = texts_for(message, template).await;
    let address = "%40org/team%20!%5Bp%5D%28//evil/x.png%29%20%3Cimg%20src=x%3E";
    let text = "@\u{200b}org/team \\!\\[p\\](//evil/x.png) &lt;img src=x&gt;";
    let code = "@org/team ![p](//evil/x.png) <\u{200b}img src=x>";
    let expected = format!("**ci-x1** [log]({address}) {text} `{code}` {message}");
    assert_eq!(comment, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn s17_a_comment_of_somebody_else_under_our_marker_is_left_alone() {
    let receiver = Receiver::start().await;
    let marker = format!("<!-- tekton-events-relay:{UID}:pr_comment:notes -->");
    let pasted = json!([
        {"id": 901, "body": format!("{marker}\nall is well"), "user": {"id": 8, "login": "mallory"}},
        {"id": 902, "body": format!("{marker}\nall is well"), "user": null},
    ]);
    receiver.answer(move |call| {
        let body = match (call.method.as_str(), call.path.as_str()) {
            ("GET", "/user") => json!({"id": 7, "login": "relay", "type": "User"}),
            ("GET", _) => pasted.clone(),
            _ => return None,
        };
        Some(Scripted { status: 200, body, ..Scripted::default() })
    });
    let setup = setup(&receiver, "{{ .State }}");
    let relay = Relay::start(&setup).await;
    relay.take(&[failed_run("no")]).await;
    relay.settled().await;
    let seen = receiver.seen();
    let is_edit = |call: &&Call| ["PATCH", "DELETE"].contains(&call.method.as_str());
    assert_eq!(seen.calls.iter().filter(is_edit).count(), 0);
    let texts: Vec<_> = seen.comments.values().map(|(_, text)| text.clone()).collect();
    assert_eq!(texts, [format!("{marker}\nfailure")]);
    let asked = seen.calls.iter().filter(|call| call.path == "/user").count();
    assert_eq!(asked, 1);
    relay.kill_nine().await;
}
