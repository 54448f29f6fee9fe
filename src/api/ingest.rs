//! CloudEvents in, an answer after the commit out. Nothing here decides about an event.

use super::server::Peer;
use super::{Api, IGNORED, Problem, ProblemId};
use crate::cluster::AcceptError;
use crate::event::{CloudEvent, Decoded, IngestError, RunEvent, decode, parse};
use crate::state_machine::{Accepted, Fate};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use futures_util::{FutureExt as _, StreamExt as _};
use http::{Extensions, HeaderMap, Method, StatusCode, header};
use serde_json::{Value, json};
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tracing::{debug, error};

/// A body that takes longer to arrive is cut off without an answer: Tekton would take a 408
/// as final, and repeats a broken connection (rule 16).
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A body over the bound is read this far, only to be able to answer.
const DISCARDED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// One event's place in the answer.
struct Item {
    run_uid: String,
    fate: Fate,
    accepted: Option<Accepted>,
}

/// Takes one request. A panic on the way is a 503: what was not confirmed is sent again.
pub(super) async fn ingest(State(api): State<Api>, request: Request) -> Response {
    let metrics = api.metrics.clone();
    let outcome = AssertUnwindSafe(take(api, request)).catch_unwind().await;
    let problem = match outcome {
        Ok(Ok(response)) => return response,
        Ok(Err(problem)) => problem,
        Err(_) => {
            error!("a request panicked");
            Problem::new(ProblemId::Internal, "the request could not be processed")
        }
    };
    metrics.refused(problem.id.as_str());
    problem.into_response()
}

async fn take(api: Api, request: Request) -> Result<Response, Problem> {
    if request.method() != Method::POST {
        let detail = format!("{} is not POST", request.method());
        return Err(Problem::new(ProblemId::NotFound, detail));
    }
    let (parts, body) = request.into_parts();
    let is_batch = is_batch(&parts.headers);
    let Ok(read) = tokio::time::timeout(BODY_TIMEOUT, read_body(body, &parts.headers, &api)).await
    else {
        return cut_off(&parts.extensions).await;
    };
    let body = read?;
    let events = parse(&pairs(&parts.headers), &body).map_err(|error| refused(&error))?;
    let (mut items, runs) = decode_all(&api, &events)?;
    if !runs.is_empty() {
        confirm(&api, &mut items, runs).await?;
    }
    let answers: Vec<Value> = items.iter().map(answer).collect();
    let body = if is_batch { Value::from(answers) } else { answers.into_iter().next().into() };
    let kind = [(header::CONTENT_TYPE, "application/json")];
    Ok((StatusCode::ACCEPTED, kind, body.to_string()).into_response())
}

/// Waits for the commit and fills in the fates.
async fn confirm(api: &Api, items: &mut [Item], runs: Vec<RunEvent>) -> Result<(), Problem> {
    let started = api.clock.monotonic();
    let outcome = api.cluster.accept(runs).await;
    let seconds = api.clock.monotonic().saturating_sub(started).as_secs_f64();
    api.metrics.accepted(if outcome.is_ok() { "accepted" } else { "refused" }, seconds);
    let accepted = outcome.map_err(|error| not_accepted(&error))?;
    let open = items.iter_mut().filter(|item| item.fate != Fate::Ignored);
    for (item, accepted) in open.zip(accepted) {
        item.fate = accepted.fate;
        item.accepted = Some(accepted);
    }
    Ok(())
}

/// Closes the connection: the sender repeats what was never answered.
async fn cut_off(extensions: &Extensions) -> Result<Response, Problem> {
    if let Some(peer) = extensions.get::<Peer>() {
        debug!(peer = %peer.address, "a slow request was cut off");
        peer.cut.cancel();
    }
    std::future::pending().await
}

async fn read_body(body: Body, headers: &HeaderMap, api: &Api) -> Result<Vec<u8>, Problem> {
    let max = api.body_bytes_max;
    let too_large = |length: &str| {
        let detail = format!("body of {length} bytes, at most {max} are accepted");
        Problem::new(ProblemId::BodyTooLarge, detail)
    };
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let surplus = announced.filter(|length| length.parse().is_ok_and(|length: usize| length > max));
    if let Some(length) = surplus {
        discard(body).await;
        return Err(too_large(length));
    }
    let bytes = axum::body::to_bytes(body, max).await.map_err(|_| too_large("more"))?;
    Ok(bytes.into())
}

/// Reads on for a while: a client that is still writing would see a broken connection in place
/// of the answer.
async fn discard(body: Body) {
    let mut frames = body.into_data_stream();
    let mut left = DISCARDED_BYTES_MAX;
    while let Some(Ok(frame)) = frames.next().await {
        let Some(rest) = left.checked_sub(frame.len()) else { return };
        left = rest;
    }
}

fn decode_all(api: &Api, events: &[CloudEvent]) -> Result<(Vec<Item>, Vec<RunEvent>), Problem> {
    let received_at = api.clock.wall();
    let mut items = Vec::with_capacity(events.len());
    let mut runs = Vec::with_capacity(events.len());
    for event in events {
        let decoded = decode(event, received_at, &api.keep)
            .map_err(|error| Problem::new(ProblemId::InvalidRunData, error.to_string()))?;
        match decoded {
            Decoded::Run(run) => {
                api.metrics.received(run.kind.as_str());
                let run_uid = run.uid.clone();
                items.push(Item { run_uid, fate: Fate::Superseded, accepted: None });
                runs.push(*run);
            }
            Decoded::Ignored { .. } => {
                api.metrics.received(IGNORED);
                items.push(Item { run_uid: String::new(), fate: Fate::Ignored, accepted: None });
            }
        }
    }
    Ok((items, runs))
}

fn answer(item: &Item) -> Value {
    let accepted = item.accepted.as_ref();
    json!({
        "fate": item.fate.as_str(),
        "run_uid": (!item.run_uid.is_empty()).then_some(&item.run_uid),
        "slot": accepted.map(|accepted| accepted.slot.number()),
        "owner": accepted.and_then(|accepted| accepted.owner).map(|node| node.to_string()),
    })
}

fn refused(error: &IngestError) -> Problem {
    let id = if error.is_media_type() {
        ProblemId::UnsupportedMediaType
    } else {
        ProblemId::InvalidCloudEvent
    };
    Problem::new(id, error.to_string())
}

fn not_accepted(error: &AcceptError) -> Problem {
    Problem::new(ProblemId::NotAccepted, error.to_string())
}

fn is_batch(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("application/cloudevents-batch"))
}

fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

#[cfg(test)]
#[path = "ingest_test.rs"]
mod tests;
