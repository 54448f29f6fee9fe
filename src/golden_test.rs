//! The bytes of every release still decode to their original meaning, and this build writes its own
//! bytes (rule 22). The files are in `tests/golden`; its README says how they are made.
//!
//! One case for each kind of message or record. Code with a private type lists its cases in a
//! `golden` module of its own, and the tests below read all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Once;

/// Returns what is wrong with bytes that encode a value.
type Check = Box<dyn Fn(&[u8]) -> Result<(), String>>;

/// One value, and its bytes as this build writes them.
pub(crate) struct Case {
    /// Folder and file below the folder of a release, without the ending. A name means one value
    /// for ever: a message that gains a field gets another case, in which the field has a value.
    name: String,
    bytes: Vec<u8>,
    /// Whether equal values must give equal bytes.
    is_exact: bool,
    check: Check,
}

impl Case {
    /// `read` is the product's decoder for these bytes.
    pub(crate) fn new<T, E>(
        name: impl Into<String>,
        value: T,
        bytes: Vec<u8>,
        read: impl Fn(&[u8]) -> Result<T, E> + 'static,
    ) -> Self
    where
        T: PartialEq + Debug + 'static,
        E: Debug,
    {
        let check = move |bytes: &[u8]| match read(bytes) {
            Ok(found) if found == value => Ok(()),
            Ok(found) => Err(format!("means another thing:\n{found:?}\nexpected:\n{value:?}")),
            Err(error) => Err(format!("is not read: {error:?}")),
        };
        Self { name: name.into(), bytes, is_exact: true, check: Box::new(check) }
    }

    /// A message that is read and written without conversion.
    pub(crate) fn message<M>(name: impl Into<String>, message: M) -> Self
    where
        M: prost::Message + Default + PartialEq + Debug + 'static,
    {
        let bytes = message.encode_to_vec();
        Self::new(name, message, bytes, |bytes| M::decode(bytes))
    }

    /// Allows other bytes for the same value.
    pub(crate) fn inexact(self) -> Self {
        Self { is_exact: false, ..self }
    }

    fn file(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.{ENDING}", self.name))
    }
}

/// The name of a variant in the names of cases: `RaiseLevel { .. }` is `raise-level`.
pub(crate) fn kind_of(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    let end = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
    kebab(&text[..end])
}

/// `RaiseLevel`, `raise_level` and `RAISE_LEVEL` are all `raise-level`.
pub(crate) fn kebab(name: &str) -> String {
    if name.chars().all(|c| !c.is_ascii_lowercase()) {
        return name.to_ascii_lowercase().replace('_', "-");
    }
    let mut kebab = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.push(if letter == '_' { '-' } else { letter.to_ascii_lowercase() });
    }
    kebab
}

const ENDING: &str = "bin";
/// If set to 1, the tests write files that the release of this build lacks.
const WRITE: &str = "RELAY_WRITE_GOLDEN";

fn releases_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// The folder of this build's version. No other one is ever written.
fn own_folder() -> PathBuf {
    releases_folder().join(env!("CARGO_PKG_VERSION"))
}

/// All cases. Writes missing files first, if asked to.
fn cases() -> Vec<Case> {
    static WRITTEN: Once = Once::new();
    let mut cases = crate::wire::golden::cases();
    cases.extend(crate::cluster::golden::cases());
    WRITTEN.call_once(|| {
        if std::env::var_os(WRITE).is_some_and(|value| value == "1") {
            write_missing(&own_folder(), &cases);
        }
    });
    cases
}

/// All files below a folder, as names of cases.
fn names_in(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            found.extend(names_in(&path).into_iter().map(|below| format!("{name}/{below}")));
        } else {
            assert!(path.extension().is_some_and(|it| it == ENDING), "{}", path.display());
            found.insert(name);
        }
    }
    found
}

fn releases() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(releases_folder()).unwrap();
    let mut folders: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    folders.retain(|path| path.is_dir());
    folders.sort();
    folders
}

