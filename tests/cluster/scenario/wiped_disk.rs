//! A node loses its disk and returns under its old name: it is another member, which replaces the
//! old one. This includes the pod that once formed the cluster: it must not form another.

use crate::harness::{CHANGE_UNDER_WAY, Cluster, Counts, FORMED_MAX, Lab, Shape, To};
use crate::shared::eventually;
use std::collections::BTreeSet;

const NODES: usize = 3;
const EVENTS: usize = 40;

pub async fn run(lab: Lab) -> Counts {
    let mut cluster = Cluster::formed(&lab, Shape::of(NODES)).await;
    cluster.announce(CHANGE_UNDER_WAY);
    let before = cluster.agreed(NODES).await;
    let traffic = cluster.load.keep_sending(1, To::any(NODES));
    let mut ids: BTreeSet<String> = before.ids().into_iter().map(str::to_owned).collect();
    for wiped in [2, 0] {
        cluster.progress(EVENTS).await;
        cluster.nodes[wiped].kill().await;
        cluster.nodes[wiped].wipe();
        let known = applied(&cluster, 1).await;
        cluster.start(wiped);
        cluster.nodes[wiped].ready().await;
        let ready_at = applied(&cluster, wiped).await;
        assert!(ready_at >= known, "ready at {ready_at} without what was known at {known}");
        let view = cluster.agreed(NODES).await;
        assert_eq!(view.cluster_id, before.cluster_id);
        assert_eq!(view.voters(), NODES, "{view:?}");
        let new: Vec<&str> = view.ids().into_iter().filter(|id| !ids.contains(*id)).collect();
        assert_eq!(new.len(), 1, "a wiped disk has a new id: {view:?}");
        ids.insert(new[0].to_owned());
    }
    traffic.finish().await;
    cluster.spread().await;
    cluster.assert_all_acknowledged();
    cluster.verify().await
}

/// What a node has applied when it answers that it is ready. A busy leader is sometimes late, and
/// makes it unready for a moment.
async fn applied(cluster: &Cluster, node: usize) -> u64 {
    let is_ready = async || cluster.nodes[node].get("/readyz").await;
    let told = eventually("a node that was ready is ready", FORMED_MAX, is_ready).await;
    told["applied_index"].as_u64().expect("an index")
}
