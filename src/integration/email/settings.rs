//! The keys of an instance.

use super::{Email, EmailOptions, MailAddresses};
use crate::integration::Integration;
use crate::integration::mail::{MailEncryption, MailLogin, MailServer};
use crate::integration::registry::InstanceSettings;
use crate::settings::error::Problem;
use crate::settings::fields::Fields;
use crate::settings::secret_file::{self, SecretKeys, SecretOwner};
use crate::settings::setting::Setting;
use crate::settings::{KeyRow, address, expressions};
use crate::template::DataKind;
use lettre::message::Mailbox;
use std::sync::Arc;

/// Ports that a server may have.
const PORTS: (i64, i64) = (1, 65_535);

/// Longest list of recipients of one kind: servers have to take a hundred in all (RFC 5321,
/// 4.5.3.1.8), and a longer list is one that the mail server should keep.
const RECIPIENTS_MAX: usize = 30;

const ENCRYPTIONS: [(&str, MailEncryption); 3] = [
    (MailEncryption::StartTls.as_str(), MailEncryption::StartTls),
    (MailEncryption::Implicit.as_str(), MailEncryption::Implicit),
    (MailEncryption::None.as_str(), MailEncryption::None),
];

pub(super) const KEYS: &[KeyRow] = &[
    KeyRow::text("host", "required", "Mail server: a name, or an address"),
    KeyRow::integer("port", PORTS, "587; 465 with `tls`; 25 with `none`", "Its port"),
    KeyRow::words(
        "encryption",
        &["starttls", "tls", "none"],
        "`starttls`",
        "`starttls`: a server that does not offer it gets no mail. `tls`: from the first byte",
    ),
    KeyRow::text("auth.username", "no login", "Who the relay is there; not with `none`"),
    KeyRow::text(
        "auth.password_file",
        "inferred, key `password`",
        "File with the password (`PLAIN`, else `LOGIN`)",
    ),
    KeyRow::text("auth.password_key", "`password`", "Last part of the inferred file"),
    KeyRow::flag("auth.xoauth2", "`false`", "Sends a token in place of a password (`XOAUTH2`)"),
    KeyRow::text("auth.token_file", "inferred, key `token`", "`xoauth2`: file with the token"),
    KeyRow::text("auth.token_key", "`token`", "Last part of the inferred file"),
    KeyRow::text("from", "required", "Sender, `ci@example.com` or `CI <ci@example.com>`"),
    KeyRow::texts("to", "required", "Recipients; 30 at most, as in each of the next two lists"),
    KeyRow::texts("cc", "none", "Recipients of a copy"),
    KeyRow::texts("bcc", "none", "Recipients of a copy whom the mail does not name"),
    KeyRow::text("reply_to", "none", "Where replies go"),
    KeyRow::text("subject", "check, state and run", "Template of the subject; one line is sent"),
    KeyRow::text("template", "a list of facts", "Template of the text"),
    KeyRow::flag("html", "`false`", "The text is HTML; what runs say is escaped in it"),
];

/// `None` after a mistake, which has been reported.
pub(super) fn read(instance: InstanceSettings<'_, '_>) -> Option<Arc<dyn Integration>> {
    let owner = instance.owner();
    let InstanceSettings { name, fields, .. } = instance;
    let server = read_server(fields, &owner);
    let addresses = read_addresses(fields);
    let subject = expressions::template(fields, "subject", DataKind::Event);
    let body = expressions::template(fields, "template", DataKind::Event);
    let is_html = fields.flag("html").unwrap_or(false);
    fields.not_supported(&["batch", "insecure_skip_verify", "retry_override"]);
    let (name, server, addresses) = (name.to_owned(), server?, addresses?);
    let options = EmailOptions { name, server, addresses, subject, body, is_html };
    Some(Arc::new(Email::new(options)))
}

fn read_server(fields: &mut Fields<'_>, owner: &SecretOwner<'_>) -> Option<MailServer> {
    let host = read_host(fields);
    let encryption = fields.word("encryption", &ENCRYPTIONS).unwrap_or(MailEncryption::StartTls);
    let port = fields.integer("port", PORTS.0..=PORTS.1).and_then(|port| u16::try_from(port).ok());
    let port = port.unwrap_or(match encryption {
        MailEncryption::StartTls => 587,
        MailEncryption::Implicit => 465,
        MailEncryption::None => 25,
    });
    let login = read_login(fields.section("auth"), encryption, owner)?;
    Some(MailServer { host: host?, port, encryption, login })
}