/// What is wrong with the files of one release.
fn misread(folder: &Path, cases: &[Case]) -> Vec<String> {
    let known: BTreeMap<&str, &Case> =
        cases.iter().map(|case| (case.name.as_str(), case)).collect();
    let mut wrong = Vec::new();
    for name in names_in(folder) {
        let Some(case) = known.get(name.as_str()) else {
            wrong.push(format!("{name}: no case reads it"));
            continue;
        };
        let bytes = std::fs::read(case.file(folder)).unwrap();
        wrong.extend((case.check)(&bytes).err().map(|error| format!("{name} {error}")));
    }
    wrong
}

/// Writes the files that `folder` lacks. Existing files stay unchanged, whatever they hold.
fn write_missing(folder: &Path, cases: &[Case]) {
    for case in cases {
        let path = case.file(folder);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        match File::create_new(&path) {
            Ok(mut file) => file.write_all(&case.bytes).unwrap(),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => panic!("{}: {error}", path.display()),
        }
    }
}

/// Names of cases whose bytes in `folder` are missing or differ from what this build writes.
fn rewritten(folder: &Path, cases: &[Case]) -> Vec<String> {
    let differs = |case: &&Case| match std::fs::read(case.file(folder)) {
        Ok(bytes) => case.is_exact && bytes != case.bytes,
        Err(_) => true,
    };
    cases.iter().filter(differs).map(|case| case.name.clone()).collect()
}

#[test]
fn rule_22_the_bytes_of_every_release_mean_what_they_meant() {
    let (cases, releases) = (cases(), releases());
    assert!(!releases.is_empty());
    for folder in releases {
        let wrong = misread(&folder, &cases);
        assert!(wrong.is_empty(), "{}:\n{}", folder.display(), wrong.join("\n"));
    }
}

#[test]
fn rule_22_this_build_writes_the_bytes_of_its_release() {
    let (cases, folder) = (cases(), own_folder());
    let wrong = rewritten(&folder, &cases);
    let told = format!("{}: see tests/golden/README.md", wrong.join(" "));
    assert!(wrong.is_empty(), "missing or other bytes in {}: {told}", folder.display());
}

#[test]
fn rule_22_every_kind_of_the_schemas_has_its_bytes() {
    let cases = cases();
    let names: BTreeSet<String> = cases.iter().map(|case| case.name.clone()).collect();
    assert_eq!(names.len(), cases.len(), "a name stands for one value");
    let required = schema::kinds();
    assert!(required.len() > 60 && required.contains("log/raise-level"), "{required:?}");
    let lacking: Vec<_> = required.difference(&names).collect();
    assert!(lacking.is_empty(), "kinds without a case: {lacking:?}");
}

#[test]
fn rule_22_a_file_of_a_release_is_never_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let case = |byte: u8| {
        let read = |bytes: &[u8]| bytes.first().copied().ok_or("empty");
        Case::new("raft/vote", byte, vec![byte], read)
    };
    write_missing(folder.path(), &[case(1)]);
    write_missing(folder.path(), &[case(2)]);
    assert_eq!(std::fs::read(folder.path().join("raft/vote.bin")).unwrap(), [1]);
    assert_eq!(rewritten(folder.path(), &[case(1)]), [""; 0]);
    assert_eq!(rewritten(folder.path(), &[case(2)]), ["raft/vote"]);
    assert_eq!(rewritten(folder.path(), &[case(2).inexact()]), [""; 0]);
}

#[test]
fn rule_22_bytes_that_mean_another_thing_or_are_read_by_nobody_are_found() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.bin"), [2]).unwrap();
    std::fs::write(folder.path().join("b.bin"), []).unwrap();
    std::fs::write(folder.path().join("c.bin"), []).unwrap();
    let read = |bytes: &[u8]| bytes.first().copied().ok_or("empty");
    let cases = ["a", "b"].map(|name| Case::new(name, 1_u8, vec![1], read));
    let wrong = misread(folder.path(), &cases);
    assert_eq!(wrong[0], "a means another thing:\n2\nexpected:\n1");
    assert_eq!(wrong[1..], ["b is not read: \"empty\"", "c: no case reads it"]);
}

#[test]
fn kinds_are_named_alike_in_code_and_schemas() {
    for name in ["RaiseLevel", "raise_level", "RAISE_LEVEL"] {
        assert_eq!(kebab(name), "raise-level");
    }
    assert_eq!(kind_of(&Some(1)), "some");
    assert_eq!(kind_of(&crate::state_machine::Command::Tick), "tick");
}

