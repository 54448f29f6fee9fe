//! The orderly stop of a node, and the two watches that end it: its removal, and a log that cannot
//! be written.

pub(super) mod drain;
pub(super) mod evicted;
pub(super) mod log_watch;
