//! The network between nodes is cut: the leader from all others both ways, a leader that hears
//! but is not heard, a follower that is heard but hears nothing, and one pair that only meets
//! through the third. All sides are asked to take events; after the cut all of it is in one
//! history.

use crate::harness::network::Rule;
use crate::harness::{Cluster, Counts, Lab, Shape, To, Traffic};

const NODES: usize = 3;
const EVENTS: usize = 60;

/// The leader and all others hear nothing of each other.
pub async fn both_ways(lab: Lab) -> Counts {
    let cluster = Cluster::formed(&lab, Shape::of(NODES).fronted()).await;
    let cut_off = cluster.leader().await;
    cluster.network().isolate(cut_off);
    with_a_new_leader(cluster, cut_off).await
}

/// The leader hears the others, and is not heard.
pub async fn mute_leader(lab: Lab) -> Counts {
    let cluster = Cluster::formed(&lab, Shape::of(NODES).fronted()).await;
    let cut_off = cluster.leader().await;
    cluster.network().set_outbound(cut_off, Rule::Hold);
    with_a_new_leader(cluster, cut_off).await
}

/// A follower is heard by the others, and hears nothing.
pub async fn deaf_follower(lab: Lab) -> Counts {
    let cluster = Cluster::formed(&lab, Shape::of(NODES).fronted()).await;
    let deaf = cluster.follower().await;
    let others: Vec<usize> = (0..NODES).filter(|node| *node != deaf).collect();
    let traffic = cluster.load.keep_sending(1, To::AnyOf(others));
    cluster.progress(EVENTS).await;
    cluster.network().set_inbound(deaf, Rule::Hold);
    cluster.progress(EVENTS).await;
    cluster.load.play_run(0xfffe, &To::Node(deaf)).await;
    healed(cluster, traffic).await
}

/// The leader and one follower do not reach each other: first in silence, then they are refused.
pub async fn one_pair(lab: Lab) -> Counts {
    let cluster = Cluster::formed(&lab, Shape::of(NODES).fronted()).await;
    let traffic = cluster.load.keep_sending(1, To::any(NODES));
    for rule in [Rule::Hold, Rule::Reset] {
        let (leader, follower) = (cluster.leader().await, cluster.follower().await);
        cluster.network().set(leader, follower, rule);
        cluster.network().set(follower, leader, rule);
        cluster.progress(EVENTS).await;
        cluster.network().heal();
        cluster.progress(EVENTS).await;
    }
    healed(cluster, traffic).await
}

/// Both sides take events while one node is cut off.
async fn with_a_new_leader(cluster: Cluster, cut_off: usize) -> Counts {
    let others: Vec<usize> = (0..NODES).filter(|node| *node != cut_off).collect();
    let leader = cluster.other_leader(&others).await;
    let traffic = cluster.load.keep_sending(1, To::AnyOf(others));
    cluster.progress(EVENTS).await;
    // Alone it can only spool.
    cluster.load.play_run(0xfffe, &To::Node(cut_off)).await;
    cluster.taken_over(cut_off, leader).await;
    healed(cluster, traffic).await
}

async fn healed(mut cluster: Cluster, traffic: Traffic) -> Counts {
    cluster.network().heal();
    cluster.agreed(NODES).await;
    cluster.progress(EVENTS).await;
    traffic.finish().await;
    cluster.spread().await;
    cluster.assert_all_acknowledged();
    cluster.verify().await
}
