//! `GET /api/v1/cluster`: who is in the cluster and who owns what.

use crate::api::Api;
use crate::api::answers::{
    ClusterAnswer, GossipAnswer, LogEndAnswer, MemberAddresses, MemberAnswer, SlotCounts,
};
use crate::api::health::warnings;
use crate::cluster::{ClusterView, MemberView};
use crate::state_machine::{NodeId, SLOTS};
use axum::Json;
use axum::extract::State;

/// The leader's view where it answers, else that of this replica.
pub(super) async fn show(State(api): State<Api>) -> Json<ClusterAnswer> {
    let view = api.cluster.view().await;
    Json(answer(&view, api.cluster.node_id(), &warnings(&api)))
}

fn answer(view: &ClusterView, own: NodeId, warnings: &[&str]) -> ClusterAnswer {
    ClusterAnswer {
        applied_index: view.applied_index,
        cluster_id: view.cluster_id.map(|id| id.to_string()),
        fault_tolerance: view.fault_tolerance(),
        feature_level: view.feature_level.0,
        gossip: GossipAnswer {
            differs_from_raft: view.gossip_differs().iter().map(NodeId::to_string).collect(),
            live: view.gossip_live.iter().map(NodeId::to_string).collect(),
        },
        has_quorum: view.has_quorum,
        leader: view.leader.map(|node| node.to_string()),
        members: view.members.iter().map(|known| member(known, view.leader)).collect(),
        own_log_end: Some(LogEndAnswer {
            index: view.own_log_end.index,
            term: view.own_log_end.term,
        }),
        quorum: view.quorum(),
        own: own.to_string(),
        slots: SlotCounts { total: SLOTS, unowned: view.slots_unowned },
        term: view.term,
        view: if view.is_of_leader { "leader" } else { "local" }.to_owned(),
        warnings: warnings.iter().copied().map(str::to_owned).collect(),
    }
}

fn member(known: &MemberView, leader: Option<NodeId>) -> MemberAnswer {
    let told = known.told.as_ref();
    MemberAnswer {
        addresses: MemberAddresses {
            gossip: told.map(|told| told.gossip_address.clone()),
            http: told.map(|told| told.http_address.clone()),
            peer: known.peer_address.clone(),
        },
        feature_level: told.map(|told| told.feature_level),
        is_draining: told.map(|told| told.is_draining),
        is_leader: leader == Some(known.node),
        lag: known.lag,
        last_contact_ms: known.last_contact_ms,
        matched_index: known.matched_index,
        name: known.name.clone(),
        node_id: known.node.to_string(),
        role: if known.is_voter { "voter" } else { "learner" }.to_owned(),
        slots: known.slots,
        state: known.state.map(|state| state.as_str().to_owned()),
        unhealthy: known.is_unhealthy,
        version: told.map(|told| told.version.clone()),
    }
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
