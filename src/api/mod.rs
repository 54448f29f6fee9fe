//! The HTTP surface on `server.addr`.
//!
//! | Route | What |
//! |---|---|
//! | any `POST` outside `/api` | CloudEvents ingest |
//! | `GET /healthz` | the process answers |
//! | `GET /readyz` | events can be accepted now, and why not |
//! | `GET /metrics` | Prometheus text |
//! | `/api/v1/...` | see [`admin`] |

pub mod admin;
mod health;
mod ingest;
mod problem;
mod server;

pub use problem::{Problem, ProblemId};
pub use server::{Server, ServerError};

use crate::clock::Clock;
use crate::cluster::Cluster;
use crate::event::{Keep, RunKind};
use crate::secret::SecretRef;
use crate::telemetry::Metrics;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderValue, header};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What an event that is none of Tekton's counts as, beside the kinds of runs.
const IGNORED: &str = "ignored";

/// What the routes need.
#[derive(Clone)]
pub struct Api {
    pub cluster: Arc<Cluster>,
    pub metrics: Arc<Metrics>,
    pub clock: Arc<dyn Clock>,
    /// Params and results that rules or templates name.
    pub keep: Arc<Keep>,
    /// Longest body read, in bytes.
    pub body_bytes_max: usize,
    /// Where the admin token is; without it, changing calls are for the loopback interface only.
    pub admin_token: Option<SecretRef>,
    /// Cancelled when the process is to stop: unready. Events are taken until the listener closes.
    pub drain: CancellationToken,
}

/// All routes.
pub fn router(api: Api) -> Router {
    api.metrics.expect_kinds(RunKind::ALL.map(RunKind::as_str).into_iter().chain([IGNORED]));
    api.metrics.expect_problems(ProblemId::ALL.map(ProblemId::as_str));
    Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics))
        .nest("/api", admin::router())
        .fallback(ingest::ingest)
        .with_state(api)
}

async fn metrics(State(api): State<Api>) -> Response {
    api.metrics.set_replica(&api.cluster.gauges());
    let mut response = api.cluster.read(|state| api.metrics.scrape(state)).into_response();
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
#[path = "fixture_test.rs"]
pub(crate) mod fixture;
