//! The beat of a node: twice a second it proves its quorum, follows the leader's time, and tells
//! the others by gossip how it is.

use super::gossip::Facts;
use super::member::{Member, Own};
use super::quorum::CHECK_EVERY;
use super::transport::proto::Checked;
use super::transport::{Route, Target, WIRE_VERSION};
use super::{ClusterId, agreement};
use crate::clock::Timestamp;
use crate::state_machine::{FEATURE_LEVEL, StateMachine};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use prost::Message as _;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Deadline of a check: the next one follows at once.
const CHECK_WITHIN: Duration = Duration::from_millis(400);

/// Runs until `stop` is cancelled. Each beat has one check and one publication.
pub(super) async fn run(member: Arc<Member>, stop: CancellationToken) {
    let mut beat = tokio::time::interval(CHECK_EVERY);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut changed = member.gossip.changed();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = beat.tick() => {
                check(&member).await;
                member.gossip.publish(facts(&member)).await;
            }
            Ok(()) = changed.changed() => member.duties.notify_one(),
        }
        let live = member.live_peers().await;
        member.peers.heard(live.iter().map(|peer| (peer.node, peer.ip)).collect());
        let guides = live
            .into_iter()
            .map(|peer| Target { node: Some(peer.node), address: peer.facts.peer_address });
        member.way.guides.set(guides.collect());
    }
}

/// Proves the quorum, or does not. Where the leader's own answer proves nothing, whoever else
/// lives is asked to hand the check on: a quorum that can be reached in two hops is none that was
/// lost (rule 12).
pub(super) async fn check(member: &Member) {
    let (way, status) = (&member.way, member.raft().status());
    if status.is_leader {
        if let Some(age) = status.quorum_ago {
            way.quorum.proven_before(age);
        }
        return way.guides.set_detour(None);
    }
    let body = member.check().encode_to_vec();
    let leader = way.leader();
    if let Some(leader) = &leader
        && proves(member, leader, &body).await
    {
        return way.guides.set_detour(None);
    }
    // All at once: one that does not answer must not hold up the others.
    let asked = way.guides.beside(leader.as_ref()).into_iter().map(async |guide| {
        let is_proven = proves(member, &guide, &body).await;
        is_proven.then_some(guide)
    });
    let mut asked: FuturesUnordered<_> = asked.collect();
    let mut found = None;
    while let (None, Some(answered)) = (&found, asked.next().await) {
        found = answered;
    }
    way.guides.set_detour(found);
}

/// Whether an answer to the check proves a quorum.
async fn proves(member: &Member, target: &Target, body: &[u8]) -> bool {
    let asked_at = member.clock.monotonic();
    let answer = member.peers.call(target, Route::Check, body.to_vec(), CHECK_WITHIN).await;
    let answer = answer.ok().and_then(|answer| Checked::decode(answer).ok());
    let Some(checked) = answer.filter(|checked| checked.is_leader) else { return false };
    member.way.stamps.follow(Timestamp(checked.now_ms));
    let taken = member.clock.monotonic().saturating_sub(asked_at);
    let age = Duration::from_millis(checked.quorum_age_ms).saturating_add(taken);
    member.compare(&agreement::decode(checked.digests));
    member.way.quorum.proven_before(age)
}

/// What a node tells before it has state.
pub(super) fn first_facts(own: &Own, cluster: Option<ClusterId>, wall: Timestamp) -> Facts {
    Facts {
        name: own.name.clone(),
        peer_address: own.peer_address.clone(),
        http_address: own.http_address.clone(),
        gossip_address: own.gossip_address.clone(),
        cluster,
        is_ready: false,
        is_draining: false,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        wire_version: WIRE_VERSION,
        feature_level: FEATURE_LEVEL.0,
        config_hash: own.config_hash,
        load: 0,
        applied_index: 0,
        spooled: 0,
        wall_ms: wall.0,
    }
}

/// What this node tells about itself.
pub(super) fn facts(member: &Member) -> Facts {
    let load = member.raft().read(StateMachine::backlog);
    let first = first_facts(&member.own, member.cluster(), member.clock.wall());
    Facts {
        is_ready: !member.is_draining() && !member.way.quorum.is_lost(),
        is_draining: member.is_draining(),
        load: u64::try_from(load).unwrap_or(u64::MAX),
        applied_index: *member.raft().applied().borrow(),
        spooled: member.degraded.len(),
        ..first
    }
}

#[cfg(test)]
#[path = "pulse_test.rs"]
mod tests;
