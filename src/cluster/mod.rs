//! The replicated log and its membership: Raft adapters and the handle the rest of the shell
//! uses. One node for now; the handle already is what a cluster of several needs.

mod ballast;
mod batch;
mod compaction;
mod disk;
mod error;
mod guard;
pub mod identity;
mod planning_mark;
pub mod raft;
mod stamp;
mod ticker;

pub use error::{AcceptError, StartError};
pub use identity::{ClusterId, DataDirectory, Identity, IdentityError};
pub use raft::CompactError;

use crate::clock::{Clock, Timestamp};
use crate::event::{Key, RunEvent};
use crate::state_machine::{
    Accepted, Applied, Boot, Command, NodeId, Refusal, Settings, SlotMove, StateMachine,
};
use ballast::Ballast;
use batch::{Queue, Rank, batcher};
use disk::FreeDisk;
use planning_mark::PlanningMark;
use raft::RaftNode;
use stamp::SharedStamps;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use ticker::Ticker;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Default deadline of an accept: Tekton's own ladder repeats it after less.
const ACCEPT_TIMEOUT: Duration = Duration::from_secs(1);
/// Deadline of the first entry of a life: a disk that was just mounted may be slow.
const REGISTER_TIMEOUT: Duration = Duration::from_secs(30);
/// What waits may still be written at the end; then the process goes. A healthy disk needs
/// milliseconds.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// Default of `store.free_bytes_min`.
const FREE_BYTES_MIN: u64 = 512 * 1024 * 1024;

/// Where the log lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backend {
    /// In this directory.
    Disk(PathBuf),
    /// In memory: gone with the process.
    Memory,
}

/// How a cluster is started.
#[derive(Clone, Debug)]
pub struct Options {
    pub backend: Backend,
    pub settings: Settings,
    /// Free bytes below which events are refused.
    pub free_bytes_min: u64,
    /// How long an accept or a proposal waits for its confirmation.
    pub accept_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            backend: Backend::Memory,
            settings: Settings::default(),
            free_bytes_min: FREE_BYTES_MIN,
            accept_timeout: ACCEPT_TIMEOUT,
        }
    }
}

/// What this node knows of its cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterStatus {
    pub cluster_id: ClusterId,
    pub leader: Option<NodeId>,
    pub term: u64,
    pub voters: Vec<NodeId>,
    pub applied_index: u64,
}

/// The handle to the replicated log.
pub struct Cluster {
    raft: RaftNode,
    identity: Identity,
    queue: Queue,
    stamps: SharedStamps,
    disk: FreeDisk,
    planning: Option<PlanningMark>,
    failed: watch::Receiver<Option<String>>,
    accept_timeout: Duration,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    stop: CancellationToken,
    /// Ends the tasks of a handle that is dropped without a shutdown.
    _stop_on_drop: DropGuard,
    /// Keeps the lock on the data directory.
    _directory: Option<DataDirectory>,
}

/// What a cluster runs over.
struct Base {
    identity: Identity,
    directory: Option<DataDirectory>,
    raft: RaftNode,
    ballast: Option<Ballast>,
    planning: Option<PlanningMark>,
}

impl Cluster {
    /// Opens the log, leads it, and registers this life of the node. Everything that an earlier
    /// life confirmed is in the state when this returns.
    ///
    /// # Errors
    /// The disk or what is on it cannot be used.
    pub async fn start(options: Options, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let (base, ended_while_planning) = match &options.backend {
            Backend::Disk(path) => {
                let directory = DataDirectory::open(path).map_err(StartError::Identity)?;
                let identity = directory.identity();
                let (planning, left) = PlanningMark::open(path).map_err(StartError::Disk)?;
                let raft = RaftNode::start(identity.node_id, Some(path)).await;
                let raft = raft.map_err(StartError::Raft)?;
                let ballast = Some(Ballast::load(path, options.free_bytes_min));
                let planning = Some(planning);
                (Base { identity, directory: Some(directory), raft, ballast, planning }, left)
            }
            Backend::Memory => {
                let drawn = Identity::draw().map_err(StartError::Identity)?;
                let identity = Identity { boot: 1, ..drawn };
                let raft = RaftNode::start(identity.node_id, None).await;
                let raft = raft.map_err(StartError::Raft)?;
                (Base { identity, directory: None, raft, ballast: None, planning: None }, None)
            }
        };
        let settings = options.settings.clone();
        let cluster = Self::over(base, &options, clock);
        match cluster.register(settings, ended_while_planning).await {
            Ok(()) => Ok(cluster),
            Err(error) => {
                cluster.shutdown().await;
                Err(error)
            }
        }
    }

