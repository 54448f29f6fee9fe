//! The mail of an effect: its header, its subject and its text.

use super::{EmailOptions, MailAddresses};
use crate::event::Key;
use crate::failure::{DeliveryFailure, FailureKind, Retryability};
use crate::integration::Effect;
use crate::integration::escaped::{Escape, Escaped, EscapedRow};
use crate::integration::http::USER_AGENT;
use crate::integration::summary::render;
use crate::integration::text::{one_line, state_word};
use crate::template::{Data, Markup, escape_html, truncate_chars};
use lettre::Message;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder, SinglePart};
use std::borrow::Cow;
use std::time::{Duration, UNIX_EPOCH};

/// Bound of a subject: mail programs show less, and more only fills the header.
const SUBJECT_CHARS_MAX: usize = 250;

/// Nobody's out-of-office reply shall answer (RFC 3834, section 5).
const AUTO_SUBMITTED: (HeaderName, &str) =
    (HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated");

/// Text in a mail without HTML stands for itself.
const PLAIN: Escape = |text| Cow::Borrowed(text);

const HTML: Escape = |text| Cow::Owned(escape_html(text));

/// The header and the body (RFC 5322). The same effect at the same time gives the same text.
///
/// # Errors
/// A template failed.
pub(super) fn content(
    options: &EmailOptions,
    effect: &Effect<'_>,
) -> Result<String, DeliveryFailure> {
    let (content_type, body) = match options.is_html {
        true => (ContentType::TEXT_HTML, html(options, effect)?),
        false => (ContentType::TEXT_PLAIN, plain(options, effect)?),
    };
    let header = header(options, effect)?;
    let part = SinglePart::builder().header(content_type).body(body);
    let message = header.singlepart(part).map_err(|error| unmade(&error.to_string()))?;
    String::from_utf8(message.formatted()).map_err(|error| unmade(&error.to_string()))
}

/// The addresses were checked at load, so that a mail without one is a defect of the relay.
fn unmade(detail: &str) -> DeliveryFailure {
    DeliveryFailure::new(FailureKind::Render, Retryability::Permanent, detail)
}

fn header(options: &EmailOptions, effect: &Effect<'_>) -> Result<MessageBuilder, DeliveryFailure> {
    let MailAddresses { from, to, cc, bcc: _, reply_to } = &options.addresses;
    let domain = from.email.domain();
    // Whatever a run calls itself, the thread has a name of letters and digits.
    let thread = Key::of(&["mail thread", &effect.event.uid]);
    let (name, value) = AUTO_SUBMITTED;
    let builder = Message::builder()
        .date(UNIX_EPOCH + Duration::from_millis(effect.now.0))
        .message_id(Some(format!("<{}@{domain}>", effect.id)))
        .references(format!("<{thread}@{domain}>"))
        .user_agent(USER_AGENT.to_owned())
        .raw_header(HeaderValue::new(name, value.to_owned()))
        .from(from.clone())
        .subject(subject(options, effect)?);
    let named =
        |builder: MessageBuilder, list: &[Mailbox], add: fn(MessageBuilder, Mailbox) -> _| {
            list.iter().cloned().fold(builder, add)
        };
    let builder = named(builder, to, MessageBuilder::to);
    let builder = named(builder, cc, MessageBuilder::cc);
    Ok(named(builder, reply_to.as_slice(), MessageBuilder::reply_to))
}

/// One line without control characters, so that no subject starts a header of its own.
fn subject(options: &EmailOptions, effect: &Effect<'_>) -> Result<String, DeliveryFailure> {
    let text = match &options.subject {
        None => String::new(),
        Some(template) => {
            render(template, &Data::event(effect.event, effect.context), Markup::Plain)?
        }
    };
    let said = Escaped::new(effect, PLAIN);
    let built_in =
        || format!("{} {} ({})", said.check_name(), state_word(said.state()), said.run_path());
    let visible = |text: &str| -> String {
        one_line(text).chars().filter(|next| !next.is_control()).collect()
    };
    let text = visible(&text);
    let text = if text.is_empty() { visible(&built_in()) } else { text };
    Ok(truncate_chars(&text, SUBJECT_CHARS_MAX))
}

fn plain(options: &EmailOptions, effect: &Effect<'_>) -> Result<String, DeliveryFailure> {
    let said = Escaped::new(effect, PLAIN);
    let head = match &options.body {
        Some(template) => {
            render(template, &Data::event(effect.event, effect.context), Markup::Plain)?
        }
        None => {
            let facts = facts(said).into_iter().map(|(title, text)| format!("{title}: {text}"));
            facts.collect::<Vec<_>>().join("\n")
        }
    };
    let row = |row: EscapedRow| {
        let duration = row.duration.map(|duration| format!(" ({duration})")).unwrap_or_default();
        format!("{} {}: {}{duration}", row.emoji, row.name, row.word)
    };
    let rows: Vec<String> = said.rows().into_iter().map(row).collect();
    let parts = [head, rows.join("\n")];
    let parts = parts.iter().filter(|part| !part.is_empty()).map(String::as_str);
    Ok(parts.collect::<Vec<_>>().join("\n\n"))
}

fn html(options: &EmailOptions, effect: &Effect<'_>) -> Result<String, DeliveryFailure> {
    let said = Escaped::new(effect, HTML);
    let head = match &options.body {
        Some(template) => {
            render(template, &Data::event(effect.event, effect.context), Markup::Html)?
        }
        None => {
            let link = |title, text: String| match title {
                "Page" => format!("<a href=\"{text}\">{text}</a>"),
                _ => text,
            };
            let fact = |(title, text)| {
                format!("<tr><th align=\"left\">{title}</th><td>{}</td></tr>\n", link(title, text))
            };
            let facts: String = facts(said).into_iter().map(fact).collect();
            format!("<table>\n{facts}</table>")
        }
    };
    let row = |row: EscapedRow| {
        let EscapedRow { name, emoji, word, duration } = row;
        let duration = duration.unwrap_or_default();
        format!("<tr><td>{emoji} {name}</td><td>{word}</td><td>{duration}</td></tr>\n")
    };
    let rows: String = said.rows().into_iter().map(row).collect();
    Ok(match rows.as_str() {
        "" => head,
        rows => format!("{head}\n<table>\n{rows}</table>"),
    })
}

/// What the built-in text says, as far as it is known.
fn facts(said: Escaped<'_>) -> Vec<(&'static str, String)> {
    let facts = [
        ("Check", said.check_name()),
        ("State", state_word(said.state()).to_owned()),
        ("Run", said.run_path()),
        ("Commit", said.short_sha()),
        ("Duration", said.duration()),
        ("Detail", said.detail()),
        ("Page", said.address().unwrap_or_default()),
    ];
    facts.into_iter().filter(|(_, text)| !text.is_empty()).collect()
}