fn read_host(fields: &mut Fields<'_>) -> Option<String> {
    let setting = fields.required("host", "it takes the mails")?;
    let host = setting.written()?;
    address::parse_host(host).map_err(|problem| setting.fail(problem)).ok()
}

/// The login; the inner `None` is none, the outer one a mistake.
fn read_login(
    mut auth: Fields<'_>,
    encryption: MailEncryption,
    owner: &SecretOwner<'_>,
) -> Option<Option<MailLogin>> {
    if auth.is_empty() {
        auth.finish();
        return Some(None);
    }
    let username = read_username(&mut auth, encryption);
    let is_oauth = auth.flag("xoauth2").unwrap_or(false);
    let (used, unused, rule) = match is_oauth {
        true => (&SecretKeys::TOKEN, &SecretKeys::PASSWORD, "belongs to a login by password"),
        false => (&SecretKeys::PASSWORD, &SecretKeys::TOKEN, "belongs to `xoauth2: true`"),
    };
    let secret = secret_file::read(&mut auth, used, owner);
    for key in [unused.file, unused.key] {
        if let Some((_, setting)) = auth.text_setting(key) {
            setting.fail(Problem::Conflict { rule });
        }
    }
    auth.finish();
    let (username, secret) = (username?, secret?);
    Some(Some(match is_oauth {
        true => MailLogin::OAuth { username, token: secret },
        false => MailLogin::Password { username, password: secret },
    }))
}

fn read_username(auth: &mut Fields<'_>, encryption: MailEncryption) -> Option<String> {
    let setting = auth.required("username", "it says who logs in")?;
    let username = setting.written()?;
    if encryption == MailEncryption::None {
        let rule = "a login needs `encryption: starttls` or `tls`: without it anybody on the way reads the password";
        setting.fail(Problem::Conflict { rule });
        return None;
    }
    if username.contains(|next: char| next.is_control()) {
        setting.fail(Problem::Malformed { expected: "a user name on one line" });
        return None;
    }
    Some(username.to_owned())
}

fn read_addresses(fields: &mut Fields<'_>) -> Option<MailAddresses> {
    let from = fields.required("from", "it sends the mails").and_then(|from| read_mailbox(&from));
    let to = read_list(fields, "to");
    if to.as_ref().is_some_and(Vec::is_empty) {
        fields.fail("to", Problem::Missing { hint: "somebody has to get the mails".into() });
    }
    let (cc, bcc) = (read_list(fields, "cc"), read_list(fields, "bcc"));
    let reply_to = fields.text_setting("reply_to").map(|(_, setting)| read_mailbox(&setting));
    let to = to.filter(|to| !to.is_empty());
    let reply_to = reply_to.map_or(Some(None), |mailbox| mailbox.map(Some))?;
    Some(MailAddresses { from: from?, to: to?, cc: cc?, bcc: bcc?, reply_to })
}

/// A list of recipients; `None` after a mistake in it.
fn read_list(fields: &mut Fields<'_>, key: &'static str) -> Option<Vec<Mailbox>> {
    let items = fields.list(key);
    if items.len() > RECIPIENTS_MAX {
        fields.fail(key, Problem::Malformed { expected: "30 addresses at most" });
        return None;
    }
    let read: Vec<Option<Mailbox>> = items.iter().map(read_mailbox).collect();
    read.into_iter().collect()
}

fn read_mailbox(setting: &Setting<'_>) -> Option<Mailbox> {
    let text = setting.text()?;
    let mailbox = text.parse::<Mailbox>().ok();
    let is_safe = |mailbox: &Mailbox| {
        let address: &str = mailbox.email.as_ref();
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"<>".contains(&byte);
        address.bytes().all(is_plain) && !text.contains(|next: char| next.is_control())
    };
    let mailbox = mailbox.filter(is_safe);
    if mailbox.is_none() {
        let expected = "an address in ASCII, such as ci@example.com or CI <ci@example.com>";
        setting.fail(Problem::Malformed { expected });
    }
    mailbox
}

#[cfg(test)]
#[path = "settings_test.rs"]
mod tests;
