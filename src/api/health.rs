//! Liveness says that the process answers; readiness says that events can be accepted now, and
//! which part is missing when they cannot.

use super::Api;
use super::answers::{MemoryAnswer, ReadyAnswer};
use crate::state_machine::StateMachine;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

/// Always 200 while the process runs: a restart does not mend a lost quorum.
pub(super) async fn healthz() -> StatusCode {
    StatusCode::OK
}

/// 200 when events can be accepted, else 503 with the part that is missing.
pub(super) async fn readyz(State(api): State<Api>) -> Response {
    let leader = api.cluster.leader();
    // Once for the whole answer: a quorum that comes back meanwhile makes nobody `ok` that lacked it.
    let is_spooling = api.cluster.is_spooling();
    let parts = [
        ("draining", !api.drain.is_cancelled()),
        // A known leader proves nothing once its log has failed (rule 12).
        ("log", api.cluster.failed().borrow().is_none()),
        ("leader", leader.is_some() || is_spooling),
        ("member", *api.cluster.registered().borrow() || is_spooling),
        ("quorum", api.cluster.has_quorum() || is_spooling),
        ("disk", !api.cluster.is_disk_low()),
        ("standstill", !api.cluster.is_stuck()),
    ];
    let is_ready = parts.iter().all(|(_, is_fine)| *is_fine);
    let code = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let missing = parts.iter().find(|(_, is_fine)| !is_fine).map(|(part, _)| *part);
    let memory = api.cluster.read(StateMachine::memory_use);
    // What makes a replica spool is that it has no quorum. A full memory refuses new runs alone, on
    // all replicas: none would be better off without the others.
    let reason = missing
        .or_else(|| is_spooling.then_some("quorum"))
        .or_else(|| memory.is_full.then_some("memory"));
    let body = ReadyAnswer {
        applied_index: *api.cluster.applied().borrow(),
        backlog: api.cluster.read(|state| state.backlog()),
        leader: leader.map(|node| node.to_string()),
        memory: MemoryAnswer { bytes: memory.bytes, bytes_max: memory.bytes_max },
        reason,
        spooled: api.cluster.spooled(),
        status: match (is_ready, reason) {
            (true, None) => "ok",
            (true, Some(_)) => "degraded",
            (false, _) => "unavailable",
        },
        warnings: warnings(&api),
    };
    (code, Json(body)).into_response()
}

/// What an operator has to change, though events are accepted.
pub(super) fn warnings(api: &Api) -> Vec<&'static str> {
    let believed = "cluster.peer_tls is migrate: whoever reaches the peer port is believed";
    let believed = api.cluster.believes_anybody().then_some(believed);
    believed.into_iter().chain(api.warnings.iter().copied()).collect()
}

#[cfg(test)]
#[path = "health_test.rs"]
mod tests;
