//! Dead letters in the Go relay's JSON shapes, plus the effect each stands for.

use crate::api::Api;
use crate::api::answers::{
    AgeBuckets, AnalyticsAnswer, CauseCount, Envelope, LetterAnswer, LetterEffect, LettersAnswer,
};
use crate::clock::Timestamp;
use crate::event::to_json;
use crate::state_machine::{DeadLetter, StateMachine};
use axum::Json;
use axum::extract::{Query, State};
use std::collections::BTreeMap;
use std::time::Duration;

/// Letters in one answer, as the Go relay has it.
pub(super) const PAGE_MAX: usize = 100;
/// Causes listed by the analytics.
const TOP_CAUSES_MAX: usize = 10;

/// Lists letters, oldest first. Bad or missing numbers mean the defaults.
pub(super) async fn list(
    State(api): State<Api>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Json<LettersAnswer> {
    let number = |name: &str| query.get(name).and_then(|text| text.parse::<usize>().ok());
    let limit = number("limit").filter(|limit| *limit > 0).unwrap_or(PAGE_MAX).min(PAGE_MAX);
    let offset = number("offset").unwrap_or(0);
    Json(api.cluster.read(|state| page(state, limit, offset)))
}

fn page(state: &StateMachine, limit: usize, offset: usize) -> LettersAnswer {
    let letters = state.dead_letters();
    let total = letters.len();
    let events: Vec<LetterAnswer> = letters.skip(offset).take(limit).map(entry).collect();
    LettersAnswer { count: events.len(), events, limit, offset, total }
}

/// A letter as it is listed.
pub(super) fn entry(letter: &DeadLetter) -> LetterAnswer {
    let event = &letter.event;
    let kind = letter.cause.kind.as_str();
    LetterAnswer {
        cause: format!("{kind}: {}", letter.cause.detail),
        effect: LetterEffect {
            action: letter.route.action.clone(),
            attempts: letter.attempts,
            cause: kind.to_owned(),
            instance: letter.route.instance.clone(),
            integration: letter.route.kind.clone(),
        },
        envelope: Envelope {
            id: event.ce_id.clone(),
            kind: event.ce_type.clone(),
            report: to_json(event, &letter.context),
            source: event.ce_source.clone(),
        },
        failed_at: letter.failed_at.to_string(),
        id: letter.id.to_string(),
        retry_count: letter.replays,
    }
}

/// Letters by cause, provider, state and age.
pub(super) async fn analytics(State(api): State<Api>) -> Json<AnalyticsAnswer> {
    Json(api.cluster.read(summarise))
}

fn summarise(state: &StateMachine) -> AnalyticsAnswer {
    let mut causes: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut by_provider: BTreeMap<String, u64> = BTreeMap::new();
    let mut by_state: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut ages = [0_u64; 3];
    for letter in state.dead_letters() {
        *causes.entry(letter.cause.kind.as_str()).or_default() += 1;
        *by_provider.entry(letter.event.scm.provider.clone()).or_default() += 1;
        *by_state.entry(letter.event.state.as_str()).or_default() += 1;
        ages[age_bucket(letter.failed_at, state.now())] += 1;
    }
    let mut top_causes: Vec<_> =
        causes.into_iter().map(|(cause, count)| CauseCount { cause, count }).collect();
    top_causes.sort_by_key(|top| (std::cmp::Reverse(top.count), top.cause));
    top_causes.truncate(TOP_CAUSES_MAX);
    let [lt_1h, lt_24h, gt_24h] = ages;
    AnalyticsAnswer {
        age_buckets: AgeBuckets { gt_24h, lt_1h, lt_24h },
        by_provider,
        by_state,
        top_causes,
        total: state.dead_letters().len(),
    }
}

fn age_bucket(failed_at: Timestamp, now: Timestamp) -> usize {
    let age = now.since(failed_at);
    if age < Duration::from_hours(1) {
        0
    } else if age < Duration::from_hours(24) {
        1
    } else {
        2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_fall_into_the_go_relays_buckets() {
        let now = Timestamp(1_000_000_000);
        let aged = |age: Duration| age_bucket(now.before(age), now);
        assert_eq!(aged(Duration::from_mins(59)), 0);
        assert_eq!(aged(Duration::from_hours(1)), 1);
        assert_eq!(aged(Duration::from_hours(24)), 2);
    }
}
