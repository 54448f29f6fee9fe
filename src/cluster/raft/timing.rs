//! openraft's settings, with where each number comes from.

use openraft::{Config, SnapshotPolicy};
use std::time::Duration;

/// Milliseconds between heartbeats; also bounds their answers (rule 28).
const HEARTBEAT_MS: u64 = 200;
/// Default of `cluster.election_timeout`: an election starts after this to twice this without a
/// leader, drawn anew each time (rule 28).
pub const ELECTION_MIN: Duration = Duration::from_millis(500);
/// Messages that may wait inside openraft, which sets the memory for them aside at once. One
/// entry is written at a time, so few ever wait.
const CHANNEL_MESSAGES_MAX: u64 = 1024;
/// Entries read for one append; its bytes are bounded where it is encoded.
const ENTRIES_PER_APPEND_MAX: u64 = 64;

/// Settings of a node. Elections come after `election_min` to twice that.
pub(super) fn config(election_min: Duration) -> Config {
    let election_min_ms = u64::try_from(election_min.as_millis()).unwrap_or(u64::MAX / 2);
    Config {
        cluster_name: "tekton-events-relay".to_owned(),
        // A heartbeat has to fit into the timeout twice, whatever the timeout is set to.
        heartbeat_interval: HEARTBEAT_MS.min(election_min_ms * 2 / 5),
        election_timeout_min: election_min_ms,
        election_timeout_max: election_min_ms * 2,
        enable_pre_vote: Some(true),
        enable_leader_restore: Some(false),
        api_channel_size: Some(CHANNEL_MESSAGES_MAX),
        notification_channel_size: Some(CHANNEL_MESSAGES_MAX),
        max_payload_entries: ENTRIES_PER_APPEND_MAX,
        // Both are our own: snapshots by size, and the log kept from the older snapshot on.
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: u64::MAX,
        ..Config::default()
    }
}
