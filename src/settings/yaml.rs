//! A YAML document as a tree. Every key and value knows its line and column, so that a mistake is
//! shown at its place. Scalars stay text: the key decides what a text means, as in Go's decoder.
//! Anchors and merge keys are resolved here. Nothing is interpreted.

use serde_saphyr::granit_parser::{Event, Options, Parser, ScalarStyle, Span};
use std::collections::BTreeMap;

/// A file of a thousand actions stays under 100 kB. Anything larger is not a configuration.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// Nodes after aliases are expanded: a few nested aliases could fill the memory without this bound.
const NODES_MAX: usize = 100_000;

/// Levels of nesting. The deepest key of the relay has eight.
const DEPTH_MAX: usize = 32;

/// The key that copies the entries of another mapping.
const MERGE_KEY: &str = "<<";

/// A place in the file, both numbers from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TextPosition {
    pub line: usize,
    pub column: usize,
}

impl TextPosition {
    /// Where a document starts.
    pub const START: Self = Self { line: 1, column: 1 };

    fn shifted(self, lines: usize, columns: usize) -> Self {
        Self { line: self.line + lines, column: self.column + columns }
    }
}

/// A value and where it is. A value reached through an alias has the place of the alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub at: TextPosition,
    pub value: Value,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing, `~` or `null`.
    Null,
    Scalar(Scalar),
    Sequence(Vec<Node>),
    /// In the order of the file, repeated keys included.
    Mapping(Vec<MappingEntry>),
}

/// A text and its form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    pub text: String,
    pub form: ScalarForm,
}

/// How a scalar is written. The form decides whether it can be a number or a bool, and where its
/// text starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScalarForm {
    /// Without quotes: the only form for a bool or a number.
    Plain,
    /// In quotes.
    Quoted,
    /// `|`: each line of the text is a line of the file, all with the same indent.
    Literal,
    /// `>`: lines are joined, so a line of the text is not a line of the file.
    Folded,
}

impl Node {
    /// The place in the file of the character at `inside` of a scalar's text (both numbers from 1).
    /// Exact for a single line in any form but folded, and for literal blocks; otherwise the start
    /// of the value.
    #[must_use]
    pub fn locate(&self, inside: TextPosition) -> TextPosition {
        let Value::Scalar(Scalar { text, form }) = &self.value else {
            return self.at;
        };
        let shift = inside.column.saturating_sub(1);
        match form {
            ScalarForm::Plain if inside.line == 1 => self.at.shifted(0, shift),
            // One more for the opening quote.
            ScalarForm::Quoted if inside.line == 1 => self.at.shifted(0, shift + 1),
            ScalarForm::Literal => {
                // The parser gives the place of the first line with content, not of the first line.
                let blank_lines = text.chars().take_while(|c| *c == '\n').count();
                let lines = (inside.line - 1).saturating_sub(blank_lines);
                self.at.shifted(lines, shift)
            }
            ScalarForm::Plain | ScalarForm::Quoted | ScalarForm::Folded => self.at,
        }
    }
}

/// A key of a mapping with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingEntry {
    pub key: String,
    /// Where the key is.
    pub at: TextPosition,
    pub node: Node,
}

/// Why a text is not a YAML document that the walk can read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxError {
    /// The YAML parser refused the text.
    #[error("{detail}")]
    Yaml { detail: String },
    /// A second document after `---`.
    #[error("a second document starts here; the configuration is one document")]
    SecondDocument,
    /// A list or mapping used as a key.
    #[error("a key must be a text")]
    KeyNotText,
    /// `<<` with something other than mappings.
    #[error("`<<` takes a mapping or a list of mappings")]
    MergeNotMapping,
    /// An alias inside or before its own value.
    #[error("the alias stands for a value that is not complete")]
    OpenAlias,
    /// `!x`, which would replace a value or change its type.
    #[error("`{tag}` is a YAML tag, which takes the place of the value; write the value in quotes")]
    Tag { tag: String },
    /// Beyond a bound of this reader.
    #[error("over {max} {what}")]
    TooMuch { what: &'static str, max: usize },
}

/// A syntax error and its place.
pub type LocatedSyntaxError = (TextPosition, SyntaxError);

/// Reads one document. An empty text is [`Value::Null`].
///
/// # Errors
/// The first place where the text is not YAML, or is beyond a bound. The parser cannot continue
/// after it, so there is only one.
pub fn parse(text: &str) -> Result<Node, LocatedSyntaxError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err((
            TextPosition::START,
            SyntaxError::TooMuch { what: "bytes", max: TEXT_BYTES_MAX },
        ));
    }
    let mut builder = Builder::default();
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.flow_nesting_limit = DEPTH_MAX;
    options.block_nesting_limit = DEPTH_MAX;
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| {
            let at = position(error.marker().line(), error.marker().col());
            (at, SyntaxError::Yaml { detail: error.info() })
        })?;
        builder.take(event, span)?;
    }
    Ok(builder.root.unwrap_or(Node { at: TextPosition::START, value: Value::Null }))
}

/// The parser counts lines from 1 and columns from 0.
fn position(line: usize, column: usize) -> TextPosition {
    TextPosition { line: line.max(1), column: column + 1 }
}

