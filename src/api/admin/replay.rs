//! `POST /api/v1/dlq/replay`: the Go relay's filter and override. A replayed letter is queued
//! again and planned with the present configuration; `replayed` counts what was queued.

use super::body::{self, Members};
use super::letters::{Filter, listed};
use super::read_body;
use crate::api::answers::ReplayAnswer;
use crate::api::{Api, Problem, ProblemId};
use crate::event::{RunEvent, with_override};
use crate::state_machine::{Applied, Command, DeadLetter, ReplayItem};
use axum::Json;
use axum::extract::{Request, State};
use serde_json::{Map, Value};

/// Longest body of a replay request: a filter and an override of one event.
const REQUEST_BYTES_MAX: usize = 1024 * 1024;
/// Letters queued by one log entry.
const LETTERS_PER_ENTRY_MAX: usize = 500;

/// What to replay and what to change in it.
#[derive(Debug, Default)]
struct Selection {
    filter: Filter,
    payload: Option<Map<String, Value>>,
    /// Show what would be queued, and queue nothing.
    is_dry_run: bool,
}

/// Queues the selected letters; an empty body selects all.
pub(super) async fn replay(
    State(api): State<Api>,
    request: Request,
) -> Result<Json<ReplayAnswer>, Problem> {
    let selection = Selection::parse(&read_body(request, REQUEST_BYTES_MAX).await?)?;
    let (items, filtered) = api.cluster.read(|state| {
        selection.filter.check_known(state.dead_letters())?;
        select(state.dead_letters(), &selection)
    })?;
    let overridden = if selection.payload.is_some() { items.len() } else { 0 };
    if selection.is_dry_run {
        let chosen = items.iter().map(|item| item.letter).collect();
        let letters = api.cluster.read(|state| listed(state.dead_letters(), &chosen));
        return Ok(Json(ReplayAnswer {
            dry_run: Some(true),
            filtered,
            letters: Some(letters),
            overridden,
            would_replay: Some(items.len()),
            ..ReplayAnswer::default()
        }));
    }
    let replayed = queue(&api, items).await?;
    let failed = Some(0);
    Ok(Json(ReplayAnswer { failed, filtered, overridden, replayed, ..ReplayAnswer::default() }))
}

async fn queue(api: &Api, items: Vec<ReplayItem>) -> Result<u64, Problem> {
    let mut replayed = 0;
    for chunk in items.chunks(LETTERS_PER_ENTRY_MAX) {
        let answers = api
            .cluster
            .propose(vec![Command::Replay(chunk.to_vec())])
            .await
            .map_err(|error| Problem::new(ProblemId::NotAccepted, error.to_string()))?;
        replayed += answers.iter().map(Applied::letters).sum::<u64>();
    }
    Ok(replayed)
}

/// The letters that match, oldest first, and how many did not.
fn select<'a>(
    letters: impl Iterator<Item = &'a DeadLetter>,
    selection: &Selection,
) -> Result<(Vec<ReplayItem>, usize), Problem> {
    let mut items = Vec::new();
    let mut filtered = 0;
    for letter in letters {
        if !selection.filter.admits(letter) {
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
        let body = body::parse(body)?;
        let root = Members::of(&body, &["filter", "override", "dry_run"])?;
        let (is_dry_run, filter) = (root.flag("dry_run")?, Filter::of(&root)?);
        let Some(change) = root.members("override", &["payload", "timestamp"])? else {
            return Ok(Self { filter, payload: None, is_dry_run });
        };
        if change.value("timestamp").is_some() {
            let detail = "override.timestamp is not needed here: a replay goes past the dedupe";
            return Err(Problem::invalid_request(detail));
        }
        Ok(Self { filter, payload: change.object("payload")?.cloned(), is_dry_run })
    }

    fn overridden(&self, letter: &DeadLetter) -> Result<Option<Box<RunEvent>>, Problem> {
        let Some(payload) = &self.payload else { return Ok(None) };
        let changed = with_override(&letter.event, payload)
            .map_err(|error| Problem::invalid_request(format!("override.payload: {error}")))?;
        Ok(Some(Box::new(changed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_body_selects_everything() {
        let selection = Selection::parse(b" \n").unwrap();
        assert!(selection.filter.is_open() && selection.payload.is_none());
        assert!(!selection.is_dry_run);
    }

    #[test]
    fn s09_a_body_that_is_not_understood_selects_nothing() {
        for (body, told) in [
            (r#"{"ids":["1"]}"#, "unknown key \"ids\"; accepted: filter, override, dry_run"),
            (r#"{"filter":{"id":["1"]}}"#, "did you mean \"ids\"?"),
            (r#"{"override":{"payloads":{}}}"#, "did you mean \"payload\"?"),
            (r#"{"override":{"payload":"x"}}"#, "override.payload \"x\" is not accepted"),
            (r#"{"dry_run":"yes"}"#, "dry_run \"yes\" is not accepted"),
            (r#"{"dry_run":null}"#, "dry_run is null"),
            (r#"{"filter":null}"#, "filter is null"),
            (r#"{"override":null}"#, "override is null"),
            (r#"{"override":{"payload":null}}"#, "override.payload is null"),
        ] {
            let problem = Selection::parse(body.as_bytes()).unwrap_err();
            assert_eq!(problem.id, ProblemId::InvalidRequest);
            assert!(problem.detail.contains(told), "{body}: {}", problem.detail);
        }
    }
}
