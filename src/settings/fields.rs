//! The keys of one mapping on a walk. Reading a key makes it known. The rest is unknown at the end,
//! so the readers need no separate list of keys.

use super::diagnostics::Diagnostics;
use super::error::Problem;
use super::setting::{Setting, is_off};
use super::yaml::{MappingEntry, TextPosition, Value};
use crate::event::Keep;
use crate::spelling::closest;
use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::time::Duration;

/// A mapping of the tree and which of its keys were read. An absent mapping has no keys.
pub(crate) struct Fields<'n> {
    at: TextPosition,
    path: String,
    entries: &'n [MappingEntry],
    diagnostics: &'n Diagnostics<'n>,
    /// Keys that are valid here.
    accepted: Vec<&'static str>,
    /// Keys that got a notice or a refusal.
    settled: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// Opens a mapping. A repeated key is a mistake, and the first one wins.
    pub(crate) fn new(
        at: TextPosition,
        path: String,
        entries: &'n [MappingEntry],
        diagnostics: &'n Diagnostics<'n>,
    ) -> Self {
        let fields =
            Self { at, path, entries, diagnostics, accepted: Vec::new(), settled: Vec::new() };
        for (index, entry) in entries.iter().enumerate() {
            if let Some(first) = entries[..index].iter().find(|first| first.key == entry.key) {
                let problem = Problem::RepeatedKey { first_line: first.at.line };
                diagnostics.fail(entry.at, &fields.path_of(&entry.key), problem);
            }
        }
        fields
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn diagnostics(&self) -> &'n Diagnostics<'n> {
        self.diagnostics
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Reports a mistake about a key: at the key, or at the start of the mapping if the key is
    /// absent.
    pub(crate) fn fail(&self, key: &str, problem: Problem) {
        let at = self.entry(key).map_or(self.at, |entry| entry.at);
        self.diagnostics.fail(at, &self.path_of(key), problem);
    }

    fn entry(&self, key: &str) -> Option<&'n MappingEntry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The value of a key. A key without a value counts as absent, as in Go, with a warning. If a
    /// comment hides the value it is a mistake.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<Setting<'n>> {
        self.accepted.push(key);
        let entry = self.entry(key)?;
        if entry.node.value == Value::Null {
            match self.diagnostics.begun_comment(entry.at, key) {
                Some(word) => self.fail(key, Problem::NoValue { comment: Some(word) }),
                None => self.warn(key, "has no value, so it counts as absent"),
            }
            return None;
        }
        Some(Setting { node: &entry.node, path: self.path_of(key), diagnostics: self.diagnostics })
    }

    /// The value of a key that narrows what is done. Without a value it would narrow nothing, which
    /// is never meant, so it is a mistake.
    pub(crate) fn narrowing(&mut self, key: &'static str) -> Option<Setting<'n>> {
        self.accepted.push(key);
        let entry = self.entry(key)?;
        if entry.node.value == Value::Null {
            let comment = self.diagnostics.begun_comment(entry.at, key);
            self.fail(key, Problem::NoValue { comment });
            return None;
        }
        Some(Setting { node: &entry.node, path: self.path_of(key), diagnostics: self.diagnostics })
    }

    /// Reports a probable mistake at a key, or at the start of the mapping if the key is absent.
    pub(crate) fn warn(&self, key: &str, message: &str) {
        let at = self.entry(key).map_or(self.at, |entry| entry.at);
        self.diagnostics.warn(at, &self.path_of(key), message);
    }

    /// The value of a required key.
    pub(crate) fn required(
        &mut self,
        key: &'static str,
        hint: impl Into<Cow<'static, str>>,
    ) -> Option<Setting<'n>> {
        let found = self.take(key);
        if found.is_none() {
            self.fail(key, Problem::Missing { hint: hint.into() });
        }
        found
    }

    /// The mapping under a key; empty if absent.
    pub(crate) fn section(&mut self, key: &'static str) -> Fields<'n> {
        let absent = Fields::new(self.at, self.path_of(key), &[], self.diagnostics);
        self.take(key).and_then(|setting| setting.fields()).unwrap_or(absent)
    }

    /// The mapping under a key that narrows what is done; empty if absent.
    pub(crate) fn narrowing_section(&mut self, key: &'static str) -> Fields<'n> {
        let absent = Fields::new(self.at, self.path_of(key), &[], self.diagnostics);
        self.narrowing(key).and_then(|setting| setting.fields()).unwrap_or(absent)
    }

    /// The items of the list under a key.
    pub(crate) fn list(&mut self, key: &'static str) -> Vec<Setting<'n>> {
        self.narrowing(key).map(|setting| setting.items()).unwrap_or_default()
    }

    /// The position of the key.
    pub(crate) fn at_of(&self, key: &str) -> Option<TextPosition> {
        self.entry(key).map(|entry| entry.at)
    }

    /// Whether the key exists, whatever its value.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.entry(key).is_some()
    }

    /// Number of items of the list under a key; 0 if absent.
    pub(crate) fn list_len(&self, key: &str) -> usize {
        let value = self.entry(key).map(|entry| &entry.node.value);
        if let Some(Value::Sequence(items)) = value { items.len() } else { 0 }
    }

    /// The text under a key, with its setting; an empty text counts as an absent key, as in Go.
    pub(crate) fn text_setting(&mut self, key: &'static str) -> Option<(&'n str, Setting<'n>)> {
        let setting = self.take(key)?;
        let text = setting.written()?;
        (!text.is_empty()).then_some((text, setting))
    }

    /// Code under a key, with its setting; an empty text counts as an absent key.
    pub(crate) fn code_setting(&mut self, key: &'static str) -> Option<(&'n str, Setting<'n>)> {
        let setting = self.narrowing(key)?;
        let text = setting.text()?;
        (!text.is_empty()).then_some((text, setting))
    }

    /// The text under a key; an empty text counts as an absent key.
    pub(crate) fn text(&mut self, key: &'static str) -> Option<String> {
        self.text_setting(key).map(|(text, _)| text.to_owned())
    }

    pub(crate) fn flag(&mut self, key: &'static str) -> Option<bool> {
        self.take(key)?.flag()
    }

    pub(crate) fn integer(&mut self, key: &'static str, range: RangeInclusive<i64>) -> Option<i64> {
        self.take(key)?.integer(range)
    }

    /// An integer whose range starts at 0 or above.
    pub(crate) fn amount(&mut self, key: &'static str, range: RangeInclusive<i64>) -> Option<u64> {
        u64::try_from(self.integer(key, range)?).ok()
    }

    /// An integer whose range fits `usize`.
    pub(crate) fn size(&mut self, key: &'static str, range: RangeInclusive<i64>) -> Option<usize> {
        usize::try_from(self.integer(key, range)?).ok()
    }

    /// An integer whose range fits `u32`.
    pub(crate) fn count(&mut self, key: &'static str, range: RangeInclusive<i64>) -> Option<u32> {
        u32::try_from(self.integer(key, range)?).ok()
    }

    pub(crate) fn duration(
        &mut self,
        key: &'static str,
        range: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        self.take(key)?.duration(range)
    }

    pub(crate) fn word<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        self.text_setting(key)?.1.word(words)
    }

    /// Accepts keys that have no effect here, with a notice.
    pub(crate) fn notice(&mut self, keys: &[&'static str], message: &'static str) {
        for key in keys {
            self.settled.push(key);
            if let Some(entry) = self.entry(key) {
                self.diagnostics.notice(entry.at, &self.path_of(key), message);
            }
        }
    }

    /// Notes which entries of an event's maps are read.
    pub(crate) fn keep(&self, reads: Keep) {
        self.diagnostics.keep(reads);
    }

    /// Refuses keys that the Go relay has and this relay does not have yet. A value that switches
    /// nothing on is accepted.
    pub(crate) fn not_supported(&mut self, keys: &[&'static str]) {
        for key in keys {
            self.refuse_unless_off(key, Problem::NotSupported { what: format!("`{key}`") });
        }
    }

    /// Refuses keys that are valid elsewhere but not together with the other keys here.
    pub(crate) fn misplaced(&mut self, keys: &[&'static str], rule: &'static str) {
        for key in keys {
            self.refuse_unless_off(key, Problem::Conflict { rule });
        }
    }

    fn refuse_unless_off(&mut self, key: &'static str, problem: Problem) {
        self.settled.push(key);
        let Some(entry) = self.entry(key) else { return };
        if is_off(&entry.node) {
            self.diagnostics.notice(entry.at, &self.path_of(key), "is off, and not needed");
        } else {
            self.fail(key, problem);
        }
    }

    /// Reports every key that was not read.
    pub(crate) fn finish(self) {
        for entry in self.entries {
            let key = entry.key.as_str();
            if self.accepted.contains(&key) || self.settled.contains(&key) {
                continue;
            }
            let mut accepted = self.accepted.clone();
            accepted.sort_unstable();
            let suggestion = closest(key, accepted.iter().copied()).map(str::to_owned);
            let problem = Problem::UnknownKey { suggestion, accepted };
            self.diagnostics.fail(entry.at, &self.path_of(key), problem);
        }
    }
}

#[cfg(test)]
#[path = "fields_test.rs"]
mod tests;
