//! Bad input is refused by name, with an answer that the sender interprets correctly.

use crate::harness::{Relay, Setup, client, eventually, recorded};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const TEKTON_TYPE: &str = "dev.tekton.event.pipelinerun.started.v1";
const STRUCTURED: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";

/// The relay waits 10 s for a body; twice that is for a busy machine.
const CUT_OFF_WITHIN: Duration = Duration::from_secs(20);

/// A request and its required answer.
struct Case {
    what: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    body: String,
    status: u16,
    problem: &'static str,
    /// What the detail must name.
    named: &'static str,
}

/// The headers of an event in binary mode, with some of them replaced or, by "", left out.
fn binary(changed: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    let mut headers = vec![
        ("ce-specversion", "1.0"),
        ("ce-id", "one"),
        ("ce-source", "/test"),
        ("ce-type", TEKTON_TYPE),
        ("content-type", "application/json"),
    ];
    for (name, value) in changed {
        headers.retain(|(known, _)| known != name);
        headers.push((name, value));
    }
    headers.retain(|(_, value)| !value.is_empty());
    headers
}

fn refused() -> Vec<Case> {
    let case = |what, headers, body: &str, status, problem, named| {
        let body = body.to_owned();
        Case { what, headers, body, status, problem, named }
    };
    let bad_event = "invalid-cloudevent";
    let plain = vec![("content-type", "application/json")];
    let structured = vec![("content-type", STRUCTURED)];
    let batch = vec![("content-type", BATCH)];
    let no_id = r#"[{"specversion":"1.0","source":"/s","type":"t"}]"#;
    let as_xml = binary(&[("content-type", "text/xml")]);
    let xml = vec![("content-type", "application/cloudevents+xml")];
    vec![
        case("no CloudEvent", plain, "{}", 400, bad_event, "ce-specversion"),
        case("empty id", binary(&[("ce-id", " ")]), "{}", 400, bad_event, "id"),
        case("no id", binary(&[("ce-id", "")]), "{}", 400, bad_event, "id"),
        case("no source", binary(&[("ce-source", "")]), "{}", 400, bad_event, "source"),
        case("no type", binary(&[("ce-type", "")]), "{}", 400, bad_event, "type"),
        case("version", binary(&[("ce-specversion", "2.0")]), "{}", 400, bad_event, "\"2.0\""),
        case("time", binary(&[("ce-time", "noon")]), "{}", 400, bad_event, "\"noon\""),
        case("broken data", binary(&[]), "{\"pipelineRun\":", 400, bad_event, "JSON"),
        case("broken envelope", structured, "{", 400, bad_event, "JSON"),
        case("batch of one bad event", batch.clone(), no_id, 400, bad_event, "id"),
        case("batch that is no list", batch, "{}", 400, bad_event, "JSON"),
        case("no run", binary(&[]), "{}", 400, "invalid-run-data", "pipelineRun"),
        case("not JSON", as_xml, "<a/>", 415, "unsupported-media-type", "text/xml"),
        case("format", xml, "<a/>", 415, "unsupported-media-type", "cloudevents+xml"),
        Case {
            body: " ".repeat(5 << 20),
            ..case("5 MiB", binary(&[]), "", 413, "body-too-large", "4194304")
        },
    ]
}

