//! Requests that arrive together share one log entry and one fsync. While one entry is being
//! written the next one is gathered.

use super::error::AcceptError;
use super::priority::Priority;
use super::proposer::{Proposal, Proposer};
use crate::cluster::raft::Written;
use crate::state_machine::{Applied, Command, millis};
use crate::wire::{EncodedCommands, command_bytes};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// Requests that may wait. Further ones are refused and must be retried.
const WAITING_MAX: usize = 4096;
/// Encoded bytes that may wait: a few entries of the largest size.
const WAITING_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Places and bytes that new events leave to already accepted work: a flood must not block the
/// records of deliveries.
const RESERVED: usize = WAITING_MAX / 4;
const RESERVED_BYTES: usize = WAITING_BYTES_MAX / 4;
/// Commands in one entry: bounds how long apply delays readers.
const COMMANDS_PER_ENTRY_MAX: usize = 512;
/// Encoded bytes of one entry. Large entries delay heartbeats between nodes.
pub const ENTRY_BYTES_MAX: usize = 1024 * 1024;
/// Wait before a retry if there was no leader: an election takes some hundred milliseconds. It
/// doubles up to the longest: without a quorum every node tries all others.
const RETRY_WAIT: Duration = Duration::from_millis(20);
const RETRY_WAIT_MAX: Duration = Duration::from_millis(160);

type Answers = Result<Vec<Applied>, AcceptError>;
type Answer = oneshot::Receiver<Result<Written, AcceptError>>;

/// Commands that go into one entry together, and the caller that waits for their answers.
struct Request {
    commands: EncodedCommands,
    priority: Priority,
    answered: oneshot::Sender<Result<Written, AcceptError>>,
    /// Releases the room when the request is dropped.
    _room: OwnedSemaphorePermit,
}

/// Where requests wait.
#[derive(Clone)]
pub(in crate::cluster) struct Queue {
    requests: mpsc::Sender<Request>,
    room: Arc<Semaphore>,
    applied: watch::Receiver<u64>,
}

impl Queue {
    /// Whether an entry waits that will carry time to the state.
    pub(in crate::cluster) fn is_empty(&self) -> bool {
        self.requests.capacity() == self.requests.max_capacity()
    }

    /// Writes commands into one entry, and returns the answer to each, in order.
    ///
    /// # Errors
    /// Nothing was confirmed within `deadline`; the variants say whether it may be stored.
    pub(in crate::cluster) async fn submit(
        &self,
        commands: Vec<Command>,
        priority: Priority,
        deadline: Duration,
    ) -> Answers {
        self.submit_encoded(EncodedCommands::new(commands), priority, deadline).await
    }

    /// The same for encoded commands.
    ///
    /// # Errors
    /// As for [`Queue::submit`].
    pub(in crate::cluster) async fn submit_encoded(
        &self,
        commands: EncodedCommands,
        priority: Priority,
        deadline: Duration,
    ) -> Answers {
        let is_filling = self.requests.capacity() < RESERVED
            || self.room.available_permits() < RESERVED_BYTES + commands.bytes();
        if priority == Priority::Event && is_filling {
            return Err(AcceptError::Overloaded);
        }
        let (request, answer) = self.request(commands, priority)?;
        self.requests.try_send(request).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => AcceptError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => AcceptError::Stopped,
        })?;
        let unanswered = |_| AcceptError::Unanswered { waited_ms: millis(deadline) };
        let written = async {
            let written = answer.await.map_err(|_| AcceptError::Stopped)??;
            if priority == Priority::Work {
                self.wait_for(written.index).await?;
            }
            Ok(written.answers)
        };
        tokio::time::timeout(deadline, written).await.map_err(unanswered)?
    }

    /// A caller reads the local state after the answer, so the entry must be applied here. A
    /// follower learns of a commit a little later than the leader answers.
    async fn wait_for(&self, index: u64) -> Result<(), AcceptError> {
        let mut applied = self.applied.clone();
        let reached = applied.wait_for(|applied| *applied >= index).await;
        reached.map(|_| ()).map_err(|_| AcceptError::Stopped)
    }

    fn request(
        &self,
        commands: EncodedCommands,
        priority: Priority,
    ) -> Result<(Request, Answer), AcceptError> {
        let bytes = commands.bytes();
        if bytes > ENTRY_BYTES_MAX {
            return Err(AcceptError::TooLarge { bytes, bytes_max: ENTRY_BYTES_MAX });
        }
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).try_acquire_many_owned(permits);
        let room = room.map_err(|_| AcceptError::Overloaded)?;
        let (answered, answer) = oneshot::channel();
        Ok((Request { commands, priority, answered, _room: room }, answer))
    }
}

