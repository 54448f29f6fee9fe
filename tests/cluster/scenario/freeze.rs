//! A node stops for a while without ending, like a paused machine: the leader, with calls on the
//! wire and connections open. The others continue. When it wakes up it has lost its leadership and
//! its slots, and its late calls are counted.

use crate::harness::{Cluster, Counts, Lab, Shape, To};

const NODES: usize = 3;
const EVENTS: usize = 60;

pub async fn run(lab: Lab) -> Counts {
    let mut cluster = Cluster::formed(&lab, Shape::of(NODES)).await;
    let frozen = cluster.leader().await;
    let others: Vec<usize> = (0..NODES).filter(|node| *node != frozen).collect();
    let traffic = cluster.load.keep_sending(1, To::AnyOf(others.clone()));
    cluster.calls_by(frozen, 1).await;
    cluster.nodes[frozen].freeze().await;
    let leader = cluster.other_leader(&others).await;
    assert_ne!(leader, frozen);
    cluster.progress(EVENTS).await;
    cluster.taken_over(frozen, leader).await;
    cluster.nodes[frozen].thaw().await;
    cluster.agreed(NODES).await;
    cluster.progress(EVENTS).await;
    traffic.finish().await;
    cluster.spread().await;
    cluster.load.play_run(0xffff, &To::Node(frozen)).await;
    cluster.assert_all_acknowledged();
    cluster.verify().await
}
