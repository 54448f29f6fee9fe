//! Connections that have not proven themselves yet. Who opens them may be anybody, so they are few
//! and short-lived, and a new one takes the place of the oldest.

use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// At once. A member that is slow to prove itself is in no danger from others below this many in
/// the time that it takes.
const UNFINISHED_MAX: usize = 256;
/// A peer proves itself in some milliseconds; the rest is for a busy machine.
pub(super) const FINISH_WITHIN: Duration = Duration::from_secs(5);

/// Those connections. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Unfinished(Arc<Mutex<VecDeque<CancellationToken>>>);

/// One of them. It is finished when this is dropped.
pub(super) struct UnfinishedPlace {
    token: CancellationToken,
    all: Unfinished,
}

impl Unfinished {
    /// A place for a new connection. The oldest one has to go where there is none.
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
    /// Returns when the connection has to go.
    pub async fn lost(&self) {
        self.token.cancelled().await;
    }
}

impl Drop for UnfinishedPlace {
    fn drop(&mut self) {
        // A cancelled one is no longer among them. Its own mark is told from those of others.
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
