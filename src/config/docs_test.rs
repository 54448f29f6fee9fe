//! The examples load. The tables of `docs/CONFIGURATION.md` and `docs/INTEGRATIONS.md`, and
//! `docs/schema.json`, come from the rows of the registry and of the keys. These rows match the
//! keys that are read.

use super::keys::{EVERY_INSTANCE, KeyEntry, instance_path, keys, tables};
use super::tests::Disk;
use super::*;
use crate::integration::registry::{INTEGRATIONS, IntegrationRow};
use crate::settings::yaml::{Node, Value as Yaml};
use serde_json::Value;
use std::collections::BTreeMap;

const DOCS: &str = include_str!("../../docs/CONFIGURATION.md");
const INTEGRATIONS_PAGE: &str = include_str!("../../docs/INTEGRATIONS.md");
const SCHEMA: &str = include_str!("../../docs/schema.json");

/// If this variable is set, the tests write the files that they compare.
const WRITE: &str = "RELAY_WRITE_DOCS";

const TABLE_HEAD: &str = "| Key | Default | Meaning |\n|---|---|---|\n";

const KINDS_HEAD: &str =
    "| Kind | Actions | Calls at once | What it does |\n| --- | --- | --- | --- |\n";

const EXAMPLES: [(&str, &str, usize); 4] = [
    ("minimal.yaml", include_str!("../../examples/minimal.yaml"), 1),
    ("github.yaml", include_str!("../../examples/github.yaml"), 2),
    ("slack.yaml", include_str!("../../examples/slack.yaml"), 2),
    ("production.yaml", include_str!("../../examples/production.yaml"), 1),
];

/// The words of a key with a closed set.
fn words(key: &KeyEntry) -> Vec<String> {
    let words = key.schema.get("enum").and_then(Value::as_array);
    words.into_iter().flatten().map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// Sections whose keys depend on their `type`, with the accepted words.
fn typed_sections() -> Vec<(String, Vec<String>)> {
    let typed = keys().into_iter().filter_map(|key| {
        let section = key.path.strip_suffix(".type")?.to_owned();
        Some((section, words(&key)))
    });
    typed.collect()
}

/// Keys in the first column of a table; flags have a table too. Those of every instance are there for
/// each kind.
fn documented() -> Vec<String> {
    let rows = DOCS.lines().filter_map(|line| line.strip_prefix("| `"));
    let first = rows.map(|row| row.split('`').next().unwrap());
    let keys = first.filter(|key| !key.starts_with("--"));
    keys.flat_map(|key| match key.strip_prefix(EVERY_INSTANCE) {
        None => vec![key.to_owned()],
        Some(rest) => {
            let over_http = INTEGRATIONS.iter().filter(|row| row.is_http);
            over_http.map(|row| format!("{}{rest}", instance_path(row))).collect()
        }
    })
    .collect()
}

/// Files that have only `path`, with this value: one for each type of the section around it.
fn files_with(path: &str, value: &str) -> Vec<String> {
    let is_around = |section: &str| {
        path.strip_prefix(section).is_some_and(|rest| rest.starts_with('.') && rest != ".type")
    };
    match typed_sections().into_iter().find(|(section, _)| is_around(section)) {
        Some((section, types)) => {
            let file = |word: &String| file_with(path, value, Some((&section, word)));
            types.iter().map(file).collect()
        }
        None => vec![file_with(path, value, None)],
    }
}

/// A file that has only `path`, and a `type` in the section that needs one.
fn file_with(path: &str, value: &str, typed: Option<(&str, &str)>) -> String {
    let mut text = String::new();
    let mut closing = String::new();
    let mut prefix = String::new();
    for part in path.split('.') {
        if !prefix.is_empty() {
            prefix.push('.');
        }
        let (key, is_list) = part.strip_suffix("[]").map_or((part, false), |key| (key, true));
        prefix.push_str(part);
        text.push_str(&format!("{key}: "));
        if prefix == path {
            break;
        }
        let (open, close) = if is_list { ("[{", "}]") } else { ("{", "}") };
        text.push_str(open);
        closing.insert_str(0, close);
        if let Some((_, word)) = typed.filter(|(section, _)| *section == prefix) {
            text.push_str(&format!("type: {word}, "));
        }
    }
    format!("{text}{value}{closing}")
}

/// The mistakes in a file; secrets are not read.
fn mistakes(text: &str) -> Vec<ConfigError> {
    let loaded = load(text, "f", &Disk::default(), SecretCheck::Skipped);
    loaded.err().map_or_else(Vec::new, |errors| errors.errors)
}

/// For each file, the accepted keys if `path` is unknown there, else nothing.
fn accepted_instead(path: &str) -> Vec<Vec<&'static str>> {
    let accepted = |text: &String| {
        let unknown = mistakes(text).into_iter().filter_map(|error| {
            let Problem::UnknownKey { accepted, .. } = error.problem else { return None };
            Some(accepted)
        });
        unknown.flatten().collect()
    };
    files_with(path, "").iter().map(accepted).collect()
}

