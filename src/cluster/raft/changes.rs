//! What applied entries changed, for subscribers in this process. Apply waits for no subscriber:
//! one that falls behind loses the oldest changes, is told so, and reads a view of the state.

use crate::state_machine::StateChange;
use std::sync::Arc;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

/// Entries whose changes wait for the slowest subscriber. An entry is bounded in bytes, and so are
/// its changes.
pub const CHANGES_MAX: usize = 256;

/// What a subscriber is told. After all but [`Changed::Entry`] it reads a view together with the
/// index of the last entry in it; of the entries that follow, those up to that index are in the
/// view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// The entry at `index` changed these, at least one. The state may have come further since. An
    /// entry comes again after a restart, and never twice in one process.
    Entry { index: u64, changes: Arc<[StateChange]> },
    /// A snapshot that ends at `index` took the place of the state: anything may have changed.
    Snapshot { index: u64 },
    /// The subscriber fell behind, and the changes of so many entries are lost to it.
    Missed { entries: u64 },
}

/// Hands changes to subscribers. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct ChangeFeed(broadcast::Sender<Changed>);

impl Default for ChangeFeed {
    fn default() -> Self {
        Self(broadcast::Sender::new(CHANGES_MAX))
    }
}

impl ChangeFeed {
    /// Tells what an applied entry changed. Costs nothing where nothing changed or nobody listens.
    pub fn entry(&self, index: u64, changes: Vec<StateChange>) {
        if !changes.is_empty() && self.0.receiver_count() > 0 {
            self.send(Changed::Entry { index, changes: changes.into() });
        }
    }

    /// Tells that a snapshot was installed.
    pub fn snapshot(&self, index: u64) {
        self.send(Changed::Snapshot { index });
    }

    /// The changes from now on.
    pub fn subscribe(&self) -> ChangeStream {
        ChangeStream(self.0.subscribe())
    }

    fn send(&self, changed: Changed) {
        // Fails where nobody listens.
        let _ = self.0.send(changed);
    }
}

/// One subscriber's changes, in the order of the log.
#[derive(Debug)]
pub struct ChangeStream(broadcast::Receiver<Changed>);

impl ChangeStream {
    /// Waits for the next change. `None` when the node is gone. Nothing is lost when the future is
    /// dropped.
    pub async fn next(&mut self) -> Option<Changed> {
        match self.0.recv().await {
            Ok(changed) => Some(changed),
            Err(RecvError::Lagged(entries)) => Some(Changed::Missed { entries }),
            Err(RecvError::Closed) => None,
        }
    }

    /// The next change, where there is one already.
    pub fn try_next(&mut self) -> Option<Changed> {
        match self.0.try_recv() {
            Ok(changed) => Some(changed),
            Err(TryRecvError::Lagged(entries)) => Some(Changed::Missed { entries }),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        }
    }
}
