//! The bytes of calls between members and of the files in a data directory (rule 22).

use super::data_dir::identity::{
    ClusterId, IDENTITY_FILE, NodeIdentity, read_identity, write_identity,
};
use super::data_dir::plan_marker::PlanMarker;
use super::operator::finalize::{self, FinalizeError, Lack};
use super::operator::membership::{self, Named, OrderError};
use super::transport::proto::{
    Ask, Check, Checked, Failing, Finalize, Finalized, Forward, Forwarded, HandOver, Look,
    MemberDigest, NodeStatus, Ordered, Reach, Remove, StateDigest, finalized, forwarded, ordered,
};
use super::view::{self, ClusterView, MemberState, MemberView};
use super::{gossip, raft, spool, transport};
use crate::event::Key;
use crate::golden::{Case, kebab};
use crate::state_machine::{FeatureLevel, NodeId};
use prost::Message as _;
use std::path::Path;

const NODE: NodeId = NodeId(0xa1);

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = vec![Case::message("peer/ask", Ask {}), Case::message("peer/look", Look {})];
    cases.extend(work());
    cases.extend(orders());
    cases.extend(ordered_answers());
    cases.extend(finalized_answers());
    cases.push(cluster_view());
    cases.extend(files());
    cases.extend(raft::golden::cases());
    cases.extend(transport::golden::cases());
    cases.extend(spool::golden::cases());
    cases.extend(gossip::golden::cases());
    cases
}

fn work() -> Vec<Case> {
    let status = NodeStatus {
        node: NODE.0,
        name: "relay-1".to_owned(),
        peer_address: "relay-1.relay:3320".to_owned(),
        cluster: 0xc1,
        is_pristine: true,
        boot: 4,
        feature_level: 5,
    };
    let (entry, answers) = (b"E\x01".as_slice().into(), b"A\x01".to_vec());
    let failing = Failing { lasting_ms: 61_000, last_ago_ms: 9 };
    let reach = Reach { reached_ago_ms: Some(62_000), failing: Some(failing), late_by_ms: 30_000 };
    let digest = StateDigest { index: 10, high: 11, low: 12 };
    let check = Check {
        node: NODE.0,
        wall_ms: 1_790_000_000_123,
        is_draining: true,
        spooled: 6,
        reach: Some(reach),
        digest: Some(digest),
    };
    let checked = Checked {
        is_leader: true,
        quorum_age_ms: 7,
        now_ms: 1_790_000_000_124,
        applied_index: 8,
        digests: vec![MemberDigest { node: NODE.0, digest: Some(digest) }],
    };
    let mut cases = vec![
        Case::message("peer/node-status", status),
        Case::message("peer/forward", Forward { entry, is_event: true, within_ms: 900, hops: 1 }),
        Case::message("peer/check", check),
        Case::message("peer/checked", checked),
    ];
    for number in 0.. {
        let Ok(failure) = forwarded::Failure::try_from(number) else { break };
        let name = format!("peer/forwarded-{}", kebab(failure.as_str_name()));
        let answers = answers.clone();
        cases.push(Case::message(name, Forwarded { failure: number, answers, index: 9 }));
    }
    cases
}

fn orders() -> Vec<Case> {
    vec![
        Case::message("peer/remove", Remove { node: NODE.0 }),
        Case::message("peer/hand-over", HandOver { to: NODE.0 }),
        Case::message("peer/finalize", Finalize {}),
    ]
}

fn ordered_answers() -> Vec<Case> {
    let (node, answering, needed) = (NODE, 1, 2);
    let answers = [
        Ok(Named { node, name: "relay-1".to_owned() }),
        Err(OrderError::NoLeader),
        Err(OrderError::Unknown(node)),
        Err(OrderError::Leads(node)),
        Err(OrderError::ChangeUnderWay),
        Err(OrderError::NoQuorum { answering, needed }),
        Err(OrderError::QuorumLost { node, answering, needed }),
        Err(OrderError::NoVote(node)),
        Err(OrderError::Draining(node)),
        Err(OrderError::Silent(node)),
        Err(OrderError::Behind { node, lag: 9 }),
        Err(OrderError::NoTransferTarget),
        Err(OrderError::Unconfirmed),
    ];
    let case = |answer: Result<Named, OrderError>| {
        let message = membership::encode(answer.clone());
        let kind = ordered::Refusal::try_from(message.refusal).unwrap();
        let name = format!("peer/ordered-{}", kebab(kind.as_str_name()));
        let read = |bytes: &[u8]| Ordered::decode(bytes).map(membership::decode);
        Case::new(name, answer, message.encode_to_vec(), read)
    };
    answers.map(case).into()
}

