//! Run records, with what waits in them and what they keep, to and from the wire.

use super::effect::{from_effect_id, from_receipt, from_route, to_effect_id, to_receipt, to_route};
use super::enums::{
    from_cause_kind, from_fate, from_rank, from_run_state, from_skip_reason, to_cause_kind,
    to_fate, to_rank, to_run_state, to_skip_reason,
};
use super::event::{
    from_age, from_context, from_position, from_writer, to_age, to_context, to_position, to_writer,
};
use super::event_table::{EventTable, StoredEvents};
use super::proto::{origin::Kind as WireOrigin, settled_effect::Settlement as WireSettlement};
use super::scalar::{from_each, from_key, from_key_set, from_slot, required, to_key, to_keys};
use super::{WireError, proto};
use crate::clock::Timestamp;
use crate::effect::TargetKey;
use crate::event::Key;
use crate::state_machine::{
    CopyOnWrite, End, Finished, KeptCheck, Origin, QueuedEvent, RunRecord, RunTombstone,
    SettledEffect, Settlement, TimelineEntry,
};

pub(super) fn to_run(key: Key, run: &RunRecord, events: &mut EventTable) -> proto::Run {
    proto::Run {
        key: to_key(key),
        slot: run.slot.number().into(),
        facts: events.name(&run.facts),
        facts_digest: run.facts_digest,
        position: Some(to_position(&run.position)),
        context: Some(to_context(&run.context)),
        transitions: to_keys(run.transitions.iter()),
        transitions_uncounted: run.transitions_uncounted,
        has_second_final: run.has_second_final,
        queue: run.queue.iter().map(|queued| to_queued(queued, events)).collect(),
        timeline: run.timeline.iter().map(to_moment).collect(),
        settled: run.settled.iter().map(to_settled).collect(),
        unsettled: run.unsettled,
        last_seen_ms: run.last_seen.0,
        ends: run.ends.iter().map(to_end).collect(),
        returns: run.returns,
        waits_until_ms: run.waits_until.0,
        is_given_up: run.is_given_up,
        look_at_ms: run.look_at.0,
    }
}

pub(super) fn from_run(
    run: proto::Run,
    events: &StoredEvents,
) -> Result<(Key, CopyOnWrite<RunRecord>), WireError> {
    let key = from_key(&run.key, "Run.key")?;
    let record = RunRecord {
        slot: from_slot(run.slot, "Run.slot")?,
        facts: events.find(&run.facts, "Run.facts")?,
        facts_digest: run.facts_digest,
        position: from_position(required(run.position, "Run.position")?)?,
        context: from_context(required(run.context, "Run.context")?)?,
        transitions: from_key_set(&run.transitions, "Run.transitions")?,
        transitions_uncounted: run.transitions_uncounted,
        has_second_final: run.has_second_final,
        queue: from_each(run.queue, |queued| from_queued(queued, events))?,
        timeline: from_each(run.timeline, from_moment)?,
        settled: from_each(run.settled, from_settled)?,
        unsettled: run.unsettled,
        last_seen: Timestamp(run.last_seen_ms),
        ends: from_each(run.ends, from_end)?,
        returns: run.returns,
        waits_until: Timestamp(run.waits_until_ms),
        is_given_up: run.is_given_up,
        look_at: Timestamp(run.look_at_ms),
    };
    Ok((key, CopyOnWrite::new(record)))
}

fn to_end(end: &End) -> proto::AttemptEnd {
    proto::AttemptEnd {
        state: to_run_state(end.state),
        at_ms: end.at.0,
        version: end.version,
        is_revision: end.is_revision,
    }
}

fn from_end(end: proto::AttemptEnd) -> Result<End, WireError> {
    Ok(End {
        state: from_run_state(end.state, "End.state")?,
        at: Timestamp(end.at_ms),
        version: end.version,
        is_revision: end.is_revision,
    })
}

