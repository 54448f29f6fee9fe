//! The JSON Schema of the file, from the rows of its keys. It has keys, words and ranges, so that
//! an editor can complete and explain them; `validate` checks the rest.

use super::keys::{self, KeyEntry};
use serde_json::{Map, Value, json};

/// The dialect that editors of YAML understand.
const DIALECT: &str = "http://json-schema.org/draft-07/schema#";

/// The schema of the whole file.
#[must_use]
pub fn schema() -> Value {
    let keys = keys::keys();
    let keys: Vec<(&str, &KeyEntry)> = keys.iter().map(|key| (key.path.as_str(), key)).collect();
    let mut schema = mapping(&keys);
    schema["$schema"] = DIALECT.into();
    schema["title"] = "Configuration of tekton-events-relay".into();
    schema
}

/// The schema of a mapping. The paths of `keys` are relative to this mapping.
fn mapping(keys: &[(&str, &KeyEntry)]) -> Value {
    let mut properties = Map::new();
    for (path, _) in keys {
        let name = path.split(['.', '[']).next().unwrap_or_default();
        if !properties.contains_key(name) {
            properties.insert(name.to_owned(), property(name, keys));
        }
    }
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// The schema of the key `name` of a mapping with `keys`.
fn property(name: &str, keys: &[(&str, &KeyEntry)]) -> Value {
    let below = |start: String| -> Vec<(&str, &KeyEntry)> {
        let inner = keys.iter().filter_map(|(path, key)| Some((path.strip_prefix(&start)?, *key)));
        inner.collect()
    };
    let own = keys.iter().find(|(path, _)| *path == name).map(|(_, key)| *key);
    let (items, fields) = (below(format!("{name}[].")), below(format!("{name}.")));
    let mut schema = match (own, items.is_empty(), fields.is_empty()) {
        // A list with a row of its own may also be a single item.
        (Some(_), false, _) => {
            let item = mapping(&items);
            json!({ "anyOf": [{ "type": "array", "items": item }, item] })
        }
        (None, false, _) => json!({ "type": "array", "items": mapping(&items) }),
        (_, true, false) => mapping(&fields),
        (Some(key), true, true) => key.schema.clone(),
        (None, true, true) => json!({}),
    };
    if let Some(key) = own {
        schema["description"] = description(key).into();
    }
    schema
}

/// The meaning and the default, in Markdown.
fn description(key: &KeyEntry) -> String {
    match key.default.as_str() {
        "" => key.meaning.clone(),
        default => format!("{}\n\nDefault: {default}", key.meaning),
    }
}
