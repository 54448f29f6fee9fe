//! The handle to the replicated log for the rest of the shell.

use super::data_dir::directory::DataDirectory;
use super::data_dir::free_space::FreeSpace;
use super::data_dir::identity::ClusterId;
use super::data_dir::plan_marker::PlanMarker;
use super::fatal::FatalError;
use super::health::delivery_health::DeliveryHealthRecorder;
use super::member::Member;
use super::proposal::batcher::Queue;
use super::proposal::error::AcceptError;
use super::proposal::priority::Priority;
use super::proposal::proposer::Proposer;
use super::raft::{ChangeStream, CompactError, SnapshotFile, StateDigest};
use super::spool::feed::Degradation;
use super::view::{self, ClusterView};
use crate::clock::Timestamp;
use crate::event::Key;
use crate::state_machine::{Applied, Command, NodeId, Slot, StateMachine};
use crate::wire;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Time for all tasks together to write waiting entries at the end; then the process exits. A
/// healthy disk needs milliseconds.
const DRAIN_MAX: Duration = Duration::from_secs(4);

/// The handle to the replicated log.
pub struct Cluster {
    pub(super) proposer: Proposer,
    pub(super) node: NodeId,
    pub(super) boot: u64,
    pub(super) queue: Queue,
    pub(super) disk: Arc<FreeSpace>,
    pub(super) delivery_health: DeliveryHealthRecorder,
    pub(super) planning: Option<PlanMarker>,
    pub(super) failed: watch::Receiver<Option<FatalError>>,
    pub(super) registered: watch::Receiver<bool>,
    pub(super) accept_timeout: Duration,
    pub(super) cluster_id: Option<ClusterId>,
    pub(super) member: Option<Arc<Member>>,
    pub(super) tasks: Mutex<Vec<JoinHandle<()>>>,
    pub(super) stop: CancellationToken,
    /// Held during each pass over the whole state: copies of it are large.
    pub(super) digesting: Arc<tokio::sync::Mutex<()>>,
    /// Ends the tasks of a handle that is dropped without a shutdown.
    pub(super) _stop_on_drop: DropGuard,
    /// Keeps the data directory locked.
    pub(super) _directory: Option<Arc<DataDirectory>>,
}

