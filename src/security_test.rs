//! `docs/SECURITY.md` names each hole once, and only tests that exist.

use std::collections::BTreeSet;
use std::path::Path;

const PAGE: &str = include_str!("../docs/SECURITY.md");

/// The holes, in the order of the page. S22 was never assigned.
const HOLES: [&str; 27] = [
    "S1a", "S1b", "S1c", "S2", "S3", "S4", "S5", "S6", "S7", "S8a", "S8b", "S8c", "S9", "S10",
    "S11", "S12", "S13", "S14", "S15", "S16", "S17", "S18", "S19", "S20", "S21", "S23", "S24",
];

/// A row of the table: hole, attack, what happens now, tests.
fn rows() -> Vec<[&'static str; 4]> {
    let rows = PAGE.lines().filter(|line| line.starts_with("| S"));
    rows.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        <[&str; 4]>::try_from(cells).unwrap_or_else(|cells| panic!("{cells:?}"))
    })
    .collect()
}

/// The names in backticks.
fn named(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// The text of every source below a folder of the package.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text += &sources(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text += &std::fs::read_to_string(path).unwrap();
        }
    }
    text
}

fn all_sources() -> String {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    sources(&package.join("src")) + &sources(&package.join("tests"))
}

#[test]
fn every_hole_has_a_row() {
    let holes: Vec<&str> = rows().into_iter().map(|[hole, ..]| hole).collect();
    assert_eq!(holes, HOLES);
}

#[test]
fn every_test_that_a_row_names_exists_and_carries_the_number_of_the_hole() {
    let sources = all_sources();
    for [hole, _, _, tests] in rows() {
        let number = hole.trim_start_matches('S');
        let (digits, letter) = number.split_at(number.trim_end_matches(char::is_alphabetic).len());
        // A test may be about all holes of a number.
        let prefixes = [format!("s{digits:0>2}_"), format!("s{digits:0>2}{letter}_")];
        for test in named(tests) {
            let is_numbered = prefixes.iter().any(|prefix| test.starts_with(prefix));
            assert!(is_numbered, "{hole}: {test}");
            assert!(sources.contains(&format!("fn {test}(")), "{hole}: there is no {test}");
        }
    }
}

#[test]
fn a_row_without_a_test_says_that_it_is_open() {
    for [hole, _, now, tests] in rows() {
        assert_eq!(now == "open", named(tests).next().is_none(), "{hole}");
    }
}

#[test]
fn no_test_is_named_twice() {
    let all: Vec<&str> = rows().into_iter().flat_map(|[.., tests]| named(tests)).collect();
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{all:?}");
}
