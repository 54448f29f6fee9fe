//! CloudEvents 1.0 over HTTP: the mode of a request, and its binary mode. Knows nothing of
//! Tekton and nothing of the HTTP library.

use super::ingest_error::{IngestError, shown};
use super::structured;
use crate::clock::Timestamp;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;

/// Events in one batch: a broker's page, far above what fits into a body of 4 MiB in practice.
pub const BATCH_EVENTS_MAX: usize = 1000;

/// Bytes of one attribute. Tekton's longest is a source of two Kubernetes names, 253 bytes each.
pub(super) const ATTRIBUTE_BYTES_MAX: usize = 2048;

pub(super) const STRUCTURED: &str = "application/cloudevents+json";
pub(super) const BATCH: &str = "application/cloudevents-batch+json";
const ANY_STRUCTURED: &str = "application/cloudevents";
const ATTRIBUTE_HEADER_PREFIX: &str = "ce-";
const SPEC_VERSIONS: [&str; 2] = ["1.0", "0.3"];

/// An envelope and the raw JSON text of its data.
#[derive(Clone, PartialEq, Eq)]
pub struct CloudEvent {
    /// Unique within `source`.
    pub id: String,
    /// A URI reference; Tekton's names neither the kind nor the cluster.
    pub source: String,
    /// CloudEvents `type`.
    pub event_type: String,
    pub subject: Option<String>,
    /// When the sender made the event; `None` when it does not say.
    pub time: Option<Timestamp>,
    /// JSON text; empty when the event has no data.
    pub data: Vec<u8>,
}

/// Attributes and the size of the data: an EventListener's data holds tokens.
impl fmt::Debug for CloudEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloudEvent")
            .field("id", &self.id)
            .field("source", &self.source)
            .field("event_type", &self.event_type)
            .field("subject", &self.subject)
            .field("time", &self.time)
            .field("data_bytes", &self.data.len())
            .finish()
    }
}

/// Reads the CloudEvents of a request; header names are lower case.
///
/// # Errors
/// One malformed event of a batch refuses the whole batch.
pub fn parse(headers: &[(String, String)], body: &[u8]) -> Result<Vec<CloudEvent>, IngestError> {
    let headers = read_headers(headers)?;
    let content_type = headers.get("content-type").copied().unwrap_or_default();
    let media_type = MediaType::of(content_type);
    let unsupported = || IngestError::MediaType { content_type: shown(content_type) };
    if media_type.essence.starts_with(ANY_STRUCTURED) {
        return match media_type.essence.as_str() {
            _ if !media_type.is_utf8 => Err(unsupported()),
            STRUCTURED => Ok(vec![structured::parse(body)?]),
            BATCH => structured::parse_batch(body),
            _ => Err(unsupported()),
        };
    }
    if !headers.keys().any(|name| name.starts_with(ATTRIBUTE_HEADER_PREFIX)) {
        return Err(IngestError::NotACloudEvent { content_type: shown(content_type) });
    }
    if !body.is_empty() && !media_type.is_json_text() {
        return Err(unsupported());
    }
    Ok(vec![parse_binary(&headers, body)?])
}

/// The headers that this reader uses; each may appear once.
fn read_headers(headers: &[(String, String)]) -> Result<BTreeMap<&str, &str>, IngestError> {
    let mut read = BTreeMap::new();
    for (name, value) in headers {
        let counts = name == "content-type" || name.starts_with(ATTRIBUTE_HEADER_PREFIX);
        if counts && read.insert(name.as_str(), value.as_str()).is_some() {
            return Err(IngestError::Repeated { header: shown(name) });
        }
    }
    Ok(read)
}

/// The parts of a content type that decide how to read a body.
struct MediaType {
    /// Type and subtype, in lower case.
    essence: String,
    is_utf8: bool,
}

