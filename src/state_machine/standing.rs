//! Who may write a target that shows one state (rule 5). Runs of one writer are ordered by their
//! age; between two writers of one check, which only a user's own context can bring about, the
//! worse state stands until its own writer outlives it: no green ever hides a red.

use super::StateMachine;
use super::level::FeatureLevel;
use super::outbox::{EffectRecord, Standing, TargetRecord, Writer};
use crate::effect::{EffectId, SkipReason};
use crate::event::{Key, RunEvent, RunState};

/// Writers remembered of one target; beyond that the oldest of those that are least bad leave first.
const STANDINGS_MAX: usize = 16;
/// Stands for writers whose failure could not be remembered one by one. It is no writer's key, so
/// that nobody outlives it: the target stays red until it is forgotten.
const FORGOTTEN_REDS: Key = Key(0);

impl StateMachine {
    /// Why an effect on a target of one state must not be sent.
    pub(super) fn stands_back(&mut self, id: EffectId) -> Option<SkipReason> {
        let effect = self.outbox.effects.get(&id)?;
        let target = self.outbox.targets.get(&effect.target);
        if !self.has_reached(FeatureLevel::SECOND) {
            let last = target.and_then(|target| target.writer.as_ref());
            let is_older = last.is_some_and(|last| *last > effect.writer());
            return is_older.then_some(SkipReason::OlderThanTarget);
        }
        let (by, state) = (standing_key(effect), shown_state(&effect.event));
        let last = target.and_then(|target| last_writer(target, by));
        let own = effect.writer();
        let is_tie = last.is_some_and(|(last, _)| last.ties_with(&own));
        let shown = last.and_then(|(_, shown)| shown);
        if is_tie && shown.is_some_and(|shown| badness(shown) > badness(state)) {
            return Some(SkipReason::WorseStateStands);
        }
        let is_older = !is_tie && last.is_some_and(|(last, _)| last.is_newer_than(&own));
        let others = target.into_iter().flat_map(|target| &target.standings);
        let worst =
            others.filter(|(other, _)| Some(**other) != by).map(|(_, s)| badness(s.state)).max();
        if is_older {
            return Some(SkipReason::OlderThanTarget);
        }
        if by.is_some() && worst.is_some() {
            self.counters.check_collisions += 1;
        }
        if by.is_some() && worst > Some(badness(state)) {
            self.note_standing(id);
            return Some(SkipReason::WorseStateStands);
        }
        None
    }

    /// Remembers the state of an effect's writer, whether it is shown or not.
    pub(super) fn note_standing(&mut self, id: EffectId) {
        if !self.has_reached(FeatureLevel::SECOND) {
            return;
        }
        let Some(effect) = self.outbox.effects.get(&id) else { return };
        let Some(by) = standing_key(effect) else { return };
        let state = shown_state(&effect.event);
        let (key, writer) = (effect.target.clone(), effect.writer());
        let target = self.target_in_use(&key);
        target.standings.insert(by, Standing { writer, state });
        while target.standings.len() > STANDINGS_MAX {
            let others = target.standings.iter();
            let others = others.filter(|(other, _)| ![by, FORGOTTEN_REDS].contains(other));
            let oldest = others.min_by_key(|(_, s)| (badness(s.state), s.writer.clone()));
            let Some(oldest) = oldest.map(|(other, _)| *other) else { return };
            let Some(standing) = target.standings.remove(&oldest) else { return };
            if badness(standing.state) == badness(RunState::Failure) {
                target.standings.insert(FORGOTTEN_REDS, standing);
            }
        }
    }
}

/// The last run of a writer on a target, and the state that it has there where that is known.
fn last_writer(target: &TargetRecord, by: Option<Key>) -> Option<(&Writer, Option<RunState>)> {
    match by {
        Some(by) if !target.standings.is_empty() => {
            target.standings.get(&by).map(|standing| (&standing.writer, Some(standing.state)))
        }
        // A target of feature level 1 knows its last writer alone.
        Some(_) | None => target.writer.as_ref().map(|writer| (writer, None)),
    }
}

/// Which writer's check an effect is about. Runs that were first seen at feature level 1 have none:
/// they are ordered by age alone, as they were then.
fn standing_key(effect: &EffectRecord) -> Option<Key> {
    let identity = effect.context.writer.as_ref()?.identity();
    Some(Key::of(&["writer", &effect.event.namespace, &identity]))
}

/// A failure that its pipeline ignores is no failure of the check.
fn shown_state(event: &RunEvent) -> RunState {
    if event.is_ignored() { RunState::Success } else { event.state }
}

/// What must not be hidden by what: a failure by anything but a failure or an error, which are alike
/// between two writers, and what is under way by a success.
fn badness(state: RunState) -> u8 {
    state.badness().min(RunState::Failure.badness())
}
