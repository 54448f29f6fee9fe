//! The repository checks itself: imports between modules, lengths of files and functions, empty
//! words in names, banned content of pure code, type names, and the tables common to documents and
//! code.

mod bans;
mod faults;
mod links;
mod rooms;
mod rules;
mod sources;
mod type_names;

use sources::{Source, files, sources};
use std::collections::BTreeSet;

/// Modules and what each may import from this crate. Anything that is not listed is a failure.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("secret", &[]),
    ("spelling", &[]),
    ("event", &["clock"]),
    ("effect", &["event", "clock"]),
    ("failure", &[]),
    ("retry", &["failure"]),
    ("template", &["event", "effect", "clock", "spelling"]),
    ("route", &["event", "effect", "clock", "spelling"]),
    ("jq", &["event", "spelling"]),
    ("settings", &["event", "route", "template", "jq", "secret", "spelling"]),
    (
        "integration",
        &["event", "effect", "failure", "jq", "secret", "settings", "template", "clock"],
    ),
    ("plan", &["event", "effect", "failure", "route", "integration", "state_machine", "clock"]),
    ("state_machine", &["event", "effect", "failure", "clock"]),
    ("wire", &["state_machine", "event", "effect", "failure", "clock"]),
    (
        "config",
        &[
            "event",
            "effect",
            "route",
            "template",
            "integration",
            "plan",
            "retry",
            "secret",
            "settings",
        ],
    ),
    ("telemetry", &["config", "state_machine", "effect", "failure"]),
    ("cluster", &["state_machine", "event", "wire", "telemetry", "config", "secret", "clock"]),
    (
        "delivery",
        &[
            "plan",
            "integration",
            "jq",
            "effect",
            "failure",
            "retry",
            "state_machine",
            "cluster",
            "telemetry",
            "secret",
            "clock",
        ],
    ),
    (
        "api",
        &[
            "event",
            "plan",
            "cluster",
            "state_machine",
            "config",
            "telemetry",
            "delivery",
            "secret",
            "clock",
            "spelling",
        ],
    ),
];

/// Modules that may import every part.
const COMPOSITION: &[&str] = &["app", "cli", "config_file", "main", "lib", "demo", "tidy"];

/// Modules without I/O, clock or randomness.
const PURE: &[&str] = &[
    "event",
    "effect",
    "failure",
    "retry",
    "spelling",
    "template",
    "route",
    "jq",
    "settings",
    "integration",
    "plan",
    "state_machine",
    "wire",
    "config",
];

/// Crates that no pure module may name.
const SHELL_CRATES: &[&str] = &[
    "tokio",
    "axum",
    "hyper",
    "reqwest",
    "openraft",
    "redb",
    "chitchat",
    "prometheus",
    "getrandom",
];

/// Texts of the standard library that no pure module may contain.
const SHELL_STD: &[&str] =
    &["std::fs", "std::net", "std::env", "std::thread", "async fn", "SystemTime"];

/// Text that looks impure but is not: (file, text, why).
const EXCUSED: &[(&str, &str, &str)] = &[(
    "src/route/expression.rs",
    "std::thread",
    "the CEL parser needs a deeper stack than callers have: a scoped thread that only computes",
)];

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

/// Words that say nothing (`docs/GLOSSARY.md`), as parts of type or file names.
const EMPTY_WORDS: &[&str] =
    &["Manager", "Helper", "Util", "Common", "Misc", "Handler", "Processor", "Wrapper", "Impl"];

/// Modules of this crate that `text` names.
fn imported(text: &str) -> BTreeSet<String> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.match_indices("crate::").map(move |(at, _)| &line[at + 7..]))
        .map(|rest| {
            rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>()
        })
        .filter(|module| !module.is_empty())
        .collect()
}

/// Why these imports violate the table.
fn forbidden_imports(module: &str, text: &str) -> Vec<String> {
    if COMPOSITION.contains(&module) {
        return Vec::new();
    }
    let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == module) else {
        return vec![format!("module {module} has no row in the import table")];
    };
    imported(text)
        .into_iter()
        .filter(|name| name != module && !allowed.contains(&name.as_str()))
        .map(|name| format!("{module} imports {name}"))
        .collect()
}