/// What `proto/` defines, read from the files themselves: a new command or message fails the tests
/// until it has its bytes.
mod schema {
    use super::kebab;
    use std::collections::BTreeSet;

    const LOG: &str = include_str!("../proto/relay/v1/log.proto");
    const ANSWER: &str = include_str!("../proto/relay/v1/answer.proto");
    const RAFT: &str = include_str!("../proto/relay/v1/raft.proto");
    const PEER: &str = include_str!("../proto/relay/v1/peer.proto");
    const SNAPSHOT: &str = include_str!("../proto/relay/v1/snapshot.proto");

    /// Messages that occur only inside others.
    const PARTS: [&str; 9] = [
        "Member",
        "VoterSet",
        "Membership",
        "MemberView",
        "Lacking",
        "Reach",
        "Failing",
        "StateDigest",
        "MemberDigest",
    ];
    /// What a reader turns an unknown value into; no encoder writes it.
    const UNKNOWN: &str = "UNKNOWN";

    /// A message at the top level of a schema, with its lines.
    struct Message<'s> {
        name: &'s str,
        body: &'s str,
    }

    fn messages(schema: &str) -> Vec<Message<'_>> {
        schema.split("\nmessage ").skip(1).map(message).collect()
    }

    /// Reads the message after the keyword.
    fn message(text: &str) -> Message<'_> {
        let (name, rest) = text.split_once(" {").unwrap();
        // An empty message ends in its first line.
        let end = if rest.starts_with('}') { 0 } else { rest.find("\n}").unwrap() };
        Message { name, body: &rest[..end] }
    }

    /// The names before ` = N;` in the block that `start` begins.
    fn listed(body: &str, start: &str) -> Vec<String> {
        let Some((_, block)) = body.split_once(start) else { return Vec::new() };
        let block = &block[..block.find("\n  }").unwrap()];
        let fields = block.lines().filter_map(|line| line.split_once(" = "));
        fields.map(|(field, _)| field.split_whitespace().next_back().unwrap().to_owned()).collect()
    }

    fn alternatives(schema: &str, message: &str) -> Vec<String> {
        let found = messages(schema).into_iter().find(|known| known.name == message).unwrap();
        listed(found.body, "\n  oneof ")
    }

    /// The kinds of records in a snapshot.
    pub(crate) fn snapshot_records() -> Vec<String> {
        alternatives(SNAPSHOT, "SnapshotRecord")
    }

    /// The names of the cases that must exist.
    pub(super) fn kinds() -> BTreeSet<String> {
        let mut kinds = BTreeSet::new();
        for (folder, schema, message) in [("log", LOG, "Command"), ("answers", ANSWER, "Answer")] {
            let kind = |field: String| format!("{folder}/{}", kebab(&field));
            kinds.extend(alternatives(schema, message).into_iter().map(kind));
        }
        for (folder, schema) in [("raft", RAFT), ("peer", PEER)] {
            for Message { name, body } in messages(schema) {
                if PARTS.contains(&name) {
                    continue;
                }
                let whole = format!("{folder}/{}", kebab(name));
                let mut variants = listed(body, "\n  oneof ");
                variants.extend(listed(body, "\n  enum "));
                variants.retain(|variant| variant != UNKNOWN);
                if variants.is_empty() {
                    kinds.insert(whole);
                } else {
                    kinds.extend(variants.iter().map(|it| format!("{whole}-{}", kebab(it))));
                }
            }
        }
        kinds
    }

    #[test]
    fn a_schema_is_read_with_its_alternatives_and_empty_messages() {
        let text = "syntax;\n\nmessage Empty {}\nmessage Either {\n  uint64 a = 1;\n  oneof kind {\n    \
                    // Why.\n    bool one_more = 2;\n  }\n}\nmessage Told {\n  enum Kind {\n    NONE = 0;\n  \
                    }\n}\n";
        let names: Vec<_> = messages(text).iter().map(|message| message.name).collect();
        assert_eq!(names, ["Empty", "Either", "Told"]);
        assert_eq!(alternatives(text, "Either"), ["one_more"]);
        assert_eq!(alternatives(text, "Empty"), [""; 0]);
        assert_eq!(listed(messages(text)[2].body, "\n  enum "), ["NONE"]);
    }
}

pub(crate) use schema::snapshot_records;
