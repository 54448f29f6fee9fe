//! Orders to the cluster, taken by any replica: `DELETE /api/v1/cluster/members/{id}`,
//! `POST /api/v1/cluster/transfer` and `POST /api/v1/cluster/finalize`.

use super::body::{self, Members};
use super::read_body;
use crate::api::answers::{LeaderAnswer, LevelAnswer, RemovedAnswer};
use crate::api::{Api, Problem, ProblemId};
use crate::cluster::{FinalizeError, OrderError};
use crate::state_machine::NodeId;
use axum::Json;
use axum::extract::{Path, Request, State};

/// Longest body of a transfer: one id.
const REQUEST_BYTES_MAX: usize = 4 * 1024;

/// Removes a member, and tells which it was.
pub(super) async fn remove(
    State(api): State<Api>,
    Path(id): Path<String>,
) -> Result<Json<RemovedAnswer>, Problem> {
    let removed = api.cluster.remove(node_id("id", &id)?).await.map_err(problem)?;
    Ok(Json(RemovedAnswer { name: removed.name, removed: removed.node.to_string() }))
}

/// Hands the leadership to the node in `{"to": "..."}`, or to whoever is fit, and tells who leads.
pub(super) async fn transfer(
    State(api): State<Api>,
    request: Request,
) -> Result<Json<LeaderAnswer>, Problem> {
    let to = heir(&read_body(request, REQUEST_BYTES_MAX).await?)?;
    let leader = api.cluster.transfer(to).await.map_err(problem)?;
    Ok(Json(LeaderAnswer { leader: leader.node.to_string(), name: leader.name }))
}

/// Raises the feature level, and tells which is in force.
pub(super) async fn finalize(State(api): State<Api>) -> Result<Json<LevelAnswer>, Problem> {
    let level = api.cluster.finalize().await.map_err(|error| not_final(&error))?;
    Ok(Json(LevelAnswer { feature_level: level.0 }))
}

/// The node that is to lead; `None` where the body leaves it open.
fn heir(body: &[u8]) -> Result<Option<NodeId>, Problem> {
    let body = body::parse(body)?;
    let to = Members::of(&body, &["to"])?.text("to")?;
    to.map(|to| node_id("to", to)).transpose()
}

/// Ids are up to 16 hexadecimal digits, and never zero.
fn node_id(field: &str, text: &str) -> Result<NodeId, Problem> {
    let is_hex = text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let id = u64::from_str_radix(text, 16).ok().filter(|id| is_hex && *id != 0);
    let told = format!("{field} {text:?} is no node id; accepted: 16 hexadecimal digits");
    id.map(NodeId).ok_or_else(|| Problem::invalid_request(told))
}

fn problem(error: OrderError) -> Problem {
    let id = match error {
        OrderError::Unknown(_) => ProblemId::NotFound,
        OrderError::Leads(_)
        | OrderError::ChangeUnderWay
        | OrderError::NoQuorum { .. }
        | OrderError::QuorumLost { .. }
        | OrderError::NoVote(_)
        | OrderError::Draining(_)
        | OrderError::Silent(_)
        | OrderError::Behind { .. }
        | OrderError::NoTransferTarget => ProblemId::Conflict,
        OrderError::NoLeader | OrderError::Unconfirmed => ProblemId::NotCarriedOut,
    };
    Problem::new(id, error.to_string())
}

fn not_final(error: &FinalizeError) -> Problem {
    let id = match error {
        FinalizeError::Lacking { .. } | FinalizeError::OldLeader => ProblemId::Conflict,
        FinalizeError::NoLeader | FinalizeError::Unconfirmed => ProblemId::NotCarriedOut,
    };
    Problem::new(id, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Lack;
    use crate::state_machine::FeatureLevel;

    #[test]
    fn an_empty_body_leaves_the_heir_open() {
        for body in ["", " \n", "{}"] {
            assert_eq!(heir(body.as_bytes()).unwrap(), None, "{body}");
        }
        let to = heir(br#"{"to":"00000000000000ab"}"#).unwrap();
        assert_eq!(to, Some(NodeId(0xab)));
    }

    #[test]
    fn a_body_that_is_not_understood_is_told_by_field_and_value() {
        for (body, told) in [
            ("{", "invalid JSON body"),
            ("[]", "the body is no JSON object"),
            (r#"{"node":"ab"}"#, "unknown key \"node\"; accepted: to"),
            (r#"{"to":"relay-1"}"#, "to \"relay-1\" is no node id"),
            (r#"{"to":7}"#, "to 7 is not accepted"),
            (r#"{"to":null}"#, "to is null"),
            (r#"{"to":"+1"}"#, "to \"+1\" is no node id"),
            (r#"{"to":"0"}"#, "to \"0\" is no node id"),
        ] {
            let problem = heir(body.as_bytes()).unwrap_err();
            assert_eq!(problem.id, ProblemId::InvalidRequest);
            assert!(problem.detail.contains(told), "{}", problem.detail);
        }
    }

    #[test]
    fn what_may_heal_by_itself_is_told_from_what_an_operator_has_to_mend() {
        let node = NodeId(7);
        let id = |error| problem(error).id;
        assert_eq!(id(OrderError::Unknown(node)), ProblemId::NotFound);
        assert_eq!(id(OrderError::Leads(node)), ProblemId::Conflict);
        let lost = OrderError::QuorumLost { node, answering: 1, needed: 2 };
        assert_eq!(problem(lost).detail, lost.to_string());
        assert_eq!(id(lost), ProblemId::Conflict);
        assert_eq!(id(OrderError::NoLeader), ProblemId::NotCarriedOut);
        assert_eq!(id(OrderError::Unconfirmed), ProblemId::NotCarriedOut);
    }

    #[test]
    fn rule_22_a_level_that_members_lack_is_a_conflict_that_names_them() {
        let node = NodeId(7);
        let lack = Lack { node, name: "relay-2".to_owned(), level: Some(FeatureLevel(1)) };
        let level = FeatureLevel(2);
        let problem = not_final(&FinalizeError::Lacking { level, members: vec![lack] });
        assert_eq!(problem.id, ProblemId::Conflict);
        assert!(problem.detail.contains("relay-2 (0000000000000007), level 1"), "{problem:?}");
        assert_eq!(not_final(&FinalizeError::OldLeader).id, ProblemId::Conflict);
        assert_eq!(not_final(&FinalizeError::Unconfirmed).id, ProblemId::NotCarriedOut);
    }
}
