//! Instances that asked to be left alone for a while, by a 429, a Retry-After or an empty budget.
//! What one replica was told holds for all: until then nothing is begun for the instance.

use super::StateMachine;
use super::command::Applied;
use crate::clock::Timestamp;
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
        self.pauses.insert(instance, until);
        if self.pauses.len() > PAUSES_MAX {
            let first = self.pauses.iter().min_by_key(|(instance, until)| (**until, *instance));
            if let Some(first) = first.map(|(instance, _)| instance.clone()) {
                self.pauses.remove(&first);
            }
        }
        Applied::Done
    }

    /// Whether nothing may be begun for `instance` at the moment `at`.
    pub(super) fn is_paused(&self, instance: &str, at: Timestamp) -> bool {
        self.pauses.get(instance).is_some_and(|until| at < *until)
    }

    pub(super) fn drop_ended_pauses(&mut self) {
        let now = self.now;
        self.pauses.retain(|_, until| now < *until);
    }

    /// When the pause of an instance ends, if it is paused.
    #[must_use]
    pub fn pause_of(&self, instance: &str) -> Option<Timestamp> {
        self.pauses.get(instance).copied()
    }

    /// Paused instances by name, and when each pause ends. At most [`PAUSES_MAX`].
    pub fn pauses(&self) -> impl Iterator<Item = (&str, Timestamp)> {
        self.pauses.iter().map(|(instance, until)| (instance.as_str(), *until))
    }
}
