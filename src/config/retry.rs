//! `retry`: how failed effects are retried.

use crate::retry::RetryPolicy;
use crate::settings::error::Problem;
use crate::settings::fields::Fields;
use std::time::Duration;

/// A target needs longer than this to recover, if it answers at all.
const BACKOFF_MIN: Duration = Duration::from_millis(10);

/// After a day the event is outdated at every target.
const BACKOFF_MAX: Duration = Duration::from_hours(24);

/// As long as a run is remembered by default.
const AGE_MAX: Duration = Duration::from_hours(168);

/// Reads `retry`: `max_attempts` (0 or absent: no limit), `initial_backoff`, `max_backoff`,
/// `max_age`.
pub(super) fn read(mut fields: Fields<'_>) -> RetryPolicy {
    let default = RetryPolicy::default();
    let initial = fields.duration("initial_backoff", BACKOFF_MIN..=BACKOFF_MAX);
    let policy = RetryPolicy {
        max_attempts: fields.count("max_attempts", 0..=100_000).filter(|max| *max > 0),
        initial_backoff: initial.unwrap_or(default.initial_backoff),
        max_backoff: fields
            .duration("max_backoff", BACKOFF_MIN..=BACKOFF_MAX)
            .unwrap_or(default.max_backoff),
        max_age: fields
            .duration("max_age", Duration::from_secs(1)..=AGE_MAX)
            .unwrap_or(default.max_age),
    };
    if policy.initial_backoff > policy.max_backoff {
        let rule = "is longer than `max_backoff`";
        fields.fail("initial_backoff", Problem::Conflict { rule });
    }
    fields.finish();
    policy
}
