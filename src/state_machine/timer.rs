//! What becomes due at a moment in replicated time.

use super::group_key::GroupKey;
use crate::effect::TargetKey;
use crate::event::Key;

/// Something that becomes due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// A summary is to be shown.
    Summary(Key),
    /// A group ends unfinished.
    Group(GroupKey, u32),
    /// A run may have fallen quiet.
    Quiet(Key),
    /// A target may have fallen out of use.
    Target(TargetKey),
    /// A dead letter's retention ends.
    DeadLetter(u64),
    /// The wait of a run for its PipelineRun ends.
    Parent(Key),
    /// A target is owed a repair.
    Repair(TargetKey),
}
