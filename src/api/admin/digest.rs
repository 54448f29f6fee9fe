//! `GET /api/v1/cluster/digest`: what this replica itself has applied, to be compared with others.

use crate::api::Api;
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

/// Index, digest and slots of the applied state, without asking the leader.
pub(super) async fn show(State(api): State<Api>) -> Json<Value> {
    let applied = api.cluster.applied_digest();
    let slots = applied.slots.iter().map(|slot| {
        json!({
            "owner": slot.owner.map(|node| node.to_string()),
            "epoch": slot.epoch,
        })
    });
    Json(json!({
        "applied_index": applied.index,
        "digest": format!("{:032x}", applied.digest),
        "slots": slots.collect::<Vec<_>>(),
    }))
}
