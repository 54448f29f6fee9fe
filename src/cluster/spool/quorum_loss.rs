//! What happens to events without a quorum: they are kept on the disk of this replica alone, and
//! fed to the log when the quorum is back (promise 8, rules 12 and 13).

use super::feed::{Degradation, FEED_COUNT_FIRST, QuorumStanding, mode, next_count};
use super::{KeepError, Spool, Spooled};
use crate::clock::{Clock, Timestamp};
use crate::cluster::data_dir::free_space::free_bytes;
use crate::cluster::fatal::{self, FatalError};
use crate::cluster::options::QuorumLossPolicy;
use crate::cluster::proposal::batcher::Queue;
use crate::cluster::proposal::error::AcceptError;
use crate::cluster::proposal::priority::Priority;
use crate::cluster::proposal::quorum::Quorum;
use crate::event::RunEvent;
use crate::state_machine::{Accepted, Applied, Command, Fate, SlotId};
use crate::telemetry::chain;
use parking_lot::{Mutex, MutexGuard};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// Between two checks for events to feed.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Deadline of one portion.
const FEED_WITHIN: Duration = Duration::from_secs(5);

/// Handles events during the loss of a quorum. Clones share it.
#[derive(Clone)]
pub(in crate::cluster) struct QuorumLoss {
    spool: Spool,
    folder: PathBuf,
    quorum: Quorum,
    policy: QuorumLossPolicy,
    clock: Arc<dyn Clock>,
    started_at: Duration,
    /// Number of events on this disk alone, as published to others.
    told: Arc<AtomicU64>,
    /// How many of them each run has, by uid.
    runs: Arc<Mutex<BTreeMap<String, u64>>>,
    /// Ends the process after a failed write: the content of the disk is then unknown.
    failing: watch::Sender<Option<FatalError>>,
}

/// The parts of [`QuorumLoss`].
pub(in crate::cluster) struct QuorumLossParts {
    pub spool: Spool,
    /// The folder of the spool.
    pub folder: PathBuf,
    pub quorum: Quorum,
    pub policy: QuorumLossPolicy,
    pub clock: Arc<dyn Clock>,
    /// Ends the process after a failed write.
    pub failing: watch::Sender<Option<FatalError>>,
}

impl QuorumLoss {
    /// Over an open spool. Events of an earlier life are fed like the rest.
    pub fn new(parts: QuorumLossParts) -> Self {
        let QuorumLossParts { spool, folder, quorum, policy, clock, failing } = parts;
        let started_at = clock.monotonic();
        let told = Arc::new(AtomicU64::new(spool.len()));
        // Feeding reports what cannot be read.
        let runs = Arc::new(Mutex::new(spool.uids().unwrap_or_default()));
        Self { runs, spool, folder, quorum, policy, clock, started_at, told, failing }
    }

    /// Events on this disk alone.
    pub fn len(&self) -> u64 {
        self.told.load(Ordering::Relaxed)
    }

    /// Whether a run of these has events here. Newer events in the log would overtake those, which
    /// then reach no stream any more.
    pub fn has_runs_of(&self, events: &[RunEvent]) -> bool {
        if self.spool.is_empty() {
            return false;
        }
        let runs = self.runs();
        events.iter().any(|event| runs.contains_key(&event.uid))
    }

    fn runs(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.runs.lock()
    }

    /// Bytes that the spool takes.
    pub fn bytes(&self) -> u64 {
        self.spool.bytes()
    }

    /// Whether the spool would accept an event now.
    pub fn has_room(&self) -> bool {
        self.spool.room(free_bytes(&self.folder).unwrap_or(u64::MAX))
    }

    /// What to do with an event that arrives now.
    pub fn mode(&self, is_draining: bool) -> Degradation {
        let now = self.clock.monotonic();
        // A quorum that never existed counts as lost since the start.
        let since_start = now.saturating_sub(self.started_at);
        let lost_for = self.quorum.age().unwrap_or(since_start);
        if lost_for < self.policy.spool_after {
            return Degradation::Wait;
        }
        let standing = QuorumStanding { lost_for, is_draining, has_room: self.has_room() };
        mode(standing, self.policy.spool_after, self.policy.on_quorum_loss)
    }

