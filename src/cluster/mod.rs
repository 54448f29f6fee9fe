//! The replicated log and its membership: how nodes find each other and form a cluster, who of them
//! owns which slots, and the handle that the rest of the shell uses. A cluster of one is the same
//! without the others.

mod admin;
mod agreement;
mod balance;
mod ballast;
mod batch;
mod compaction;
mod degraded;
mod disk;
mod divergence;
mod drain;
mod duties;
mod error;
mod fatal;
mod finalize;
mod foreign;
mod formation;
mod gossip;
mod guard;
mod guides;
pub mod identity;
mod leave;
mod meet;
mod member;
mod membership;
mod options;
mod planning_mark;
mod pulse;
mod quorum;
pub mod raft;
mod reach;
mod recover;
mod spool;
mod stamp;
mod start;
mod succession;
mod ticker;
mod transport;
mod view;
mod way;

pub use crate::wire::command_bytes;
pub use admin::{Named, OrderError};
pub use batch::ENTRY_BYTES_MAX;
pub use error::{AcceptError, StartError};
pub use fatal::FatalError;
pub use finalize::{FinalizeError, Lack};
pub use gossip::{Discovery, Facts};
pub use identity::{ClusterId, DataDirectory, Identity, IdentityError};
pub use options::{Backend, Degrade, Options, Several};
pub use raft::{
    CompactError, OfflineError, SnapshotError, SnapshotFile, StateDigest, snapshot_index,
};
pub use reach::{Contacts, Failing, Reach};
pub use recover::{RecoverError, Recovered, Recovery, recover};
pub use view::{ClusterView, MemberState, MemberView};

use crate::clock::Timestamp;
use crate::event::{Key, RunEvent};
use crate::state_machine::{Accepted, Applied, Command, NodeId, Slot, StateMachine};
use crate::wire;
use batch::{Queue, Rank};
use disk::FreeDisk;
use member::Member;
use planning_mark::PlanningMark;
use spool::feed::Degradation;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};
use way::Way;

/// What waits may still be written at the end, by all tasks together; then the process goes. A
/// healthy disk needs milliseconds.
const DRAIN_MAX: Duration = Duration::from_secs(4);
/// The handle to the replicated log.
pub struct Cluster {
    way: Way,
    node: NodeId,
    boot: u64,
    queue: Queue,
    disk: Arc<FreeDisk>,
    contacts: Contacts,
    planning: Option<PlanningMark>,
    failed: watch::Receiver<Option<FatalError>>,
    registered: watch::Receiver<bool>,
    accept_timeout: Duration,
    cluster_id: Option<ClusterId>,
    member: Option<Arc<Member>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    stop: CancellationToken,
    /// Taken for each pass over the whole state: copies of it are large.
    digesting: Arc<tokio::sync::Mutex<()>>,
    /// Ends the tasks of a handle that is dropped without a shutdown.
    _stop_on_drop: DropGuard,
    /// Keeps the lock on the data directory.
    _directory: Option<Arc<DataDirectory>>,
}

/// Who owns what, as a node has applied it.
#[derive(Clone, Debug)]
pub struct AppliedSlots {
    /// The last applied entry.
    pub index: u64,
    /// Owners and epochs of all slots, by number.
    pub slots: Vec<Slot>,
}

impl Cluster {
    /// This node's id.
    #[must_use]
    pub fn node_id(&self) -> NodeId {
        self.node
    }

    /// The id of the cluster that this node belongs to, once it does.
    #[must_use]
    pub fn cluster_id(&self) -> Option<ClusterId> {
        self.member.as_ref().map_or(self.cluster_id, |member| member.cluster())
    }

    /// Turns true when this life of the node is in the log. Nothing may be sent before.
    #[must_use]
    pub fn registered(&self) -> watch::Receiver<bool> {
        self.registered.clone()
    }

