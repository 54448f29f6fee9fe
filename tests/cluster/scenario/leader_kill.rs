//! The leader is killed while a follower takes events and while calls are in progress. Senders see
//! only answers that Tekton would retry, nothing is lost, and repeated arrivals are counted.

use crate::harness::{Cluster, Counts, Lab, Shape, To};

const NODES: usize = 3;
/// Events between two faults: enough that every node has work in progress.
const EVENTS: usize = 60;
/// Leaders that are killed, one after the other.
const KILLS: usize = 2;

pub async fn run(lab: Lab) -> Counts {
    let mut cluster = Cluster::formed(&lab, Shape::of(NODES)).await;
    let mut copy = 1;
    for _ in 0..KILLS {
        let (leader, follower) = (cluster.leader().await, cluster.follower().await);
        let traffic = cluster.load.keep_sending(copy, To::Node(follower));
        cluster.calls_by(leader, 1).await;
        cluster.progress(EVENTS).await;
        cluster.nodes[leader].kill().await;
        cluster.progress(EVENTS).await;
        cluster.start(leader);
        cluster.agreed(NODES).await;
        copy += traffic.finish().await;
        cluster.spread().await;
    }
    cluster.assert_all_acknowledged();
    cluster.verify().await
}
