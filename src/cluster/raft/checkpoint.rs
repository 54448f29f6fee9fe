//! Digests of the applied state at the checkpoints of the log, by which replicas notice that they
//! differ (rule 21). A digest is a pass over the whole state; apply waits only for a copy of it.

use crate::state_machine::{Command, Entry, StateMachine};
use crate::wire;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Digests kept: a replica that is behind needs its own when others report a newer one.
const KEPT_MAX: usize = 4;

/// The digest of a state right after an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateDigest {
    /// Of the entry with the checkpoint.
    pub index: u64,
    /// Equal for equal states.
    pub sum: u128,
}

/// The newest digests of one replica. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Checkpoints {
    kept: Arc<Mutex<VecDeque<StateDigest>>>,
    is_busy: Arc<AtomicBool>,
}

/// Whether one of an entry's commands is a checkpoint.
pub(super) fn is_checkpoint(entry: &Entry) -> bool {
    entry.commands.contains(&Command::Checkpoint)
}

impl Checkpoints {
    /// Computes the digest of the state after entry `index` in the background. One at a time: when
    /// a start applies a log with many checkpoints, some are skipped.
    pub fn note(&self, index: u64, copy: impl FnOnce() -> StateMachine) {
        if self.is_busy.swap(true, Ordering::AcqRel) {
            return;
        }
        let (this, state) = (self.clone(), copy());
        tokio::task::spawn_blocking(move || {
            this.keep(StateDigest { index, sum: wire::digest(&state) });
        });
    }

    fn keep(&self, digest: StateDigest) {
        let mut kept = self.kept.lock();
        kept.push_front(digest);
        kept.truncate(KEPT_MAX);
        // Under the lock: a reader of this digest may ask for the next one.
        self.is_busy.store(false, Ordering::Release);
    }

    /// The kept digests, the newest first.
    pub fn kept(&self) -> Vec<StateDigest> {
        self.kept.lock().iter().copied().collect()
    }
}
