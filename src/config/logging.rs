//! `logging`: what the relay logs.

use crate::settings::fields::Fields;

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// A person must act.
    Error,
    /// Unusual, but handled.
    Warn,
    /// Changes an operator wants to see.
    Info,
    /// Every event.
    Debug,
    /// Every step of every event.
    Trace,
}

impl LogLevel {
    /// The word that the file and log filters use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line, for collectors.
    Json,
    /// For people.
    Text,
}

/// What is logged, and in which form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logging {
    /// `level`. Default `info`.
    pub level: LogLevel,
    /// `format`. Default `json`.
    pub format: LogFormat,
}

impl Default for Logging {
    fn default() -> Self {
        Self { level: LogLevel::Info, format: LogFormat::Json }
    }
}

const LEVELS: [(&str, LogLevel); 5] = [
    ("error", LogLevel::Error),
    ("warn", LogLevel::Warn),
    ("info", LogLevel::Info),
    ("debug", LogLevel::Debug),
    ("trace", LogLevel::Trace),
];

const FORMATS: [(&str, LogFormat); 2] = [("json", LogFormat::Json), ("text", LogFormat::Text)];

/// Reads `logging`.
pub(super) fn read(mut fields: Fields<'_>) -> Logging {
    let default = Logging::default();
    let logging = Logging {
        level: fields.word("level", &LEVELS).unwrap_or(default.level),
        format: fields.word("format", &FORMATS).unwrap_or(default.format),
    };
    fields.notice(&["verbose"], "has no effect: `level: debug` shows what is safe to show");
    fields.finish();
    logging
}
