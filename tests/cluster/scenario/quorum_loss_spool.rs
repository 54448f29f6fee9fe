//! Two of three nodes are gone. The last one keeps events on its own disk and says so. Killed in
//! that state, it still has them, and feeds them when the others are back. Configured to reject, it
//! accepts nothing and says that, too.

use crate::harness::{Cluster, Counts, FORMED_MAX, Lab, Node, Shape, To};
use crate::shared::{copy_of_the_recording, eventually};
use serde_json::{Value, json};

const NODES: usize = 3;
/// A line of the configuration of all scenarios, and its replacement.
const STORE: &str = "store: { free_bytes_min: 0 }";
const REJECTING: &str = "store: { free_bytes_min: 0, on_quorum_loss: reject }";
const REFUSED: &str = r#"tekton_events_relay_events_refused_total{reason="not-accepted"}"#;

pub async fn run(lab: Lab) -> Counts {
    let mut cluster = Cluster::formed(&lab, Shape::of(NODES)).await;
    cluster.load.play_copy(1, &To::any(NODES)).await;
    let last = cluster.follower().await;
    let others: Vec<usize> = (0..NODES).filter(|node| *node != last).collect();
    for other in &others {
        cluster.nodes[*other].kill().await;
    }
    cluster.load.play_copy(2, &To::Node(last)).await;
    let history = cluster.load.history();
    let spooled = history.with_fate("spooled");
    assert_eq!(spooled, copy_of_the_recording(2).0.len(), "all that came without a quorum");

    let ready = cluster.nodes[last].get("/readyz").await.expect("events are taken, so it is ready");
    assert_eq!((&ready["status"], &ready["spooled"]), (&json!("degraded"), &json!(spooled)));
    assert_local_view(&cluster.nodes[last]).await;

    cluster.nodes[last].kill().await;
    cluster.start(last);
    let node = &cluster.nodes[last];
    eventually("the node answers", FORMED_MAX, async || node.view().await).await;
    // The same again: whether this node knows it or not, it must not become two.
    cluster.load.play_copy(2, &To::Node(last)).await;
    for other in others {
        cluster.start(other);
    }
    cluster.agreed(NODES).await;
    cluster.load.play_copy(3, &To::any(NODES)).await;
    cluster.assert_all_acknowledged();
    let counts = cluster.verify().await;
    assert!(counts.spooled >= spooled);
    counts
}

/// The process is healthy, and answers with its own view.
async fn assert_local_view(node: &Node) {
    assert_eq!(node.status("/healthz").await, Some(200), "a restart mends no quorum");
    let view = node.get("/api/v1/cluster").await.expect("it answers");
    assert_eq!(
        (&view["view"], &view["has_quorum"]),
        (&json!("local"), &Value::Bool(false)),
        "{view}"
    );
}

/// With `store.on_quorum_loss: reject`.
pub async fn rejected(lab: Lab) -> Counts {
    let mut cluster = Cluster::new(&lab, Shape::of(NODES)).await;
    for node in 0..NODES {
        cluster.nodes[node].configure(|text| text.replace(STORE, REJECTING));
        cluster.start(node);
    }
    cluster.agreed(NODES).await;
    cluster.spread().await;
    cluster.load.play_copy(1, &To::any(NODES)).await;
    let last = cluster.follower().await;
    let others: Vec<usize> = (0..NODES).filter(|node| *node != last).collect();
    for other in &others {
        cluster.nodes[*other].kill().await;
    }
    let node = &cluster.nodes[last];
    eventually("it is not ready", FORMED_MAX, async || {
        (node.status("/readyz").await == Some(503)).then_some(())
    })
    .await;
    assert_local_view(node).await;
    // A sender retries a 503, so the others may return before it gives up.
    let (load, request) = (cluster.load.clone(), copy_of_the_recording(2).0.remove(0));
    let sending = tokio::spawn(async move { load.send(&request, &To::Node(last)).await });
    eventually("the event is refused", FORMED_MAX, async || {
        node.metric(REFUSED).await.filter(|refused| *refused > 0)
    })
    .await;
    assert_eq!(node.status("/readyz").await, Some(503));
    for other in others {
        cluster.start(other);
    }
    cluster.agreed(NODES).await;
    let sent = sending.await.unwrap();
    assert_eq!(sent.answers().next().map(|answer| answer.status), Some(503), "{}", sent.title());
    for request in copy_of_the_recording(2).0 {
        let sent = cluster.load.send(&request, &To::any(NODES)).await;
        assert!(sent.is_acknowledged(), "{}", sent.title());
    }
    let counts = cluster.verify().await;
    assert_eq!(counts.spooled, 0, "nothing is kept on one disk alone");
    counts
}
