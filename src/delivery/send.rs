//! One granted effect from grant to record.

use super::attempt::{Attempted, attempt};
use super::worker::Shared;
use crate::clock::Timestamp;
use crate::cluster::AcceptError;
use crate::effect::RouteName;
use crate::failure::{DeliveryFailure, FailureKind, Retryability};
use crate::integration::Integration;
use crate::plan::Job;
use crate::retry::Verdict;
use crate::state_machine::{AttemptOutcome, AttemptResult, Cause, Command, millis};
use crate::telemetry::chain;
use std::sync::Arc;
use std::time::Duration;
use tracing::{debug, warn};

/// Wait between attempts to record an outcome while the log does not answer. It doubles up to the
/// longest: each attempt may leave one more copy in a log that is slow already.
const RECORD_RETRY: Duration = Duration::from_millis(200);
const RECORD_RETRY_MAX: Duration = Duration::from_secs(2);

/// How a call to an instance ended, for the limits.
#[derive(Debug)]
pub(super) struct Ended {
    pub instance: String,
    /// When the call was begun, by the monotonic clock.
    pub begun: Duration,
    pub failure: Option<DeliveryFailure>,
}

/// Makes the attempt and records its outcome. Returns when the log has it, or cannot have it.
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
    let Attempted { outcome: result, budget_wait } = attempted;
    shared.metrics.observe_attempt(&job.route, result.as_ref().err().map(|f| f.kind));
    let failure = result.as_ref().err().cloned();
    let result = match result {
        Ok(receipt) => AttemptResult::Delivered(receipt),
        Err(failure) => after_failure(&job, &failure, &shared),
    };
    let outcome = AttemptOutcome { effect: job.id, attempt: job.attempt, result };
    let wait = pause_wait(failure.as_ref(), budget_wait);
    let asked = wait.map(|wait| pause(&job.route, wait, &shared));
    let outcome = Command::Record(vec![outcome]);
    write([outcome].into_iter().chain(asked).collect(), &shared).await;
    Ended { instance, begun, failure }
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

/// Records outcomes; tried until the log has them. An outcome that is lost with the process is
/// found in doubt by the next one.
pub(super) async fn record(outcomes: Vec<AttemptOutcome>, shared: &Shared) {
    write(vec![Command::Record(outcomes)], shared).await;
}

async fn write(commands: Vec<Command>, shared: &Shared) {
    let mut wait = RECORD_RETRY;
    loop {
        match shared.cluster.propose(commands.clone()).await {
            Ok(_) => return,
            Err(AcceptError::Stopped) => return,
            Err(error) => {
                warn!(error = chain(&error), "outcome not recorded yet");
                tokio::time::sleep(wait).await;
                wait = (2 * wait).min(RECORD_RETRY_MAX);
            }
        }
    }
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