/// Commands in as many entries as they need, in their order. A command too large for an entry
/// stands alone, and is refused when it is submitted.
pub(in crate::cluster) fn portions(commands: Vec<Command>) -> Vec<EncodedCommands> {
    let all = EncodedCommands::new(commands);
    if all.bytes() <= ENTRY_BYTES_MAX || all.count() < 2 {
        return vec![all];
    }
    let (mut portions, mut portion, mut bytes) = (Vec::new(), Vec::new(), 0);
    for command in all.into_commands() {
        let more = command_bytes(&command);
        if bytes + more > ENTRY_BYTES_MAX && !portion.is_empty() {
            portions.push(EncodedCommands::new(std::mem::take(&mut portion)));
            bytes = 0;
        }
        bytes += more;
        portion.push(command);
    }
    portions.push(EncodedCommands::new(portion));
    portions
}

/// Gathers entries and submits them, one at a time.
pub(in crate::cluster) struct Batcher {
    proposer: Proposer,
    requests: mpsc::Receiver<Request>,
    stop: CancellationToken,
}

/// A batcher, and the queue that it empties.
pub(in crate::cluster) fn batcher(proposer: Proposer, stop: CancellationToken) -> (Batcher, Queue) {
    let (sender, requests) = mpsc::channel(WAITING_MAX);
    let room = Arc::new(Semaphore::new(WAITING_BYTES_MAX));
    let applied = proposer.raft.applied();
    (Batcher { proposer, requests, stop }, Queue { requests: sender, room, applied })
}

impl Batcher {
    /// Runs until it is stopped and has written everything that waits then.
    pub(in crate::cluster) async fn run(mut self) {
        let mut held: Option<Request> = None;
        loop {
            let first = match held.take() {
                Some(request) => request,
                None => match self.next().await {
                    Some(request) => request,
                    None => return,
                },
            };
            let mut batch = vec![first];
            held = self.gather(&mut batch);
            self.write(batch).await;
        }
    }

    async fn next(&mut self) -> Option<Request> {
        if !self.stop.is_cancelled() {
            tokio::select! {
                request = self.requests.recv() => return request,
                () = self.stop.cancelled() => {}
            }
        }
        self.requests.close();
        self.requests.recv().await
    }

    /// Takes the waiting requests; returns the request that no longer fits.
    fn gather(&mut self, batch: &mut Vec<Request>) -> Option<Request> {
        let mut count: usize = batch.iter().map(|request| request.commands.count()).sum();
        let mut bytes: usize = batch.iter().map(|request| request.commands.bytes()).sum();
        while let Ok(request) = self.requests.try_recv() {
            count += request.commands.count();
            bytes += request.commands.bytes();
            if count > COMMANDS_PER_ENTRY_MAX || bytes > ENTRY_BYTES_MAX {
                return Some(request);
            }
            batch.push(request);
        }
        None
    }

    /// Writes a batch, and retries while a caller waits for it. A batch has the lowest priority of
    /// its requests: if the leader refuses new events, they must not get in with the rest.
    async fn write(&self, mut batch: Vec<Request>) {
        let mut wait = RETRY_WAIT;
        loop {
            // A caller that timed out will retry: the log need not hold its commands twice.
            batch.retain(|request| !request.answered.is_closed());
            let Some(priority) = batch.iter().map(|request| request.priority).min() else { return };
            let parts = batch.iter_mut().map(|request| request.commands.take()).collect();
            let proposal = Proposal { commands: EncodedCommands::join(parts), priority, hops: 0 };
            let error = match self.proposer.propose(proposal).await {
                Ok(written) => return answer(batch, written),
                Err(error) => error,
            };
            if priority == Priority::Event && error.is_about_events() {
                let events = batch.extract_if(.., |request| request.priority == Priority::Event);
                refuse(events.collect(), &error);
                continue;
            }
            if !error.is_passing() || self.stop.is_cancelled() {
                return refuse(batch, &error);
            }
            tokio::time::sleep(wait).await;
            wait = (2 * wait).min(RETRY_WAIT_MAX);
        }
    }
}

fn answer(batch: Vec<Request>, written: Written) {
    let index = written.index;
    let mut answers = written.answers.into_iter();
    for request in batch {
        let answers = answers.by_ref().take(request.commands.count()).collect();
        // The caller timed out and will retry.
        let _ = request.answered.send(Ok(Written { index, answers }));
    }
}

fn refuse(batch: Vec<Request>, error: &AcceptError) {
    for request in batch {
        let _ = request.answered.send(Err(error.clone()));
    }
}

#[cfg(test)]
#[path = "batcher_test.rs"]
mod tests;
