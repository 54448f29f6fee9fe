//! The examples load, and `docs/CONFIGURATION.md` lists the keys that exist and no other.

use super::tests::Disk;
use super::*;
use std::collections::BTreeMap;

const DOCS: &str = include_str!("../../docs/CONFIGURATION.md");

const EXAMPLES: [(&str, &str, usize); 4] = [
    ("minimal.yaml", include_str!("../../examples/minimal.yaml"), 1),
    ("github.yaml", include_str!("../../examples/github.yaml"), 2),
    ("slack.yaml", include_str!("../../examples/slack.yaml"), 2),
    ("production.yaml", include_str!("../../examples/production.yaml"), 1),
];

/// What a section needs besides the key in question to be read that far.
const NEEDED: [(&str, &str); 3] = [
    ("scm.github[].actions[]", "type: TYPE"),
    ("notifiers.webhook[].auth", "type: TYPE"),
    ("accumulator", "enabled: false"),
];

/// The words that stand in for `TYPE`: together they accept every documented key.
const TYPES: [&str; 6] = ["commit_status", "pr_comment", "bearer", "basic", "apikey", "hmac"];

/// Keys in the first column of a table; flags have a table too.
fn documented() -> Vec<&'static str> {
    let rows = DOCS.lines().filter_map(|line| line.strip_prefix("| `"));
    let first = rows.map(|row| row.split('`').next().unwrap());
    first.filter(|key| !key.starts_with("--")).collect()
}

/// A file that has only `path`, with nothing as its value.
fn file_with(path: &str, types: &str) -> String {
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
        for (section, needed) in NEEDED {
            if section == prefix && !path.ends_with(needed.split(':').next().unwrap()) {
                text.push_str(&needed.replace("TYPE", types));
                text.push_str(", ");
            }
        }
    }
    text + &closing
}

/// For each type, the keys accepted beside `path` if it is unknown there, else nothing.
fn accepted_instead(path: &str) -> Vec<Vec<&'static str>> {
    let accepted = |types: &&str| {
        let loaded = load(&file_with(path, types), "f", &Disk::default(), SecretCheck::Skipped);
        let errors = loaded.err().map_or_else(Vec::new, |errors| errors.errors);
        let unknown = errors.into_iter().filter_map(|error| {
            let Problem::UnknownKey { accepted, .. } = error.problem else { return None };
            Some(accepted)
        });
        unknown.flatten().collect()
    };
    TYPES.iter().map(accepted).collect()
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
                // The parser finds an open bracket at the end of the text: a line further.
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
    for path in documented() {
        let is_known = accepted_instead(path).iter().any(Vec::is_empty);
        assert!(is_known, "{path}: {}", file_with(path, "TYPE"));
    }
}

#[test]
fn every_key_is_documented() {
    let mut by_section: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut sections = Vec::new();
    for path in documented() {
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
