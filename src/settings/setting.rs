//! One value of the tree on a walk, and the readers that convert it to the meaning of its key. A
//! reader that fails reports why and returns `None`; the walk goes on.

use super::diagnostics::Diagnostics;
use super::duration;
use super::error::Problem;
use super::fields::Fields;
use super::snippet::Snippet;
use super::yaml::{Node, ScalarForm, TextPosition, Value};
use crate::spelling::closest;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Characters of a wrong value that an error shows.
const SHOWN_CHARS_MAX: usize = 40;

/// The words that YAML 1.1, and Go's decoder for a bool, read as true.
const TRUE_WORDS: [&str; 4] = ["true", "yes", "on", "y"];

/// The words that YAML 1.1, and Go's decoder for a bool, read as false.
const FALSE_WORDS: [&str; 4] = ["false", "no", "off", "n"];

/// A value, its path, and where to report its mistakes.
#[derive(Clone)]
pub(crate) struct Setting<'n> {
    pub(crate) node: &'n Node,
    pub(crate) path: String,
    pub(crate) diagnostics: &'n Diagnostics<'n>,
}

impl<'n> Setting<'n> {
    /// Reports a mistake at this value.
    pub(crate) fn fail(&self, problem: Problem) {
        self.diagnostics.fail(self.node.at, &self.path, problem);
    }

    /// Reports a mistake at a place inside the text of this value; both numbers count from 1.
    pub(crate) fn fail_inside(&self, line: usize, column: usize, problem: Problem) {
        let text = if let Value::Scalar(scalar) = &self.node.value { &scalar.text } else { "" };
        let inside = TextPosition { line: line.max(1), column: column.max(1) };
        let snippet = Snippet::of(text, inside.line, inside.column);
        self.diagnostics.fail_in_code(self.node.locate(inside), &self.path, problem, snippet);
    }

    /// Reports a mistake in a file that this value names.
    pub(crate) fn fail_in_file(&self, problem: Problem, snippet: Option<Snippet>) {
        self.diagnostics.fail_in_code(self.node.at, &self.path, problem, snippet);
    }

    /// Reports a probable mistake.
    pub(crate) fn warn(&self, message: &str) {
        self.diagnostics.warn(self.node.at, &self.path, message);
    }

    /// Reports a probable mistake at a place inside the text of this value; both numbers count
    /// from 1.
    pub(crate) fn warn_inside(&self, line: usize, column: usize, message: &str) {
        let inside = TextPosition { line: line.max(1), column: column.max(1) };
        self.diagnostics.warn(self.node.locate(inside), &self.path, message);
    }

    fn wrong_type<T>(&self, expected: &'static str) -> Option<T> {
        self.fail(Problem::WrongType { expected, found: self.kind().to_owned() });
        None
    }

    /// Like [`Self::wrong_type`], for a value that cannot be a secret: the message shows it.
    fn wrong_text<T>(&self, expected: &'static str, text: &str) -> Option<T> {
        if has_variable(text) {
            self.fail(Problem::Variable);
            return None;
        }
        self.fail(Problem::WrongType { expected, found: format!("{:?}", shown(text)) });
        None
    }

    fn kind(&self) -> &'static str {
        match &self.node.value {
            Value::Null => "nothing",
            Value::Scalar(_) => "a text",
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }

