//! What a replica says of itself in each of its conditions.

use crate::api::fixture::Bench;
use crate::cluster::{Backend, Options};
use crate::config::OnQuorumLoss;
use crate::event::recorded;
use crate::state_machine::Settings;
use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::{Value, json};

/// Readiness: the code, the status in words, the part that is missing. Liveness holds beside it.
async fn told(bench: &Bench) -> (StatusCode, Value, Value) {
    assert_eq!(bench.get("/healthz").await, (StatusCode::OK, String::new()));
    let (code, body) = bench.get("/readyz").await;
    let body: Value = serde_json::from_str(&body).unwrap();
    (code, body["status"].clone(), body["reason"].clone())
}

fn unavailable(reason: &str) -> (StatusCode, Value, Value) {
    (StatusCode::SERVICE_UNAVAILABLE, json!("unavailable"), json!(reason))
}

#[tokio::test]
async fn a_replica_that_can_confirm_events_is_ready() {
    let bench = Bench::alone().await;
    assert_eq!(told(&bench).await, (StatusCode::OK, json!("ok"), Value::Null));
    let (_, body) = bench.get("/readyz").await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["leader"], json!(bench.api.cluster.node_id().to_string()));
    assert_eq!((&body["spooled"], &body["backlog"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn a_replica_that_stops_is_not_ready_and_still_alive() {
    let bench = Bench::alone().await;
    bench.api.drain.cancel();
    assert_eq!(told(&bench).await, unavailable("draining"));
}

#[tokio::test]
async fn rule_15_a_low_disk_is_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    let backend = Backend::Disk(folder.path().to_owned());
    let options = Options { backend, free_bytes_min: u64::MAX, ..Options::default() };
    assert_eq!(told(&Bench::start(options).await).await, unavailable("disk"));
}

#[tokio::test]
async fn rule_14_a_state_that_is_full_of_what_is_owed_refuses_new_runs_and_says_so() {
    let settings = Settings { runs_max: 1, ..Settings::default() };
    let bench = Bench::start(Options { settings, ..Options::default() }).await;
    assert_eq!(told(&bench).await, (StatusCode::OK, json!("ok"), Value::Null));
    let mut problems = Vec::new();
    for (headers, body) in recorded().into_iter().take(4) {
        let request = headers.iter().fold(Request::post("/"), |request, (name, value)| {
            request.header(name.as_str(), value.as_str())
        });
        let (code, answer) = bench.send(request.body(Body::from(body)).unwrap()).await;
        if code == StatusCode::SERVICE_UNAVAILABLE {
            let answer: Value = serde_json::from_str(&answer).unwrap();
            problems.push(answer["type"].clone());
        }
    }
    assert!(!problems.is_empty(), "one record, and several runs");
    assert!(problems.iter().all(|problem| problem == "urn:tekton-events-relay:problem:state-full"));
    assert_eq!(told(&bench).await, (StatusCode::OK, json!("degraded"), json!("memory")));
    let (_, body) = bench.get("/readyz").await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["memory"]["bytes_max"], json!(256 << 20));
    assert!(body["memory"]["bytes"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn a_replica_that_never_was_a_member_is_not_ready_and_spools_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::left(folder.path(), false, OnQuorumLoss::Spool).await;
    assert_eq!(told(&bench).await, unavailable("leader"));
}

#[tokio::test]
async fn rule_13_a_member_without_quorum_that_spools_is_ready_and_degraded() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::left(folder.path(), true, OnQuorumLoss::Spool).await;
    assert_eq!(told(&bench).await, (StatusCode::OK, json!("degraded"), json!("quorum")));

    let (headers, body) = recorded().swap_remove(0);
    let request = headers.iter().fold(Request::post("/"), |request, (name, value)| {
        request.header(name.as_str(), value.as_str())
    });
    let (code, answer) = bench.send(request.body(Body::from(body)).unwrap()).await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((code, &answer["fate"]), (StatusCode::ACCEPTED, &json!("spooled")));
    let (_, body) = bench.get("/readyz").await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&body["spooled"], &body["leader"]), (&json!(1), &Value::Null));

    bench.api.drain.cancel();
    assert_eq!(told(&bench).await, unavailable("draining"));
}

#[tokio::test]
async fn rule_13_a_member_without_quorum_that_refuses_is_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::left(folder.path(), true, OnQuorumLoss::Reject).await;
    assert_eq!(told(&bench).await, unavailable("leader"));
}
