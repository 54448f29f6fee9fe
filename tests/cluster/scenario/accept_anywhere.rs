//! Every node takes events, and knows those that another one has taken: under their own id, under
//! the id of a restarted controller, and when all nodes are asked at once.

use crate::harness::{Cluster, Counts, Lab, Sent, Shape, To};
use crate::shared::copy_of_the_recording;
use futures_util::future::join_all;
use tekton_events_relay::demo::Recorded;

const NODES: usize = 3;

pub async fn run(lab: Lab) -> Counts {
    let mut cluster = Cluster::formed(&lab, Shape::of(NODES)).await;
    for node in 0..NODES {
        cluster.load.play_copy(node + 1, &To::Node(node)).await;
    }
    for node in 0..NODES {
        assert_known_everywhere(&cluster, node).await;
    }
    assert_taken_once_when_sent_to_all(&cluster, NODES + 1).await;
    cluster.assert_all_acknowledged();
    let counts = cluster.verify().await;
    assert_eq!(counts.repeated, 0, "nothing happened that could put an effect in doubt");
    counts
}

/// Events that `node` accepted are known to the others, also under another id.
async fn assert_known_everywhere(cluster: &Cluster, node: usize) {
    let (requests, _) = copy_of_the_recording(node + 1);
    let other = To::Node((node + 1) % NODES);
    for (at, request) in requests.iter().enumerate() {
        let sent = cluster.load.send(request, &other).await;
        assert!(sent.has_fate("duplicate"), "{}", sent.title());
        let again = request.with_id(&format!("re-emitted-{node}-{at}"));
        let sent = cluster.load.send(&again, &other).await;
        // An earlier attempt of a retried run is not remembered, but is late.
        let is_known = sent.has_fate("duplicate") || sent.has_fate("superseded");
        assert!(is_known, "{}", sent.title());
    }
}

/// One node accepts, the others know it.
async fn assert_taken_once_when_sent_to_all(cluster: &Cluster, copy: usize) {
    for request in copy_of_the_recording(copy).0 {
        let to = |node| {
            let request: &Recorded = &request;
            async move { cluster.load.send(request, &To::Node(node)).await }
        };
        let sent: Vec<Sent> = join_all((0..NODES).map(to)).await;
        let accepted = sent.iter().filter(|sent| sent.has_fate("accepted")).count();
        assert_eq!(accepted, 1, "{}: {sent:?}", sent[0].title());
    }
}
