//! A node is killed while its calls are on the wire: others take over what it owned, call again
//! where they cannot know, and count that. It does not come back before they are done.

use crate::harness::{Cluster, Counts, Lab, Shape, To};

const NODES: usize = 3;

pub async fn run(lab: Lab) -> Counts {
    let mut cluster = Cluster::formed(&lab, Shape::of(NODES)).await;
    let (leader, owner) = (cluster.leader().await, cluster.follower().await);
    // Calls arrive and are never answered: at the kill, nobody but the receiver knows of them.
    cluster.receiver.hold();
    let to_leader = To::Node(leader);
    let sent = cluster.load.play_copy(1, &to_leader);
    tokio::join!(cluster.calls_by(owner, 1), sent);
    cluster.nodes[owner].kill().await;
    cluster.receiver.release();
    cluster.load.play_copy(2, &to_leader).await;
    cluster.settled().await;
    cluster.start(owner);
    cluster.agreed(NODES).await;
    cluster.spread().await;
    cluster.load.play_copy(3, &To::any(NODES)).await;
    cluster.assert_all_acknowledged();
    let counts = cluster.verify().await;
    assert!(counts.repeated > 0, "the kill met no call under way");
    counts
}
