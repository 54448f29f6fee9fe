//! Logs dead letters that left for want of room (rule 14). Changes of the state say when to look,
//! and its counter how many left: a subscriber that fell behind misses none.

use crate::cluster::{ChangeStream, Changed, Cluster};
use crate::state_machine::{LetterExit, StateChange};
use std::sync::Arc;
use std::time::Duration;
use tracing::error;

/// Between two lines. Each letter that is added at the bound drops one.
const LOG_EVERY: Duration = Duration::from_secs(1);

/// Logs letters that leave from now on, until the cluster is gone.
pub(super) async fn log_dropped_letters(cluster: Arc<Cluster>) {
    let mut dropped = DroppedLetters::from_now_on(cluster);
    while let Some(letters) = dropped.next().await {
        error!(
            letters,
            "the oldest dead letters left unreplayed, at dlq.max_entries or their share of store.memory"
        );
        tokio::time::sleep(LOG_EVERY).await;
    }
}

/// Letters that left for want of room.
struct DroppedLetters {
    cluster: Arc<Cluster>,
    changes: ChangeStream,
    /// How many had left at the last look.
    seen: u64,
}

impl DroppedLetters {
    /// Letters that left before are an earlier process's to log.
    fn from_now_on(cluster: Arc<Cluster>) -> Self {
        let seen = cluster.read(|state| state.counters().letters_dropped);
        Self { changes: cluster.changes(), cluster, seen }
    }

    /// Waits until letters have left since the last call, and returns how many. `None` when no more
    /// can leave.
    async fn next(&mut self) -> Option<u64> {
        loop {
            let dropped = self.cluster.read(|state| state.counters().letters_dropped);
            let letters = dropped.saturating_sub(self.seen);
            self.seen = dropped;
            if letters > 0 {
                return Some(letters);
            }
            while !may_have_dropped(&self.changes.next().await?) {}
        }
    }
}

/// Whether letters may have left for want of room.
fn may_have_dropped(changed: &Changed) -> bool {
    let is_dropped = |change: &StateChange| {
        matches!(change, StateChange::LetterLeft { why: LetterExit::NoRoom, .. })
    };
    match changed {
        Changed::Entry { changes, .. } => changes.iter().any(is_dropped),
        Changed::Snapshot { .. } | Changed::Missed { .. } => true,
    }
}

#[cfg(test)]
#[path = "dropped_letters_test.rs"]
mod tests;
