//! Which dead letters a call is about: the filter of a replay and of a deletion.

use super::body::Members;
use super::dlq::{PAGE_MAX, entry};
use crate::api::Problem;
use crate::api::answers::LetterAnswer;
use crate::clock::Timestamp;
use crate::event::RunState;
use crate::spelling::did_you_mean;
use crate::state_machine::DeadLetter;
use serde_json::Value;
use std::collections::BTreeSet;

/// Forges that annotations name; there may be no letter of one today.
const PROVIDERS: [&str; 6] =
    ["azure_devops", "bitbucket", "gitea", "github", "gitlab", "sourcehut"];

/// Letters that have all of this; a filter without anything admits every letter.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    ids: Option<Vec<u64>>,
    provider: Option<String>,
    state: Option<RunState>,
    after: Option<Timestamp>,
}

impl Filter {
    /// Reads the member `filter` of a body; one that is absent admits every letter.
    pub fn of(root: &Members<'_>) -> Result<Self, Problem> {
        let Some(filter) = root.members("filter", &["ids", "provider", "state", "after"])? else {
            return Ok(Self::default());
        };
        let state = filter.text("state")?.map(|word| {
            let accepted = "pending, running, success, failure, error, canceled";
            let problem =
                || Problem::invalid_request(format!("filter.state {word:?} is none of {accepted}"));
            RunState::parse(word).ok_or_else(problem)
        });
        let after = filter.text("after")?.map(|time| {
            let problem =
                || Problem::invalid_request(format!("invalid timestamp in filter.after: {time:?}"));
            Timestamp::parse_rfc3339(time).ok_or_else(problem)
        });
        Ok(Self {
            ids: ids(&filter)?,
            provider: filter.text("provider")?.map(str::to_owned),
            state: state.transpose()?,
            after: after.transpose()?,
        })
    }

    /// Refuses ids that no letter has, and a provider that neither a letter nor a forge has: they
    /// are slips, and "0 queued" would not say so.
    pub fn check_known<'a>(
        &self,
        letters: impl Iterator<Item = &'a DeadLetter>,
    ) -> Result<(), Problem> {
        let (mut ids, mut providers) = (BTreeSet::new(), BTreeSet::new());
        for letter in letters {
            ids.insert(letter.id);
            providers.insert(letter.event.scm.provider.as_str());
        }
        if let Some(asked) = &self.ids
            && !asked.iter().any(|id| ids.contains(id))
        {
            return Err(Problem::invalid_request(format!(
                "filter.ids {asked:?}: there is no such dead letter"
            )));
        }
        let Some(provider) = self.provider.as_deref() else { return Ok(()) };
        providers.extend(PROVIDERS);
        if providers.contains(provider) {
            return Ok(());
        }
        let known: Vec<&str> = providers.into_iter().filter(|name| !name.is_empty()).collect();
        let meant = did_you_mean(provider, known.iter().copied());
        Err(Problem::invalid_request(format!(
            "filter.provider {provider:?}: no dead letter has it; accepted: {}{meant}",
            known.join(", "),
        )))
    }

    pub fn admits(&self, letter: &DeadLetter) -> bool {
        let event = &letter.event;
        self.ids.as_ref().is_none_or(|ids| ids.contains(&letter.id))
            && self.provider.as_ref().is_none_or(|provider| *provider == event.scm.provider)
            && self.state.is_none_or(|state| state == event.state)
            && self.after.is_none_or(|after| letter.failed_at > after)
    }

    /// Whether every letter is admitted.
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }
}

/// The first of the letters that were chosen, as the list shows them.
pub(super) fn listed<'a>(
    letters: impl Iterator<Item = &'a DeadLetter>,
    chosen: &BTreeSet<u64>,
) -> Vec<LetterAnswer> {
    letters.filter(|letter| chosen.contains(&letter.id)).take(PAGE_MAX).map(entry).collect()
}

