//! What the documents and the JSON Schema say about a key. A row is next to the code that reads its
//! key; `config/docs_test.rs` compares the rows with the keys that are read.

/// One key of the file.
#[derive(Clone, Copy, Debug)]
pub struct KeyRow {
    /// Relative to the section, instance or action of the row: `auth.secret_file`. A list of
    /// mappings ends in `[]`.
    pub path: &'static str,
    pub value: ValueType,
    /// What applies without the key, in Markdown: a value in backticks, `required`, or words.
    pub default: &'static str,
    /// In Markdown, without a full stop at the end.
    pub meaning: &'static str,
}

/// What the value of a key may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// Any scalar, read as text.
    Text,
    Flag,
    /// An integer from the first to the second.
    Integer(i64, i64),
    /// A Go duration.
    Duration,
    /// One word of a closed set.
    Words(&'static [&'static str]),
    /// A list of texts.
    Texts,
    /// A mapping from free names to texts.
    TextMap,
    /// A list of mappings, or a single one. The mappings have rows of their own.
    OneOrMore,
}

impl KeyRow {
    /// A key whose value is a text.
    #[must_use]
    pub const fn text(path: &'static str, default: &'static str, meaning: &'static str) -> Self {
        Self { path, value: ValueType::Text, default, meaning }
    }

    /// A key whose value is `true` or `false`.
    #[must_use]
    pub const fn flag(path: &'static str, default: &'static str, meaning: &'static str) -> Self {
        Self { path, value: ValueType::Flag, default, meaning }
    }

    /// A key whose value is a list of texts.
    #[must_use]
    pub const fn texts(path: &'static str, default: &'static str, meaning: &'static str) -> Self {
        Self { path, value: ValueType::Texts, default, meaning }
    }

    /// A key whose value is a Go duration.
    #[must_use]
    pub const fn duration(
        path: &'static str,
        default: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self { path, value: ValueType::Duration, default, meaning }
    }

    /// A key whose value is an integer from `min` to `max`.
    #[must_use]
    pub const fn integer(
        path: &'static str,
        (min, max): (i64, i64),
        default: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self { path, value: ValueType::Integer(min, max), default, meaning }
    }

    /// A key whose value is one of `words`.
    #[must_use]
    pub const fn words(
        path: &'static str,
        words: &'static [&'static str],
        default: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self { path, value: ValueType::Words(words), default, meaning }
    }

    /// The first part of the path: the key in the mapping of the row.
    #[must_use]
    pub fn top(&self) -> &'static str {
        let top = self.path.split('.').next().unwrap_or_default();
        top.trim_end_matches("[]")
    }
}
