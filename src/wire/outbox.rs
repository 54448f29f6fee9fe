//! Lanes with their effects, targets and replaced Begins, to and from the wire. The key of a lane
//! is the key of its effects; its effects are stored in their order.

use super::effect::{from_cause, from_effect_id, from_route, to_cause, to_effect_id, to_route};
use super::enums::{from_delivery, to_delivery};
use super::enums::{from_run_state, to_run_state};
use super::event::{from_age, from_context, from_position, to_age, to_context, to_position};
use super::event_table::{EventTable, StoredEvents};
use super::run::{from_origin, to_origin};
use super::scalar::{from_each, from_key, from_slot, insert_once, required, to_key};
use super::{WireError, proto};
use crate::clock::Timestamp;
use crate::effect::{EffectId, TargetKey};
use crate::event::Key;
use crate::state_machine::{
    EffectRecord, NodeId, OpenBegin, OwedRepair, ReplacedBegin, Standing, TargetRecord, Writer,
};
use std::collections::BTreeMap;

pub(super) fn to_lane<'a>(
    effects: impl Iterator<Item = &'a EffectRecord>,
    events: &mut EventTable,
) -> proto::Lane {
    proto::Lane { effects: effects.map(|effect| to_effect(effect, events)).collect() }
}

/// The effects of one lane, at least one.
pub(super) fn from_lane(
    lane: proto::Lane,
    events: &StoredEvents,
) -> Result<Vec<EffectRecord>, WireError> {
    let field = "Lane.effects";
    let effects: Vec<_> = from_each(lane.effects, |effect| from_effect(effect, events))?;
    let Some(key) = effects.first().map(EffectRecord::lane) else {
        return Err(WireError::Missing { field });
    };
    match effects.iter().find(|effect| effect.lane() != key) {
        Some(stray) => Err(WireError::Dangling { field, found: stray.target.to_string() }),
        None => Ok(effects),
    }
}

fn to_effect(effect: &EffectRecord, events: &mut EventTable) -> proto::Effect {
    proto::Effect {
        id: to_effect_id(effect.id),
        route: Some(to_route(&effect.route)),
        target: effect.target.0.clone(),
        delivery: to_delivery(effect.delivery),
        run: to_key(effect.run),
        slot: effect.slot.number().into(),
        sequence: effect.sequence,
        event: events.name(&effect.event),
        context: Some(to_context(&effect.context)),
        origin: Some(to_origin(&effect.origin)),
        accepted_at_ms: effect.accepted_at.0,
        attempts: effect.attempts,
        first_begun_at_ms: effect.first_begun_at.0,
        not_before_ms: effect.not_before.0,
        open: effect.open.as_ref().map(to_open),
        ended_boots: effect.ended_boots,
        is_in_doubt: effect.is_in_doubt,
        parked_since_ms: effect.parked_since.0,
        last_cause: effect.last_cause.as_ref().map(to_cause),
    }
}

fn from_effect(effect: proto::Effect, events: &StoredEvents) -> Result<EffectRecord, WireError> {
    Ok(EffectRecord {
        id: from_effect_id(&effect.id, "Effect.id")?,
        route: from_route(effect.route, "Effect.route")?,
        target: TargetKey(effect.target),
        delivery: from_delivery(effect.delivery, "Effect.delivery")?,
        run: from_key(&effect.run, "Effect.run")?,
        slot: from_slot(effect.slot, "Effect.slot")?,
        sequence: effect.sequence,
        event: events.find(&effect.event, "Effect.event")?,
        context: from_context(required(effect.context, "Effect.context")?)?,
        origin: from_origin(effect.origin, "Effect.origin")?,
        accepted_at: Timestamp(effect.accepted_at_ms),
        attempts: effect.attempts,
        first_begun_at: Timestamp(effect.first_begun_at_ms),
        not_before: Timestamp(effect.not_before_ms),
        open: effect.open.map(from_open),
        ended_boots: effect.ended_boots,
        is_in_doubt: effect.is_in_doubt,
        parked_since: Timestamp(effect.parked_since_ms),
        last_cause: effect.last_cause.map(from_cause).transpose()?,
    })
}

fn to_open(open: &OpenBegin) -> proto::OpenBegin {
    proto::OpenBegin { node: open.node.0, boot: open.boot, at_ms: open.at.0 }
}

