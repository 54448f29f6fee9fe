//! One attempt: drives an exchange over the transports, under one deadline.

use super::transport::Transports;
use crate::clock::Timestamp;
use crate::effect::{EffectId, Receipt, RouteName, Summary};
use crate::event::{RunContext, RunEvent};
use crate::failure::{DeliveryFailure, FailureKind, Retryability};
use crate::integration::{Effect, Integration, Turn};
use std::sync::Arc;
use std::time::Duration;

/// Turns of one exchange: 50 pages of comments and the write that follows, with some room.
const TURNS_MAX: usize = 64;

/// An effect with everything its rendering needs, taken from the replicated state.
#[derive(Clone, Debug)]
pub struct Job {
    pub id: EffectId,
    pub attempt: u32,
    pub route: RouteName,
    pub event: Arc<RunEvent>,
    pub context: RunContext,
    pub remote_id: Option<String>,
    pub summary: Option<Summary>,
    pub is_in_doubt: bool,
    pub accepted_at: Timestamp,
    pub now: Timestamp,
}

impl Job {
    fn effect(&self) -> Effect<'_> {
        Effect {
            id: self.id,
            route: &self.route,
            event: &self.event,
            context: &self.context,
            remote_id: self.remote_id.as_deref(),
            summary: self.summary.as_ref(),
            is_in_doubt: self.is_in_doubt || self.attempt > 1,
            now: self.now,
        }
    }
}

/// Makes one attempt. The deadline covers all turns (rule 1).
///
/// # Errors
/// The target refused or failed, or did not answer in time.
pub async fn attempt(
    job: &Job,
    integration: &dyn Integration,
    transports: &Transports,
    deadline: Duration,
) -> Result<Receipt, DeliveryFailure> {
    let exchange = drive(integration.begin(&job.effect()), transports);
    tokio::time::timeout(deadline, exchange).await.unwrap_or_else(|_| {
        let detail = format!("no answer within {} ms", deadline.as_millis());
        Err(DeliveryFailure::new(FailureKind::Timeout, Retryability::Temporary, &detail))
    })
}

async fn drive(mut turn: Turn, transports: &Transports) -> Result<Receipt, DeliveryFailure> {
    for _ in 0..TURNS_MAX {
        match turn {
            Turn::Done(receipt) => return Ok(receipt),
            Turn::Fail(failure) => return Err(failure),
            Turn::Send(outbound, exchange) => {
                turn = exchange.on_reply(transports.send(outbound).await);
            }
        }
    }
    let detail = format!("the exchange did not end within {TURNS_MAX} requests");
    Err(DeliveryFailure::new(FailureKind::Server, Retryability::Permanent, &detail))
}
