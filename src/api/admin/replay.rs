//! `POST /api/v1/dlq/replay`: the Go relay's filter and override. A replayed letter is queued
//! again and planned with the present configuration; `replayed` counts what was queued.

use super::access;
use crate::api::{Api, Problem, ProblemId};
use crate::clock::Timestamp;
use crate::event::{RunEvent, RunState, with_override};
use crate::state_machine::{Applied, Command, DeadLetter, ReplayItem};
use axum::Json;
use axum::extract::{Request, State};
use serde_json::{Map, Value, json};

/// Longest body of a replay request: a filter and an override of one event.
const REQUEST_BYTES_MAX: usize = 1024 * 1024;
/// Letters queued by one log entry.
const LETTERS_PER_ENTRY_MAX: usize = 500;

/// What to replay and what to change in it.
#[derive(Debug, Default)]
struct Selection {
    ids: Option<Vec<u64>>,
    provider: Option<String>,
    state: Option<RunState>,
    after: Option<Timestamp>,
    payload: Option<Map<String, Value>>,
}

/// Queues the selected letters; an empty body selects all.
pub(super) async fn replay(
    State(api): State<Api>,
    request: Request,
) -> Result<Json<Value>, Problem> {
    let (parts, body) = request.into_parts();
    access::require(&api, &parts.headers, &parts.extensions).await?;
    let body = axum::body::to_bytes(body, REQUEST_BYTES_MAX)
        .await
        .map_err(|_| invalid("failed to read body"))?;
    let selection = Selection::parse(&body)?;
    let (items, filtered) = api.cluster.read(|state| select(state.dead_letters(), &selection))?;
    let overridden = if selection.payload.is_some() { items.len() } else { 0 };
    let replayed = queue(&api, items).await?;
    Ok(Json(json!({
        "replayed": replayed,
        "failed": 0,
        "filtered": filtered,
        "overridden": overridden,
    })))
}

async fn queue(api: &Api, items: Vec<ReplayItem>) -> Result<u64, Problem> {
    let mut replayed = 0;
    for chunk in items.chunks(LETTERS_PER_ENTRY_MAX) {
        let answers = api
            .cluster
            .propose(vec![Command::Replay(chunk.to_vec())])
            .await
            .map_err(|error| Problem::new(ProblemId::NotAccepted, error.to_string()))?;
        replayed += answers.iter().map(queued).sum::<u64>();
    }
    Ok(replayed)
}

fn queued(answer: &Applied) -> u64 {
    match answer {
        Applied::Replayed(count) => *count,
        Applied::Done | Applied::Accepted(_) | Applied::Begun(_) | Applied::Refused(_) => 0,
    }
}

/// The letters that match, oldest first, and how many did not.
fn select<'a>(
    letters: impl Iterator<Item = &'a DeadLetter>,
    selection: &Selection,
) -> Result<(Vec<ReplayItem>, usize), Problem> {
    let mut items = Vec::new();
    let mut filtered = 0;
    for letter in letters {
        if !selection.admits(letter) {
            filtered += 1;
            continue;
        }
        let event = selection.overridden(letter)?;
        items.push(ReplayItem { letter: letter.id, event });
    }
    Ok((items, filtered))
}

impl Selection {
    fn parse(body: &[u8]) -> Result<Self, Problem> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::default());
        }
        let root: Value = serde_json::from_slice(body).map_err(|_| invalid("invalid JSON body"))?;
        let text = |path: &str| {
            root.pointer(path).and_then(Value::as_str).filter(|t| !t.is_empty()).map(str::to_owned)
        };
        let state = text("/filter/state").map(|word| {
            let accepted = "pending, running, success, failure, error, canceled";
            let problem = || invalid(&format!("filter.state {word:?} is none of {accepted}"));
            RunState::parse(&word).ok_or_else(problem)
        });
        let after = text("/filter/after").map(|time| {
            let problem = || invalid(&format!("invalid timestamp in filter.after: {time:?}"));
            Timestamp::parse_rfc3339(&time).ok_or_else(problem)
        });
        let ids = root
            .pointer("/filter/ids")
            .and_then(Value::as_array)
            .map(|ids| ids.iter().filter_map(letter_id).collect());
        if root.pointer("/override/timestamp").is_some_and(|value| !value.is_null()) {
            let detail = "override.timestamp is not needed here: a replay goes past the dedupe";
            return Err(invalid(detail));
        }
        let payload = root.pointer("/override/payload").and_then(Value::as_object).cloned();
        let (state, after) = (state.transpose()?, after.transpose()?);
        Ok(Self { ids, provider: text("/filter/provider"), state, after, payload })
    }

    fn admits(&self, letter: &DeadLetter) -> bool {
        let event = &letter.event;
        self.ids.as_ref().is_none_or(|ids| ids.contains(&letter.id))
            && self.provider.as_ref().is_none_or(|provider| *provider == event.scm.provider)
            && self.state.is_none_or(|state| state == event.state)
            && self.after.is_none_or(|after| letter.failed_at > after)
    }

    fn overridden(&self, letter: &DeadLetter) -> Result<Option<Box<RunEvent>>, Problem> {
        let Some(payload) = &self.payload else { return Ok(None) };
        let changed = with_override(&letter.event, payload)
            .map_err(|error| invalid(&format!("override.payload: {error}")))?;
        Ok(Some(Box::new(changed)))
    }
}

fn invalid(detail: &str) -> Problem {
    Problem::new(ProblemId::InvalidRequest, detail)
}

/// Ids are listed as text; numbers are understood too.
fn letter_id(id: &Value) -> Option<u64> {
    id.as_u64().or_else(|| id.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_body_selects_everything() {
        let selection = Selection::parse(b" \n").unwrap();
        assert!(
            selection.ids.is_none() && selection.state.is_none() && selection.payload.is_none()
        );
    }

    #[test]
    fn a_bad_filter_names_the_field_and_the_value() {
        let problem = Selection::parse(br#"{"filter":{"state":"cancelled"}}"#).unwrap_err();
        assert!(problem.detail.contains("filter.state \"cancelled\""), "{}", problem.detail);
        let problem = Selection::parse(br#"{"filter":{"after":"noon"}}"#).unwrap_err();
        assert!(problem.detail.contains("filter.after: \"noon\""), "{}", problem.detail);
    }

    #[test]
    fn ids_are_taken_as_text_and_as_numbers() {
        let selection = Selection::parse(br#"{"filter":{"ids":["7",8]}}"#).unwrap();
        assert_eq!(selection.ids, Some(vec![7, 8]));
    }
}
