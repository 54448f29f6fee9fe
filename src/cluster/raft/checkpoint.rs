//! Digests of the applied state at the checkpoints of the log, by which replicas see that they
//! differ (rule 21). A digest is a pass over the whole state: apply waits for a copy of it only.

use crate::state_machine::{Command, Entry, StateMachine};
use crate::wire;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Digests kept: a replica that is behind finds its own when others tell of a newer one.
const KEPT_MAX: usize = 4;

/// What a state amounts to right after an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateDigest {
    /// Of the entry that held the checkpoint.
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

/// Whether a checkpoint is among the commands of an entry.
pub(super) fn is_checkpoint(entry: &Entry) -> bool {
    entry.commands.contains(&Command::Checkpoint)
}

impl Checkpoints {
    /// Computes the digest of the state after entry `index` in the background. One at a time: when
    /// a log with many checkpoints is applied at a start, some are left out.
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
        // Under the lock: who sees this digest may ask for the next one.
        self.is_busy.store(false, Ordering::Release);
    }

    /// What is kept, the newest first.
    pub fn kept(&self) -> Vec<StateDigest> {
        self.kept.lock().iter().copied().collect()
    }
}
