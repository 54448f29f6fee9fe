//! A cluster of another build is rolled to this one, half way back, and to this one again, while
//! events come in. Needs that other build: `RELAY_PREVIOUS_BINARY`, or `--other-binary PATH`.

use crate::harness::{Cluster, Counts, Lab, Shape, To};
use std::path::Path;

const NODES: usize = 3;
const EVENTS: usize = 40;

pub async fn run(lab: Lab) -> Counts {
    let other = lab.other_binary.clone().expect("the scenario runs only with another build");
    let old = Lab { binary: other.clone(), ..lab.clone() };
    let mut cluster = Cluster::formed(&old, Shape::of(NODES)).await;
    let traffic = cluster.load.keep_sending(1, To::any(NODES));
    let steps =
        [(2, &lab.binary), (1, &lab.binary), (2, &other), (2, &lab.binary), (0, &lab.binary)];
    for (node, binary) in steps {
        roll(&mut cluster, node, binary).await;
    }
    traffic.finish().await;
    cluster.agreed(NODES).await;
    cluster.assert_all_acknowledged();
    cluster.verify().await
}

async fn roll(cluster: &mut Cluster, node: usize, binary: &Path) {
    cluster.progress(EVENTS).await;
    cluster.nodes[node].stop().await;
    cluster.serve.binary = binary.to_owned();
    cluster.start(node);
    cluster.nodes[node].ready().await;
}
