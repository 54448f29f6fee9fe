//! The data of summaries, to and from the wire.

use super::enums::{from_run_state, to_run_state};
use super::event::{from_position, to_position};
use super::event_table::{EventTable, StoredEvents};
use super::scalar::{from_key, from_key_set, insert_once, required, to_key, to_keys};
use super::{WireError, proto};
use crate::clock::Timestamp;
use crate::event::Key;
use crate::state_machine::{Accumulator, Group, GroupKey, SummaryMember};
use std::collections::BTreeMap;

pub(super) fn to_accumulator(
    key: Key,
    accumulator: &Accumulator,
    events: &mut EventTable,
) -> proto::Accumulator {
    proto::Accumulator {
        key: to_key(key),
        root: accumulator.root.as_ref().map(|root| events.name(root)),
        members: accumulator.members.iter().map(|(uid, member)| to_member(uid, member)).collect(),
        due_at_ms: accumulator.due_at.0,
        renderings: accumulator.renderings,
        is_incomplete: accumulator.is_incomplete,
        group: accumulator.group.as_ref().map(to_group_key),
    }
}

pub(super) fn from_accumulator(
    accumulator: proto::Accumulator,
    events: &StoredEvents,
) -> Result<(Key, Accumulator), WireError> {
    let key = from_key(&accumulator.key, "Accumulator.key")?;
    let root = accumulator.root.map(|root| events.find(&root, "Accumulator.root")).transpose()?;
    let mut members = BTreeMap::new();
    for member in accumulator.members {
        let (uid, member) = from_member(member)?;
        insert_once(&mut members, uid, member, "Accumulator.members")?;
    }
    let record = Accumulator {
        root,
        members,
        due_at: Timestamp(accumulator.due_at_ms),
        renderings: accumulator.renderings,
        is_incomplete: accumulator.is_incomplete,
        group: accumulator.group.map(from_group_key),
    };
    Ok((key, record))
}

fn to_member(uid: &str, member: &SummaryMember) -> proto::Member {
    proto::Member {
        uid: uid.to_owned(),
        name: member.name.clone(),
        pipeline_task: member.pipeline_task.clone(),
        is_finally: member.is_finally,
        state: to_run_state(member.state),
        reason: member.reason.clone(),
        started_at_ms: member.started_at.0,
        finished_at_ms: member.finished_at.0,
        position: Some(to_position(&member.position)),
    }
}

fn from_member(member: proto::Member) -> Result<(String, SummaryMember), WireError> {
    let record = SummaryMember {
        name: member.name,
        pipeline_task: member.pipeline_task,
        is_finally: member.is_finally,
        state: from_run_state(member.state, "Member.state")?,
        reason: member.reason,
        started_at: Timestamp(member.started_at_ms),
        finished_at: Timestamp(member.finished_at_ms),
        position: from_position(required(member.position, "Member.position")?)?,
    };
    Ok((member.uid, record))
}

pub(super) fn to_group_key((namespace, group_id): &GroupKey) -> proto::GroupKey {
    proto::GroupKey { namespace: namespace.clone(), group_id: group_id.clone() }
}

pub(super) fn from_group_key(key: proto::GroupKey) -> GroupKey {
    (key.namespace, key.group_id)
}

pub(super) fn to_group(key: &GroupKey, group: &Group, events: &mut EventTable) -> proto::Group {
    proto::Group {
        key: Some(to_group_key(key)),
        generation: group.generation,
        members: to_keys(group.members.iter()),
        opened_at_ms: group.opened_at.0,
        renderings: group.renderings,
        is_incomplete: group.is_incomplete,
        facts: group.facts.as_ref().map(|facts| events.name(facts)),
    }
}

pub(super) fn from_group(
    group: proto::Group,
    events: &StoredEvents,
) -> Result<(GroupKey, Group), WireError> {
    let key = from_group_key(required(group.key, "Group.key")?);
    let record = Group {
        generation: group.generation,
        members: from_key_set(&group.members, "Group.members")?,
        opened_at: Timestamp(group.opened_at_ms),
        renderings: group.renderings,
        is_incomplete: group.is_incomplete,
        facts: group.facts.map(|facts| events.find(&facts, "Group.facts")).transpose()?,
    };
    Ok((key, record))
}
