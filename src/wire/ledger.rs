//! Counters, slots, delivery keys, dead letters and timers, to and from the wire.

use super::effect::{from_cause, from_route, to_cause, to_route};
use super::enums::{
    from_cause_kind, from_fate, from_skip_reason, to_cause_kind, to_fate, to_skip_reason,
};
use super::event::{from_context, to_context};
use super::event_table::{EventTable, StoredEvents};
use super::proto::timer::Kind as WireTimer;
use super::scalar::{KEY_BYTES, from_key, from_slot, insert_once, required, to_key};
use super::summary::{from_group_key, to_group_key};
use super::{WireError, proto};
use crate::clock::Timestamp;
use crate::effect::TargetKey;
use crate::state_machine::{Counters, DeadLetter, DeliveryKeys, NodeId, Slot, SlotId, Timer};
use std::collections::BTreeMap;

/// Length of one remembered delivery: when it expires, and its key.
pub(super) const DELIVERY_BYTES: usize = size_of::<u64>() + KEY_BYTES;

pub(super) fn to_counters(counters: &Counters) -> proto::Counters {
    let fates = counters.fates.iter();
    let skipped = counters.skipped.iter();
    let dead = counters.dead.iter();
    proto::Counters {
        fates: fates
            .map(|(fate, count)| proto::FateCount { fate: to_fate(*fate), count: *count })
            .collect(),
        skipped: skipped
            .map(|(reason, count)| proto::SkipCount {
                reason: to_skip_reason(*reason),
                count: *count,
            })
            .collect(),
        dead: dead
            .map(|(kind, count)| proto::CauseCount { kind: to_cause_kind(*kind), count: *count })
            .collect(),
        delivered: counters.delivered,
        in_doubt: counters.in_doubt,
        late: counters.late,
        letters_dropped: counters.letters_dropped,
        incomplete_summaries: counters.incomplete_summaries,
        transitions_uncounted: counters.transitions_uncounted,
        contradictions: counters.contradictions,
        times_clamped: counters.times_clamped,
        check_collisions: counters.check_collisions,
    }
}

pub(super) fn from_counters(counters: proto::Counters) -> Result<Counters, WireError> {
    let mut fates = BTreeMap::new();
    for count in counters.fates {
        let fate = from_fate(count.fate, "FateCount.fate")?;
        insert_once(&mut fates, fate, count.count, "Counters.fates")?;
    }
    let mut skipped = BTreeMap::new();
    for count in counters.skipped {
        let reason = from_skip_reason(count.reason, "SkipCount.reason")?;
        insert_once(&mut skipped, reason, count.count, "Counters.skipped")?;
    }
    let mut dead = BTreeMap::new();
    for count in counters.dead {
        let kind = from_cause_kind(count.kind, "CauseCount.kind")?;
        insert_once(&mut dead, kind, count.count, "Counters.dead")?;
    }
    Ok(Counters {
        fates,
        skipped,
        dead,
        delivered: counters.delivered,
        in_doubt: counters.in_doubt,
        late: counters.late,
        letters_dropped: counters.letters_dropped,
        incomplete_summaries: counters.incomplete_summaries,
        transitions_uncounted: counters.transitions_uncounted,
        contradictions: counters.contradictions,
        times_clamped: counters.times_clamped,
        check_collisions: counters.check_collisions,
    })
}

pub(super) fn to_slot(number: SlotId, slot: Slot) -> proto::Slot {
    proto::Slot {
        number: number.number().into(),
        owner: slot.owner.map(|owner| owner.0),
        epoch: slot.epoch,
        moved_at_ms: slot.moved_at.0,
    }
}

pub(super) fn from_slot_record(slot: proto::Slot) -> Result<(SlotId, Slot), WireError> {
    let number = from_slot(slot.number, "Slot.number")?;
    let record = Slot {
        owner: slot.owner.map(NodeId),
        epoch: slot.epoch,
        moved_at: Timestamp(slot.moved_at_ms),
    };
    Ok((number, record))
}

pub(super) fn to_deliveries(deliveries: &DeliveryKeys) -> proto::Deliveries {
    let mut items = Vec::with_capacity(deliveries.iter().len() * DELIVERY_BYTES);
    for (expires_at, key) in deliveries.iter() {
        items.extend_from_slice(&expires_at.0.to_be_bytes());
        items.extend_from_slice(&key.0.to_be_bytes());
    }
    proto::Deliveries { items }
}

