//! One attempt: drives an exchange over the transports, under one deadline.

use super::transport::{Exposed, Transports};
use crate::cluster::DeliveryHealthRecorder;
use crate::effect::Receipt;
use crate::failure::{DeliveryFailure, FailureKind, Retryability};
use crate::integration::{Integration, Reply, Turn, budget_wait};
use crate::plan::Job;
use futures_util::FutureExt as _;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

/// Turns of one exchange: 50 pages of comments and the write that follows, with some room.
const TURNS_MAX: usize = 64;
/// Rendering takes microseconds; half of the deadline is far more than it can need.
const RENDER_SHARE: u32 = 2;

/// What came of an attempt.
#[derive(Debug)]
pub struct Attempted {
    /// An error when the target refused or failed, or did not answer in time, or when the request
    /// could not be rendered.
    pub outcome: Result<Receipt, DeliveryFailure>,
    /// How long its successful answers said that the budget of the credential is used up.
    pub budget_wait: Option<Duration>,
}

/// Makes one attempt. The deadline covers all turns (rule 1). A rule or template that panics, or
/// does not end, fails the attempt for good and nothing else (rule 7). `contacts` hears whether the
/// target answered (rule 27).
pub async fn attempt(
    job: Job,
    integration: Arc<dyn Integration>,
    transports: &Transports,
    delivery_health: &DeliveryHealthRecorder,
    deadline: Duration,
) -> Attempted {
    let mut budget_wait = None;
    let mut exposed = Exposed::default();
    let exchange = async {
        let turn = render(job, integration, deadline).await?;
        drive(turn, transports, delivery_health, (&mut exposed, &mut budget_wait)).await
    };
    let ended = AssertUnwindSafe(tokio::time::timeout(deadline, exchange)).catch_unwind().await;
    let outcome = match ended {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => {
            // Rendering has a shorter deadline: it was the target that did not answer.
            delivery_health.failed();
            let detail = format!("no answer within {} ms", deadline.as_millis());
            Err(DeliveryFailure::new(FailureKind::Timeout, Retryability::Temporary, &detail))
        }
        Err(_) => Err(unrenderable("the exchange panicked")),
    };
    // Whatever became of the target's words: they go no further with a secret in them.
    let outcome = outcome.map_err(|failure| {
        let detail = exposed.cut(failure.detail());
        failure.with_detail(&detail)
    });
    Attempted { outcome, budget_wait }
}

/// The first turn, made on a thread of its own: a template may take long, and a thread that serves
/// sockets must not wait for it.
async fn render(
    job: Job,
    integration: Arc<dyn Integration>,
    deadline: Duration,
) -> Result<Turn, DeliveryFailure> {
    let begin = tokio::task::spawn_blocking(move || integration.begin(&job.effect()));
    match tokio::time::timeout(deadline / RENDER_SHARE, begin).await {
        Ok(Ok(turn)) => Ok(turn),
        Ok(Err(_)) => Err(unrenderable("rendering the request panicked")),
        Err(_) => Err(unrenderable("rendering the request did not end")),
    }
}

fn unrenderable(detail: &str) -> DeliveryFailure {
    DeliveryFailure::new(FailureKind::Render, Retryability::Permanent, detail)
}

async fn drive(
    mut turn: Turn,
    transports: &Transports,
    delivery_health: &DeliveryHealthRecorder,
    (exposed, longest_wait): (&mut Exposed, &mut Option<Duration>),
) -> Result<Receipt, DeliveryFailure> {
    for _ in 0..TURNS_MAX {
        match turn {
            Turn::Done(receipt) => return Ok(receipt),
            Turn::Fail(failure) => return Err(failure),
            Turn::Send(outbound, exchange) => {
                let is_call = outbound.is_call();
                let reply = transports.send(outbound, exposed).await;
                let reply =
                    reply.inspect_err(|failure| note_failure(failure.kind, delivery_health))?;
                if is_call {
                    note(&reply, delivery_health);
                }
                if let Reply::Http(reply) = &reply {
                    *longest_wait = budget_wait(reply).max(*longest_wait);
                }
                turn = exchange.on_reply(reply);
            }
        }
    }
    let detail = format!("the exchange did not end within {TURNS_MAX} requests");
    Err(DeliveryFailure::new(FailureKind::Server, Retryability::Permanent, &detail))
}

/// What the reply to a call tells of the way to the target. Without its secret a request never left.
fn note(reply: &Reply, delivery_health: &DeliveryHealthRecorder) {
    match reply {
        Reply::Http(_) | Reply::Accepted { .. } | Reply::Rejected(_) => delivery_health.reached(),
        Reply::Failed { kind: FailureKind::Network | FailureKind::Timeout, .. } => {
            delivery_health.failed();
        }
        Reply::Failed { .. } | Reply::Transformed(_) | Reply::NotTransformed { .. } => {}
    }
}

/// What the failure to get a token tells of the way to the target: who refused one has answered.
fn note_failure(kind: FailureKind, delivery_health: &DeliveryHealthRecorder) {
    match kind {
        FailureKind::Network | FailureKind::Timeout => delivery_health.failed(),
        FailureKind::Credentials | FailureKind::Render => {}
        FailureKind::Auth
        | FailureKind::NotFound
        | FailureKind::Invalid
        | FailureKind::Conflict
        | FailureKind::RateLimited
        | FailureKind::Server => delivery_health.reached(),
    }
}

#[cfg(test)]
#[path = "attempt_test.rs"]
mod tests;
