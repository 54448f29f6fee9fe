//! Registers a life of a node in the log. Nothing may be sent before.

use super::error::StartError;
use crate::cluster::handle::Cluster;
use crate::cluster::member::Member;
use crate::cluster::proposal::priority::Priority;
use crate::state_machine::{
    Applied, Boot, Command, FEATURE_LEVEL, NodeId, Refusal, Settings, SlotMove, StateMachine,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Deadline of the first entry of a life: a newly mounted disk may be slow.
const REGISTER_TIMEOUT: Duration = Duration::from_secs(30);
/// Wait after a failed registration.
const REGISTER_RETRY: Duration = Duration::from_millis(100);

impl Cluster {
    /// Registers this life, then changed settings and slots without an owner.
    pub(super) async fn register_single_node(
        &self,
        boot: Boot,
        settings: &Settings,
    ) -> Result<(), StartError> {
        let node = self.node;
        let mut commands = vec![Command::Boot(boot)];
        let mut level = self.read(StateMachine::feature_level);
        if self.read(StateMachine::is_untouched) {
            level = FEATURE_LEVEL;
            commands.push(Command::RaiseLevel { level });
        }
        let settings = settings.at_level(level);
        if self.read(|state| *state.settings() != settings) {
            commands.push(Command::Settings(settings));
        }
        let moves = self.read(|state| unowned(state, node));
        if !moves.is_empty() {
            commands.push(Command::Assign(moves));
        }
        let submitted = self.queue.submit(commands, Priority::Work, REGISTER_TIMEOUT).await;
        let answers = submitted.map_err(StartError::Register)?;
        let is_over = [Refusal::StaleBoot, Refusal::Retired].map(Applied::Refused);
        if answers.iter().any(|answer| is_over.contains(answer)) {
            return Err(StartError::StaleBoot { node, boot: self.boot });
        }
        // Not earlier: until the log has the poison record, the file is the only trace.
        self.planning_ended();
        Ok(())
    }
}

/// Moves of all slots without an owner to `node`.
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

/// Registers this life once the node is in a cluster. An older life, or a removed node, may never
/// send anything: the directory is set aside.
pub(super) async fn register_member(
    member: Arc<Member>,
    boot: Boot,
    registering: watch::Sender<bool>,
    stop: CancellationToken,
) {
    loop {
        let commands = vec![Command::Boot(boot.clone())];
        let submitted = member.queue.submit(commands, Priority::Work, REGISTER_TIMEOUT);
        let answers = tokio::select! {
            () = stop.cancelled() => return,
            answers = submitted => answers,
        };
        match answers.as_deref() {
            Ok([Applied::Refused(refusal)]) => {
                warn!(?refusal, "the cluster does not want this node any more");
                member.peers.note_removal();
                return;
            }
            Ok(_) => {
                // In the log does not mean applied here: everything before this life must be
                // applied first.
                let mut applied = member.raft().applied();
                // A new cluster starts with its level and slots: earlier events would get names as
                // at the first level.
                let is_here = |_: &u64| {
                    let begun = member
                        .raft()
                        .read(|state| state.boot_of(boot.node).filter(|_| !state.is_untouched()));
                    begun >= Some(boot.number)
                };
                tokio::select! {
                    () = stop.cancelled() => return,
                    _ = applied.wait_for(is_here) => {}
                }
                registering.send_replace(true);
                return;
            }
            Err(_) => tokio::time::sleep(REGISTER_RETRY).await,
        }
    }
}
