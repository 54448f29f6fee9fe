//! openraft's settings, with the source of each number.

use openraft::{Config, SnapshotPolicy};
use std::time::Duration;

/// Milliseconds between heartbeats; also bounds their answers (rule 28).
const HEARTBEAT_MS: u64 = 200;
/// Default of `cluster.election_timeout`: without a leader an election starts after this to twice
/// this, random each time (rule 28).
pub const ELECTION_MIN: Duration = Duration::from_millis(500);
/// Messages that may wait inside openraft, which allocates their memory at once. One entry is
/// written at a time, so few ever wait.
const CHANNEL_MESSAGES_MAX: u64 = 1024;
/// Entries read for one append; its bytes are bounded where it is encoded.
const ENTRIES_PER_APPEND_MAX: u64 = 64;

/// Settings of a node. Elections start after `election_min` to twice that.
pub(super) fn config(election_min: Duration) -> Config {
    let election_min_ms = u64::try_from(election_min.as_millis()).unwrap_or(u64::MAX / 2);
    Config {
        cluster_name: "tekton-events-relay".to_owned(),
        // A heartbeat must fit into the timeout twice, whatever the timeout is.
        heartbeat_interval: HEARTBEAT_MS.min(election_min_ms * 2 / 5),
        election_timeout_min: election_min_ms,
        election_timeout_max: election_min_ms * 2,
        enable_pre_vote: Some(true),
        enable_leader_restore: Some(false),
        api_channel_size: Some(CHANNEL_MESSAGES_MAX),
        notification_channel_size: Some(CHANNEL_MESSAGES_MAX),
        max_payload_entries: ENTRIES_PER_APPEND_MAX,
        // The relay has its own rules for both: snapshots by size, and the log kept from the older
        // snapshot on.
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: u64::MAX,
        ..Config::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::network::{APPEND_WITHIN, SNAPSHOT_PATIENCE};
    use super::*;
    use crate::cluster::transport::ProgressTimeout;

    #[test]
    fn rule_28_heartbeats_elections_and_deadlines_are_these() {
        let config = config(ELECTION_MIN).validate().unwrap();
        assert_eq!(config.heartbeat_interval, 200);
        assert_eq!((config.election_timeout_min, config.election_timeout_max), (500, 1000));
        assert_eq!(
            (config.enable_tick, config.enable_heartbeat, config.enable_elect),
            (true, true, true)
        );
        assert_eq!(config.enable_pre_vote, Some(true));
        assert_eq!(config.enable_leader_restore, Some(false));
        assert_eq!(APPEND_WITHIN, Duration::from_secs(1));
        let (stalled, answered) = (Duration::from_secs(10), Duration::from_secs(300));
        assert_eq!(SNAPSHOT_PATIENCE, ProgressTimeout { stalled, answered });
    }

    #[test]
    fn rule_28_a_heartbeat_fits_into_every_election_timeout_twice() {
        for election_ms in [10, 50, 100, 250, 499, 500, 1_000, 10_000] {
            let config = config(Duration::from_millis(election_ms)).validate().unwrap();
            assert!(config.heartbeat_interval > 0);
            assert!(2 * config.heartbeat_interval < election_ms, "{election_ms} ms");
            assert!(config.heartbeat_interval <= HEARTBEAT_MS);
        }
    }
}
