//! Accepting events over HTTP by three nodes with fsync, compared with puts to a three-member etcd.
//! Rounds of both alternate, each with new processes and empty disks, so that other load on the
//! machine affects both alike.

use crate::cluster::{Cluster, Peers};
use crate::etcd::{self, Etcd, Puts};
use crate::shared::load::{Load, Measured, send_all};
use crate::shared::process::own_processor_time;
use crate::shared::recorded::Recorded;
use crate::shared::round::{Round, median, medians, micros_each};
use crate::shared::table::Table;
use std::net::SocketAddr;
use std::time::Duration;

const ROUNDS: usize = 3;
/// Requests in flight at the same time.
const IN_FLIGHT: usize = 64;
const REQUESTS: u64 = 20_000;
const REQUESTS_WARM_UP: u64 = 1_000;
const ROUND_TIME_MAX: Duration = Duration::from_secs(8);
const ACCEPTED: &str = "\"fate\":\"accepted\"";
/// Without routes, since accepting is measured.
const CONFIG: &str = "logging: {level: warn}\n";

/// The rounds of one kind.
#[derive(Default)]
struct Rounds {
    rounds: Vec<Round>,
    /// Microseconds of the load generator's processor time for each request.
    generator_us: Vec<f64>,
    /// Log entries for each request; for the relay only.
    entries: Vec<f64>,
}

impl Rounds {
    fn add(&mut self, (round, generator_us): (Round, f64)) {
        self.rounds.push(round);
        self.generator_us.push(generator_us);
    }

    fn accepts(&self) -> String {
        let entries = median(self.entries.clone());
        format!("{}, {entries:.4} log entries each", medians(&self.rounds))
    }
}

/// Measures both and adds their rows.
pub async fn measure(recorded: &Recorded, table: &mut Table) -> anyhow::Result<()> {
    let value_bytes = recorded.entry_bytes()?;
    let has_etcd = etcd::is_installed();
    let [mut to_leader, mut over_all, mut readable, mut puts] = [(); 4].map(|()| Rounds::default());
    let mut formed = Vec::new();
    for _ in 0..ROUNDS {
        let cluster = Cluster::start(CONFIG).await?;
        formed.push(cluster.formed_after.as_secs_f64());
        let leader = vec![cluster.address(cluster.leader().await?)];
        accept(&cluster, recorded, leader, &mut to_leader).await?;
        drop(cluster);
        if has_etcd {
            puts.add(put(value_bytes).await?);
        }
        let cluster = Cluster::start(CONFIG).await?;
        formed.push(cluster.formed_after.as_secs_f64());
        accept(&cluster, recorded, cluster.addresses(), &mut over_all).await?;
        drop(cluster);
        let cluster = Cluster::start_as(CONFIG, Peers::Plain).await?;
        accept(&cluster, recorded, cluster.addresses(), &mut readable).await?;
    }
    let what = format!("accept, {} B TaskRun, {IN_FLIGHT} connections", recorded.body_bytes());
    table.add(format!("{what} to the leader"), to_leader.accepts(), "");
    table.add(format!("{what} over all three"), over_all.accepts(), "");
    table.add(format!("{what} over all three, without TLS"), readable.accepts(), "");
    let [with, without] = [&over_all, &readable].map(|rounds| medians(&rounds.rounds).per_second);
    let ratio = format!("{:.2}", with / without);
    table.add("accepts a second, with TLS between nodes / without", ratio, ">= 0.85");
    if has_etcd {
        add_etcd(table, value_bytes, &puts, [&to_leader, &over_all]);
    } else {
        table.add("etcd", "skipped: etcd is not installed (apt-get install etcd-server)", "");
    }
    table.add("formation of three pristine nodes", format!("{:.1} s", median(formed)), "< 5 s");
    Ok(())
}

fn add_etcd(table: &mut Table, value_bytes: usize, puts: &Rounds, relay: [&Rounds; 2]) {
    let etcd = medians(&puts.rounds);
    let [to_leader, over_all] = relay.map(|rounds| medians(&rounds.rounds));
    let what = format!("etcd put, {value_bytes} B, {} connections with", etcd::CONNECTIONS);
    let what = format!("{what} {} calls each to the leader", IN_FLIGHT / etcd::CONNECTIONS);
    table.add(what, etcd.to_string(), "");
    let ratios = |of: fn(&Round) -> f64| {
        format!(
            "{:.2}, over all three {:.2}",
            of(&to_leader) / of(&etcd),
            of(&over_all) / of(&etcd)
        )
    };
    table.add("relay / etcd, accepts a second", ratios(|round| round.per_second), ">= 2");
    table.add("relay / etcd, p99", ratios(|round| round.p99_ms), "<= 1");
    table.add("relay / etcd, CPU each", ratios(|round| round.processor_us), "");
    let generator = |rounds: &Rounds| median(rounds.generator_us.clone());
    let (relay, etcd) = (generator(relay[0]), generator(puts));
    let generator = format!("{relay:.0} us for the relay, {etcd:.0} us for etcd");
    table.add("CPU of the load generator, each request", generator, "");
}

/// One round of events; the warm-up is not counted.
async fn accept(
    cluster: &Cluster,
    recorded: &Recorded,
    addresses: Vec<SocketAddr>,
    rounds: &mut Rounds,
) -> anyhow::Result<()> {
    let warm_up = Load {
        addresses,
        template: recorded.http("keep-alive"),
        expected: ACCEPTED,
        keeps_connections: true,
        connections: IN_FLIGHT,
        first: 0,
        requests: REQUESTS_WARM_UP,
        time_max: ROUND_TIME_MAX,
    };
    send_all(&warm_up).await?;
    let load = Load { first: REQUESTS_WARM_UP, requests: REQUESTS, ..warm_up };
    let before = cluster.applied_index().await?;
    let round = counted(async || send_all(&load).await, || cluster.processor_time()).await?;
    let entries = cluster.applied_index().await? - before;
    rounds.entries.push(entries as f64 / round.0.answered as f64);
    rounds.add(round);
    Ok(())
}

/// One round of puts.
async fn put(value_bytes: usize) -> anyhow::Result<(Round, f64)> {
    let etcd = Etcd::start().await?;
    let warm_up = Puts {
        value_bytes,
        in_flight: IN_FLIGHT,
        first: 0,
        requests: REQUESTS_WARM_UP,
        time_max: ROUND_TIME_MAX,
    };
    etcd.put(&warm_up).await?;
    let puts = Puts { first: REQUESTS_WARM_UP, requests: REQUESTS, ..warm_up };
    counted(async || etcd.put(&puts).await, || etcd.processor_time()).await
}

/// A round with its processor time: the servers', and this process'.
async fn counted(
    round: impl AsyncFnOnce() -> anyhow::Result<Measured>,
    of_servers: impl Fn() -> anyhow::Result<Duration>,
) -> anyhow::Result<(Round, f64)> {
    let (servers, own) = (of_servers()?, own_processor_time()?);
    let measured = round().await?;
    let (servers, own) = (of_servers()? - servers, own_processor_time()? - own);
    Ok((Round::of(measured, servers), micros_each(own, measured.answered)))
}
