//! Promises and rules: `docs/RULES.md` has every number that code, tests and documents cite, and a
//! test checks each of them.

use super::{Source, files, sources};
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};

const PAGE: &str = include_str!("../../docs/RULES.md");

/// Numbered paragraphs of one section of a page, each with its number.
fn numbered(page: &str, section: &str) -> BTreeMap<u32, String> {
    let section = page.split("\n## ").find(|part| part.starts_with(section)).unwrap_or_default();
    let mut found = BTreeMap::new();
    let mut last = None;
    for line in section.lines() {
        let start = line.split_once(". **").and_then(|(number, _)| number.parse().ok());
        match (start, last) {
            (Some(number), _) => {
                let earlier = found.insert(number, line.to_owned());
                assert_eq!(earlier, None, "{number} is there twice");
                last = Some(number);
            }
            (None, Some(number)) if line.starts_with("  ") => {
                let text = found.entry(number).or_default();
                text.push(' ');
                text.push_str(line.trim());
            }
            _ => {}
        }
    }
    found
}

/// Finds the numbers after a word in a text: `rule 3`, `rules 8 to 10`, `rules 2, 3 and 7`, also
/// across lines of a comment, and as the prefix of a test name.
struct Citations {
    list: Regex,
    part: Regex,
    name: Regex,
}

impl Citations {
    fn of(word: &str) -> Self {
        let gap = r"(?:[\s/!*]+)";
        let joint = format!(r"(?:,{gap}?(?:and{gap})?|{gap}and{gap}|{gap}to{gap}|-)");
        let regex = |pattern: String| Regex::new(&pattern).unwrap();
        Self {
            list: regex(format!(r"(?i)\b{word}s?{gap}(\d+(?:{joint}\d+)*)\b")),
            part: regex(format!(r"({joint})?(\d+)")),
            name: regex(format!(r"\bfn {word}_(\d+)_")),
        }
    }

    fn in_text(&self, text: &str) -> BTreeSet<u32> {
        let mut found = BTreeSet::new();
        for list in self.list.captures_iter(text) {
            let mut last = 0;
            for part in self.part.captures_iter(&list[1]) {
                let number = part[2].parse().unwrap();
                let joint = part.get(1).map_or("", |joint| joint.as_str());
                let is_range = joint == "-" || joint.contains("to");
                found.extend(if is_range { last..=number } else { number..=number });
                last = number;
            }
        }
        found.extend(self.name.captures_iter(text).map(|name| name[1].parse::<u32>().unwrap()));
        found
    }
}

/// All texts of the repository that may cite a rule.
fn citing() -> Vec<Source> {
    let folders = ["src", "tests", "benches", "docs", "proto", "deploy", "examples"];
    let extensions = ["rs", "md", "proto", "yaml"];
    folders.into_iter().flat_map(|folder| files(folder, &extensions)).collect()
}

/// Test functions, and the files of the scenarios, invariants and process tests, by name.
fn tests() -> BTreeSet<String> {
    let function = Regex::new(r"\bfn (\w+)\(").unwrap();
    let mut names = BTreeSet::new();
    for source in ["src", "tests"].into_iter().flat_map(sources) {
        names.extend(function.captures_iter(&source.text).map(|name| name[1].to_owned()));
        if source.path.starts_with("tests") {
            names.extend(source.path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    names
}

/// The names after `Held by`.
fn holders(paragraph: &str) -> Vec<&str> {
    let held_by = paragraph.split_once("Held by ").map_or("", |(_, names)| names);
    held_by.split('`').skip(1).step_by(2).collect()
}

#[test]
fn rules_and_promises_are_numbered_without_gaps() {
    let numbers = |section| numbered(PAGE, section).into_keys().collect::<Vec<u32>>();
    assert_eq!(numbers("Rules"), (1..=30).collect::<Vec<_>>());
    assert_eq!(numbers("Promises"), (1..=11).collect::<Vec<_>>());
}

#[test]
fn every_cited_rule_and_promise_is_on_the_page() {
    let (texts, mut missing) = (citing(), Vec::new());
    for (word, section) in [("rule", "Rules"), ("promise", "Promises")] {
        let (known, citations) = (numbered(PAGE, section), Citations::of(word));
        for source in &texts {
            let cited = citations.in_text(&source.text);
            let unknown = cited.into_iter().filter(|number| !known.contains_key(number));
            missing.extend(unknown.map(|n| format!("{}: {word} {n}", source.path.display())));
        }
    }
    assert!(missing.is_empty(), "not in docs/RULES.md:\n{}", missing.join("\n"));
}

#[test]
fn a_citation_is_found_in_each_of_its_forms() {
    let citations = Citations::of("rule");
    let numbers = |text: &str| citations.in_text(text).into_iter().collect::<Vec<_>>();
    assert_eq!(numbers("(rule 22)"), [22]);
    assert_eq!(numbers("Rules 2 and 3: taking over"), [2, 3]);
    assert_eq!(numbers("(rules 2, 3, 7)"), [2, 3, 7]);
    assert_eq!(numbers("(rules 8 to 10) and the rules 28-30"), [8, 9, 10, 28, 29, 30]);
    assert_eq!(numbers("one summary (rules 10,\n//! 11)"), [10, 11]);
    assert_eq!(numbers(&format!("    fn rule_{}_no_such_rule() {{", 31)), [31]);
    assert_eq!(numbers("a rule that 3 tests hold, overrule 4"), [0; 0]);
}

#[test]
fn every_rule_and_promise_has_a_test() {
    let tests = tests();
    let mut missing = Vec::new();
    for (number, text) in numbered(PAGE, "Rules") {
        let prefix = format!("rule_{number:02}_");
        let has_own = tests.iter().any(|test| test.starts_with(&prefix));
        if !has_own && holders(&text).is_empty() {
            missing.push(format!("rule {number} has no test {prefix}... and names no other"));
        }
        let gone = holders(&text).into_iter().filter(|name| !tests.contains(*name));
        missing.extend(gone.map(|name| format!("rule {number}: there is no test {name}")));
    }
    for (number, text) in numbered(PAGE, "Promises") {
        if holders(&text).is_empty() {
            missing.push(format!("promise {number} names no test"));
        }
        let gone = holders(&text).into_iter().filter(|name| !tests.contains(*name));
        missing.extend(gone.map(|name| format!("promise {number}: there is no test {name}")));
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn a_paragraph_ends_with_the_next_number_or_the_section() {
    let page = "# Page\n\n## Rules\n\n1. **One.** First\n   line. Held by `a`, `b`.\n2. **Two.**\n\n## More\n3. **Three.**\n";
    let rules = numbered(page, "Rules");
    assert_eq!(rules.keys().copied().collect::<Vec<_>>(), [1, 2]);
    assert_eq!(holders(&rules[&1]), ["a", "b"]);
    assert_eq!(holders(&rules[&2]), [""; 0]);
}
