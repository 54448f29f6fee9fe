//! Slack incoming webhooks: a message for every transition.
//! <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>. Mattermost and
//! Rocket.Chat take the same requests. The URL is the credential, so it is a secret; a webhook
//! can neither edit a message nor recognise a repeated one.

use super::escaped::{Escape, Escaped, EscapedRow};
use super::http::{self, json_request};
use super::post::{post, receipt};
use super::registry::{ActionRow, InstanceSettings, IntegrationRow, NOTIFY, ReadInstance};
use super::summary::render;
use super::text::{state_word, target_key};
use super::{
    Credential, Effect, HttpReply, HttpRequest, Integration, Method, ReplyBody, Target, Text, Turn,
};
use crate::effect::{Delivery, Receipt, SkipReason};
use crate::event::{RunContext, RunEvent, RunState};
use crate::failure::{DeliveryFailure, FailureKind, Retryability};
use crate::secret::SecretRef;
use crate::settings::error::Problem;
use crate::settings::fields::Fields;
use crate::settings::secret_file::{self, SecretKeys};
use crate::settings::{KeyRow, expressions};
use crate::template::{Data, DataKind, Markup, Template, escape_slack, truncate_utf16};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::sync::Arc;

/// The kind under which instances are configured.
pub const KIND: &str = "slack";

/// Slack in the table of integrations.
pub const ROW: IntegrationRow = IntegrationRow {
    kind: KIND,
    doc: "Messages through a Slack incoming webhook",
    keys: &[
        KeyRow::text(
            "auth.webhook_url_file",
            "inferred, key `webhook_url`",
            "File with the URL of an incoming webhook",
        ),
        KeyRow::text("auth.webhook_url_key", "`webhook_url`", "Last part of the inferred file"),
        KeyRow::text("channel", "that of the webhook", "Channel, where the webhook may choose"),
        KeyRow::text("username", "`tekton-events-relay`", "Sender shown"),
        KeyRow::text("icon_emoji", "`:rocket:`", "Icon shown"),
        KeyRow::words("mode", &["create"], "`create`", "Only `create`: a webhook cannot edit"),
        KeyRow::text("template", "an attachment", "Text of the message"),
    ],
    is_http: true,
    in_flight_max: 64,
    actions: &[ActionRow { shows_summaries: true, ..NOTIFY }],
    read: ReadInstance::Notifier(read),
};

/// The secret of an incoming webhook.
const WEBHOOK_URL: SecretKeys =
    SecretKeys { file: "webhook_url_file", key: "webhook_url_key", default: "webhook_url" };

/// Bound of `text`, in UTF-16 units, of which a character has one or two: Slack cuts what is longer
/// than so many characters.
/// <https://docs.slack.dev/changelog/2018-04-truncating-really-long-messages>
const TEXT_UNITS_MAX: usize = 40_000;

/// Bound of an attachment's text, in UTF-16 units: the bound of a text block, so that a summary
/// stays readable. <https://docs.slack.dev/reference/block-kit/blocks/section-block>
const ATTACHMENT_UNITS_MAX: usize = 3_000;

/// How much of an answer is read, in bytes: it is a word.
const ANSWER_BYTES_MAX: usize = 4 * 1024;

/// Slack's errors are shorter than this, in bytes.
const ERROR_WORD_BYTES_MAX: usize = 64;

/// How the attachment says what a run says.
const ESCAPE: Escape = |text| Cow::Owned(escape_slack(text));

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

/// `None` when the place of the URL is not known, which has been reported.
fn read(instance: InstanceSettings<'_, '_>) -> Option<Arc<dyn Integration>> {
    let owner = instance.owner();
    let InstanceSettings { name, fields, .. } = instance;
    let mut auth = fields.section("auth");
    auth.not_supported(&["bot_token"]);
    let url = secret_file::read(&mut auth, &WEBHOOK_URL, &owner);
    auth.finish();
    let channel = fields.text("channel").unwrap_or_default();
    let username = fields.text("username").unwrap_or_default();
    let icon_emoji = fields.text("icon_emoji").unwrap_or_default();
    let template = expressions::template(fields, "template", DataKind::Event);
    read_mode(fields);
    fields.not_supported(&["batch", "channel_expr", "retry_override", "thread_mode", "thread_ts"]);
    let (name, url) = (name.to_owned(), url?);
    let options = SlackOptions { name, url, channel, username, icon_emoji, template };
    Some(Arc::new(SlackWebhook::new(options)))
}