fn ids(filter: &Members<'_>) -> Result<Option<Vec<u64>>, Problem> {
    let Some(ids) = filter.value("ids") else { return Ok(None) };
    let expected = "a list of the ids of letters, as texts or numbers";
    let list = ids.as_array().ok_or_else(|| filter.wrong("ids", ids, expected))?;
    let number = |id: &Value| letter_id(id).ok_or_else(|| filter.wrong("ids", id, expected));
    list.iter().map(number).collect::<Result<_, _>>().map(Some)
}

/// Ids are listed as text; numbers are understood too.
fn letter_id(id: &Value) -> Option<u64> {
    id.as_u64().or_else(|| id.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::super::body;
    use super::*;
    use crate::api::ProblemId;

    fn parsed(body: &str) -> Result<Filter, Problem> {
        let body = body::parse(body.as_bytes())?;
        Filter::of(&Members::of(&body, &["filter"])?)
    }

    #[test]
    fn no_filter_and_an_empty_one_admit_every_letter() {
        for body in ["", " \n", "{}", r#"{"filter":{}}"#] {
            assert!(parsed(body).unwrap().is_open(), "{body}");
        }
        assert!(!parsed(r#"{"filter":{"ids":[]}}"#).unwrap().is_open());
    }

    #[test]
    fn a_bad_filter_names_the_field_and_the_value() {
        let problem = parsed(r#"{"filter":{"state":"cancelled"}}"#).unwrap_err();
        assert!(problem.detail.contains("filter.state \"cancelled\""), "{}", problem.detail);
        let problem = parsed(r#"{"filter":{"after":"noon"}}"#).unwrap_err();
        assert!(problem.detail.contains("filter.after: \"noon\""), "{}", problem.detail);
    }

    #[test]
    fn s09_a_filter_that_is_not_understood_selects_nothing() {
        for (body, told) in [
            (r#"{"filter":{"id":["1"]}}"#, "did you mean \"ids\"?"),
            (r#"{"filters":{"ids":["1"]}}"#, "did you mean \"filter\"?"),
            (r#"{"ids":["1"]}"#, "unknown key \"ids\"; accepted: filter"),
            (r#"{"filter":["1"]}"#, "filter [\"1\"] is not accepted"),
            (r#"{"filter":{"ids":"1"}}"#, "filter.ids \"1\" is not accepted"),
            (r#"{"filter":{"ids":["one"]}}"#, "filter.ids \"one\" is not accepted"),
            (r#"{"filter":{"ids":["1", null]}}"#, "filter.ids null is not accepted"),
            (r#"{"filter":{"provider":""}}"#, "filter.provider is empty"),
            (r#"{"filter":{"state":"failure","after":""}}"#, "filter.after is empty"),
            (r#"{"filter":{"provider":["github"]}}"#, "filter.provider [\"github\"]"),
            (r#"{"filter":{"ids":["1"]},"filter":{}}"#, "\"filter\" is there twice"),
            (r#"{"filter":null}"#, "filter is null"),
            (r#"{"filter":{"ids":null}}"#, "filter.ids is null"),
            (r#"{"filter":{"provider":null}}"#, "filter.provider is null"),
            (r#"{"filter":{"ids":["1"],"state":null}}"#, "filter.state is null"),
            (r#"{"filter":{"after":null}}"#, "filter.after is null"),
            ("null", "no JSON object"),
        ] {
            let problem = parsed(body).unwrap_err();
            assert_eq!(problem.id, ProblemId::InvalidRequest);
            assert!(problem.detail.contains(told), "{body}: {}", problem.detail);
        }
    }

    #[test]
    fn s09_a_filter_of_ids_that_no_letter_has_is_a_slip() {
        let filter = Filter { ids: Some(vec![7]), ..Filter::default() };
        assert!(filter.check_known(std::iter::empty()).is_err());
        let none = Filter { ids: Some(Vec::new()), ..Filter::default() };
        assert!(none.check_known(std::iter::empty()).is_err());
        assert!(Filter::default().check_known(std::iter::empty()).is_ok());
    }

    #[test]
    fn ids_are_taken_as_text_and_as_numbers() {
        let filter = parsed(r#"{"filter":{"ids":["7",8]}}"#).unwrap();
        assert_eq!(filter.ids, Some(vec![7, 8]));
    }
}
