//! Nodes that share a secret form a cluster. One with another secret exchanges no gossip with them;
//! with the right one it joins.

use crate::harness::{CHANGE_UNDER_WAY, Cluster, Counts, FORMED_MAX, Lab, SECRET, Shape, To};
use crate::shared::eventually;

const NODES: usize = 3;
const STRANGER: usize = 3;
const EVENTS: usize = 20;
/// Datagrams of others that could not be opened.
const REFUSED: &str = "tekton_events_relay_gossip_datagrams_refused_total ";

pub async fn run(lab: Lab) -> Counts {
    let shape = Shape { places: NODES + 1, ..Shape::of(NODES) };
    let mut cluster = Cluster::new(&lab, shape).await;
    cluster.announce(CHANGE_UNDER_WAY);
    for node in 0..NODES {
        cluster.start(node);
    }
    let before = cluster.agreed(NODES).await;
    cluster.spread().await;
    let traffic = cluster.load.keep_sending(1, To::any(NODES));
    cluster.nodes[STRANGER].share("what somebody has guessed");
    cluster.start(STRANGER);
    is_kept_out(&cluster).await;
    cluster.progress(EVENTS).await;
    is_kept_out(&cluster).await;
    let view = cluster.nodes[0].view().await.expect("a member answers");
    assert_eq!((&view.cluster_id, view.ids()), (&before.cluster_id, before.ids()));
    cluster.nodes[STRANGER].kill().await;

    cluster.nodes[STRANGER].share(SECRET);
    cluster.start(STRANGER);
    let after = cluster.agreed(NODES + 1).await;
    assert_eq!(after.cluster_id, before.cluster_id);
    traffic.finish().await;
    cluster.spread().await;
    cluster.load.play_run(0xffff, &To::Node(STRANGER)).await;
    cluster.assert_all_acknowledged();
    let counts = cluster.verify().await;
    assert_eq!(counts.repeated, 0, "nothing happened that could put an effect in doubt");
    counts
}

/// The stranger has sent greetings, is alone, and no member knows it.
async fn is_kept_out(cluster: &Cluster) {
    let (member, stranger) = (&cluster.nodes[0], &cluster.nodes[STRANGER]);
    eventually("the stranger has knocked", FORMED_MAX, async || {
        member.metric(REFUSED).await.filter(|refused| *refused > 0)
    })
    .await;
    let alone =
        eventually("the stranger answers", FORMED_MAX, async || stranger.view().await).await;
    assert_eq!(alone.cluster_id, None, "{alone}");
    assert!(alone.gossip.live.len() <= 1, "{:?}", alone.gossip.live);
    assert!(!stranger.is_ready().await, "it is ready without a cluster");
    let live = member.view().await.expect("a member answers").gossip.live;
    assert!(!live.contains(&alone.node), "{live:?}");
}
