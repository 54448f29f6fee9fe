//! Action `commit_status`: the state of a run as a status of its commit.
//! <https://docs.github.com/en/rest/commits/statuses#create-a-commit-status>. Statuses are
//! appended per context and the newest counts, so a repeated request does no harm.

use super::{ActionOptions, GithubInstance, KIND, written_id};
use crate::effect::{Delivery, Receipt, SkipReason};
use crate::event::{Key, RunContext, RunEvent, RunKind, RunState, description, is_commit_sha};
use crate::failure::{DeliveryFailure, FailureKind, Retryability};
use crate::integration::http::{expect_http, path_segment};
use crate::integration::text::{one_line, state_word, target_key};
use crate::integration::{
    Effect, Exchange, HttpRequest, Integration, Method, Outbound, Reply, Target, Turn,
};
use crate::template::{Data, truncate_chars};
use std::sync::Arc;

/// GitHub's bound of a description, in characters; longer ones are refused with 422.
const DESCRIPTION_CHARS_MAX: usize = 140;

/// GitHub's bound of a context, in characters.
const CONTEXT_CHARS_MAX: usize = 255;

/// The word that tells a cancelled run from a broken one: GitHub has `error` for both.
const CANCELLED: &str = "cancelled";

/// Sets commit statuses.
#[derive(Debug)]
pub struct CommitStatus {
    instance: Arc<GithubInstance>,
    options: ActionOptions,
}

impl CommitStatus {
    /// The action on `instance`; of the options `context_per_task` applies.
    #[must_use]
    pub fn new(instance: Arc<GithubInstance>, options: ActionOptions) -> Self {
        Self { instance, options }
    }

    fn url(&self, event: &RunEvent) -> Option<String> {
        let repository = self.instance.repository_url(event)?;
        let sha = path_segment(&event.scm.commit_sha)?;
        Some(format!("{repository}/statuses/{sha}"))
    }

    /// The context to write under; `None` where a template makes nothing of this check.
    fn check_name(&self, event: &RunEvent, context: &RunContext) -> Option<String> {
        let name = match (&self.options.context, &context.writer) {
            (Some(template), Some(writer)) => {
                let rendered = template.render(&Data::check(writer, event)).ok()?;
                one_line(&rendered)
            }
            _ => self.own_name(event, context),
        };
        (!name.is_empty()).then(|| shortened(&spelled_out(&name)))
    }

    fn own_name(&self, event: &RunEvent, context: &RunContext) -> String {
        let name = &context.check_name;
        match self.lone_task(event, context) {
            Some(task) if !name.ends_with(&format!("/{task}")) => format!("{name}/{task}"),
            Some(_) | None => name.clone(),
        }
    }

    /// The task to name in the context of a TaskRun without a PipelineRun.
    fn lone_task<'a>(&self, event: &'a RunEvent, context: &RunContext) -> Option<&'a str> {
        let has_parent = !event.parent.uid.is_empty() || !event.parent.name.is_empty();
        let is_lone = event.kind == RunKind::TaskRun && !has_parent;
        if !self.options.context_per_task || !is_lone || names_its_task(context) {
            return None;
        }
        let names = [&event.pipeline_task, &event.task_name, &event.name];
        names.into_iter().find(|name| !name.is_empty()).map(String::as_str)
    }

    fn request(&self, effect: &Effect<'_>) -> Option<HttpRequest> {
        let mut body = serde_json::json!({
            "state": state_on_github(effect.event),
            "context": self.check_name(effect.event, effect.context)?,
            "description": status_line(effect.event),
        });
        if !effect.context.target_url.is_empty() {
            body["target_url"] = effect.context.target_url.as_str().into();
        }
        Some(self.instance.request(Method::Post, self.url(effect.event)?, Some(&body)))
    }
}

impl Integration for CommitStatus {
    fn target(&self, event: &RunEvent, context: &RunContext) -> Result<Target, SkipReason> {
        if let Some(reason) = self.instance.refuses_repository(event) {
            return Err(reason);
        }
        match event.scm.commit_sha.as_str() {
            "" => return Err(SkipReason::MissingFacts),
            sha if !is_commit_sha(sha) => return Err(SkipReason::ImpossibleFacts),
            sha if !is_full(sha) => return Err(SkipReason::MissingFacts),
            _ => {}
        }
        if context.not_settled.is_some() {
            return Err(SkipReason::CheckNotSettled);
        }
        let check_name = self.check_name(event, context).ok_or(SkipReason::MissingFacts)?;
        let [kind, instance, owner, repository] = self.instance.repository_key(event);
        // GitHub compares contexts without regard to case: two writers whose names differ in case
        // alone share one check, and so one target.
        let (sha, check_name) = (event.scm.commit_sha.to_lowercase(), check_name.to_lowercase());
        let key = target_key(&[&kind, &instance, &owner, &repository, &sha, &check_name]);
        Ok(Target { key, delivery: Delivery::Latest })
    }

