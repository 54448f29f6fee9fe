//! What operators ask and change.
//!
//! Membership, slots and the applied index are open; the rest asks for a token.
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
//! | `POST /api/v1/dlq/delete` | deletes dead letters |

pub(super) mod access;
pub(super) mod applied;
mod body;
mod cluster;
mod delete_letters;
mod dlq;
mod letters;
mod members;
mod origin;
mod replay;
mod runs;
mod snapshot;

use super::{Api, Problem, ProblemId};
use axum::Router;
use axum::body::Bytes;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post};
use std::time::Duration;

/// A body that takes longer to arrive is not waited for.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) fn router(api: Api) -> Router<Api> {
    let open = Router::new()
        .route("/v1/cluster", get(cluster::show))
        .route("/v1/cluster/slots", get(applied::slots));
    let read = Router::new()
        .route("/v1/cluster/digest", get(applied::digest))
        .route("/v1/runs/{uid}", get(runs::show))
        .route("/v1/dlq", get(dlq::list))
        .route("/v1/dlq/analytics", get(dlq::analytics))
        .route_layer(from_fn_with_state(api.clone(), access::require_read));
    let change = Router::new()
        .route("/v1/cluster/snapshot", get(snapshot::show))
        .route("/v1/cluster/members/{id}", delete(members::remove))
        .route("/v1/cluster/transfer", post(members::transfer))
        .route("/v1/cluster/finalize", post(members::finalize))
        .route("/v1/dlq/replay", post(replay::replay))
        .route("/v1/dlq/delete", post(delete_letters::delete))
        .route_layer(from_fn_with_state(api.clone(), access::require_change));
    open.merge(read)
        .merge(change)
        .fallback(unknown)
        .layer(from_fn_with_state(api, origin::require_own))
}

/// What is answered where the API has a listener of its own.
pub(super) fn elsewhere() -> Router<Api> {
    let detail = "the API is served on server.admin.addr";
    Router::new().fallback(async move || Problem::new(ProblemId::NotFound, detail))
}

/// Reads the body of a call, which is short.
async fn read_body(request: Request, bytes_max: usize) -> Result<Bytes, Problem> {
    let refused = |detail: String| Problem::new(ProblemId::InvalidRequest, detail);
    let reading = axum::body::to_bytes(request.into_body(), bytes_max);
    match tokio::time::timeout(BODY_TIMEOUT, reading).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => Err(refused(format!("the body breaks off, or has over {bytes_max} bytes"))),
        Err(_) => Err(refused(format!("the body did not arrive within {BODY_TIMEOUT:?}"))),
    }
}

async fn unknown(uri: http::Uri) -> Problem {
    Problem::new(ProblemId::NotFound, format!("no route {}", uri.path()))
}
