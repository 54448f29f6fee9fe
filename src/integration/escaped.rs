//! What a message says of a run, in the escape of the target that shows it. A kind writes its own
//! texts from this view alone: a text of a run that a target takes for markup has no way into them.

use super::Effect;
use super::summary::{row_emoji, row_word};
use super::text::{duration_between, one_line};
use crate::effect::SummaryRow;
use crate::event::{RunEvent, RunState};
use crate::template::escape_address;
use std::borrow::Cow;

/// How a target writes a text so that it stands for itself.
pub(super) type Escape = for<'t> fn(&'t str) -> Cow<'t, str>;

/// Hexadecimal digits of a commit that people read.
const SHORT_SHA_CHARS: usize = 7;

/// The texts of one effect. They come from whoever starts runs, and leave escaped.
#[derive(Clone, Copy)]
pub(super) struct Escaped<'a> {
    effect: &'a Effect<'a>,
    escape: Escape,
}

/// A row of the summary that the effect shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EscapedRow {
    pub(super) name: String,
    /// A mark for the state, and the word for it.
    pub(super) emoji: &'static str,
    pub(super) word: &'static str,
    /// `None` until both ends are known.
    pub(super) duration: Option<String>,
}

impl<'a> Escaped<'a> {
    /// The view of an effect through the escape of a target.
    pub(super) fn new(effect: &'a Effect<'a>, escape: Escape) -> Self {
        Self { effect, escape }
    }

    fn event(&self) -> &'a RunEvent {
        self.effect.event
    }

    fn text(&self, text: &str) -> String {
        (self.escape)(text).into_owned()
    }

    /// The state, which is one of a closed set.
    pub(super) fn state(&self) -> RunState {
        self.event().state
    }

    /// The name of the check that the run is.
    pub(super) fn check_name(&self) -> String {
        self.text(&self.effect.context.check_name)
    }

    /// The name of the run.
    pub(super) fn run_name(&self) -> String {
        self.text(&self.event().name)
    }

    /// The namespace of the run and its name, with a slash between them.
    pub(super) fn run_path(&self) -> String {
        self.text(&format!("{}/{}", self.event().namespace, self.event().name))
    }

    /// The page of the run, as the address of a link; `None` where no dashboard is configured.
    pub(super) fn address(&self) -> Option<String> {
        let url = self.effect.context.target_url.as_str();
        (!url.is_empty()).then(|| self.text(&escape_address(url)))
    }

    /// What Tekton says, on one line, after the tasks that failed, where they are known.
    pub(super) fn detail(&self) -> String {
        let message = &self.event().message;
        match self.effect.context.failed_tasks.as_str() {
            "" => self.text(&one_line(message)),
            failed => self.text(&one_line(&format!("{failed}: {message}"))),
        }
    }

    /// The beginning of the commit's hash; empty where the run names none.
    pub(super) fn short_sha(&self) -> String {
        let sha = &self.event().scm.commit_sha;
        self.text(&sha.chars().take(SHORT_SHA_CHARS).collect::<String>())
    }

    /// How long the run took, as in `1m 5s`; empty until both ends are known.
    pub(super) fn duration(&self) -> String {
        let event = self.event();
        duration_between(event.started_at, event.finished_at).unwrap_or_default()
    }

    /// The rows of the summary; none where the effect shows no summary.
    pub(super) fn rows(&self) -> Vec<EscapedRow> {
        let row = |row: &SummaryRow| EscapedRow {
            name: self.text(&one_line(&row.name)),
            emoji: row_emoji(row),
            word: row_word(row),
            duration: duration_between(row.started_at, row.finished_at),
        };
        self.effect.summary.map_or_else(Vec::new, |summary| summary.rows.iter().map(row).collect())
    }
}

#[cfg(test)]
#[path = "escaped_test.rs"]
mod tests;
