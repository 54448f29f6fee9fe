//! `dlq`: what was given up, and what is to be tried again.

use super::flags::{DlqCommand, DlqFlags, LetterFilter};
use super::remote::{Client, runtime, show, text};
use crate::api::answers::{DeleteAnswer, LetterAnswer, LettersAnswer, ReplayAnswer};
use crate::event::escaped_line;
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::process::ExitCode;

pub(super) fn dlq(flags: &DlqFlags) -> anyhow::Result<ExitCode> {
    runtime()?.block_on(async {
        match &flags.command {
            DlqCommand::List { remote, limit, offset } => {
                let path = format!("/api/v1/dlq?limit={limit}&offset={offset}");
                let answer = Client::new(&remote.endpoint).await?.get(&path).await?;
                show(remote.output, answer, letter_table)?;
            }
            DlqCommand::Replay { remote, filter, dry_run } => {
                let body = Some(json!({"filter": filter_of(filter), "dry_run": dry_run}));
                let client = Client::new(&remote.endpoint).await?;
                let answer = client.call(Method::POST, "/api/v1/dlq/replay", body).await?;
                show(remote.output, answer, replayed)?;
            }
            DlqCommand::Delete { remote, filter, all, dry_run } => {
                let filter = filter_of(filter);
                let body = Some(json!({"filter": filter, "all": all, "dry_run": dry_run}));
                let client = Client::new(&remote.endpoint).await?;
                let answer = client.call(Method::POST, "/api/v1/dlq/delete", body).await?;
                show(remote.output, answer, deleted)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn filter_of(filter: &LetterFilter) -> Value {
    let LetterFilter { ids, provider, state, after } = filter;
    // No id at all means every letter; an empty list would mean none.
    let ids = (!ids.is_empty()).then(|| json!(ids));
    let texts = [("provider", provider), ("state", state), ("after", after)];
    let texts = texts.map(|(key, text)| (key, text.as_ref().map(|text| json!(text))));
    let given = [("ids", ids)].into_iter().chain(texts);
    // The relay refuses a null, so a flag that is absent is a key that is absent.
    given.filter_map(|(key, value)| Some((key.to_owned(), value?))).collect::<Map<_, _>>().into()
}

fn letter_table(page: &LettersAnswer) -> Vec<String> {
    let mut lines: Vec<String> = page.events.iter().map(letter_line).collect();
    lines.push(format!("{} of {} dead letters", page.count, page.total));
    lines
}

fn letter_line(letter: &LetterAnswer) -> String {
    let line = format!(
        "{:>6}  {}  {}/{}  {}  {}",
        text(Some(&letter.id)),
        text(Some(&letter.failed_at)),
        text(Some(&letter.effect.instance)),
        text(Some(&letter.effect.action)),
        text(letter.envelope.report["run_name"].as_str()),
        text(Some(&letter.cause)),
    );
    // Names and causes come from whoever sent them.
    escaped_line(&line).into_owned()
}

fn replayed(answer: &ReplayAnswer) -> Vec<String> {
    let would = answer.would_replay.filter(|_| answer.dry_run == Some(true));
    outcome(answer.replayed, would, answer.letters.as_deref(), "queued again")
}

fn deleted(answer: &DeleteAnswer) -> Vec<String> {
    let would = answer.would_delete.filter(|_| answer.dry_run == Some(true));
    outcome(answer.deleted, would, answer.letters.as_deref(), "deleted")
}

/// What became of `count` letters, or what would become of `would` of them.
fn outcome(
    count: u64,
    would: Option<usize>,
    letters: Option<&[LetterAnswer]>,
    became: &str,
) -> Vec<String> {
    let Some(would) = would else { return vec![format!("{count} {became}")] };
    let mut lines: Vec<String> = letters.unwrap_or_default().iter().map(letter_line).collect();
    lines.push(format!("{would} would be {became}"));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(name: &str) -> LetterAnswer {
        let letter = json!({"id": "7", "failed_at": "t", "cause": "auth: 401",
            "effect": {"instance": "hub", "action": "checks"},
            "envelope": {"Report": {"run_name": name}}});
        serde_json::from_value(letter).unwrap()
    }

    #[test]
    fn a_flag_that_is_absent_is_no_key_of_the_filter() {
        let none = LetterFilter { ids: Vec::new(), provider: None, state: None, after: None };
        assert_eq!(filter_of(&none), json!({}));
        let state = Some("failure".to_owned());
        let some = LetterFilter { ids: vec![7], state, ..none };
        assert_eq!(filter_of(&some), json!({"ids": [7], "state": "failure"}));
    }

    #[test]
    fn a_letter_is_a_line_and_the_last_line_counts() {
        let lines = letter_table(&LettersAnswer {
            events: vec![letter("build-1")],
            count: 1,
            total: 9,
            ..LettersAnswer::default()
        });
        assert_eq!(lines, ["     7  t  hub/checks  build-1  auth: 401", "1 of 9 dead letters"]);
    }

    #[test]
    fn s16_a_name_steers_no_terminal() {
        let line = letter_line(&letter("a\u{1b}[2J\nb\u{202e}c"));
        let told = "     7  t  hub/checks  a\\u001b[2J\\u000ab\\u202ec  auth: 401";
        assert_eq!(line, told);
    }

    #[test]
    fn a_dry_run_shows_what_would_be_queued() {
        let (dry_run, letters) = (Some(true), Some(vec![letter("build-1")]));
        let none = ReplayAnswer::default();
        let answer = ReplayAnswer { dry_run, letters, would_replay: Some(1), ..none.clone() };
        let lines = replayed(&answer);
        assert_eq!(lines[1], "1 would be queued again");
        assert!(lines[0].contains("build-1"));
        assert_eq!(replayed(&ReplayAnswer { replayed: 3, ..none }), ["3 queued again"]);
        let (dry_run, letters) = (Some(true), Some(vec![letter("build-1")]));
        let none = DeleteAnswer::default();
        let answer = DeleteAnswer { dry_run, letters, would_delete: Some(1), ..none.clone() };
        assert_eq!(deleted(&answer)[1], "1 would be deleted");
        assert_eq!(deleted(&DeleteAnswer { deleted: 2, ..none }), ["2 deleted"]);
    }
}
