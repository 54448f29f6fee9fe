//! How a node of no cluster gets into one: asks everybody that discovery shows, forms a cluster
//! when it is the one to do so, and else waits until a leader adds it.

use super::fatal::FatalError;
use super::formation::{Answer, Expected, Formation, Own, Rounds};
use super::member::Member;
use super::raft::MemberNode;
use super::transport::Target;
use super::transport::proto::NodeStatus;
use super::{ClusterId, StartError};
use crate::state_machine::NodeId;
use crate::telemetry::chain;
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

/// Time between two rounds. Two unanimous ones form a cluster.
const ROUND_EVERY: Duration = Duration::from_millis(500);
/// Deadline of one question.
const ASK_WITHIN: Duration = Duration::from_millis(400);
/// Time between two notices about why nothing happens.
const NOTICE_EVERY: Duration = Duration::from_secs(10);

/// Where replicas are looked for besides gossip.
#[derive(Clone, Debug)]
pub(super) struct Meeting {
    pub expected: Expected,
    /// Peer addresses of the pods that formation waits for, with a service.
    pub pods: Vec<String>,
}

/// Runs until this node belongs to a cluster or `stop` is cancelled.
pub(super) async fn run(member: Arc<Member>, meeting: Meeting, stop: CancellationToken) {
    let mut rounds = Rounds::default();
    let mut notice = Notice::default();
    while member.raft().is_pristine().await.unwrap_or(false) {
        let round = ask_all(&member, &meeting).await;
        let now = member.clock.monotonic();
        let own = own(&member).await;
        match rounds.decide(&own, &meeting.expected, &round.answers, round.unreachable) {
            Formation::Form { members } => {
                let members = members.into_iter().map(|(node, founder)| {
                    (node, MemberNode { name: founder.name, address: founder.address })
                });
                if let Err(cause) = form(&member, members.collect()).await {
                    error!(%cause, "no cluster was formed");
                }
            }
            Formation::Join(cluster) => {
                notice.give(now, || format!("waiting to be added to cluster {cluster}"));
            }
            Formation::Wait(waiting) => notice.give(now, || waiting.to_string()),
            Formation::Conflict(clusters) => {
                let ids = clusters.iter().map(ClusterId::to_string).collect::<Vec<_>>();
                notice.alarm(now, || format!("more than one cluster: {}", ids.join(", ")));
            }
            Formation::Refused(refused) => notice.alarm(now, || refused.to_string()),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(ROUND_EVERY) => {}
        }
    }
    // An earlier life formed the cluster and ended before it drew the id.
    if member.cluster().is_none()
        && let Err(cause) = name_cluster(&member)
    {
        member.fail(FatalError::Unnamed(chain(&cause)));
    }
}

/// The answers of one round, and how many addresses gave none.
struct Round {
    answers: Vec<Answer>,
    unreachable: usize,
}

async fn ask_all(member: &Member, meeting: &Meeting) -> Round {
    let live = member.live_peers().await;
    let mut addresses: BTreeSet<String> =
        live.into_iter().map(|peer| peer.facts.peer_address).collect();
    addresses.extend(meeting.pods.iter().cloned());
    addresses.remove(&member.own.peer_address);
    let asked = addresses.into_iter().map(|address| async move {
        member.ask(&Target { node: None, address }, ASK_WITHIN).await
    });
    let answers = join_all(asked).await;
    let unreachable = answers.iter().filter(|answer| answer.is_none()).count();
    Round { answers: answers.into_iter().flatten().map(answer).collect(), unreachable }
}

fn answer(status: NodeStatus) -> Answer {
    Answer {
        node: NodeId(status.node),
        name: status.name,
        address: status.peer_address,
        cluster: (status.cluster != 0).then_some(ClusterId(status.cluster)),
        is_pristine: status.is_pristine,
    }
}

async fn own(member: &Member) -> Own {
    let watched_for = member.gossip.seeds_answered().alone_for(tokio::time::Instant::now());
    let is_pristine = member.raft().is_pristine().await.unwrap_or(false);
    Own {
        node: member.own.node,
        name: member.own.name.clone(),
        address: member.own.peer_address.clone(),
        is_pristine,
        // Also where there is no log yet: the id was learnt from a leader, and is that cluster's.
        cluster: member.cluster(),
        expected_cluster: member.expected_cluster,
        watched_for: watched_for.unwrap_or_default(),
    }
}

/// The log first, then the id: an id without a log is one that was learnt, and stands for a
/// cluster that exists. Nobody hears this node in between, for its calls name no cluster.
async fn form(member: &Member, members: BTreeMap<NodeId, MemberNode>) -> Result<(), StartError> {
    info!(members = members.len(), "forming a cluster");
    member.raft().form(members).await.map_err(StartError::Stopped)?;
    name_cluster(member)
}

/// Draws the id of a cluster that this node has formed and that has none yet.
fn name_cluster(member: &Member) -> Result<(), StartError> {
    let cluster = ClusterId::draw().map_err(StartError::Identity)?;
    member.directory.join(cluster).map_err(StartError::Disk)?;
    member.peers.joined(cluster);
    info!(%cluster, "the cluster has its id");
    Ok(())
}

/// Says why nothing happens, but not all the time.
#[derive(Default)]
struct Notice {
    text: String,
    given_at: Duration,
}

impl Notice {
    fn give(&mut self, now: Duration, text: impl FnOnce() -> String) {
        if let Some(text) = self.due(now, text()) {
            info!("{text}");
        }
    }

    fn alarm(&mut self, now: Duration, text: impl FnOnce() -> String) {
        if let Some(text) = self.due(now, text()) {
            error!("{text}");
        }
    }

    fn due(&mut self, now: Duration, text: String) -> Option<&str> {
        if text == self.text && now.saturating_sub(self.given_at) < NOTICE_EVERY {
            return None;
        }
        (self.text, self.given_at) = (text, now);
        Some(&self.text)
    }
}

#[cfg(test)]
#[path = "meet_test.rs"]
mod tests;
