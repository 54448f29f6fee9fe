//! What operators ask and change.
//!
//! | Route | What |
//! |---|---|
//! | `GET /api/v1/cluster` | members, leader, slots |
//! | `GET /api/v1/runs/{uid}` | state, timeline, effects and receipts of a run |
//! | `GET /api/v1/dlq?limit&offset` | dead letters, oldest first |
//! | `GET /api/v1/dlq/analytics` | dead letters by cause, provider, state and age |
//! | `POST /api/v1/dlq/replay` | queues dead letters again |

mod access;
mod cluster;
mod dlq;
mod replay;
mod runs;

use super::{Api, Problem, ProblemId};
use axum::Router;
use axum::routing::{get, post};

pub(super) fn router() -> Router<Api> {
    Router::new()
        .route("/v1/cluster", get(cluster::show))
        .route("/v1/runs/{uid}", get(runs::show))
        .route("/v1/dlq", get(dlq::list))
        .route("/v1/dlq/analytics", get(dlq::analytics))
        .route("/v1/dlq/replay", post(replay::replay))
        .fallback(unknown)
}

async fn unknown(uri: http::Uri) -> Problem {
    Problem::new(ProblemId::NotFound, format!("no route {}", uri.path()))
}
