//! The bytes of Raft's messages and of its log (rule 22).

use super::message::{
    decode_append, decode_append_answer, decode_snapshot, decode_snapshot_answer, decode_transfer,
    decode_vote_answer, decode_vote_request, encode_append, encode_append_answer, encode_snapshot,
    encode_snapshot_answer, encode_transfer, encode_vote_answer, encode_vote_request,
};
use super::record::{
    RecordError, decode_log_id, decode_record, decode_snapshot_header, decode_vote, encode_log_id,
    encode_record, encode_snapshot_header, encode_vote, proto,
};
use super::snapshot_file;
use super::types::{
    LogEntry, LogId, MemberNode, RaftEntry, SnapshotMeta, StoredMembership, TypeConfig, Vote,
};
use crate::clock::Timestamp;
use crate::event::Key;
use crate::golden::Case;
use crate::state_machine::{Command, Entry, StateMachine};
use crate::wire::encode_state;
use openraft::EntryPayload;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest,
    VoteRequest, VoteResponse,
};
use prost::bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

type Membership = openraft::Membership<u64, MemberNode>;

pub(in crate::cluster) fn cases() -> Vec<Case> {
    let mut cases = records();
    cases.extend(calls());
    cases.extend(answers());
    cases
}

fn vote() -> Vote {
    Vote::new_committed(3, 7)
}

fn id(index: u64) -> LogId {
    LogId { leader_id: 3_u64.into(), index }
}

/// Two voters, one of them about to be replaced, and a learner.
fn membership() -> Membership {
    let node = |number: u64| {
        let name = format!("relay-{number}");
        (number, MemberNode { address: format!("{name}.relay:3320"), name })
    };
    let sets = [[1, 2], [1, 3]].map(BTreeSet::from).to_vec();
    Membership::new(sets, BTreeMap::from([1, 2, 3, 9].map(node))).unwrap()
}

fn commands() -> Entry {
    let commands = vec![Command::Touch(vec![Key(0xabc)]), Command::Tick];
    Entry { at: Timestamp(1_790_000_000_123), commands }
}

