//! What this replica itself has applied, without asking the leader: to be compared with others.

use crate::api::answers::{DigestAnswer, SlotAnswer, SlotsAnswer};
use crate::api::{Api, Problem, ProblemId};
use crate::cluster::StateDigest;
use axum::Json;
use axum::extract::State;
use std::time::Duration;

/// A digest is told again for this long.
const DIGEST_FRESH: Duration = Duration::from_secs(1);

/// Index, and owner and epoch of each slot, by number.
pub(super) async fn slots(State(api): State<Api>) -> Json<SlotsAnswer> {
    let applied = api.cluster.applied_slots();
    let slots = applied.slots.iter().map(|slot| SlotAnswer {
        epoch: slot.epoch,
        owner: slot.owner.map(|node| node.to_string()),
    });
    Json(SlotsAnswer { applied_index: applied.index, slots: slots.collect() })
}

/// The digest that was told last. Taking one is a pass over the whole state, which would hold up
/// events if callers could ask for one after the other.
#[derive(Default)]
pub struct FreshDigest(tokio::sync::Mutex<Option<(Duration, StateDigest)>>);

impl FreshDigest {
    /// A digest not older than [`DIGEST_FRESH`]. One caller takes it, the others wait for it.
    async fn of(&self, api: &Api) -> Result<StateDigest, tokio::task::JoinError> {
        let mut kept = self.0.lock().await;
        let now = api.clock.monotonic();
        if let Some((taken_at, digest)) = *kept
            && now.saturating_sub(taken_at) < DIGEST_FRESH
        {
            return Ok(digest);
        }
        let digest = api.cluster.applied_digest().await?;
        *kept = Some((now, digest));
        Ok(digest)
    }
}

/// Index and digest of the applied state.
pub(super) async fn digest(State(api): State<Api>) -> Result<Json<DigestAnswer>, Problem> {
    let digest = api.digest.of(&api).await;
    let digest = digest.map_err(|error| Problem::new(ProblemId::Internal, error.to_string()))?;
    let sum = format!("{:032x}", digest.sum);
    Ok(Json(DigestAnswer { applied_index: digest.index, digest: sum }))
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::Bench;
    use crate::state_machine::SLOTS;
    use http::StatusCode;
    use serde_json::Value;

    #[tokio::test]
    async fn slots_and_digest_are_those_that_this_replica_has_applied() {
        let bench = Bench::alone().await;
        let show = async |path| {
            let (status, body) = bench.get(path).await;
            assert_eq!(status, StatusCode::OK, "{body}");
            serde_json::from_str::<Value>(&body).unwrap()
        };
        let (slots, digest) =
            (show("/api/v1/cluster/slots").await, show("/api/v1/cluster/digest").await);
        let owner = bench.api.cluster.node_id().to_string();
        let slots = slots["slots"].as_array().unwrap();
        assert_eq!(slots.len(), usize::from(SLOTS));
        assert!(slots.iter().all(|slot| slot["owner"] == owner.as_str()), "{slots:?}");
        let applied = bench.api.cluster.applied_digest().await.unwrap();
        assert_eq!(digest["digest"], format!("{:032x}", applied.sum));
        assert_eq!(digest["applied_index"], applied.index);
    }
}
