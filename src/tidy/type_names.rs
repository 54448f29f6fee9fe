//! One name for one thing: two types of the crate share no name, unless private to their files.

use super::sources::sources;
use std::collections::BTreeMap;

/// Names of several types, and how many. This list only shrinks.
const SHARED: &[(&str, usize)] = &[("Call", 2), ("Peer", 2), ("Place", 2), ("Problem", 2)];

/// Names of the types that a text declares for other files.
fn declared(text: &str) -> Vec<String> {
    let name = |line: &str| {
        let code = line.trim_start().strip_prefix("pub")?;
        let code = match code.strip_prefix('(') {
            Some(place) => place.split_once(')')?.1,
            None => code,
        };
        let kinds = [" struct ", " enum ", " trait ", " type ", " union "];
        let rest = kinds.iter().find_map(|kind| code.strip_prefix(kind))?;
        Some(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
    };
    text.lines().filter_map(name).collect()
}

/// Every name that several files declare, with the files.
fn shared() -> BTreeMap<String, Vec<String>> {
    let mut files: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for source in sources("src").into_iter().filter(|source| !source.is_test) {
        for name in declared(source.production()) {
            files.entry(name).or_default().push(source.path.display().to_string());
        }
    }
    files.retain(|_, files| files.len() > 1);
    files
}

#[test]
fn no_two_types_share_a_name() {
    let allowed = |name: &str| SHARED.iter().find(|(known, _)| *known == name).map(|(_, n)| *n);
    let found: Vec<String> = shared()
        .into_iter()
        .filter(|(name, files)| allowed(name).is_none_or(|allowed| files.len() > allowed))
        .map(|(name, files)| format!("{name}: {}", files.join(", ")))
        .collect();
    assert!(found.is_empty(), "names of more than one type:\n{}", found.join("\n"));
}

#[test]
fn a_declared_type_is_found_unless_private_to_its_file() {
    let text =
        "pub struct A;\n    pub(super) enum B {}\nstruct C;\npub(in crate::x) type D = u8;\n";
    assert_eq!(declared(text), ["A", "B", "D"]);
}
