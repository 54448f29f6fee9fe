//! Bounds of what is kept of a run. The record names every field that was cut or dropped, so that
//! its reader knows what is missing.

use super::annotations;
use super::keep::{Keep, KeptNames};
use super::names::{visible, visible_lines};
use super::object::{NamedJson, Pairs, Text};
use super::redaction::{may_be_secret, without_url_secrets};
use super::run::NamedValue;
use crate::clock::Timestamp;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Names, uids and reasons: Kubernetes bounds the name of an object at 253 bytes.
pub(super) const NAME_BYTES_MAX: usize = 253;
/// Names of labels and annotations: a prefix of 253 bytes, a slash, and 63 bytes.
const QUALIFIED_NAME_BYTES_MAX: usize = NAME_BYTES_MAX + 1 + 63;
/// Children of a PipelineRun: twice Tekton's default bound on the combinations of one matrix.
pub(super) const CHILDREN_MAX: usize = 512;
/// A condition message: Tekton's own are one sentence, a failed step quotes its error.
const MESSAGE_CHARS_MAX: usize = 1024;
/// Entries of each map (labels, annotations, params, results) of one run that are kept only because
/// a rule iterates over the map.
const ENTRIES_MAX: usize = 64;
/// Entries of each map that rules name: more than a configuration names. It bounds a run that has
/// one param a thousand times.
const NAMED_MAX: usize = 256;
/// One param or result; Tekton bounds all results of a TaskRun at 4 KiB by default.
const VALUE_BYTES_MAX: usize = 4096;
/// One annotation.
const ANNOTATION_BYTES_MAX: usize = 1024;
/// Names of cut fields; the last entry says that there are more.
const CUT_MAX: usize = 64;
/// The name of a field and of the entry in it.
const CUT_NAME_BYTES_MAX: usize = "annotations.".len() + QUALIFIED_NAME_BYTES_MAX;
const CUT_MORE: &str = "...";

/// Written by kubectl: the whole object again.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Copies texts within their bounds and notes what did not fit.
pub(super) struct Bounds<'k> {
    keep: &'k Keep,
    cut: Vec<String>,
}

impl<'k> Bounds<'k> {
    pub(super) fn new(keep: &'k Keep) -> Self {
        Self { keep, cut: Vec::new() }
    }

    /// Names of the fields that were cut or dropped, in the order of reading.
    pub(super) fn into_cut(self) -> Vec<String> {
        self.cut
    }

    /// Notes that `field` differs from what the event says.
    pub(super) fn note(&mut self, field: &str) {
        if self.cut.len() + 1 < CUT_MAX {
            self.cut.push(start(&visible(field), CUT_NAME_BYTES_MAX).to_owned());
        } else if self.cut.len() < CUT_MAX {
            self.cut.push(CUT_MORE.to_owned());
        }
    }

    /// A name, cut to the longest that Kubernetes allows.
    pub(super) fn name(&mut self, field: &str, text: &str) -> String {
        self.shortened(field, text, start(&visible(text), NAME_BYTES_MAX))
    }

    /// A value of the annotation contract, trimmed.
    pub(super) fn contract(&mut self, field: &str, text: &str) -> String {
        self.value(field, &visible(text.trim()), ANNOTATION_BYTES_MAX)
    }

    /// The message of a condition.
    pub(super) fn message(&mut self, text: &str) -> String {
        let public = without_url_secrets(text);
        let public = visible(&public);
        let end = public.char_indices().nth(MESSAGE_CHARS_MAX).map_or(public.len(), |(at, _)| at);
        self.shortened("message", text, &public[..end])
    }

    /// A time; an unreadable one counts as unknown.
    pub(super) fn time(&mut self, field: &str, text: Option<&Text<'_>>) -> Timestamp {
        let Some(text) = text else { return Timestamp::UNKNOWN };
        Timestamp::parse_rfc3339(text).unwrap_or_else(|| {
            self.note(field);
            Timestamp::UNKNOWN
        })
    }

