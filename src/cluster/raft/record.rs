//! openraft's types to our own messages and back. Unknown content is an error: a node that misreads
//! its log must stop.

use super::types::{LogEntry, LogId, MemberNode, RaftEntry, SnapshotMeta, StoredMembership, Vote};
use crate::wire::WireError;
use openraft::EntryPayload;
use prost::Message as _;
use prost::bytes::{Buf, Bytes};
use std::collections::{BTreeMap, BTreeSet};
use std::io;

pub(super) mod proto {
    include!(concat!(env!("OUT_DIR"), "/relay.raft.v1.rs"));
}

/// Tag of the checksum: field 5, four bytes (the wire format of protobuf).
const CHECKSUM_TAG: u8 = 5 << 3 | 5;
const CHECKSUM_BYTES: usize = 5;

/// Why a record cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The bytes are not a valid message.
    #[error("{record} is malformed")]
    Malformed {
        record: &'static str,
        #[source]
        source: prost::DecodeError,
    },
    /// A required field is absent.
    #[error("{record} lacks {field}")]
    Missing { record: &'static str, field: &'static str },
    /// A voter is not a member.
    #[error("the membership contradicts itself")]
    Membership(#[source] openraft::errors::MembershipError<u64>),
    /// The record differs from what was written.
    #[error("log record {index} is damaged: its checksum does not fit")]
    Damaged { index: u64 },
    /// The commands in the record cannot be decoded.
    #[error("commands of log entry {index} are not understood")]
    Entry {
        index: u64,
        #[source]
        source: WireError,
    },
}