    /// Starts the tasks over a node that leads.
    fn over(base: Base, options: &Options, clock: Arc<dyn Clock>) -> Self {
        let Base { identity, directory, raft, ballast, planning } = base;
        let folder = directory.as_ref().map(|directory| directory.path().to_owned());
        let stop = CancellationToken::new();
        let stamps = SharedStamps::new(raft.read(StateMachine::now), Arc::clone(&clock));
        let (batcher, queue) = batcher(raft.clone(), stamps.clone(), stop.clone());
        let ticker = Ticker {
            raft: raft.clone(),
            stamps: stamps.clone(),
            queue: queue.clone(),
            stop: stop.clone(),
        };
        let (failing, failed) = watch::channel(None);
        let tasks = vec![
            tokio::spawn(ticker.run()),
            tokio::spawn(compaction::run(raft.clone(), stop.clone())),
            tokio::spawn(guard::run(raft.clone(), ballast, failing, stop.clone())),
            tokio::spawn(batcher.run()),
        ];
        Self {
            disk: FreeDisk::new(folder, options.free_bytes_min, clock),
            accept_timeout: options.accept_timeout,
            tasks: Mutex::new(tasks),
            _stop_on_drop: stop.clone().drop_guard(),
            _directory: directory,
            raft,
            identity,
            queue,
            stamps,
            planning,
            failed,
            stop,
        }
    }

    /// Registers this life, then settings that differ and slots that nobody owns.
    async fn register(
        &self,
        settings: Settings,
        ended_while_planning: Option<(Key, u64)>,
    ) -> Result<(), StartError> {
        let (node, number) = (self.identity.node_id, self.identity.boot);
        let mut commands = vec![Command::Boot(Boot { node, number, ended_while_planning })];
        if self.read(|state| *state.settings() != settings) {
            commands.push(Command::Settings(settings));
        }
        let moves = self.read(|state| unowned(state, node));
        if !moves.is_empty() {
            commands.push(Command::Assign(moves));
        }
        let submitted = self.queue.submit(commands, Rank::Work, REGISTER_TIMEOUT).await;
        let answers = submitted.map_err(StartError::Register)?;
        if answers.contains(&Applied::Refused(Refusal::StaleBoot)) {
            return Err(StartError::StaleBoot { node, boot: number });
        }
        // Only now: until the accusation is in the log, the file is all there is of it.
        self.planning_ended();
        Ok(())
    }

    /// This node's id.
    #[must_use]
    pub fn node_id(&self) -> NodeId {
        self.identity.node_id
    }

    /// The id of the cluster that this node belongs to.
    #[must_use]
    pub fn cluster_id(&self) -> ClusterId {
        self.identity.cluster_id
    }

    /// The number of this life of the node.
    #[must_use]
    pub fn boot(&self) -> u64 {
        self.identity.boot
    }

    /// Accepts events; those of one call share one entry. Transitions that are known already are
    /// answered from applied state, without a write (rule 8).
    ///
    /// # Errors
    /// Not all were confirmed; sending all of them again is safe.
    pub async fn accept(&self, events: Vec<RunEvent>) -> Result<Vec<Accepted>, AcceptError> {
        let known: Vec<_> =
            self.read(|state| events.iter().map(|event| known(state, event)).collect());
        let mut commands = Vec::new();
        for (event, known) in events.into_iter().zip(&known) {
            match known {
                None => commands.push(Command::Accept(Box::new(event))),
                Some((touch, _)) => commands.extend(touch.map(|run| Command::Touch(vec![run]))),
            }
        }
        let answers = self.write_events(commands).await?;
        let mut accepted = answers.into_iter().filter_map(accepted);
        known
            .into_iter()
            .map(|known| match known {
                Some((_, accepted)) => Ok(accepted),
                None => accepted.next().unwrap_or(Err(AcceptError::Stopped)),
            })
            .collect()
    }

