//! Accepting events over HTTP, fsync on, beside Redis with an fsync for each answer. Rounds of
//! both alternate, so that what else the machine does hits both alike.

use crate::load::{Load, Measured, send};
use crate::recorded::Recorded;
use crate::redis::{self, Redis};
use crate::relay::{Relay, pause};
use crate::table::Table;
use std::time::Duration;
use tekton_events_relay::clock::Timestamp;
use tekton_events_relay::state_machine::{Command, Entry};
use tekton_events_relay::wire::encode_entry;

pub const CONNECTIONS: usize = 64;
const ROUNDS: usize = 3;
const REQUESTS: u64 = 20_000;
/// Fewer, because each takes a port that stays taken for a minute.
const REQUESTS_CLOSING: u64 = 5_000;
const REQUESTS_WARM_UP: u64 = 1_000;
const ROUND_TIME_MAX: Duration = Duration::from_secs(10);
/// After which a process that only started has settled.
const IDLE_AFTER: Duration = Duration::from_secs(1);

const ACCEPTED: &str = "\"fate\":\"accepted\"";
const IGNORED: &str = "\"fate\":\"ignored\"";

/// One round, or the medians of all.
#[derive(Clone, Copy, Default)]
struct Round {
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// Microseconds of the server's processor time for each request.
    processor_us: f64,
}

/// Measures both and adds their rows.
pub fn measure(recorded: &Recorded, table: &mut Table) -> anyhow::Result<()> {
    let value_bytes = entry_bytes(recorded)?;
    let has_redis = redis::is_installed();
    let unknown = recorded.of_unknown_type();
    let [mut keeping, mut ignoring, mut closing, mut redis] = [const { Vec::new() }; 4];
    let mut idle_bytes = 0;
    for _ in 0..ROUNDS {
        let relay = Relay::start()?;
        pause(IDLE_AFTER);
        idle_bytes = idle_bytes.max(relay.process.resident_bytes()?);
        keeping.push(answer(&relay, recorded, ACCEPTED, true)?);
        ignoring.push(answer(&relay, &unknown, IGNORED, true)?);
        drop(relay);
        if has_redis {
            redis.push(set(value_bytes)?);
        }
        closing.push(answer(&Relay::start()?, recorded, ACCEPTED, false)?);
    }
    let (keeping, closing) = (medians(&keeping), medians(&closing));
    let body_bytes = recorded.body_bytes();
    let what = format!("accept, {body_bytes} B TaskRun, fsync, {CONNECTIONS} connections");
    add(table, &format!("{what}, keep-alive"), keeping);
    add(table, &format!("{what}, closing"), closing);
    add(table, "the same under an unknown type: answered, not stored", medians(&ignoring));
    if has_redis {
        let redis = medians(&redis);
        let what = format!("Redis SET NX EX, {value_bytes} B, appendfsync always");
        add(table, &format!("{what}, {CONNECTIONS} connections"), redis);
        let ratio = format!("{:.2}", keeping.per_second / redis.per_second);
        table.add("relay / Redis, keep-alive", ratio, ">= 0.5");
    } else {
        table.add("Redis", "not installed: apt-get install redis-server", "");
    }
    let idle = format!("{:.1} MB", idle_bytes as f64 / 1e6);
    table.add("resident memory, idle", idle, "< 30 MB");
    Ok(())
}

/// Bytes that one event takes in the log.
fn entry_bytes(recorded: &Recorded) -> anyhow::Result<usize> {
    let commands = vec![Command::Accept(Box::new(recorded.run_event(0)?))];
    Ok(encode_entry(&Entry { at: Timestamp(1), commands }).len())
}

fn answer(
    relay: &Relay,
    recorded: &Recorded,
    expected: &'static str,
    keeps_connections: bool,
) -> anyhow::Result<Round> {
    let (connection, requests) = match keeps_connections {
        true => ("keep-alive", REQUESTS),
        false => ("close", REQUESTS_CLOSING),
    };
    let warm_up = Load {
        address: relay.address,
        template: recorded.http(connection),
        expected,
        keeps_connections,
        connections: CONNECTIONS,
        first: 0,
        requests: REQUESTS_WARM_UP,
        time_max: ROUND_TIME_MAX,
    };
    send(&warm_up)?;
    let before = relay.process.processor_time()?;
    let Measured { answered, per_second, p50_ms, p99_ms } =
        send(&Load { first: REQUESTS_WARM_UP, requests, ..warm_up })?;
    let processor_us = micros_each(relay.process.processor_time()? - before, answered);
    Ok(Round { per_second, p50_ms, p99_ms, processor_us })
}

fn set(value_bytes: usize) -> anyhow::Result<Round> {
    let redis = Redis::start()?;
    redis.set(CONNECTIONS, REQUESTS_WARM_UP, value_bytes)?;
    let before = redis.process.processor_time()?;
    let reported = redis.set(CONNECTIONS, REQUESTS, value_bytes)?;
    let processor_us = micros_each(redis.process.processor_time()? - before, REQUESTS);
    let redis::Reported { per_second, p50_ms, p99_ms } = reported;
    Ok(Round { per_second, p50_ms, p99_ms, processor_us })
}

fn micros_each(time: Duration, count: u64) -> f64 {
    time.as_secs_f64() * 1e6 / count as f64
}

fn medians(rounds: &[Round]) -> Round {
    let median = |field: fn(&Round) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(field).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or_default()
    };
    Round {
        per_second: median(|round| round.per_second),
        p50_ms: median(|round| round.p50_ms),
        p99_ms: median(|round| round.p99_ms),
        processor_us: median(|round| round.processor_us),
    }
}

fn add(table: &mut Table, what: &str, round: Round) {
    let Round { per_second, p50_ms, p99_ms, processor_us } = round;
    let times = format!("p50 {p50_ms:.1} ms, p99 {p99_ms:.1} ms");
    table.add(what, format!("{per_second:.0}/s, {times}, {processor_us:.0} us CPU each"), "");
}
