//! A single replica that looks for others, as in a StatefulSet of one, is its own quorum; so is the
//! last one of three. Idle or not, it spools no event.

use super::scale::leave;
use crate::harness::{CHANGE_UNDER_WAY, Cluster, Counts, Lab, Shape, To};
use std::time::Duration;

const NODES: usize = 3;
/// Far longer than a proof of the quorum is valid.
const IDLE: Duration = Duration::from_secs(4);
const ASK_EVERY: Duration = Duration::from_millis(200);

pub async fn run(lab: Lab) -> Counts {
    let shape = Shape { places: NODES, replicas: 1, is_fronted: false };
    let mut cluster = Cluster::formed(&lab, shape).await;
    cluster.announce(CHANGE_UNDER_WAY);
    idles(&cluster).await;
    cluster.load.play_run(0, &To::Node(0)).await;
    for round in 1..3 {
        for node in 1..NODES {
            cluster.start(node);
        }
        cluster.resized(NODES).await;
        if round == 2 {
            break;
        }
        for leaving in (1..NODES).rev() {
            leave(&mut cluster, leaving).await;
            cluster.resized(leaving).await;
            cluster.nodes[leaving].wipe();
        }
        idles(&cluster).await;
        cluster.load.play_run(round, &To::Node(0)).await;
    }
    cluster.load.play_run(NODES, &To::any(NODES)).await;
    cluster.assert_all_acknowledged();
    let counts = cluster.verify().await;
    assert_eq!(counts.spooled, 0, "a sole voter has a quorum: itself");
    counts
}

/// The first node stays healthy while nothing happens.
async fn idles(cluster: &Cluster) {
    let mut ask = tokio::time::interval(ASK_EVERY);
    let asks = IDLE.as_millis() / ASK_EVERY.as_millis();
    for _ in 0..asks {
        ask.tick().await;
        let told = cluster.nodes[0].get("/readyz").await.expect("the node is ready");
        assert_eq!(told["status"], "ok", "{told}");
        assert_eq!(told["reason"], serde_json::Value::Null, "{told}");
    }
}