/// Why this text is not pure.
fn impurities(text: &str) -> Vec<String> {
    let code: Vec<&str> =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let crates = SHELL_CRATES.iter().map(|name| format!("{name}::"));
    let needles = crates.chain(SHELL_STD.iter().map(|text| (*text).to_owned()));
    needles.filter(|needle| code.iter().any(|line| line.contains(needle.as_str()))).collect()
}

/// Whether a function begins on this line, with any attributes and visibility.
fn begins_function(code: &str) -> bool {
    let visible = code.strip_prefix("pub").map_or(code, |rest| match rest.strip_prefix('(') {
        Some(place) => place.split_once(')').map_or("", |(_, rest)| rest),
        None => rest,
    });
    let mut words = visible.split_whitespace();
    words.find(|word| !["async", "const", "unsafe"].contains(word)) == Some("fn")
}

/// Names and lengths of functions over the bound.
fn long_functions(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        if !begins_function(code) {
            continue;
        }
        // A signature may take several lines, and a trait's may have no body.
        let ends = |line: &&&str| line.ends_with(['{', ';', '}']);
        if lines[at..].iter().find(ends).is_none_or(|line| !line.ends_with('{')) {
            continue;
        }
        let end = format!("{}}}", &line[..line.len() - code.len()]);
        let length = lines[at..].iter().position(|other| **other == end).map_or(0, |to| to + 1);
        if length > FUNCTION_LINES_MAX {
            found.push(format!("{length} lines: {code}"));
        }
    }
    found
}

/// Declared type names that contain an empty word.
fn empty_names(text: &str) -> Vec<String> {
    let declared = text.lines().filter_map(|line| {
        let code = line.trim_start().trim_start_matches("pub ").trim_start_matches("pub(crate) ");
        let name = ["struct ", "enum ", "trait ", "type "]
            .iter()
            .find_map(|keyword| code.strip_prefix(keyword))?;
        Some(name.chars().take_while(char::is_ascii_alphanumeric).collect::<String>())
    });
    declared.filter(|name| EMPTY_WORDS.iter().any(|word| name.contains(word))).collect()
}

#[test]
fn modules_import_only_what_the_table_allows() {
    let found: Vec<String> = sources("src")
        .iter()
        .filter(|source| !source.is_test)
        .flat_map(|source| {
            let path = source.path.display().to_string();
            forbidden_imports(&source.module(), source.production())
                .into_iter()
                .map(move |what| format!("{path}: {what}"))
        })
        .collect();
    assert!(found.is_empty(), "forbidden imports:\n{}", found.join("\n"));
}

#[test]
fn every_allowed_import_is_used() {
    let mut used: BTreeSet<(String, String)> = BTreeSet::new();
    for source in sources("src").iter().filter(|source| !source.is_test) {
        let names = imported(source.production()).into_iter();
        used.extend(names.map(|name| (source.module(), name)));
    }
    let allowed = MAY_IMPORT.iter().flat_map(|(module, names)| names.iter().map(|n| (*module, *n)));
    let idle: Vec<String> = allowed
        .filter(|(module, name)| !used.contains(&((*module).to_owned(), (*name).to_owned())))
        .map(|(module, name)| format!("{module} does not import {name}: take it out of the table"))
        .collect();
    assert!(idle.is_empty(), "{}", idle.join("\n"));
}

#[test]
fn no_two_modules_import_each_other() {
    let rows = MAY_IMPORT.iter();
    let pairs: BTreeSet<(&str, &str)> =
        rows.flat_map(|(module, names)| names.iter().map(|name| (*module, *name))).collect();
    let circles: Vec<_> =
        pairs.iter().filter(|(a, b)| a < b && pairs.contains(&(*b, *a))).collect();
    assert!(circles.is_empty(), "modules that import each other: {circles:?}");
}

#[test]
fn a_forbidden_import_is_found() {
    assert_eq!(
        forbidden_imports("event", "use crate::cluster::Cluster;"),
        ["event imports cluster"]
    );
    assert_eq!(
        forbidden_imports("event", "// see crate::cluster\nuse crate::clock::Timestamp;"),
        [""; 0]
    );
    assert_eq!(forbidden_imports("novel", ""), ["module novel has no row in the import table"]);
}

