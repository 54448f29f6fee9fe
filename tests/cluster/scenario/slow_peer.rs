//! One node is slow to reach: all its traffic is late, then almost nothing gets through. The others
//! do not wait for it, and it catches up.

use crate::harness::network::Rule;
use crate::harness::{Cluster, Counts, Lab, Shape, To};
use std::time::Duration;

const NODES: usize = 3;
const EVENTS: usize = 60;
/// Longer than the wait for a heartbeat (200 ms).
const LATE: Rule = Rule::Delay(Duration::from_millis(250));
/// A few events a second.
const NARROW: Rule = Rule::Throttle { bytes_per_s: 20_000 };

pub async fn run(lab: Lab) -> Counts {
    let mut cluster = Cluster::formed(&lab, Shape::of(NODES).fronted()).await;
    let slow = cluster.follower().await;
    let traffic = cluster.load.keep_sending(1, To::any(NODES));
    for rule in [LATE, NARROW] {
        cluster.network().set_inbound(slow, rule);
        cluster.network().set_outbound(slow, rule);
        cluster.progress(EVENTS).await;
    }
    cluster.network().heal();
    cluster.progress(EVENTS).await;
    traffic.finish().await;
    cluster.agreed(NODES).await;
    cluster.spread().await;
    cluster.assert_all_acknowledged();
    cluster.verify().await
}
