//! `GET /api/v1/cluster`: who is in the cluster and who owns what.

use crate::api::Api;
use crate::state_machine::NodeId;
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The view of this replica.
pub(super) async fn show(State(api): State<Api>) -> Json<Value> {
    let status = api.cluster.status();
    let (by_owner, unowned) = api.cluster.read(|state| {
        let mut by_owner: BTreeMap<NodeId, u32> = BTreeMap::new();
        let mut unowned = 0_u32;
        for (_, slot) in state.slots() {
            match slot.owner {
                Some(owner) => *by_owner.entry(owner).or_default() += 1,
                None => unowned += 1,
            }
        }
        (by_owner, unowned)
    });
    let members: Vec<Value> = status
        .voters
        .iter()
        .map(|node| {
            json!({
                "node_id": node.to_string(),
                "role": "voter",
                "state": "live",
                "is_leader": status.leader == Some(*node),
                "version": env!("CARGO_PKG_VERSION"),
                "slots": by_owner.get(node).copied().unwrap_or_default(),
            })
        })
        .collect();
    Json(json!({
        "cluster_id": status.cluster_id,
        "self": api.cluster.node_id().to_string(),
        "leader": status.leader.map(|node| node.to_string()),
        "term": status.term,
        "quorum": status.voters.len() / 2 + 1,
        "fault_tolerance": status.voters.len().saturating_sub(1) / 2,
        "view": if status.leader == Some(api.cluster.node_id()) { "leader" } else { "local" },
        "members": members,
        "slots": { "total": crate::state_machine::SLOTS, "unowned": unowned },
        "applied_index": status.applied_index,
    }))
}
