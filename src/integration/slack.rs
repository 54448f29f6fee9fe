//! Slack incoming webhooks: a message for every transition.
//! <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>. Mattermost and
//! Rocket.Chat take the same requests. The URL is the credential, so it is a secret; a webhook
//! can neither edit a message nor recognise a repeated one.

use super::http::{self, expect_http, json_request};
use super::summary::{emoji, render, word};
use super::text::{duration_between, one_line, state_word, target_key};
use super::{
    Credential, Effect, Exchange, HttpReply, HttpRequest, Integration, Method, Outbound, Reply,
    Target, Text, Turn,
};
use crate::effect::{Delivery, Receipt, SkipReason, Summary, SummaryRow};
use crate::event::{NamedValue, RunContext, RunEvent, RunState};
use crate::failure::{DeliveryFailure, FailureKind, Retryability};
use crate::secret::SecretRef;
use crate::template::{Data, Template, escape_slack, truncate_chars};
use serde_json::{Value, json};

/// The kind under which instances are configured.
pub const KIND: &str = "slack";

/// Bound of `text`, in characters; Slack cuts longer ones.
/// <https://docs.slack.dev/changelog/2018-04-truncating-really-long-messages>
const TEXT_CHARS_MAX: usize = 40_000;

/// Bound of an attachment's text, in characters: the bound of a text block, so that a summary
/// stays readable. <https://docs.slack.dev/reference/block-kit/blocks/section-block>
const ATTACHMENT_CHARS_MAX: usize = 3_000;

/// Hexadecimal digits of a commit that people read.
const SHORT_SHA_CHARS: usize = 7;

const DEFAULT_USERNAME: &str = "tekton-events-relay";
const DEFAULT_ICON: &str = ":rocket:";

/// The options of one configured webhook, already validated.
#[derive(Clone, Debug)]
pub struct SlackOptions {
    /// `name` of the instance.
    pub name: String,
    /// The file that holds the webhook URL.
    pub url: SecretRef,
    /// Channel to post to; empty for the webhook's own.
    pub channel: String,
    /// Empty for the built-in name.
    pub username: String,
    /// Empty for the built-in icon.
    pub icon_emoji: String,
    /// Text in Slack's mrkdwn that replaces the attachment.
    pub template: Option<Template>,
}

/// Posts messages.
#[derive(Debug)]
pub struct SlackWebhook(SlackOptions);

impl SlackWebhook {
    /// The notifier for one webhook.
    #[must_use]
    pub fn new(options: SlackOptions) -> Self {
        Self(options)
    }

    fn request(&self, effect: &Effect<'_>) -> Result<HttpRequest, DeliveryFailure> {
        let or_default = |text: &str, default: &str| {
            if text.is_empty() { default.to_owned() } else { text.to_owned() }
        };
        let mut body = json!({
            "username": or_default(&self.0.username, DEFAULT_USERNAME),
            "icon_emoji": or_default(&self.0.icon_emoji, DEFAULT_ICON),
        });
        if !self.0.channel.is_empty() {
            body["channel"] = self.0.channel.as_str().into();
        }
        match &self.0.template {
            Some(template) => body["text"] = templated(template, effect)?.into(),
            None => body["attachments"] = json!([attachment(effect)]),
        }
        let url = Text::Secret(self.0.url.clone());
        Ok(json_request(Method::Post, url, Credential::None, Some(&body)))
    }
}

impl Integration for SlackWebhook {
    fn target(&self, event: &RunEvent, _context: &RunContext) -> Result<Target, SkipReason> {
        let key = target_key(&[KIND, &self.0.name, &event.uid]);
        Ok(Target { key, delivery: Delivery::Stream })
    }

    fn begin(&self, effect: &Effect<'_>) -> Turn {
        match self.request(effect) {
            Ok(request) => Turn::Send(Outbound::Http(request), Box::new(Posting)),
            Err(failure) => Turn::Fail(failure),
        }
    }
}

/// Waits for the answer to the message.
struct Posting;

impl Exchange for Posting {
    fn on_reply(self: Box<Self>, reply: Reply) -> Turn {
        let reply = match expect_http(reply) {
            Ok(reply) => reply,
            Err(failure) => return Turn::Fail(failure),
        };
        match classify(&reply) {
            Ok(()) => Turn::Done(Receipt { remote_id: String::new(), status: reply.status }),
            Err(failure) => Turn::Fail(failure),
        }
    }
}

/// What an answer of Slack means: success is the word `ok`, a failure is a word such as
/// `invalid_payload` or `channel_not_found`. Look-alikes have other words for success; only a page
/// is surely a proxy's, and doubting more would repeat messages that were shown.
///
/// # Errors
/// Every status but 2xx, and a 2xx with a page.
fn classify(reply: &HttpReply) -> Result<(), DeliveryFailure> {
    let word = reply.body.trim();
    let Err(failure) = http::classify(reply) else {
        return if word.starts_with('<') { Err(http::unexpected_body(reply)) } else { Ok(()) };
    };
    // Unlike a forge's object a webhook or channel that is gone does not come back by waiting.
    let retryability = match failure.retryability {
        Retryability::Unsettled => Retryability::Permanent,
        settled @ (Retryability::Permanent | Retryability::Temporary) => settled,
    };
    let detail = match is_error_word(word) {
        true => format!("status {}: {word}", reply.status),
        false => failure.detail().to_owned(),
    };
    let kind = match word {
        "invalid_token" | "action_prohibited" => FailureKind::Auth,
        _ => failure.kind,
    };
    Err(DeliveryFailure::new(kind, retryability, &detail).with_retry_after(failure.retry_after))
}

