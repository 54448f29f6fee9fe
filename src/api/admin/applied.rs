//! What this replica itself has applied, without asking the leader: to be compared with others.

use crate::api::{Api, Problem, ProblemId};
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

/// Index, and owner and epoch of each slot, by number.
pub(super) async fn slots(State(api): State<Api>) -> Json<Value> {
    let applied = api.cluster.applied_slots();
    let slots = applied.slots.iter().map(|slot| {
        json!({
            "owner": slot.owner.map(|node| node.to_string()),
            "epoch": slot.epoch,
        })
    });
    Json(json!({ "applied_index": applied.index, "slots": slots.collect::<Vec<_>>() }))
}

/// Index and digest of the applied state.
pub(super) async fn digest(State(api): State<Api>) -> Result<Json<Value>, Problem> {
    let digest = tokio::task::spawn_blocking(move || api.cluster.applied_digest()).await;
    let digest = digest.map_err(|error| Problem::new(ProblemId::Internal, error.to_string()))?;
    Ok(Json(json!({
        "applied_index": digest.index,
        "digest": format!("{:032x}", digest.sum),
    })))
}
