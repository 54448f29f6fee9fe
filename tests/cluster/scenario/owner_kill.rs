//! A node is killed while its calls are on the wire. Others take over its slots, repeat calls with
//! an unknown end, and count them. It does not return before they are done.

use crate::harness::{Cluster, Counts, Lab, Sent, Shape, To};
use crate::shared::copy_of_the_recording;
use std::collections::BTreeSet;
use std::time::Duration;

const NODES: usize = 3;
/// A copy has some ten runs, and a third of the slots is the owner's: with one copy, one cluster in
/// fifty gives it none of them.
const FIRST_COPIES: [usize; 3] = [1, 4, 5];

pub async fn run(lab: Lab) -> Counts {
    let mut cluster = Cluster::formed(&lab, Shape::of(NODES)).await;
    let (leader, owner) = (cluster.leader().await, cluster.follower().await);
    // Calls arrive and are never answered: at the kill, only the receiver knows of them.
    cluster.receiver.hold();
    let to_leader = To::Node(leader);
    let sent = async {
        for copy in FIRST_COPIES {
            cluster.load.play_copy(copy, &to_leader).await;
        }
    };
    tokio::join!(cluster.calls_by(owner, 1), sent);
    cluster.nodes[owner].kill().await;
    let killed = cluster.receiver.started().elapsed();
    cluster.receiver.release();
    cluster.load.play_copy(2, &to_leader).await;
    cluster.settled().await;
    let resumed = last_of_copy(&cluster, 2).saturating_sub(killed);
    cluster.start(owner);
    cluster.agreed(NODES).await;
    cluster.spread().await;
    cluster.load.play_copy(3, &To::any(NODES)).await;
    cluster.assert_all_acknowledged();
    let counts = cluster.verify().await;
    assert!(counts.repeated > 0, "the kill met no call under way");
    // Rule 2 says 5 s for effects that were not on the wire. A busy machine is no reason to fail
    // here.
    Counts { resumed: Some(resumed), ..counts }
}

/// When the last webhook call for a copy came.
fn last_of_copy(cluster: &Cluster, copy: usize) -> Duration {
    let requests = copy_of_the_recording(copy).0;
    let effects: BTreeSet<String> =
        requests.iter().map(|request| Sent::new(request).effect()).collect();
    let received = cluster.receiver.received();
    let calls = received.seen.calls.iter().zip(&received.moments);
    let of_copy = calls.filter(|(call, _)| {
        let id = call.headers.get("webhook-id").and_then(|id| id.to_str().ok());
        id.is_some_and(|id| effects.contains(id))
    });
    of_copy.map(|(_, moment)| *moment).max().unwrap_or_default()
}