/// A webhook cannot edit what it posted, so there is one mode.
fn read_mode(fields: &mut Fields<'_>) {
    let Some((text, setting)) = fields.text_setting("mode") else { return };
    if setting.word(&[("create", ()), ("upsert", ())]).is_some() && text == "upsert" {
        setting.fail(Problem::NotSupported { what: "`upsert` through a webhook".to_owned() });
    }
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
            None => body["attachments"] = json!([attachment(Escaped::new(effect, ESCAPE))]),
        }
        let url = Text::Secret(self.0.url.clone());
        let wants = ReplyBody::Glance(ANSWER_BYTES_MAX);
        Ok(json_request(Method::Post, url, Credential::None, Some(&body), wants))
    }
}

impl Integration for SlackWebhook {
    fn channel(&self) -> Option<&str> {
        Some(&self.0.channel)
    }

    fn target(&self, event: &RunEvent, _context: &RunContext) -> Result<Target, SkipReason> {
        let key = target_key(&[KIND, &self.0.name, &event.uid]);
        Ok(Target { key, delivery: Delivery::Stream })
    }

    fn begin(&self, effect: &Effect<'_>) -> Turn {
        match self.request(effect) {
            Ok(request) => post(request, judge),
            Err(failure) => Turn::Fail(failure),
        }
    }
}

/// What an answer of Slack means: success is the word `ok`, a failure is a word such as
/// `invalid_payload` or `channel_not_found`, or `{"ok": false}`, also with a good status. Look-alikes
/// have other words for success; only a page is surely a proxy's, and doubting more would repeat
/// messages that were shown.
///
/// # Errors
/// Every status but 2xx, and a 2xx with a page or an error.
fn judge(reply: &HttpReply) -> Result<Receipt, DeliveryFailure> {
    let error = error_word(&reply.body);
    let known = error.as_deref().and_then(known_error);
    let failure = match http::classify(reply) {
        Ok(()) if reply.body.trim_start().starts_with('<') => {
            return Err(http::unexpected_body(reply));
        }
        Ok(()) if known.is_none() && !says_not_ok(&reply.body) => return Ok(receipt(reply)),
        Ok(()) => {
            let kind = FailureKind::Invalid;
            let failure = http::failure(reply, kind, Retryability::Permanent);
            failure.with_detail(&format!("status {}: not ok", reply.status))
        }
        Err(failure) => failure,
    };
    let failure = match &error {
        Some(word) => failure.with_detail(&format!("status {}: {word}", reply.status)),
        None => failure,
    };
    // Unlike a forge's object a webhook or channel that is gone does not come back by waiting.
    let settled = match failure.retryability {
        Retryability::Unsettled => Retryability::Permanent,
        settled @ (Retryability::Permanent | Retryability::Temporary) => settled,
    };
    let (kind, retryability) = known.unwrap_or((failure.kind, settled));
    let settled = DeliveryFailure::new(kind, retryability, failure.detail());
    Err(settled.with_retry_after(failure.retry_after))
}

/// The error that an answer names, in JSON or alone. Slack's errors are one lower-case word; anything
/// else is not quoted.
fn error_word(body: &str) -> Option<String> {
    let json: Option<Value> = serde_json::from_str(body).ok();
    let named = json.as_ref().and_then(|json| json.get("error")?.as_str());
    let word = named.unwrap_or_else(|| body.trim());
    let is_word = (1..=ERROR_WORD_BYTES_MAX).contains(&word.len())
        && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        && word != "ok";
    is_word.then(|| word.to_owned())
}

