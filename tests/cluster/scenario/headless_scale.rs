//! A pod is scaled away: it ends and DNS removes it. The cluster removes it automatically, which no
//! restart may cause. Scaled up again, the pod still has the disk of the removed member: it ends,
//! and the next start is a new one.

use super::headless::formed;
use crate::harness::{CHANGE_UNDER_WAY, Cluster, Counts, Lab, To};

const NODES: usize = 3;
const EVENTS: usize = 20;
/// The highest ordinal stops, as in a StatefulSet.
const LEAVING: usize = 2;

pub async fn run(lab: Lab) -> Counts {
    let mut cluster = formed(&lab).await;
    let before = cluster.agreed(NODES).await;
    let traffic = cluster.load.keep_sending(1, To::any(LEAVING));
    cluster.progress(EVENTS).await;
    cluster.nodes[LEAVING].stop().await;
    cluster.pods().withdraw(LEAVING);
    cluster.resized(NODES - 1).await;
    cluster.progress(EVENTS).await;
    let after = cluster.agreed(NODES - 1).await;
    assert_eq!(after.cluster_id, before.cluster_id);
    assert!(after.ids().is_subset(&before.ids()), "{before:?} -> {after:?}");
    comes_back(&mut cluster).await;
    let again = cluster.agreed(NODES).await;
    assert_eq!(again.cluster_id, before.cluster_id);
    traffic.finish().await;
    cluster.load.play_run(0xff00, &To::Node(LEAVING)).await;
    cluster.assert_all_acknowledged();
    cluster.verify().await
}

/// Scaled up again, with its old volume. Kubernetes restarts a pod that ends.
async fn comes_back(cluster: &mut Cluster) {
    cluster.pods().move_to(LEAVING, cluster.pods().fresh_address());
    cluster.pods().publish(LEAVING);
    cluster.announce("the relay has to stop");
    cluster.announce(CHANGE_UNDER_WAY);
    cluster.start(LEAVING);
    let ended = cluster.nodes[LEAVING].ended().await;
    assert!(!ended.success(), "a node that was removed has nothing to do here");
    cluster.start(LEAVING);
    cluster.resized(NODES).await;
}
