//! Accepting events over HTTP with fsync, compared with Redis with an fsync for each answer. Rounds
//! of both alternate, so that other load on the machine affects both alike.

use crate::redis::{self, Redis};
use crate::relay::Relay;
use crate::shared::load::{Load, Measured, send};
use crate::shared::recorded::Recorded;
use crate::shared::round::{Round, medians};
use crate::shared::table::Table;
use crate::shared::wait::pause;
use std::time::Duration;

pub const CONNECTIONS: usize = 64;
const ROUNDS: usize = 3;
const REQUESTS: u64 = 20_000;
/// Fewer, because each uses a port that stays occupied for a minute.
const REQUESTS_CLOSING: u64 = 5_000;
const REQUESTS_WARM_UP: u64 = 1_000;
const ROUND_TIME_MAX: Duration = Duration::from_secs(10);
/// A process that has only started is idle after this time.
const IDLE_AFTER: Duration = Duration::from_secs(1);

const ACCEPTED: &str = "\"fate\":\"accepted\"";
const IGNORED: &str = "\"fate\":\"ignored\"";

/// Measures both and adds their rows.
pub fn measure(recorded: &Recorded, table: &mut Table) -> anyhow::Result<()> {
    let value_bytes = recorded.entry_bytes()?;
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
    table.add(format!("{what}, keep-alive"), keeping.to_string(), "");
    table.add(format!("{what}, closing"), closing.to_string(), "");
    let ignoring = medians(&ignoring).to_string();
    table.add("the same under an unknown type: answered, not stored", ignoring, "");
    if has_redis {
        let redis = medians(&redis);
        let what = format!("Redis SET NX EX, {value_bytes} B, appendfsync always");
        table.add(format!("{what}, {CONNECTIONS} connections"), redis.to_string(), "");
        let ratio = format!("{:.2}", keeping.per_second / redis.per_second);
        table.add("relay / Redis, keep-alive", ratio, ">= 0.5");
    } else {
        table.add("Redis", "not installed: apt-get install redis-server", "");
    }
    let idle = format!("{:.1} MB", idle_bytes as f64 / 1e6);
    table.add("resident memory, idle", idle, "< 30 MB");
    Ok(())
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
        addresses: vec![relay.address],
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
    let measured = send(&Load { first: REQUESTS_WARM_UP, requests, ..warm_up })?;
    Ok(Round::of(measured, relay.process.processor_time()? - before))
}

fn set(value_bytes: usize) -> anyhow::Result<Round> {
    let redis = Redis::start()?;
    redis.set(CONNECTIONS, REQUESTS_WARM_UP, value_bytes)?;
    let before = redis.process.processor_time()?;
    let reported = redis.set(CONNECTIONS, REQUESTS, value_bytes)?;
    let processor = redis.process.processor_time()? - before;
    let redis::Reported { per_second, p50_ms, p99_ms } = reported;
    let (answered, refused) = (REQUESTS, 0);
    Ok(Round::of(Measured { answered, refused, per_second, p50_ms, p99_ms }, processor))
}
