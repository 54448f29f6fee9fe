//! Calls between Raft nodes as bytes: openraft's types to our own messages and back.

use super::record::{
    RecordError, decode, decode_record, encode_record, from_log_id, from_vote, proto, to_log_id,
    to_vote,
};
use super::types::{TypeConfig, Vote};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest,
    VoteRequest, VoteResponse,
};
use prost::Message as _;
use prost::bytes::Bytes;

/// Bytes of entries in one append. The rest follows with the next one: heartbeats share the
/// connection, and a follower flushes each append before it answers.
const APPEND_BYTES_MAX: usize = 4 * 1024 * 1024;

/// An encoded append, and its last entry if not all fitted.
pub(super) struct Append {
    pub bytes: Vec<u8>,
    pub cut_after: Option<super::types::LogId>,
}

pub(super) fn encode_append(request: &AppendEntriesRequest<TypeConfig>) -> Append {
    let mut entries = Vec::with_capacity(request.entries.len());
    let mut bytes = 0;
    let mut cut_after = None;
    for (position, entry) in request.entries.iter().enumerate() {
        let record = encode_record(entry);
        bytes += record.len();
        if bytes > APPEND_BYTES_MAX && position > 0 {
            cut_after = request.entries.get(position - 1).map(|entry| entry.log_id);
            break;
        }
        entries.push(Bytes::from(record));
    }
    let message = proto::AppendRequest {
        vote: Some(to_vote(&request.vote)),
        previous: request.prev_log_id.as_ref().map(to_log_id),
        entries,
        committed: request.leader_commit.as_ref().map(to_log_id),
    };
    Append { bytes: message.encode_to_vec(), cut_after }
}

pub(super) fn decode_append(bytes: Bytes) -> Result<AppendEntriesRequest<TypeConfig>, RecordError> {
    let message: proto::AppendRequest = decode("append", bytes)?;
    let entries: Result<Vec<_>, _> = message.entries.into_iter().map(decode_record).collect();
    Ok(AppendEntriesRequest {
        vote: vote("append", message.vote)?,
        prev_log_id: message.previous.as_ref().map(from_log_id),
        entries: entries?,
        leader_commit: message.committed.as_ref().map(from_log_id),
    })
}

pub(super) fn encode_append_answer(answer: &AppendEntriesResponse<TypeConfig>) -> Vec<u8> {
    use proto::append_answer::Outcome;
    let outcome = match answer {
        AppendEntriesResponse::Success => Some(Outcome::Success(true)),
        AppendEntriesResponse::PartialSuccess(upto) => {
            upto.as_ref().map(|upto| Outcome::Partly(to_log_id(upto)))
        }
        AppendEntriesResponse::Conflict => Some(Outcome::Conflict(true)),
        AppendEntriesResponse::HigherVote(vote) => Some(Outcome::HigherVote(to_vote(vote))),
    };
    proto::AppendAnswer { outcome }.encode_to_vec()
}

pub(super) fn decode_append_answer(
    bytes: &[u8],
) -> Result<AppendEntriesResponse<TypeConfig>, RecordError> {
    use proto::append_answer::Outcome;
    let message: proto::AppendAnswer = decode("append answer", bytes)?;
    Ok(match message.outcome {
        Some(Outcome::Success(_)) => AppendEntriesResponse::Success,
        Some(Outcome::Partly(upto)) => {
            AppendEntriesResponse::PartialSuccess(Some(from_log_id(&upto)))
        }
        Some(Outcome::Conflict(_)) => AppendEntriesResponse::Conflict,
        Some(Outcome::HigherVote(vote)) => AppendEntriesResponse::HigherVote(from_vote(&vote)),
        None => AppendEntriesResponse::PartialSuccess(None),
    })
}

pub(super) fn encode_vote_request(request: &VoteRequest<TypeConfig>) -> Vec<u8> {
    let message = proto::VoteRequest {
        vote: Some(to_vote(&request.vote)),
        last: request.last_log_id.as_ref().map(to_log_id),
        is_transfer: request.leadership_transfer,
    };
    message.encode_to_vec()
}

pub(super) fn decode_vote_request(bytes: &[u8]) -> Result<VoteRequest<TypeConfig>, RecordError> {
    let message: proto::VoteRequest = decode("vote request", bytes)?;
    let mut request = VoteRequest::new(
        vote("vote request", message.vote)?,
        message.last.as_ref().map(from_log_id),
    );
    request.leadership_transfer = message.is_transfer;
    Ok(request)
}

pub(super) fn encode_vote_answer(answer: &VoteResponse<TypeConfig>) -> Vec<u8> {
    let message = proto::VoteAnswer {
        vote: Some(to_vote(&answer.vote)),
        is_granted: answer.vote_granted,
        last: answer.last_log_id.as_ref().map(to_log_id),
    };
    message.encode_to_vec()
}

pub(super) fn decode_vote_answer(bytes: &[u8]) -> Result<VoteResponse<TypeConfig>, RecordError> {
    let message: proto::VoteAnswer = decode("vote answer", bytes)?;
    let last = message.last.as_ref().map(from_log_id);
    Ok(VoteResponse::new(vote("vote answer", message.vote)?, last, message.is_granted))
}

pub(super) fn encode_snapshot(vote: &Vote, file: Vec<u8>) -> Vec<u8> {
    proto::SnapshotRequest { vote: Some(to_vote(vote)), file }.encode_to_vec()
}

pub(super) fn decode_snapshot(bytes: &[u8]) -> Result<(Vote, Vec<u8>), RecordError> {
    let message: proto::SnapshotRequest = decode("snapshot", bytes)?;
    Ok((vote("snapshot", message.vote)?, message.file))
}

pub(super) fn encode_snapshot_answer(answer: &SnapshotResponse<TypeConfig>) -> Vec<u8> {
    proto::SnapshotAnswer { vote: Some(to_vote(&answer.vote)) }.encode_to_vec()
}

pub(super) fn decode_snapshot_answer(
    bytes: &[u8],
) -> Result<SnapshotResponse<TypeConfig>, RecordError> {
    let message: proto::SnapshotAnswer = decode("snapshot answer", bytes)?;
    Ok(SnapshotResponse::new(vote("snapshot answer", message.vote)?))
}

pub(super) fn encode_transfer(request: &TransferLeaderRequest<TypeConfig>) -> Vec<u8> {
    let message = proto::TransferRequest {
        from: Some(to_vote(request.from_leader())),
        to: *request.to_node_id(),
        last: request.last_log_id().map(to_log_id),
    };
    message.encode_to_vec()
}

pub(super) fn decode_transfer(
    bytes: &[u8],
) -> Result<TransferLeaderRequest<TypeConfig>, RecordError> {
    let message: proto::TransferRequest = decode("transfer", bytes)?;
    let last = message.last.as_ref().map(from_log_id);
    Ok(TransferLeaderRequest::new(vote("transfer", message.from)?, message.to, last))
}

fn vote(record: &'static str, vote: Option<proto::Vote>) -> Result<Vote, RecordError> {
    vote.as_ref().map(from_vote).ok_or(RecordError::Missing { record, field: "vote" })
}

#[cfg(test)]
#[path = "message_test.rs"]
mod tests;
