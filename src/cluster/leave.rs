//! Why a process of a cluster of several has to end: its node is no longer wanted, and the next
//! start begins as a new one; or it can no longer be found.

use super::member::Member;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tracing::error;

/// Runs until `stop` is cancelled or there is a reason, which ends the process.
pub(super) async fn run(member: Arc<Member>, stop: CancellationToken) {
    let mut told_off = member.peers.told_off();
    let mut gossip = member.gossip.failed();
    let refused = tokio::select! {
        () = stop.cancelled() => return,
        // Started again in this life, it would not be believed.
        ended = gossip.wait_for(Option::is_some) => {
            if let Ok(Some(reason)) = ended.as_deref() {
                member.fail(format!("gossip ended: {reason}"));
            }
            return;
        }
        refused = told_off.wait_for(Option::is_some) => match refused.as_deref() {
            Ok(Some(refused)) => refused.clone(),
            Ok(None) | Err(_) => return,
        },
    };
    if let Err(error) = member.directory.set_aside() {
        error!(%error, "the data directory cannot be marked");
    }
    member.fail(format!("{refused}; the next start begins as a new node"));
}
