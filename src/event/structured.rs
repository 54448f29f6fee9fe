//! CloudEvents in the JSON format: structured mode and batch mode. The text of `data` stays as
//! sent.

use super::cloudevent::{Attributes, BATCH_EVENTS_MAX, CloudEvent, json_bytes};
use super::ingest_error::IngestError;
use base64::Engine as _;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Reads one event.
pub(super) fn parse(body: &[u8]) -> Result<CloudEvent, IngestError> {
    let envelope: Envelope =
        serde_json::from_slice(body).map_err(|error| IngestError::json("body", &error))?;
    envelope.into_event()
}

/// Reads a batch, whole or not at all.
pub(super) fn parse_batch(body: &[u8]) -> Result<Vec<CloudEvent>, IngestError> {
    let items: Vec<&RawValue> =
        serde_json::from_slice(body).map_err(|error| IngestError::json("body", &error))?;
    if items.len() > BATCH_EVENTS_MAX {
        return Err(IngestError::BatchSize { count: items.len() });
    }
    let in_batch = |(index, item): (usize, &&RawValue)| {
        parse(item.get().as_bytes())
            .map_err(|cause| IngestError::InBatch { index, cause: Box::new(cause) })
    };
    items.iter().enumerate().map(in_batch).collect()
}

/// An event before its attributes are checked to be text. Extensions are skipped.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    specversion: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    source: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    event_type: Option<&'a RawValue>,
    #[serde(borrow)]
    subject: Option<&'a RawValue>,
    #[serde(borrow)]
    time: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    data_base64: Option<&'a RawValue>,
    /// Version 0.3 marks base64 here and not in the name of the data.
    #[serde(borrow)]
    datacontentencoding: Option<&'a RawValue>,
}

impl Envelope<'_> {
    fn into_event(self) -> Result<CloudEvent, IngestError> {
        let attributes = Attributes {
            specversion: text(self.specversion, "specversion")?,
            id: text(self.id, "id")?,
            source: text(self.source, "source")?,
            event_type: text(self.event_type, "type")?,
            subject: text(self.subject, "subject")?,
            time: text(self.time, "time")?,
        };
        let encoding = text(self.datacontentencoding, "datacontentencoding")?;
        let is_base64 = encoding.is_some_and(|name| name.eq_ignore_ascii_case("base64"));
        let mut event = attributes.into_event()?;
        event.data = match (self.data, self.data_base64) {
            (Some(_), Some(_)) => return Err(IngestError::TwoData),
            (Some(data), None) if is_base64 => from_base64(data, "data")?,
            (Some(data), None) => data.get().as_bytes().to_vec(),
            (None, Some(data)) => from_base64(data, "data_base64")?,
            (None, None) => Vec::new(),
        };
        Ok(event)
    }
}

fn text(value: Option<&RawValue>, attribute: &'static str) -> Result<Option<String>, IngestError> {
    let read = value.map(|value| serde_json::from_str(value.get())).transpose();
    read.map_err(|_| IngestError::NotText { attribute })
}

/// JSON text that was sent as base64.
fn from_base64(data: &RawValue, part: &'static str) -> Result<Vec<u8>, IngestError> {
    let encoded = text(Some(data), part)?.unwrap_or_default();
    let engine = base64::engine::general_purpose::STANDARD;
    let data = engine.decode(encoded).map_err(|source| IngestError::Base64 { part, source })?;
    json_bytes(&data, part)
}

#[cfg(test)]
#[path = "structured_test.rs"]
mod tests;
