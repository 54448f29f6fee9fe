//! Raises the feature level while this node leads, when it is time (rule 22).

use crate::clock::Clock;
use crate::cluster::member::Member;
use crate::cluster::membership::{Levels, Settling};
use crate::cluster::proposal::batcher::Queue;
use crate::cluster::proposal::priority::Priority;
use crate::cluster::raft::{RaftNode, RaftStatus};
use crate::cluster::view::SUSPECT_AFTER;
use crate::state_machine::{Command, FEATURE_LEVEL, FeatureLevel, NodeId, StateMachine};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Between two rounds. A restarting node is silent for longer, or reports its level in its first
/// check, half a second after its start.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Deadline of a proposal; the next round decides again.
const PROPOSE_WITHIN: Duration = Duration::from_secs(5);

/// The inputs of raising. A cluster of one uses it too.
pub(in crate::cluster) struct Raising {
    pub raft: RaftNode,
    pub queue: Queue,
    pub own: NodeId,
    /// `None` in a cluster of one.
    pub member: Option<Arc<Member>>,
    pub clock: Arc<dyn Clock>,
}

impl Raising {
    /// Runs until `stop` is cancelled; acts while this node leads.
    pub async fn run(self, stop: CancellationToken) {
        let mut held: Option<(u64, Settling)> = None;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            held = self.look(held).await;
        }
    }

    /// Does what is due, and returns what to remember in the same leadership (rule 26).
    pub(super) async fn look(&self, held: Option<(u64, Settling)>) -> Option<(u64, Settling)> {
        let status = self.raft.status();
        if !status.is_leader || !status.has_applied_own_term {
            return None;
        }
        let held = held.filter(|(term, _)| *term == status.term);
        let mut settling = held.map(|(_, settling)| settling).unwrap_or_default();
        let active = self.raft.read(StateMachine::feature_level);
        let levels = levels(&status, self.own, self.member.as_deref());
        if let Some(level) = settling.look(active, &levels, self.clock.monotonic()) {
            self.raise(level).await;
        }
        Some((status.term, settling))
    }

    async fn raise(&self, level: FeatureLevel) {
        info!(%level, "raising the feature level: all members have had it for ten minutes");
        let raise = vec![Command::RaiseLevel { level }];
        if let Err(error) = self.queue.submit(raise, Priority::Work, PROPOSE_WITHIN).await {
            warn!(%error, %level, "the feature level is not raised yet");
        }
    }
}

/// The levels of all members, as the leader knows them. Each call of a member reports what its
/// build can apply. Gossip also does, but anyone can send gossip.
pub(in crate::cluster) fn levels(
    status: &RaftStatus,
    own: NodeId,
    member: Option<&Member>,
) -> Levels {
    known(status, own, |node| {
        let member = member?;
        let boot = member.raft().read(|state| state.boot_of(node));
        member.admission.level_of(node, boot)
    })
}

/// A silent member may return with another build: its level is unknown.
fn known(
    status: &RaftStatus,
    own: NodeId,
    heard: impl Fn(NodeId) -> Option<FeatureLevel>,
) -> Levels {
    let level = |node: NodeId, answered_ago: Option<Duration>| {
        if node == own {
            return Some(FEATURE_LEVEL);
        }
        answered_ago.filter(|ago| *ago < SUSPECT_AFTER).and_then(|_| heard(node))
    };
    let members = status.members.iter();
    members.map(|(node, member)| (*node, level(*node, member.answered_ago))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::raft::MemberStatus;

    #[test]
    fn rule_22_only_a_member_that_answers_and_was_heard_has_a_level() {
        let member = |(node, answered_ms): (u64, Option<u64>)| {
            let (name, address) = (String::new(), String::new());
            let status = MemberStatus {
                node: crate::cluster::raft::MemberNode { name, address },
                // Learners count as well.
                is_voter: node < 4,
                matched_index: None,
                answered_ago: answered_ms.map(Duration::from_millis),
            };
            (NodeId(node), status)
        };
        let members = [(1, None), (2, Some(1_499)), (3, Some(1_500)), (4, Some(0)), (5, Some(0))];
        let members = members.into_iter().map(member).collect();
        let status = RaftStatus { members, ..RaftStatus::default() };
        let heard = |node: NodeId| (node.0 != 5).then_some(FeatureLevel(7));
        let seventh = Some(FeatureLevel(7));
        let levels = known(&status, NodeId(1), heard);
        let expected = [Some(FEATURE_LEVEL), seventh, None, seventh, None];
        assert_eq!(levels, (1..).map(NodeId).zip(expected).collect());
    }
}
