//! Action `commit_status`: the state of a run as a status of its commit. Forges take the newest
//! status of a name, so a repeated request does no harm.

use super::{ActionOptions, Forge, missing_facts, written_id};
use crate::effect::{Delivery, Receipt, SkipReason};
use crate::event::{Key, RunContext, RunEvent, RunKind, RunState, description, is_commit_sha};
use crate::integration::http::{expect_http, path_segment};
use crate::integration::text::{one_line, state_word, target_key};
use crate::integration::{
    Effect, Exchange, HttpReply, HttpRequest, Integration, Method, Outbound, Reply, Target, Turn,
};
use crate::template::{Data, truncate_chars};
use std::marker::PhantomData;
use std::sync::Arc;

/// The word that tells a cancelled run from a broken one, where a forge has one word for both.
const CANCELLED: &str = "cancelled";

/// Statuses of commits at a forge.
pub(in crate::integration) trait StatusApi: Forge {
    /// What a status is made of.
    const STATUS: StatusForm;

    /// Where the statuses of the commit are created that the run names. `None` when it names none,
    /// or a repository whose parts would lead elsewhere.
    fn status_url(&self, event: &RunEvent) -> Option<String> {
        let repository = self.repository_url(event)?;
        let sha = path_segment(&event.scm.commit_sha)?;
        Some(format!("{repository}/statuses/{sha}"))
    }

    /// Whether a refusal says that the commit has this status already, or a later one of the same
    /// run.
    fn stands_already(_reply: &HttpReply) -> bool {
        false
    }
}

/// What a forge makes of a status. Lengths are in characters.
#[derive(Clone, Copy, Debug)]
pub(in crate::integration) struct StatusForm {
    /// The field that holds the name of the check.
    pub(in crate::integration) name_field: &'static str,
    pub(in crate::integration) states: StateWords,
    /// Longer names end in a hash.
    pub(in crate::integration) name_chars_max: usize,
    /// Longer descriptions are cut.
    pub(in crate::integration) description_chars_max: usize,
    /// A status with a longer link is written without it; `None` where the forge has no bound.
    pub(in crate::integration) target_url_chars_max: Option<usize>,
    /// Whether the forge takes a character. Others are spelled out in names, and left out of
    /// descriptions.
    pub(in crate::integration) is_taken: fn(char) -> bool,
    /// Whether names that differ in case alone are one status.
    pub(in crate::integration) ignores_case: bool,
}

/// The word of a forge for each state of a run.
#[derive(Clone, Copy, Debug)]
pub(in crate::integration) struct StateWords {
    pub(in crate::integration) pending: &'static str,
    pub(in crate::integration) running: &'static str,
    pub(in crate::integration) success: &'static str,
    pub(in crate::integration) failure: &'static str,
    pub(in crate::integration) error: &'static str,
    pub(in crate::integration) canceled: &'static str,
}

impl StateWords {
    /// The word for the state of a run. A failure that its pipeline ignores is no red check of a
    /// green pipeline.
    fn of(&self, event: &RunEvent) -> &'static str {
        match event.state {
            RunState::Failure if event.is_ignored() => self.success,
            RunState::Pending => self.pending,
            RunState::Running => self.running,
            RunState::Success => self.success,
            RunState::Failure => self.failure,
            RunState::Error => self.error,
            RunState::Canceled => self.canceled,
        }
    }

    /// Whether a cancelled run has the word of a broken one.
    fn hides_cancelling(&self) -> bool {
        self.canceled == self.error || self.canceled == self.failure
    }
}

/// Sets commit statuses.
#[derive(Debug)]
pub(in crate::integration) struct StatusAction<F> {
    forge: Arc<F>,
    options: ActionOptions,
}

impl<F: StatusApi> StatusAction<F> {
    /// The action on an instance; of the options `context` and `context_per_task` apply.
    pub(in crate::integration) fn new(forge: Arc<F>, options: ActionOptions) -> Self {
        Self { forge, options }
    }

    /// The context to write under; `None` where a template makes nothing of this check.
    pub(in crate::integration) fn check_name(
        &self,
        event: &RunEvent,
        context: &RunContext,
    ) -> Option<String> {
        let name = match (&self.options.context, &context.writer) {
            (Some(template), Some(writer)) => {
                let rendered = template.render(&Data::check(writer, event)).ok()?;
                one_line(&rendered)
            }
            _ => self.own_name(event, context),
        };
        (!name.is_empty()).then(|| F::STATUS.name(&name))
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
        let form = F::STATUS;
        let mut body = serde_json::json!({
            "state": form.states.of(effect.event),
            "description": form.description(effect.event),
        });
        body[form.name_field] = self.check_name(effect.event, effect.context)?.into();
        let url = effect.context.target_url.as_str();
        let fits = form.target_url_chars_max.is_none_or(|max| url.chars().count() <= max);
        if !url.is_empty() && fits {
            body["target_url"] = url.into();
        }
        let url = self.forge.status_url(effect.event)?;
        Some(self.forge.request(Method::Post, url, Some(&body)))
    }
}

