//! The answer to events by what the replica is doing.

use super::super::router;
use super::*;
use crate::clock::{Clock, SystemClock};
use crate::cluster::{Cluster, Options};
use crate::event::{Keep, recorded};
use crate::telemetry::Metrics;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

async fn api() -> Api {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let cluster = Cluster::start(Options::default(), Arc::clone(&clock)).await.unwrap();
    Api {
        cluster: Arc::new(cluster),
        metrics: Arc::new(Metrics::new().unwrap()),
        clock,
        keep: Arc::new(Keep::All),
        body_bytes_max: BODY_BYTES_MAX,
        admin_token: None,
        drain: CancellationToken::new(),
    }
}

/// Status and body of the answer to one request.
async fn asked(api: &Api, request: http::Request<Body>) -> (StatusCode, Value) {
    let answer = router(api.clone()).oneshot(request).await.unwrap();
    let status = answer.status();
    let body = axum::body::to_bytes(answer.into_body(), BODY_BYTES_MAX).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

fn event(number: usize) -> http::Request<Body> {
    let (headers, body) = recorded().swap_remove(number);
    let request = http::Request::post("/");
    let request =
        headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    request.body(Body::from(body)).unwrap()
}

#[tokio::test]
async fn a_replica_that_drains_is_unready_and_takes_events_until_its_listener_closes() {
    let api = api().await;
    let ready = || http::Request::get("/readyz").body(Body::empty()).unwrap();
    assert_eq!(asked(&api, ready()).await.0, StatusCode::OK);
    api.drain.cancel();
    let (status, body) = asked(&api, ready()).await;
    assert_eq!((status, &body["reason"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("draining")));
    let (status, body) = asked(&api, event(0)).await;
    assert_eq!((status, &body["fate"]), (StatusCode::ACCEPTED, &json!("accepted")));
    // What comes after the log is closed is the sender's to repeat.
    api.cluster.shutdown().await;
    assert_eq!(asked(&api, event(1)).await.0, StatusCode::SERVICE_UNAVAILABLE);
}
