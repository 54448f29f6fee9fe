//! All nodes stop at once with work pending, by signal and by kill, and come back: the same
//! cluster, the same members, the work done, and no knowledge lost. First the receiver refuses,
//! then it keeps calls on the wire: those end within a stop, and a kill leaves them in doubt.

use crate::harness::{Cluster, Counts, DRAINED_MAX, FORMED_MAX, Lab, Shape, To, View};
use crate::shared::{copy_of_the_recording, eventually};
use futures_util::future::join_all;
use std::time::Instant;

const NODES: usize = 3;
/// The last node to drain has no quorum any more to record its outcomes, and retries until this
/// time is over; they are in doubt then. The default is 30 s.
const SHORT_DRAIN: &str = "server: { shutdown_timeout_sec: 10 }\n";
const CUT_SHORT: &str = "calls were still under way at the end of the drain";
/// What a node logs when it gets the stop signal.
const DRAINING: &str = r#""message":"draining""#;

pub async fn run(lab: Lab) -> Counts {
    let mut cluster = Cluster::new(&lab, Shape::of(NODES)).await;
    for node in 0..NODES {
        cluster.nodes[node].configure(|text| text + SHORT_DRAIN);
        cluster.start(node);
    }
    cluster.announce(CUT_SHORT);
    let before = cluster.agreed(NODES).await;
    cluster.spread().await;
    for copy in [1, 2] {
        cluster.receiver.refuse(|_| Some(503));
        cluster.load.play_copy(copy, &To::any(NODES)).await;
        if copy == 1 {
            let stops = join_all(cluster.nodes.iter_mut().map(|node| node.stop())).await;
            assert!(stops.iter().all(|stop| *stop < DRAINED_MAX), "{stops:?}");
        } else {
            join_all(cluster.nodes.iter_mut().map(|node| node.kill())).await;
        }
        cluster.receiver.recover();
        come_back(&mut cluster, &before, copy).await;
    }
    for copy in [3, 4] {
        put_on_the_wire(&mut cluster, copy).await;
        if copy == 3 {
            stop_with_answers(&mut cluster).await;
        } else {
            join_all(cluster.nodes.iter_mut().map(|node| node.kill())).await;
            cluster.receiver.release();
        }
        come_back(&mut cluster, &before, copy).await;
    }
    cluster.assert_all_acknowledged();
    let counts = cluster.verify().await;
    assert!(counts.repeated > 0, "the kill met no call under way");
    counts
}

/// The same nodes again, which know the events of this copy.
async fn come_back(cluster: &mut Cluster, before: &View, copy: usize) {
    for node in 0..NODES {
        cluster.start(node);
    }
    let after = cluster.agreed(NODES).await;
    assert_eq!((&after.cluster_id, after.ids()), (&before.cluster_id, before.ids()));
    for request in copy_of_the_recording(copy).0 {
        let sent = cluster.load.send(&request, &To::any(NODES)).await;
        assert!(sent.has_fate("duplicate"), "{}", sent.title());
    }
}

/// Calls have arrived and are not answered: only the receiver knows that they have.
async fn put_on_the_wire(cluster: &mut Cluster, copy: usize) {
    // All other work is done, so the next call is one of this copy.
    cluster.settled().await;
    let arrived = || cluster.receiver.seen().webhooks().len();
    let before = arrived();
    cluster.receiver.hold();
    cluster.load.play_copy(copy, &To::any(NODES)).await;
    let is_more = async || (arrived() > before).then_some(());
    eventually("calls are on the wire", FORMED_MAX, is_more).await;
}

/// All nodes get the stop signal while calls are on the wire, and the answers come meanwhile.
async fn stop_with_answers(cluster: &mut Cluster) {
    let drains = |cluster: &Cluster| -> usize {
        cluster.nodes.iter().map(|node| node.log().matches(DRAINING).count()).sum()
    };
    let (asked, before) = (Instant::now(), drains(cluster));
    for node in &cluster.nodes {
        node.ask_to_stop().await;
    }
    eventually("all nodes drain", FORMED_MAX, async || {
        (drains(cluster) == before + NODES).then_some(())
    })
    .await;
    cluster.receiver.release();
    for node in &mut cluster.nodes {
        let status = node.ended().await;
        assert!(status.success(), "{} ended with {status}", node.pod());
    }
    assert!(asked.elapsed() < DRAINED_MAX, "they took {:?} to stop", asked.elapsed());
}