#[test]
fn pure_modules_touch_no_socket_clock_or_file() {
    let found: Vec<String> = sources("src")
        .iter()
        .filter(|source| PURE.contains(&source.module().as_str()) && !source.is_test)
        .flat_map(|source| {
            let path = source.path.display().to_string();
            let excused =
                |what: &str| EXCUSED.iter().any(|(file, text, _)| path == *file && what == *text);
            let found = impurities(source.production()).into_iter().filter(|what| !excused(what));
            found.map(|what| format!("{path}: {what}")).collect::<Vec<_>>()
        })
        .collect();
    assert!(found.is_empty(), "impure:\n{}", found.join("\n"));
}

#[test]
fn an_impure_line_is_found() {
    assert_eq!(impurities("let now = std::time::SystemTime::now();"), ["SystemTime"]);
    assert_eq!(impurities("use tokio::time;"), ["tokio::"]);
}

#[test]
fn pure_modules_hold_more_than_half_of_the_code() {
    let lines = |source: &Source| {
        let code = source.production().lines().map(str::trim_start);
        code.filter(|line| !line.is_empty() && !line.starts_with("//")).count()
    };
    let all: Vec<Source> = sources("src").into_iter().filter(|source| !source.is_test).collect();
    let pure: usize = all.iter().filter(|s| PURE.contains(&s.module().as_str())).map(lines).sum();
    let total: usize = all.iter().map(lines).sum();
    assert!(pure * 2 > total, "{pure} of {total} lines are pure");
}

#[test]
fn files_and_functions_keep_their_size() {
    let mut found = Vec::new();
    for source in ["src", "tests", "benches"].into_iter().flat_map(sources) {
        let lines = source.text.lines().count();
        if lines > FILE_LINES_MAX {
            found.push(format!("{}: {lines} lines", source.path.display()));
        }
        let long = long_functions(&source.text);
        found.extend(long.into_iter().map(|what| format!("{}: {what}", source.path.display())));
    }
    assert!(found.is_empty(), "too long:\n{}", found.join("\n"));
}

#[test]
fn a_long_function_is_found() {
    let text = format!("    fn f() {{\n{}    }}\n", "        x();\n".repeat(FUNCTION_LINES_MAX));
    assert_eq!(long_functions(&text).len(), 1);
    let body = "        x();\n".repeat(FUNCTION_LINES_MAX);
    let signature = "    pub(super) async fn f(\n        &self,\n        x: u8,\n    ) -> u8";
    for start in
        [format!("{signature} {{\n"), format!("{signature}\n    where\n        A: B,\n    {{\n")]
    {
        assert_eq!(long_functions(&format!("{start}{body}    }}\n")).len(), 1, "{start}");
    }
    let method_without_body = format!("{signature};\n{body}    }}\n");
    assert_eq!(long_functions(&method_without_body), [""; 0]);
}

#[test]
fn no_type_is_named_by_an_empty_word() {
    let found: Vec<String> = sources("src").iter().flat_map(|s| empty_names(&s.text)).collect();
    assert!(found.is_empty(), "empty names: {found:?}");
    assert_eq!(empty_names("pub struct EventHandler;"), ["EventHandler"]);
}

#[test]
fn every_part_of_the_cluster_is_in_the_table_of_the_architecture() {
    let page = include_str!("../../docs/ARCHITECTURE.md");
    let table = page.split("| In `src/cluster` |").nth(1).unwrap();
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|')).skip(1);
    let cells = rows.map(|row| row.split('|').nth(1).unwrap());
    let told: BTreeSet<&str> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    let code = include_str!("../cluster/mod.rs").split("#[cfg(test)]").next().unwrap();
    let module = |line: &'static str| {
        line.strip_prefix("pub ").unwrap_or(line).strip_prefix("mod ")?.strip_suffix(';')
    };
    let modules: BTreeSet<&str> = code.lines().filter_map(module).collect();
    assert_eq!(told, modules);
}
