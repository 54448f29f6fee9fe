//! How commands get into the log: batched into entries, written by the leader or forwarded to it,
//! and stamped with the time of the log.

pub(super) mod batcher;
pub(super) mod error;
pub(super) mod log_clock;
pub(super) mod priority;
pub(super) mod proposer;
pub(super) mod quorum;
pub(super) mod relays;
pub(super) mod ticker;
