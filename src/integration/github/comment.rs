//! Action `pr_comment`: what a comment says, where it goes, and under which marker. How it gets
//! there is in [`super::comment_exchange`].
//! <https://docs.github.com/en/rest/issues/comments>: a pull request is an issue to this API.

use super::comment_exchange::{IssueThread, OnFound};
use super::commit_status::missing_facts;
use super::{ActionOptions, CommentMode, GithubInstance};
use crate::effect::{Delivery, SkipReason};
use crate::event::{RunContext, RunEvent};
use crate::failure::DeliveryFailure;
use crate::integration::marker::Marker;
use crate::integration::summary::{emoji, render, summary_markdown};
use crate::integration::text::target_key;
use crate::integration::{Effect, Integration, Target, Turn};
use crate::template::{Data, Markup, escape_address, escape_markdown, truncate_utf16};
use std::sync::Arc;

/// The action type, as configured and as in markers.
const ACTION_TYPE: &str = "pr_comment";

/// Bound of a comment in UTF-16 units, some of which a character above U+FFFF has two: GitHub takes
/// 65,536 characters and 262,144 bytes.
const COMMENT_UNITS_MAX: usize = 65_000;

/// Writes comments on pull requests.
#[derive(Debug)]
pub struct Comment {
    instance: Arc<GithubInstance>,
    options: ActionOptions,
}

impl Comment {
    /// The action on `instance`; all options but `context_per_task` apply.
    #[must_use]
    pub fn new(instance: Arc<GithubInstance>, options: ActionOptions) -> Self {
        Self { instance, options }
    }

    fn text(&self, effect: &Effect<'_>) -> Result<String, DeliveryFailure> {
        let text = match &self.options.template {
            Some(template) => {
                let data = Data::event(effect.event, effect.context);
                render(template, &data, Markup::Markdown)?
            }
            None => default_text(effect.event, effect.context),
        };
        let Some(summary) = effect.summary else { return Ok(text) };
        let section = summary_markdown(summary, self.options.summary_template.as_ref())?;
        Ok(format!("{text}\n\n{section}"))
    }

    /// The marker to write, then those to recognise besides.
    fn markers(&self, effect: &Effect<'_>) -> Vec<Marker> {
        let (uid, action) = (&effect.event.uid, &self.options.action);
        match self.options.mode {
            CommentMode::Create => vec![Marker::of_effect(uid, ACTION_TYPE, action, effect.id)],
            CommentMode::Upsert if self.options.is_only_comment => vec![
                Marker::of_run(uid, ACTION_TYPE, action),
                Marker::of_go_relay(uid, ACTION_TYPE),
            ],
            CommentMode::Upsert => vec![Marker::of_run(uid, ACTION_TYPE, action)],
        }
    }

    fn thread(&self, effect: &Effect<'_>) -> Result<IssueThread, DeliveryFailure> {
        let repository = self.instance.repository_url(effect.event);
        let (Some(repository), Some(number)) = (repository, effect.event.scm.pr_number) else {
            return Err(missing_facts());
        };
        let text = self.text(effect)?;
        let markers = self.markers(effect);
        let body = markers.first().map_or_else(|| text.clone(), |marker| marker.mark(&text));
        let on_found = match self.options.mode {
            CommentMode::Create => OnFound::Keep,
            CommentMode::Upsert => OnFound::Edit,
        };
        Ok(IssueThread {
            instance: Arc::clone(&self.instance),
            thread_url: format!("{repository}/issues/{number}/comments"),
            comments_url: format!("{repository}/issues/comments"),
            body: truncate_utf16(&body, COMMENT_UNITS_MAX),
            markers,
            on_found,
        })
    }
}

impl Integration for Comment {
    fn target(&self, event: &RunEvent, _context: &RunContext) -> Result<Target, SkipReason> {
        if let Some(reason) = self.instance.refuses_repository(event) {
            return Err(reason);
        }
        let number = event.scm.pr_number.ok_or(SkipReason::MissingFacts)?;
        let [kind, instance, owner, repository] = self.instance.repository_key(event);
        let (number, action) = (number.to_string(), &self.options.action);
        let object = [&kind, &instance, &owner, &repository, &number, &event.uid, action];
        let mut parts = object.map(String::as_str).to_vec();
        let delivery = match self.options.mode {
            CommentMode::Upsert => Delivery::Latest,
            CommentMode::Create => {
                parts.push("create");
                Delivery::Stream
            }
        };
        Ok(Target { key: target_key(&parts), delivery })
    }

    fn begin(&self, effect: &Effect<'_>) -> Turn {
        let thread = match self.thread(effect) {
            Ok(thread) => thread,
            Err(failure) => return Turn::Fail(failure),
        };
        match self.options.mode {
            CommentMode::Create if effect.is_in_doubt => thread.search(),
            CommentMode::Create => thread.create(),
            CommentMode::Upsert if effect.is_repair => {
                thread.tidy(effect.remote_id.and_then(|id| id.parse().ok()))
            }
            // Without a remembered id the relay searches even where nothing is in doubt: the
            // comment may stem from the Go relay, or from a log that is gone.
            CommentMode::Upsert => match effect.remote_id.and_then(|id| id.parse().ok()) {
                Some(id) => thread.edit_remembered(id),
                None => thread.search(),
            },
        }
    }
}

fn default_text(event: &RunEvent, context: &RunContext) -> String {
    let name = escape_markdown(&event.name);
    let name = match context.target_url.as_str() {
        "" => name,
        url => format!("[{name}]({})", escape_address(url)),
    };
    format!("{} Build {} for {name}", emoji(Some(event.state)), event.state)
}

#[cfg(test)]
#[path = "comment_test.rs"]
mod tests;
