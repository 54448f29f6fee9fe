//! Routes, planned effects, causes and receipts, to and from the wire.

use super::enums::{
    from_cause_kind, from_delivery, from_skip_reason, to_cause_kind, to_delivery, to_skip_reason,
};
use super::scalar::{from_key, from_keys, from_u16, required, to_key, to_keys};
use super::{WireError, proto};
use crate::effect::{EffectId, PlannedEffect, Receipt, RouteName, Skipped, TargetKey};
use crate::state_machine::Cause;

pub(super) fn to_effect_id(id: EffectId) -> Vec<u8> {
    to_key(id.0)
}

pub(super) fn from_effect_id(bytes: &[u8], field: &'static str) -> Result<EffectId, WireError> {
    from_key(bytes, field).map(EffectId)
}

pub(super) fn to_effect_ids(ids: &[EffectId]) -> Vec<u8> {
    to_keys(ids.iter().map(|id| &id.0))
}

pub(super) fn from_effect_ids(
    bytes: &[u8],
    field: &'static str,
) -> Result<Vec<EffectId>, WireError> {
    Ok(from_keys(bytes, field)?.into_iter().map(EffectId).collect())
}

pub(super) fn to_route(route: &RouteName) -> proto::RouteName {
    proto::RouteName {
        kind: route.kind.clone(),
        instance: route.instance.clone(),
        action: route.action.clone(),
    }
}

pub(super) fn from_route(
    route: Option<proto::RouteName>,
    field: &'static str,
) -> Result<RouteName, WireError> {
    let route = required(route, field)?;
    Ok(RouteName { kind: route.kind, instance: route.instance, action: route.action })
}

pub(super) fn to_planned_effect(effect: &PlannedEffect) -> proto::PlannedEffect {
    proto::PlannedEffect {
        id: to_effect_id(effect.id),
        route: Some(to_route(&effect.route)),
        target: effect.target.0.clone(),
        delivery: to_delivery(effect.delivery),
    }
}

pub(super) fn from_planned_effect(
    effect: proto::PlannedEffect,
) -> Result<PlannedEffect, WireError> {
    Ok(PlannedEffect {
        id: from_effect_id(&effect.id, "PlannedEffect.id")?,
        route: from_route(effect.route, "PlannedEffect.route")?,
        target: TargetKey(effect.target),
        delivery: from_delivery(effect.delivery, "PlannedEffect.delivery")?,
    })
}

pub(super) fn to_skipped(skipped: &Skipped) -> proto::Skipped {
    proto::Skipped { route: Some(to_route(&skipped.route)), reason: to_skip_reason(skipped.reason) }
}

pub(super) fn from_skipped(skipped: proto::Skipped) -> Result<Skipped, WireError> {
    Ok(Skipped {
        route: from_route(skipped.route, "Skipped.route")?,
        reason: from_skip_reason(skipped.reason, "Skipped.reason")?,
    })
}

pub(super) fn to_cause(cause: &Cause) -> proto::Cause {
    proto::Cause { kind: to_cause_kind(cause.kind), detail: cause.detail.clone() }
}

pub(super) fn from_cause(cause: proto::Cause) -> Result<Cause, WireError> {
    Ok(Cause { kind: from_cause_kind(cause.kind, "Cause.kind")?, detail: cause.detail })
}

pub(super) fn to_receipt(receipt: &Receipt) -> proto::Receipt {
    proto::Receipt { remote_id: receipt.remote_id.clone(), status: receipt.status.into() }
}

pub(super) fn from_receipt(receipt: proto::Receipt) -> Result<Receipt, WireError> {
    Ok(Receipt {
        remote_id: receipt.remote_id,
        status: from_u16(receipt.status, "Receipt.status")?,
    })
}
