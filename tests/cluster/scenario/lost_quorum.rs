//! The disks of two of three nodes are gone for good. From the third one an operator makes a new
//! cluster, which wiped nodes join; it knows what the old one acknowledged.

use crate::harness::{CHANGE_UNDER_WAY, Cluster, Counts, Lab, Shape, To};
use crate::shared::{self, copy_of_the_recording};

const NODES: usize = 3;
const SURVIVOR: usize = 1;
/// Broken on purpose.
const BROKEN: &str = "one cluster id";

pub async fn run(lab: Lab) -> Counts {
    let mut cluster = Cluster::formed(&lab, Shape::of(NODES)).await;
    cluster.announce(CHANGE_UNDER_WAY);
    let before = cluster.agreed(NODES).await;
    cluster.load.play_copy(1, &To::any(NODES)).await;
    cluster.settled().await;
    for lost in [0, 2] {
        cluster.nodes[lost].kill().await;
        cluster.nodes[lost].wipe();
    }
    // Without a quorum: only on the remaining disk, and still there afterwards.
    cluster.load.play_copy(2, &To::Node(SURVIVOR)).await;
    let spooled = cluster.load.history().with_fate("spooled");
    assert_eq!(spooled, copy_of_the_recording(2).0.len());
    cluster.nodes[SURVIVOR].kill().await;
    recover(&cluster).await;

    for node in 0..NODES {
        cluster.start(node);
    }
    cluster.resized(NODES).await;
    let after = cluster.agreed(NODES).await;
    assert_ne!(after.cluster_id, before.cluster_id);
    assert!(after.ids().is_disjoint(&before.ids()), "{before} {after}");
    let mut names: Vec<&str> = after.members.iter().flat_map(|of| of.name.as_deref()).collect();
    names.sort_unstable();
    assert_eq!(names, ["relay-0", "relay-1", "relay-2"]);
    for request in copy_of_the_recording(1).0 {
        let sent = cluster.load.send(&request, &To::any(NODES)).await;
        assert!(sent.has_fate("duplicate"), "{}", sent.title());
    }
    cluster.load.play_copy(3, &To::any(NODES)).await;
    cluster.assert_all_acknowledged();
    cluster.verify_but(&[BROKEN]).await
}

async fn recover(cluster: &Cluster) {
    let survivor = &cluster.nodes[SURVIVOR];
    let data = survivor.data().display().to_string();
    let ended = shared::run(survivor.folder(), &["cluster", "recover", "--data-dir", &data]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("is the only member of the new cluster"), "{ended:?}");
    assert!(ended.stdout.contains("set-aside-"), "{ended:?}");
}
