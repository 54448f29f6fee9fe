use super::super::types::{LogEntry, LogId, RaftEntry};
use super::*;
use crate::clock::Timestamp;
use crate::state_machine::{Command, Entry};
use openraft::EntryPayload;

fn id(index: u64) -> LogId {
    LogId { leader_id: 3_u64.into(), index }
}

fn append(entries: Vec<RaftEntry>) -> AppendEntriesRequest<TypeConfig> {
    AppendEntriesRequest {
        vote: Vote::new_committed(3, 7),
        prev_log_id: Some(id(4)),
        entries,
        leader_commit: Some(id(2)),
    }
}

fn entry(index: u64, commands: usize) -> RaftEntry {
    let entry = Entry { at: Timestamp(5), commands: vec![Command::Tick; commands] };
    RaftEntry { log_id: id(index), payload: EntryPayload::Normal(LogEntry::from(entry)) }
}

#[test]
fn an_append_reads_back() {
    let request = append(vec![entry(5, 1), entry(6, 2)]);
    let sent = encode_append(&request);
    assert_eq!(sent.cut_after, None);
    let read = decode_append(sent.bytes.clone().into()).unwrap();
    assert_eq!(encode_append(&read).bytes, sent.bytes);
    assert_eq!(
        (read.vote, read.prev_log_id, read.leader_commit),
        (request.vote, Some(id(4)), Some(id(2)))
    );
}

#[test]
fn rule_28_an_append_over_its_bound_is_cut_and_says_where() {
    let large = APPEND_BYTES_MAX / 3;
    let request = append(vec![entry(5, large), entry(6, large), entry(7, 1)]);
    let sent = encode_append(&request);
    assert_eq!(sent.cut_after, Some(id(5)));
    assert_eq!(decode_append(sent.bytes.into()).unwrap().entries.len(), 1);
}

#[test]
fn a_single_entry_over_the_bound_is_sent_all_the_same() {
    let sent = encode_append(&append(vec![entry(5, APPEND_BYTES_MAX)]));
    assert_eq!(sent.cut_after, None);
    assert_eq!(decode_append(sent.bytes.into()).unwrap().entries.len(), 1);
}

#[test]
fn every_append_answer_reads_back() {
    for answer in [
        AppendEntriesResponse::Success,
        AppendEntriesResponse::PartialSuccess(None),
        AppendEntriesResponse::PartialSuccess(Some(id(9))),
        AppendEntriesResponse::Conflict,
        AppendEntriesResponse::HigherVote(Vote::new(8, 2)),
    ] {
        assert_eq!(decode_append_answer(&encode_append_answer(&answer)).unwrap(), answer);
    }
}

#[test]
fn votes_snapshots_and_transfers_read_back() {
    let mut request = VoteRequest::new(Vote::new(4, 7), Some(id(3)));
    request.leadership_transfer = true;
    assert_eq!(decode_vote_request(&encode_vote_request(&request)).unwrap(), request);
    let answer = VoteResponse::new(Vote::new(4, 7), None, true);
    assert_eq!(decode_vote_answer(&encode_vote_answer(&answer)).unwrap(), answer);
    let vote = Vote::new_committed(4, 7);
    let file = vec![1, 2, 3];
    assert_eq!(decode_snapshot(&encode_snapshot(&vote, file.clone())).unwrap(), (vote, file));
    let answer = SnapshotResponse::new(vote);
    assert_eq!(decode_snapshot_answer(&encode_snapshot_answer(&answer)).unwrap(), answer);
    let transfer = TransferLeaderRequest::new(vote, 9, Some(id(3)));
    assert_eq!(decode_transfer(&encode_transfer(&transfer)).unwrap(), transfer);
}

#[test]
fn a_call_without_a_vote_is_malformed() {
    assert!(matches!(decode_append(Bytes::new()), Err(RecordError::Missing { field: "vote", .. })));
    assert!(matches!(decode_vote_request(&[255]), Err(RecordError::Malformed { .. })));
}
