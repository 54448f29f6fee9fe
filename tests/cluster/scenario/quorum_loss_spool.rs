//! Two of three nodes are gone. The last one keeps what it is sent on its own disk and says so;
//! killed in that state, it still has it, and feeds it when the others are back.

use crate::harness::{Cluster, Counts, FORMED_MAX, Lab, Shape, To};
use crate::shared::{copy_of_the_recording, eventually};

const NODES: usize = 3;

pub async fn run(lab: Lab) -> Counts {
    let mut cluster = Cluster::formed(&lab, Shape::of(NODES)).await;
    cluster.load.play_copy(1, &To::any(NODES)).await;
    let last = cluster.follower().await;
    let others: Vec<usize> = (0..NODES).filter(|node| *node != last).collect();
    for other in &others {
        cluster.nodes[*other].kill().await;
    }
    cluster.load.play_copy(2, &To::Node(last)).await;
    let history = cluster.load.history();
    let spooled = history.with_fate("spooled");
    assert_eq!(spooled, copy_of_the_recording(2).0.len(), "all that came without a quorum");

    cluster.nodes[last].kill().await;
    cluster.start(last);
    let node = &cluster.nodes[last];
    eventually("the node answers", FORMED_MAX, async || node.view().await).await;
    // The same again: known to this node or not, it must not become two.
    cluster.load.play_copy(2, &To::Node(last)).await;
    for other in others {
        cluster.start(other);
    }
    cluster.agreed(NODES).await;
    cluster.load.play_copy(3, &To::any(NODES)).await;
    cluster.assert_all_acknowledged();
    let counts = cluster.verify().await;
    assert!(counts.spooled >= spooled);
    counts
}
