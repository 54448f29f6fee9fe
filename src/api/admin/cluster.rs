//! `GET /api/v1/cluster`: who is in the cluster and who owns what.

use crate::api::Api;
use crate::api::health::warnings;
use crate::cluster::{ClusterView, MemberView};
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

/// The leader's view where it answers, else that of this replica.
pub(super) async fn show(State(api): State<Api>) -> Json<Value> {
    let view = api.cluster.view().await;
    let mut shown = to_json(&view, &api.cluster.node_id().to_string());
    shown["warnings"] = json!(warnings(&api));
    Json(shown)
}

fn to_json(view: &ClusterView, own: &str) -> Value {
    let mut nodes = Vec::new();
    for member in &view.members {
        nodes.push(member_json(member, view));
    }
    let ids = |nodes: Vec<crate::state_machine::NodeId>| {
        nodes.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    json!({
        "cluster_id": view.cluster_id,
        "self": own,
        "leader": view.leader.map(|node| node.to_string()),
        "term": view.term,
        "has_quorum": view.has_quorum,
        "quorum": view.quorum(),
        "fault_tolerance": view.fault_tolerance(),
        "view": if view.is_of_leader { "leader" } else { "local" },
        "members": nodes,
        "slots": { "total": crate::state_machine::SLOTS, "unowned": view.slots_unowned },
        "applied_index": view.applied_index,
        "own_log_end": { "term": view.own_log_end.term, "index": view.own_log_end.index },
        "feature_level": view.feature_level.0,
        "gossip": {
            "live": ids(view.gossip_live.clone()),
            "differs_from_raft": ids(view.gossip_differs()),
        },
    })
}

fn member_json(member: &MemberView, view: &ClusterView) -> Value {
    let facts = member.told.as_ref();
    json!({
        "node_id": member.node.to_string(),
        "name": member.name,
        "addresses": {
            "peer": member.peer_address,
            "http": facts.map(|told| &told.http_address),
            "gossip": facts.map(|told| &told.gossip_address),
        },
        "role": if member.is_voter { "voter" } else { "learner" },
        "state": member.state.map(|state| state.as_str()),
        "is_leader": view.leader == Some(member.node),
        "is_draining": facts.map(|told| told.is_draining),
        "version": facts.map(|told| &told.version),
        "feature_level": facts.map(|told| told.feature_level),
        "matched_index": member.matched_index,
        "lag": member.lag,
        "last_contact_ms": member.last_contact_ms,
        "unhealthy": member.is_unhealthy,
        "slots": member.slots,
    })
}

#[cfg(test)]
mod tests {
    use crate::api::fixture::Bench;
    use serde_json::{Value, json};

    #[tokio::test]
    async fn a_replica_tells_where_its_own_log_ends() {
        let bench = Bench::alone().await;
        let (_, body) = bench.get("/api/v1/cluster").await;
        let body: Value = serde_json::from_str(&body).unwrap();
        assert!(body["own_log_end"]["index"].as_u64() >= body["applied_index"].as_u64());
        assert_eq!(body["own_log_end"]["term"], body["term"]);
        assert_ne!(body["own_log_end"], json!({"term": 0, "index": 0}));
    }
}
