//! Forged events: a sender that makes false claims.

use crate::harness::{Receiver, Relay, Setup, client, eventually, recorded};
use crate::shared::headers_of;
use std::time::Duration;
use tekton_events_relay::demo::Recorded;

const PASSWORD: &str = "s3cr3t-password-of-tekton";
const TOKEN: &str = "s3cr3t-token-in-the-path";

/// A changed file is read within a second; the rest is for a busy machine.
const REREAD_WITHIN: Duration = Duration::from_secs(20);

/// A relay that requires a password or a token in the path from senders.
fn guarded(receiver: &Receiver) -> Setup {
    let setup = Setup::of(receiver);
    setup.write("user", "tekton\n");
    setup.write("password", PASSWORD);
    setup.write("token", TOKEN);
    let auth = "[{type: basic, username_file: ./user, password_file: ./password}, \
                 {type: path_token, secret_file: ./token}]";
    setup.change_config("store:", &format!("server: {{ auth: {auth} }}\nstore:"));
    setup
}

/// Posts an event to a path, with the user and password of the URL, as Tekton does.
async fn post(relay: &Relay<'_>, sink: &str, event: &Recorded) -> u16 {
    let url = relay.url("").replace("http://", "");
    let (credentials, path) = sink.split_once('/').unwrap();
    let mut post = client().post(format!("http://{credentials}{url}/{path}"));
    for (name, value) in headers_of(event) {
        post = post.header(name, value);
    }
    let answer = post.body(event.body.clone()).send().await.unwrap();
    if answer.status() == 401 {
        assert!(answer.headers().contains_key("www-authenticate"), "{sink}");
    }
    answer.status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn s01a_an_event_without_the_credentials_writes_nothing() {
    let receiver = Receiver::start().await;
    let setup = guarded(&receiver);
    let relay = Relay::start(&setup).await;
    let event = recorded().0.swap_remove(0);
    for sink in [
        "/",
        "/ingest",
        "tekton:wrong@/",
        "tekton:@/",
        ":s3cr3t-password-of-tekton@/",
        "/ingest/s3cr3t-token-in-the-pat",
        "/s3cr3t-token-in-the-path/ingest",
        "/ingest?s3cr3t-token-in-the-path",
        "s3cr3t-token-in-the-path:s3cr3t-token-in-the-path@/",
    ] {
        assert_eq!(post(&relay, sink, &event).await, 401, "{sink}");
    }
    assert_eq!(relay.gauge("runs_live").await, 0);
    let unauthorized = "tekton_events_relay_events_refused_total{reason=\"unauthorized\"}";
    assert_eq!(relay.metric(unauthorized).await, 9);
    relay.settled().await;
    assert_eq!(receiver.seen().taken().count(), 0, "nothing was written anywhere");
    let by_password = format!("tekton:{PASSWORD}@/ingest/any");
    assert_eq!(post(&relay, &by_password, &event).await, 202);
    assert_eq!(post(&relay, &format!("/ingest/{TOKEN}"), &recorded().0[1]).await, 202);
    let log = relay.log();
    assert!(log.contains("a sender without right credentials was refused"), "{log}");
    assert!(!log.contains("s3cr3t") && !relay.metrics().await.contains("s3cr3t"), "{log}");
    relay.kill_nine().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s01a_a_secret_is_rotated_without_a_restart_and_one_that_is_gone_opens_nothing() {
    let receiver = Receiver::start().await;
    let setup = guarded(&receiver);
    let relay = Relay::start(&setup).await;
    let events = recorded().0;
    let (old, new) = (format!("/{TOKEN}"), "/another-token-of-16-bytes");
    let answered = async |sink: &str, status: u16| {
        eventually(&format!("{sink} is answered {status}"), REREAD_WITHIN, async || {
            (post(&relay, sink, &events[0]).await == status).then_some(())
        })
        .await;
    };
    setup.write("token", &format!("another-token-of-16-bytes\n{TOKEN}\n"));
    answered(new, 202).await;
    answered(&old, 202).await;
    setup.write("token", "another-token-of-16-bytes\n");
    answered(&old, 401).await;
    answered(new, 202).await;
    // Unreadable credentials are the relay's own failure: the sender must retry.
    std::fs::remove_file(setup.path("token")).unwrap();
    answered(new, 503).await;
    answered(&format!("tekton:{PASSWORD}@/"), 202).await;
    relay.kill_nine().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s01a_a_relay_that_takes_events_from_everybody_says_so() {
    let mut setup = Setup::empty();
    let port = setup.address.rsplit(':').next().unwrap().to_owned();
    let local = Relay::start(&setup).await;
    assert_eq!(local.get("/api/v1/cluster").await["warnings"], serde_json::json!([]));
    local.kill_nine().await;
    setup.address = format!("0.0.0.0:{port}");
    let open = Relay::start(&setup).await;
    let told = "whoever reaches server.addr may send events";
    for path in ["/readyz", "/api/v1/cluster"] {
        let warnings = open.get(path).await["warnings"].clone();
        assert!(warnings[0].as_str().unwrap().starts_with(told), "{path}: {warnings}");
    }
    assert!(open.log().contains(told), "{}", open.log());
    open.kill_nine().await;
}
