//! One owed effect with everything that rendering it needs. The worker and the dry run make it in
//! one place, so that what `plan` shows is what would be sent.

use super::{Route, Rules};
use crate::clock::Timestamp;
use crate::effect::{EffectId, RouteName, Summary};
use crate::event::{RunContext, RunEvent};
use crate::integration::Effect;
use crate::state_machine::{EffectRecord, Grant, StateMachine};
use std::sync::Arc;

/// An effect with everything its rendering needs, taken from the replicated state.
#[derive(Clone, Debug)]
pub struct Job {
    pub id: EffectId,
    pub attempt: u32,
    pub route: RouteName,
    pub event: Arc<RunEvent>,
    pub context: RunContext,
    pub remote_id: Option<String>,
    pub summary: Option<Summary>,
    pub is_in_doubt: bool,
    pub is_repair: bool,
    pub accepted_at: Timestamp,
    /// When its first attempt was begun; unknown where the log does not say.
    pub first_begun_at: Timestamp,
    pub now: Timestamp,
}

impl Job {
    /// The effect as integrations take it.
    #[must_use]
    pub fn effect(&self) -> Effect<'_> {
        Effect {
            id: self.id,
            route: &self.route,
            event: &self.event,
            context: &self.context,
            remote_id: self.remote_id.as_deref(),
            summary: self.summary.as_ref(),
            is_in_doubt: self.is_in_doubt || self.attempt > 1,
            is_repair: self.is_repair,
            now: self.now,
        }
    }
}

/// Takes what a granted effect needs out of the replicated state, with the route that carries it
/// out. `None` for an effect that is not on the wire by this grant, and for one whose route the rules
/// lack or the policy closes.
#[must_use]
pub fn effect<'r>(
    state: &StateMachine,
    grant: Grant,
    rules: &'r Rules,
) -> Option<(Job, &'r Route)> {
    let is_granted =
        |effect: &&EffectRecord| effect.open.is_some() && effect.attempts == grant.attempt;
    let effect = state.effect(grant.effect).filter(is_granted)?;
    let route = rules.open_route(&effect.route, &effect.event)?;
    let shows_summary = rules.summary_route.as_ref() == Some(&effect.route);
    let job = Job {
        id: grant.effect,
        attempt: grant.attempt,
        route: effect.route.clone(),
        event: Arc::clone(&effect.event),
        context: rules.with_link(&effect.context, &effect.event),
        remote_id: state.remote_id(&effect.target).map(str::to_owned),
        summary: shows_summary.then(|| state.summary(effect.run)).flatten(),
        is_in_doubt: effect.is_in_doubt,
        is_repair: effect.origin.is_repair(),
        accepted_at: effect.accepted_at,
        first_begun_at: effect.first_begun_at,
        now: state.now(),
    };
    Some((job, route))
}
