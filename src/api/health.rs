//! Liveness says that the process answers; readiness says that events can be accepted now, and
//! which part is missing when they cannot.

use super::Api;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

/// Always 200 while the process runs: a restart does not mend a lost quorum.
pub(super) async fn healthz() -> StatusCode {
    StatusCode::OK
}

/// 200 when events can be accepted, else 503 with the part that is missing.
pub(super) async fn readyz(State(api): State<Api>) -> Response {
    let leader = api.cluster.leader();
    let parts = [
        ("draining", !api.drain.is_cancelled()),
        // A known leader proves nothing once its log has failed (rule 12).
        ("log", api.cluster.failed().borrow().is_none()),
        ("leader", leader.is_some() || api.cluster.is_spooling()),
        ("member", *api.cluster.registered().borrow() || api.cluster.is_spooling()),
        ("quorum", api.cluster.has_quorum() || api.cluster.is_spooling()),
        ("disk", !api.cluster.is_disk_low()),
    ];
    let is_ready = parts.iter().all(|(_, is_fine)| *is_fine);
    let code = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let reason = parts.iter().find(|(_, is_fine)| !is_fine).map(|(part, _)| *part);
    let body: Value = json!({
        "status": match (is_ready, api.cluster.is_spooling()) {
            (true, false) => "ok",
            (true, true) => "degraded",
            (false, _) => "unavailable",
        },
        "spooled": api.cluster.spooled(),
        "reason": reason,
        "leader": leader.map(|node| node.to_string()),
        "applied_index": *api.cluster.applied().borrow(),
        "backlog": api.cluster.read(|state| state.backlog()),
    });
    (code, Json(body)).into_response()
}

#[cfg(test)]
#[path = "health_test.rs"]
mod tests;
