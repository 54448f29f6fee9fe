//! The keys of the file as the documents and the JSON Schema describe them: the rows of the
//! sections here, and those of integrations from the registry.

use super::integrations::{ACTION, FORGE_INSTANCE, NOTIFIER_INSTANCE};
use super::key_rows::{
    ACCUMULATOR, CLUSTER, DLQ, FILTER, LOGGING, POLICY, RETRY, SERVER, STORE, TOP_LEVEL,
};
use crate::integration::connection;
use crate::integration::registry::{INTEGRATIONS, IntegrationRow, Section};
use crate::settings::{KeyRow, ValueType};
use serde_json::{Value, json};

/// A key with its whole path, such as `scm.github[].actions[].when`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct KeyEntry {
    pub(super) path: String,
    /// The JSON Schema of its value.
    pub(super) schema: Value,
    /// In Markdown; empty if the meaning says it.
    pub(super) default: String,
    /// In Markdown.
    pub(super) meaning: String,
}

/// The sections that are not lists of integrations: heading, prefix of each path, rows.
const SECTIONS: [(&str, &str, &[KeyRow]); 10] = [
    ("Top level", "", TOP_LEVEL),
    ("server", "server.", SERVER),
    ("filter", "filter.", FILTER),
    ("policy", "policy[].", POLICY),
    ("retry", "retry.", RETRY),
    ("store", "store.", STORE),
    ("dlq", "dlq.", DLQ),
    ("logging", "logging.", LOGGING),
    ("cluster", "cluster.", CLUSTER),
    ("accumulator", "accumulator.", ACCUMULATOR),
];

/// What stands for every instance over HTTP in the table of connections.
pub(super) const EVERY_INSTANCE: &str = "<instance>.";

/// The tables of `docs/CONFIGURATION.md`: the heading over each, its keys. Those of connections are
/// there once for all kinds.
pub(super) fn tables() -> Vec<(&'static str, Vec<KeyEntry>)> {
    let sections = SECTIONS.into_iter().map(|(heading, before, rows)| {
        let keys = rows.iter().map(|row| entry(before, row, "")).collect();
        (heading, keys)
    });
    let integrations = [Section::Scm, Section::Notifiers].map(|section| {
        let keys = section.rows().flat_map(instance_entries).collect();
        (section.key(), keys)
    });
    let connections = ("Connections", connection_entries(EVERY_INSTANCE));
    sections.chain(integrations).chain([connections]).collect()
}

/// Every key of the file.
pub(super) fn keys() -> Vec<KeyEntry> {
    let keys = tables().into_iter().flat_map(|(_, keys)| keys);
    let own = keys.filter(|key| !key.path.starts_with(EVERY_INSTANCE));
    let over_http = INTEGRATIONS.iter().filter(|row| row.is_http);
    own.chain(over_http.flat_map(|row| connection_entries(&instance_path(row)))).collect()
}

fn connection_entries(instance: &str) -> Vec<KeyEntry> {
    connection::KEYS.iter().map(|row| entry(instance, row, "")).collect()
}

/// What comes before the keys of an instance: `scm.github[].`.
pub(super) fn instance_path(row: &IntegrationRow) -> String {
    format!("{}.{}[].", row.section().key(), row.kind)
}

/// `condition` goes before the meaning: the type of the action that has the key.
fn entry(before: &str, row: &KeyRow, condition: &str) -> KeyEntry {
    let kinds: Vec<String> = INTEGRATIONS.iter().map(|row| format!("`{}`", row.kind)).collect();
    KeyEntry {
        path: format!("{before}{}", row.path),
        schema: schema_of(row.value),
        default: row.default.to_owned(),
        meaning: format!("{condition}{}", row.meaning).replace("{kinds}", &kinds.join(", ")),
    }
}

fn instance_entries(row: &IntegrationRow) -> Vec<KeyEntry> {
    let instance = instance_path(row);
    let shared = match row.section() {
        Section::Scm => FORGE_INSTANCE,
        Section::Notifiers => NOTIFIER_INSTANCE,
    };
    let keys = shared.iter().chain(row.keys).map(|key| entry(&instance, key, ""));
    match row.section() {
        Section::Scm => keys.chain(action_entries(row, &format!("{instance}actions[]."))).collect(),
        Section::Notifiers => keys.collect(),
    }
}

fn action_entries(row: &IntegrationRow, before: &str) -> Vec<KeyEntry> {
    let words: Vec<&str> = row.actions.iter().map(|action| action.word).collect();
    let shared = ACTION.iter().map(|key| match key.path {
        "type" => {
            let meaning = row.types("`");
            KeyEntry { schema: json!({ "enum": words }), meaning, ..entry(before, key, "") }
        }
        _ => entry(before, key, ""),
    });
    let own = row.actions.iter().flat_map(|action| {
        let condition = format!("`{}`: ", action.word);
        action.keys.iter().map(move |key| entry(before, key, &condition))
    });
    shared.chain(own).collect()
}

/// The part of a value's rule that a schema can express; `validate` checks the rest.
fn schema_of(value: ValueType) -> Value {
    // Scalars of any kind are read as text, as Go reads them.
    let text = json!({ "type": ["string", "number", "boolean"] });
    match value {
        ValueType::Text => text,
        ValueType::Flag => json!({ "anyOf": [
            { "type": "boolean" },
            { "enum": ["yes", "no", "on", "off", "y", "n"] },
        ]}),
        // Underscores may separate digits.
        ValueType::Integer(min, max) => json!({
            "type": ["integer", "string"], "pattern": "^[0-9_]+$", "minimum": min, "maximum": max,
        }),
        ValueType::Duration => json!({
            "type": ["string", "integer"],
            "pattern": r"^\+?([0-9]+|([0-9]*\.?[0-9]*(ns|us|µs|μs|ms|s|m|h))+)?$",
        }),
        ValueType::Words(words) => json!({ "enum": words }),
        ValueType::Texts => json!({ "type": "array", "items": text }),
        ValueType::TextMap => json!({ "type": "object", "additionalProperties": text }),
        ValueType::OneOrMore => json!({}),
    }
}
