//! Which requests go first when there is little room.

/// How important a request is when there is little room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cluster) enum Priority {
    /// A new event: its sender will retry it.
    Event,
    /// An acknowledged event that is on one disk alone. No caller uses its answer.
    Kept,
    /// About already accepted work.
    Work,
}
