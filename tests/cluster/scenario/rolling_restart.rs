//! All nodes are restarted one after the other, as in a StatefulSet, while events come in through a
//! Service. Nothing is lost, nothing is sent twice, and no stop hangs.

use crate::harness::{Cluster, Counts, DRAINED_MAX, Lab, Shape, To};

const NODES: usize = 3;
/// Events between two restarts.
const EVENTS: usize = 40;

pub async fn run(lab: Lab) -> Counts {
    let mut cluster = Cluster::formed(&lab, Shape::of(NODES)).await;
    let before = cluster.agreed(NODES).await;
    let traffic = cluster.load.keep_sending(1, To::any(NODES));
    // The highest ordinal first.
    for node in (0..NODES).rev() {
        cluster.progress(EVENTS).await;
        let stopping = cluster.nodes[node].stop().await;
        assert!(stopping < DRAINED_MAX, "relay-{node} took {stopping:?} to stop");
        cluster.start(node);
        cluster.nodes[node].ready().await;
    }
    cluster.progress(EVENTS).await;
    traffic.finish().await;
    let after = cluster.agreed(NODES).await;
    assert_eq!((&after.cluster_id, after.ids()), (&before.cluster_id, before.ids()));
    cluster.assert_all_acknowledged();
    let counts = cluster.verify().await;
    assert_eq!(counts.repeated, 0, "a drained node leaves nothing in doubt");
    counts
}