    /// Whether entries of this node can be confirmed now, as far as it knows (rule 12).
    #[must_use]
    pub fn has_quorum(&self) -> bool {
        self.member.is_none() || !self.way.quorum.is_lost()
    }

    /// The number of this life of the node.
    #[must_use]
    pub fn boot(&self) -> u64 {
        self.boot
    }

    /// Accepts events; those of one call share one entry. Transitions that are known already are
    /// answered from applied state, without a write (rule 8).
    ///
    /// # Errors
    /// Not all were confirmed; sending all of them again is safe.
    pub async fn accept(&self, events: Vec<RunEvent>) -> Result<Vec<Accepted>, AcceptError> {
        if let Some(member) = &self.member {
            match member.degradation() {
                Degradation::Wait => {}
                // What is left of the disk is for the log (rule 15).
                Degradation::Spool if self.disk.is_low() => return Err(AcceptError::DiskLow),
                Degradation::Spool => return member.degraded.keep(events).await,
                Degradation::Refuse => return Err(AcceptError::NoLeader),
            }
        }
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
        self.way.raft.read(look)
    }

    /// Owners and epochs of the slots, as this node has applied them.
    #[must_use]
    pub fn applied_slots(&self) -> AppliedSlots {
        self.way.raft.read_indexed(|index, state| AppliedSlots {
            index,
            slots: state.slots().map(|(_, slot)| slot).collect(),
        })
    }

    /// What this node has applied, to be compared with what others have. A pass over a copy of the
    /// whole state, one at a time: for tests and operators, not for every second.
    ///
    /// # Errors
    /// The process ends.
    pub async fn applied_digest(&self) -> Result<StateDigest, JoinError> {
        let turn = Arc::clone(&self.digesting).lock_owned().await;
        let (index, state) = self.way.raft.read_indexed(|index, state| (index, state.clone()));
        let pass = move || {
            let digest = StateDigest { index, sum: wire::digest(&state) };
            // Not before: a caller that goes away leaves its pass behind.
            drop(turn);
            digest
        };
        tokio::task::spawn_blocking(pass).await
    }

    /// The index of the last applied entry, and a signal for each one.
    #[must_use]
    pub fn applied(&self) -> watch::Receiver<u64> {
        self.way.raft.applied()
    }

    /// Set once, with the reason, when the cluster can no longer be used. The process has to end.
    #[must_use]
    pub fn failed(&self) -> watch::Receiver<Option<FatalError>> {
        self.failed.clone()
    }

    /// The present moment in replicated time.
    #[must_use]
    pub fn replicated_now(&self) -> Timestamp {
        self.way.stamps.now()
    }

    /// Whether events are kept on this disk alone now, for want of a quorum.
    #[must_use]
    pub fn is_spooling(&self) -> bool {
        let degradation = self.member.as_ref().map(|member| member.degradation());
        degradation == Some(Degradation::Spool)
    }

    /// Events on this disk alone.
    #[must_use]
    pub fn spooled(&self) -> u64 {
        self.member.as_ref().map_or(0, |member| member.degraded.len())
    }

    /// Whether events are refused for want of disk.
    #[must_use]
    pub fn is_disk_low(&self) -> bool {
        self.disk.is_low()
    }

    /// The cluster, as its leader knows it where that can be asked.
    pub async fn view(&self) -> ClusterView {
        let mut view = self.local_view();
        let mut live = Vec::new();
        if let Some(member) = &self.member {
            if let Some(leaders) = member.leaders_view().await {
                view = leaders;
            }
            live = member.live_peers().await;
            live.push(member.own_peer());
        }
        view.cluster_id = self.cluster_id();
        view.own_log_end = self.way.raft.log_end();
        self.read(|state| view.complete(state, live));
        view
    }

    fn local_view(&self) -> ClusterView {
        match &self.member {
            Some(member) => member.local_view(),
            None => view::of_status(&self.way.raft.status(), self.node, self.has_quorum()),
        }
    }

