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
pub(crate) mod answers;
mod connections;
mod health;
mod ingest;
mod problem;
mod receive;
mod senders;
mod server;
mod signature;
mod tls;
pub mod tokens;

pub use admin::access::Access;
pub use admin::applied::FreshDigest;
pub use problem::{Problem, ProblemId};
pub use receive::BodyBudget;
pub use senders::{Senders, SendersError};
pub use server::{Server, ServerError};
pub use tls::{TlsError, TlsFiles};

use crate::clock::Clock;
use crate::cluster::Cluster;
use crate::event::RunKind;
use crate::plan::Ruleset;
use crate::telemetry::Metrics;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderValue, header};
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What an event that is none of Tekton's counts as, beside the kinds of runs.
const IGNORED: &str = "ignored";

/// What the routes need.
#[derive(Clone)]
pub struct Api {
    pub cluster: Arc<Cluster>,
    pub metrics: Arc<Metrics>,
    pub clock: Arc<dyn Clock>,
    /// The newest ruleset: what of an event is kept.
    pub rulesets: watch::Receiver<Arc<Ruleset>>,
    /// Longest body read, in bytes.
    pub body_bytes_max: usize,
    /// What bodies on their way in may hold, in sum.
    pub bodies: BodyBudget,
    /// Who may send events.
    pub senders: Arc<Senders>,
    /// What an operator should know of how this replica is set up.
    pub warnings: Arc<[&'static str]>,
    /// Who may use the API.
    pub access: Arc<Access>,
    /// The digest of a moment ago.
    pub digest: Arc<FreshDigest>,
    /// Cancelled when the process is to stop: unready. Events are taken until the listener closes.
    pub drain: CancellationToken,
}

/// All routes, or those of senders alone where operators have a listener of their own.
pub fn router(api: Api, has_admin: bool) -> Router {
    let admin = if has_admin { admin::router(api.clone()) } else { admin::elsewhere() };
    api.metrics.expect_kinds(RunKind::ALL.map(RunKind::as_str).into_iter().chain([IGNORED]));
    api.metrics.expect_problems(ProblemId::ALL.map(ProblemId::as_str));
    Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics))
        .nest("/api", admin)
        .fallback(ingest::ingest)
        .with_state(api)
}

/// The routes of operators, for a listener of their own.
pub fn admin_router(api: Api) -> Router {
    Router::new().nest("/api", admin::router(api.clone())).with_state(api)
}

async fn metrics(State(api): State<Api>) -> Response {
    api.metrics.set_replica(&api.cluster.gauges());
    api.metrics.set_ruleset(api.rulesets.borrow().generation);
    let mut response = api.cluster.read(|state| api.metrics.scrape(state)).into_response();
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
#[path = "fixture_test.rs"]
pub(crate) mod fixture;
