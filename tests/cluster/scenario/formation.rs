//! Pristine nodes form one cluster once the last of them is there, in any order; until then none of
//! them accepts an event.

use crate::harness::{Cluster, Counts, FORMED_MAX, Lab, Shape, To};
use crate::shared::eventually;

const NODES: usize = 3;

pub async fn run(lab: Lab) -> Counts {
    let mut cluster = Cluster::new(&lab, Shape::of(NODES)).await;
    // The node that would form the cluster comes last.
    for early in [2, 1] {
        cluster.start(early);
        let node = &cluster.nodes[early];
        let view = eventually("the node answers", FORMED_MAX, async || node.view().await).await;
        assert_eq!(view.cluster_id, None, "{} has formed a cluster alone", node.pod());
        assert!(!node.is_ready().await, "{} is ready without a cluster", node.pod());
    }
    cluster.start(0);
    let view = cluster.agreed(NODES).await;
    assert_eq!((view.voters(), view.fault_tolerance), (NODES, Some(1)), "{view:?}");
    cluster.spread().await;
    cluster.load.play_copy(1, &To::any(NODES)).await;
    cluster.assert_all_acknowledged();
    let counts = cluster.verify().await;
    assert_eq!(counts.repeated, 0, "nothing happened that could put an effect in doubt");
    counts
}
