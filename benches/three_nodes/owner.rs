//! How long the effects of a dying node take. When it dies, its maximum number of concurrent calls
//! is on the wire, without answers, and other effects wait behind them.

use crate::cluster::{Cluster, NODES};
use crate::sender::{Plan, Senders};
use crate::shared::process::folder;
use crate::shared::recorded::Recorded;
use crate::shared::table::Table;
use crate::sink::Sink;
use crate::waiting::eventually;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Calls of one node at the same time.
const CONCURRENCY: usize = 8;
/// Each with one effect; a third belongs to the dying node.
const EVENTS: u64 = 240;
/// Within this time a begun call has arrived.
const QUIET: Duration = Duration::from_millis(500);

/// Measures and adds its rows.
pub async fn measure(recorded: &Recorded, table: &mut Table) -> anyhow::Result<()> {
    let (sink, folder) = (Sink::start().await?, folder()?);
    let mut cluster = Cluster::start(&sink.config(folder.path(), CONCURRENCY)?).await?;
    sink.set_open(false);
    let (addresses, pace) = (cluster.addresses(), Duration::ZERO);
    let plan = Plan { addresses, first: 0, count: EVENTS, pace };
    let sent = Senders::start(recorded, &plan).finished().await;
    let all_busy = async || (sink.arrived() >= CONCURRENCY * NODES).then_some(());
    eventually("every node makes as many calls as it may", all_busy).await?;
    tokio::time::sleep(QUIET).await;
    let victim = (cluster.leader().await? + 1) % NODES;
    let victim_id = cluster.id_of(victim).await?;
    let of_victim = sent.taken.iter().filter(|taken| taken.owner == victim_id);
    let of_victim: BTreeSet<u64> = of_victim.map(|taken| taken.number).collect();
    let (killed, on_wire) = (Instant::now(), sink.calls());
    let on_wire: BTreeSet<u64> = on_wire.into_iter().map(|call| call.number).collect();
    cluster.kill(victim);
    let cut = of_victim.intersection(&on_wire).count();
    let is_cut = async || (sink.callers_gone() >= cut).then_some(());
    eventually("the calls of the killed node are cut", is_cut).await?;
    sink.set_open(true);
    let all: BTreeSet<u64> = sent.taken.iter().map(|taken| taken.number).collect();
    eventually("all effects are delivered", async || (sink.delivered() == all).then_some(()))
        .await?;
    let after = delivered_after(&sink, killed);
    let last = |numbers: &mut dyn Iterator<Item = &u64>| {
        let times = numbers.filter_map(|number| after.get(number));
        times.max().copied().unwrap_or_default().as_secs_f64()
    };
    let in_doubt = of_victim.intersection(&on_wire).count();
    let waiting = of_victim.difference(&on_wire).count();
    let of_others = all.difference(&of_victim).count();
    let row = |count: usize, last: f64| format!("{last:.1} s ({count} effects)");
    let value = row(waiting, last(&mut of_victim.difference(&on_wire)));
    table.add("kill -9 of an owner: its effects not on the wire delivered", value, "<= 5 s");
    let value = row(in_doubt, last(&mut of_victim.intersection(&on_wire)));
    table.add("its calls on the wire made again and delivered", value, "<= 15 s");
    let value = row(of_others, last(&mut all.difference(&of_victim)));
    table.add("effects of the two others delivered", value, "");
    Ok(())
}

/// When each event was first delivered.
fn delivered_after(sink: &Sink, killed: Instant) -> BTreeMap<u64, Duration> {
    let mut after = BTreeMap::new();
    for call in sink.calls() {
        if let Some(answered) = call.answered() {
            let taken = answered.saturating_duration_since(killed);
            let first = after.entry(call.number).or_insert(taken);
            *first = taken.min(*first);
        }
    }
    after
}
