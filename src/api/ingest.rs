//! CloudEvents in, an answer after the commit out. Nothing here decides about an event.

use super::answers::FateAnswer;
use super::receive::{Received, receive};
use super::senders::Admission;
use super::server::Peer;
use super::{Api, IGNORED, Problem, ProblemId};
use crate::cluster::AcceptError;
use crate::event::{CloudEvent, Decoded, IngestError, RunEvent, decode, parse};
use crate::state_machine::{Accepted, Fate};
use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tracing::{debug, error};

/// A body that takes longer to arrive is cut off without an answer: Tekton would take a 408
/// as final, and repeats a broken connection (rule 16).
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

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
    // Before the body: strangers fill no memory.
    let has_certificate = parts.extensions.get::<Peer>().is_some_and(|peer| peer.has_certificate);
    let admission = api.senders.admit(parts.uri.path(), &parts.headers, has_certificate).await?;
    let is_batch = is_batch(&parts.headers);
    let reading = read_body(body, &parts.headers, &api, admission);
    let Ok(read) = tokio::time::timeout(BODY_TIMEOUT, reading).await else {
        return cut_off(&parts.extensions).await;
    };
    let body = read?;
    let _call = parts.extensions.get::<Peer>().map(Peer::begin);
    let events = parse(&pairs(&parts.headers), body.bytes()).map_err(|error| refused(&error))?;
    let (mut items, runs) = decode_all(&api, &events)?;
    if !runs.is_empty() {
        confirm(&api, &mut items, runs).await?;
    }
    Ok(accepted(&parts.headers, &items, is_batch))
}

/// Reads the body, and checks its signature where there is one.
async fn read_body(
    body: Body,
    headers: &HeaderMap,
    api: &Api,
    admission: Admission,
) -> Result<Received, Problem> {
    let limits = (&api.bodies, api.body_bytes_max);
    match admission {
        Admission::Granted => receive(body, headers, limits, |_| {}).await,
        Admission::Signed(mut signature) => {
            let received = receive(body, headers, limits, |part| signature.update(part)).await;
            if signature.verify() { received } else { Err(api.senders.unauthorized()) }
        }
    }
}

/// 202 with what became of each event; without a body where a broker asks.
fn accepted(headers: &HeaderMap, items: &[Item], is_batch: bool) -> Response {
    let answers = || items.iter().map(answer).collect::<Vec<_>>();
    let mut response = match (is_broker(headers), is_batch) {
        (true, _) => StatusCode::ACCEPTED.into_response(),
        (false, true) => (StatusCode::ACCEPTED, Json(answers())).into_response(),
        (false, false) => (StatusCode::ACCEPTED, Json(answers().first())).into_response(),
    };
    let place = match items {
        [item] if !is_batch && !item.run_uid.is_empty() => run_location(&item.run_uid),
        [] | [_] | [_, _, ..] => None,
    };
    if let Some(place) = place {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// Where the run of an event is shown.
fn run_location(uid: &str) -> Option<HeaderValue> {
    let uid = utf8_percent_encode(uid, NON_ALPHANUMERIC).to_string().replace("%2D", "-");
    HeaderValue::try_from(format!("/api/v1/runs/{uid}")).ok()
}

/// Whether a broker delivers the event, which takes the body of an answer for the event to send
/// next, and one that is none for a failed delivery. Knative sends `Prefer: reply` where it takes
/// replies, `Kn-Namespace` from a broker's filter, and extensions whose names begin with `knative`.
fn is_broker(headers: &HeaderMap) -> bool {
    let prefers_reply = headers.get_all("prefer").iter().any(|value| {
        let value = String::from_utf8_lossy(value.as_bytes());
        value.split([',', ';']).any(|wish| wish.trim().eq_ignore_ascii_case("reply"))
    });
    let is_of_knative = |name: &str| name.starts_with("ce-knative") || name.starts_with("kn-");
    prefers_reply || headers.keys().any(|name| is_of_knative(name.as_str()))
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
        debug!("a slow request was cut off");
        peer.cut();
    }
    std::future::pending().await
}

fn decode_all(api: &Api, events: &[CloudEvent]) -> Result<(Vec<Item>, Vec<RunEvent>), Problem> {
    let received_at = api.clock.wall();
    let ruleset = Arc::clone(&api.rulesets.borrow());
    let mut items = Vec::with_capacity(events.len());
    let mut runs = Vec::with_capacity(events.len());
    for event in events {
        let decoded = decode(event, received_at, &ruleset.keep)
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

fn answer(item: &Item) -> FateAnswer {
    let accepted = item.accepted.as_ref();
    FateAnswer {
        fate: item.fate.as_str(),
        owner: accepted.and_then(|accepted| accepted.owner).map(|node| node.to_string()),
        run_uid: (!item.run_uid.is_empty()).then(|| item.run_uid.clone()),
        slot: accepted.map(|accepted| accepted.slot.number()),
    }
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
    let id = match error {
        AcceptError::Full => ProblemId::StateFull,
        // One event alone is more than an entry of the log holds: that does not heal.
        AcceptError::TooLarge { .. } => ProblemId::BodyTooLarge,
        AcceptError::Unanswered { .. }
        | AcceptError::Unconfirmed
        | AcceptError::NoLeader
        | AcceptError::Overloaded
        | AcceptError::DiskLow
        | AcceptError::Stopped => ProblemId::NotAccepted,
    };
    Problem::new(id, error.to_string())
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
