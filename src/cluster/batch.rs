//! The way into the log: requests that arrive together share one entry and one fsync. While one
//! entry is being written the next one gathers.

use super::AcceptError;
use super::raft::{RaftNode, WriteError};
use super::stamp::SharedStamps;
use crate::clock::Timestamp;
use crate::state_machine::{Applied, Command, Entry, millis};
use crate::wire::encode_entry;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Requests that may wait. More than this many connections at once are told to come again.
const WAITING_MAX: usize = 4096;
/// Encoded bytes that may wait: some entries of the largest size.
const WAITING_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Places that new events leave to what was accepted already: a flood must not stop deliveries
/// from being recorded.
const RESERVED: usize = WAITING_MAX / 4;
/// Commands in one entry: bounds the time that apply holds up readers.
const COMMANDS_PER_ENTRY_MAX: usize = 512;
/// Encoded bytes of one entry. Large entries hold up heartbeats between nodes.
const ENTRY_BYTES_MAX: usize = 1024 * 1024;

/// How important a request is when there is little room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    /// A new event: its sender will repeat it.
    Event,
    /// About what was accepted already.
    Work,
}

type Answers = Result<Vec<Applied>, AcceptError>;
type Answer = oneshot::Receiver<Answers>;

/// Commands that go into one entry together, and who waits for their answers.
struct Request {
    commands: Vec<Command>,
    bytes: usize,
    answered: oneshot::Sender<Answers>,
    /// Gives the room back when the request is dropped.
    _room: OwnedSemaphorePermit,
}

/// Where requests wait.
#[derive(Clone)]
pub(super) struct Queue {
    requests: mpsc::Sender<Request>,
    room: Arc<Semaphore>,
}

impl Queue {
    /// Whether something waits that will carry time to the state.
    pub(super) fn is_empty(&self) -> bool {
        self.requests.capacity() == self.requests.max_capacity()
    }

    /// Has commands written into one entry, and gives the answer to each, in order.
    ///
    /// # Errors
    /// Nothing was confirmed within `deadline`; the variants say whether it may be stored.
    pub(super) async fn submit(
        &self,
        commands: Vec<Command>,
        rank: Rank,
        deadline: Duration,
    ) -> Answers {
        if rank == Rank::Event && self.requests.capacity() < RESERVED {
            return Err(AcceptError::Overloaded);
        }
        let (request, answer) = self.request(commands)?;
        self.requests.try_send(request).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => AcceptError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => AcceptError::Stopped,
        })?;
        match tokio::time::timeout(deadline, answer).await {
            Ok(Ok(answers)) => answers,
            Ok(Err(_)) => Err(AcceptError::Stopped),
            Err(_) => Err(AcceptError::Unanswered { waited_ms: millis(deadline) }),
        }
    }

    fn request(&self, commands: Vec<Command>) -> Result<(Request, Answer), AcceptError> {
        let entry = Entry { at: Timestamp::UNKNOWN, commands };
        let bytes = encode_entry(&entry).len();
        if bytes > ENTRY_BYTES_MAX {
            return Err(AcceptError::TooLarge { bytes, bytes_max: ENTRY_BYTES_MAX });
        }
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).try_acquire_many_owned(permits);
        let room = room.map_err(|_| AcceptError::Overloaded)?;
        let (answered, answer) = oneshot::channel();
        Ok((Request { commands: entry.commands, bytes, answered, _room: room }, answer))
    }
}

/// Stamps entries and writes them, one at a time.
pub(super) struct Batcher {
    raft: RaftNode,
    stamps: SharedStamps,
    requests: mpsc::Receiver<Request>,
    stop: CancellationToken,
}

/// A batcher, and the queue that it empties.
pub(super) fn batcher(
    raft: RaftNode,
    stamps: SharedStamps,
    stop: CancellationToken,
) -> (Batcher, Queue) {
    let (sender, requests) = mpsc::channel(WAITING_MAX);
    let room = Arc::new(Semaphore::new(WAITING_BYTES_MAX));
    (Batcher { raft, stamps, requests, stop }, Queue { requests: sender, room })
}

impl Batcher {
    /// Runs until it is told to stop and everything that waits then is written.
    pub(super) async fn run(mut self) {
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

    /// Takes what waits already; gives back the request that no longer fits.
    fn gather(&mut self, batch: &mut Vec<Request>) -> Option<Request> {
        let mut count: usize = batch.iter().map(|request| request.commands.len()).sum();
        let mut bytes: usize = batch.iter().map(|request| request.bytes).sum();
        while let Ok(request) = self.requests.try_recv() {
            count += request.commands.len();
            bytes += request.bytes;
            if count > COMMANDS_PER_ENTRY_MAX || bytes > ENTRY_BYTES_MAX {
                return Some(request);
            }
            batch.push(request);
        }
        None
    }

    async fn write(&self, batch: Vec<Request>) {
        let mut commands = Vec::new();
        let mut waiting = Vec::with_capacity(batch.len());
        for request in batch {
            // Who stopped waiting will send again: the log need not hold it twice.
            if request.answered.is_closed() {
                continue;
            }
            waiting.push((request.commands.len(), request.answered));
            commands.extend(request.commands);
        }
        if waiting.is_empty() {
            return;
        }
        let written = self.raft.write(Entry { at: self.stamps.take(), commands }).await;
        let mut answers = written.map(Vec::into_iter).map_err(|error| accept_error(&error));
        for (count, answered) in waiting {
            let part = answers.as_mut().map(|answers| answers.take(count).collect());
            // Who stopped waiting meanwhile will send again.
            let _ = answered.send(part.map_err(|error| error.clone()));
        }
    }
}

fn accept_error(error: &WriteError) -> AcceptError {
    match error {
        WriteError::NotLeader => AcceptError::NoLeader,
        WriteError::Unconfirmed => AcceptError::Unconfirmed,
        WriteError::Stopped(_) => AcceptError::Stopped,
    }
}

#[cfg(test)]
#[path = "batch_test.rs"]
mod tests;
