//! Wrong credentials: one attempt, a dead letter that says so, and a replay once they are right.

use crate::harness::{Call, Receiver, Relay, Scripted, Setup, recorded, run};
use serde_json::{Value, json};

/// Refuses calls to GitHub's paths without the right token.
fn needs_the_right_token(call: &Call) -> Option<u16> {
    let is_right = call.headers.get("authorization").is_some_and(|token| token == "Bearer right");
    (call.path.starts_with("/repos/") && !is_right).then_some(401)
}

/// A relay with a wrong GitHub token that received all events.
async fn refused<'s>(receiver: &Receiver, setup: &'s Setup) -> Relay<'s> {
    receiver.refuse(needs_the_right_token);
    setup.write("github-token", "wrong");
    let relay = Relay::start(setup).await;
    relay.take(&recorded().0).await;
    relay.settled().await;
    relay
}

fn assert_all_shown(receiver: &Receiver) {
    let seen = receiver.seen();
    let checks = seen.checks();
    for (check, state) in recorded().1 {
        assert_eq!(checks.get(&check), Some(&state), "{check:?}");
    }
    let threads = seen.threads();
    assert_eq!(threads.len(), 4);
    assert!(threads.values().all(|comments| comments.len() == 1), "{threads:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_credentials_are_dead_letters_at_once_and_replayed_when_right() {
    let receiver = Receiver::start().await;
    let setup = Setup::of(&receiver);
    let relay = refused(&receiver, &setup).await;
    let letters = relay.dead_letters().await;
    for letter in &letters {
        assert_eq!(letter["effect"]["cause"], "auth", "{letter}");
        assert_eq!(letter["effect"]["integration"], "github", "{letter}");
        assert_eq!(letter["effect"]["attempts"], 1, "{letter}");
    }
    assert_eq!(receiver.seen().refused(), letters.len(), "each was tried once");
    let webhooks = receiver.seen().webhooks().len();
    assert_eq!(webhooks, recorded().0.len(), "others are not held up");

    setup.write("github-token", "right");
    let answer = relay.post("/api/v1/dlq/replay", &json!({})).await;
    assert_eq!(answer["replayed"], letters.len());
    relay.settled().await;
    assert_eq!(relay.dead_letters().await.len(), 0);
    assert_all_shown(&receiver);
    assert_eq!(receiver.seen().webhooks().len(), webhooks, "a replay is for its route only");
    relay.kill_nine().await;
}

/// A GitHub that takes calls with `Bearer installed` alone, and gives that to whoever shows a signed
/// token.
fn knows_the_app(call: &Call) -> Option<Scripted> {
    let token = call.headers.get("authorization")?.to_str().ok()?;
    if call.path == "/app/installations/7/access_tokens" {
        assert_eq!(token.split('.').count(), 3, "a JWT has three parts");
        let body = json!({"token": "installed", "expires_at": "2096-01-01T00:00:00Z"});
        return Some(Scripted { status: 201, body, ..Scripted::default() });
    }
    let is_wrong = call.path.starts_with("/repos/") && token != "Bearer installed";
    is_wrong.then(|| Scripted { status: 401, ..Scripted::default() })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_github_app_writes_all_with_one_token_of_its_installation() {
    let receiver = Receiver::start().await;
    receiver.answer(knows_the_app);
    let setup = Setup::of(&receiver);
    let key = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys/rsa-pkcs1.pem");
    let token = format!("secret_file: \"{}\"", setup.path("github-token").display());
    let app = format!("app_id: 42, installation_id: 7, private_key_file: {key}");
    setup.change_config(&token, &app);
    let relay = Relay::start(&setup).await;
    relay.take(&recorded().0).await;
    relay.settled().await;
    assert_eq!(relay.dead_letters().await.len(), 0);
    assert_all_shown(&receiver);
    let seen = receiver.seen();
    let exchanges = seen.calls.iter().filter(|call| call.path.ends_with("/access_tokens")).count();
    assert_eq!((exchanges, seen.refused()), (1, 0));
    relay.kill_nine().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_lists_and_replays_dead_letters() {
    let receiver = Receiver::start().await;
    let setup = Setup::of(&receiver);
    let relay = refused(&receiver, &setup).await;
    let letters = relay.dead_letters().await.len();
    let url = relay.url("");

    let listed = run(setup.folder(), &["dlq", "list", "--url", &url]).await;
    assert_eq!((listed.code, listed.stderr.as_str()), (Some(0), ""));
    let last = format!("{letters} of {letters} dead letters");
    assert_eq!(listed.stdout.lines().last(), Some(last.as_str()));
    assert_eq!(listed.stdout.matches("auth: ").count(), letters, "{}", listed.stdout);
    let as_json = ["dlq", "list", "--url", &url, "--output", "json", "--limit", "2"];
    let page: Value = serde_json::from_str(&run(setup.folder(), &as_json).await.stdout).unwrap();
    assert_eq!((&page["count"], &page["total"]), (&json!(2), &json!(letters)));

    setup.write("github-token", "right");
    let none = ["dlq", "replay", "--url", &url, "--provider", "gitlab"];
    assert_eq!(run(setup.folder(), &none).await.stdout, "0 queued again\n");
    let replayed = run(setup.folder(), &["dlq", "replay", "--url", &url]).await;
    assert_eq!(replayed.stdout, format!("{letters} queued again\n"));
    relay.settled().await;
    assert_all_shown(&receiver);

    relay.kill_nine().await;
    let unanswered = run(setup.folder(), &["dlq", "list", "--url", &url]).await;
    assert_eq!(unanswered.code, Some(1));
    assert!(unanswered.stderr.contains("no answer from"), "{}", unanswered.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_told_by_dead_letters_logs_or_metrics() {
    let receiver = Receiver::start().await;
    let setup = Setup::of(&receiver);
    receiver.refuse(|_| Some(401));
    setup.write("github-token", "s3cr3t-token");
    setup.write("slack-url", &format!("{}/slack/s3cr3t-path", receiver.url()));
    let relay = Relay::start(&setup).await;
    relay.take(&recorded().0).await;
    relay.settled().await;
    let told = Value::from(relay.dead_letters().await).to_string();
    assert!(told.contains("\"slack\"") && !told.contains("s3cr3t"), "{told}");
    assert!(!relay.log().contains("s3cr3t"), "{}", relay.log());
    let metrics = relay.metrics().await;
    assert!(metrics.contains("auth") && !metrics.contains("s3cr3t"), "{metrics}");
    relay.kill_nine().await;
}