pub(super) fn to_origin(origin: &Origin) -> proto::Origin {
    let kind = match origin {
        Origin::Reported { is_latest_only } => {
            WireOrigin::Reported(proto::Reported { is_latest_only: *is_latest_only })
        }
        Origin::Revised => WireOrigin::Revised(proto::Revised {}),
        Origin::Summary { rendering } => {
            WireOrigin::Summary(proto::SummaryShown { rendering: *rendering })
        }
        Origin::Replay { letter, replays, route, is_summary } => {
            WireOrigin::Replay(proto::Replayed {
                letter: *letter,
                replays: *replays,
                route: Some(to_route(route)),
                is_summary: *is_summary,
            })
        }
        Origin::Repair { effect, attempt, route } => WireOrigin::Repair(proto::Repair {
            effect: to_effect_id(*effect),
            attempt: *attempt,
            route: Some(to_route(route)),
        }),
        Origin::Silence { effect, route } => WireOrigin::Silence(proto::Silence {
            effect: to_effect_id(*effect),
            route: Some(to_route(route)),
        }),
    };
    proto::Origin { kind: Some(kind) }
}

pub(super) fn from_origin(
    origin: Option<proto::Origin>,
    field: &'static str,
) -> Result<Origin, WireError> {
    let Some(kind) = required(origin, field)?.kind else {
        let (field, accepted) = ("Origin.kind", "one of the fields 1 to 6");
        return Err(WireError::UnknownVariant { field, accepted });
    };
    Ok(match kind {
        WireOrigin::Reported(reported) => {
            Origin::Reported { is_latest_only: reported.is_latest_only }
        }
        WireOrigin::Revised(proto::Revised {}) => Origin::Revised,
        WireOrigin::Summary(summary) => Origin::Summary { rendering: summary.rendering },
        WireOrigin::Replay(replay) => Origin::Replay {
            letter: replay.letter,
            replays: replay.replays,
            route: from_route(replay.route, "Replayed.route")?,
            is_summary: replay.is_summary,
        },
        WireOrigin::Repair(repair) => Origin::Repair {
            effect: from_effect_id(&repair.effect, "Repair.effect")?,
            attempt: repair.attempt,
            route: from_route(repair.route, "Repair.route")?,
        },
        WireOrigin::Silence(silence) => Origin::Silence {
            effect: from_effect_id(&silence.effect, "Silence.effect")?,
            route: from_route(silence.route, "Silence.route")?,
        },
    })
}

fn to_queued(queued: &QueuedEvent, events: &mut EventTable) -> proto::QueuedEvent {
    proto::QueuedEvent {
        sequence: queued.sequence,
        event: events.name(&queued.event),
        context: Some(to_context(&queued.context)),
        origin: Some(to_origin(&queued.origin)),
        accepted_at_ms: queued.accepted_at.0,
        ended_plannings: queued.ended_plannings,
    }
}

fn from_queued(
    queued: proto::QueuedEvent,
    events: &StoredEvents,
) -> Result<QueuedEvent, WireError> {
    Ok(QueuedEvent {
        sequence: queued.sequence,
        event: events.find(&queued.event, "QueuedEvent.event")?,
        context: from_context(required(queued.context, "QueuedEvent.context")?)?,
        origin: from_origin(queued.origin, "QueuedEvent.origin")?,
        accepted_at: Timestamp(queued.accepted_at_ms),
        ended_plannings: queued.ended_plannings,
    })
}

fn to_moment(moment: &TimelineEntry) -> proto::Moment {
    proto::Moment {
        at_ms: moment.at.0,
        ce_time_ms: moment.ce_time.0,
        state: to_run_state(moment.state),
        reason: moment.reason.clone(),
        attempt: moment.attempt,
        fate: to_fate(moment.fate),
        is_contradiction: moment.is_contradiction,
    }
}

fn from_moment(moment: proto::Moment) -> Result<TimelineEntry, WireError> {
    Ok(TimelineEntry {
        at: Timestamp(moment.at_ms),
        ce_time: Timestamp(moment.ce_time_ms),
        state: from_run_state(moment.state, "Moment.state")?,
        reason: moment.reason,
        attempt: moment.attempt,
        fate: from_fate(moment.fate, "Moment.fate")?,
        is_contradiction: moment.is_contradiction,
    })
}