impl<F: StatusApi> Integration for StatusAction<F> {
    fn target(&self, event: &RunEvent, context: &RunContext) -> Result<Target, SkipReason> {
        if let Some(reason) = self.forge.refuses_repository(event) {
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
        let [kind, instance, owner, repository] = self.forge.repository_key(event);
        // Where a forge ignores case, two writers whose names differ in case alone share one check,
        // and so one target.
        let check_name = match F::STATUS.ignores_case {
            true => check_name.to_lowercase(),
            false => check_name,
        };
        let sha = event.scm.commit_sha.to_lowercase();
        let key = target_key(&[&kind, &instance, &owner, &repository, &sha, &check_name]);
        Ok(Target { key, delivery: Delivery::Latest })
    }

    fn begin(&self, effect: &Effect<'_>) -> Turn {
        match self.request(effect) {
            Some(request) => {
                Turn::Send(Outbound::Http(request), Box::new(Creating::<F>(PhantomData)))
            }
            None => Turn::Fail(missing_facts::<F>()),
        }
    }
}

/// Waits for the answer to the creation.
pub(in crate::integration) struct Creating<F>(pub(in crate::integration) PhantomData<F>);

impl<F: StatusApi> Exchange for Creating<F> {
    fn on_reply(self: Box<Self>, reply: Reply) -> Turn {
        let written = expect_http(reply).and_then(|reply| {
            let id = match F::stands_already(&reply) {
                true => None,
                false => written_id::<F>(&reply)?,
            };
            let remote_id = id.map(|id| id.to_string()).unwrap_or_default();
            Ok(Receipt { remote_id, status: reply.status })
        });
        written.map_or_else(Turn::Fail, Turn::Done)
    }
}

/// Whether a hash names its commit in full. GitHub answers a shortened one with 422, "sha must be a
/// 40 character SHA1"; repositories of SHA-256 have 64 digits. A forge that takes shortened ones
/// would have one commit under several target keys.
fn is_full(sha: &str) -> bool {
    matches!(sha.len(), 40 | 64)
}

/// A check of feature level 2 without a context of the run's own is called by its task already.
fn names_its_task(context: &RunContext) -> bool {
    context.writer.as_ref().is_some_and(|writer| writer.check_name("") == context.check_name)
}

impl StatusForm {
    /// A check name as the forge takes it. Characters that it refuses are spelled out, and what is
    /// cut is told by a hash: two checks never become one.
    fn name(&self, name: &str) -> String {
        let spelled_out =
            name.chars().fold(String::new(), |text, next| match (self.is_taken)(next) {
                true => text + next.encode_utf8(&mut [0; 4]),
                false => format!("{text}U+{:X}", u32::from(next)),
            });
        if spelled_out.chars().count() <= self.name_chars_max {
            return spelled_out;
        }
        let hash = Key::of(&["context", &spelled_out]).to_string();
        let head_chars = self.name_chars_max - 1 - hash.len();
        let head: String = spelled_out.chars().take(head_chars).collect();
        format!("{head}-{hash}")
    }

    /// A text without the characters that the forge refuses, and without the invisible ones that
    /// only joined them: U+200D and the variation selectors.
    fn taken(&self, text: &str) -> String {
        let mut kept = String::with_capacity(text.len());
        let mut follows_refused = false;
        for next in text.chars() {
            let is_joint = matches!(next, '\u{200d}' | '\u{fe00}'..='\u{fe0f}');
            follows_refused = !(self.is_taken)(next) || (follows_refused && is_joint);
            if !follows_refused {
                kept.push(next);
            }
        }
        kept
    }

    /// One line that fits. Where the state does not tell it, a cancelled run is recognisable in it
    /// whatever had to be cut.
    fn description(&self, event: &RunEvent) -> String {
        let message = match one_line(&self.taken(&description(event))) {
            message if message.is_empty() => state_word(event.state).to_owned(),
            message => message,
        };
        let description = truncate_chars(&message, self.description_chars_max);
        let is_hidden = event.state == RunState::Canceled && self.states.hides_cancelling();
        if is_hidden && !description.contains(CANCELLED) {
            return truncate_chars(&format!("{CANCELLED}: {message}"), self.description_chars_max);
        }
        description
    }
}