    fn begin(&self, effect: &Effect<'_>) -> Turn {
        match self.request(effect) {
            Some(request) => Turn::Send(Outbound::Http(request), Box::new(Creating)),
            None => Turn::Fail(missing_facts()),
        }
    }
}

/// The run lost what its plan had found: only possible when the stored event is not the planned.
pub(super) fn missing_facts() -> DeliveryFailure {
    let detail = format!("the run names no {KIND} object that could be written");
    DeliveryFailure::new(FailureKind::Invalid, Retryability::Permanent, &detail)
}

/// Waits for the answer to the creation.
struct Creating;

impl Exchange for Creating {
    fn on_reply(self: Box<Self>, reply: Reply) -> Turn {
        let written = expect_http(reply).and_then(|reply| {
            written_id(&reply).map(|remote_id| Receipt { remote_id, status: reply.status })
        });
        written.map_or_else(Turn::Fail, Turn::Done)
    }
}

/// Whether a hash names its commit in full. GitHub answers a shortened one with 422, "sha must be a
/// 40 character SHA1"; repositories of SHA-256 have 64 digits. A look-alike of GitHub that takes
/// shortened ones would have one commit under several target keys.
fn is_full(sha: &str) -> bool {
    matches!(sha.len(), 40 | 64)
}

/// A check of feature level 2 without a context of the run's own is called by its task already.
fn names_its_task(context: &RunContext) -> bool {
    context.writer.as_ref().is_some_and(|writer| writer.check_name("") == context.check_name)
}

/// As long as GitHub takes it. What is cut is told by a hash: two checks never become one.
fn shortened(name: &str) -> String {
    if name.chars().count() <= CONTEXT_CHARS_MAX {
        return name.to_owned();
    }
    let hash = Key::of(&["context", name]).to_string();
    let head: String = name.chars().take(CONTEXT_CHARS_MAX - 1 - hash.len()).collect();
    format!("{head}-{hash}")
}

/// A failure that its pipeline ignores is no red check of a green pipeline.
fn state_on_github(event: &RunEvent) -> &'static str {
    match event.state {
        RunState::Failure if event.is_ignored() => "success",
        RunState::Pending | RunState::Running => "pending",
        RunState::Success => "success",
        RunState::Failure => "failure",
        RunState::Error | RunState::Canceled => "error",
    }
}

/// A check name without the characters that GitHub refuses: each is spelled out, so that two names
/// stay two.
fn spelled_out(name: &str) -> String {
    name.chars().fold(String::new(), |text, next| match is_taken(next) {
        true => text + next.encode_utf8(&mut [0; 4]),
        false => format!("{text}U+{:X}", u32::from(next)),
    })
}

/// GitHub refuses statuses with characters above U+FFFF: "doesn't accept 4-byte Unicode".
fn is_taken(character: char) -> bool {
    u32::from(character) <= 0xFFFF
}

/// A text without the characters that GitHub refuses, and without the invisible ones that only
/// joined them: U+200D and the variation selectors.
fn taken(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut follows_refused = false;
    for next in text.chars() {
        let is_joint = matches!(next, '\u{200d}' | '\u{fe00}'..='\u{fe0f}');
        follows_refused = !is_taken(next) || (follows_refused && is_joint);
        if !follows_refused {
            kept.push(next);
        }
    }
    kept
}

/// One line that fits; a cancelled run is recognisable in it whatever had to be cut.
fn status_line(event: &RunEvent) -> String {
    let message = match one_line(&taken(&description(event))) {
        message if message.is_empty() => state_word(event.state).to_owned(),
        message => message,
    };
    let description = truncate_chars(&message, DESCRIPTION_CHARS_MAX);
    if event.state == RunState::Canceled && !description.contains(CANCELLED) {
        return truncate_chars(&format!("{CANCELLED}: {message}"), DESCRIPTION_CHARS_MAX);
    }
    description
}

#[cfg(test)]
#[path = "commit_status_test.rs"]
mod tests;
