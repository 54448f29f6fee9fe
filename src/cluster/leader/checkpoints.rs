//! When the leader marks a place in the log where all replicas compare their states (rule 21).
//! Pure.

use crate::state_machine::NodeId;
use std::collections::BTreeMap;
use std::time::Duration;

/// Between two checkpoints, as long as entries are applied.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(600);
/// A started member is compared sooner, but at least this long after the previous checkpoint.
const CHECKPOINTS_APART: Duration = Duration::from_secs(10);

/// What a leader remembers about its last checkpoint. Moments are readings of a monotonic clock.
#[derive(Debug, Default)]
pub(super) struct CheckpointPlan {
    last: Option<Last>,
}

#[derive(Debug)]
struct Last {
    at: Duration,
    /// The last entry applied when it was confirmed.
    index: u64,
    /// The lives of nodes that it covered.
    boots: BTreeMap<NodeId, u64>,
}

impl CheckpointPlan {
    /// Whether one is due: the first of a leadership, ten minutes after the last if anything was
    /// applied since, or because a node has started and may have read a wrong state from its disk.
    pub fn is_due(&self, now: Duration, index: u64, boots: &BTreeMap<NodeId, u64>) -> bool {
        let Some(last) = &self.last else { return true };
        let age = now.saturating_sub(last.at);
        let has_started = boots.iter().any(|(node, boot)| last.boots.get(node) != Some(boot));
        (age >= CHECKPOINT_EVERY && index > last.index) || (age >= CHECKPOINTS_APART && has_started)
    }

    /// A checkpoint was confirmed.
    pub fn made(&mut self, now: Duration, index: u64, boots: BTreeMap<NodeId, u64>) {
        self.last = Some(Last { at: now, index, boots });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const MILLI: Duration = Duration::from_millis(1);

    fn boots(second: u64) -> BTreeMap<NodeId, u64> {
        [(NodeId(1), 1), (NodeId(2), second)].into()
    }

    fn made() -> CheckpointPlan {
        let mut plan = CheckpointPlan::default();
        assert!(plan.is_due(SECOND, 0, &boots(1)));
        plan.made(SECOND, 90, boots(1));
        plan
    }

    #[test]
    fn rule_21_a_checkpoint_is_due_every_ten_minutes() {
        let due = SECOND + CHECKPOINT_EVERY;
        assert!(!made().is_due(due - MILLI, 91, &boots(1)));
        assert!(made().is_due(due, 91, &boots(1)));
    }

    #[test]
    fn rule_21_an_idle_log_gets_no_checkpoints() {
        assert!(!made().is_due(SECOND + 10 * CHECKPOINT_EVERY, 90, &boots(1)));
    }

    #[test]
    fn rule_21_a_node_that_has_started_is_compared_soon() {
        let soon = SECOND + CHECKPOINTS_APART;
        assert!(!made().is_due(soon - MILLI, 91, &boots(2)));
        assert!(made().is_due(soon, 91, &boots(2)));
        assert!(!made().is_due(soon, 91, &boots(1)));
        let mut plan = made();
        plan.made(soon, 92, boots(2));
        assert!(!plan.is_due(soon + CHECKPOINTS_APART, 93, &boots(2)));
    }
}