impl From<RecordError> for io::Error {
    fn from(error: RecordError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

pub(super) fn encode_vote(vote: &Vote) -> Vec<u8> {
    to_vote(vote).encode_to_vec()
}

pub(super) fn to_vote(vote: &Vote) -> proto::Vote {
    let leader = vote.leader_id();
    proto::Vote { term: leader.term, node: leader.voted_for, committed: vote.is_committed() }
}

pub(super) fn from_vote(vote: &proto::Vote) -> Vote {
    if vote.committed {
        Vote::new_committed(vote.term, vote.node)
    } else {
        Vote::new(vote.term, vote.node)
    }
}

pub(super) fn decode_vote(bytes: &[u8]) -> Result<Vote, RecordError> {
    Ok(from_vote(&decode("vote", bytes)?))
}

pub(super) fn encode_log_id(id: &LogId) -> Vec<u8> {
    to_log_id(id).encode_to_vec()
}

pub(super) fn decode_log_id(bytes: &[u8]) -> Result<LogId, RecordError> {
    Ok(from_log_id(&decode("log id", bytes)?))
}

pub(super) fn encode_record(entry: &RaftEntry) -> Vec<u8> {
    use proto::log_record::Payload;
    let payload = match &entry.payload {
        EntryPayload::Blank => Payload::Blank(true),
        EntryPayload::Normal(proposal) => Payload::Entry(proposal.bytes().clone()),
        EntryPayload::Membership(membership) => Payload::Membership(to_membership(membership)),
    };
    let id = Some(to_log_id(&entry.log_id));
    proto::LogRecord { id, payload: Some(payload), checksum: None }.encode_to_vec()
}

/// The same with a checksum after it, which the first feature level does not know.
pub(super) fn encode_checked_record(entry: &RaftEntry) -> Vec<u8> {
    let mut record = encode_record(entry);
    let checksum = crc32fast::hash(&record);
    record.push(CHECKSUM_TAG);
    record.extend_from_slice(&checksum.to_le_bytes());
    record
}

/// Whether a record matches its checksum, if it has one.
fn check_record(bytes: &[u8], record: &proto::LogRecord) -> Result<(), RecordError> {
    let Some(checksum) = record.checksum else { return Ok(()) };
    let checked = bytes.len().checked_sub(CHECKSUM_BYTES).and_then(|end| bytes.get(..end));
    if checked.is_some_and(|checked| crc32fast::hash(checked) == checksum) {
        return Ok(());
    }
    Err(RecordError::Damaged { index: record.id.map_or(0, |id| id.index) })
}

/// Checks a record without decoding its commands.
pub(super) fn check(bytes: &[u8]) -> Result<(), RecordError> {
    check_record(bytes, &decode("log record", bytes)?)
}

pub(super) fn decode_record(bytes: Bytes) -> Result<RaftEntry, RecordError> {
    use proto::log_record::Payload;
    let record: proto::LogRecord = decode("log record", bytes.clone())?;
    check_record(&bytes, &record)?;
    let missing = |field| RecordError::Missing { record: "log record", field };
    let log_id = from_log_id(&record.id.ok_or(missing("id"))?);
    let payload = match record.payload.ok_or(missing("payload"))? {
        Payload::Blank(_) => EntryPayload::Blank,
        Payload::Entry(bytes) => {
            let failed = |source| RecordError::Entry { index: log_id.index, source };
            EntryPayload::Normal(LogEntry::decode(bytes).map_err(failed)?)
        }
        Payload::Membership(membership) => EntryPayload::Membership(from_membership(&membership)?),
    };
    Ok(RaftEntry { log_id, payload })
}

pub(super) fn encode_snapshot_header(meta: &SnapshotMeta) -> Vec<u8> {
    let membership = &meta.last_membership;
    let header = proto::SnapshotHeader {
        last: meta.last_log_id.as_ref().map(to_log_id),
        membership_id: membership.log_id().as_ref().map(to_log_id),
        membership: Some(to_membership(membership.membership())),
    };
    header.encode_to_vec()
}

pub(super) fn decode_snapshot_header(bytes: &[u8]) -> Result<SnapshotMeta, RecordError> {
    let header: proto::SnapshotHeader = decode("snapshot header", bytes)?;
    let membership = header
        .membership
        .ok_or(RecordError::Missing { record: "snapshot header", field: "membership" })?;
    let membership_id = header.membership_id.as_ref().map(from_log_id);
    Ok(SnapshotMeta {
        last_log_id: header.last.as_ref().map(from_log_id),
        last_membership: StoredMembership::new(membership_id, from_membership(&membership)?),
    })
}

pub(super) fn decode<M: prost::Message + Default>(
    record: &'static str,
    bytes: impl Buf,
) -> Result<M, RecordError> {
    M::decode(bytes).map_err(|source| RecordError::Malformed { record, source })
}

pub(super) fn to_log_id(id: &LogId) -> proto::LogId {
    proto::LogId { term: *id.leader_id, index: id.index }
}

pub(super) fn from_log_id(id: &proto::LogId) -> LogId {
    LogId { leader_id: id.term.into(), index: id.index }
}

type Membership = openraft::Membership<u64, MemberNode>;

fn to_membership(membership: &Membership) -> proto::Membership {
    let sets = membership.get_joint_config().iter();
    let members = membership.nodes();
    proto::Membership {
        voters: sets.map(|set| proto::VoterSet { nodes: set.iter().copied().collect() }).collect(),
        members: members
            .map(|(node, at)| proto::Member {
                node: *node,
                address: at.address.clone(),
                name: at.name.clone(),
            })
            .collect(),
    }
}

fn from_membership(membership: &proto::Membership) -> Result<Membership, RecordError> {
    if membership.voters.is_empty() {
        return Ok(Membership::default());
    }
    let sets = membership.voters.iter();
    let sets: Vec<BTreeSet<u64>> = sets.map(|set| set.nodes.iter().copied().collect()).collect();
    let members = membership.members.iter();
    let members: BTreeMap<u64, MemberNode> =
        members.map(|member| (member.node, member_node(member))).collect();
    Membership::new(sets, members).map_err(RecordError::Membership)
}

fn member_node(member: &proto::Member) -> MemberNode {
    MemberNode { name: member.name.clone(), address: member.address.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::state_machine::{Command, Entry};

    fn member(node: u64) -> proto::Member {
        proto::Member { node, address: format!("host-{node}:3320"), name: format!("relay-{node}") }
    }

    #[test]
    fn every_kind_of_record_reads_back() {
        let log_id = LogId { leader_id: 3_u64.into(), index: 9 };
        let entry = Entry { at: Timestamp(5), commands: vec![Command::Tick] };
        let membership = from_membership(&proto::Membership {
            voters: vec![proto::VoterSet { nodes: vec![1, 2] }],
            members: vec![member(1), member(2)],
        })
        .unwrap();
        for payload in [
            EntryPayload::Blank,
            EntryPayload::Normal(LogEntry::from(entry)),
            EntryPayload::Membership(membership),
        ] {
            let record = RaftEntry { log_id, payload };
            let bytes = encode_record(&record);
            assert_eq!(encode_record(&decode_record(bytes.clone().into()).unwrap()), bytes);
            let checked = encode_checked_record(&record);
            assert_eq!(encode_record(&decode_record(checked.into()).unwrap()), bytes);
        }
    }

    #[test]
    fn a_record_with_any_byte_of_its_entry_changed_is_refused() {
        let log_id = LogId { leader_id: 3_u64.into(), index: 9 };
        let entry = Entry { at: Timestamp(5), commands: vec![Command::Tick] };
        let payload = EntryPayload::Normal(LogEntry::from(entry));
        let record = encode_checked_record(&RaftEntry { log_id, payload });
        for at in 0..record.len() - CHECKSUM_BYTES {
            let mut changed = record.clone();
            changed[at] ^= 1;
            assert!(decode_record(changed.clone().into()).is_err(), "byte {at}");
            assert!(check(&changed).is_err(), "byte {at}");
        }
        assert!(check(&record).is_ok());
    }

    #[test]
    fn votes_read_back_with_their_commitment() {
        for vote in [Vote::new(4, 7), Vote::new_committed(4, 7)] {
            assert_eq!(decode_vote(&encode_vote(&vote)).unwrap(), vote);
        }
    }

    #[test]
    fn an_entry_of_an_unknown_version_is_an_error() {
        let record = proto::LogRecord {
            id: Some(proto::LogId { term: 1, index: 2 }),
            payload: Some(proto::log_record::Payload::Entry(vec![255, 255, 1].into())),
            checksum: None,
        };
        let read = decode_record(record.encode_to_vec().into());
        assert!(matches!(read, Err(RecordError::Entry { index: 2, .. })), "{read:?}");
    }
}
