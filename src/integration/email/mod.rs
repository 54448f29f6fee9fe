//! Mails through an SMTP server: one for every transition. A mail cannot be edited. Its `Message-ID` is
//! made of the effect, so that a mail that is sent again is recognised as the same one, and all mails of
//! a run refer to one thread.

mod message;
mod settings;

use super::http::{names_limit, scrub_urls};
use super::mail::{MailMessage, MailServer};
use super::post::hand_over;
use super::registry::{ActionRow, IntegrationRow, NOTIFY, ReadInstance};
use super::text::target_key;
use super::{Effect, Integration, Outbound, Rejection, Target, Turn};
use crate::effect::{Delivery, SkipReason};
use crate::event::{RunContext, RunEvent};
use crate::failure::{DeliveryFailure, FailureKind, Retryability};
use crate::template::Template;
use lettre::message::Mailbox;

/// The kind under which instances are configured.
pub const KIND: &str = "email";

/// Mail in the table of integrations.
pub const ROW: IntegrationRow = IntegrationRow {
    kind: KIND,
    doc: "Mails through an SMTP server",
    is_http: false,
    keys: settings::KEYS,
    // A mail is a session of its own, and servers bound those of one sender.
    in_flight_max: 8,
    actions: &[ActionRow { shows_summaries: true, ..NOTIFY }],
    read: ReadInstance::Notifier(settings::read),
};

/// The options of one configured instance, already validated.
#[derive(Clone, Debug)]
pub struct EmailOptions {
    /// `name` of the instance.
    pub name: String,
    pub server: MailServer,
    pub addresses: MailAddresses,
    /// The subject, on one line; `None` for the built-in one.
    pub subject: Option<Template>,
    /// The text; `None` for the built-in one.
    pub body: Option<Template>,
    /// Whether the text is HTML.
    pub is_html: bool,
}

/// Who sends a mail, and who gets it. All addresses are ASCII.
#[derive(Clone, Debug)]
pub struct MailAddresses {
    pub from: Mailbox,
    /// At least one.
    pub to: Vec<Mailbox>,
    pub cc: Vec<Mailbox>,
    /// Not named in the mail.
    pub bcc: Vec<Mailbox>,
    pub reply_to: Option<Mailbox>,
}

/// Sends mails.
#[derive(Debug)]
pub struct Email(EmailOptions);

impl Email {
    /// The notifier for one instance.
    #[must_use]
    pub fn new(options: EmailOptions) -> Self {
        Self(options)
    }

    fn message(&self, effect: &Effect<'_>) -> Result<MailMessage, DeliveryFailure> {
        let MailAddresses { from, to, cc, bcc, reply_to: _ } = &self.0.addresses;
        let mut recipients: Vec<String> = Vec::new();
        for mailbox in to.iter().chain(cc).chain(bcc) {
            let address = mailbox.email.to_string();
            if !recipients.contains(&address) {
                recipients.push(address);
            }
        }
        Ok(MailMessage {
            server: self.0.server.clone(),
            sender: from.email.to_string(),
            recipients,
            content: message::content(&self.0, effect)?,
        })
    }
}

impl Integration for Email {
    fn target(&self, event: &RunEvent, _context: &RunContext) -> Result<Target, SkipReason> {
        let key = target_key(&[KIND, &self.0.name, &event.uid]);
        Ok(Target { key, delivery: Delivery::Stream })
    }

    fn begin(&self, effect: &Effect<'_>) -> Turn {
        match self.message(effect) {
            Ok(message) => hand_over(Outbound::Mail(message), judge),
            Err(failure) => Turn::Fail(failure),
        }
    }
}

/// What a code of an SMTP server means: 4 is a refusal for now and 5 one for good (RFC 5321, 4.2.1),
/// some of which are about the login (RFC 4954, section 6).
fn judge(rejection: &Rejection) -> DeliveryFailure {
    use FailureKind::{Auth, Invalid, RateLimited, Server};
    use Retryability::{Permanent, Temporary};
    let (kind, retryability) = match rejection.code {
        530 | 534 | 535 | 538 => (Auth, Permanent),
        500..=599 => (Invalid, Permanent),
        _ if names_limit(&rejection.detail.to_lowercase()) => (RateLimited, Temporary),
        _ => (Server, Temporary),
    };
    DeliveryFailure::new(kind, retryability, &scrub_urls(&rejection.detail))
}

#[cfg(test)]
#[path = "email_test.rs"]
mod tests;
