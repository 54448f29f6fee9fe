//! Snapshots that are cut, contradict themselves or come from another release are refused by name.

use super::tests::long_history;
use super::*;
use crate::state_machine::FEATURE_LEVEL;
use crate::wire::full_state::state_with;
use crate::wire::history::{History, fixed_steps};

#[test]
fn a_snapshot_cut_anywhere_is_refused() {
    let bytes = encode_state(&History::of(&fixed_steps(8)).state);
    for length in 0..bytes.len() {
        assert!(decode_state(&bytes[..length]).is_err(), "{length} of {}", bytes.len());
    }
}

#[test]
fn a_snapshot_cut_at_the_end_of_a_record_is_refused() {
    let records = records(&History::of(&fixed_steps(60)).state);
    let mut bytes = Kind::Snapshot.header().to_vec();
    for (found, record) in (0..).zip(records) {
        assert_eq!(decode_state(&bytes).unwrap_err(), WireError::Cut { found });
        bytes.extend(of(record).encode_length_delimited_to_vec());
    }
}

/// The records of a state, without the end record.
fn records(state: &StateMachine) -> Vec<Record> {
    let mut records = Vec::new();
    Writing::new(|record| records.push(record)).write(state);
    records
}

/// A snapshot of any records; its end record claims `counted` records.
fn snapshot(records: Vec<Record>, counted: usize) -> Vec<u8> {
    let end = Record::End(proto::End { records: u64::try_from(counted).unwrap() });
    let bodies = records.into_iter().chain([end]);
    let bodies = bodies.flat_map(|record| of(record).encode_length_delimited_to_vec());
    Kind::Snapshot.header().into_iter().chain(bodies).collect()
}

#[test]
fn a_snapshot_that_lost_a_record_is_refused() {
    let mut records = records(&History::begin().state);
    let accepted = records.len();
    records.remove(1);
    let found = u64::try_from(accepted - 1).unwrap();
    let refused = WireError::Count { found, accepted: found + 1 };
    assert_eq!(decode_state(&snapshot(records, accepted)).unwrap_err(), refused);
}

#[test]
fn bytes_behind_the_end_are_refused() {
    let mut bytes = encode_state(&StateMachine::default());
    bytes.push(0);
    let refused = WireError::Count { found: 4, accepted: 4 };
    assert_eq!(decode_state(&bytes).unwrap_err(), refused);
}

#[test]
fn rule_22_an_unknown_record_is_refused_not_skipped() {
    let mut bytes = Kind::Snapshot.header().to_vec();
    // Three bytes: field 31, an empty message.
    bytes.extend([3, 0xfa, 0x01, 0]);
    let refused = WireError::UnknownVariant {
        field: "SnapshotRecord.record",
        accepted: "one of the fields 1 to 22",
    };
    assert_eq!(decode_state(&bytes).unwrap_err(), refused);
}

#[test]
fn rule_22_a_snapshot_of_a_level_that_this_build_does_not_speak_is_refused() {
    let beyond = FeatureLevel(FEATURE_LEVEL.0 + 1);
    let state = state_with(|state| state.feature_level = beyond);
    let refused = WireError::Value {
        field: "Level.level",
        found: beyond.0.into(),
        accepted: "a level that this build speaks",
    };
    assert_eq!(decode_state(&encode_state(&state)).unwrap_err(), refused);
}

#[test]
fn an_unknown_field_of_a_record_is_refused_not_skipped() {
    let mut bytes = Kind::Snapshot.header().to_vec();
    // Field 1, the clock, with a field 5 that clocks do not have.
    bytes.extend([4, 0x0a, 2, 0x28, 1]);
    let refused = WireError::UnknownFields { message: MESSAGE, found: 4, known: 2 };
    assert_eq!(decode_state(&bytes).unwrap_err(), refused);
}

#[test]
fn a_snapshot_of_another_version_is_refused_by_both_names() {
    let mut bytes = encode_state(&StateMachine::default());
    bytes[1] = 2;
    let error = decode_state(&bytes).unwrap_err().to_string();
    assert_eq!(error, "format version of snapshot is 2, accepted is 1: it is too new");
}

#[test]
fn a_run_that_stands_twice_is_refused() {
    let mut records = records(&long_history());
    let run = records.iter().find(|record| matches!(record, Record::Run(_))).unwrap().clone();
    records.push(run);
    let count = records.len();
    let error = decode_state(&snapshot(records, count)).unwrap_err();
    assert!(matches!(error, WireError::Repeated { field: "Run.key", .. }), "{error}");
}

#[test]
fn a_record_that_names_an_absent_event_is_refused() {
    let mut records = records(&long_history());
    records.retain(|record| !matches!(record, Record::Event(_)));
    let count = records.len();
    let error = decode_state(&snapshot(records, count)).unwrap_err();
    assert!(matches!(error, WireError::Dangling { field: "Run.facts", .. }), "{error}");
}

#[test]
fn a_lane_of_two_targets_is_refused() {
    let mut records = records(&long_history());
    for record in &mut records {
        if let Record::Lane(lane) = record {
            let stray = proto::Effect { target: "elsewhere".to_owned(), ..lane.effects[0].clone() };
            lane.effects.push(stray);
        }
    }
    let count = records.len();
    let found = "elsewhere".to_owned();
    let refused = WireError::Dangling { field: "Lane.effects", found };
    assert_eq!(decode_state(&snapshot(records, count)).unwrap_err(), refused);
}

