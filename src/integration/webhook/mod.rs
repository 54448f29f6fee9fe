//! Generic webhooks: the event as JSON, or what a jq program makes of it, to any HTTP endpoint.
//! Each request carries `webhook-id`, the same at every attempt, by which the receiver can
//! recognise a repetition (<https://www.standardwebhooks.com>, "webhook-id").

mod auth;

use super::http::{self, json_request, set_header};
use super::post::{post, receipt};
use super::registry::{InstanceSettings, IntegrationRow, NOTIFY, ReadInstance};
use super::text::target_key;
use super::{
    Credential, Effect, Exchange, HttpReply, HttpRequest, Integration, Method, Outbound, Reply,
    ReplyBody, Target, Text, Turn,
};
use crate::effect::{Delivery, Receipt, SkipReason};
use crate::event::{RunContext, RunEvent, to_json};
use crate::failure::{DeliveryFailure, FailureKind, Retryability};
use crate::jq::{Program, Transform};
use crate::secret::SecretRef;
use crate::settings::secret_file::SecretKeys;
use crate::settings::{KeyRow, ValueType, expressions};
use serde_json::Value;
use std::sync::Arc;

/// The kind under which instances are configured.
pub const KIND: &str = "webhook";

/// Webhooks in the table of integrations.
pub const ROW: IntegrationRow = IntegrationRow {
    kind: KIND,
    doc: "The event as JSON, or a jq transform of it, to any HTTP endpoint",
    keys: &[
        KeyRow::text("url_file", "inferred, key `url`", "File with the URL"),
        KeyRow::text("url_key", "`url`", "Last part of the inferred file"),
        KeyRow {
            path: "headers",
            value: ValueType::TextMap,
            default: "none",
            meaning: "Names and values; they replace ours, but not `webhook-id`",
        },
        KeyRow::text(
            "transform",
            "the event",
            "jq program that makes the body. The event itself has only those params and results that some rule, template or program names",
        ),
        KeyRow::words(
            "auth.type",
            &["bearer", "basic", "apikey", "hmac"],
            "none",
            "`bearer`: `Authorization: Bearer`. `basic`. `apikey`: the token in `header`. `hmac`: `X-Webhook-Signature: sha256=` with the HMAC-SHA256 of the body",
        ),
        KeyRow::text(
            "auth.token_file",
            "inferred, key `token`",
            "`bearer`, `apikey`: file with the token",
        ),
        KeyRow::text("auth.token_key", "`token`", "Last part of the inferred file"),
        KeyRow::text("auth.header", "required", "`apikey`: name of the header"),
        KeyRow::text(
            "auth.username_file",
            "inferred, key `username`",
            "`basic`: file with the user",
        ),
        KeyRow::text("auth.username_key", "`username`", "Last part of the inferred file"),
        KeyRow::text(
            "auth.password_file",
            "inferred, key `password`",
            "`basic`: file with the password",
        ),
        KeyRow::text("auth.password_key", "`password`", "Last part of the inferred file"),
        KeyRow::text("auth.secret_file", "inferred, key `secret`", "`hmac`: file with the key"),
        KeyRow::text("auth.secret_key", "`secret`", "Last part of the inferred file"),
    ],
    is_http: true,
    in_flight_max: 64,
    actions: &[NOTIFY],
    read: ReadInstance::Notifier(read),
};

/// The secret of an endpoint: its URL.
const URL: SecretKeys = SecretKeys { file: "url_file", key: "url_key", default: "url" };

/// Names the request; equal for all attempts of one effect.
const ID_HEADER: &str = "webhook-id";

/// The options of one configured webhook, already validated.
#[derive(Debug)]
pub struct WebhookOptions {
    /// `name` of the instance.
    pub name: String,
    /// The file that holds the URL.
    pub url: SecretRef,
    pub credential: Credential,
    /// Headers that are added, or replace ours of the same name; `webhook-id` stays ours.
    pub headers: Vec<(String, String)>,
    /// Makes the body from the event; `None` sends the event.
    pub transform: Option<Program>,
}

/// `None` when the place of the URL is not known, which has been reported.
fn read(mut instance: InstanceSettings<'_, '_>) -> Option<Arc<dyn Integration>> {
    let url = instance.secret(&URL);
    let owner = instance.owner();
    let InstanceSettings { name, fields, .. } = instance;
    let credential = auth::read(fields.section("auth"), &owner);
    let transform = expressions::transform(fields, "transform");
    if transform.is_none() {
        fields.keep(expressions::whole_event());
    }
    let headers = auth::read_headers(fields);
    fields.not_supported(&["batch", "retry_override"]);
    let (name, credential) = (name.to_owned(), credential.unwrap_or(Credential::None));
    Some(Arc::new(Webhook::new(WebhookOptions { name, url: url?, credential, headers, transform })))
}

/// Posts events.
#[derive(Debug)]
pub struct Webhook(WebhookOptions);

impl Webhook {
    /// The notifier for one endpoint.
    #[must_use]
    pub fn new(options: WebhookOptions) -> Self {
        Self(options)
    }

    /// The request with this body.
    fn request(&self, effect: &Effect<'_>, body: &Value) -> HttpRequest {
        let url = Text::Secret(self.0.url.clone());
        let (credential, wants) = (self.0.credential.clone(), ReplyBody::Unread);
        let mut request = json_request(Method::Post, url, credential, Some(body), wants);
        for (name, value) in &self.0.headers {
            set_header(&mut request, name, value);
        }
        set_header(&mut request, ID_HEADER, &effect.id.to_string());
        request
    }
}

impl Integration for Webhook {
    fn target(&self, event: &RunEvent, _context: &RunContext) -> Result<Target, SkipReason> {
        let key = target_key(&[KIND, &self.0.name, &event.uid]);
        Ok(Target { key, delivery: Delivery::Stream })
    }

    fn begin(&self, effect: &Effect<'_>) -> Turn {
        let event = to_json(effect.event, effect.context);
        let Some(program) = &self.0.transform else {
            return post(self.request(effect, &event), judge);
        };
        let request = self.request(effect, &Value::Null);
        let transform = Transform { program: Arc::clone(program.text()), input: event };
        Turn::Send(Outbound::Transform(transform), Box::new(Transforming { request }))
    }
}

/// Waits for the body.
struct Transforming {
    request: HttpRequest,
}

impl Exchange for Transforming {
    fn on_reply(self: Box<Self>, reply: Reply) -> Turn {
        if let Reply::Transformed(body) = reply {
            return post(HttpRequest { body: body.to_string(), ..self.request }, judge);
        }
        let failed = |retryability, detail: &str| {
            Turn::Fail(DeliveryFailure::new(FailureKind::Render, retryability, detail))
        };
        if let Reply::NotTransformed { is_final, detail } = reply {
            let retryability =
                if is_final { Retryability::Permanent } else { Retryability::Temporary };
            return failed(retryability, &detail);
        }
        failed(Retryability::Temporary, http::unanswered(&reply).detail())
    }
}

/// Any 2xx is a success, whatever its body.
///
/// # Errors
/// Every other status.
fn judge(reply: &HttpReply) -> Result<Receipt, DeliveryFailure> {
    http::classify(reply).map(|()| receipt(reply))
}

#[cfg(test)]
#[path = "webhook_test.rs"]
mod tests;