fn finalized_answers() -> Vec<Case> {
    let lack = |node, level: Option<u32>| Lack {
        node: NodeId(node),
        name: format!("relay-{node}"),
        level: level.map(FeatureLevel),
    };
    let members = vec![lack(1, Some(2)), lack(2, None)];
    let answers = [
        Ok(FeatureLevel(3)),
        Err(FinalizeError::NoLeader),
        Err(FinalizeError::Lacking { level: FeatureLevel(3), members }),
        Err(FinalizeError::Unconfirmed),
    ];
    let case = |answer: Result<FeatureLevel, FinalizeError>| {
        let message = finalize::encode(answer.clone());
        let kind = finalized::Refusal::try_from(message.refusal).unwrap();
        let name = format!("peer/finalized-{}", kebab(kind.as_str_name()));
        let read = |bytes: &[u8]| Finalized::decode(bytes).map(finalize::decode);
        Case::new(name, answer, message.encode_to_vec(), read)
    };
    answers.map(case).into()
}

/// A member in each state, as the leader reports it.
fn cluster_view() -> Case {
    let states =
        [None, Some(MemberState::Live), Some(MemberState::Suspect), Some(MemberState::Dead)];
    let member = |(number, state): (u64, Option<MemberState>)| MemberView {
        node: NodeId(number),
        name: format!("relay-{number}"),
        peer_address: format!("relay-{number}.relay:3320"),
        is_voter: number < 4,
        state,
        matched_index: (number > 1).then_some(90),
        lag: (number > 1).then_some(9),
        last_contact_ms: (number > 1).then_some(40),
        is_unhealthy: (number > 1).then_some(number == 3),
        told: None,
        slots: 0,
    };
    let told = ClusterView {
        cluster_id: None,
        leader: Some(NodeId(2)),
        term: 3,
        has_quorum: true,
        is_of_leader: true,
        members: (1..).zip(states).map(member).collect(),
        slots_unowned: 0,
        applied_index: 99,
        own_log_end: raft::LogEnd::default(),
        feature_level: FeatureLevel::default(),
        gossip_live: Vec::new(),
    };
    let bytes = view::encode(&told);
    let read = |bytes: &[u8]| view::decode(bytes).ok_or("no leader's view");
    Case::new("peer/cluster-view", told, bytes, read)
}

/// The content of a file that `write` made in an empty folder.
fn written(name: &str, write: impl FnOnce(&Path)) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    std::fs::read(folder.path().join(name)).unwrap()
}

/// The result of `read` for a folder with that file.
fn from_file<T>(name: &str, bytes: &[u8], read: impl FnOnce(&Path) -> T) -> T {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), bytes).unwrap();
    read(folder.path())
}

fn files() -> Vec<Case> {
    let identity = |name: &str, cluster_id| {
        let identity = NodeIdentity { node_id: NODE, cluster_id, boot: 4 };
        let bytes = written(IDENTITY_FILE, |folder| write_identity(folder, &identity).unwrap());
        let read = |bytes: &[u8]| from_file(IDENTITY_FILE, bytes, read_identity);
        Case::new(name, Some(identity), bytes, read)
    };
    let planned = (Key(0xabc), 9);
    let mark = written("planning", |folder| {
        PlanMarker::open(folder).unwrap().0.set(planned.0, planned.1);
    });
    let read = |bytes: &[u8]| {
        let left = |folder: &Path| PlanMarker::open(folder).map(|(_, left)| left);
        from_file("planning", bytes, left)
    };
    vec![
        identity("disk/identity", Some(ClusterId(0xc1))),
        identity("disk/identity-of-no-cluster", None),
        Case::new("disk/planning", Some(planned), mark, read),
    ]
}