/// The error for a long state's snapshot after `change` was made to the first record that it
/// accepts.
fn after(mut change: impl FnMut(&mut Record) -> bool) -> WireError {
    let mut records = records(&long_history());
    assert!(records.iter_mut().any(&mut change), "no such record");
    let count = records.len();
    decode_state(&snapshot(records, count)).unwrap_err()
}

/// A change to the first record of a kind that has the field.
macro_rules! change {
    ($kind:ident, |$message:ident| $part:expr) => {
        after(|record| {
            let Record::$kind($message) = record else { return false };
            $part;
            true
        })
    };
}

#[test]
fn a_record_without_a_part_is_refused_by_the_name_of_the_part() {
    let missing = |field| WireError::Missing { field };
    assert_eq!(change!(Event, |m| m.event = None), missing("StoredEvent.event"));
    assert_eq!(change!(Run, |m| m.position = None), missing("Run.position"));
    assert_eq!(change!(Run, |m| m.context = None), missing("Run.context"));
    assert_eq!(change!(Finished, |m| m.age = None), missing("Finished.age"));
    assert_eq!(change!(Lane, |m| m.effects.clear()), missing("Lane.effects"));
    assert_eq!(change!(Lane, |m| m.effects[0].route = None), missing("Effect.route"));
    assert_eq!(change!(Lane, |m| m.effects[0].context = None), missing("Effect.context"));
    assert_eq!(change!(Lane, |m| m.effects[0].origin = None), missing("Effect.origin"));
    assert_eq!(change!(DeadLetter, |m| m.cause = None), missing("DeadLetter.cause"));
    assert_eq!(change!(DeadLetter, |m| m.route = None), missing("DeadLetter.route"));
    assert_eq!(change!(DeadLetter, |m| m.context = None), missing("DeadLetter.context"));
}

#[test]
fn a_record_of_an_unknown_variant_is_refused() {
    let (field, accepted) = ("Timer.kind", "one of the fields 2 to 8");
    let refused = WireError::UnknownVariant { field, accepted };
    assert_eq!(change!(Timer, |m| m.kind = None), refused);
    let (field, accepted) = ("Origin.kind", "one of the fields 1 to 6");
    let refused = WireError::UnknownVariant { field, accepted };
    let origin = Some(proto::Origin { kind: None });
    assert_eq!(change!(Lane, |m| m.effects[0].origin.clone_from(&origin)), refused);
    let (field, accepted) = ("SettledEffect.settlement", "one of the fields 5 to 7, 10");
    let error = after(|record| {
        let Record::Run(run) = record else { return false };
        run.settled.iter_mut().for_each(|settled| settled.settlement = None);
        !run.settled.is_empty()
    });
    assert_eq!(error, WireError::UnknownVariant { field, accepted });
}

#[test]
fn keys_of_a_wrong_length_are_refused_by_the_name_of_their_field() {
    let length = |field, found, accepted| WireError::Length { field, found, accepted };
    assert_eq!(change!(Run, |m| m.key.truncate(15)), length("Run.key", 15, "16"));
    assert_eq!(change!(Event, |m| m.key.push(0)), length("StoredEvent.key", 17, "16"));
    let error = change!(Deliveries, |m| m.items = vec![0; 25]);
    assert_eq!(error, length("Deliveries.items", 25, "a multiple of 24"));
    let error = change!(Run, |m| m.transitions = vec![0; 31]);
    assert_eq!(error, length("Run.transitions", 31, "a multiple of 16"));
}

#[test]
fn what_would_take_the_place_of_another_is_refused() {
    let field = "Run.transitions";
    let found = format!("{:032x}", 0);
    let error = change!(Run, |m| m.transitions = vec![0; 32]);
    assert_eq!(error, WireError::Repeated { field, found });
    let error = change!(Counters, |m| m.fates.push(m.fates[0]));
    assert_eq!(
        error,
        WireError::Repeated { field: "Counters.fates", found: "Accepted".to_owned() }
    );
    let error = change!(Lane, |m| m.effects.push(m.effects[0].clone()));
    assert!(matches!(error, WireError::Repeated { field: "Effect.id", .. }), "{error}");
}

#[test]
fn records_of_one_key_are_refused_whatever_their_kind() {
    let whole = records(&long_history());
    let mut seen = std::collections::HashSet::new();
    for record in &whole {
        // One of each kind is enough. Kinds without a key are left out.
        let is_keyed = !matches!(
            record,
            Record::Clock(_) | Record::Settings(_) | Record::Counters(_) | Record::Deliveries(_)
        );
        if !is_keyed || !seen.insert(std::mem::discriminant(record)) {
            continue;
        }
        let mut doubled = whole.clone();
        doubled.push(record.clone());
        let count = doubled.len();
        let error = decode_state(&snapshot(doubled, count)).unwrap_err();
        assert!(matches!(error, WireError::Repeated { .. }), "{record:?}: {error}");
    }
    assert_eq!(seen.len(), 15);
}

#[test]
fn a_changed_bit_of_a_snapshot_is_refused_or_seen() {
    let state = History::of(&fixed_steps(12)).state;
    let (bytes, whole) = (encode_state(&state), digest(&state));
    // The first kilobytes are slots, all of one form; the rest has every other kind.
    for place in bytes.len().saturating_sub(4000)..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        if let Ok(other) = decode_state(&changed) {
            assert_ne!(digest(&other), whole, "byte {place} of {}", bytes.len());
        }
    }
}