    /// The present leader, as far as this node knows.
    #[must_use]
    pub fn leader(&self) -> Option<NodeId> {
        self.way.raft.leader().map(|(node, _)| node)
    }

    /// Where the deliveries of this node note how they fare (rule 27).
    #[must_use]
    pub fn contacts(&self) -> &Contacts {
        &self.contacts
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
        self.way.raft.compact().await
    }

    /// Makes a snapshot of the applied state and opens it: the bytes that [`recover()`] begins from.
    ///
    /// # Errors
    /// Nothing was applied yet, or no snapshot was made; nothing is lost.
    pub async fn open_snapshot(&self) -> Result<SnapshotFile, CompactError> {
        self.way.raft.open_snapshot().await
    }

    /// Lets waiting requests end, then closes the log. Nothing is accepted any more.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        let until = tokio::time::Instant::now() + DRAIN_MAX;
        for mut task in tasks {
            if tokio::time::timeout_at(until, &mut task).await.is_err() {
                task.abort();
            }
        }
        if let Some(member) = &self.member {
            member.gossip.shutdown().await;
        }
        self.way.raft.shutdown().await;
    }

    /// What this replica knows of itself and its cluster, in numbers, by name.
    #[must_use]
    pub fn gauges(&self) -> Vec<(&'static str, u64)> {
        let view = self.local_view();
        let reach = self.contacts.reach();
        let failing = reach.failing.map(|failing| failing.lasting).unwrap_or_default();
        let sick = view.members.iter().filter(|member| member.is_sick == Some(true)).count();
        let member = self.member.as_ref();
        let judgements = member.map_or(0, |member| member.sick_judgements());
        let states_differ = member.is_some_and(|member| member.states_differ());
        let other_clusters = member.map_or(0, |member| member.other_clusters.load(Relaxed));
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let is_own = |owner: Option<NodeId>| owner == Some(self.node);
        let owned_by = |is_meant: &dyn Fn(Option<NodeId>) -> bool| {
            self.read(|state| state.slots().filter(|(_, slot)| is_meant(slot.owner)).count())
        };
        // Only the leader knows what the others lack.
        let lag_max = view.members.iter().filter_map(|member| member.lag).max();
        let refused = self.member.as_ref().map_or(0, |member| member.gossip.refused_datagrams());
        vec![
            ("has_quorum", u64::from(view.has_quorum)),
            ("is_leader", u64::from(is_own(view.leader))),
            ("term", view.term),
            ("members", count(view.members.len())),
            ("fault_tolerance", count(view.fault_tolerance())),
            ("applied_index", view.applied_index),
            ("slots_owned", count(owned_by(&is_own))),
            ("slots_unowned", count(owned_by(&|owner| owner.is_none()))),
            ("lag_max", lag_max.unwrap_or_default()),
            ("disk_low", u64::from(self.disk.is_low())),
            ("is_spooling", u64::from(self.is_spooling())),
            ("spooled_events", self.spooled()),
            ("spooled_bytes", self.member.as_ref().map_or(0, |member| member.degraded.bytes())),
            ("gossip_datagrams_refused", refused),
            ("members_sick", count(sick)),
            ("sick_judgements", judgements),
            ("unreached_seconds", failing.as_secs()),
            ("states_differ", u64::from(states_differ)),
            ("other_clusters", count(other_clusters)),
            ("late_seconds", reach.late_by.as_secs()),
        ]
    }
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
#[path = "golden_test.rs"]
pub(crate) mod golden;

#[cfg(test)]
#[path = "manual_clock_test.rs"]
mod test_clock;

#[cfg(test)]
#[path = "member_fixture_test.rs"]
mod test_member;

#[cfg(test)]
#[path = "node_test.rs"]
mod test_node;

#[cfg(test)]
#[path = "cluster_test.rs"]
mod tests;

#[cfg(test)]
#[path = "restart_test.rs"]
mod restart_tests;

#[cfg(test)]
#[path = "several_test.rs"]
mod several_tests;