    /// Keeps events on this disk alone: they are on disk when this returns.
    ///
    /// # Errors
    /// None of them is kept.
    pub async fn keep(&self, events: Vec<RunEvent>) -> Result<Vec<Accepted>, AcceptError> {
        let this = self.clone();
        let received_at = self.clock.wall();
        let kept = tokio::task::spawn_blocking(move || this.keep_now(received_at, &events)).await;
        kept.map_err(|_| AcceptError::Stopped)?.map_err(|refused| match refused {
            KeepError::Full { .. } => AcceptError::Overloaded,
            KeepError::Failed(source) => {
                fatal::tell(&self.failing, FatalError::Spool(source));
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
        // Counted before they are on disk: later events of a run wait behind them.
        self.count(events.iter().map(|event| event.uid.clone()).collect());
        if let Err(error) = self.spool.keep(received_at, events, free) {
            self.uncount(events.iter().map(|event| event.uid.as_str()));
            return Err(error);
        }
        self.told.store(self.spool.len(), Ordering::Relaxed);
        let accepted = |event: &RunEvent| {
            let slot = SlotId::of_root(event.root_uid());
            Accepted { fate: Fate::Spooled, slot, owner: None }
        };
        Ok(events.iter().map(accepted).collect())
    }

    fn count(&self, uids: Vec<String>) {
        let mut runs = self.runs();
        for uid in uids {
            *runs.entry(uid).or_default() += 1;
        }
    }

    fn uncount<'a>(&self, uids: impl Iterator<Item = &'a str>) {
        let mut runs = self.runs();
        for uid in uids {
            let Some(count) = runs.get_mut(uid) else { continue };
            *count = count.saturating_sub(1);
            if *count == 0 {
                runs.remove(uid);
            }
        }
    }

    /// Feeds the log whenever there is something to feed, until `stop` is cancelled.
    pub async fn run(self, queue: Queue, stop: CancellationToken) {
        let mut count = FEED_COUNT_FIRST;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            // Also while the quorum seems lost: a portion tries every peer as a path to the leader.
            while !self.spool.is_empty() && !stop.is_cancelled() {
                let is_fed = self.feed(&queue, count).await;
                count = next_count(count, is_fed);
                if !is_fed {
                    break;
                }
            }
        }
    }

    /// Feeds this many events; returns false if the log did not accept them. If they are fed twice,
    /// the log's keys know them.
    async fn feed(&self, queue: &Queue, count: usize) -> bool {
        let spool = self.spool.clone();
        let read = tokio::task::spawn_blocking(move || spool.oldest(count)).await;
        let portion = match read {
            Ok(Ok(portion)) => portion,
            Ok(Err(error)) => {
                error!(error = chain(&error), "the spool cannot be read");
                // A single event shows which record it is.
                return count == FEED_COUNT_FIRST && self.set_aside_unreadable().await;
            }
            Err(_) => return false,
        };
        let Some(last) = portion.last().map(|spooled| spooled.id) else { return false };
        let events = portion.iter().map(|spooled| Command::Accept(Box::new(spooled.event.clone())));
        let answers = match queue.submit(events.collect(), Priority::Kept, FEED_WITHIN).await {
            Ok(answers) => answers,
            Err(error) => {
                warn!(%error, "spooled events are not in the log yet");
                return false;
            }
        };
        let late = answers.iter().filter(|answer| is_late(answer)).count();
        if late > 0 {
            warn!(events = late, "spooled events fire nothing: newer ones came before");
        }
        let (refused, fed): (Vec<_>, Vec<_>) =
            portion.into_iter().zip(&answers).partition(|(_, answer)| is_refused(answer));
        let refused: Vec<Spooled> = refused.into_iter().map(|(spooled, _)| spooled).collect();
        let has_progress = !fed.is_empty();
        if !self.keep_again(refused).await {
            return false;
        }
        let spool = self.spool.clone();
        let removed = tokio::task::spawn_blocking(move || spool.remove_through(last)).await;
        self.uncount(fed.iter().map(|(spooled, _)| spooled.event.uid.as_str()));
        self.told.store(self.spool.len(), Ordering::Relaxed);
        if has_progress {
            info!(events = fed.len(), left = self.len(), "spooled events are in the log");
        }
        has_progress && matches!(removed, Ok(Ok(())))
    }

    /// Moves events for which the log had no room behind all others, for which it may have room.
    async fn keep_again(&self, refused: Vec<Spooled>) -> bool {
        if refused.is_empty() {
            return true;
        }
        warn!(events = refused.len(), "the log has no room for spooled events, which wait on");
        let this = self.clone();
        let kept = tokio::task::spawn_blocking(move || {
            let free = free_bytes(&this.folder).unwrap_or(u64::MAX);
            refused.into_iter().try_for_each(|spooled| {
                this.spool.keep(spooled.received_at, &[spooled.event], free)
            })
        });
        matches!(kept.await, Ok(Ok(())))
    }

    async fn set_aside_unreadable(&self) -> bool {
        let this = self.clone();
        let set_aside = tokio::task::spawn_blocking(move || {
            let set_aside = this.spool.set_aside_unreadable();
            // The run of the event is unknown now.
            if let Ok(uids) = this.spool.uids() {
                *this.runs() = uids;
            }
            set_aside
        });
        let set_aside = set_aside.await;
        self.told.store(self.spool.len(), Ordering::Relaxed);
        match set_aside {
            Ok(Ok(Some(copy))) => {
                let copy = copy.display().to_string();
                error!(copy, "a spooled event is unreadable for good and was set aside");
                true
            }
            Ok(Ok(None) | Err(_)) | Err(_) => false,
        }
    }
}

fn is_refused(answer: &Applied) -> bool {
    matches!(answer, Applied::Refused(_))
}

/// Whether an event came after a newer one of its run.
fn is_late(answer: &Applied) -> bool {
    matches!(answer, Applied::Accepted(accepted) if accepted.fate == Fate::Superseded)
}

#[cfg(test)]
#[path = "quorum_loss_test.rs"]
mod tests;
