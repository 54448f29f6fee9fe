//! Dead letters in the Go relay's JSON shapes, plus the effect each stands for.

use crate::api::Api;
use crate::clock::Timestamp;
use crate::event::to_json;
use crate::state_machine::{DeadLetter, StateMachine};
use axum::Json;
use axum::extract::{Query, State};
use serde_json::{Value, json};
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
) -> Json<Value> {
    let number = |name: &str| query.get(name).and_then(|text| text.parse::<usize>().ok());
    let limit = number("limit").filter(|limit| *limit > 0).unwrap_or(PAGE_MAX).min(PAGE_MAX);
    let offset = number("offset").unwrap_or(0);
    Json(api.cluster.read(|state| page(state, limit, offset)))
}

fn page(state: &StateMachine, limit: usize, offset: usize) -> Value {
    let letters = state.dead_letters();
    let total = letters.len();
    let events: Vec<Value> = letters.skip(offset).take(limit).map(entry).collect();
    json!({
        "count": events.len(),
        "events": events,
        "total": total,
        "offset": offset,
        "limit": limit,
    })
}

/// A letter as it is listed.
pub(super) fn entry(letter: &DeadLetter) -> Value {
    let event = &letter.event;
    json!({
        "id": letter.id.to_string(),
        "failed_at": letter.failed_at.to_string(),
        "cause": format!("{}: {}", letter.cause.kind.as_str(), letter.cause.detail),
        "retry_count": letter.replays,
        "effect": {
            "integration": letter.route.kind,
            "instance": letter.route.instance,
            "action": letter.route.action,
            "attempts": letter.attempts,
            "cause": letter.cause.kind.as_str(),
        },
        "envelope": {
            "CloudEventID": event.ce_id,
            "CloudEventType": event.ce_type,
            "Source": event.ce_source,
            "Report": to_json(event, &letter.context),
        },
    })
}

/// Letters by cause, provider, state and age.
pub(super) async fn analytics(State(api): State<Api>) -> Json<Value> {
    Json(api.cluster.read(summarise))
}

fn summarise(state: &StateMachine) -> Value {
    let mut causes: BTreeMap<&str, u64> = BTreeMap::new();
    let mut providers: BTreeMap<&str, u64> = BTreeMap::new();
    let mut states: BTreeMap<&str, u64> = BTreeMap::new();
    let mut ages = [0_u64; 3];
    for letter in state.dead_letters() {
        *causes.entry(letter.cause.kind.as_str()).or_default() += 1;
        *providers.entry(&letter.event.scm.provider).or_default() += 1;
        *states.entry(letter.event.state.as_str()).or_default() += 1;
        ages[age_bucket(letter.failed_at, state.now())] += 1;
    }
    let mut top: Vec<_> = causes.into_iter().collect();
    top.sort_by_key(|(cause, count)| (std::cmp::Reverse(*count), *cause));
    let top = top.into_iter().take(TOP_CAUSES_MAX);
    let top: Vec<Value> =
        top.map(|(cause, count)| json!({"cause": cause, "count": count})).collect();
    json!({
        "top_causes": top,
        "by_provider": providers,
        "by_state": states,
        "age_buckets": {"lt_1h": ages[0], "lt_24h": ages[1], "gt_24h": ages[2]},
        "total": state.dead_letters().len(),
    })
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
