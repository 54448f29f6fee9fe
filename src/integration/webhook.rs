//! Generic webhooks: the event as JSON, or what a jq program makes of it, to any HTTP endpoint.
//! Each request carries `webhook-id`, the same at every attempt, by which the receiver can
//! recognise a repetition (<https://www.standardwebhooks.com>, "webhook-id").

use super::http::{self, expect_http, json_request, set_header};
use super::jq::Program;
use super::text::target_key;
use super::{
    Credential, Effect, Exchange, HttpRequest, Integration, Method, Outbound, Reply, Target, Text,
    Turn,
};
use crate::effect::{Delivery, Receipt, SkipReason};
use crate::event::{RunContext, RunEvent, to_json};
use crate::failure::{DeliveryFailure, FailureKind, Retryability};
use crate::secret::SecretRef;

/// The kind under which instances are configured.
pub const KIND: &str = "webhook";

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

/// Posts events.
#[derive(Debug)]
pub struct Webhook(WebhookOptions);

impl Webhook {
    /// The notifier for one endpoint.
    #[must_use]
    pub fn new(options: WebhookOptions) -> Self {
        Self(options)
    }

    fn request(&self, effect: &Effect<'_>) -> Result<HttpRequest, DeliveryFailure> {
        let event = to_json(effect.event, effect.context);
        let body = match &self.0.transform {
            None => event,
            Some(program) => program.run(&event).map_err(|error| {
                let detail = error.to_string();
                DeliveryFailure::new(FailureKind::Render, Retryability::Permanent, &detail)
            })?,
        };
        let url = Text::Secret(self.0.url.clone());
        let mut request = json_request(Method::Post, url, self.0.credential.clone(), Some(&body));
        for (name, value) in &self.0.headers {
            set_header(&mut request, name, value);
        }
        set_header(&mut request, ID_HEADER, &effect.id.to_string());
        Ok(request)
    }
}

impl Integration for Webhook {
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

/// Waits for the answer; any 2xx is a success, whatever its body.
struct Posting;

impl Exchange for Posting {
    fn on_reply(self: Box<Self>, reply: Reply) -> Turn {
        let outcome = expect_http(reply).and_then(|reply| {
            http::classify(&reply)?;
            Ok(Receipt { remote_id: String::new(), status: reply.status })
        });
        outcome.map_or_else(Turn::Fail, Turn::Done)
    }
}

#[cfg(test)]
#[path = "webhook_test.rs"]
mod tests;
