//! What happens to events while there is no quorum: they are kept on the disk of this replica
//! alone, and fed to the log when the quorum is back (promise 8, rules 12 and 13).

use super::batch::{Queue, Rank};
use super::disk::free_bytes;
use super::fatal::{self, FatalError};
use super::quorum::Quorum;
use super::spool::feed::{Degradation, FEED_COUNT_FIRST, Standing, mode, next_count};
use super::spool::{KeepError, Spool};
use super::{AcceptError, Degrade};
use crate::clock::{Clock, Timestamp};
use crate::event::RunEvent;
use crate::state_machine::{Accepted, Applied, Command, Fate, SlotId};
use crate::telemetry::chain;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// Between two looks whether there is something to feed.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Deadline of one portion.
const FEED_WITHIN: Duration = Duration::from_secs(5);

/// The way of events around a lost quorum. Clones share it.
#[derive(Clone)]
pub(super) struct Degraded {
    spool: Spool,
    folder: PathBuf,
    quorum: Quorum,
    policy: Degrade,
    clock: Arc<dyn Clock>,
    started_at: Duration,
    /// Events on this disk alone, as others are told.
    told: Arc<AtomicU64>,
    /// Ends the process after a failed write: what the disk holds then is not known.
    failing: watch::Sender<Option<FatalError>>,
}

impl Degraded {
    /// Over a spool that was opened in `folder`. What an earlier life kept is fed like the rest.
    pub fn new(
        (spool, folder): (Spool, PathBuf),
        quorum: Quorum,
        policy: Degrade,
        (clock, failing): (Arc<dyn Clock>, watch::Sender<Option<FatalError>>),
    ) -> Self {
        let started_at = clock.monotonic();
        let told = Arc::new(AtomicU64::new(spool.len()));
        Self { spool, folder, quorum, policy, clock, started_at, told, failing }
    }

    /// Events that are on this disk alone.
    pub fn len(&self) -> u64 {
        self.told.load(Ordering::Relaxed)
    }

    /// Bytes that the spool takes.
    pub fn bytes(&self) -> u64 {
        self.spool.bytes()
    }

    /// Whether the spool would take an event now.
    pub fn has_room(&self) -> bool {
        self.spool.room(free_bytes(&self.folder).unwrap_or(u64::MAX))
    }

    /// What is done with an event that arrives now.
    pub fn mode(&self, is_draining: bool) -> Degradation {
        let now = self.clock.monotonic();
        // A quorum that was never there counts as lost since the start.
        let since_start = now.saturating_sub(self.started_at);
        let lost_for = self.quorum.age().unwrap_or(since_start);
        if lost_for < self.policy.spool_after {
            return Degradation::Wait;
        }
        let standing = Standing { lost_for, is_draining, has_room: self.has_room() };
        mode(standing, self.policy.spool_after, self.policy.on_quorum_loss)
    }

    /// Keeps events on this disk alone: they are there when this returns.
    ///
    /// # Errors
    /// None of them is kept.
    pub async fn keep(&self, events: Vec<RunEvent>) -> Result<Vec<Accepted>, AcceptError> {
        let this = self.clone();
        let received_at = self.clock.wall();
        let kept = tokio::task::spawn_blocking(move || this.keep_now(received_at, &events)).await;
        kept.map_err(|_| AcceptError::Stopped)?.map_err(|refused| match refused {
            KeepError::Full { .. } => AcceptError::Overloaded,
            KeepError::Failed { .. } => {
                fatal::tell(&self.failing, FatalError::Disk(chain(&refused)));
                AcceptError::Stopped
            }
        })
    }

    fn keep_now(
        &self,
        received_at: Timestamp,
        events: &[RunEvent],
    ) -> Result<Vec<Accepted>, KeepError> {
        let free = free_bytes(&self.folder).unwrap_or(u64::MAX);
        self.spool.keep(received_at, events, free)?;
        self.told.store(self.spool.len(), Ordering::Relaxed);
        let accepted = |event: &RunEvent| {
            let slot = SlotId::of_root(event.root_uid());
            Accepted { fate: Fate::Spooled, slot, owner: None }
        };
        Ok(events.iter().map(accepted).collect())
    }

    /// Feeds the log whenever there is something to feed, until `stop` is cancelled.
    pub async fn run(self, queue: Queue, stop: CancellationToken) {
        let mut count = FEED_COUNT_FIRST;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            // Also while the quorum seems lost: a portion tries every peer as a way to the leader.
            while !self.spool.is_empty() && !stop.is_cancelled() {
                let is_fed = self.feed(&queue, count).await;
                count = next_count(count, is_fed);
                if !is_fed {
                    break;
                }
            }
        }
    }

    /// Feeds so many events; false when the log did not take them. Fed twice, the log's keys know
    /// them.
    async fn feed(&self, queue: &Queue, count: usize) -> bool {
        let spool = self.spool.clone();
        let read = tokio::task::spawn_blocking(move || spool.oldest(count)).await;
        let portion = match read {
            Ok(Ok(portion)) => portion,
            Ok(Err(error)) => {
                error!(error = chain(&error), "the spool cannot be read");
                return false;
            }
            Err(_) => return false,
        };
        let Some(last) = portion.last().map(|spooled| spooled.id) else { return false };
        let count = portion.len();
        let events = portion.into_iter().map(|spooled| Command::Accept(Box::new(spooled.event)));
        let answers = queue.submit(events.collect(), Rank::Kept, FEED_WITHIN).await;
        let is_refused = |answer: &Applied| matches!(answer, Applied::Refused(_));
        let late = |answer: &&Applied| matches!(answer, Applied::Accepted(accepted) if accepted.fate == Fate::Superseded);
        match answers {
            Ok(answers) if !answers.iter().any(is_refused) => {
                let late = answers.iter().filter(late).count();
                if late > 0 {
                    warn!(events = late, "spooled events fire nothing: newer ones came before");
                }
            }
            Ok(_) => return false,
            Err(error) => {
                warn!(%error, "spooled events are not in the log yet");
                return false;
            }
        }
        let spool = self.spool.clone();
        let removed = tokio::task::spawn_blocking(move || spool.remove_through(last)).await;
        self.told.store(self.spool.len(), Ordering::Relaxed);
        info!(events = count, left = self.len(), "spooled events are in the log");
        matches!(removed, Ok(Ok(())))
    }
}

#[cfg(test)]
#[path = "degraded_test.rs"]
mod tests;
