//! Names of the standard library that a part of the crate must not use: they make replicas differ,
//! or hide time and locks from tests.

use super::PURE;
use super::sources::{Source, sources};
use std::collections::BTreeSet;

/// A banned name, and where it is banned.
struct Ban {
    /// Path of its module.
    from: &'static str,
    names: &'static [&'static str],
    applies: fn(module: &str) -> bool,
    why: &'static str,
}

const BANS: &[Ban] = &[
    Ban {
        from: "std::time",
        names: &["Instant", "SystemTime"],
        // The demo prints its duration.
        applies: |module| module != "demo",
        why: "the shell asks the Clock, or tokio for a deadline; the core is given the time",
    },
    Ban {
        from: "std::collections",
        names: &["HashMap", "HashSet"],
        applies: |module| PURE.contains(&module),
        why: "their order differs from process to process, and equal states have equal bytes",
    },
    Ban {
        from: "std::sync",
        names: &["Mutex", "RwLock", "Condvar", "PoisonError"],
        applies: |_| true,
        why: "a panic poisons them, and each use has to say what then: take parking_lot's",
    },
    Ban {
        from: "parking_lot",
        names: &["Mutex", "RwLock", "Condvar"],
        applies: |module| ["state_machine", "wire"].contains(&module),
        why: "apply is a function of the state and the entry: there is nothing to lock",
    },
];

/// Files that may use a banned name, and why.
const EXCUSED: &[(&str, &str, &str)] = &[
    ("src/clock.rs", "SystemTime", "the clock itself"),
    (
        "src/route/event_vars.rs",
        "HashMap",
        "the map type of CEL; rules read it by key, never in its order",
    ),
];

/// The names that `text` uses from `module`, by path or from a list of `use`.
fn taken(module: &str, text: &str) -> BTreeSet<String> {
    let is_of_name = |c: char| c.is_alphanumeric() || c == '_';
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join("\n");
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices(module) {
        let Some(rest) = code[at + module.len()..].strip_prefix("::") else { continue };
        let names = match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or_default(),
            None => rest.split(|c| !is_of_name(c)).next().unwrap_or_default(),
        };
        found.extend(names.split(|c| !is_of_name(c)).map(str::to_owned));
    }
    found
}

/// The banned names that a file of `module` uses.
fn banned(module: &str, text: &str) -> Vec<(&'static str, &'static str)> {
    let mut found = Vec::new();
    for ban in BANS.iter().filter(|ban| (ban.applies)(module)) {
        let taken = taken(ban.from, text);
        let names = ban.names.iter().filter(|name| taken.contains(**name));
        found.extend(names.map(|name| (*name, ban.why)));
    }
    found
}

fn production() -> Vec<Source> {
    let mut sources = sources("src");
    sources.retain(|source| !source.is_test);
    sources
}

#[test]
fn no_part_uses_a_name_that_is_banned_there() {
    let mut found = Vec::new();
    for source in production() {
        let path = source.path.display().to_string();
        for (name, why) in banned(&source.module(), source.production()) {
            if !EXCUSED.iter().any(|(file, excused, _)| path == *file && name == *excused) {
                found.push(format!("{path}: {name}: {why}"));
            }
        }
    }
    assert!(found.is_empty(), "banned:\n{}", found.join("\n"));
}

#[test]
fn every_excuse_is_still_needed() {
    for (file, name, _) in EXCUSED {
        let source = production().into_iter().find(|source| source.path.ends_with(file));
        let source = source.unwrap_or_else(|| panic!("{file} is gone"));
        let names = banned(&source.module(), source.production());
        assert!(names.iter().any(|(found, _)| found == name), "{file} has no {name} any more");
    }
}

#[test]
fn a_banned_name_is_found_by_path_and_in_a_list() {
    let names = |module, text| -> Vec<&str> {
        banned(module, text).into_iter().map(|(name, _)| name).collect()
    };
    assert_eq!(names("plan", "let now = std::time::Instant::now();"), ["Instant"]);
    assert_eq!(names("api", "use std::time::{Duration, SystemTime};"), ["SystemTime"]);
    assert_eq!(names("api", "use std::sync::{\n    Arc,\n    RwLock,\n};"), ["RwLock"]);
    assert_eq!(names("wire", "use parking_lot::Mutex;"), ["Mutex"]);
    assert_eq!(names("api", "use parking_lot::Mutex;"), [""; 0]);
    assert_eq!(names("wire", "use std::collections::HashSet;"), ["HashSet"]);
    assert_eq!(names("api", "use std::collections::HashMap;\nuse tokio::time::Instant;"), [""; 0]);
    assert_eq!(
        names("wire", "// not std::collections::HashMap\nuse std::time::Duration;"),
        [""; 0]
    );
}
