//! The repository checks itself: who may import whom, how long files and functions are, words
//! that name nothing, and tables that documents and code share.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Modules and what each may import from this crate. What is not listed is a failure.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("secret", &[]),
    ("event", &["clock"]),
    ("effect", &["event", "clock"]),
    ("failure", &["retry"]),
    ("retry", &["failure"]),
    ("template", &["event", "effect", "clock"]),
    ("integration", &["event", "effect", "failure", "secret", "template", "clock"]),
    ("route", &["event", "effect", "integration", "clock"]),
    (
        "plan",
        &[
            "event",
            "effect",
            "failure",
            "route",
            "template",
            "integration",
            "state_machine",
            "clock",
        ],
    ),
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
            "telemetry",
        ],
    ),
    ("telemetry", &["config", "state_machine", "effect", "failure"]),
    (
        "cluster",
        &["state_machine", "event", "effect", "wire", "telemetry", "config", "secret", "clock"],
    ),
    (
        "delivery",
        &[
            "plan",
            "integration",
            "effect",
            "event",
            "route",
            "failure",
            "retry",
            "state_machine",
            "cluster",
            "telemetry",
            "config",
            "secret",
            "clock",
        ],
    ),
    (
        "api",
        &[
            "event",
            "cluster",
            "state_machine",
            "config",
            "telemetry",
            "delivery",
            "secret",
            "clock",
        ],
    ),
];

/// Modules that know all parts.
const COMPOSITION: &[&str] = &["app", "cli", "config_file", "main", "lib", "demo", "tidy"];

/// Modules without I/O, clock or randomness.
const PURE: &[&str] = &[
    "event",
    "effect",
    "failure",
    "retry",
    "template",
    "route",
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

/// Impurities that are none: (file, text, why).
const EXCUSED: &[(&str, &str, &str)] = &[(
    "src/route/expression.rs",
    "std::thread",
    "the CEL parser needs a deeper stack than callers have: a scoped thread that only computes",
)];

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

/// Words that name nothing (`docs/GLOSSARY.md`), as parts of type or file names.
const EMPTY_WORDS: &[&str] =
    &["Manager", "Helper", "Util", "Common", "Misc", "Handler", "Processor", "Wrapper", "Impl"];

struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// The module under `src/` that the file belongs to.
    fn module(&self) -> String {
        let path = self.path.strip_prefix("src").unwrap_or(&self.path);
        let first = path.iter().next().and_then(|part| part.to_str()).unwrap_or_default();
        first.trim_end_matches(".rs").to_owned()
    }

    fn is_test(&self) -> bool {
        let name = self.path.to_string_lossy();
        name.contains("/tests") || name.ends_with("_test.rs") || name.contains("/testdata/")
    }

    /// The text without its inline tests.
    fn production(&self) -> &str {
        let inline = self.text.find("#[cfg(test)]\nmod ");
        inline.map_or(&self.text, |at| &self.text[..at])
    }
}

fn read_tree(folder: &Path, sources: &mut Vec<Source>) {
    let mut entries: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            read_tree(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            sources.push(Source { path, text });
        }
    }
}

/// All Rust files below `folder`, a path within the package.
fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    if root.join(folder).exists() {
        read_tree(&root.join(folder), &mut sources);
    }
    for source in &mut sources {
        source.path = source.path.strip_prefix(root).unwrap().to_owned();
    }
    sources
}

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

/// Why these imports are against the table.
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

/// Whether a function begins with this line, whatever it is allowed and visible to.
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
        // A signature may take several lines, and that of a trait has no body.
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
        .filter(|source| !source.is_test())
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
        .filter(|source| PURE.contains(&source.module().as_str()) && !source.is_test())
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
    let all: Vec<Source> = sources("src").into_iter().filter(|source| !source.is_test()).collect();
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

const TESTING: &str = include_str!("../docs/TESTING.md");

/// A deliberate fault: its name, what it breaks, and the tests that have to notice.
type Fault = (String, String, Vec<String>);

/// Reads a patch of `tests/faults`.
fn fault(name: &str, patch: &str) -> Fault {
    let told = |key: &str| {
        let lines = patch.lines().take_while(|line| !line.starts_with("---"));
        lines.filter_map(|line| line.strip_prefix(key)).map(str::to_owned).collect::<Vec<_>>()
    };
    (name.to_owned(), told("# fault: ").join(" "), told("# caught by: "))
}

fn faults() -> Vec<Fault> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        fault(&name, &std::fs::read_to_string(path).unwrap())
    };
    let mut faults: Vec<Fault> = files.map(read).collect();
    faults.sort();
    faults
}

#[test]
fn every_deliberate_fault_is_in_the_table_as_its_patch_tells_it() {
    let row = |(name, broken, tests): &Fault| {
        let tests: Vec<String> = tests.iter().map(|test| format!("`{test}`")).collect();
        format!("| `{name}` | {broken} | {} |", tests.join(", "))
    };
    let faults: Vec<String> = faults().iter().map(row).collect();
    let table = TESTING.split("| Fault |").nth(1).unwrap();
    let mut told: Vec<&str> = table.lines().filter(|line| line.starts_with("| `")).collect();
    told.sort_unstable();
    assert_eq!(told, faults);
}

#[test]
fn every_test_that_has_to_catch_a_fault_exists() {
    let sources = sources("src");
    for (name, _, tests) in faults() {
        assert!(!tests.is_empty(), "{name} names no test");
        for test in tests {
            let function = format!("fn {}()", test.rsplit("::").next().unwrap_or_default());
            let is_there = sources.iter().any(|source| source.text.contains(&function));
            assert!(is_there, "{name}: there is no test {test}");
        }
    }
}

#[test]
fn every_part_of_the_cluster_is_in_the_table_of_the_architecture() {
    let page = include_str!("../docs/ARCHITECTURE.md");
    let table = page.split("| In `src/cluster` |").nth(1).unwrap();
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|')).skip(1);
    let cells = rows.map(|row| row.split('|').nth(1).unwrap());
    let told: BTreeSet<&str> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    let code = include_str!("cluster/mod.rs").split("#[cfg(test)]").next().unwrap();
    let module = |line: &'static str| {
        line.strip_prefix("pub ").unwrap_or(line).strip_prefix("mod ")?.strip_suffix(';')
    };
    let modules: BTreeSet<&str> = code.lines().filter_map(module).collect();
    assert_eq!(told, modules);
}