impl MediaType {
    fn of(content_type: &str) -> Self {
        let mut parts = content_type.split(';');
        let essence = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
        let charset = parts.find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
        });
        // ASCII is a part of UTF-8; JSON has no other encoding (RFC 8259, 8.1).
        let accepted = ["utf-8", "utf8", "us-ascii"];
        let is_utf8 = charset
            .is_none_or(|charset| accepted.iter().any(|name| charset.eq_ignore_ascii_case(name)));
        Self { essence, is_utf8 }
    }

    /// An absent type counts as JSON: some proxies drop it, and the JSON reader refuses other
    /// content.
    fn is_json_text(&self) -> bool {
        let essence = self.essence.as_str();
        let is_json = matches!(essence, "" | "application/json" | "text/json");
        self.is_utf8 && (is_json || essence.ends_with("+json"))
    }
}

fn parse_binary(headers: &BTreeMap<&str, &str>, body: &[u8]) -> Result<CloudEvent, IngestError> {
    let attribute = |header: &str, attribute| {
        let value = headers.get(header);
        value.map(|value| header_text(value).ok_or(IngestError::NotText { attribute })).transpose()
    };
    let attributes = Attributes {
        specversion: attribute("ce-specversion", "specversion")?,
        id: attribute("ce-id", "id")?,
        source: attribute("ce-source", "source")?,
        event_type: attribute("ce-type", "type")?,
        subject: attribute("ce-subject", "subject")?,
        time: attribute("ce-time", "time")?,
    };
    let mut event = attributes.into_event()?;
    event.data = json_bytes(body, "data")?;
    Ok(event)
}

/// A header value as the HTTP binding decodes it (1.0.2, 3.1.3.2): first the quotes of older
/// senders, then one round of percent-decoding. `None` when that is not UTF-8.
fn header_text(value: &str) -> Option<String> {
    let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    let unquoted = quoted.map(unescaped);
    let value = unquoted.as_deref().unwrap_or(value);
    percent_encoding::percent_decode_str(value).decode_utf8().ok().map(Into::into)
}

/// The inside of a quoted string; a backslash escapes the next character.
fn unescaped(inside: &str) -> String {
    let mut text = String::with_capacity(inside.len());
    let mut characters = inside.chars();
    while let Some(character) = characters.next() {
        let is_escape = character == '\\';
        text.push(if is_escape { characters.next().unwrap_or('\\') } else { character });
    }
    text
}

/// `text` if it is JSON; empty text means no data.
pub(super) fn json_bytes(text: &[u8], part: &'static str) -> Result<Vec<u8>, IngestError> {
    if !text.is_empty() {
        let read: Result<&RawValue, _> = serde_json::from_slice(text);
        read.map_err(|error| IngestError::json(part, &error))?;
    }
    Ok(text.to_vec())
}

/// The attributes of an event before they are checked, from either mode.
pub(super) struct Attributes {
    pub specversion: Option<String>,
    pub id: Option<String>,
    pub source: Option<String>,
    pub event_type: Option<String>,
    pub subject: Option<String>,
    pub time: Option<String>,
}

impl Attributes {
    /// The event without its data.
    pub(super) fn into_event(self) -> Result<CloudEvent, IngestError> {
        let specversion = required(self.specversion, "specversion")?;
        if !SPEC_VERSIONS.contains(&specversion.as_str()) {
            return Err(IngestError::SpecVersion { value: shown(&specversion) });
        }
        let time = self.time.map(|time| {
            let parsed = Timestamp::parse_rfc3339(&time);
            parsed.ok_or_else(|| IngestError::Time { value: shown(&time) })
        });
        Ok(CloudEvent {
            id: required(self.id, "id")?,
            source: required(self.source, "source")?,
            event_type: required(self.event_type, "type")?,
            subject: self.subject.map(|subject| bounded(subject, "subject")).transpose()?,
            time: time.transpose()?,
            data: Vec::new(),
        })
    }
}

fn required(value: Option<String>, attribute: &'static str) -> Result<String, IngestError> {
    let value = value.filter(|value| !value.trim().is_empty());
    bounded(value.ok_or(IngestError::Missing { attribute })?, attribute)
}

fn bounded(value: String, attribute: &'static str) -> Result<String, IngestError> {
    let bytes = value.len();
    if bytes > ATTRIBUTE_BYTES_MAX {
        return Err(IngestError::TooLong { attribute, bytes });
    }
    Ok(value)
}

#[cfg(test)]
#[path = "cloudevent_test.rs"]
mod tests;
