//! The secret of a running cluster is changed in three steps, without a restart: both are accepted,
//! the new one is used, the old one is invalid. No member is excluded in between.

use crate::harness::{CHANGE_UNDER_WAY, Cluster, Counts, FORMED_MAX, Lab, SECRET, Shape, To};
use crate::shared::eventually;

const NODES: usize = 3;
/// Knows the old secret and comes late.
const STRANGER: usize = 3;
const NEXT: &str = "the secret that all nodes have afterwards";
const EVENTS: usize = 20;
/// What a node logs when it starts to use the new content of its file.
const CHANGED: &str = "the secrets or certificates of peers were changed";

pub async fn run(lab: Lab) -> Counts {
    let shape = Shape { places: NODES + 1, ..Shape::of(NODES) };
    let mut cluster = Cluster::formed(&lab, shape).await;
    cluster.announce(CHANGE_UNDER_WAY);
    let before = cluster.agreed(NODES).await;
    let traffic = cluster.load.keep_sending(1, To::any(NODES));
    let steps = [format!("{SECRET}\n{NEXT}\n"), format!("{NEXT}\n{SECRET}\n"), NEXT.to_owned()];
    for (step, secrets) in steps.iter().enumerate() {
        for node in &cluster.nodes[..NODES] {
            node.share(secrets);
        }
        for node in &cluster.nodes[..NODES] {
            let what = format!("{} uses {} secrets", node.pod(), secrets.lines().count());
            eventually(&what, FORMED_MAX, async || {
                (node.log().matches(CHANGED).count() > step).then_some(())
            })
            .await;
        }
        cluster.progress(EVENTS).await;
    }
    cluster.start(STRANGER);
    let refused = "tekton_events_relay_gossip_datagrams_refused_total ";
    eventually("who knows the old secret has knocked", FORMED_MAX, async || {
        cluster.nodes[0].metric(refused).await.filter(|refused| *refused > 0)
    })
    .await;
    assert!(!cluster.nodes[STRANGER].is_ready().await, "the old secret opens nothing");
    cluster.nodes[STRANGER].kill().await;
    cluster.progress(EVENTS).await;
    traffic.finish().await;
    let after = cluster.agreed(NODES).await;
    assert_eq!((&after.cluster_id, after.ids()), (&before.cluster_id, before.ids()));
    cluster.assert_all_acknowledged();
    cluster.verify().await
}
