//! The network between nodes is cut: the leader from all others both ways, a leader that receives
//! but cannot send, a follower that sends but cannot receive, and one pair that only meets through
//! the third, busy and idle. All sides get events; after the cut all of it is in one history.

use crate::harness::network::Rule;
use crate::harness::{Cluster, Counts, Lab, Shape, To, Traffic};
use crate::shared::copy_of_the_recording;
use std::time::{Duration, Instant};

const NODES: usize = 3;
const EVENTS: usize = 60;
/// Longer than the wait for a lost quorum before events are spooled (`store.spool_after`, 3 s).
const IDLE_MIN: Duration = Duration::from_secs(5);

/// The leader and all others cannot reach each other.
pub async fn both_ways(lab: Lab) -> Counts {
    let cluster = Cluster::formed(&lab, Shape::of(NODES).fronted()).await;
    let cut_off = cluster.leader().await;
    cluster.network().isolate(cut_off);
    with_a_new_leader(cluster, cut_off).await
}

/// The leader receives from the others, but cannot send.
pub async fn mute_leader(lab: Lab) -> Counts {
    let cluster = Cluster::formed(&lab, Shape::of(NODES).fronted()).await;
    let cut_off = cluster.leader().await;
    cluster.network().set_outbound(cut_off, Rule::Hold);
    with_a_new_leader(cluster, cut_off).await
}

/// A follower sends to the others, but cannot receive.
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

/// The leader and one follower do not reach each other: first silently, then with refused
/// connections.
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

/// The leader and one follower do not reach each other, and the follower is idle for so long that
/// it may believe the quorum lost. It still takes the next event into the log, through the third
/// node.
pub async fn idle_pair(lab: Lab) -> Counts {
    let cluster = Cluster::formed(&lab, Shape::of(NODES).fronted()).await;
    let (leader, idle) = (cluster.leader().await, cluster.follower().await);
    let others: Vec<usize> = (0..NODES).filter(|node| *node != idle).collect();
    let traffic = cluster.load.keep_sending(1, To::AnyOf(others));
    cluster.network().set(leader, idle, Rule::Hold);
    cluster.network().set(idle, leader, Rule::Hold);
    let cut = Instant::now();
    while cut.elapsed() < IDLE_MIN {
        cluster.progress(1).await;
    }
    let request = copy_of_the_recording(0xfffe).0.remove(0);
    let sent = cluster.load.send(&request, &To::Node(idle)).await;
    assert!(sent.has_fate("accepted"), "{}", sent.title());
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
