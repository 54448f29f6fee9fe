//! How fast effects leave, and what an event costs, while more and more runs wait: one relay, senders
//! that post whole runs, and a forge in this process.
//!
//! `cargo bench --bench effects`, with `all` for every size, delay and number of connections, or with
//! some of them: `4000/0/64` is 4,000 runs, a forge that answers at once, 64 connections.

mod forge;
mod relay;
mod runs;
#[path = "../shared/mod.rs"]
mod shared;

use anyhow::bail;
use forge::Forge;
use relay::Relay;
use runs::{Runs, SentFinals};
use shared::round::micros_each;
use shared::table::Table;
use std::time::{Duration, Instant};

const SIZES: [u64; 3] = [250, 1_000, 4_000];
const DELAYS_MS: [u64; 3] = [0, 20, 100];
const CONNECTIONS: [usize; 3] = [8, 64, 256];
/// Runs, delay of the forge in milliseconds, connections: what is measured where nothing is named.
const USUAL: [(u64, u64, usize); 7] = [
    (1_000, 0, 8),
    (250, 0, 64),
    (1_000, 0, 64),
    (4_000, 0, 64),
    (500, 20, 64),
    (500, 100, 64),
    (500, 100, 256),
];
/// Runs before those that are measured: the relay finds its pace for each instance.
const WARM_UP_RUNS: u64 = 50;

fn main() -> anyhow::Result<()> {
    // Cargo adds flags of its own.
    let named: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let cases = match named.as_slice() {
        [] => USUAL.to_vec(),
        [all] if all == "all" => every(),
        cases => cases.iter().map(|case| parsed(case)).collect::<anyhow::Result<_>>()?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut table = Table::new();
    for case in cases {
        runtime.block_on(measure(case, &mut table))?;
    }
    table.print()
}

fn parsed(case: &str) -> anyhow::Result<(u64, u64, usize)> {
    let [runs, delay_ms, connections] = case.split('/').collect::<Vec<_>>()[..] else {
        bail!("{case} is neither `all` nor like 4000/0/64");
    };
    Ok((runs.parse()?, delay_ms.parse()?, connections.parse()?))
}

fn every() -> Vec<(u64, u64, usize)> {
    let sizes = SIZES.into_iter();
    let with_delays = sizes.flat_map(|runs| DELAYS_MS.map(|delay_ms| (runs, delay_ms)));
    with_delays
        .flat_map(|(runs, delay_ms)| CONNECTIONS.map(|connections| (runs, delay_ms, connections)))
        .collect()
}

async fn measure(
    (runs, delay_ms, connections): (u64, u64, usize),
    table: &mut Table,
) -> anyhow::Result<()> {
    let forge = Forge::start(Duration::from_millis(delay_ms)).await?;
    let relay = Relay::start(forge.address).await?;
    let mut recorded = Runs::recorded(relay.address)?;
    recorded.send(0..WARM_UP_RUNS, CONNECTIONS[0]).await?;
    relay.settled().await?;
    let before = relay.processor_time()?;
    let started = Instant::now();
    let sent = recorded.send(WARM_UP_RUNS..WARM_UP_RUNS + runs, connections).await?;
    let accepted = started.elapsed();
    relay.settled().await?;
    let done = started.elapsed();
    let events = runs * recorded.events_per_run();
    let processor_us = micros_each(relay.processor_time()? - before, events);
    let finals = latencies(&forge, &sent);
    let what =
        format!("{runs} runs, {events} events, forge {delay_ms} ms, {connections} connections");
    let missing = sent.len() - finals.len();
    let value = format!(
        "accepted {:.0}/s, done {:.1} s, final p50 {:.0} p99 {:.0} ms, {processor_us:.0} us CPU each, {missing} lost",
        events as f64 / accepted.as_secs_f64(),
        done.as_secs_f64(),
        at(&finals, 50),
        at(&finals, 99),
    );
    table.add(what, value, goal(delay_ms, connections));
    Ok(())
}

/// What issue and records ask for.
fn goal(delay_ms: u64, connections: usize) -> &'static str {
    match (delay_ms, connections) {
        (0, 8) => "final p99 < 25 ms, 0 lost",
        (100, 64) => "final p99 < 3000 ms, 0 lost",
        _ => "0 lost",
    }
}

/// From the post of each run's end to its status at the forge, in milliseconds, ascending.
fn latencies(forge: &Forge, sent: &SentFinals) -> Vec<f64> {
    let arrived = forge.finals();
    let since = |(sha, sent): (&String, &Instant)| {
        let arrived = arrived.get(sha)?;
        Some(arrived.saturating_duration_since(*sent).as_secs_f64() * 1e3)
    };
    let mut latencies: Vec<f64> = sent.iter().filter_map(since).collect();
    latencies.sort_by(f64::total_cmp);
    latencies
}

/// This percentile of ascending figures; 0 of none.
fn at(ascending: &[f64], percent: usize) -> f64 {
    let last = ascending.len().saturating_sub(1);
    ascending.get((ascending.len() * percent / 100).min(last)).copied().unwrap_or_default()
}
