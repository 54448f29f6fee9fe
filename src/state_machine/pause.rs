//! Instances that asked to be left alone for a while, by a 429, a Retry-After or an empty budget.
//! What one replica was told holds for all: until then nothing is begun for the instance.

use super::StateMachine;
use super::change::StateChange;
use super::command::Applied;
use super::level::FeatureLevel;
use crate::clock::Timestamp;
use crate::effect::RouteName;
use std::time::Duration;

/// The longest pause: GitHub's windows last one hour. A target that names a later moment is tried
/// once an hour.
pub const PAUSE_MAX: Duration = Duration::from_hours(1);
/// Instances that are paused at once, more than a configuration has. Beyond it the pause that ends
/// first gives way: that costs one call too early.
pub const PAUSES_MAX: usize = 1_000;

impl StateMachine {
    /// The later end wins, so that what is told twice or out of order changes nothing.
    pub(super) fn apply_pause(&mut self, instance: String, until: Timestamp) -> Applied {
        let until = until.min(self.now.after(PAUSE_MAX));
        let known = self.pauses.get(&instance).copied().unwrap_or_default();
        if until <= self.now.max(known) {
            return Applied::Done;
        }
        self.changes.push(StateChange::InstancePaused { instance: instance.clone() });
        self.pauses.insert(instance, until);
        if self.pauses.len() > PAUSES_MAX {
            let first = self.pauses.iter().min_by_key(|(instance, until)| (**until, *instance));
            if let Some(first) = first.map(|(instance, _)| instance.clone()) {
                self.pauses.remove(&first);
                self.changes.push(StateChange::InstanceResumed { instance: first });
            }
        }
        Applied::Done
    }

    /// What a pause of this route's instance is kept under: its kind and name, and at the first
    /// level its name alone. A pause from before the level rose holds nobody up any more, which
    /// costs one call too early.
    #[must_use]
    pub fn pause_key(&self, route: &RouteName) -> String {
        if self.has_reached(FeatureLevel::SECOND) {
            route.full_instance()
        } else {
            route.instance.clone()
        }
    }

    /// Whether nothing may be begun for the instance of `route` at the moment `at`.
    pub(super) fn is_paused(&self, route: &RouteName, at: Timestamp) -> bool {
        self.pause_end(route).is_some_and(|until| at < until)
    }

    /// When the pause of the instance of `route` ends, if there is one.
    pub(super) fn pause_end(&self, route: &RouteName) -> Option<Timestamp> {
        // Most of the time nothing is paused: no key is made then.
        if self.pauses.is_empty() { None } else { self.pause_of(&self.pause_key(route)) }
    }

    pub(super) fn drop_ended_pauses(&mut self) {
        let now = self.now;
        for (instance, _) in self.pauses.extract_if(.., |_, until| *until <= now) {
            self.changes.push(StateChange::InstanceResumed { instance });
        }
    }

    /// When the pause under this key ends, if there is one.
    #[must_use]
    pub fn pause_of(&self, instance: &str) -> Option<Timestamp> {
        self.pauses.get(instance).copied()
    }

    /// Paused instances by [`StateMachine::pause_key`], and when each pause ends. At most [`PAUSES_MAX`].
    pub fn pauses(&self) -> impl Iterator<Item = (&str, Timestamp)> {
        self.pauses.iter().map(|(instance, until)| (instance.as_str(), *until))
    }
}
