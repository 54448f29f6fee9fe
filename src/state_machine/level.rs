//! The feature level: what all members of a cluster speak. While it is held back, an older binary
//! may return; once it has risen, a build below it can no longer read the log (rule 22).

use super::StateMachine;
use super::command::Applied;
use std::fmt;

/// A generation of commands and records. Each one includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeatureLevel(pub u32);

/// The highest level that this build speaks. Raised with every command or record that is added.
pub const FEATURE_LEVEL: FeatureLevel = FeatureLevel(1);

impl FeatureLevel {
    /// The level of a cluster that was just formed.
    pub const FIRST: Self = Self(1);

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
    pub(super) fn apply_raise_level(&mut self, level: FeatureLevel) -> Applied {
        self.feature_level = self.feature_level.max(level);
        Applied::Done
    }

    /// The level at which the cluster writes.
    #[must_use]
    pub fn feature_level(&self) -> FeatureLevel {
        self.feature_level
    }
}