/// Slack's errors are one lower-case word; anything else is not quoted.
fn is_error_word(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

/// The template's text over data that cannot form links or mentions; the template itself can.
fn templated(template: &Template, effect: &Effect<'_>) -> Result<String, DeliveryFailure> {
    let data = Data::event(&escaped(effect.event), &escaped_context(effect.context));
    let text = render(template, &data)?;
    let text = match effect.summary {
        Some(summary) => format!("{text}\n{}", summary_lines(summary)),
        None => text,
    };
    Ok(truncate_chars(&text, TEXT_CHARS_MAX))
}

/// The event with the texts that whoever starts a run can choose freely made harmless.
fn escaped(event: &RunEvent) -> RunEvent {
    let mut event = event.clone();
    let scm = &mut event.scm;
    let texts = [
        &mut event.message,
        &mut event.reason,
        &mut event.task_display_name,
        &mut event.pipeline_display_name,
        &mut event.jira_issue_key,
        &mut event.group_id,
        &mut event.scm_event_type,
        &mut scm.commit_sha,
        &mut scm.ref_name,
        &mut scm.api_base_url,
        &mut scm.repository.owner,
        &mut scm.repository.name,
        &mut scm.repository.id,
        &mut scm.repository.workspace,
        &mut scm.repository.project,
        &mut scm.repository.org,
    ];
    let value = |named: &'_ mut NamedValue| named.value = escape_slack(&named.value);
    event.results.iter_mut().for_each(value);
    event.params.iter_mut().for_each(value);
    let maps = event.labels.values_mut().chain(event.annotations.values_mut());
    for text in texts.into_iter().chain(maps) {
        *text = escape_slack(text);
    }
    event
}

fn escaped_context(context: &RunContext) -> RunContext {
    RunContext { check_name: escape_slack(&context.check_name), ..context.clone() }
}

fn attachment(effect: &Effect<'_>) -> Value {
    let event = effect.event;
    let mut text = headline(event, effect.context);
    for detail in [
        escape_slack(&one_line(&event.message)),
        effect.summary.map(summary_lines).unwrap_or_default(),
    ] {
        if !detail.is_empty() {
            text = format!("{text}\n{detail}");
        }
    }
    json!({
        "color": colour(event.state),
        "fallback": format!("{}: {}", escape_slack(&event.name), state_word(event.state)),
        "text": truncate_chars(&text, ATTACHMENT_CHARS_MAX),
        "fields": fields(event),
        "footer": escape_slack(&format!("{}/{}", event.namespace, event.name)),
        "mrkdwn_in": ["text"],
    })
}

fn headline(event: &RunEvent, context: &RunContext) -> String {
    let name = escape_slack(&context.check_name);
    let name = match context.target_url.as_str() {
        "" => name,
        // `|` and `>` end the address of a link.
        url => format!("<{}|{name}>", escape_slack(url).replace('|', "%7C")),
    };
    format!("{} *{name}* {}", icon(event.state), state_word(event.state))
}

/// A summary as one line a row.
fn summary_lines(summary: &Summary) -> String {
    let line = |row: &SummaryRow| {
        let duration = duration_between(row.started_at, row.finished_at);
        let duration = duration.map(|duration| format!(" ({duration})")).unwrap_or_default();
        let name = escape_slack(&one_line(&row.name));
        format!("{} {name}: {}{duration}", emoji(row.state), word(row.state))
    };
    summary.rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn fields(event: &RunEvent) -> Vec<Value> {
    let short_sha: String = event.scm.commit_sha.chars().take(SHORT_SHA_CHARS).collect();
    let duration = duration_between(event.started_at, event.finished_at).unwrap_or_default();
    [
        ("State", event.state.as_str().to_owned()),
        ("Run", escape_slack(&event.name)),
        ("Commit", escape_slack(&short_sha)),
        ("Duration", duration),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(title, value)| json!({ "title": title, "value": value, "short": true }))
    .collect()
}

fn colour(state: RunState) -> &'static str {
    match state {
        RunState::Success => "#36a64f",
        RunState::Failure | RunState::Error => "#e01e5a",
        RunState::Running => "#daa038",
        RunState::Pending | RunState::Canceled => "#aaaaaa",
    }
}

fn icon(state: RunState) -> &'static str {
    match state {
        RunState::Success => ":white_check_mark:",
        RunState::Failure | RunState::Error => ":x:",
        RunState::Running => ":hourglass_flowing_sand:",
        RunState::Pending | RunState::Canceled => ":grey_question:",
    }
}

#[cfg(test)]
#[path = "slack_test.rs"]
mod tests;
