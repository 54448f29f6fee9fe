//! The bytes of log entries, answers and snapshots (rule 22).

use super::full_state::{full_state, second_state};
use super::sample::{all_answers, all_commands, second_commands};
use super::{
    decode_answers, decode_entry, decode_state, encode_answers, encode_entry, encode_state,
};
use crate::clock::Timestamp;
use crate::golden::{Case, kind_of, snapshot_records};
use crate::state_machine::{Applied, Command, Entry};
use std::collections::{BTreeMap, BTreeSet};

const AT: Timestamp = Timestamp(1_790_000_000_123);

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = entries();
    cases.extend(answers());
    let (state, shown) =
        (full_state(), |bytes: &[u8]| decode_state(bytes).map(|state| format!("{state:?}")));
    cases.push(Case::new("snapshot/state", format!("{state:?}"), encode_state(&state), shown));
    let state = second_state();
    let text = format!("{state:?}");
    cases.push(Case::new("snapshot/second-level", text, encode_state(&state), shown));
    cases
}

fn entry(name: String, at: Timestamp, commands: Vec<Command>) -> Case {
    let entry = Entry { at, commands };
    let bytes = encode_entry(&entry);
    Case::new(format!("log/{name}"), entry, bytes, decode_entry)
}

/// An entry for each sample; later ones of a kind have a number.
fn entries() -> Vec<Case> {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let mut cases = Vec::new();
    for command in all_commands().into_iter().chain(second_commands()) {
        let kind = kind_of(&command);
        let count = seen.entry(kind.clone()).or_default();
        *count += 1;
        let name = if *count == 1 { kind } else { format!("{kind}-{count}") };
        cases.push(entry(name, AT, vec![command]));
    }
    let several = || vec![Command::Tick, Command::Checkpoint, Command::Tick];
    cases.push(entry("several-commands".to_owned(), AT, several()));
    cases.push(entry("without-a-stamp".to_owned(), Timestamp::UNKNOWN, several()));
    cases.push(entry("without-commands".to_owned(), AT, Vec::new()));
    cases
}

/// All samples of a kind as one list.
fn answers() -> Vec<Case> {
    let mut kinds: BTreeMap<String, Vec<Applied>> = BTreeMap::new();
    for answer in all_answers() {
        kinds.entry(kind_of(&answer)).or_default().push(answer);
    }
    let case = |(kind, answers): (String, Vec<Applied>)| {
        let bytes = encode_answers(&answers);
        Case::new(format!("answers/{kind}"), answers, bytes, decode_answers)
    };
    kinds.into_iter().map(case).collect()
}

#[test]
fn rule_22_the_snapshot_of_the_release_has_every_kind_of_record() {
    let bytes = encode_state(&full_state());
    let mut rest = &bytes[2..];
    let mut fields = BTreeSet::new();
    while !rest.is_empty() {
        let length = prost::decode_length_delimiter(&mut rest).unwrap();
        let (record, after) = rest.split_at(length);
        let key = prost::encoding::decode_varint(&mut &record[..]).unwrap();
        fields.insert(key >> 3);
        rest = after;
    }
    // Absent at the first level, which the sample has.
    let absent = ["level", "owed-repair"];
    assert_eq!(fields.len(), snapshot_records().len() - absent.len(), "{fields:?}");
}
