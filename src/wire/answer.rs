//! The answers to applied commands, to and from the wire. They go back to the replica that
//! forwarded the commands. Nothing here reaches a disk.

use super::WireError;
use super::command::{from_grant, to_grant};
use super::enums::{from_fate, from_refusal, to_fate, to_refusal};
use super::envelope::{Kind, decode_whole};
use super::proto::{self, answer::Kind as WireAnswer};
use super::scalar::{from_each, from_slot};
use crate::state_machine::{Accepted, Applied, NodeId};
use prost::Message;

/// The form in which the answers to one entry's commands go to another node. Equal answers give
/// equal bytes.
#[must_use]
pub fn encode_answers(answers: &[Applied]) -> Vec<u8> {
    let mut bytes = Kind::Answers.header().to_vec();
    let message = proto::Answers { answers: answers.iter().map(to_answer).collect() };
    message.encode_raw(&mut bytes);
    bytes
}

/// Reads what [`encode_answers`] wrote.
///
/// # Errors
///
/// This build does not fully know the bytes: another kind or version, an unknown answer, enum value
/// or field. The commands were applied nevertheless.
pub fn decode_answers(bytes: &[u8]) -> Result<Vec<Applied>, WireError> {
    decode_whole(Kind::Answers.open(bytes)?, "Answers", |message: proto::Answers| {
        from_each(message.answers, from_answer)
    })
}

fn to_answer(answer: &Applied) -> proto::Answer {
    let kind = match answer {
        Applied::Done => WireAnswer::Done(proto::Done {}),
        Applied::Accepted(accepted) => WireAnswer::Accepted(proto::Accepted {
            fate: to_fate(accepted.fate),
            slot: accepted.slot.number().into(),
            owner: accepted.owner.map(|owner| owner.0),
        }),
        Applied::Begun(grants) => {
            WireAnswer::Begun(proto::Begun { grants: grants.iter().map(to_grant).collect() })
        }
        Applied::Refused(refusal) => WireAnswer::Refused(to_refusal(*refusal)),
        Applied::Replayed(count) => WireAnswer::Replayed(*count),
        Applied::Deleted(count) => WireAnswer::Deleted(*count),
    };
    proto::Answer { kind: Some(kind) }
}

fn from_answer(answer: proto::Answer) -> Result<Applied, WireError> {
    let Some(kind) = answer.kind else {
        let (field, accepted) = ("Answer.kind", "one of the fields 1 to 6");
        return Err(WireError::UnknownVariant { field, accepted });
    };
    Ok(match kind {
        WireAnswer::Done(proto::Done {}) => Applied::Done,
        WireAnswer::Accepted(accepted) => Applied::Accepted(Accepted {
            fate: from_fate(accepted.fate, "Accepted.fate")?,
            slot: from_slot(accepted.slot, "Accepted.slot")?,
            owner: accepted.owner.map(NodeId),
        }),
        WireAnswer::Begun(begun) => Applied::Begun(from_each(begun.grants, from_grant)?),
        WireAnswer::Refused(refusal) => Applied::Refused(from_refusal(refusal, "Answer.refused")?),
        WireAnswer::Replayed(count) => Applied::Replayed(count),
        WireAnswer::Deleted(count) => Applied::Deleted(count),
    })
}

#[cfg(test)]
#[path = "answer_test.rs"]
mod tests;
