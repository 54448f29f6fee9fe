//! Every answer comes back unchanged, and an answer with unknown parts is refused.

use super::*;
use crate::effect::EffectId;
use crate::event::Key;
use crate::state_machine::{Fate, Grant, Refusal, SlotId};
use crate::wire::sample::all_answers;
use std::collections::HashSet;

const KEY: Key = Key(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff);

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of an answer that the encoder never writes.
fn of(kind: Option<WireAnswer>) -> Vec<u8> {
    let message = proto::Answers { answers: vec![proto::Answer { kind }] };
    [&Kind::Answers.header()[..], &message.encode_to_vec()].concat()
}

#[test]
fn every_answer_comes_back() {
    let answers = all_answers();
    let kinds: HashSet<_> = answers.iter().map(std::mem::discriminant).collect();
    assert_eq!(kinds.len(), 6);
    for answer in &answers {
        let one = vec![answer.clone()];
        assert_eq!(decode_answers(&encode_answers(&one)), Ok(one));
    }
    assert_eq!(decode_answers(&encode_answers(&answers)), Ok(answers));
}

#[test]
fn no_answers_come_back_as_none() {
    assert_eq!(encode_answers(&[]), [b'A', 1]);
    assert_eq!(decode_answers(b"A\x01"), Ok(Vec::new()));
}

#[test]
fn the_form_of_answers_stays_as_it_is() {
    let slot = SlotId::new(7).unwrap();
    let owner = Some(NodeId(0xa1));
    let answers = [
        Applied::Done,
        Applied::Accepted(Accepted { fate: Fate::Accepted, slot, owner }),
        Applied::Begun(vec![Grant { effect: EffectId(KEY), attempt: 2 }]),
        Applied::Refused(Refusal::StaleBoot),
        Applied::Replayed(3),
        Applied::Deleted(3),
    ];
    assert_eq!(hex(&encode_answers(&answers)), GOLDEN);
}

const GOLDEN: &str = concat!(
    "41010a020a000a0f120d0801100719a1000000000000000a181a160a140a1000112233445566778899aabbccddee",
    "ff10020a0220020a0228030a023003",
);

#[test]
fn another_kind_or_version_is_refused_by_name() {
    let mut bytes = encode_answers(&[Applied::Done]);
    bytes[1] = 2;
    assert_eq!(
        decode_answers(&bytes).unwrap_err().to_string(),
        "format version of answers is 2, accepted is 1: it is too new"
    );
    let refused = WireError::Kind { found: b'E', accepted: b'A', name: "answers" };
    assert_eq!(decode_answers(b"E\x01"), Err(refused));
    assert_eq!(decode_answers(b""), Err(WireError::Short { found: 0 }));
}

#[test]
fn an_unknown_answer_is_refused_not_skipped() {
    // Field 1 of the answers: an answer whose only field is number 15, an empty message.
    let bytes = [b'A', 1, 0x0a, 2, 0x7a, 0];
    let accepted = "one of the fields 1 to 6";
    let refused = WireError::UnknownVariant { field: "Answer.kind", accepted };
    assert_eq!(decode_answers(&bytes), Err(refused.clone()));
    assert_eq!(decode_answers(&of(None)), Err(refused));
}

#[test]
fn an_unknown_field_of_an_answer_is_refused_not_skipped() {
    // Field 1 of the answer, done, with a field 1 that it does not have.
    let bytes = [b'A', 1, 0x0a, 4, 0x0a, 2, 0x08, 1];
    let refused = WireError::UnknownFields { message: "Answers", found: 6, known: 4 };
    assert_eq!(decode_answers(&bytes), Err(refused));
}

#[test]
fn a_refusal_that_this_build_does_not_know_is_refused() {
    for found in [0, 99] {
        let error = decode_answers(&of(Some(WireAnswer::Refused(found)))).unwrap_err();
        assert!(
            matches!(&error, WireError::Value { field: "Answer.refused", found: f, .. }
                if *f == i64::from(found)),
            "{error:?}"
        );
    }
}

#[test]
fn parts_out_of_range_are_refused_by_the_name_of_the_part() {
    let accepted = |fate, slot| {
        let owner = None;
        decode_answers(&of(Some(WireAnswer::Accepted(proto::Accepted { fate, slot, owner }))))
    };
    let error = accepted(1, 256).unwrap_err().to_string();
    assert_eq!(error, "Accepted.slot is 256, accepted is 0 to 255");
    let error = accepted(0, 0).unwrap_err();
    assert!(matches!(error, WireError::Value { field: "Accepted.fate", .. }), "{error:?}");
    let grants = vec![proto::Grant { effect: vec![0; 15], attempt: 1 }];
    let error = decode_answers(&of(Some(WireAnswer::Begun(proto::Begun { grants })))).unwrap_err();
    assert_eq!(error.to_string(), "Grant.effect has 15 bytes, accepted is 16");
}

#[test]
fn answers_cut_anywhere_are_refused_or_fewer() {
    let whole = all_answers();
    let bytes = encode_answers(&whole);
    for length in 0..bytes.len() {
        match decode_answers(&bytes[..length]) {
            Ok(fewer) => assert!(fewer.len() < whole.len(), "{length}"),
            Err(_) => continue,
        }
    }
}

#[test]
fn a_changed_bit_of_answers_is_refused_or_seen() {
    let whole = all_answers();
    let bytes = encode_answers(&whole);
    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        if let Ok(other) = decode_answers(&changed) {
            assert_ne!(other, whole, "byte {place} of {}", bytes.len());
        }
    }
}