fn to_settled(settled: &SettledEffect) -> proto::SettledEffect {
    let settlement = match &settled.settlement {
        Settlement::Delivered(receipt) => WireSettlement::Delivered(to_receipt(receipt)),
        Settlement::Skipped(reason) => WireSettlement::Skipped(to_skip_reason(*reason)),
        Settlement::Dead(kind) => WireSettlement::Dead(to_cause_kind(*kind)),
        Settlement::Late(receipt) => WireSettlement::Late(to_receipt(receipt)),
    };
    proto::SettledEffect {
        effect: to_effect_id(settled.effect),
        route: Some(to_route(&settled.route)),
        target: settled.target.as_ref().map(|target| target.0.clone()),
        state: to_run_state(settled.state),
        settlement: Some(settlement),
        attempts: settled.attempts,
        at_ms: settled.at.0,
    }
}

fn from_settled(settled: proto::SettledEffect) -> Result<SettledEffect, WireError> {
    let Some(settlement) = settled.settlement else {
        let (field, accepted) = ("SettledEffect.settlement", "one of the fields 5 to 7, 10");
        return Err(WireError::UnknownVariant { field, accepted });
    };
    let settlement = match settlement {
        WireSettlement::Delivered(receipt) => Settlement::Delivered(from_receipt(receipt)?),
        WireSettlement::Skipped(reason) => {
            Settlement::Skipped(from_skip_reason(reason, "SettledEffect.skipped")?)
        }
        WireSettlement::Dead(kind) => {
            Settlement::Dead(from_cause_kind(kind, "SettledEffect.dead")?)
        }
        WireSettlement::Late(receipt) => Settlement::Late(from_receipt(receipt)?),
    };
    Ok(SettledEffect {
        effect: from_effect_id(&settled.effect, "SettledEffect.effect")?,
        route: from_route(settled.route, "SettledEffect.route")?,
        target: settled.target.map(TargetKey),
        state: from_run_state(settled.state, "SettledEffect.state")?,
        settlement,
        attempts: settled.attempts,
        at: Timestamp(settled.at_ms),
    })
}

pub(super) fn to_past(key: Key, past: &RunTombstone) -> proto::Past {
    proto::Past {
        key: to_key(key),
        attempt: past.attempt,
        rank: to_rank(past.rank),
        facts_digest: past.facts_digest,
        last_seen_ms: past.last_seen.0,
        changed_at_ms: past.changed_at.0,
        end_state: past.end_state.map(to_run_state),
        end_version: past.end_version,
        check: past.check.as_deref().map(to_kept),
        share: past.share,
    }
}

fn to_kept(check: &KeptCheck) -> proto::KeptCheck {
    proto::KeptCheck { writer: Some(to_writer(&check.writer)), name: check.name.clone() }
}

fn from_kept(check: proto::KeptCheck) -> Result<Box<KeptCheck>, WireError> {
    let writer = from_writer(required(check.writer, "KeptCheck.writer")?)?;
    Ok(Box::new(KeptCheck { writer, name: check.name }))
}

pub(super) fn from_past(past: proto::Past) -> Result<(Key, RunTombstone), WireError> {
    let key = from_key(&past.key, "Past.key")?;
    let end_state = past.end_state.map(|state| from_run_state(state, "Past.end_state"));
    let record = RunTombstone {
        attempt: past.attempt,
        rank: from_rank(past.rank, "Past.rank")?,
        facts_digest: past.facts_digest,
        last_seen: Timestamp(past.last_seen_ms),
        changed_at: Timestamp(past.changed_at_ms),
        end_state: end_state.transpose()?,
        end_version: past.end_version,
        check: past.check.map(from_kept).transpose()?,
        share: past.share,
    };
    Ok((key, record))
}

pub(super) fn to_finished(key: Key, finished: &Finished) -> proto::Finished {
    proto::Finished {
        key: to_key(key),
        state: to_run_state(finished.state),
        age: Some(to_age(&finished.age)),
        at_ms: finished.at.0,
    }
}

pub(super) fn from_finished(finished: proto::Finished) -> Result<(Key, Finished), WireError> {
    let key = from_key(&finished.key, "Finished.key")?;
    let record = Finished {
        state: from_run_state(finished.state, "Finished.state")?,
        age: from_age(required(finished.age, "Finished.age")?),
        at: Timestamp(finished.at_ms),
    };
    Ok((key, record))
}
