//! What operators ask and change.
//!
//! | Route | What |
//! |---|---|
//! | `GET /api/v1/cluster` | members, leader, slots |
//! | `GET /api/v1/cluster/slots` | who owns each slot, as this replica has applied it |
//! | `GET /api/v1/cluster/digest` | what this replica has applied, to be compared with others |
//! | `GET /api/v1/cluster/snapshot` | the state of this replica, to begin from after a disaster |
//! | `DELETE /api/v1/cluster/members/{id}` | removes a member |
//! | `POST /api/v1/cluster/transfer` | has another member lead |
//! | `POST /api/v1/cluster/finalize` | raises the feature level without the wait |
//! | `GET /api/v1/runs/{uid}` | state, timeline, effects and receipts of a run |
//! | `GET /api/v1/dlq?limit&offset` | dead letters, oldest first |
//! | `GET /api/v1/dlq/analytics` | dead letters by cause, provider, state and age |
//! | `POST /api/v1/dlq/replay` | queues dead letters again |

mod access;
mod applied;
mod cluster;
mod dlq;
mod members;
mod replay;
mod runs;
mod snapshot;

use super::{Api, Problem, ProblemId};
use axum::Router;
use axum::routing::{delete, get, post};

pub(super) fn router() -> Router<Api> {
    Router::new()
        .route("/v1/cluster", get(cluster::show))
        .route("/v1/cluster/slots", get(applied::slots))
        .route("/v1/cluster/digest", get(applied::digest))
        .route("/v1/cluster/snapshot", get(snapshot::show))
        .route("/v1/cluster/members/{id}", delete(members::remove))
        .route("/v1/cluster/transfer", post(members::transfer))
        .route("/v1/cluster/finalize", post(members::finalize))
        .route("/v1/runs/{uid}", get(runs::show))
        .route("/v1/dlq", get(dlq::list))
        .route("/v1/dlq/analytics", get(dlq::analytics))
        .route("/v1/dlq/replay", post(replay::replay))
        .fallback(unknown)
}

async fn unknown(uri: http::Uri) -> Problem {
    Problem::new(ProblemId::NotFound, format!("no route {}", uri.path()))
}