/// Whether one of the files that have only `path`, with this value, is refused for the value.
fn is_refused(path: &str, value: &str) -> bool {
    let at = path.replace("[]", "[0]");
    let is_of_value = |error: &ConfigError| {
        error.path == at
            && matches!(
                error.problem,
                Problem::WrongType { .. }
                    | Problem::OutOfRange { .. }
                    | Problem::NotOneOf { .. }
                    | Problem::NoDuration { .. }
            )
    };
    files_with(path, value).iter().any(|text| mistakes(text).iter().any(is_of_value))
}

#[test]
fn every_example_loads() {
    for (name, text, routes) in EXAMPLES {
        let loaded = load(text, name, &Disk::default(), SecretCheck::Skipped)
            .unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(loaded.config.rules.routes.len(), routes, "{name}");
        assert_eq!(loaded.notices, [], "{name}");
    }
}

#[test]
fn a_mistake_in_a_file_that_was_cut_off_is_placed_within_the_file() {
    for (name, text, _) in EXAMPLES {
        for (end, _) in text.char_indices() {
            let lines = text[..end].lines().count();
            let cut = load(&text[..end], name, &Disk::default(), SecretCheck::Skipped);
            for error in cut.err().map_or_else(Vec::new, |errors| errors.errors) {
                // The parser reports an open bracket at the end of the text: one line further.
                assert!((1..=lines + 1).contains(&error.at.line), "{name} to {end}: {error}");
            }
        }
    }
}

#[test]
fn every_example_is_tested() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name());
    let mut yaml: Vec<String> = files
        .map(|name| name.into_string().unwrap())
        .filter(|name| name.ends_with(".yaml"))
        .collect();
    yaml.sort();
    let mut tested = EXAMPLES.map(|(name, ..)| name);
    tested.sort_unstable();
    assert_eq!(yaml, tested);
}

#[test]
fn every_documented_key_exists() {
    for path in &documented() {
        let is_known = accepted_instead(path).iter().any(Vec::is_empty);
        assert!(is_known, "{path}: {:?}", files_with(path, ""));
    }
}

#[test]
fn every_key_is_documented() {
    let mut by_section: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut sections = Vec::new();
    let documented = documented();
    for path in &documented {
        let (section, key) = path.rsplit_once('.').unwrap_or(("", path));
        by_section.entry(section).or_default().push(key);
        sections.extend(path.match_indices('.').map(|(end, _)| &path[..end]));
    }
    for path in sections {
        let (section, key) = path.rsplit_once('.').unwrap_or(("", path));
        by_section.entry(section).or_default().push(key.trim_end_matches("[]"));
    }
    for (section, mut keys) in by_section {
        keys.sort_unstable();
        keys.dedup();
        let unknown = if section.is_empty() { "zzz".to_owned() } else { format!("{section}.zzz") };
        let mut accepted = accepted_instead(&unknown).concat();
        accepted.sort_unstable();
        accepted.dedup();
        assert_eq!(accepted, keys, "section {section:?}");
    }
}

#[test]
fn words_and_ranges_of_the_rows_are_those_that_are_read() {
    for key in keys() {
        let path = key.path.as_str();
        for word in words(&key) {
            assert!(!is_refused(path, &word), "{path}: {word}");
        }
        let number = |name: &str| key.schema.get(name).and_then(Value::as_i64);
        if let Some((min, max)) = number("minimum").zip(number("maximum")) {
            for (value, is_wrong) in [(min, false), (max, false), (min - 1, true), (max + 1, true)]
            {
                assert_eq!(is_refused(path, &value.to_string()), is_wrong, "{path}: {value}");
            }
        }
        let text = serde_json::json!({ "type": ["string", "number", "boolean"] });
        assert_eq!(is_refused(path, "zzz"), key.schema != text, "{path}: zzz");
        // The second one is read only if summaries are enabled.
        let takes_mapping = ["server.auth", "accumulator.provider.name"].contains(&path)
            || key.schema["type"] == "object";
        assert_eq!(is_refused(path, "{X-A: b}"), !takes_mapping, "{path}: a mapping");
    }
}

/// A table in the form of the document.
fn table(keys: &[KeyEntry]) -> String {
    let cell = |text: &str| if text.is_empty() { " ".to_owned() } else { format!(" {text} ") };
    let row = |key: &KeyEntry| {
        format!("| `{}` |{}|{}|\n", key.path, cell(&key.default), cell(&key.meaning))
    };
    keys.iter().map(row).collect()
}

