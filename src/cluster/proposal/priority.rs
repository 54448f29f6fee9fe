//! Which requests go first when there is little room.

/// How important a request is when there is little room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cluster) enum Priority {
    /// A new event: its sender will repeat it.
    Event,
    /// An event that was acknowledged, and is on one disk alone. Nobody acts on the answer here.
    Kept,
    /// About what was accepted already.
    Work,
}