/// A collection whose end has not been read.
enum Open {
    Sequence {
        at: TextPosition,
        anchor: usize,
        items: Vec<Node>,
    },
    Mapping {
        at: TextPosition,
        anchor: usize,
        entries: Vec<MappingEntry>,
        key: Option<(String, TextPosition)>,
    },
}

/// Folds parser events into a tree.
#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: BTreeMap<usize, Value>,
    nodes: usize,
    root: Option<Node>,
}

impl Builder {
    /// Takes one event of the parser. Its enum is not ours and may grow.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the event enum is non-exhaustive")]
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), LocatedSyntaxError> {
        let at = position(span.start.line(), span.start.col());
        if let Event::Scalar(.., Some(tag))
        | Event::SequenceStart(.., Some(tag))
        | Event::MappingStart(.., Some(tag)) = &event
        {
            let tag = format!("{}{}", tag.original_handle(), tag.suffix());
            return Err((at, SyntaxError::Tag { tag }));
        }
        match event {
            Event::DocumentStart(..) if self.root.is_some() => {
                Err((at, SyntaxError::SecondDocument))
            }
            Event::Scalar(text, style, anchor, _tag) => {
                self.complete(Node { at, value: scalar(text.into_owned(), style) }, anchor)
            }
            Event::Alias(anchor) => {
                let value =
                    self.anchors.get(&anchor).cloned().ok_or((at, SyntaxError::OpenAlias))?;
                self.nodes += count(&value);
                self.complete(Node { at, value }, 0)
            }
            Event::SequenceStart(_, anchor, _tag) => {
                self.open.push(Open::Sequence { at, anchor, items: Vec::new() });
                Ok(())
            }
            Event::MappingStart(_, anchor, _tag) => {
                self.open.push(Open::Mapping { at, anchor, entries: Vec::new(), key: None });
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            _ => Ok(()),
        }
    }

    fn close(&mut self) -> Result<(), LocatedSyntaxError> {
        match self.open.pop() {
            Some(Open::Sequence { at, anchor, items }) => {
                self.complete(Node { at, value: Value::Sequence(items) }, anchor)
            }
            Some(Open::Mapping { at, anchor, entries, key: _ }) => {
                let value = Value::Mapping(merge(entries)?);
                self.complete(Node { at, value }, anchor)
            }
            None => Ok(()),
        }
    }

    /// Adds a finished node to its collection.
    fn complete(&mut self, node: Node, anchor: usize) -> Result<(), LocatedSyntaxError> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err((node.at, SyntaxError::TooMuch { what: "values", max: NODES_MAX }));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.value.clone());
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::Sequence { items, .. }) => items.push(node),
            Some(Open::Mapping { entries, key, .. }) => match key.take() {
                Some((key, at)) => entries.push(MappingEntry { key, at, node }),
                None => *key = Some((key_text(&node)?, node.at)),
            },
        }
        Ok(())
    }
}

fn scalar(text: String, style: ScalarStyle) -> Value {
    let form = match style {
        ScalarStyle::Plain => ScalarForm::Plain,
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => ScalarForm::Quoted,
        ScalarStyle::Literal => ScalarForm::Literal,
        ScalarStyle::Folded => ScalarForm::Folded,
    };
    if form == ScalarForm::Plain && matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL") {
        return Value::Null;
    }
    Value::Scalar(Scalar { text, form })
}

fn key_text(node: &Node) -> Result<String, LocatedSyntaxError> {
    match &node.value {
        Value::Scalar(scalar) => Ok(scalar.text.clone()),
        Value::Null => Ok(String::new()),
        Value::Sequence(_) | Value::Mapping(_) => Err((node.at, SyntaxError::KeyNotText)),
    }
}

fn count(value: &Value) -> usize {
    match value {
        Value::Null | Value::Scalar(_) => 0,
        Value::Sequence(items) => items.iter().map(|item| 1 + count(&item.value)).sum(),
        Value::Mapping(entries) => entries.iter().map(|entry| 1 + count(&entry.node.value)).sum(),
    }
}

/// Replaces `<<` entries by the entries they copy. The mapping's own entries win, then those of the
/// earlier source. A copied entry has the place of the `<<`.
fn merge(entries: Vec<MappingEntry>) -> Result<Vec<MappingEntry>, LocatedSyntaxError> {
    let (merges, mut own): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|entry| entry.key == MERGE_KEY);
    for entry in merges {
        for source in merge_sources(entry.node)? {
            for copied in source {
                if own.iter().all(|present| present.key != copied.key) {
                    own.push(MappingEntry { at: entry.at, ..copied });
                }
            }
        }
    }
    Ok(own)
}

fn merge_sources(node: Node) -> Result<Vec<Vec<MappingEntry>>, LocatedSyntaxError> {
    match node.value {
        Value::Mapping(entries) => Ok(vec![entries]),
        Value::Sequence(items) => {
            let sources: Result<Vec<_>, _> = items.into_iter().map(merge_sources).collect();
            Ok(sources?.into_iter().flatten().collect())
        }
        Value::Null | Value::Scalar(_) => Err((node.at, SyntaxError::MergeNotMapping)),
    }
}

#[cfg(test)]
#[path = "yaml_test.rs"]
mod tests;