fn says_not_ok(body: &str) -> bool {
    let json: Option<Value> = serde_json::from_str(body).ok();
    let denies = |field: &str| json.as_ref().and_then(|json| json.get(field)?.as_bool());
    denies("ok") == Some(false) || denies("success") == Some(false)
}

/// What an error of Slack means, whatever the status it came with.
/// <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>,
/// <https://docs.slack.dev/reference/methods/chat.postMessage>
fn known_error(word: &str) -> Option<(FailureKind, Retryability)> {
    use FailureKind::{Auth, Invalid, NotFound, RateLimited, Server};
    use Retryability::{Permanent, Temporary};
    Some(match word {
        "ratelimited" | "rate_limited" | "message_limit_exceeded" => (RateLimited, Temporary),
        "internal_error"
        | "fatal_error"
        | "rollup_error"
        | "request_timeout"
        | "service_unavailable"
        | "team_added_to_org" => (Server, Temporary),
        "invalid_token" | "invalid_auth" | "not_authed" | "token_revoked" | "token_expired"
        | "account_inactive" | "action_prohibited" | "no_permission" | "access_denied"
        | "restricted_action" | "missing_scope" | "not_in_channel" => (Auth, Permanent),
        "channel_not_found"
        | "channel_is_archived"
        | "is_archived"
        | "no_service"
        | "no_team"
        | "no_active_hooks"
        | "team_disabled"
        | "user_not_found" => (NotFound, Permanent),
        "invalid_payload"
        | "no_text"
        | "msg_too_long"
        | "msg_blocks_too_long"
        | "invalid_blocks"
        | "too_many_attachments"
        | "posting_to_general_channel_denied" => (Invalid, Permanent),
        _ => return None,
    })
}

/// The template's text over data that cannot form links or mentions; the template itself can.
fn templated(template: &Template, effect: &Effect<'_>) -> Result<String, DeliveryFailure> {
    let text = render(template, &Data::event(effect.event, effect.context), Markup::Slack)?;
    let text = match effect.summary {
        Some(_) => format!("{text}\n{}", summary_lines(Escaped::new(effect, ESCAPE))),
        None => text,
    };
    Ok(truncate_utf16(&text, TEXT_UNITS_MAX))
}

fn attachment(said: Escaped<'_>) -> Value {
    let mut text = headline(said);
    for more in [said.detail(), summary_lines(said)] {
        if !more.is_empty() {
            text = format!("{text}\n{more}");
        }
    }
    json!({
        "color": colour(said.state()),
        "fallback": format!("{}: {}", said.run_name(), state_word(said.state())),
        "text": truncate_utf16(&text, ATTACHMENT_UNITS_MAX),
        "fields": fields(said),
        "footer": said.run_path(),
        "mrkdwn_in": ["text"],
    })
}

fn headline(said: Escaped<'_>) -> String {
    let name = match said.address() {
        None => said.check_name(),
        Some(address) => format!("<{address}|{}>", said.check_name()),
    };
    format!("{} *{name}* {}", icon(said.state()), state_word(said.state()))
}

/// A summary as one line a row.
fn summary_lines(said: Escaped<'_>) -> String {
    let line = |row: EscapedRow| {
        let duration = row.duration.map(|duration| format!(" ({duration})")).unwrap_or_default();
        format!("{} {}: {}{duration}", row.emoji, row.name, row.word)
    };
    said.rows().into_iter().map(line).collect::<Vec<_>>().join("\n")
}

fn fields(said: Escaped<'_>) -> Vec<Value> {
    [
        ("State", said.state().as_str().to_owned()),
        ("Run", said.run_name()),
        ("Commit", said.short_sha()),
        ("Duration", said.duration()),
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
        RunState::Pending => ":grey_question:",
        RunState::Canceled => ":no_entry_sign:",
    }
}

#[cfg(test)]
#[path = "slack_test.rs"]
mod tests;
