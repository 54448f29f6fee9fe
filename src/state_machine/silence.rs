//! The end of a run that is never heard of again: a check that was left unfinished ends as an
//! error, so that nothing stays pending for good. Feature level 2.

use super::StateMachine;
use super::level::FeatureLevel;
use super::run_record::{Origin, QueuedEvent, SettledEffect, Settlement};
use crate::effect::{EffectId, RouteName, TargetKey};
use crate::event::{Key, Rank, RunEvent, RunState};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What stands in place of Tekton's reason.
pub const REASON: &str = "NoEndReported";
const MESSAGE: &str = "no end was reported";

impl StateMachine {
    /// Tells the end of an unfinished run to the targets that show it as unfinished. False when
    /// there is nothing to tell. Whoever gives up the record of a run asks this first.
    pub(super) fn end_silent(&mut self, key: Key) -> bool {
        let Some(run) = self.runs.get(&key) else { return false };
        if !self.has_reached(FeatureLevel::SECOND) || run.facts.state.is_final() {
            return false;
        }
        let left = unfinished(run.settled.iter());
        if left.is_empty() || run.is_given_up {
            return false;
        }
        let event = Arc::new(ended(&run.facts, self.now));
        let context = run.context.clone();
        if let Some(run) = self.runs.get_mut(&key) {
            run.is_given_up = true;
        }
        self.changes.run_changed(key);
        for (effect, route) in left {
            let sequence = self.take_sequence();
            let queued = QueuedEvent {
                sequence,
                event: event.clone(),
                context: context.clone(),
                origin: Origin::Silence { effect, route },
                accepted_at: self.now,
                ended_plannings: 0,
            };
            self.enqueue(key, queued);
        }
        true
    }
}

/// The last effect of each target, where it left the target unfinished.
fn unfinished<'a>(settled: impl Iterator<Item = &'a SettledEffect>) -> Vec<(EffectId, RouteName)> {
    let mut last: BTreeMap<&TargetKey, &SettledEffect> = BTreeMap::new();
    for effect in settled {
        match (&effect.target, &effect.settlement) {
            (Some(target), Settlement::Delivered(_) | Settlement::Late(_)) => {
                last.insert(target, effect);
            }
            (None, _) | (Some(_), Settlement::Skipped(_) | Settlement::Dead(_)) => {}
        }
    }
    let open = last.into_values().filter(|effect| !effect.state.is_final());
    open.map(|effect| (effect.effect, effect.route.clone())).collect()
}

/// Comes after all that the run reported, and before an end that it may still report.
fn ended(facts: &RunEvent, now: crate::clock::Timestamp) -> RunEvent {
    RunEvent {
        state: RunState::Error,
        rank: facts.rank.max(Rank::Running),
        reason: REASON.to_owned(),
        message: MESSAGE.to_owned(),
        last_transition: facts.last_transition.max(now),
        ce_time: facts.ce_time.max(now),
        ..facts.clone()
    }
}
