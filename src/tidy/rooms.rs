//! The rooms of `src/cluster`, and the imports between them.

use super::sources::{Source, sources};
use regex::Regex;
use std::collections::BTreeSet;

/// Rooms, from the ground up, and what each may import from the others. A room imports only rooms
/// above it in this list; anything that is not listed is a failure.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("data_dir", &[]),
    ("secrets", &[]),
    ("membership", &["data_dir"]),
    ("transport", &["data_dir", "secrets"]),
    ("gossip", &["data_dir", "secrets"]),
    ("raft", &["data_dir", "transport"]),
    ("fatal", &["data_dir", "gossip", "raft", "transport"]),
    ("health", &["raft", "transport"]),
    ("security", &["gossip", "secrets", "transport"]),
    ("options", &["data_dir", "gossip", "security"]),
    ("proposal", &["raft", "transport"]),
    ("spool", &["data_dir", "fatal", "options", "proposal"]),
    ("view", &["data_dir", "gossip", "membership", "raft", "transport"]),
    (
        "member",
        &[
            "data_dir",
            "fatal",
            "gossip",
            "health",
            "proposal",
            "raft",
            "spool",
            "transport",
            "view",
        ],
    ),
    ("checks", &["fatal", "health", "member", "proposal", "raft", "transport"]),
    (
        "leader",
        &[
            "data_dir",
            "gossip",
            "health",
            "member",
            "membership",
            "proposal",
            "raft",
            "transport",
            "view",
        ],
    ),
    ("bootstrap", &["data_dir", "fatal", "gossip", "member", "membership", "raft", "transport"]),
    ("handle", &["data_dir", "fatal", "health", "member", "proposal", "raft", "spool", "view"]),
    ("accept", &["handle", "proposal", "spool"]),
    ("configure", &["handle", "member", "proposal"]),
    (
        "shutdown",
        &[
            "checks",
            "data_dir",
            "fatal",
            "gossip",
            "handle",
            "member",
            "membership",
            "raft",
            "transport",
        ],
    ),
    (
        "operator",
        &[
            "data_dir",
            "handle",
            "leader",
            "member",
            "membership",
            "proposal",
            "raft",
            "shutdown",
            "transport",
        ],
    ),
    ("peer_service", &["checks", "fatal", "member", "proposal", "raft", "transport", "view"]),
    (
        "start",
        &[
            "bootstrap",
            "checks",
            "data_dir",
            "fatal",
            "gossip",
            "handle",
            "health",
            "leader",
            "member",
            "options",
            "proposal",
            "raft",
            "secrets",
            "security",
            "shutdown",
            "spool",
            "transport",
        ],
    ),
];

/// The parts of a path below `src/cluster`, without `mod`.
fn place(source: &Source) -> Vec<String> {
    let path = source.path.strip_prefix("src/cluster").unwrap().with_extension("");
    let parts = path.iter().map(|part| part.to_string_lossy().into_owned());
    parts.filter(|part| part != "mod").collect()
}

/// The first name of each path in a use tree: `a::b`, or `{a::{b, c}, d}`.
fn heads(tree: &str) -> Vec<String> {
    let name = |text: &str| text.trim_start().chars().take_while(|c| is_of_name(*c)).collect();
    let Some(list) = tree.strip_prefix('{') else { return vec![name(tree)] };
    let (mut depth, mut heads, mut start) = (0, Vec::new(), 0);
    for (at, letter) in list.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                heads.push(name(&list[start..at]));
                start = at + 1;
            }
            _ => {}
        }
        if letter == '}' && start == at + 1 {
            break;
        }
    }
    heads.retain(|head: &String| !head.is_empty());
    heads
}

fn is_of_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// What a text `depth` modules below `cluster` imports from it.
fn imported(text: &str, depth: usize) -> BTreeSet<String> {
    let visibility = Regex::new(r"pub\(in [^)]*\)").unwrap();
    let code: Vec<&str> =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = visibility.replace_all(&code.join("\n"), "pub").into_owned();
    let path = Regex::new(r"(?:crate::cluster::|(?:\bsuper::)+)").unwrap();
    let mut found = BTreeSet::new();
    for prefix in path.find_iter(&code) {
        let is_of_root = prefix.as_str().starts_with("crate")
            || prefix.as_str().matches("super").count() == depth;
        if is_of_root {
            found.extend(heads(&code[prefix.end()..]));
        }
    }
    found
}

/// Why these imports violate the table.
fn forbidden(place: &[&str], text: &str) -> Vec<String> {
    let room = place[0];
    let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == room) else {
        return vec![format!("room {room} has no row in the import table")];
    };
    imported(text, place.len())
        .into_iter()
        .filter(|name| name != room && !allowed.contains(&name.as_str()))
        .map(|name| format!("{room} imports {name}"))
        .collect()
}

/// Files of the rooms in the product, without the root, which exports.
fn production() -> Vec<Source> {
    let files = sources("src/cluster").into_iter().filter(|source| !source.is_test);
    files.filter(|source| !place(source).is_empty()).collect()
}

#[test]
fn rooms_of_the_cluster_import_only_what_the_table_allows() {
    let mut found = Vec::new();
    for source in production() {
        let place = place(&source);
        let place: Vec<&str> = place.iter().map(String::as_str).collect();
        let wrong = forbidden(&place, source.production()).into_iter();
        found.extend(wrong.map(|what| format!("{}: {what}", source.path.display())));
    }
    assert!(found.is_empty(), "forbidden imports:\n{}", found.join("\n"));
}

#[test]
fn a_forbidden_import_of_a_room_is_found_in_each_of_its_forms() {
    let wrong = ["raft imports member"];
    assert_eq!(forbidden(&["raft", "node"], "use crate::cluster::member::Member;"), wrong);
    assert_eq!(forbidden(&["raft", "node"], "use super::super::member::Member;"), wrong);
    assert_eq!(forbidden(&["raft"], "fn f(m: &super::member::Member) {}"), wrong);
    let list = "use super::{\n    data_dir::{durable, files},\n    member::{Member, Own},\n};";
    assert_eq!(forbidden(&["raft"], list), wrong);
    let past_the_root = "use crate::cluster::{Cluster, transport};";
    assert_eq!(forbidden(&["raft", "node"], past_the_root), ["raft imports Cluster"]);
    assert_eq!(forbidden(&["attic"], ""), ["room attic has no row in the import table"]);
    for right in [
        "pub(in crate::cluster) use super::member::ChangeError;",
        "// see crate::cluster::member",
        "use crate::cluster::transport::Peers;",
        "use crate::cluster::raft::types::LogId;",
    ] {
        assert_eq!(forbidden(&["raft", "node"], right), [""; 0], "{right}");
    }
}

#[test]
fn every_room_stands_on_rooms_above_it_in_the_table_and_uses_each_of_them() {
    let files = production();
    let mut below = BTreeSet::new();
    for (room, allowed) in MAY_IMPORT {
        for name in *allowed {
            assert!(below.contains(name), "{room} stands on {name}, which comes later");
        }
        below.insert(*room);
        let of_room = files.iter().filter(|source| place(source)[0] == **room);
        let used: BTreeSet<String> =
            of_room.flat_map(|file| imported(file.production(), place(file).len())).collect();
        let unused: Vec<_> = allowed.iter().filter(|name| !used.contains(**name)).collect();
        assert!(unused.is_empty(), "{room} imports nothing of {unused:?}");
        assert!(!used.is_empty() || files.iter().any(|f| place(f)[0] == **room), "no room {room}");
    }
}
