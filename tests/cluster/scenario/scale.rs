//! One node becomes three, five, three and one again under load. Voters follow the members, slots
//! follow the nodes, and only an admin call removes a member that left, since seeds are not DNS.

use crate::harness::{CHANGE_UNDER_WAY, Cluster, Counts, FORMED_MAX, Lab, Shape, To};
use crate::shared::reached;
use http::Method;
use serde_json::Value;

const PLACES: usize = 5;
const EVENTS: usize = 20;

pub async fn run(lab: Lab) -> Counts {
    let shape = Shape { places: PLACES, replicas: 1, is_fronted: false };
    let mut cluster = Cluster::formed(&lab, shape).await;
    cluster.announce(CHANGE_UNDER_WAY);
    let first = cluster.agreed(1).await;
    let traffic = cluster.load.keep_sending(1, To::Node(0));
    for members in [3, 5] {
        for node in members - 2..members {
            cluster.start(node);
        }
        cluster.resized(members).await;
    }
    for leaving in (1..PLACES).rev() {
        cluster.progress(EVENTS).await;
        leave(&mut cluster, leaving).await;
        cluster.resized(leaving).await;
    }
    cluster.progress(EVENTS).await;
    traffic.finish().await;
    let last = cluster.agreed(1).await;
    assert_eq!((last.cluster_id, last.node), (first.cluster_id, first.node));
    cluster.assert_all_acknowledged();
    cluster.verify().await
}

/// The node with the highest number ends, and is removed.
pub(super) async fn leave(cluster: &mut Cluster, leaving: usize) {
    let id = cluster.nodes[leaving].view().await.expect("the node runs").node;
    cluster.nodes[leaving].stop().await;
    let path = format!("/api/v1/cluster/members/{id}");
    let node = &cluster.nodes[0];
    reached("the member is removed:", FORMED_MAX, async || {
        let status = node.ask(Method::DELETE, &path, &Value::Null).await;
        let view = node.view().await.ok_or("no view")?;
        let is_gone = view.member(&id).is_none();
        is_gone.then_some(()).ok_or_else(|| format!("{status:?}, {view}"))
    })
    .await;
}
