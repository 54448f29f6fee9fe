//! Action `commit_status`: the state of a run as a status of its commit.
//! <https://docs.github.com/en/rest/commits/statuses#create-a-commit-status>. Statuses are
//! appended per context and the newest counts, so a repeated request does no harm.

use super::{ActionOptions, GithubInstance, KIND, written_id};
use crate::effect::{Delivery, Receipt, SkipReason};
use crate::event::{RunContext, RunEvent, RunKind, RunState, description};
use crate::failure::{DeliveryFailure, FailureKind, Retryability};
use crate::integration::http::{expect_http, path_segment};
use crate::integration::text::{one_line, target_key};
use crate::integration::{
    Effect, Exchange, HttpRequest, Integration, Method, Outbound, Reply, Target, Turn,
};
use crate::template::truncate_chars;
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

    fn check_name(&self, event: &RunEvent, context: &RunContext) -> String {
        let name = &context.check_name;
        let name = match self.lone_task(event) {
            Some(task) if !name.ends_with(&format!("/{task}")) => format!("{name}/{task}"),
            Some(_) | None => name.clone(),
        };
        truncate_chars(&name, CONTEXT_CHARS_MAX)
    }

    /// The task to name in the context of a TaskRun without a PipelineRun.
    fn lone_task<'a>(&self, event: &'a RunEvent) -> Option<&'a str> {
        let has_parent = !event.parent.uid.is_empty() || !event.parent.name.is_empty();
        if !self.options.context_per_task || event.kind != RunKind::TaskRun || has_parent {
            return None;
        }
        let names = [&event.pipeline_task, &event.task_name, &event.name];
        names.into_iter().find(|name| !name.is_empty()).map(String::as_str)
    }

    fn request(&self, effect: &Effect<'_>) -> Option<HttpRequest> {
        let mut body = serde_json::json!({
            "state": state_on_github(effect.event.state),
            "context": self.check_name(effect.event, effect.context),
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
        if self.url(event).is_none() {
            return Err(SkipReason::MissingFacts);
        }
        let [kind, instance, owner, repository] = self.instance.repository_key(event);
        let sha = event.scm.commit_sha.to_lowercase();
        let check_name = self.check_name(event, context);
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

fn state_on_github(state: RunState) -> &'static str {
    match state {
        RunState::Pending | RunState::Running => "pending",
        RunState::Success => "success",
        RunState::Failure => "failure",
        RunState::Error | RunState::Canceled => "error",
    }
}

/// One line that fits; a cancelled run is recognisable in it whatever had to be cut.
fn status_line(event: &RunEvent) -> String {
    let message = one_line(&description(event));
    let description = truncate_chars(&message, DESCRIPTION_CHARS_MAX);
    if event.state == RunState::Canceled && !description.contains(CANCELLED) {
        return truncate_chars(&format!("{CANCELLED}: {message}"), DESCRIPTION_CHARS_MAX);
    }
    description
}

#[cfg(test)]
#[path = "commit_status_test.rs"]
mod tests;
