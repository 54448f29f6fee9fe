//! Why a request was refused before its events were read.

use super::cloudevent::{ATTRIBUTE_BYTES_MAX, BATCH, BATCH_EVENTS_MAX, STRUCTURED};

/// Characters of a refused value that an error text repeats.
const SHOWN_CHARS_MAX: usize = 80;

/// Why a request holds no CloudEvents. In every case nothing was stored, and the same request would
/// fail again.
///
/// No variant carries the JSON reader's own error: its text quotes values of the body.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum IngestError {
    /// Neither a structured content type nor `ce-` headers.
    #[error("not a CloudEvent: no ce-specversion header, and content-type is {content_type:?}")]
    NotACloudEvent { content_type: String },
    /// A content type or charset that the relay does not accept.
    #[error(
        "content-type {content_type:?}, accepted: application/json, {STRUCTURED}, {BATCH}, \
         in UTF-8"
    )]
    MediaType { content_type: String },
    /// A required attribute is absent or empty.
    #[error("{attribute} is missing or empty")]
    Missing { attribute: &'static str },
    /// A header appears twice, so that its value is ambiguous.
    #[error("header {header} appears more than once")]
    Repeated { header: String },
    /// An attribute is not a string, or its percent-encoding is not UTF-8.
    #[error("{attribute} is not text")]
    NotText { attribute: &'static str },
    /// An attribute is longer than its bound.
    #[error("{attribute} has {bytes} bytes, at most {ATTRIBUTE_BYTES_MAX} are accepted")]
    TooLong { attribute: &'static str, bytes: usize },
    /// A spec version that the relay does not accept.
    #[error("specversion {value:?}, accepted: 1.0, 0.3")]
    SpecVersion { value: String },
    /// `time` is not RFC 3339.
    #[error("time {value:?} is not an RFC 3339 time")]
    Time { value: String },
    /// The body, or the data in it, is not JSON, or has another shape than the mode requires.
    #[error("{part} is not valid JSON at line {line} column {column}")]
    Json { part: &'static str, line: usize, column: usize },
    /// `data_base64` is not base64.
    #[error("{part} is not valid base64")]
    Base64 {
        part: &'static str,
        #[source]
        source: base64::DecodeError,
    },
    /// Both `data` and `data_base64`.
    #[error("data and data_base64 are both given, accepted: one of them")]
    TwoData,
    /// More events than one batch may hold.
    #[error("batch of {count} events, at most {BATCH_EVENTS_MAX} are accepted")]
    BatchSize { count: usize },
    /// Event `index` of a batch, from 0, is refused, and the batch with it.
    #[error("event {index} of the batch: {cause}")]
    InBatch { index: usize, cause: Box<IngestError> },
}

impl IngestError {
    /// Whether the request could succeed with another content type (415 rather than 400).
    #[must_use]
    pub fn is_media_type(&self) -> bool {
        match self {
            Self::MediaType { .. } => true,
            Self::InBatch { cause, .. } => cause.is_media_type(),
            Self::NotACloudEvent { .. }
            | Self::Missing { .. }
            | Self::Repeated { .. }
            | Self::NotText { .. }
            | Self::TooLong { .. }
            | Self::SpecVersion { .. }
            | Self::Time { .. }
            | Self::Json { .. }
            | Self::Base64 { .. }
            | Self::TwoData
            | Self::BatchSize { .. } => false,
        }
    }

    pub(super) fn json(part: &'static str, error: &serde_json::Error) -> Self {
        Self::Json { part, line: error.line(), column: error.column() }
    }
}

/// The beginning of a refused value.
pub(super) fn shown(value: &str) -> String {
    value.chars().take(SHOWN_CHARS_MAX).collect()
}