pub(super) fn from_deliveries(deliveries: &proto::Deliveries) -> Result<DeliveryKeys, WireError> {
    let (items, rest) = deliveries.items.as_chunks::<DELIVERY_BYTES>();
    if !rest.is_empty() {
        let (found, accepted) = (deliveries.items.len(), "a multiple of 24");
        return Err(WireError::Length { field: "Deliveries.items", found, accepted });
    }
    let from_item = |item: &[u8; DELIVERY_BYTES]| {
        let (expires_at, key) = item.split_at(size_of::<u64>());
        let expires_at = expires_at.iter().fold(0, |ms, byte| ms << 8 | u64::from(*byte));
        from_key(key, "Deliveries.items").map(|key| (Timestamp(expires_at), key))
    };
    items.iter().map(from_item).collect()
}

pub(super) fn to_letter(letter: &DeadLetter, events: &mut EventTable) -> proto::DeadLetter {
    proto::DeadLetter {
        id: letter.id,
        failed_at_ms: letter.failed_at.0,
        cause: Some(to_cause(&letter.cause)),
        replays: letter.replays,
        attempts: letter.attempts,
        run: to_key(letter.run),
        route: Some(to_route(&letter.route)),
        event: events.name(&letter.event),
        context: Some(to_context(&letter.context)),
        is_summary: letter.is_summary,
        sequence: letter.sequence,
    }
}

pub(super) fn from_letter(
    letter: proto::DeadLetter,
    events: &StoredEvents,
) -> Result<DeadLetter, WireError> {
    Ok(DeadLetter {
        id: letter.id,
        failed_at: Timestamp(letter.failed_at_ms),
        cause: from_cause(required(letter.cause, "DeadLetter.cause")?)?,
        replays: letter.replays,
        attempts: letter.attempts,
        run: from_key(&letter.run, "DeadLetter.run")?,
        route: from_route(letter.route, "DeadLetter.route")?,
        event: events.find(&letter.event, "DeadLetter.event")?,
        context: from_context(required(letter.context, "DeadLetter.context")?)?,
        is_summary: letter.is_summary,
        sequence: letter.sequence,
    })
}

pub(super) fn to_timer(due_at: Timestamp, timer: &Timer) -> proto::Timer {
    let kind = match timer {
        Timer::Summary(run) => WireTimer::Summary(to_key(*run)),
        Timer::Group(key, generation) => WireTimer::Group(proto::GroupEnd {
            key: Some(to_group_key(key)),
            generation: *generation,
        }),
        Timer::Quiet(run) => WireTimer::Quiet(to_key(*run)),
        Timer::Target(target) => WireTimer::Target(target.0.clone()),
        Timer::DeadLetter(letter) => WireTimer::DeadLetter(*letter),
        Timer::Parent(run) => WireTimer::Parent(to_key(*run)),
        Timer::Repair(target) => WireTimer::Repair(target.0.clone()),
    };
    proto::Timer { due_at_ms: due_at.0, kind: Some(kind) }
}

pub(super) fn from_timer(timer: proto::Timer) -> Result<(Timestamp, Timer), WireError> {
    let Some(kind) = timer.kind else {
        let (field, accepted) = ("Timer.kind", "one of the fields 2 to 8");
        return Err(WireError::UnknownVariant { field, accepted });
    };
    let kind = match kind {
        WireTimer::Summary(run) => Timer::Summary(from_key(&run, "Timer.summary")?),
        WireTimer::Group(end) => {
            let key = from_group_key(required(end.key, "GroupEnd.key")?);
            Timer::Group(key, end.generation)
        }
        WireTimer::Quiet(run) => Timer::Quiet(from_key(&run, "Timer.quiet")?),
        WireTimer::Target(target) => Timer::Target(TargetKey(target)),
        WireTimer::DeadLetter(letter) => Timer::DeadLetter(letter),
        WireTimer::Parent(run) => Timer::Parent(from_key(&run, "Timer.parent")?),
        WireTimer::Repair(target) => Timer::Repair(TargetKey(target)),
    };
    Ok((Timestamp(timer.due_at_ms), kind))
}
