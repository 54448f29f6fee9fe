//! Integrations as pure exchanges. An [`Integration`] names the target of an effect, yields
//! requests, is handed the replies, and ends in a receipt or a failure. No socket, clock or
//! secret is touched here: the shell carries the requests and fills in the secrets.

pub mod connected;
pub mod email;
pub mod github;
pub mod gitlab;
pub mod jwt;
pub mod log;
pub mod registry;
pub mod slack;
pub mod token;
pub mod webhook;

mod escaped;
mod forge;
mod http;
mod mail;
mod marker;
mod post;
mod summary;
mod text;

#[cfg(test)]
mod answers_test;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod hostile;

pub use crate::settings::{connection, pem};
pub use http::budget_wait;
pub use mail::{MailEncryption, MailLogin, MailMessage, MailServer};

use crate::clock::Timestamp;
use crate::effect::{Delivery, EffectId, Receipt, RouteName, SkipReason, Summary, TargetKey};
use crate::event::{RunContext, RunEvent};
use crate::failure::{DeliveryFailure, FailureKind};
use crate::jq::Transform;
use crate::secret::SecretRef;
use connection::ConnectionProfile;
use std::sync::Arc;
use token::{HeaderForm, TokenExchange};

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
    /// A call nobody heard the end of may have made a second object: it is looked for.
    pub is_repair: bool,
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

    /// The channel that this action posts to, empty where the receiver chooses it; `None` for
    /// actions without one.
    fn channel(&self) -> Option<&str> {
        None
    }

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
    Mail(MailMessage),
    /// A line for the relay's own log.
    Log(String),
    /// A program to run, apart from the relay: it may not end, or take all memory.
    Transform(Transform),
}

impl Outbound {
    /// Whether it goes to a target outside the relay.
    #[must_use]
    pub fn is_call(&self) -> bool {
        match self {
            Self::Http(_) | Self::Mail(_) => true,
            Self::Log(_) | Self::Transform(_) => false,
        }
    }
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
    /// `Authorization: Bearer <JWT>` with these claims, a JSON object, signed with an RSA key in PEM
    /// ([`jwt`]).
    Rs256Jwt {
        key: SecretRef,
        claims: String,
    },
    /// A token that is got first, and kept until shortly before it expires.
    Exchanged {
        place: HeaderForm,
        exchange: Arc<TokenExchange>,
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
    /// What the exchange needs of a successful answer.
    pub wants: ReplyBody,
    /// How the target is reached, which the instance says: kinds leave it at `None`, and
    /// [`connected`] sets it.
    pub connection: Option<Arc<ConnectionProfile>>,
}

/// How much of a successful answer is read. Of any other one its beginning is, for the complaint in
/// it. Sizes are in bytes, of the text after decompression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyBody {
    /// Nothing: the status says it all.
    Unread,
    /// At most so many bytes, as far as they come: the status decides, also where they break off.
    Glance(usize),
    /// All of it, up to the transport's bound: an answer that breaks off is none.
    Whole,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Http(HttpReply),
    /// A transport that is not HTTP took the message, or the log its line.
    Accepted {
        /// The name that the target gave it, for people who look for it there.
        remote_id: Option<String>,
        /// What the target answered, in the numbers of its protocol; 0 where it has none.
        code: u16,
    },
    /// A transport that is not HTTP delivered an answer that refuses the message.
    Rejected(Rejection),
    /// What a program made of its input.
    Transformed(serde_json::Value),
    /// A program made nothing. Where `is_final` it will not do so at another attempt either.
    NotTransformed {
        is_final: bool,
        detail: String,
    },
    /// The transport failed; `kind` is `Network`, `Timeout` or `Credentials`.
    Failed {
        kind: FailureKind,
        detail: String,
    },
}

/// The refusal of a target that speaks another protocol than HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// What the target answered, in the numbers of its protocol.
    pub code: u16,
    /// Its words, on one line.
    pub detail: String,
}

/// An HTTP answer. Header names are lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpReply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// As much of it as was asked for.
    pub body: String,
    /// There was more, or would have been: it was not asked for, or the answer broke off.
    pub is_cut: bool,
    /// What the request proved who we are with.
    pub credential: Option<CredentialId>,
    /// Why the redirect that this answer is was not followed.
    pub unfollowed: Option<Unfollowed>,
    /// Time of the answer, for `Retry-After` dates and rate-limit resets.
    pub now: Timestamp,
}

/// A hash of a credential that tells it from others, so that what is learnt with a token is not
/// believed of the next one. Never stored, sent or printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CredentialId(pub u128);

impl std::fmt::Debug for CredentialId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CredentialId(...)")
    }
}

/// Why a redirect was not followed. A request carries a credential and, mostly, a message: both
/// stay at the host that is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfollowed {
    #[error("redirected to another host than the configured one, which is not followed")]
    OtherHost,
    #[error("redirected from https to http, which is not followed")]
    Unencrypted,
    /// 302 and 303 ask for a read where something was to be written.
    #[error("redirected without the message (302, 303), which is not followed")]
    MethodChanges,
    #[error("redirected without a usable location")]
    NoLocation,
    #[error("redirected too many times")]
    TooMany,
}

impl HttpReply {
    /// The first value of a header, by lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}
