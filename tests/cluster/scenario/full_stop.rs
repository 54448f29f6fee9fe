//! All nodes go at once with work pending, asked to and killed, and come back: the same cluster,
//! the same members, the work done, and everything known that was known.

use crate::harness::{Cluster, Counts, Lab, Shape, To};
use crate::shared::copy_of_the_recording;
use futures_util::future::join_all;

const NODES: usize = 3;

pub async fn run(lab: Lab) -> Counts {
    let mut cluster = Cluster::formed(&lab, Shape::of(NODES)).await;
    let before = cluster.agreed(NODES).await;
    for copy in [1, 2] {
        cluster.receiver.refuse(|_| Some(503));
        cluster.load.play_copy(copy, &To::any(NODES)).await;
        if copy == 1 {
            join_all(cluster.nodes.iter_mut().map(|node| node.stop())).await;
        } else {
            join_all(cluster.nodes.iter_mut().map(|node| node.kill())).await;
        }
        cluster.receiver.recover();
        for node in 0..NODES {
            cluster.start(node);
        }
        let after = cluster.agreed(NODES).await;
        assert_eq!((&after.cluster_id, after.ids()), (&before.cluster_id, before.ids()));
        for request in copy_of_the_recording(copy).0 {
            let sent = cluster.load.send(&request, &To::any(NODES)).await;
            assert!(sent.has_fate("duplicate"), "{}", sent.title());
        }
    }
    cluster.assert_all_acknowledged();
    cluster.verify().await
}
