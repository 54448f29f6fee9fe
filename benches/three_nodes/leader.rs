//! How long nothing is accepted when the leader dies, and when it transfers the leadership. Senders
//! that retry send events to the other two.

use crate::cluster::Cluster;
use crate::sender::{Plan, Senders};
use crate::shared::recorded::Recorded;
use crate::shared::round::median;
use crate::shared::table::Table;
use std::time::{Duration, Instant};

const ROUNDS: u64 = 3;
/// Between two events of each sender: together one every 2.5 ms.
const PACE: Duration = Duration::from_millis(20);
/// Time before the loss, so that everything is warm; it also shows the longest gap without a loss.
const BEFORE: Duration = Duration::from_secs(1);
/// Time watched after the loss, well beyond the goal.
const AFTER: Duration = Duration::from_secs(4);
/// Maximum number of events of one round.
const COUNT_MAX: u64 = 100_000;
const CONFIG: &str = "logging: {level: info}\n";

/// How the leader is lost.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Loss {
    Killed,
    Stopped,
}

/// The effect of one loss.
struct Gap {
    /// Longest time without an accept.
    longest: Duration,
    /// The same before the loss.
    before: Duration,
    /// Events given up by a sender after its last attempt.
    refused: u64,
}

/// Measures both losses and adds their rows.
pub async fn measure(recorded: &Recorded, table: &mut Table) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(CONFIG).await?;
    let rows = [
        (Loss::Killed, "no accepts after kill -9 of the leader", "<= 2.5 s"),
        (Loss::Stopped, "no accepts while the leader hands over (SIGTERM)", "<= 250 ms"),
    ];
    let mut first = 0;
    for (loss, what, goal) in rows {
        let mut gaps = Vec::new();
        for _ in 0..ROUNDS {
            gaps.push(lose_leader(&mut cluster, loss, recorded, first).await?);
            first += COUNT_MAX;
        }
        table.add(what, described(&gaps), goal);
    }
    Ok(())
}

async fn lose_leader(
    cluster: &mut Cluster,
    loss: Loss,
    recorded: &Recorded,
    first: u64,
) -> anyhow::Result<Gap> {
    let leader = cluster.leader().await?;
    let addresses = cluster.others(leader);
    let plan = Plan { addresses, first, count: COUNT_MAX, pace: PACE };
    let (started, senders) = (Instant::now(), Senders::start(recorded, &plan));
    tokio::time::sleep(BEFORE).await;
    let lost = Instant::now();
    match loss {
        Loss::Killed => cluster.kill(leader),
        Loss::Stopped => drop(cluster.stop(leader).await?),
    }
    tokio::time::sleep(AFTER).await;
    let end = Instant::now();
    let sent = senders.stop().await;
    cluster.spawn(leader)?;
    cluster.settled().await?;
    let (longest, before) = (sent.longest_gap(lost, end), sent.longest_gap(started, lost));
    Ok(Gap { longest, before, refused: sent.refused })
}

fn described(gaps: &[Gap]) -> String {
    let millis = |of: fn(&Gap) -> Duration| {
        gaps.iter().map(|gap| of(gap).as_secs_f64() * 1000.0).collect::<Vec<_>>()
    };
    let (longest, before) = (millis(|gap| gap.longest), millis(|gap| gap.before));
    let most = longest.iter().copied().fold(0.0, f64::max);
    let refused: u64 = gaps.iter().map(|gap| gap.refused).sum();
    let [longest, before] = [longest, before].map(median);
    format!(
        "{longest:.0} ms, at most {most:.0} ms ({before:.0} ms without a loss), {refused} refused"
    )
}
