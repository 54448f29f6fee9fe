//! Integrations as pure exchanges. An [`Integration`] names the target of an effect, yields
//! requests, is handed the replies, and ends in a receipt or a failure. No socket, clock or
//! secret is touched here: the shell carries the requests and fills in the secrets.

pub mod github;
pub mod jq;
pub mod log;
pub mod registry;
pub mod slack;
pub mod webhook;

mod http;
mod marker;
mod summary;
mod text;

#[cfg(test)]
mod fixture;

pub use http::budget_wait;

use crate::clock::Timestamp;
use crate::effect::{Delivery, EffectId, Receipt, RouteName, SkipReason, Summary, TargetKey};
use crate::event::{RunContext, RunEvent};
use crate::failure::{DeliveryFailure, FailureKind};
use crate::secret::SecretRef;

/// Where an action writes for an event: the key that serialises writers, and what it keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub key: TargetKey,
    pub delivery: Delivery,
}

/// Everything an integration may use to render one effect.
#[derive(Clone, Debug)]
pub struct Effect<'a> {
    pub id: EffectId,
    pub route: &'a RouteName,
    pub event: &'a RunEvent,
    pub context: &'a RunContext,
    /// Remote id that the last successful write to this target left.
    pub remote_id: Option<&'a str>,
    /// Present where this route shows the summary of the run, or group, the event belongs to.
    pub summary: Option<&'a Summary>,
    /// An earlier attempt may have happened without our knowing: look before creating.
    pub is_in_doubt: bool,
    /// Replicated time of this attempt.
    pub now: Timestamp,
}

/// A configured action of a configured instance.
pub trait Integration: Send + Sync + std::fmt::Debug {
    /// Where this action would write for the event, or why it owes nothing.
    ///
    /// # Errors
    /// The reason is recorded with the event; nothing is sent.
    fn target(&self, event: &RunEvent, context: &RunContext) -> Result<Target, SkipReason>;

    /// Starts the exchange for one attempt.
    fn begin(&self, effect: &Effect<'_>) -> Turn;
}

/// The rest of an exchange: what to do with the reply to the request just sent.
pub trait Exchange: Send {
    /// Takes the reply, gives the next turn.
    fn on_reply(self: Box<Self>, reply: Reply) -> Turn;
}

/// One step of an exchange.
pub enum Turn {
    /// Send this, then hand the reply to the exchange.
    Send(Outbound, Box<dyn Exchange>),
    /// Delivered.
    Done(Receipt),
    /// Not delivered.
    Fail(DeliveryFailure),
}

impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Send(outbound, _) => f.debug_tuple("Send").field(outbound).finish(),
            Self::Done(receipt) => f.debug_tuple("Done").field(receipt).finish(),
            Self::Fail(failure) => f.debug_tuple("Fail").field(failure).finish(),
        }
    }
}

/// What leaves the relay, by transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outbound {
    Http(HttpRequest),
    /// A line for the relay's own log.
    Log(String),
}

/// A piece of text that may be a secret. Secrets are filled in by the shell at the last moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    Plain(String),
    Secret(SecretRef),
}

/// How a request proves who we are. Holds places of secrets, never secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    None,
    /// `Authorization: Bearer <secret>`
    Bearer(SecretRef),
    /// `<name>: <secret>`
    Header {
        name: String,
        secret: SecretRef,
    },
    /// `Authorization: Basic <base64(username:password)>`
    Basic {
        username: SecretRef,
        password: SecretRef,
    },
    /// `<name>: sha256=<hex HMAC-SHA256 of the body>`
    HmacSha256 {
        name: String,
        secret: SecretRef,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    /// The method as HTTP writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// A request, fully decided but for its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    pub method: Method,
    pub url: Text,
    pub headers: Vec<(String, String)>,
    pub credential: Credential,
    /// JSON text; empty for none.
    pub body: String,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Http(HttpReply),
    Logged,
    /// The transport failed; `kind` is `Network`, `Timeout` or `Credentials`.
    Failed {
        kind: FailureKind,
        detail: String,
    },
}

/// An HTTP answer. Header names are lower case; the body is cut at the transport's bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpReply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// Time of the answer, for `Retry-After` dates and rate-limit resets.
    pub now: Timestamp,
}

impl HttpReply {
    /// The first value of a header, by lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}
