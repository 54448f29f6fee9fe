//! The answers to a sender, or to a broker between it and the relay.

use crate::harness::{Relay, Setup, client, recorded};
use crate::shared::headers_of;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use std::io::Write as _;
use std::path::Path;
use tekton_events_relay::demo::{Recorded, read_recording};

fn request(relay: &Relay<'_>, event: &Recorded) -> reqwest::RequestBuilder {
    let post = client().post(relay.url("/"));
    headers_of(event).fold(post, |post, (name, value)| post.header(name, value))
}

fn broker_event() -> Recorded {
    let file = "tests/field/07-broker-reply.jsonl";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    read_recording(&file).unwrap().swap_remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn f07_a_broker_is_answered_without_a_body() {
    let setup = Setup::empty();
    let relay = Relay::start(&setup).await;
    let event = broker_event();
    let plain = event.headers.iter().filter(|(name, _)| {
        let name = name.to_ascii_lowercase();
        name != "prefer" && !name.starts_with("ce-knative")
    });
    let plain = Recorded { headers: plain.cloned().collect(), body: event.body.clone() };
    let answered = async |event: &Recorded, headers: &[(&str, &str)]| {
        let post = request(&relay, event).body(event.body.clone());
        let post = headers.iter().fold(post, |post, (name, value)| post.header(*name, *value));
        let answer = post.send().await.unwrap();
        let kind = answer.headers().get("content-type").is_some();
        (answer.status().as_u16(), kind, answer.text().await.unwrap().is_empty())
    };
    let without_body = (202, false, true);
    assert_eq!(answered(&event, &[]).await, without_body);
    assert_eq!(answered(&plain, &[("prefer", "respond-async, Reply")]).await, without_body);
    assert_eq!(answered(&plain, &[("kn-namespace", "ci")]).await, without_body);
    assert_eq!(answered(&plain, &[("ce-knativehistory", "channel")]).await, without_body);
    assert_eq!(answered(&plain, &[]).await, (202, true, false));
    assert_eq!(answered(&plain, &[("prefer", "replyless")]).await, (202, true, false));
    relay.kill_nine().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_event_is_taken_and_bounded_by_what_it_inflates_to() {
    let setup = Setup::empty();
    let relay = Relay::start(&setup).await;
    let event = recorded().0.swap_remove(0);
    let gzip = |content: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    };
    let sent = async |encoding: &str, body: Vec<u8>| {
        let post = request(&relay, &event).header("content-encoding", encoding).body(body);
        let answer = post.send().await.unwrap();
        let accepts = answer.headers().get("accept-encoding").cloned();
        let status = answer.status().as_u16();
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        (status, accepts, body)
    };
    let (status, _, body) = sent("gzip", gzip(&event.body)).await;
    assert_eq!((status, &body["fate"]), (202, &Value::from("accepted")), "{body}");
    let (status, _, body) = sent("identity", event.body.clone()).await;
    assert_eq!((status, &body["fate"]), (202, &Value::from("duplicate")), "{body}");
    let (status, _, body) = sent("gzip", gzip(&vec![b' '; 50 << 20])).await;
    assert_eq!(status, 413, "{body}");
    let (status, _, body) = sent("gzip", event.body.clone()).await;
    assert_eq!(status, 400, "{body}");
    for other in ["br", "deflate", "gzip, gzip"] {
        let (status, accepts, body) = sent(other, event.body.clone()).await;
        assert_eq!((status, accepts.unwrap().to_str().unwrap()), (415, "gzip, identity"), "{body}");
    }
    relay.kill_nine().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_event_is_answered_with_the_place_of_its_run() {
    let setup = Setup::empty();
    let relay = Relay::start(&setup).await;
    let event = recorded().0.swap_remove(0);
    let answer = request(&relay, &event).body(event.body.clone()).send().await.unwrap();
    let place = answer.headers()["location"].to_str().unwrap().to_owned();
    let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(relay.get(&place).await["uid"], body["run_uid"]);
    relay.kill_nine().await;
}