    /// Any scalar as text, including numbers and bools, as Go reads them into a string.
    pub(crate) fn text(&self) -> Option<&'n str> {
        match &self.node.value {
            Value::Scalar(scalar) => Some(&scalar.text),
            Value::Null | Value::Sequence(_) | Value::Mapping(_) => self.wrong_type("a text"),
        }
    }

    /// Any scalar as literal text. `${X}` in it is refused: it was meant for another program.
    pub(crate) fn written(&self) -> Option<&'n str> {
        let text = self.text()?;
        if has_variable(text) {
            self.fail(Problem::Variable);
            return None;
        }
        Some(text)
    }

    /// The text of a scalar without quotes; only such a scalar can be a number or a bool.
    fn plain(&self, expected: &'static str) -> Option<&'n str> {
        match &self.node.value {
            Value::Scalar(scalar) if scalar.form == ScalarForm::Plain => Some(&scalar.text),
            Value::Scalar(scalar) => self.wrong_text(expected, &scalar.text),
            Value::Null | Value::Sequence(_) | Value::Mapping(_) => self.wrong_type(expected),
        }
    }

    /// `true`, `false` and the other words of YAML 1.1.
    pub(crate) fn flag(&self) -> Option<bool> {
        const EXPECTED: &str = "true or false";
        let text = self.plain(EXPECTED)?;
        let lower = text.to_ascii_lowercase();
        if TRUE_WORDS.contains(&lower.as_str()) {
            return Some(true);
        }
        if FALSE_WORDS.contains(&lower.as_str()) {
            return Some(false);
        }
        self.wrong_text(EXPECTED, text)
    }

    /// A decimal integer within `range`; underscores may separate digits.
    pub(crate) fn integer(&self, range: RangeInclusive<i64>) -> Option<i64> {
        const EXPECTED: &str = "an integer";
        let text = self.plain(EXPECTED)?;
        let Ok(found) = text.replace('_', "").parse::<i64>() else {
            return self.wrong_text(EXPECTED, text);
        };
        if range.contains(&found) {
            return Some(found);
        }
        self.fail(Problem::OutOfRange { found, min: *range.start(), max: *range.end() });
        None
    }

    /// A Go duration within `range`.
    pub(crate) fn duration(&self, range: RangeInclusive<Duration>) -> Option<Duration> {
        let text = self.text()?;
        let found = match duration::parse(text) {
            Ok(found) => found,
            Err(_) if has_variable(text) => {
                self.fail(Problem::Variable);
                return None;
            }
            Err(source) => {
                self.fail(Problem::NoDuration { found: shown(text), source });
                return None;
            }
        };
        if range.contains(&found) {
            return Some(found);
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) && !found.is_zero() {
            // It counts nanoseconds, which is never meant.
            let source = duration::DurationError::NoUnit { number: shown(text) };
            self.fail(Problem::NoDuration { found: shown(text), source });
            return None;
        }
        self.fail(Problem::DurationOutOfRange { found, min: *range.start(), max: *range.end() });
        None
    }

    /// One word of a closed set.
    pub(crate) fn word<T: Copy>(&self, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.text()?;
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*meaning);
        }
        let accepted: Vec<&'static str> = words.iter().map(|(word, _)| *word).collect();
        if has_variable(text) {
            self.fail(Problem::Variable);
            return None;
        }
        let suggestion = closest(text, accepted.iter().copied()).map(str::to_owned);
        self.fail(Problem::NotOneOf { found: shown(text), suggestion, accepted });
        None
    }

    /// The items of a list.
    pub(crate) fn items(&self) -> Vec<Setting<'n>> {
        match &self.node.value {
            Value::Sequence(items) => items
                .iter()
                .enumerate()
                .map(|(index, node)| Setting {
                    node,
                    path: format!("{}[{index}]", self.path),
                    diagnostics: self.diagnostics,
                })
                .collect(),
            Value::Null | Value::Scalar(_) | Value::Mapping(_) => {
                self.wrong_type::<()>("a list");
                Vec::new()
            }
        }
    }

    /// The entries of a mapping whose keys are free.
    pub(crate) fn entries(&self) -> Vec<(&'n str, Setting<'n>)> {
        match &self.node.value {
            Value::Mapping(entries) => entries
                .iter()
                .map(|entry| {
                    let path = format!("{}.{}", self.path, entry.key);
                    (
                        entry.key.as_str(),
                        Setting { node: &entry.node, path, diagnostics: self.diagnostics },
                    )
                })
                .collect(),
            Value::Null | Value::Scalar(_) | Value::Sequence(_) => {
                self.wrong_type::<()>("a mapping");
                Vec::new()
            }
        }
    }

    /// The keys of a mapping.
    pub(crate) fn fields(&self) -> Option<Fields<'n>> {
        match &self.node.value {
            Value::Mapping(entries) => {
                Some(Fields::new(self.node.at, self.path.clone(), entries, self.diagnostics))
            }
            Value::Null | Value::Scalar(_) | Value::Sequence(_) => self.wrong_type("a mapping"),
        }
    }
}

/// Whether a value switches nothing on: what Go writes for an unset key, or `enabled: false`.
pub(crate) fn is_off(node: &Node) -> bool {
    match &node.value {
        Value::Null => true,
        Value::Scalar(scalar) => match scalar.form {
            ScalarForm::Plain => {
                let lower = scalar.text.to_ascii_lowercase();
                FALSE_WORDS.contains(&lower.as_str())
                    || duration::parse(&lower) == Ok(Duration::ZERO)
            }
            ScalarForm::Quoted | ScalarForm::Literal | ScalarForm::Folded => scalar.text.is_empty(),
        },
        Value::Sequence(items) => items.iter().all(is_off),
        Value::Mapping(entries) => match entries.iter().find(|entry| entry.key == "enabled") {
            Some(enabled) => is_off(&enabled.node),
            None => entries.iter().all(|entry| is_off(&entry.node)),
        },
    }
}

/// Whether a text contains `${X}`, or is `$X`, which another program would replace by a value.
fn has_variable(text: &str) -> bool {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let braced = text.split("${").skip(1).filter_map(|rest| rest.split_once('}'));
    let mut braced = braced.map(|(name, _)| name.split([':', '-']).next().unwrap_or_default());
    braced.any(is_name) || text.strip_prefix('$').is_some_and(is_name)
}

/// The start of a wrong value.
fn shown(text: &str) -> String {
    let cut = text.char_indices().nth(SHOWN_CHARS_MAX);
    cut.map_or_else(|| text.to_owned(), |(end, _)| format!("{}...", &text[..end]))
}
