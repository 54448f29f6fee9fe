//! A volume is copied and both copies are started, each as its own pod. Only one of them is the
//! member; the other one ends, and joins as a new member when it is started again.

use crate::harness::{CHANGE_UNDER_WAY, Cluster, Counts, Lab, Shape, To};

const NODES: usize = 3;
const EVENTS: usize = 20;

pub async fn run(lab: Lab) -> Counts {
    let shape = Shape { places: NODES + 1, ..Shape::of(NODES) };
    let mut cluster = Cluster::formed(&lab, shape).await;
    let before = cluster.agreed(NODES).await;
    let (original, copy) = (1, NODES);
    let traffic = cluster.load.keep_sending(1, To::AnyOf(vec![0, 2]));
    cluster.progress(EVENTS).await;
    cluster.nodes[original].stop().await;
    let [.., first, _, second] = cluster.nodes.as_mut_slice() else { panic!("four places") };
    second.copy_data_of(first);
    // Copied files are other files.
    cluster.start(copy);
    let status = cluster.nodes[copy].ended().await;
    assert_eq!(status.code(), Some(1), "a copy of a member is not started");
    assert!(cluster.nodes[copy].log().contains("is a copy"));
    // A copy of a whole volume is only detectable by the lives of its node.
    let [.., first, _, second] = cluster.nodes.as_mut_slice() else { panic!("four places") };
    second.take_volume_of(first);
    cluster.start(original);
    cluster.agreed(NODES).await;
    cluster.announce("the relay has to stop");
    cluster.announce(CHANGE_UNDER_WAY);
    cluster.start(copy);
    let status = cluster.nodes[copy].ended().await;
    assert!(!status.success(), "a copy of a member has to go: {status}");
    cluster.start(copy);
    let after = cluster.agreed(NODES + 1).await;
    assert_eq!(after.cluster_id, before.cluster_id);
    assert!(after.ids().is_superset(&before.ids()), "{before:?} -> {after:?}");
    cluster.progress(EVENTS).await;
    traffic.finish().await;
    cluster.spread().await;
    cluster.load.play_run(0xffff, &To::Node(copy)).await;
    cluster.assert_all_acknowledged();
    cluster.verify().await
}
