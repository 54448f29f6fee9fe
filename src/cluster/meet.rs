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
mod tests {
    use super::super::formation::Waiting;
    use super::super::test_member::{CLUSTER, Node, node};
    use super::super::test_node::WITHIN;
    use super::*;

    fn meeting(pods: &[&str]) -> Meeting {
        let pods = pods.iter().map(|pod| (*pod).to_owned()).collect();
        Meeting { expected: Expected::new("relay-0", Some(3)).unwrap(), pods }
    }

    fn others() -> [Answer; 2] {
        [1, 2].map(|ordinal| Answer {
            node: NodeId(100 + ordinal),
            name: format!("relay-{ordinal}"),
            address: format!("relay-{ordinal}:3320"),
            cluster: None,
            is_pristine: true,
        })
    }

    /// The verdicts of two rounds in which all others are pristine.
    async fn decide(node: &Node) -> [Formation; 2] {
        let (mut rounds, own) = (Rounds::default(), own(&node.member).await);
        let expected = meeting(&[]).expected;
        [(), ()].map(|()| rounds.decide(&own, &expected, &others(), 0))
    }

    #[tokio::test]
    async fn a_cluster_whose_id_was_learnt_from_its_leader_is_waited_for_and_none_is_formed() {
        let node = node(1).await;
        let [first, second] = decide(&node).await;
        assert_eq!(first, Formation::Wait(Waiting::OneMoreRound));
        assert!(matches!(second, Formation::Form { .. }), "{second:?}");
        // A leader called, and nothing of its log has come yet.
        node.member.join(CLUSTER).unwrap();
        assert!(node.member.raft().is_pristine().await.unwrap());
        assert_eq!(decide(&node).await, [Formation::Join(CLUSTER), Formation::Join(CLUSTER)]);
    }

    #[tokio::test]
    async fn all_pods_and_seeds_are_asked_but_not_this_node_itself() {
        let (node, mut other) = (node(1).await, node(2).await);
        other.listen();
        let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let nobody = free.local_addr().unwrap().to_string();
        drop(free);
        let pods = [&nobody, &node.member.own.peer_address, &other.member.own.peer_address];
        let round = ask_all(&node.member, &meeting(&pods.map(String::as_str))).await;
        let answered: Vec<NodeId> = round.answers.iter().map(|answer| answer.node).collect();
        assert_eq!((answered, round.unreachable), (vec![NodeId(2)], 1));
        assert_eq!((round.answers[0].cluster, round.answers[0].is_pristine), (None, true));
    }

    #[tokio::test]
    async fn a_cluster_is_in_the_log_before_it_has_an_id() {
        let node = node(1).await;
        let members = BTreeMap::from([(NodeId(1), MemberNode::default())]);
        form(&node.member, members).await.unwrap();
        assert!(!node.member.raft().is_pristine().await.unwrap());
        let drawn = node.member.cluster();
        assert!(drawn.is_some_and(|id| id.0 != 0), "{drawn:?}");
    }

    #[tokio::test]
    async fn an_earlier_life_that_formed_a_cluster_and_ended_leaves_the_id_to_the_next() {
        let node = node(1).await;
        let members = BTreeMap::from([(NodeId(1), MemberNode::default())]);
        node.member.raft().form(members).await.unwrap();
        let running = run(Arc::clone(&node.member), meeting(&[]), node.stop.clone());
        tokio::time::timeout(WITHIN, running).await.unwrap();
        assert!(node.member.cluster().is_some());
        assert!(node.failed.borrow().is_none());
    }

    #[test]
    fn an_answer_without_a_cluster_is_of_none() {
        let status = NodeStatus { node: 7, cluster: 0, is_pristine: true, ..NodeStatus::default() };
        assert_eq!(answer(status.clone()).cluster, None);
        let of_cluster = NodeStatus { cluster: CLUSTER.0, is_pristine: false, ..status };
        let answer = answer(of_cluster);
        assert_eq!(
            (answer.node, answer.cluster, answer.is_pristine),
            (NodeId(7), Some(CLUSTER), false)
        );
    }

    #[test]
    fn a_reason_is_told_at_once_when_it_is_new_and_else_now_and_then() {
        let mut notice = Notice::default();
        let mut told = |seconds, text: &str| {
            notice.due(Duration::from_secs(seconds), text.to_owned()).is_some()
        };
        assert!(told(100, "no answer"));
        assert!(!told(109, "no answer"));
        assert!(told(110, "no answer"));
        assert!(told(111, "one more round"));
        assert!(told(112, "no answer"));
    }
}
