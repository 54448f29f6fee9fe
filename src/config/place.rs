//! One value of the tree on a walk, and the readers that turn it into what its key means. A reader
//! that cannot says so to the report and returns `None`; the walk goes on.

use super::duration;
use super::error::{Problem, closest};
use super::fields::Fields;
use super::report::Report;
use super::yaml::{Form, Node, Position, Value};
use std::ops::RangeInclusive;
use std::time::Duration;

/// Characters of a wrong value that an error shows.
const SHOWN_CHARS_MAX: usize = 40;

/// The words that YAML 1.1, and Go's decoder for a bool, read as true.
const TRUE_WORDS: [&str; 4] = ["true", "yes", "on", "y"];

/// The words that YAML 1.1, and Go's decoder for a bool, read as false.
const FALSE_WORDS: [&str; 4] = ["false", "no", "off", "n"];

/// A value, the path to it and where its mistakes go.
#[derive(Clone)]
pub(super) struct Place<'n> {
    pub(super) node: &'n Node,
    pub(super) path: String,
    pub(super) report: &'n Report<'n>,
}

impl<'n> Place<'n> {
    /// Reports a mistake at this value.
    pub(super) fn fail(&self, problem: Problem) {
        self.report.fail(self.node.at, &self.path, problem);
    }

    /// Reports a mistake at a place inside the text of this value; both numbers count from 1.
    pub(super) fn fail_inside(&self, line: usize, column: usize, problem: Problem) {
        let inside = Position { line: line.max(1), column: column.max(1) };
        self.report.fail(self.node.locate(inside), &self.path, problem);
    }

    fn wrong_type<T>(&self, expected: &'static str) -> Option<T> {
        self.fail(Problem::WrongType { expected, found: self.kind().to_owned() });
        None
    }

    /// Like [`Self::wrong_type`] where the value cannot be a secret and helps to be seen.
    fn wrong_text<T>(&self, expected: &'static str, text: &str) -> Option<T> {
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

    /// Any scalar as text: numbers and bools too, as Go reads them into a string.
    pub(super) fn text(&self) -> Option<&'n str> {
        match &self.node.value {
            Value::Scalar(scalar) => Some(&scalar.text),
            Value::Null | Value::Sequence(_) | Value::Mapping(_) => self.wrong_type("a text"),
        }
    }

    /// The text of a scalar without quotes, which alone can be a number or a bool.
    fn plain(&self, expected: &'static str) -> Option<&'n str> {
        match &self.node.value {
            Value::Scalar(scalar) if scalar.form == Form::Plain => Some(&scalar.text),
            Value::Scalar(scalar) => self.wrong_text(expected, &scalar.text),
            Value::Null | Value::Sequence(_) | Value::Mapping(_) => self.wrong_type(expected),
        }
    }

    /// `true`, `false` and the other words of YAML 1.1.
    pub(super) fn flag(&self) -> Option<bool> {
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
    pub(super) fn integer(&self, range: RangeInclusive<i64>) -> Option<i64> {
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
    pub(super) fn duration(&self, range: RangeInclusive<Duration>) -> Option<Duration> {
        let text = self.text()?;
        let found = match duration::parse(text) {
            Ok(found) => found,
            Err(source) => {
                self.fail(Problem::NoDuration { found: shown(text), source });
                return None;
            }
        };
        if range.contains(&found) {
            return Some(found);
        }
        self.fail(Problem::DurationOutOfRange { found, min: *range.start(), max: *range.end() });
        None
    }

    /// One word of a closed set.
    pub(super) fn word<T: Copy>(&self, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.text()?;
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*meaning);
        }
        let accepted: Vec<&'static str> = words.iter().map(|(word, _)| *word).collect();
        let suggestion = closest(text, &accepted);
        self.fail(Problem::NotOneOf { found: shown(text), suggestion, accepted });
        None
    }

    /// The items of a list.
    pub(super) fn items(&self) -> Vec<Place<'n>> {
        match &self.node.value {
            Value::Sequence(items) => items
                .iter()
                .enumerate()
                .map(|(index, node)| Place {
                    node,
                    path: format!("{}[{index}]", self.path),
                    report: self.report,
                })
                .collect(),
            Value::Null | Value::Scalar(_) | Value::Mapping(_) => {
                self.wrong_type::<()>("a list");
                Vec::new()
            }
        }
    }

    /// The entries of a mapping whose keys are free.
    pub(super) fn entries(&self) -> Vec<(&'n str, Place<'n>)> {
        match &self.node.value {
            Value::Mapping(entries) => entries
                .iter()
                .map(|entry| {
                    let path = format!("{}.{}", self.path, entry.key);
                    (entry.key.as_str(), Place { node: &entry.node, path, report: self.report })
                })
                .collect(),
            Value::Null | Value::Scalar(_) | Value::Sequence(_) => {
                self.wrong_type::<()>("a mapping");
                Vec::new()
            }
        }
    }

    /// The keys of a mapping.
    pub(super) fn fields(&self) -> Option<Fields<'n>> {
        match &self.node.value {
            Value::Mapping(entries) => {
                Some(Fields::new(self.node.at, self.path.clone(), entries, self.report))
            }
            Value::Null | Value::Scalar(_) | Value::Sequence(_) => self.wrong_type("a mapping"),
        }
    }
}

/// Whether a value switches nothing on: what Go writes for an unset key, or `enabled: false`.
pub(super) fn is_off(node: &Node) -> bool {
    match &node.value {
        Value::Null => true,
        Value::Scalar(scalar) => match scalar.form {
            Form::Plain => {
                let lower = scalar.text.to_ascii_lowercase();
                FALSE_WORDS.contains(&lower.as_str())
                    || duration::parse(&lower) == Ok(Duration::ZERO)
            }
            Form::Quoted | Form::Literal | Form::Folded => scalar.text.is_empty(),
        },
        Value::Sequence(items) => items.iter().all(is_off),
        Value::Mapping(entries) => match entries.iter().find(|entry| entry.key == "enabled") {
            Some(enabled) => is_off(&enabled.node),
            None => entries.iter().all(|entry| is_off(&entry.node)),
        },
    }
}

/// The start of a wrong value.
fn shown(text: &str) -> String {
    let cut = text.char_indices().nth(SHOWN_CHARS_MAX);
    cut.map_or_else(|| text.to_owned(), |(end, _)| format!("{}...", &text[..end]))
}