    async fn write_events(&self, commands: Vec<Command>) -> Result<Vec<Applied>, AcceptError> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        if self.disk.is_low() {
            return Err(AcceptError::DiskLow);
        }
        self.queue.submit(commands, Rank::Event, self.accept_timeout).await
    }

    /// Writes commands into one entry, and gives the answer to each, in order.
    ///
    /// # Errors
    /// Nothing was confirmed; every command may be proposed again.
    pub async fn propose(&self, commands: Vec<Command>) -> Result<Vec<Applied>, AcceptError> {
        self.queue.submit(commands, Rank::Work, self.accept_timeout).await
    }

    /// Looks at the applied state. Apply waits meanwhile: keep it short.
    pub fn read<T>(&self, look: impl FnOnce(&StateMachine) -> T) -> T {
        self.raft.read(look)
    }

    /// The index of the last applied entry, and a signal for each one.
    #[must_use]
    pub fn applied(&self) -> watch::Receiver<u64> {
        self.raft.applied()
    }

    /// Set once, with the reason, when the log can no longer be written. The process has to end.
    #[must_use]
    pub fn failed(&self) -> watch::Receiver<Option<String>> {
        self.failed.clone()
    }

    /// The present moment in replicated time.
    #[must_use]
    pub fn replicated_now(&self) -> Timestamp {
        self.stamps.now()
    }

    /// Whether events are refused for want of disk.
    #[must_use]
    pub fn is_disk_low(&self) -> bool {
        self.disk.is_low()
    }

    /// What this node knows of its cluster.
    #[must_use]
    pub fn status(&self) -> ClusterStatus {
        let raft = self.raft.status();
        ClusterStatus {
            cluster_id: self.identity.cluster_id,
            leader: raft.leader,
            term: raft.term,
            voters: raft.voters,
            applied_index: *self.raft.applied().borrow(),
        }
    }

    /// Marks the event whose planning starts (rule 7).
    pub fn planning_started(&self, run: Key, sequence: u64) {
        if let Some(mark) = &self.planning {
            mark.set(run, sequence);
        }
    }

    /// Nothing is being planned any more.
    pub fn planning_ended(&self) {
        if let Some(mark) = &self.planning {
            mark.clear();
        }
    }

    /// Makes a snapshot of the applied state, and purges the log up to the one before it.
    ///
    /// # Errors
    /// No snapshot was made, or the log is longer than it has to be; nothing is lost.
    pub async fn snapshot(&self) -> Result<(), CompactError> {
        self.raft.compact().await
    }

    /// Lets waiting requests end, then closes the log. Nothing is accepted any more.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for mut task in tasks {
            if tokio::time::timeout(DRAIN_MAX, &mut task).await.is_err() {
                task.abort();
            }
        }
        self.raft.shutdown().await;
    }
}

/// Moves of all slots that nobody owns to `node`.
fn unowned(state: &StateMachine, node: NodeId) -> Vec<SlotMove> {
    let unowned = state.slots().filter(|(_, held)| held.owner.is_none());
    unowned
        .map(|(slot, held)| SlotMove {
            slot,
            expected_epoch: held.epoch,
            to: node,
            is_forced: false,
        })
        .collect()
}

/// The answer to an event that is known, and the run whose memory is to be kept.
fn known(state: &StateMachine, event: &RunEvent) -> Option<(Option<Key>, Accepted)> {
    let known = state.known(event)?;
    let owner = state.slot(known.slot).owner;
    Some((known.touch, Accepted { fate: known.fate, slot: known.slot, owner }))
}

/// The answer to an accept, if the command was one.
fn accepted(answer: Applied) -> Option<Result<Accepted, AcceptError>> {
    match answer {
        Applied::Accepted(accepted) => Some(Ok(accepted)),
        Applied::Refused(_) => Some(Err(AcceptError::Full)),
        Applied::Done | Applied::Begun(_) | Applied::Replayed(_) => None,
    }
}

#[cfg(test)]
#[path = "manual_clock_test.rs"]
mod test_clock;

#[cfg(test)]
#[path = "node_test.rs"]
mod test_node;

#[cfg(test)]
#[path = "cluster_test.rs"]
mod tests;

#[cfg(test)]
#[path = "restart_test.rs"]
mod restart_tests;