async fn answer(relay: &Relay<'_>, headers: &[(&str, &str)], body: String) -> (u16, String, Value) {
    let mut post = client().post(relay.url("/")).body(body);
    for (name, value) in headers {
        post = post.header(*name, *value);
    }
    // A body too large to be read is answered while it is still being sent, which can break the
    // connection before the answer is read. Tekton retries both.
    let answer = eventually("an answer", CUT_OFF_WITHIN, async || {
        post.try_clone().unwrap().send().await.ok()
    })
    .await;
    let status = answer.status().as_u16();
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    (status, kind, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_named_and_nothing_is_stored() {
    let setup = Setup::empty();
    let relay = Relay::start(&setup).await;
    for case in refused() {
        let what = case.what;
        let (status, kind, body) = answer(&relay, &case.headers, case.body).await;
        assert_eq!(status, case.status, "{what}: {body}");
        assert_eq!(kind, "application/problem+json", "{what}");
        assert_eq!(body["status"], case.status, "{what}: {body}");
        let problem = format!("urn:tekton-events-relay:problem:{}", case.problem);
        assert_eq!(body["type"], problem, "{what}: {body}");
        let detail = body["detail"].as_str().unwrap();
        assert!(detail.contains(case.named), "{what}: {detail}");
    }
    assert_eq!(relay.gauge("runs_live").await, 0);
    relay.kill_nine().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn types_of_others_are_acknowledged_and_ignored() {
    let setup = Setup::empty();
    let relay = Relay::start(&setup).await;
    let headers = binary(&[("ce-type", "com.example.object.changed")]);
    let (status, _, body) = answer(&relay, &headers, "{\"any\": 1}".to_owned()).await;
    assert_eq!((status, &body["fate"]), (202, &json!("ignored")));
    relay.kill_nine().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_answered_event_by_event() {
    let setup = Setup::empty();
    let relay = Relay::start(&setup).await;
    let run: Value = serde_json::from_slice(&recorded().0[0].body).unwrap();
    let event = |id: &str, event_type: &str, data: &Value| json!({"specversion": "1.0", "id": id, "source": "/s", "type": event_type, "data": data});
    let batch = json!([
        event("1", "com.example.other", &json!({})),
        event("2", "dev.tekton.event.pipelinerun.queued.v1", &run),
        event("3", "dev.tekton.event.pipelinerun.queued.v1", &run),
    ]);
    let headers = [("content-type", BATCH)];
    let (status, _, body) = answer(&relay, &headers, batch.to_string()).await;
    let items = body.as_array().unwrap().iter();
    let fates: Vec<&str> = items.map(|item| item["fate"].as_str().unwrap()).collect();
    assert_eq!((status, fates), (202, vec!["ignored", "accepted", "duplicate"]));
    assert_eq!(body[1]["run_uid"], run["pipelineRun"]["metadata"]["uid"]);
    relay.kill_nine().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_with_one_bad_event_is_refused_whole() {
    let setup = Setup::empty();
    let relay = Relay::start(&setup).await;
    let run: Value = serde_json::from_slice(&recorded().0[0].body).unwrap();
    let queued = "dev.tekton.event.pipelinerun.queued.v1";
    let good =
        json!({"specversion": "1.0", "id": "1", "source": "/s", "type": queued, "data": run});
    let bad = json!({"specversion": "1.0", "id": "2", "source": "/s", "type": queued, "data": {}});
    let headers = [("content-type", BATCH)];
    let (status, _, body) = answer(&relay, &headers, json!([good, bad]).to_string()).await;
    assert_eq!(status, 400, "{body}");
    assert_eq!(relay.gauge("runs_live").await, 0);
    relay.kill_nine().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_posts_bring_events() {
    let setup = Setup::empty();
    let relay = Relay::start(&setup).await;
    for path in ["/", "/events", "/api/v1/nothing"] {
        let answer = client().get(relay.url(path)).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{path}");
    }
    relay.kill_nine().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_16_a_body_that_does_not_arrive_gets_no_final_answer() {
    let setup = Setup::empty();
    let relay = Relay::start(&setup).await;
    let mut connection = TcpStream::connect(&setup.address).await.unwrap();
    let head = "POST / HTTP/1.1\r\nhost: relay\r\ncontent-length: 100\r\n\r\n{\"pipe";
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = connection.read_to_string(&mut answer);
    // The relay closes; a reset has the same effect for the sender.
    let _ = tokio::time::timeout(CUT_OFF_WITHIN, read).await.expect("the relay closes");
    assert_eq!(answer, "");
    relay.kill_nine().await;
}
