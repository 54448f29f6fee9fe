//! What can be wrong with a configuration, where, and how it is reported: each mistake on a line of
//! its own as `FILE:LINE:COLUMN: path.to.key: message`. It never holds the content of a secret.

use super::duration::{self, DurationError};
use super::snippet::Snippet;
use super::yaml::{SyntaxError, TextPosition};
use crate::route::PatternError;
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// The whole document, for a mistake without a key.
pub(crate) const ROOT_PATH: &str = "";

/// Why a file that the configuration names is not usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// The file does not exist.
    #[error("no such file")]
    NotFound,
    /// The file is empty.
    #[error("the file is empty")]
    Empty,
    /// The file is not UTF-8.
    #[error("the file is not UTF-8 text")]
    NotText,
    /// The system refused to read it.
    #[error("the file cannot be read: {kind}")]
    Unreadable { kind: std::io::ErrorKind },
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// A key that does not exist at this place.
    #[error("unknown key{} {}", known_keys(.suggestion.as_deref()), .accepted.join(", "))]
    UnknownKey { suggestion: Option<String>, accepted: Vec<&'static str> },
    /// The same key twice in one mapping.
    #[error("the key is already set at line {first_line}")]
    RepeatedKey { first_line: usize },
    /// A required key is absent or empty.
    #[error("is required{}", explained(.hint))]
    Missing { hint: Cow<'static, str> },
    /// A key without a value, where an absent value makes no sense.
    #[error("has no value{}; write one, or remove the key", begun_comment(.comment.as_deref()))]
    NoValue { comment: Option<String> },
    /// `${X}`, which other programs would replace by a value.
    #[error(
        "variables such as ${{X}} are not expanded; write the value itself, or put a secret into a file that a key ending in `_file` names"
    )]
    Variable,
    /// A value of another type: for example a list in place of a text.
    #[error("expected {expected}, found {found}")]
    WrongType { expected: &'static str, found: String },
    /// A number beyond its range.
    #[error("{found} is out of range; accepted: {min} to {max}")]
    OutOfRange { found: i64, min: i64, max: i64 },
    /// More calls to one instance than there may be in all.
    #[error("{found} is more than max_concurrency; accepted: 1 to {max}")]
    OverConcurrency { found: i64, max: usize },
    /// A text that is not a Go duration.
    #[error("{found:?} is no duration: {source}; write {}", duration::meant(.found).unwrap_or_else(|| "for example 250ms, 10s or 1h30m".to_owned()))]
    NoDuration { found: String, source: DurationError },
    /// A duration beyond its range.
    #[error("{} is out of range; accepted: {} to {}", duration::format(*.found), duration::format(*.min), duration::format(*.max))]
    DurationOutOfRange { found: Duration, min: Duration, max: Duration },
    /// A word outside a closed set.
    #[error("{found:?} is not one of {}{}", .accepted.join(", "), did_you_mean(.suggestion.as_deref()))]
    NotOneOf { found: String, suggestion: Option<String>, accepted: Vec<&'static str> },
    /// A text that breaks the rule of its key. The text is not shown: it may be a secret in the
    /// wrong place, or a URL with a password.
    #[error("expected {expected}")]
    Malformed { expected: &'static str },
    /// Keys that exclude each other or need each other.
    #[error("{rule}")]
    Conflict { rule: &'static str },
    /// Two instances or actions with one name in one list.
    #[error("the name {name:?} is already used at line {first_line}")]
    DuplicateName { name: String, first_line: usize },
    /// A feature of the Go relay that this relay does not have yet.
    #[error("{what} is not supported yet; remove it")]
    NotSupported { what: String },
    /// A feature that this relay has in another form.
    #[error("{what} is not supported; {instead}")]
    Replaced { what: String, instead: &'static str },
    /// A secret that cannot be read.
    #[error("secret file {path}: {source}")]
    Secret { path: String, source: FileError },
    /// A secret file that holds something else than what its key is for.
    #[error("secret file {path}: {reason}")]
    SecretContent { path: String, reason: String },
    /// A template file that cannot be read.
    #[error("template file {path}: {source}")]
    TemplateFile { path: String, source: FileError },
    /// A name that does not match exactly one action that can show summaries.
    #[error("{}; accepted: {}", no_summary_route(*.is_ambiguous), .accepted.join(", "))]
    NoSummaryRoute { is_ambiguous: bool, accepted: Vec<String> },
    /// A text that is not a glob.
    #[error(transparent)]
    NamePattern { source: PatternError },
    /// A condition that does not compile.
    #[error("no valid CEL condition: {message}")]
    Cel { message: String },
    /// A template that does not compile; `place` is the position in a template file.
    #[error("no valid template: {place}{message}")]
    Template { place: String, message: String },
    /// A jq program that does not compile.
    #[error("no valid jq program: {message}")]
    Jq { message: String },
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |word| format!(", did you mean {word:?}?"))
}

fn known_keys(suggestion: Option<&str>) -> String {
    match suggestion {
        Some(word) => format!(", did you mean {word:?}? Accepted:"),
        None => "; accepted:".to_owned(),
    }
}

fn begun_comment(comment: Option<&str>) -> String {
    let told = |word| format!(": `{word}` begins a comment in YAML, so put it in quotes");
    comment.map_or_else(String::new, told)
}

fn no_summary_route(is_ambiguous: bool) -> &'static str {
    match is_ambiguous {
        true => "several actions of this name can show summaries",
        false => "no switched-on instance or action of this name can show summaries",
    }
}

fn explained(hint: &str) -> String {
    if hint.is_empty() { String::new() } else { format!(": {hint}") }
}

/// A mistake and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    pub at: TextPosition,
    /// `notifiers.slack[0].template`; empty for the document as a whole.
    pub path: String,
    pub problem: Problem,
    /// The line of code with the mistake, if the value is code: a rule, template or program.
    pub snippet: Option<Snippet>,
}

/// How important a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// A key that is accepted and has no effect here.
    Note,
    /// A probable mistake: `validate --strict` refuses it.
    Warning,
}