fn from_open(open: proto::OpenBegin) -> OpenBegin {
    OpenBegin { node: NodeId(open.node), boot: open.boot, at: Timestamp(open.at_ms) }
}

fn to_writer(writer: &Writer) -> proto::Writer {
    proto::Writer {
        age: Some(to_age(&writer.age)),
        position: Some(to_position(&writer.position)),
        sequence: writer.sequence,
    }
}

fn from_writer(writer: proto::Writer) -> Result<Writer, WireError> {
    Ok(Writer {
        age: from_age(required(writer.age, "Writer.age")?),
        position: from_position(required(writer.position, "Writer.position")?)?,
        sequence: writer.sequence,
    })
}

pub(super) fn to_target(key: &TargetKey, target: &TargetRecord) -> proto::Target {
    proto::Target {
        key: key.0.clone(),
        writer: target.writer.as_ref().map(to_writer),
        remote_id: target.remote_id.clone(),
        open: target.open.map(to_effect_id),
        touched_at_ms: target.touched_at.0,
        standings: target.standings.iter().map(to_standing).collect(),
        share: target.share,
    }
}

fn to_standing((by, standing): (&Key, &Standing)) -> proto::Standing {
    proto::Standing {
        by: to_key(*by),
        writer: Some(to_writer(&standing.writer)),
        state: to_run_state(standing.state),
    }
}

fn from_standing(standing: proto::Standing) -> Result<(Key, Standing), WireError> {
    let by = from_key(&standing.by, "Standing.by")?;
    let record = Standing {
        writer: from_writer(required(standing.writer, "Standing.writer")?)?,
        state: from_run_state(standing.state, "Standing.state")?,
    };
    Ok((by, record))
}

pub(super) fn from_target(target: proto::Target) -> Result<(TargetKey, TargetRecord), WireError> {
    let open = target.open.map(|id| from_effect_id(&id, "Target.open")).transpose()?;
    let mut standings = BTreeMap::new();
    for standing in target.standings {
        let (by, standing) = from_standing(standing)?;
        insert_once(&mut standings, by, standing, "Target.standings")?;
    }
    let record = TargetRecord {
        writer: target.writer.map(from_writer).transpose()?,
        remote_id: target.remote_id,
        open,
        touched_at: Timestamp(target.touched_at_ms),
        standings,
        share: target.share,
    };
    Ok((TargetKey(target.key), record))
}

pub(super) fn to_repair(target: &TargetKey, repair: &OwedRepair) -> proto::OwedRepair {
    proto::OwedRepair {
        target: target.0.clone(),
        due_at_ms: repair.due_at.0,
        effect: to_effect_id(repair.effect),
        attempt: repair.attempt,
        run: to_key(repair.run),
        route: Some(to_route(&repair.route)),
        writer: Some(to_writer(&repair.writer)),
        is_set: repair.is_set,
        is_of_repair: repair.is_of_repair,
    }
}

pub(super) fn from_repair(repair: proto::OwedRepair) -> Result<(TargetKey, OwedRepair), WireError> {
    let record = OwedRepair {
        due_at: Timestamp(repair.due_at_ms),
        effect: from_effect_id(&repair.effect, "OwedRepair.effect")?,
        attempt: repair.attempt,
        run: from_key(&repair.run, "OwedRepair.run")?,
        route: from_route(repair.route, "OwedRepair.route")?,
        writer: from_writer(required(repair.writer, "OwedRepair.writer")?)?,
        is_set: repair.is_set,
        is_of_repair: repair.is_of_repair,
    };
    Ok((TargetKey(repair.target), record))
}

pub(super) fn to_replaced(
    (id, attempt): (EffectId, u32),
    begin: &ReplacedBegin,
    events: &mut EventTable,
) -> proto::Replaced {
    proto::Replaced {
        id: to_effect_id(id),
        attempt,
        node: begin.node.0,
        boot: begin.boot,
        effect: Some(to_effect(&begin.effect, events)),
    }
}

pub(super) fn from_replaced(
    begin: proto::Replaced,
    events: &StoredEvents,
) -> Result<((EffectId, u32), ReplacedBegin), WireError> {
    let id = from_effect_id(&begin.id, "Replaced.id")?;
    let record = ReplacedBegin {
        node: NodeId(begin.node),
        boot: begin.boot,
        effect: from_effect(required(begin.effect, "Replaced.effect")?, events)?,
    };
    Ok(((id, begin.attempt), record))
}
