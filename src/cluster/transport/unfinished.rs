//! Connections that are not authenticated yet. Anyone may open them, so they are few and
//! short-lived, and a new one replaces the oldest.

use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Maximum number at once. A slow member is safe as long as fewer than this many others connect
/// while it authenticates.
const UNFINISHED_MAX: usize = 256;
/// A peer authenticates in some milliseconds; the rest is for a busy machine.
pub(super) const FINISH_WITHIN: Duration = Duration::from_secs(5);

/// Those connections. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Unfinished(Arc<Mutex<VecDeque<CancellationToken>>>);

/// One of them. Dropping it marks the connection as finished.
pub(super) struct UnfinishedPlace {
    token: CancellationToken,
    all: Unfinished,
}

impl Unfinished {
    /// A place for a new connection. If there is none, the oldest connection must close.
    pub fn begin(&self) -> UnfinishedPlace {
        let mut waiting = self.0.lock();
        if waiting.len() >= UNFINISHED_MAX
            && let Some(oldest) = waiting.pop_front()
        {
            oldest.cancel();
        }
        let token = CancellationToken::new();
        waiting.push_back(token.clone());
        UnfinishedPlace { token, all: self.clone() }
    }
}

impl UnfinishedPlace {
    /// Returns when the connection must close.
    pub async fn lost(&self) {
        self.token.cancelled().await;
    }
}

impl Drop for UnfinishedPlace {
    fn drop(&mut self) {
        // A cancelled token is no longer in the list. Cancelling its own token distinguishes it
        // from the others.
        self.token.cancel();
        let mut waiting = self.all.0.lock();
        waiting.retain(|token| !token.is_cancelled());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_connection_gives_way_and_a_finished_one_leaves_its_place() {
        let all = Unfinished::default();
        let mut places: Vec<UnfinishedPlace> = (0..UNFINISHED_MAX).map(|_| all.begin()).collect();
        let is_lost = |place: &UnfinishedPlace| place.token.is_cancelled();
        assert!(!places.iter().any(is_lost));
        places.push(all.begin());
        assert_eq!(places.iter().position(is_lost), Some(0));
        drop(places.pop());
        places.push(all.begin());
        assert_eq!(places.iter().filter(|place| is_lost(place)).count(), 1);
    }
}
