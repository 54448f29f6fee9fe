//! When to retry: a function of the attempt, the failure, the age of the event and a random number
//! from the caller. The replicated log keeps the schedule.

use crate::failure::{DeliveryFailure, Retryability};
use std::time::Duration;

/// How long a `404` or `422` for a commit that the forge may not know yet is retried.
pub const UNSETTLED_TARGET_AGE_MAX: Duration = Duration::from_mins(10);

/// The longest wait a target may impose with `Retry-After`: GitHub's windows last one hour.
pub const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);

/// Doubling stops here: 2^20 times the initial wait is over any sensible maximum.
const DOUBLINGS_MAX: u32 = 20;

/// How failed effects are retried (`retry` in the configuration).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Total attempts; `None` means no limit except `max_age`.
    pub max_attempts: Option<u32>,
    /// Wait before the second attempt. Default 1 s.
    pub initial_backoff: Duration,
    /// Longest wait between attempts. Default 5 min.
    pub max_backoff: Duration,
    /// Age at which an event becomes a dead letter. Default 24 h.
    pub max_age: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: None,
            initial_backoff: Duration::from_secs(1),
            max_backoff: Duration::from_mins(5),
            max_age: Duration::from_hours(24),
        }
    }
}

/// What the policy decides after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Retry after this wait.
    RetryIn(Duration),
    /// Give up: the effect becomes a dead letter.
    GiveUp,
}

impl RetryPolicy {
    /// Decides what follows attempt number `attempt` (from 1) of an effect whose event is `age`
    /// old. `jitter` is any number; it spreads the wait over its upper half.
    #[must_use]
    pub fn after_failure(
        &self,
        attempt: u32,
        failure: &DeliveryFailure,
        age: Duration,
        jitter: u64,
    ) -> Verdict {
        let age_max = match failure.retryability {
            Retryability::Permanent => return Verdict::GiveUp,
            Retryability::Temporary => self.max_age,
            Retryability::Unsettled => self.max_age.min(UNSETTLED_TARGET_AGE_MAX),
        };
        if self.max_attempts.is_some_and(|max| attempt >= max) || age >= age_max {
            return Verdict::GiveUp;
        }
        let asked = failure.retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
        Verdict::RetryIn(self.backoff(attempt, jitter).max(asked))
    }

    /// `initial * 2^(attempt-1)` up to `max_backoff`; the upper half of it is random.
    #[must_use]
    pub fn backoff(&self, attempt: u32, jitter: u64) -> Duration {
        let doublings = attempt.saturating_sub(1).min(DOUBLINGS_MAX);
        let full = self.initial_backoff.saturating_mul(1 << doublings).min(self.max_backoff);
        let half_ms = u64::try_from(full.as_millis() / 2).unwrap_or(u64::MAX);
        full - Duration::from_millis(half_ms) + Duration::from_millis(jitter % (half_ms + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FailureKind;

    fn failure(retryability: Retryability) -> DeliveryFailure {
        DeliveryFailure::new(FailureKind::Server, retryability, "x")
    }

    #[test]
    fn waits_double_between_the_bounds() {
        let policy = RetryPolicy::default();
        let longest =
            |attempt| policy.backoff(attempt, 0).max(policy.backoff(attempt, u64::MAX >> 1));
        assert!(longest(1) <= Duration::from_secs(1));
        for attempt in 1..64 {
            let wait = policy.backoff(attempt, u64::from(attempt) * 7919);
            assert!(
                wait >= Duration::from_millis(500) && wait <= policy.max_backoff,
                "{attempt}: {wait:?}"
            );
        }
        assert!(policy.backoff(12, 0) >= policy.max_backoff / 2);
    }

    #[test]
    fn permanent_failures_are_given_up_at_once() {
        let verdict = RetryPolicy::default().after_failure(
            1,
            &failure(Retryability::Permanent),
            Duration::ZERO,
            0,
        );
        assert_eq!(verdict, Verdict::GiveUp);
    }

    #[test]
    fn temporary_failures_are_retried_until_max_age() {
        let policy = RetryPolicy::default();
        let temporary = failure(Retryability::Temporary);
        let retried =
            policy.after_failure(500, &temporary, policy.max_age - Duration::from_secs(1), 0);
        assert!(matches!(retried, Verdict::RetryIn(_)));
        assert_eq!(policy.after_failure(500, &temporary, policy.max_age, 0), Verdict::GiveUp);
    }

    #[test]
    fn an_unknown_commit_is_retried_ten_minutes() {
        let policy = RetryPolicy::default();
        let unsettled = failure(Retryability::Unsettled);
        let nine = policy.after_failure(9, &unsettled, Duration::from_mins(9), 0);
        assert!(matches!(nine, Verdict::RetryIn(_)));
        assert_eq!(
            policy.after_failure(9, &unsettled, UNSETTLED_TARGET_AGE_MAX, 0),
            Verdict::GiveUp
        );
    }

    #[test]
    fn retry_after_is_honoured_up_to_an_hour() {
        let policy = RetryPolicy::default();
        let asked =
            failure(Retryability::Temporary).with_retry_after(Some(Duration::from_secs(90)));
        assert_eq!(
            policy.after_failure(1, &asked, Duration::ZERO, 0),
            Verdict::RetryIn(Duration::from_secs(90))
        );
        let absurd =
            failure(Retryability::Temporary).with_retry_after(Some(Duration::from_hours(48)));
        assert_eq!(
            policy.after_failure(1, &absurd, Duration::ZERO, 0),
            Verdict::RetryIn(RETRY_AFTER_MAX)
        );
    }

    #[test]
    fn max_attempts_ends_the_retries() {
        let policy = RetryPolicy { max_attempts: Some(4), ..RetryPolicy::default() };
        assert_eq!(
            policy.after_failure(4, &failure(Retryability::Temporary), Duration::ZERO, 0),
            Verdict::GiveUp
        );
    }
}
