//! A listener on the lines between three nodes can read nothing of their traffic: no name of a run,
//! no address, no pod. The same listener reads all of it if peers do not authenticate.

use crate::harness::{Cluster, Counts, Lab, Shape, To};
use crate::shared::copy_of_the_recording;
use tekton_events_relay::demo::Recorded;

const NODES: usize = 3;
/// The name of a node, which gossip and the log have.
const POD: &str = "relay-1";

pub async fn run(lab: Lab) -> Counts {
    // The listener works.
    let (words, heard, _) = heard(&lab, "migrate").await;
    assert_eq!(heard, words, "words that are heard without TLS");
    let (_, heard, counts) = self::heard(&lab, "required").await;
    assert_eq!(heard, [""; 0], "words that were heard");
    counts
}

/// The names of runs and of a node, and which of them were seen while three nodes formed a cluster
/// and worked on events.
async fn heard(lab: &Lab, peer_tls: &'static str) -> (Vec<String>, Vec<String>, Counts) {
    let lab = Lab { folder: lab.folder.join(peer_tls), ..lab.clone() };
    let mut cluster = Cluster::new(&lab, Shape::of(NODES).fronted()).await;
    cluster.serve.peer_tls = peer_tls;
    for node in 0..NODES {
        if peer_tls == "migrate" {
            std::fs::remove_file(cluster.nodes[node].secret_file()).unwrap();
        }
        cluster.start(node);
    }
    cluster.agreed(NODES).await;
    cluster.spread().await;
    for node in 0..NODES {
        cluster.load.play_copy(node, &To::Node(node)).await;
    }
    cluster.assert_all_acknowledged();
    let counts = cluster.verify().await;
    let seen = cluster.network().seen();
    assert!(seen.len() > 100_000, "{} bytes between three nodes", seen.len());
    let (requests, _) = copy_of_the_recording(0);
    // Random bytes contain any short word.
    let runs = requests.iter().filter_map(Recorded::run_name).filter(|name| name.len() > 5);
    let mut words: Vec<String> = runs.chain([POD.to_owned()]).collect();
    words.sort_unstable();
    words.dedup();
    let is_heard = |word: &&String| {
        let word = word.as_bytes();
        seen.windows(word.len()).any(|bytes| bytes == word)
    };
    let heard = words.iter().filter(is_heard).cloned().collect();
    (words, heard, counts)
}