/// Something to report about a file that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub at: TextPosition,
    pub path: String,
    pub severity: Severity,
    /// What happened to the key, as half a sentence.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_place(f, self.at, &self.path)?;
        write!(f, "{}", self.problem)
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_place(f, self.at, &self.path)?;
        match self.severity {
            Severity::Note => f.write_str(&self.message),
            Severity::Warning => write!(f, "warning: {}", self.message),
        }
    }
}

fn write_place(f: &mut fmt::Formatter<'_>, at: TextPosition, path: &str) -> fmt::Result {
    write!(f, "{}:{}: ", at.line, at.column)?;
    if path == ROOT_PATH { Ok(()) } else { write!(f, "{path}: ") }
}

/// Every mistake in a file, in the order of the file. No part of the file takes effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    /// The name of the file as the caller gave it.
    pub file: String,
    pub errors: Vec<ConfigError>,
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            write!(f, "{line_break}{}:{error}", self.file)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

impl ConfigErrors {
    /// Every mistake on a line of its own; a mistake in code has the code below it.
    #[must_use]
    pub fn with_snippets(&self) -> String {
        let told = self.errors.iter().map(|error| {
            let snippet = error.snippet.as_ref().map_or_else(String::new, |of| format!("\n{of}"));
            format!("{}:{error}{snippet}", self.file)
        });
        told.collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_one_a_line_with_file_place_and_path() {
        let errors = ConfigErrors {
            file: "relay.yaml".to_owned(),
            errors: vec![
                ConfigError {
                    at: TextPosition { line: 2, column: 3 },
                    path: "retry.max_age".to_owned(),
                    problem: Problem::NoDuration {
                        found: String::new(),
                        source: DurationError::Empty,
                    },
                    snippet: None,
                },
                ConfigError {
                    at: TextPosition { line: 7, column: 1 },
                    path: ROOT_PATH.to_owned(),
                    problem: Problem::Syntax(SyntaxError::SecondDocument),
                    snippet: None,
                },
            ],
        };
        assert_eq!(
            errors.to_string(),
            "relay.yaml:2:3: retry.max_age: \"\" is no duration: is empty; write for example \
             250ms, 10s or 1h30m\nrelay.yaml:7:1: a second document starts here; the \
             configuration is one document"
        );
    }
}
