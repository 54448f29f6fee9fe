//! One granted effect from grant to outcome.

use super::attempt::{Attempted, attempt};
use super::worker::Shared;
use crate::clock::Timestamp;
use crate::effect::RouteName;
use crate::failure::{DeliveryFailure, FailureKind, Retryability};
use crate::integration::Integration;
use crate::plan::Job;
use crate::retry::Verdict;
use crate::state_machine::{AttemptOutcome, AttemptResult, Cause, Command, millis};
use std::sync::Arc;
use std::time::Duration;
use tracing::{debug, warn};

/// How a call to an instance ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub instance: String,
    /// When the call was begun, by the monotonic clock.
    pub begun: Duration,
    /// When it was answered or given up: before it was recorded.
    pub answered: Duration,
    pub failure: Option<DeliveryFailure>,
    /// What the log has to hear of the attempt.
    pub outcome: AttemptOutcome,
    /// A pause that the target asked for.
    pub pause: Option<Command>,
}

/// Makes the attempt. Nothing is recorded yet.
pub(super) async fn send(
    job: Job,
    integration: Arc<dyn Integration>,
    shared: Arc<Shared>,
) -> Ended {
    let instance = job.route.full_instance();
    let begun = shared.clock.monotonic();
    let timeout = shared.options.handler_timeout;
    let delivery_health = shared.cluster.delivery_health();
    let attempted =
        attempt(job.clone(), integration, &shared.transports, delivery_health, timeout).await;
    let answered = shared.clock.monotonic();
    let Attempted { outcome: result, budget_wait } = attempted;
    shared.metrics.observe_attempt(&job.route, result.as_ref().err().map(|f| f.kind));
    let failure = result.as_ref().err().cloned();
    // A repair says again what was delivered before.
    if result.is_ok() && !job.is_repair {
        let latency = shared.cluster.replicated_now().since(job.accepted_at);
        shared.metrics.delivered(&job.route, job.event.state.is_final(), latency);
    }
    let result = match result {
        Ok(receipt) => AttemptResult::Delivered(receipt),
        Err(failure) => after_failure(&job, &failure, &shared),
    };
    let outcome = AttemptOutcome { effect: job.id, attempt: job.attempt, result };
    let wait = pause_wait(failure.as_ref(), budget_wait);
    let pause = wait.map(|wait| pause(&job.route, wait, &shared));
    Ended { instance, begun, answered, failure, outcome, pause }
}

fn after_failure(job: &Job, failure: &DeliveryFailure, shared: &Shared) -> AttemptResult {
    let now: Timestamp = shared.cluster.replicated_now();
    // What the target may not know yet is waited for from the first attempt on: an effect that was
    // held up by an outage has not been tried for long.
    let is_unsettled = failure.retryability == Retryability::Unsettled;
    let since = if is_unsettled && job.first_begun_at.is_known() {
        job.first_begun_at
    } else {
        job.accepted_at
    };
    let age = now.since(since);
    let jitter = shared.random.next();
    let cause = Cause::from(failure);
    let route = &job.route;
    match shared.options.retry.after_failure(job.attempt, failure, age, jitter) {
        Verdict::RetryIn(wait) => {
            debug!(%route, run = job.event.name, attempt = job.attempt, %failure, "delivery failed");
            AttemptResult::RetryIn { wait_ms: millis(wait), cause }
        }
        Verdict::GiveUp => {
            warn!(%route, run = job.event.name, attempt = job.attempt, %failure, "delivery given up");
            AttemptResult::Dead(cause)
        }
    }
}

/// What a target asked of this replica holds for all of them: the limit is one of the credential.
fn pause(route: &RouteName, wait: Duration, shared: &Shared) -> Command {
    let until = shared.cluster.replicated_now().after(wait);
    let instance = shared.cluster.read(|state| state.pause_key(route));
    Command::Pause { instance, until }
}

/// How long the target wants no call: after one too many, or after the last one of a budget.
fn pause_wait(
    failure: Option<&DeliveryFailure>,
    budget_wait: Option<Duration>,
) -> Option<Duration> {
    let limited = failure.filter(|failure| failure.kind == FailureKind::RateLimited);
    limited.and_then(|failure| failure.retry_after).max(budget_wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_14_a_pause_is_the_longer_of_what_a_refusal_and_a_used_up_budget_ask_for() {
        let (short, long) = (Some(Duration::from_secs(3)), Some(Duration::from_secs(90)));
        let failure = |kind, wait| {
            DeliveryFailure::new(kind, Retryability::Temporary, "").with_retry_after(wait)
        };
        let limited = |wait| failure(FailureKind::RateLimited, wait);
        assert_eq!(pause_wait(None, None), None);
        assert_eq!(pause_wait(None, long), long);
        assert_eq!(pause_wait(Some(&limited(None)), None), None);
        assert_eq!(pause_wait(Some(&limited(short)), None), short);
        assert_eq!(pause_wait(Some(&limited(short)), long), long);
        assert_eq!(pause_wait(Some(&limited(long)), short), long);
        // A failing server asks for its own effect only.
        let busy = failure(FailureKind::Server, long);
        assert_eq!(pause_wait(Some(&busy), None), None);
        assert_eq!(pause_wait(Some(&busy), short), short);
    }
}