/// A text with `rows` in the first table under `head`.
fn with_table(text: &str, head: &str, rows: &str) -> String {
    let (before, old) = text.split_once(head).unwrap();
    let rest = old.find("\n\n").map_or("", |end| &old[end + 1..]);
    format!("{before}{head}{rows}{rest}")
}

/// The configuration page with its tables replaced by the tables of the rows.
fn with_tables(docs: &str) -> String {
    tables().iter().fold(docs.to_owned(), |docs, (heading, keys)| {
        let heading = format!("\n## {heading}\n");
        let (before, section) = docs.split_once(&heading).unwrap();
        format!("{before}{heading}{}", with_table(section, TABLE_HEAD, &table(keys)))
    })
}

/// The table of integrations, sorted by kind.
fn table_of_integrations() -> String {
    let row = |row: &IntegrationRow| {
        let words: Vec<_> = row.actions.iter().map(|action| format!("`{}`", action.word)).collect();
        let (kind, words, calls) = (row.kind, words.join(", "), row.in_flight_max);
        format!("| `{kind}` | {words} | {calls} | {} |\n", row.doc)
    };
    let mut rows: Vec<String> = INTEGRATIONS.iter().map(row).collect();
    rows.sort();
    rows.concat()
}

/// Compares a document with its expected form, or writes it.
fn expect(file: &str, found: &str, expected: &str) {
    if std::env::var_os(WRITE).is_some() {
        let path = format!("{}/docs/{file}", env!("CARGO_MANIFEST_DIR"));
        std::fs::write(path, expected).unwrap();
        return;
    }
    let differs = expected.lines().filter(|line| !found.lines().any(|other| other == *line));
    let lines: Vec<&str> = differs.collect();
    let advice = format!("docs/{file} differs; `{WRITE}=1 cargo test --lib docs` writes it");
    assert!(found == expected, "{advice}. Lines that it lacks:\n{}", lines.join("\n"));
}

#[test]
fn the_tables_are_those_of_the_rows() {
    expect("CONFIGURATION.md", DOCS, &with_tables(DOCS));
}

#[test]
fn the_table_of_integrations_has_exactly_the_rows_of_the_registry_sorted_by_kind() {
    let expected = with_table(INTEGRATIONS_PAGE, KINDS_HEAD, &table_of_integrations());
    expect("INTEGRATIONS.md", INTEGRATIONS_PAGE, &expected);
    let listed = INTEGRATIONS_PAGE.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(listed, INTEGRATIONS.len());
}

#[test]
fn the_schema_is_that_of_the_rows() {
    let schema = serde_json::to_string_pretty(&schema()).unwrap();
    expect("schema.json", SCHEMA, &format!("{schema}\n"));
}

/// Paths of keys that the schema does not have.
fn outside(node: &Node, schema: &Value, path: &str) -> Vec<String> {
    // A list that may also be a single item.
    let schema = schema["anyOf"].get(0).filter(|first| first["type"] == "array").unwrap_or(schema);
    match &node.value {
        Yaml::Null | Yaml::Scalar(_) => Vec::new(),
        Yaml::Sequence(items) => {
            items.iter().flat_map(|item| outside(item, &schema["items"], path)).collect()
        }
        Yaml::Mapping(_) if schema["additionalProperties"].is_object() => Vec::new(),
        Yaml::Mapping(entries) => {
            let inner = entries.iter().flat_map(|entry| {
                let path = format!("{path}/{}", entry.key);
                match schema["properties"].get(&entry.key) {
                    Some(inner) => outside(&entry.node, inner, &path),
                    None => vec![path],
                }
            });
            inner.collect()
        }
    }
}

#[test]
fn the_schema_has_every_key_of_the_examples_and_no_other() {
    for (name, text, _) in EXAMPLES {
        let root = crate::settings::yaml::parse(text).unwrap();
        assert_eq!(outside(&root, &schema(), ""), [""; 0], "{name}");
    }
    let wrong = "notifiers: {slack: [{name: s, chanel: c}], log: [{name: l}]}\nretri: 1\n";
    let root = crate::settings::yaml::parse(wrong).unwrap();
    assert_eq!(outside(&root, &schema(), ""), ["/notifiers/slack/chanel", "/retri"]);
}

#[test]
fn the_file_in_the_readme_loads() {
    let readme = include_str!("../../README.md");
    let (_, block) = readme.split_once("   ```yaml\n").unwrap();
    let (block, _) = block.split_once("   ```\n").unwrap();
    let text: String = block
        .lines()
        .map(|line| format!("{}\n", line.strip_prefix("   ").unwrap_or(line)))
        .collect();
    let loaded = load(&text, "README.md", &Disk::default(), SecretCheck::Skipped).unwrap();
    assert_eq!((loaded.config.rules.routes.len(), loaded.notices.len()), (3, 0));
}
