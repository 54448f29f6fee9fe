//! The keys of one mapping on a walk. Reading a key makes it known; what is left at the end is
//! unknown, so no list of keys has to be kept beside the readers.

use super::error::{Problem, closest};
use super::place::{Place, is_off};
use super::report::Report;
use super::yaml::{Entry, Position};
use std::ops::RangeInclusive;
use std::time::Duration;

/// A mapping of the tree and which of its keys were asked for. An absent mapping has no keys.
pub(super) struct Fields<'n> {
    at: Position,
    path: String,
    entries: &'n [Entry],
    report: &'n Report<'n>,
    /// Keys that mean something here.
    accepted: Vec<&'static str>,
    /// Keys that were dealt with by a notice or a refusal.
    settled: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// Opens a mapping; a repeated key is a mistake, of which the first wins.
    pub(super) fn new(
        at: Position,
        path: String,
        entries: &'n [Entry],
        report: &'n Report<'n>,
    ) -> Self {
        let fields = Self { at, path, entries, report, accepted: Vec::new(), settled: Vec::new() };
        for (index, entry) in entries.iter().enumerate() {
            if let Some(first) = entries[..index].iter().find(|first| first.key == entry.key) {
                let problem = Problem::RepeatedKey { first_line: first.at.line };
                report.fail(entry.at, &fields.path_of(&entry.key), problem);
            }
        }
        fields
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn report(&self) -> &'n Report<'n> {
        self.report
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Reports a mistake about a key: at the key, or where the mapping starts if it is absent.
    pub(super) fn fail(&self, key: &str, problem: Problem) {
        let at = self.entry(key).map_or(self.at, |entry| entry.at);
        self.report.fail(at, &self.path_of(key), problem);
    }

    fn entry(&self, key: &str) -> Option<&'n Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The value of a key; an explicit null is an absent key, as in Go.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Place<'n>> {
        self.accepted.push(key);
        let entry = self.entry(key)?;
        let place = Place { node: &entry.node, path: self.path_of(key), report: self.report };
        (!matches!(entry.node.value, super::yaml::Value::Null)).then_some(place)
    }

    /// The value of a key that has to be there.
    pub(super) fn required(&mut self, key: &'static str, hint: &'static str) -> Option<Place<'n>> {
        let found = self.take(key);
        if found.is_none() {
            self.fail(key, Problem::Missing { hint });
        }
        found
    }

    /// The mapping under a key; without keys when absent.
    pub(super) fn section(&mut self, key: &'static str) -> Fields<'n> {
        let absent = Fields::new(self.at, self.path_of(key), &[], self.report);
        self.take(key).and_then(|place| place.fields()).unwrap_or(absent)
    }

    /// The items of the list under a key.
    pub(super) fn list(&mut self, key: &'static str) -> Vec<Place<'n>> {
        self.take(key).map(|place| place.items()).unwrap_or_default()
    }

    /// The texts of the list under a key.
    pub(super) fn texts(&mut self, key: &'static str) -> Vec<String> {
        let texts = self.list(key).into_iter().filter_map(|item| item.text().map(str::to_owned));
        texts.collect()
    }

    /// The text under a key together with its place; an empty text is an absent key, as in Go.
    pub(super) fn text_place(&mut self, key: &'static str) -> Option<(&'n str, Place<'n>)> {
        let place = self.take(key)?;
        let text = place.text()?;
        (!text.is_empty()).then_some((text, place))
    }

    /// The text under a key; an empty text is an absent key.
    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        self.text_place(key).map(|(text, _)| text.to_owned())
    }

    pub(super) fn flag(&mut self, key: &'static str) -> Option<bool> {
        self.take(key)?.flag()
    }

    pub(super) fn integer(&mut self, key: &'static str, range: RangeInclusive<i64>) -> Option<i64> {
        self.take(key)?.integer(range)
    }

    /// An integer whose range starts at 0 or above.
    pub(super) fn amount(&mut self, key: &'static str, range: RangeInclusive<i64>) -> Option<u64> {
        u64::try_from(self.integer(key, range)?).ok()
    }

    /// An integer whose range fits `usize`.
    pub(super) fn size(&mut self, key: &'static str, range: RangeInclusive<i64>) -> Option<usize> {
        usize::try_from(self.integer(key, range)?).ok()
    }

    /// An integer whose range fits `u32`.
    pub(super) fn count(&mut self, key: &'static str, range: RangeInclusive<i64>) -> Option<u32> {
        u32::try_from(self.integer(key, range)?).ok()
    }

    pub(super) fn duration(
        &mut self,
        key: &'static str,
        range: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        self.take(key)?.duration(range)
    }

    pub(super) fn word<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        self.text_place(key)?.1.word(words)
    }

    /// Accepts keys that do nothing here and tells so.
    pub(super) fn notice(&mut self, keys: &[&'static str], message: &'static str) {
        for key in keys {
            self.settled.push(key);
            if let Some(entry) = self.entry(key) {
                self.report.notice(entry.at, &self.path_of(key), message);
            }
        }
    }

    /// Refuses keys that the Go relay knows and this relay does not have yet. A value that
    /// switches nothing on is no reason to refuse a file.
    pub(super) fn not_supported(&mut self, keys: &[&'static str]) {
        for key in keys {
            self.refuse_unless_off(key, Problem::NotSupported { what: format!("`{key}`") });
        }
    }

    /// Refuses keys that mean something elsewhere, but not beside the others here.
    pub(super) fn misplaced(&mut self, keys: &[&'static str], rule: &'static str) {
        for key in keys {
            self.refuse_unless_off(key, Problem::Conflict { rule });
        }
    }

    fn refuse_unless_off(&mut self, key: &'static str, problem: Problem) {
        self.settled.push(key);
        let Some(entry) = self.entry(key) else { return };
        if is_off(&entry.node) {
            self.report.notice(entry.at, &self.path_of(key), "is off, and not needed");
        } else {
            self.fail(key, problem);
        }
    }

    /// Reports every key that nobody asked for.
    pub(super) fn finish(self) {
        for entry in self.entries {
            let key = entry.key.as_str();
            if self.accepted.contains(&key) || self.settled.contains(&key) {
                continue;
            }
            let mut accepted = self.accepted.clone();
            accepted.sort_unstable();
            let problem = Problem::UnknownKey { suggestion: closest(key, &accepted), accepted };
            self.report.fail(entry.at, &self.path_of(key), problem);
        }
    }
}

#[cfg(test)]
#[path = "fields_test.rs"]
mod tests;