    /// Labels to keep, without secrets.
    pub(super) fn labels(&mut self, source: &Pairs<'_>) -> BTreeMap<String, String> {
        self.pairs("labels", &self.keep.labels, source, NAME_BYTES_MAX)
    }

    /// Annotations to keep, without secrets and without kubectl's copy of the object.
    pub(super) fn annotations(&mut self, source: &Pairs<'_>) -> BTreeMap<String, String> {
        self.pairs("annotations", &self.keep.annotations, source, ANNOTATION_BYTES_MAX)
    }

    fn pairs(
        &mut self,
        field: &str,
        names: &'k KeptNames,
        source: &Pairs<'_>,
        bytes_max: usize,
    ) -> BTreeMap<String, String> {
        let mut room = Room::of(names);
        let mut kept = BTreeMap::new();
        for (name, value) in source.iter() {
            let Some(has_room) = room.asked_for(name) else { continue };
            let is_barred = name == LAST_APPLIED
                || (may_be_secret(name) && !annotations::is_contract(name))
                || name.len() > QUALIFIED_NAME_BYTES_MAX
                || visible(name) != name;
            let place = format!("{field}.{name}");
            if is_barred || !has_room {
                self.note(&place);
                continue;
            }
            room.take(name);
            kept.insert(name.to_owned(), self.value(&place, &visible(value), bytes_max));
        }
        kept
    }

    /// Params or results to keep, without secrets.
    pub(super) fn values(&mut self, field: &str, source: &[NamedJson<'_>]) -> Vec<NamedValue> {
        let mut room = Room::of(&self.keep.values);
        let mut kept = Vec::new();
        for named in source {
            let name = named.name.as_deref().unwrap_or_default();
            let Some(has_room) = room.asked_for(name) else { continue };
            let place = format!("{field}.{name}");
            if may_be_secret(name) || name.len() > NAME_BYTES_MAX || !has_room {
                self.note(&place);
                continue;
            }
            room.take(name);
            let text = named.value.map_or(Cow::Borrowed(""), |value| as_text(value.get()));
            let value = self.value(&place, &visible_lines(&text), VALUE_BYTES_MAX);
            kept.push(NamedValue { name: name.to_owned(), value });
        }
        kept
    }

    fn value(&mut self, field: &str, text: &str, bytes_max: usize) -> String {
        // Removes credentials before cutting: half of a userinfo is not recognised as one.
        let public = without_url_secrets(text);
        self.shortened(field, text, start(&public, bytes_max))
    }

    fn shortened(&mut self, field: &str, text: &str, kept: &str) -> String {
        if kept.len() != text.len() {
            self.note(field);
        }
        kept.to_owned()
    }
}

/// Room for the entries of one map. An entry that a rule names is kept however many others come
/// before it, so that a sender cannot push it out. Entries that rules only iterate over share
/// [`ENTRIES_MAX`].
struct Room<'k> {
    names: &'k KeptNames,
    named: usize,
    unnamed: usize,
}

impl<'k> Room<'k> {
    fn of(names: &'k KeptNames) -> Self {
        Self { names, named: 0, unnamed: 0 }
    }

    /// Whether there is room for an entry; `None` for an entry that no rule reads.
    fn asked_for(&self, name: &str) -> Option<bool> {
        if self.names.names(name) {
            return Some(self.named < NAMED_MAX);
        }
        self.names.is_all().then_some(self.unnamed < ENTRIES_MAX)
    }

    fn take(&mut self, name: &str) {
        if self.names.names(name) {
            self.named += 1;
        } else {
            self.unnamed += 1;
        }
    }
}

/// As much of `text` as fits into `bytes_max` without splitting a character.
fn start(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

/// A JSON string loses its quotes; arrays and objects stay JSON.
fn as_text(json: &str) -> Cow<'_, str> {
    serde_json::from_str::<Text>(json).map_or(Cow::Borrowed(json), Text::into_inner)
}

#[cfg(test)]
#[path = "bounds_test.rs"]
mod tests;
