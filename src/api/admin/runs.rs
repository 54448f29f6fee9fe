//! `GET /api/v1/runs/{uid}`: what is known of a run, what was sent for it, and why not.

use crate::api::answers::{
    EffectAnswer, FailureAnswer, ParentAnswer, ReceiptAnswer, RunAnswer, SettledAnswer,
    TimelineAnswer, UnsettledAnswer,
};
use crate::api::{Api, Problem, ProblemId};
use crate::event::NotSettled;
use crate::state_machine::{
    Cause, EffectRecord, RunView, SettledEffect, Settlement, StateMachine, TimelineEntry,
};
use axum::Json;
use axum::extract::{Path, State};

/// The run, or 404 where it is unknown or long over.
pub(super) async fn show(
    State(api): State<Api>,
    Path(uid): Path<String>,
) -> Result<Json<RunAnswer>, Problem> {
    let body = api.cluster.read(|state: &StateMachine| state.run(&uid).map(|view| run(&view)));
    let missing = || Problem::new(ProblemId::NotFound, format!("no live run with uid {uid}"));
    body.map(Json).ok_or_else(missing)
}

fn run(view: &RunView<'_>) -> RunAnswer {
    let record = view.run;
    let event = &record.facts;
    let parent = &event.parent;
    let has_parent = !parent.uid.is_empty();
    let unsettled = view.unsettled.iter().map(|effect| EffectAnswer::Unsettled(owed(effect)));
    let settled = record.settled.iter().map(|effect| EffectAnswer::Settled(settled(effect)));
    RunAnswer {
        attempt: event.attempt,
        check_name: record.context.check_name.clone(),
        check_not_settled: record.context.not_settled.map(NotSettled::as_str),
        effects: unsettled.chain(settled).collect(),
        events_unplanned: record.queue.len(),
        kind: event.kind.as_str(),
        last_seen: record.last_seen.to_string(),
        name: event.name.clone(),
        namespace: event.namespace.clone(),
        parent: has_parent
            .then(|| ParentAnswer { name: parent.name.clone(), uid: parent.uid.clone() }),
        previous_state: record.context.previous_state.map(|state| state.as_str()),
        reason: event.reason.clone(),
        slot: record.slot.number(),
        state: event.state.as_str(),
        timeline: record.timeline.iter().map(entry).collect(),
        uid: event.uid.clone(),
    }
}

fn entry(entry: &TimelineEntry) -> TimelineAnswer {
    TimelineAnswer {
        at: entry.at.to_string(),
        attempt: entry.attempt,
        ce_time: entry.ce_time.to_string(),
        contradicts: entry.is_contradiction,
        fate: entry.fate.as_str(),
        reason: entry.reason.clone(),
        state: entry.state.as_str(),
    }
}

fn owed(effect: &EffectRecord) -> UnsettledAnswer {
    let failure =
        |cause: &Cause| FailureAnswer { detail: cause.detail.clone(), kind: cause.kind.as_str() };
    UnsettledAnswer {
        attempts: effect.attempts,
        event_state: effect.event.state.as_str(),
        id: effect.id.to_string(),
        in_doubt: effect.is_in_doubt,
        last_failure: effect.last_cause.as_ref().map(failure),
        not_before: effect.not_before.is_known().then(|| effect.not_before.to_string()),
        route: effect.route.to_string(),
        status: if effect.open.is_some() { "sending" } else { "waiting" },
        target: effect.target.to_string(),
    }
}

fn settled(effect: &SettledEffect) -> SettledAnswer {
    let (status, reason, receipt) = match &effect.settlement {
        Settlement::Delivered(receipt) => ("delivered", None, Some(receipt)),
        Settlement::Skipped(reason) => ("skipped", Some(reason.as_str()), None),
        Settlement::Dead(cause) => ("dead", Some(cause.as_str()), None),
        Settlement::Late(receipt) => ("late", None, Some(receipt)),
    };
    SettledAnswer {
        at: effect.at.to_string(),
        attempts: effect.attempts,
        event_state: effect.state.as_str(),
        id: effect.effect.to_string(),
        reason,
        receipt: receipt.map(|receipt| ReceiptAnswer {
            remote_id: receipt.remote_id.clone(),
            status: receipt.status,
        }),
        route: effect.route.to_string(),
        status,
        target: effect.target.as_ref().map(ToString::to_string),
    }
}
