//! Every command comes back unchanged, and an entry with unknown parts is refused.

use super::*;
use crate::event::{Key, RunEvent};
use crate::state_machine::{FEATURE_LEVEL, FeatureLevel};
use crate::wire::sample::{all_commands, full_event};
use std::collections::HashSet;

fn entry(commands: Vec<Command>) -> Entry {
    Entry { at: Timestamp(1_790_000_000_123), commands }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of an entry after a change that the encoder never makes.
fn changed(commands: Vec<Command>, change: impl FnOnce(&mut proto::Entry)) -> Vec<u8> {
    let mut message = to_entry(&entry(commands));
    change(&mut message);
    [&Kind::Entry.header()[..], &message.encode_to_vec()].concat()
}

/// The bytes of an entry with a changed event.
fn changed_event(change: impl FnOnce(&mut proto::RunEvent)) -> Vec<u8> {
    changed(vec![Command::Accept(Box::new(full_event()))], |message| {
        match &mut message.commands[0].kind {
            Some(WireCommand::Accept(event)) => change(event),
            other => panic!("not an event: {other:?}"),
        }
    })
}

#[test]
fn every_command_comes_back() {
    let commands = all_commands();
    let kinds: HashSet<_> = commands.iter().map(std::mem::discriminant).collect();
    assert_eq!(kinds.len(), 14);
    for command in &commands {
        let entry = entry(vec![command.clone()]);
        assert_eq!(decode_entry(&encode_entry(&entry)), Ok(entry));
    }
    let all = entry(commands);
    assert_eq!(decode_entry(&encode_entry(&all)), Ok(all));
}

#[test]
fn an_event_of_empty_fields_comes_back() {
    let full = full_event();
    let event = RunEvent {
        ce_id: String::new(),
        ce_time: Timestamp::UNKNOWN,
        attempt: 0,
        children: Vec::new(),
        labels: std::collections::BTreeMap::new(),
        params: Vec::new(),
        cut: vec![String::new()],
        scm: crate::event::Scm::default(),
        parent: crate::event::Parent::default(),
        ..full
    };
    let entry = entry(vec![Command::Accept(Box::new(event))]);
    assert_eq!(decode_entry(&encode_entry(&entry)), Ok(entry));
}

#[test]
fn an_entry_without_commands_comes_back() {
    let empty = Entry { at: Timestamp::UNKNOWN, commands: Vec::new() };
    assert_eq!(encode_entry(&empty), [b'E', 1]);
    assert_eq!(decode_entry(b"E\x01"), Ok(empty));
}

#[test]
fn forwarded_commands_come_back_without_a_stamp() {
    let forwarded = Entry { at: Timestamp::UNKNOWN, commands: all_commands() };
    let stamped = encode_entry(&entry(all_commands()));
    let bytes = encode_entry(&forwarded);
    assert!(bytes.len() < stamped.len(), "the unknown stamp takes no bytes");
    assert_eq!(decode_entry(&bytes), Ok(forwarded));
}

#[test]
fn the_stored_form_of_an_entry_stays_as_it_is() {
    let key = Key(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff);
    let boot = Boot { node: NodeId(0xa1), number: 4, ended_while_planning: Some((key, 12)) };
    let commands = vec![Command::Boot(boot), Command::Touch(vec![key]), Command::Tick];
    assert_eq!(hex(&encode_entry(&entry(commands))), GOLDEN_SMALL);
}

const GOLDEN_SMALL: &str = concat!(
    "450108fbd8c1a28c341223122109a10000000000000010041a140a1000112233445566778899aabbccddeeff100c",
    "12142a120a1000112233445566778899aabbccddeeff12025200",
);

#[test]
fn the_stored_form_of_every_command_stays_as_it_is() {
    let bytes = encode_entry(&entry(all_commands()));
    let hash = xxhash_rust::xxh3::xxh3_128(&bytes);
    assert_eq!((bytes.len(), hash), (2341, 0x2183_5e24_c430_4a9f_dbcf_db97_93cb_d4ef));
}

#[test]
fn a_newer_or_older_version_is_refused_by_both_names() {
    let mut bytes = encode_entry(&entry(vec![Command::Tick]));
    bytes[1] = 2;
    assert_eq!(
        decode_entry(&bytes).unwrap_err().to_string(),
        "format version of log entry is 2, accepted is 1: it is too new"
    );
    bytes[1] = 0;
    assert_eq!(
        decode_entry(&bytes).unwrap_err().to_string(),
        "format version of log entry is 0, accepted is 1: it is too old"
    );
}

#[test]
fn another_kind_of_record_is_refused() {
    let mut bytes = encode_entry(&entry(vec![Command::Tick]));
    bytes[0] = b'S';
    let refused = WireError::Kind { found: b'S', accepted: b'E', name: "log entry" };
    assert_eq!(decode_entry(&bytes), Err(refused));
    assert_eq!(decode_entry(b"E"), Err(WireError::Short { found: 1 }));
}

#[test]
fn rule_22_an_unknown_command_is_refused_not_skipped() {
    // Field 2 of the entry: a command whose only field is number 16, an empty message.
    let bytes = [b'E', 1, 0x12, 3, 0x82, 0x01, 0];
    let accepted = "one of the fields 1 to 15";
    let refused = WireError::UnknownVariant { field: "Command.kind", accepted };
    assert_eq!(decode_entry(&bytes), Err(refused));
}

#[test]
fn rule_22_a_level_that_this_build_does_not_speak_is_refused_like_an_unknown_command() {
    let level = FeatureLevel(FEATURE_LEVEL.0 + 1);
    let bytes = encode_entry(&entry(vec![Command::RaiseLevel { level }]));
    let error = decode_entry(&bytes).unwrap_err().to_string();
    let refused =
        format!("RaiseLevel.level is {level}, accepted is a level that this build speaks");
    assert_eq!(error, refused);
}

#[test]
fn an_unknown_field_is_refused_not_skipped() {
    // Field 10 of the command, a tick, with a field 1 that ticks do not have.
    let bytes = [b'E', 1, 0x12, 4, 0x52, 2, 0x08, 1];
    let refused = WireError::UnknownFields { message: "Entry", found: 6, known: 4 };
    assert_eq!(decode_entry(&bytes), Err(refused));
}

#[test]
fn bytes_that_are_no_protobuf_are_refused() {
    let error = decode_entry(&[b'E', 1, 0xff]).unwrap_err();
    assert!(matches!(error, WireError::Malformed { message: "Entry", .. }), "{error:?}");
}

#[test]
fn an_entry_cut_anywhere_is_refused_or_shorter() {
    let whole = entry(all_commands());
    let bytes = encode_entry(&whole);
    for length in 0..bytes.len() {
        match decode_entry(&bytes[..length]) {
            Ok(shorter) => assert!(shorter.commands.len() < whole.commands.len(), "{length}"),
            Err(_) => continue,
        }
    }
}

#[test]
fn values_that_an_enum_does_not_have_are_refused() {
    let accepted = "one of TaskRun PipelineRun CustomRun EventListener";
    for found in [0, 5] {
        let refused = WireError::Value { field: "RunEvent.kind", found: found.into(), accepted };
        assert_eq!(decode_entry(&changed_event(|event| event.kind = found)), Err(refused));
    }
    let accepted = "one of Queued Started Running Terminal";
    let refused = WireError::Value { field: "RunEvent.rank", found: 0, accepted };
    assert_eq!(decode_entry(&changed_event(|event| event.rank = 0)), Err(refused));
}

#[test]
fn missing_messages_are_refused_by_name() {
    let missing = |field| Err(WireError::Missing { field });
    assert_eq!(decode_entry(&changed_event(|event| event.scm = None)), missing("RunEvent.scm"));
    assert_eq!(decode_entry(&changed_event(|e| e.parent = None)), missing("RunEvent.parent"));
}

#[test]
fn a_label_that_stands_twice_is_refused() {
    let bytes = changed_event(|event| event.labels.push(event.labels[0].clone()));
    let found = "\"label-a\"".to_owned();
    let refused = WireError::Repeated { field: "RunEvent.labels", found };
    assert_eq!(decode_entry(&bytes), Err(refused));
}

#[test]
fn a_slot_out_of_range_is_refused() {
    let moves = Command::Assign(vec![SlotMove {
        slot: crate::state_machine::SlotId::default(),
        expected_epoch: 0,
        to: NodeId(1),
        is_forced: false,
    }]);
    let bytes = changed(vec![moves], |message| match &mut message.commands[0].kind {
        Some(WireCommand::Assign(assign)) => assign.moves[0].slot = 256,
        other => panic!("not a move: {other:?}"),
    });
    let error = decode_entry(&bytes).unwrap_err().to_string();
    assert_eq!(error, "SlotMove.slot is 256, accepted is 0 to 255");
}

#[test]
fn keys_of_a_wrong_length_are_refused() {
    let bytes = changed(vec![Command::Touch(vec![Key(1)])], |message| {
        message.commands[0].kind = Some(WireCommand::Touch(proto::Touch { runs: vec![0; 17] }));
    });
    let error = decode_entry(&bytes).unwrap_err().to_string();
    assert_eq!(error, "Touch.runs has 17 bytes, accepted is a multiple of 16");
}

#[test]
fn a_changed_bit_of_an_entry_is_refused_or_seen() {
    let whole = entry(all_commands());
    let bytes = encode_entry(&whole);
    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        if let Ok(other) = decode_entry(&changed) {
            assert_ne!(other, whole, "byte {place} of {}", bytes.len());
        }
    }
}
