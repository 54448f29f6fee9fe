//! `POST /api/v1/dlq/delete`: takes dead letters out for good, by the filter of a replay. A body
//! that chooses nothing deletes nothing: all letters are deleted by `"all": true` alone.

use super::body::{self, Members};
use super::letters::{Filter, listed};
use super::read_body;
use crate::api::answers::DeleteAnswer;
use crate::api::{Api, Problem, ProblemId};
use crate::state_machine::{Applied, Command, FeatureLevel};
use axum::Json;
use axum::extract::{Request, State};
use std::collections::BTreeSet;
use tracing::info;

/// Longest body of a call: a filter.
const REQUEST_BYTES_MAX: usize = 1024 * 1024;
/// Letters deleted by one log entry: 8 bytes each.
const LETTERS_PER_ENTRY_MAX: usize = 10_000;

/// What to delete.
#[derive(Debug)]
struct Selection {
    filter: Filter,
    /// Show what would be deleted, and delete nothing.
    is_dry_run: bool,
}

/// Deletes the chosen letters, and tells how many.
pub(super) async fn delete(
    State(api): State<Api>,
    request: Request,
) -> Result<Json<DeleteAnswer>, Problem> {
    let selection = Selection::parse(&read_body(request, REQUEST_BYTES_MAX).await?)?;
    let (chosen, filtered) = api.cluster.read(|state| {
        if !state.has_reached(FeatureLevel::SECOND) {
            let detail = "a replica of an older version may still return, which cannot read this; \
                          cluster finalize ends that";
            return Err(Problem::new(ProblemId::Conflict, detail));
        }
        selection.filter.check_known(state.dead_letters())?;
        let (chosen, others): (Vec<_>, Vec<_>) =
            state.dead_letters().partition(|letter| selection.filter.admits(letter));
        Ok((chosen.iter().map(|letter| letter.id).collect::<BTreeSet<u64>>(), others.len()))
    })?;
    if selection.is_dry_run {
        let letters = api.cluster.read(|state| listed(state.dead_letters(), &chosen));
        return Ok(Json(DeleteAnswer {
            dry_run: Some(true),
            filtered,
            letters: Some(letters),
            would_delete: Some(chosen.len()),
            ..DeleteAnswer::default()
        }));
    }
    let deleted = delete_all(&api, &Vec::from_iter(chosen)).await?;
    info!(letters = deleted, "an operator deleted dead letters");
    Ok(Json(DeleteAnswer { deleted, filtered, ..DeleteAnswer::default() }))
}

async fn delete_all(api: &Api, letters: &[u64]) -> Result<u64, Problem> {
    let mut deleted = 0;
    for chunk in letters.chunks(LETTERS_PER_ENTRY_MAX) {
        let proposed = api.cluster.propose(vec![Command::DeleteLetters(chunk.to_vec())]).await;
        let not_carried_out =
            |error| Problem::new(ProblemId::NotCarriedOut, format!("{error}: {deleted} deleted"));
        deleted += proposed.map_err(not_carried_out)?.iter().map(Applied::letters).sum::<u64>();
    }
    Ok(deleted)
}

impl Selection {
    fn parse(body: &[u8]) -> Result<Self, Problem> {
        let body = body::parse(body)?;
        let root = Members::of(&body, &["filter", "all", "dry_run"])?;
        let (is_dry_run, filter, all) =
            (root.flag("dry_run")?, Filter::of(&root)?, root.flag("all")?);
        let told = match (filter.is_open(), all) {
            (true, false) => "neither filter nor all chooses a letter; to delete every letter: all",
            (false, true) => "filter and all exclude each other",
            (true, true) | (false, false) => return Ok(Self { filter, is_dry_run }),
        };
        Err(Problem::new(ProblemId::InvalidRequest, told))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s09_a_body_that_chooses_nothing_deletes_nothing() {
        for body in ["", "{}", r#"{"filter":{}}"#, r#"{"all":false}"#, r#"{"dry_run":true}"#] {
            let problem = Selection::parse(body.as_bytes()).unwrap_err();
            assert!(problem.detail.contains("neither filter nor all"), "{body}: {problem:?}");
        }
        for body in [r#"{"all":true,"dry_run":null}"#, r#"{"all":null,"filter":{"ids":[1]}}"#] {
            let problem = Selection::parse(body.as_bytes()).unwrap_err();
            assert!(problem.detail.contains(" is null; "), "{body}: {problem:?}");
        }
        let both = Selection::parse(br#"{"all":true,"filter":{"ids":[1]}}"#).unwrap_err();
        assert!(both.detail.contains("exclude each other"), "{both:?}");
        assert!(Selection::parse(br#"{"all":true}"#).unwrap().filter.is_open());
        assert!(!Selection::parse(br#"{"filter":{"ids":[1]}}"#).unwrap().filter.is_open());
        let unknown = Selection::parse(br#"{"al":true}"#).unwrap_err();
        assert!(unknown.detail.contains("did you mean \"all\"?"), "{unknown:?}");
    }
}
