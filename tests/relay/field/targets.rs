//! What targets accept, refuse and answer.

use crate::harness::{Call, Receiver, Relay, Scripted, Setup, eventually};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tekton_events_relay::demo::{Recorded, read_recording};

/// A call, its answer and its record, on a busy machine.
const WITHIN: Duration = Duration::from_secs(20);

fn file(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/field").join(name)
}

fn events(name: &str) -> Vec<Recorded> {
    read_recording(&file(name)).unwrap()
}

fn answers(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(file(name)).unwrap()).unwrap()
}

/// One GitHub instance with one action.
fn github(base_url: &str, action: &str) -> Setup {
    let setup = Setup::empty();
    setup.write("token", "right");
    let token = setup.path("token").display().to_string();
    let text = format!(
        r#"retry: {{ initial_backoff: 20ms, max_backoff: 200ms }}
store: {{ free_bytes_min: 0 }}
scm:
  github:
    - name: hub
      base_url: "{base_url}"
      auth: {{ secret_file: "{token}" }}
      actions:
        - {action}
"#
    );
    setup.write("relay.yaml", &text);
    setup
}

fn statuses(receiver: &Receiver) -> Setup {
    github(&receiver.url(), "{name: checks, type: commit_status}")
}

/// The effects of the run with this uid once one of them meets the condition.
async fn effect(relay: &Relay<'_>, uid: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    eventually("the effect is as expected", WITHIN, async || {
        let run = relay.get(&format!("/api/v1/runs/{uid}")).await;
        run["effects"].as_array().unwrap().iter().find(|effect| is_so(effect)).cloned()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn f05_a_status_has_no_character_that_github_refuses() {
    let receiver = Receiver::start().await;
    let refusal = answers("05-answers.json");
    receiver.answer(move |call| {
        let texts = [&call.body["description"], &call.body["context"]];
        let is_refused = texts.into_iter().any(|text| {
            text.as_str().unwrap_or_default().chars().any(|next| u32::from(next) > 0xFFFF)
        });
        let body = refusal["body"].clone();
        is_refused.then(|| Scripted { status: 422, body, ..Scripted::default() })
    });
    let setup = statuses(&receiver);
    let relay = Relay::start(&setup).await;
    relay.take(&events("05-four-byte-characters.jsonl")).await;
    relay.settled().await;
    assert_eq!(relay.dead_letters().await.len(), 0);
    let taken = receiver.seen().statuses();
    let last = taken.last().map(|(_, state, text)| (state.as_str(), text.as_str()));
    assert_eq!(last, Some(("success", "all 12 checks passed")));
    relay.kill_nine().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f08_a_status_reaches_a_repository_that_was_moved() {
    for answer in answers("08-answers.json").as_array().unwrap() {
        let receiver = Receiver::start().await;
        let (status, body) = (answer["status"].as_u64().unwrap(), answer["body"].clone());
        let location = answer["headers"]["location"].as_str().unwrap().to_owned();
        receiver.answer(move |call| {
            let sha = call.path.strip_prefix("/repos/acme/app/statuses/")?;
            let location = location.replace("{sha}", sha);
            let headers = vec![("location", location)];
            let status = u16::try_from(status).unwrap();
            Some(Scripted { status, headers, body: body.clone() })
        });
        let setup = statuses(&receiver);
        let relay = Relay::start(&setup).await;
        relay.take(&events("08-one-run.jsonl")).await;
        relay.settled().await;
        assert_eq!(relay.dead_letters().await.len(), 0, "{status}");
        let seen = receiver.seen();
        let states: Vec<_> = seen.statuses().into_iter().map(|(_, state, _)| state).collect();
        assert_eq!(states, ["success"], "{status}");
        let moved = seen.taken().next().unwrap();
        assert!(moved.path.starts_with("/repositories/42/statuses/"), "{}", moved.path);
        assert_eq!(moved.headers["authorization"], "Bearer right");
        relay.kill_nine().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f08_a_redirect_to_another_server_is_a_dead_letter_that_says_so() {
    let (receiver, other) = (Receiver::start().await, Receiver::start().await);
    let elsewhere = format!("{}/repositories/42/statuses/x", other.url());
    receiver.answer(move |_| {
        let headers = vec![("location", elsewhere.clone())];
        Some(Scripted { status: 307, headers, ..Scripted::default() })
    });
    let setup = statuses(&receiver);
    let relay = Relay::start(&setup).await;
    relay.take(&events("08-one-run.jsonl")).await;
    relay.settled().await;
    let letters = Value::from(relay.dead_letters().await).to_string();
    assert!(letters.contains("redirected to another host"), "{letters}");
    assert_eq!(receiver.seen().calls.len(), 1);
    assert_eq!(other.seen().calls.len(), 0);
    relay.kill_nine().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f09_a_comment_that_was_submitted_too_quickly_waits_a_minute() {
    let receiver = Receiver::start().await;
    let first = answers("09-answers.json");
    receiver.answer(move |call| {
        let (status, body) = (422, first["body"].clone());
        (call.method == http::Method::POST).then(|| Scripted {
            status,
            body,
            ..Scripted::default()
        })
    });
    let setup = github(&receiver.url(), "{name: notes, type: pr_comment, mode: upsert}");
    let relay = Relay::start(&setup).await;
    let before = unix_millis();
    relay.take(&events("09-comment.jsonl")).await;
    let uid = "11111111-0000-4000-8000-000000000023";
    let waiting = effect(&relay, uid, |effect| effect["last_failure"].is_object()).await;
    assert_eq!((&waiting["status"], &waiting["attempts"]), (&json!("waiting"), &json!(1)));
    assert_eq!(waiting["last_failure"]["kind"], "rate_limited");
    let due: jiff::Timestamp = waiting["not_before"].as_str().unwrap().parse().unwrap();
    let due = u64::try_from(due.as_millisecond()).unwrap();
    // Replicated time follows the clock of this machine to within some seconds.
    assert!(due >= before + 55_000, "due {} ms after it was sent", due - before);
    assert_eq!(relay.dead_letters().await.len(), 0);
    relay.kill_nine().await;
}

fn unix_millis() -> u64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn f13_a_token_is_sent_without_the_byte_order_mark_of_its_file() {
    let receiver = Receiver::start().await;
    let is_right = |call: &Call| {
        call.headers.get("authorization").is_some_and(|value| value == "Bearer ghp_example")
    };
    receiver.refuse(move |call| (!is_right(call)).then_some(401));
    let setup = statuses(&receiver);
    std::fs::copy(file("13-token-with-bom.txt"), setup.path("token")).unwrap();
    let relay = Relay::start(&setup).await;
    relay.take(&events("08-one-run.jsonl")).await;
    relay.settled().await;
    assert_eq!(relay.dead_letters().await.len(), 0);
    assert_eq!(receiver.seen().statuses().len(), 1);
    relay.kill_nine().await;
}

/// A TLS server with a self-signed certificate. Returns its port.
async fn private_server() -> u16 {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let signed = rcgen::generate_simple_self_signed(names).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(signed.signing_key.serialize_der().into());
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = acceptor.accept(stream).await;
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn f15_a_certificate_that_is_not_trusted_is_said_to_be_so() {
    let port = private_server().await;
    let setup = Setup::empty();
    setup.write("token", "s3cret-token");
    let config = std::fs::read_to_string(file("15-private-ca.yaml")).unwrap();
    assert!(config.contains(":9443"), "{config}");
    let store = "store: {free_bytes_min: 0}\n";
    setup.write("relay.yaml", &format!("{store}{}", config.replace("9443", &port.to_string())));
    let relay = Relay::start(&setup).await;
    relay.take(&events("08-one-run.jsonl")).await;
    let uid = "11111111-0000-4000-8000-000000000022";
    let waiting = effect(&relay, uid, |effect| effect["last_failure"].is_object()).await;
    let failure = &waiting["last_failure"];
    assert_eq!(failure["kind"], "network");
    let detail = failure["detail"].as_str().unwrap();
    assert!(detail.starts_with("the certificate of the target is not trusted"), "{detail}");
    for told in ["s3cret-token", "9443", "127.0.0.1", "/api/v3"] {
        assert!(!detail.contains(told), "{detail}");
    }
    relay.kill_nine().await;
}

/// This many finished runs, each a different run.
fn finished_runs(count: usize) -> Vec<Recorded> {
    let one = events("08-one-run.jsonl").remove(0);
    let copy = |number: usize| {
        let text = String::from_utf8(one.body.clone()).unwrap();
        let text = text.replace("000000000022", &format!("0000001{number:05}"));
        let text = text.replace("ci-1", &format!("ci-{}", number + 1000));
        let mut copy = one.clone();
        copy.body = text.into_bytes();
        for (name, value) in &mut copy.headers {
            if name == "ce-id" {
                *value = format!("{number}");
            }
        }
        copy
    };
    (0..count).map(copy).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn f17_a_target_that_takes_a_message_at_a_time_is_called_at_most_twice_for_each() {
    const RUNS: usize = 20;
    const APART: Duration = Duration::from_millis(200);
    let receiver = Receiver::start().await;
    let mut last: Option<Instant> = None;
    receiver.answer(move |_| {
        let now = Instant::now();
        if last.is_none_or(|last| now >= last + APART) {
            last = Some(now);
            return None;
        }
        let headers = vec![("retry-after", "1".to_owned())];
        Some(Scripted { status: 429, headers, ..Scripted::default() })
    });
    let setup = Setup::empty();
    setup.write("url", &format!("{}/slack", receiver.url()));
    let url = setup.path("url").display().to_string();
    let slack =
        format!("notifiers: {{slack: [{{name: team, auth: {{webhook_url_file: \"{url}\"}}}}]}}");
    let retry = "retry: {initial_backoff: 20ms, max_backoff: 200ms}";
    setup.write("relay.yaml", &format!("{retry}\nstore: {{free_bytes_min: 0}}\n{slack}\n"));
    let relay = Relay::start(&setup).await;
    relay.take(&finished_runs(RUNS)).await;
    relay.settled().await;
    let seen = receiver.seen();
    assert_eq!(seen.taken().count(), RUNS);
    assert!(seen.calls.len() <= 2 * RUNS, "{} calls for {RUNS} messages", seen.calls.len());
    assert_eq!(relay.dead_letters().await.len(), 0);
    relay.kill_nine().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_answer_breaks_off_is_sent_once() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let calls = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let mut request = vec![0; 64 * 1024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhal").await;
        }
    });
    let setup = Setup::empty();
    setup.write("url", &format!("http://{address}/hook"));
    let url = setup.path("url").display().to_string();
    let hook = format!("notifiers: {{webhook: [{{name: hook, url_file: \"{url}\"}}]}}");
    setup.write("relay.yaml", &format!("store: {{free_bytes_min: 0}}\n{hook}\n"));
    let relay = Relay::start(&setup).await;
    relay.take(&events("08-one-run.jsonl")).await;
    relay.settled().await;
    assert_eq!(relay.dead_letters().await.len(), 0);
    assert_eq!(calls.load(std::sync::atomic::Ordering::SeqCst), 1);
    relay.kill_nine().await;
}
