//! The changes of applied entries, for subscribers in this process. Apply waits for no subscriber:
//! one that falls behind loses the oldest changes, is notified, and reads a view of the state.

use crate::state_machine::StateChange;
use std::sync::Arc;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

/// Entries whose changes wait for the slowest subscriber. An entry is bounded in bytes, and so are
/// its changes.
pub const CHANGES_MAX: usize = 256;

/// A message to a subscriber. After any but [`Changed::Entry`] it reads a view together with the
/// index of the last entry in it; the view already contains following entries up to that index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// The entry at `index` changed these, at least one. The state may already be further. An entry
    /// comes again after a restart, but never twice in one process.
    Entry { index: u64, changes: Arc<[StateChange]> },
    /// A snapshot that ends at `index` replaced the state: anything may have changed.
    Snapshot { index: u64 },
    /// The subscriber fell behind and lost the changes of this many entries.
    Missed { entries: u64 },
}

/// Sends changes to subscribers. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct ChangeFeed(broadcast::Sender<Changed>);

impl Default for ChangeFeed {
    fn default() -> Self {
        Self(broadcast::Sender::new(CHANGES_MAX))
    }
}

impl ChangeFeed {
    /// Publishes the changes of an applied entry. Free if nothing changed or there is no
    /// subscriber.
    pub fn entry(&self, index: u64, changes: Vec<StateChange>) {
        if !changes.is_empty() && self.0.receiver_count() > 0 {
            self.send(Changed::Entry { index, changes: changes.into() });
        }
    }

    /// Publishes that a snapshot was installed.
    pub fn snapshot(&self, index: u64) {
        self.send(Changed::Snapshot { index });
    }

    /// The changes from now on.
    pub fn subscribe(&self) -> ChangeStream {
        ChangeStream(self.0.subscribe())
    }

    fn send(&self, changed: Changed) {
        // Fails if there is no subscriber.
        let _ = self.0.send(changed);
    }
}

/// One subscriber's changes, in the order of the log.
#[derive(Debug)]
pub struct ChangeStream(broadcast::Receiver<Changed>);

impl ChangeStream {
    /// Waits for the next change. `None` if the node is gone. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Changed> {
        match self.0.recv().await {
            Ok(changed) => Some(changed),
            Err(RecvError::Lagged(entries)) => Some(Changed::Missed { entries }),
            Err(RecvError::Closed) => None,
        }
    }

    /// The next change, if there is one already.
    pub fn try_next(&mut self) -> Option<Changed> {
        match self.0.try_recv() {
            Ok(changed) => Some(changed),
            Err(TryRecvError::Lagged(entries)) => Some(Changed::Missed { entries }),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        }
    }
}
