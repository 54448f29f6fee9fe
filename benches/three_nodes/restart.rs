//! A rolling restart under load: lost events, duplicate effects, and events that senders give up.

use crate::cluster::{Cluster, NODES};
use crate::sender::{Plan, Senders};
use crate::shared::process::folder;
use crate::shared::recorded::Recorded;
use crate::shared::table::Table;
use crate::sink::Sink;
use crate::waiting::eventually;
use std::collections::BTreeSet;
use std::time::Duration;

/// Between two events of each sender: together one every 2.5 ms.
const PACE: Duration = Duration::from_millis(20);
/// The relay's own default.
const CONCURRENCY: usize = 100;
/// More than the senders send in that time.
const COUNT_MAX: u64 = 100_000;
/// Within this time a duplicate call would have arrived.
const QUIET: Duration = Duration::from_secs(2);

/// Measures and adds its row.
pub async fn measure(recorded: &Recorded, table: &mut Table) -> anyhow::Result<()> {
    let (sink, folder) = (Sink::start().await?, folder()?);
    let mut cluster = Cluster::start(&sink.config(folder.path(), CONCURRENCY)?).await?;
    let plan = Plan { addresses: cluster.addresses(), first: 0, count: COUNT_MAX, pace: PACE };
    let senders = Senders::start(recorded, &plan);
    let mut stopped_after = Duration::ZERO;
    for number in 0..NODES {
        stopped_after = stopped_after.max(cluster.stop(number).await?);
        cluster.spawn(number)?;
        cluster.settled().await?;
    }
    let sent = senders.stop().await;
    let all: BTreeSet<u64> = sent.taken.iter().map(|taken| taken.number).collect();
    // The row shows whether that was reached.
    let is_complete = async || all.is_subset(&sink.delivered()).then_some(());
    let _ = eventually("all effects are delivered", is_complete).await;
    tokio::time::sleep(QUIET).await;
    let (calls, delivered) = (sink.calls(), sink.delivered());
    let taken = calls.iter().filter(|call| call.answered().is_some());
    let ids: Vec<&str> = taken.map(|call| call.id.as_str()).collect();
    let double = ids.len() - ids.iter().collect::<BTreeSet<_>>().len();
    let lost = all.difference(&delivered).count();
    let attempts = sent.taken.iter().map(|taken| taken.attempts).max().unwrap_or_default();
    let value = format!(
        "{} events: {lost} lost, {double} double, {} refused after {attempts} attempts at most; \
         a stop took {:.1} s at most",
        all.len(),
        sent.refused,
        stopped_after.as_secs_f64(),
    );
    table.add("rolling restart of all three under load", value, "0, 0, 0");
    Ok(())
}
