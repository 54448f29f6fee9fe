//! A cluster of another build is rolled to this one, half way back, and to this one again, while
//! events come in. Then an operator confirms that the other build will not return, and that peers
//! must authenticate. Needs that other build: `RELAY_PREVIOUS_BINARY`, or `--other-binary PATH`.

use crate::harness::{Cluster, Counts, FORMED_MAX, Lab, Shape, To};
use crate::shared::reached;
use std::path::Path;

const NODES: usize = 3;
const EVENTS: usize = 40;

pub async fn run(lab: Lab) -> Counts {
    let other = lab.other_binary.clone().expect("the scenario runs only with another build");
    let old = Lab { binary: other.clone(), ..lab.clone() };
    let mut cluster = Cluster::new(&old, Shape::of(NODES)).await;
    // The other build may not know TLS, and gets no secret.
    cluster.serve.peer_tls = "migrate";
    for node in 0..NODES {
        cluster.start(node);
    }
    cluster.agreed(NODES).await;
    cluster.spread().await;
    let traffic = cluster.load.keep_sending(1, To::any(NODES));
    let steps =
        [(2, &lab.binary), (1, &lab.binary), (2, &other), (2, &lab.binary), (0, &lab.binary)];
    for (node, binary) in steps {
        roll(&mut cluster, node, binary).await;
    }
    cluster.agreed(NODES).await;
    finalize(&cluster).await;
    // The last roll: from now on unauthenticated peers are refused.
    cluster.serve.peer_tls = "required";
    for node in 0..NODES {
        roll(&mut cluster, node, &lab.binary).await;
    }
    traffic.finish().await;
    cluster.agreed(NODES).await;
    cluster.assert_all_acknowledged();
    cluster.verify().await
}

/// Any node accepts the order, and all report the same level afterwards.
async fn finalize(cluster: &Cluster) {
    let mut told = Vec::new();
    for node in &cluster.nodes {
        // A newly elected leader does not know all members' levels yet.
        let level = reached("the feature level is final:", FORMED_MAX, async || {
            let ended = node.command(&["cluster", "finalize"]).await;
            let is_done = ended.code == Some(0) && ended.stdout.starts_with("feature level ");
            if is_done { Ok(ended.stdout) } else { Err(format!("{ended:?}")) }
        });
        told.push(level.await);
    }
    assert!(told.iter().all(|level| *level == told[0]), "{told:?}");
}

async fn roll(cluster: &mut Cluster, node: usize, binary: &Path) {
    cluster.progress(EVENTS).await;
    cluster.nodes[node].stop().await;
    cluster.serve.binary = binary.to_owned();
    cluster.start(node);
    cluster.nodes[node].ready().await;
}