/// The owners of slots that a node has applied.
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

    /// The id of the cluster that this node belongs to, if any.
    #[must_use]
    pub fn cluster_id(&self) -> Option<ClusterId> {
        self.member.as_ref().map_or(self.cluster_id, |member| member.cluster())
    }

    /// Becomes true when this life of the node is in the log. Nothing may be sent before.
    #[must_use]
    pub fn registered(&self) -> watch::Receiver<bool> {
        self.registered.clone()
    }

    /// Whether entries of this node can be confirmed now, as far as it knows (rule 12).
    #[must_use]
    pub fn has_quorum(&self) -> bool {
        self.member.is_none() || !self.proposer.quorum.is_lost()
    }

    /// The number of this life of the node.
    #[must_use]
    pub fn boot(&self) -> u64 {
        self.boot
    }

    /// Writes commands into one entry and returns the answer to each, in order.
    ///
    /// # Errors
    /// Nothing was confirmed; every command may be proposed again.
    pub async fn propose(&self, commands: Vec<Command>) -> Result<Vec<Applied>, AcceptError> {
        self.queue.submit(commands, Priority::Work, self.accept_timeout).await
    }

    /// Reads the applied state. Apply waits meanwhile: keep it short.
    pub fn read<T>(&self, look: impl FnOnce(&StateMachine) -> T) -> T {
        self.proposer.raft.read(look)
    }

    /// Owners and epochs of the slots, as applied by this node.
    #[must_use]
    pub fn applied_slots(&self) -> AppliedSlots {
        self.proposer.raft.read_indexed(|index, state| AppliedSlots {
            index,
            slots: state.slots().map(|(_, slot)| slot).collect(),
        })
    }

    /// A digest of the applied state, to compare with other nodes. It is a pass over a copy of the
    /// whole state, one at a time: for tests and operators, not for every second.
    ///
    /// # Errors
    /// The process is ending.
    pub async fn applied_digest(&self) -> Result<StateDigest, JoinError> {
        let turn = Arc::clone(&self.digesting).lock_owned().await;
        let copy = |index, state: &StateMachine| (index, state.stored_copy());
        let (index, state) = self.proposer.raft.read_indexed(copy);
        let pass = move || {
            let digest = StateDigest { index, sum: wire::digest(&state) };
            // Not earlier: if the caller is dropped, its pass still runs.
            drop(turn);
            digest
        };
        tokio::task::spawn_blocking(pass).await
    }

    /// The index of the last applied entry, and a signal for each one.
    #[must_use]
    pub fn applied(&self) -> watch::Receiver<u64> {
        self.proposer.raft.applied()
    }

    /// The changes of all entries applied from now on, in the order of the log. Apply waits for no
    /// subscriber: one that falls [`CHANGES_MAX`](super::CHANGES_MAX) entries behind loses changes
    /// and receives `Missed`.
    #[must_use]
    pub fn changes(&self) -> ChangeStream {
        self.proposer.raft.changes()
    }

    /// Set once, with the reason, when the cluster can no longer be used. The process must end.
    #[must_use]
    pub fn failed(&self) -> watch::Receiver<Option<FatalError>> {
        self.failed.clone()
    }

    /// The current moment in replicated time.
    #[must_use]
    pub fn replicated_now(&self) -> Timestamp {
        self.proposer.log_clock.now()
    }

    /// Whether events are now kept on this disk alone, because there is no quorum.
    #[must_use]
    pub fn is_spooling(&self) -> bool {
        let degradation = self.member.as_ref().map(|member| member.degradation());
        degradation == Some(Degradation::Spool)
    }

    /// Whether this replica's state has stood still behind the leader's for too long.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        self.member.as_ref().is_some_and(|member| member.stuck().is_some())
    }

    /// Whether unauthenticated peers are accepted: `cluster.peer_tls` is `migrate`.
    #[must_use]
    pub fn believes_anybody(&self) -> bool {
        self.member.as_ref().is_some_and(|member| member.tls.believes_anybody())
    }

    /// The expiry of the certificate for peers, in Unix seconds; `None` for one without expiry, and
    /// for a cluster of one.
    #[must_use]
    pub fn certificate_expires_at(&self) -> Option<i64> {
        self.member.as_ref()?.tls.expires_at()
    }

    /// Events on this disk alone.
    #[must_use]
    pub fn spooled(&self) -> u64 {
        self.member.as_ref().map_or(0, |member| member.quorum_loss.len())
    }

    /// Whether events are refused because the disk is low.
    #[must_use]
    pub fn is_disk_low(&self) -> bool {
        self.disk.is_low()
    }

    /// The cluster as its leader sees it, if the leader answers; else as this node sees it.
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
        view.own_log_end = self.proposer.raft.log_end();
        self.read(|state| view.complete(state, live));
        view
    }

    fn local_view(&self) -> ClusterView {
        match &self.member {
            Some(member) => member.local_view(),
            None => view::of_status(&self.proposer.raft.status(), self.node, self.has_quorum()),
        }
    }

    /// The current leader, as far as this node knows.
    #[must_use]
    pub fn leader(&self) -> Option<NodeId> {
        self.proposer.raft.leader().map(|(node, _)| node)
    }

    /// Where the deliveries of this node record their success (rule 27).
    #[must_use]
    pub fn delivery_health(&self) -> &DeliveryHealthRecorder {
        &self.delivery_health
    }

    /// Marks the event whose planning starts (rule 7).
    pub fn planning_started(&self, run: Key, sequence: u64) {
        if let Some(mark) = &self.planning {
            mark.set(run, sequence);
        }
    }

    /// No event is being planned any more.
    pub fn planning_ended(&self) {
        if let Some(mark) = &self.planning {
            mark.clear();
        }
    }

    /// Makes a snapshot of the applied state, and purges the log up to the previous snapshot.
    ///
    /// # Errors
    /// No snapshot was made, or the log could not be purged; nothing is lost.
    pub async fn snapshot(&self) -> Result<(), CompactError> {
        self.proposer.raft.compact().await
    }

    /// Makes a snapshot of the applied state and opens it: the input of
    /// [`recover()`](super::recover()).
    ///
    /// # Errors
    /// Nothing was applied yet, or no snapshot was made; nothing is lost.
    pub async fn open_snapshot(&self) -> Result<SnapshotFile, CompactError> {
        self.proposer.raft.open_snapshot().await
    }

    /// Lets waiting requests end, then closes the log. Nothing is accepted any more.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        let tasks = std::mem::take(&mut *self.tasks.lock());
        let until = tokio::time::Instant::now() + DRAIN_MAX;
        for mut task in tasks {
            if tokio::time::timeout_at(until, &mut task).await.is_err() {
                task.abort();
            }
        }
        if let Some(member) = &self.member {
            member.gossip.shutdown().await;
        }
        self.proposer.raft.shutdown().await;
    }

    /// What this replica knows of itself and its cluster, by the names of its metrics.
    #[must_use]
    pub fn gauges(&self) -> Vec<(&'static str, u64)> {
        let view = self.local_view();
        let reach = self.delivery_health.reach();
        let failing = reach.failing.map(|failing| failing.lasting).unwrap_or_default();
        let unhealthy =
            view.members.iter().filter(|member| member.is_unhealthy == Some(true)).count();
        let member = self.member.as_ref();
        let judgements = member.map_or(0, |member| member.unhealthy_judgements());
        let states_differ = member.is_some_and(|member| member.states_differ());
        let other_clusters = member.map_or(0, |member| member.other_clusters.load(Relaxed));
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let is_own = |owner: Option<NodeId>| owner == Some(self.node);
        let owned_by = |is_meant: &dyn Fn(Option<NodeId>) -> bool| {
            self.read(|state| state.slots().filter(|(_, slot)| is_meant(slot.owner)).count())
        };
        // Only the leader knows the lag of the others.
        let lag_max = view.members.iter().filter_map(|member| member.lag).max();
        let refused = self.member.as_ref().map_or(0, |member| member.gossip.refused_datagrams());
        let not_admitted = member.map_or(0, |member| member.not_admitted.load(Relaxed));
        let expires_at = self.certificate_expires_at().unwrap_or_default();
        let expires_at = u64::try_from(expires_at).unwrap_or_default();
        vec![
            ("has_quorum", u64::from(view.has_quorum)),
            ("is_leader", u64::from(is_own(view.leader))),
            ("term", view.term),
            ("members", count(view.members.len())),
            ("fault_tolerance", count(view.fault_tolerance())),
            ("applied_index", view.applied_index),
            ("slots_owned", count(owned_by(&is_own))),
            ("slots_unowned", count(owned_by(&|owner| owner.is_none()))),
            ("lag_entries_max", lag_max.unwrap_or_default()),
            ("disk_low", u64::from(self.disk.is_low())),
            ("is_stuck", u64::from(self.is_stuck())),
            ("is_spooling", u64::from(self.is_spooling())),
            ("spooled_events", self.spooled()),
            ("spooled_bytes", self.member.as_ref().map_or(0, |member| member.quorum_loss.bytes())),
            ("gossip_datagrams_refused_total", refused),
            ("peer_connections_refused_total", member.map_or(0, |member| member.tls.refused())),
            ("nodes_not_admitted_total", not_admitted),
            ("believes_anybody", u64::from(self.believes_anybody())),
            ("peer_certificate_expiry_timestamp_seconds", expires_at),
            ("members_unhealthy", count(unhealthy)),
            ("unhealthy_judgements_total", judgements),
            ("targets_unreached_seconds", failing.as_secs()),
            ("states_differ", u64::from(states_differ)),
            ("other_clusters", count(other_clusters)),
            ("effects_late_seconds", reach.late_by.as_secs()),
        ]
    }
}
