//! `GET /api/v1/runs/{uid}`: what is known of a run, what was sent for it, and why not.

use crate::api::{Api, Problem, ProblemId};
use crate::event::NotSettled;
use crate::state_machine::{
    EffectRecord, RunView, SettledEffect, Settlement, StateMachine, TimelineEntry,
};
use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

/// The run, or 404 where it is unknown or long over.
pub(super) async fn show(
    State(api): State<Api>,
    Path(uid): Path<String>,
) -> Result<Json<Value>, Problem> {
    let body = api.cluster.read(|state: &StateMachine| state.run(&uid).map(|view| run(&view)));
    let missing = || Problem::new(ProblemId::NotFound, format!("no live run with uid {uid}"));
    body.map(Json).ok_or_else(missing)
}

fn run(view: &RunView<'_>) -> Value {
    let record = view.run;
    let event = &record.facts;
    let parent = &event.parent;
    json!({
        "uid": event.uid,
        "kind": event.kind.as_str(),
        "namespace": event.namespace,
        "name": event.name,
        "parent": (!parent.uid.is_empty()).then(|| json!({"uid": parent.uid, "name": parent.name})),
        "slot": record.slot.number(),
        "state": event.state.as_str(),
        "reason": event.reason,
        "attempt": event.attempt,
        "check_name": record.context.check_name,
        "check_not_settled": record.context.not_settled.map(NotSettled::as_str),
        "previous_state": record.context.previous_state.map(|state| state.as_str()),
        "last_seen": record.last_seen.to_string(),
        "events_unplanned": record.queue.len(),
        "timeline": record.timeline.iter().map(moment).collect::<Vec<_>>(),
        "effects": view.unsettled.iter().map(|effect| unsettled(effect))
            .chain(record.settled.iter().map(settled)).collect::<Vec<_>>(),
    })
}

fn moment(moment: &TimelineEntry) -> Value {
    json!({
        "at": moment.at.to_string(),
        "ce_time": moment.ce_time.to_string(),
        "state": moment.state.as_str(),
        "reason": moment.reason,
        "attempt": moment.attempt,
        "fate": moment.fate.as_str(),
        "contradicts": moment.is_contradiction,
    })
}

fn unsettled(effect: &EffectRecord) -> Value {
    let cause = effect.last_cause.as_ref();
    json!({
        "id": effect.id.to_string(),
        "route": effect.route.to_string(),
        "target": effect.target.to_string(),
        "event_state": effect.event.state.as_str(),
        "status": if effect.open.is_some() { "sending" } else { "waiting" },
        "attempts": effect.attempts,
        "not_before": effect.not_before.is_known().then(|| effect.not_before.to_string()),
        "in_doubt": effect.is_in_doubt,
        "last_failure": cause.map(|cause| json!({
            "kind": cause.kind.as_str(),
            "detail": cause.detail,
        })),
    })
}

fn settled(effect: &SettledEffect) -> Value {
    let (status, reason, receipt) = match &effect.settlement {
        Settlement::Delivered(receipt) => ("delivered", None, Some(receipt)),
        Settlement::Skipped(reason) => ("skipped", Some(reason.as_str()), None),
        Settlement::Dead(cause) => ("dead", Some(cause.as_str()), None),
        Settlement::Late(receipt) => ("late", None, Some(receipt)),
    };
    json!({
        "id": effect.effect.to_string(),
        "route": effect.route.to_string(),
        "target": effect.target.as_ref().map(ToString::to_string),
        "event_state": effect.state.as_str(),
        "status": status,
        "reason": reason,
        "attempts": effect.attempts,
        "at": effect.at.to_string(),
        "receipt": receipt.map(|receipt| json!({
            "remote_id": receipt.remote_id,
            "status": receipt.status,
        })),
    })
}
