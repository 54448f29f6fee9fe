//! The check of a node: twice a second it proves its quorum, follows the leader's time, and
//! publishes its facts by gossip.

use super::state_check;
use crate::clock::Timestamp;
use crate::cluster::member::Member;
use crate::cluster::proposal::quorum::CHECK_EVERY;
use crate::cluster::transport::proto::Checked;
use crate::cluster::transport::{PeerAddress, PeerRoute};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use prost::Message as _;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Deadline of a check: the next one follows immediately.
const CHECK_WITHIN: Duration = Duration::from_millis(400);

/// Runs until `stop` is cancelled. Each turn makes one check and one publication.
pub(in crate::cluster) async fn run(member: Arc<Member>, stop: CancellationToken) {
    let mut beat = tokio::time::interval(CHECK_EVERY);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut changed = member.gossip.changed();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = beat.tick() => {
                check(&member).await;
                member.gossip.publish(member.facts()).await;
            }
            Ok(()) = changed.changed() => member.duties.notify_one(),
        }
        let live = member.live_peers().await;
        member.peers.heard(live.iter().map(|peer| (peer.node, peer.ip)).collect());
        let relays = live
            .into_iter()
            .map(|peer| PeerAddress { node: Some(peer.node), address: peer.facts.peer_address });
        member.proposer.relays.set(relays.collect());
    }
}

/// Tries to prove the quorum. If the leader's own answer proves nothing, the node asks other live
/// nodes to relay the check: a quorum within two hops is not lost (rule 12).
pub(in crate::cluster) async fn check(member: &Member) {
    let (proposer, status) = (&member.proposer, member.raft().status());
    if status.is_leader {
        member.goes_ahead();
        if let Some(age) = status.quorum_ago {
            proposer.quorum.proven_before(age);
        }
        return proposer.relays.set_relay_first(None);
    }
    let body = member.check().encode_to_vec();
    let leader = proposer.leader();
    if let Some(leader) = &leader
        && let Some(answer) = ask(member, leader, &body).await
    {
        // Only the leader that the log knows sends entries here. The leader behind a relay may not
        // have found this node yet, for example after a change of its address.
        member.follows(answer.applied_index);
        if answer.proves_quorum {
            return proposer.relays.set_relay_first(None);
        }
    }
    // All at once: a relay that does not answer must not delay the others.
    let asked = proposer.relays.except(leader.as_ref()).into_iter().map(async |relay| {
        let answer = ask(member, &relay, &body).await;
        answer.filter(|answer| answer.proves_quorum).map(|_| relay)
    });
    let mut asked: FuturesUnordered<_> = asked.collect();
    let mut found = None;
    while let (None, Some(answered)) = (&found, asked.next().await) {
        found = answered;
    }
    proposer.relays.set_relay_first(found);
}

/// The leader's data in its answer to a check.
struct Told {
    applied_index: u64,
    proves_quorum: bool,
}

/// The leader's answer to a check, if it came.
async fn ask(member: &Member, target: &PeerAddress, body: &[u8]) -> Option<Told> {
    let asked_at = member.clock.monotonic();
    let answer =
        member.peers.call(target, PeerRoute::LeaderCheck, body.to_vec(), CHECK_WITHIN).await;
    let answer = answer.ok().and_then(|answer| Checked::decode(answer).ok());
    let checked = answer.filter(|checked| checked.is_leader)?;
    member.proposer.log_clock.follow(Timestamp(checked.now_ms));
    let taken = member.clock.monotonic().saturating_sub(asked_at);
    let age = Duration::from_millis(checked.quorum_age_ms).saturating_add(taken);
    member.compare(&state_check::decode(checked.digests));
    let proves_quorum = member.proposer.quorum.proven_before(age);
    Some(Told { applied_index: checked.applied_index, proves_quorum })
}

#[cfg(test)]
#[path = "quorum_check_test.rs"]
mod tests;
