//! The deliberate faults of `tests/faults`: the table of `docs/TESTING.md`, and the tests that must
//! catch them.

use super::sources;
use std::path::{Path, PathBuf};

const TESTING: &str = include_str!("../../docs/TESTING.md");

/// A deliberate fault: its name, what it breaks, and the tests that must catch it.
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