fn log_entries() -> [(&'static str, RaftEntry); 3] {
    let proposal = LogEntry::from(commands());
    [
        ("blank", RaftEntry { log_id: id(5), payload: EntryPayload::Blank }),
        ("entry", RaftEntry { log_id: id(6), payload: EntryPayload::Normal(proposal) }),
        (
            "membership",
            RaftEntry { log_id: id(7), payload: EntryPayload::Membership(membership()) },
        ),
    ]
}

/// An entry in a comparable form.
#[derive(Debug, PartialEq)]
enum Payload {
    Blank,
    Commands(Entry),
    Membership(Membership),
}

fn content(entry: &RaftEntry) -> (LogId, Payload) {
    let payload = match &entry.payload {
        EntryPayload::Blank => Payload::Blank,
        EntryPayload::Normal(proposal) => Payload::Commands(proposal.take().unwrap()),
        EntryPayload::Membership(membership) => Payload::Membership(membership.clone()),
    };
    (entry.log_id, payload)
}

fn meta() -> SnapshotMeta {
    SnapshotMeta {
        last_log_id: Some(id(9)),
        last_membership: StoredMembership::new(Some(id(7)), membership()),
    }
}

fn records() -> Vec<Case> {
    let mut cases = vec![
        Case::new("raft/vote", Vote::new(4, 8), encode_vote(&Vote::new(4, 8)), decode_vote),
        Case::new("raft/vote-committed", vote(), encode_vote(&vote()), decode_vote),
        Case::new("raft/log-id", id(9), encode_log_id(&id(9)), decode_log_id),
    ];
    cases.push(Case::new(
        "raft/snapshot-header",
        meta(),
        encode_snapshot_header(&meta()),
        decode_snapshot_header,
    ));
    let none = SnapshotMeta::default();
    let bytes = encode_snapshot_header(&none);
    cases.push(Case::new("raft/snapshot-header-empty", none, bytes, decode_snapshot_header));
    for (kind, entry) in log_entries() {
        let name = format!("raft/log-record-{kind}");
        let read = |bytes: &[u8]| {
            decode_record(Bytes::copy_from_slice(bytes)).map(|entry| content(&entry))
        };
        cases.push(Case::new(name, content(&entry), encode_record(&entry), read));
    }
    cases.push(snapshot_file());
    cases
}

/// The file, which is also sent between nodes. A new release of the compression may pack it
/// differently.
fn snapshot_file() -> Case {
    let mut state = StateMachine::default();
    state.apply(commands());
    let bytes = snapshot_file::encode(&meta(), &state).unwrap();
    let read = |bytes: &[u8]| {
        snapshot_file::decode(bytes).map(|(meta, state)| (meta, encode_state(&state)))
    };
    Case::new("raft/snapshot-file", (meta(), encode_state(&state)), bytes, read).inexact()
}

/// The content of an append.
type Appended = (Vote, Option<LogId>, Vec<(LogId, Payload)>, Option<LogId>);

fn appended(request: &AppendEntriesRequest<TypeConfig>) -> Appended {
    let entries = request.entries.iter().map(content).collect();
    (request.vote, request.prev_log_id, entries, request.leader_commit)
}

fn append(name: &str, request: &AppendEntriesRequest<TypeConfig>) -> Case {
    let read = |bytes: &[u8]| {
        decode_append(Bytes::copy_from_slice(bytes)).map(|request| appended(&request))
    };
    Case::new(name, appended(request), encode_append(request).bytes, read)
}

fn calls() -> Vec<Case> {
    let full = AppendEntriesRequest {
        vote: vote(),
        prev_log_id: Some(id(4)),
        entries: log_entries().map(|(_, entry)| entry).to_vec(),
        leader_commit: Some(id(2)),
    };
    let first = AppendEntriesRequest {
        vote: vote(),
        prev_log_id: None,
        entries: Vec::new(),
        leader_commit: None,
    };
    let asked = VoteRequest::new(Vote::new(4, 8), Some(id(3)));
    let mut handed = VoteRequest::new(Vote::new(4, 8), None);
    handed.leadership_transfer = true;
    let vote_case = |name: &str, request: VoteRequest<TypeConfig>| {
        let bytes = encode_vote_request(&request);
        Case::new(name, request, bytes, decode_vote_request)
    };
    let file = (vote(), b"RELAYSN1 and the rest".to_vec());
    let transfer = TransferLeaderRequest::<TypeConfig>::new(vote(), 9, Some(id(3)));
    vec![
        append("raft/append-request", &full),
        append("raft/append-request-first", &first),
        vote_case("raft/vote-request", asked),
        vote_case("raft/vote-request-of-an-heir", handed),
        Case::new(
            "raft/snapshot-request",
            file.clone(),
            encode_snapshot(&file.0, file.1),
            decode_snapshot,
        ),
        Case::new(
            "raft/transfer-request",
            transfer.clone(),
            encode_transfer(&transfer),
            decode_transfer,
        ),
    ]
}

fn answers() -> Vec<Case> {
    let mut cases =
        vec![Case::message("raft/transfer-answer", proto::TransferAnswer { is_accepted: true })];
    for (kind, answer) in [
        ("success", AppendEntriesResponse::<TypeConfig>::Success),
        ("partly", AppendEntriesResponse::PartialSuccess(Some(id(9)))),
        ("none-of-it", AppendEntriesResponse::PartialSuccess(None)),
        ("conflict", AppendEntriesResponse::Conflict),
        ("higher-vote", AppendEntriesResponse::HigherVote(Vote::new(8, 2))),
    ] {
        let (name, bytes) = (format!("raft/append-answer-{kind}"), encode_append_answer(&answer));
        cases.push(Case::new(name, answer, bytes, decode_append_answer));
    }
    for (kind, granted, last) in [("", true, Some(id(3))), ("-refused", false, None)] {
        let answer = VoteResponse::<TypeConfig>::new(Vote::new(4, 8), last, granted);
        let bytes = encode_vote_answer(&answer);
        cases.push(Case::new(format!("raft/vote-answer{kind}"), answer, bytes, decode_vote_answer));
    }
    let answer = SnapshotResponse::<TypeConfig>::new(vote());
    let bytes = encode_snapshot_answer(&answer);
    let read: fn(&[u8]) -> Result<_, RecordError> = decode_snapshot_answer;
    cases.push(Case::new("raft/snapshot-answer", answer, bytes, read));
    cases
}
