//! A pod is started with the volume of another cluster's only member. It is not a member here and
//! affects no other node: the cluster stays as it was and alarms, and the stranger ends.

use crate::harness::{Cluster, Counts, FORMED_MAX, Lab, Node, Shape, To, View};
use crate::shared::eventually;

const NODES: usize = 3;
const EVENTS: usize = 20;
/// How often the cluster is checked, with events in between.
const LOOKS: usize = 5;

pub async fn run(lab: Lab) -> Counts {
    let mut cluster = Cluster::formed(&lab, Shape::of(NODES)).await;
    let before = cluster.agreed(NODES).await;
    let mut stranger = cluster.outsider(NODES);
    bring_volume(&lab, &stranger, &before).await;
    cluster.announce("nodes of another cluster are at the addresses of this one");
    let traffic = cluster.load.keep_sending(1, To::any(NODES));
    cluster.progress(EVENTS).await;
    stranger.start(&cluster.serve);
    eventually("the stranger has ended", FORMED_MAX, async || stranger.has_ended().then_some(()))
        .await;
    for _ in 0..LOOKS {
        cluster.progress(EVENTS).await;
        is_as_before(&mut cluster, &before).await;
    }
    traffic.finish().await;
    is_as_before(&mut cluster, &before).await;
    cluster.spread().await;
    cluster.assert_all_acknowledged();
    let counts = cluster.verify().await;
    assert_eq!(counts.repeated, 0, "nothing happened that could put an effect in doubt");
    counts
}

/// A cluster of one is formed elsewhere and stopped; its volume goes to the stranger.
async fn bring_volume(lab: &Lab, stranger: &Node, here: &View) {
    let elsewhere = Lab { folder: lab.folder.join("elsewhere"), ..lab.clone() };
    let mut other = Cluster::formed(&elsewhere, Shape::of(1)).await;
    let view = other.agreed(1).await;
    assert_ne!(view.cluster_id, here.cluster_id);
    other.load.play_copy(0xff, &To::Node(0)).await;
    other.settled().await;
    other.nodes[0].stop().await;
    stranger.take_volume_of(&other.nodes[0]);
}

/// The same three members of the same cluster agree.
async fn is_as_before(cluster: &mut Cluster, before: &View) {
    let view = cluster.agreed(NODES).await;
    assert_eq!((&view.cluster_id, view.ids()), (&before.cluster_id, before.ids()), "{view}");
}
