//! The feature level: what all members of a cluster speak. While it is held back, an older binary
//! may return; once it has risen, a build below it can no longer read the log (rule 22).

use super::StateMachine;
use std::fmt;

/// A generation of commands and records. Each one includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeatureLevel(pub u32);

/// The highest level that this build speaks. Raised with every command or record that is added.
pub const FEATURE_LEVEL: FeatureLevel = FeatureLevel::SECOND;

impl FeatureLevel {
    /// The level of release 0.1.0, and of a state that nobody has raised.
    pub const FIRST: Self = Self(1);
    /// A run writes checks of its own, effects know the kind of their instance, times and ends are
    /// claims, and state is bounded in bytes.
    pub const SECOND: Self = Self(2);

    /// Whether this build knows all that is written at this level.
    #[must_use]
    pub fn is_spoken(self) -> bool {
        (Self::FIRST..=FEATURE_LEVEL).contains(&self)
    }
}

impl Default for FeatureLevel {
    fn default() -> Self {
        Self::FIRST
    }
}

impl fmt::Display for FeatureLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StateMachine {
    /// A level is never taken back: what was written at it would be unreadable.
    /// True when the level has risen.
    pub(super) fn raise_level(&mut self, level: FeatureLevel) -> bool {
        if level <= self.feature_level {
            return false;
        }
        let was_second = self.has_reached(FeatureLevel::SECOND);
        self.feature_level = level;
        if !was_second && self.has_reached(FeatureLevel::SECOND) {
            self.bound_known_claims();
        }
        true
    }

    /// Whether what came with `level` is in force. What an older member applies otherwise, or
    /// cannot read, is asked here first: all members have to come to the same state.
    #[must_use]
    pub fn has_reached(&self, level: FeatureLevel) -> bool {
        self.feature_level >= level
    }

    /// Whether the log has led to nothing yet: no slot has an owner and no event came. No older
    /// binary has to read such a state again, so its level may rise at once.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        self.next_sequence == 0 && self.slots.iter().all(|(_, slot)| slot.owner.is_none())
    }

    /// The level at which the cluster writes.
    #[must_use]
    pub fn feature_level(&self) -> FeatureLevel {
        self.feature_level
    }
}
