//! Forged events: a sender that makes false claims.

use crate::harness::{Receiver, Relay, Setup, client, run};
use serde_json::{Value, json};
use tekton_events_relay::demo::Recorded;

/// What an event claims about a TaskRun without a PipelineRun, on one commit.
#[derive(Clone)]
struct Claim {
    uid: &'static str,
    name: &'static str,
    is_success: bool,
    version: &'static str,
    created: &'static str,
    changed: &'static str,
    message: &'static str,
    owner: &'static str,
    sha: &'static str,
}

const SHA: &str = "6dcb09b5b57875f334f61aebed695e2e4193db5e";

/// A failure as a controller reports it.
const FAILURE: Claim = Claim {
    uid: "33333333-0000-4000-8000-000000000001",
    name: "build-1",
    is_success: false,
    version: "120",
    created: "2026-01-01T00:00:00Z",
    changed: "2026-01-01T00:05:00Z",
    message: "exit 1",
    owner: "acme",
    sha: SHA,
};

impl Claim {
    fn event(&self, id: &str) -> Recorded {
        let (word, status) =
            if self.is_success { ("successful", "True") } else { ("failed", "False") };
        let annotation = |key: &str| format!("tekton.dev/tekton-events-relay.scm.{key}");
        let body = json!({"taskRun": {
            "metadata": {
                "name": self.name, "namespace": "ci", "uid": self.uid,
                "resourceVersion": self.version, "creationTimestamp": self.created,
                "labels": {"tekton.dev/task": "build"},
                "annotations": {
                    annotation("provider"): "github", annotation("repo-owner"): self.owner,
                    annotation("repo-name"): "app", annotation("commit-sha"): self.sha,
                },
            },
            "spec": {"taskRef": {"name": "build"}},
            "status": {"conditions": [{
                "type": "Succeeded", "status": status, "reason": word,
                "message": self.message, "lastTransitionTime": self.changed,
            }]},
        }});
        let headers = [
            ("ce-specversion", "1.0"),
            ("ce-id", id),
            ("ce-source", "/apis///namespaces/ci//build"),
            ("ce-type", &format!("dev.tekton.event.taskrun.{word}.v1")),
            ("ce-time", self.changed),
            ("content-type", "application/json"),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Recorded { headers: headers.to_vec(), body: body.to_string().into_bytes() }
    }
}

/// States of the statuses that arrived, in order.
fn states(receiver: &Receiver) -> Vec<String> {
    receiver.seen().statuses().into_iter().map(|(_, state, _)| state).collect()
}

/// Status and problem of the answer to one event.
async fn refusal(relay: &Relay<'_>, event: &Recorded) -> (u16, Value) {
    let mut post = client().post(relay.url("/")).body(event.body.clone());
    for (name, value) in &event.headers {
        post = post.header(name, value);
    }
    let answer = post.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn s01b_a_forged_success_with_a_huge_version_does_not_hide_the_real_failure() {
    let receiver = Receiver::start().await;
    let setup = Setup::of(&receiver);
    let relay = Relay::start(&setup).await;
    let forged = Claim {
        is_success: true,
        version: "100000000000000000",
        changed: "2026-01-01T00:04:00Z",
        ..FAILURE
    };
    let answers = relay.take(&[forged.event("forged"), FAILURE.event("real")]).await;
    assert_ne!(answers[1].fate, "duplicate");
    relay.settled().await;
    assert_eq!(states(&receiver), ["success", "failure"]);
    assert_eq!(relay.gauge("contradictions_total").await, 1);

    // Also not after the real failure.
    let late = Claim { changed: "2026-01-01T00:04:30Z", ..forged };
    assert_eq!(relay.take(&[late.event("late")]).await[0].fate, "superseded");
    relay.settled().await;
    assert_eq!(states(&receiver), ["success", "failure"]);
    let run = relay.get(&format!("/api/v1/runs/{}", FAILURE.uid)).await;
    assert_eq!(run["state"], "failure");
    let contradicting = run["timeline"].as_array().unwrap().iter();
    assert_eq!(contradicting.filter(|line| line["contradicts"] == true).count(), 2, "{run:#}");
    assert_eq!(relay.gauge("contradictions_total").await, 2);
    relay.kill_nine().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s01c_a_run_of_2099_does_not_keep_its_check_from_the_runs_after_it() {
    let receiver = Receiver::start().await;
    let setup = Setup::of(&receiver);
    let relay = Relay::start(&setup).await;
    let year = "2099-01-01T00:00:00Z";
    let forged = Claim {
        uid: "33333333-0000-4000-8000-000000000099",
        is_success: true,
        created: year,
        changed: year,
        ..FAILURE
    };
    relay.take(&[forged.event("forged")]).await;
    relay.settled().await;
    assert_eq!(relay.gauge("times_clamped_total").await, 1);
    // A run created after the forged one arrived.
    let now = tekton_events_relay::clock::Timestamp(relay_now(&relay).await).to_string();
    let now: &'static str = now.leak();
    let real = Claim { created: now, changed: now, ..FAILURE };
    relay.take(&[real.event("real")]).await;
    relay.settled().await;
    assert_eq!(states(&receiver), ["success", "failure"]);
    relay.kill_nine().await;
}

/// A moment after the last event was accepted, by the clock of this machine.
async fn relay_now(relay: &Relay<'_>) -> u64 {
    let run = relay.get("/api/v1/runs/33333333-0000-4000-8000-000000000099").await;
    let seen = run["last_seen"].as_str().unwrap().to_owned();
    tekton_events_relay::clock::Timestamp::parse_rfc3339(&seen).unwrap().0 + 1_000
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_names_that_kubernetes_does_not_give_are_refused_by_name() {
    let setup = Setup::empty();
    let relay = Relay::start(&setup).await;
    for name in ["<!channel>", "a\u{1b}[31m", "a\nb", "a\u{202e}b", "A_b", "a b", "@org/team"] {
        let (status, problem) = refusal(&relay, &Claim { name, ..FAILURE }.event("x")).await;
        assert_eq!(status, 400, "{name:?}: {problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("metadata.name") && detail.contains("accepted"), "{detail}");
        assert!(!detail.contains(['\u{1b}', '\n', '\u{202e}']), "{detail:?}");
    }
    let (status, problem) = refusal(&relay, &Claim { uid: "a-->b", ..FAILURE }.event("x")).await;
    assert_eq!((status, relay.gauge("runs_live").await), (400, 0), "{problem}");
    relay.kill_nine().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s16_characters_that_act_on_a_terminal_reach_no_target() {
    let receiver = Receiver::start().await;
    let setup = Setup::of(&receiver);
    let relay = Relay::start(&setup).await;
    let message = "all \u{1b}[31mwell\u{7}\u{202e} and \u{9b}2J good";
    relay.take(&[Claim { message, ..FAILURE }.event("x")]).await;
    relay.settled().await;
    let seen = receiver.seen();
    assert!(!seen.calls.is_empty());
    for call in seen.calls {
        let body = call.body.to_string();
        let acts = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(!body.contains(acts) && !body.contains("\\u001b"), "{} {body}", call.path);
    }
    relay.kill_nine().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s16_what_an_answer_holds_does_not_act_on_the_terminal() {
    let letters = json!({"count": 1, "total": 1, "events": [{
        "id": "7", "failed_at": "\u{1b}[2J", "cause": "\u{7}auth: 401\r",
        "effect": {"instance": "hub\u{202e}", "action": "checks"},
        "envelope": {"Report": {"run_name": "build\u{9b}31m\u{1b}]0;owned\u{7}"}},
    }]});
    let router = axum::Router::new().fallback(move || {
        let body = letters.to_string();
        async move { body }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let setup = Setup::empty();
    for output in ["text", "json"] {
        let arguments = ["dlq", "list", "--url", &url, "--output", output];
        let told = run(setup.folder(), &arguments).await;
        assert_eq!(told.code, Some(0), "{told:?}");
        let acts = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!told.stdout.contains(acts), "{:?}", told.stdout);
        assert!(told.stdout.contains("1b"), "{:?}", told.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_that_no_forge_would_take_cost_no_call() {
    let receiver = Receiver::start().await;
    let setup = Setup::of(&receiver);
    let relay = Relay::start(&setup).await;
    let sha = |sha| Claim { sha, ..FAILURE };
    let owner = |owner| Claim { owner, ..FAILURE };
    let claims = [sha("HEAD"), sha("../../x"), sha("abc"), owner("a/../b"), owner("ac me")];
    for (number, claim) in claims.into_iter().enumerate() {
        let uid = ["u-0", "u-1", "u-2", "u-3", "u-4"][number];
        relay.take(&[Claim { uid, ..claim }.event(uid)]).await;
    }
    relay.settled().await;
    assert_eq!(states(&receiver), [""; 0]);
    let skipped = "tekton_events_relay_effects_skipped_total{reason=\"impossible_facts\"}";
    assert_eq!(relay.metric(skipped).await, 5);
    assert!(receiver.seen().calls.iter().all(|call| call.path == "/webhook"));
    relay.kill_nine().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_notifiers_of_one_name_get_each_event_once() {
    let receiver = Receiver::start().await;
    let setup = Setup::of(&receiver);
    setup.change_config("- name: archive", "- name: team");
    setup.change_config(
        r#"when: isPipelineRun() && stateIn("failure", "error", "canceled")"#,
        r#"when: stateIn("failure")"#,
    );
    let relay = Relay::start(&setup).await;
    let uids = ["t-0", "t-1", "t-2"];
    for uid in uids {
        relay.take(&[Claim { uid, ..FAILURE }.event(uid)]).await;
    }
    relay.settled().await;
    let seen = receiver.seen();
    for path in ["/slack", "/webhook"] {
        let calls = seen.calls.iter().filter(|call| call.path == path).count();
        assert_eq!(calls, uids.len(), "{path}");
    }
    relay.kill_nine().await;
}
