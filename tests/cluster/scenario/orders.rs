//! An operator transfers the leadership and removes a member, through any node. An order that would
//! cost the quorum is refused, and a removed member returns as a new one.

use crate::harness::{CHANGE_UNDER_WAY, Cluster, Counts, FORMED_MAX, Lab, Shape, To};
use crate::shared::reached;
use http::Method;
use serde_json::{Value, json};

const NODES: usize = 3;
const EVENTS: usize = 20;

pub async fn run(lab: Lab) -> Counts {
    let mut cluster = Cluster::formed(&lab, Shape::of(NODES)).await;
    let before = cluster.agreed(NODES).await;
    let traffic = cluster.load.keep_sending(1, To::any(NODES));
    hand_around(&cluster).await;
    refusals(&cluster).await;
    take_out(&mut cluster).await;
    keep_the_quorum(&mut cluster).await;
    cluster.progress(EVENTS).await;
    traffic.finish().await;
    let after = cluster.agreed(NODES).await;
    assert_eq!(after.cluster_id, before.cluster_id);
    cluster.assert_all_acknowledged();
    cluster.verify().await
}

/// To a node by name, through another one, and then to any fit node.
async fn hand_around(cluster: &Cluster) {
    cluster.progress(EVENTS).await;
    let leader = cluster.leader().await;
    let (asked, heir) = ((leader + 1) % NODES, (leader + 2) % NODES);
    let pod = cluster.nodes[heir].pod();
    transferred(cluster, asked, &["cluster", "transfer", "--to", &pod]).await;
    assert_eq!(cluster.leader().await, heir);
    cluster.progress(EVENTS).await;
    let told = transferred(cluster, heir, &["cluster", "transfer"]).await;
    let next = cluster.leader().await;
    assert!(next != heir && told.starts_with(&cluster.nodes[next].pod()), "{told}");
}

/// Right after an election, or on a busy machine, no node may be fit for a moment.
async fn transferred(cluster: &Cluster, asked: usize, command: &[&str]) -> String {
    reached("the leadership is handed over:", FORMED_MAX, async || {
        let ended = cluster.nodes[asked].command(command).await;
        let is_done = ended.code == Some(0) && ended.stdout.contains(" leads");
        if is_done { Ok(ended.stdout) } else { Err(format!("{ended:?}")) }
    })
    .await
}

async fn refusals(cluster: &Cluster) {
    let leader = cluster.leader().await;
    let leaders = cluster.nodes[leader].view().await.expect("the leader answers");
    for asked in 0..NODES {
        let node = &cluster.nodes[asked];
        let leads = format!("/api/v1/cluster/members/{}", leaders.node);
        for (method, path, body, status) in [
            (Method::DELETE, leads.as_str(), Value::Null, 409),
            (Method::DELETE, "/api/v1/cluster/members/00000000000000ab", Value::Null, 404),
            (Method::DELETE, "/api/v1/cluster/members/relay-0", Value::Null, 400),
            (Method::POST, "/api/v1/cluster/transfer", json!({"to": "ab"}), 404),
            (Method::POST, "/api/v1/cluster/transfer", json!({"to": leaders.node}), 200),
        ] {
            let answered = node.ask(method, path, &body).await;
            assert_eq!(answered, Some(status), "{path} {body} asked of {}", node.pod());
        }
    }
}

/// A live member is removed: its process ends by itself, and is a new member at its next start.
async fn take_out(cluster: &mut Cluster) {
    let gone = cluster.follower().await;
    let pod = cluster.nodes[gone].pod();
    let asked = (0..NODES).find(|node| *node != gone).expect("three nodes");
    let id = cluster.nodes[gone].view().await.expect("it runs").node;
    cluster.announce("the relay has to stop");
    cluster.announce(CHANGE_UNDER_WAY);
    let ended = cluster.nodes[asked].command(&["cluster", "remove", &pod]).await;
    let told = format!("removed {pod} ({id})\n");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), told.as_str()), "{ended:?}");
    let status = cluster.nodes[gone].ended().await;
    assert!(!status.success(), "a removed node has to go: {status}");
    cluster.agreed(NODES - 1).await;
    cluster.progress(EVENTS).await;
    cluster.start(gone);
    let after = cluster.agreed(NODES).await;
    assert!(after.member(&id).is_none(), "{after}");
    cluster.resized(NODES).await;
}

/// With one node down, the other follower is needed.
async fn keep_the_quorum(cluster: &mut Cluster) {
    let down = cluster.follower().await;
    let leader = cluster.leader().await;
    let needed = (0..NODES).find(|node| ![down, leader].contains(node)).expect("three nodes");
    let id = cluster.nodes[needed].view().await.expect("it runs").node;
    cluster.nodes[down].kill().await;
    let path = format!("/api/v1/cluster/members/{id}");
    // The leader considers the dead one live while its last answer is fresh. The test waits for
    // that to pass, since a removal before would also be right.
    cluster.taken_over(down, leader).await;
    let answered = cluster.nodes[leader].ask(Method::DELETE, &path, &Value::Null).await;
    assert_eq!(answered, Some(409));
    let told = cluster.nodes[leader].command(&["cluster", "remove", &id]).await;
    let why = "only 1 of 2 needed voters answer";
    assert!(told.code == Some(1) && told.stderr.contains(why), "{told:?}");
    cluster.start(down);
    cluster.agreed(NODES).await;
}
