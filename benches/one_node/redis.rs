//! Redis with an fsync before each answer: what a relay with its keys in Redis waits for.

use crate::shared::process::{Process, folder, free_address};
use crate::shared::wait::wait_until;
use anyhow::Context as _;
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The range of random keys, so large that nearly all are new.
const KEYS: &str = "1000000000";

/// A running Redis.
pub struct Redis {
    pub process: Process,
    address: SocketAddr,
    /// Removed after the process has ended: fields are dropped in this order.
    _folder: TempDir,
}

/// What `redis-benchmark` reported.
pub struct Reported {
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

/// Whether server and load generator are installed.
pub fn is_installed() -> bool {
    let answers = |name: &str| {
        let asked = Command::new(name).arg("--version").stdout(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    };
    answers("redis-server") && answers("redis-benchmark")
}

impl Redis {
    /// Starts a Redis that syncs its append-only file before it answers.
    pub fn start() -> anyhow::Result<Self> {
        let folder = folder()?;
        let address = free_address()?;
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string()]);
        command.args(["--appendonly", "yes", "--appendfsync", "always", "--save", ""]);
        command.arg("--dir").arg(folder.path());
        let redis = Self { process: Process::start(&mut command)?, address, _folder: folder };
        wait_until(|| TcpStream::connect(redis.address).is_ok())?;
        Ok(redis)
    }

    /// Sets `requests` new keys to a value of `value_bytes`.
    pub fn set(
        &self,
        connections: usize,
        requests: u64,
        value_bytes: usize,
    ) -> anyhow::Result<Reported> {
        let mut command = Command::new("redis-benchmark");
        command.args(["-h", "127.0.0.1", "-p", &self.address.port().to_string()]);
        command.args(["-c", &connections.to_string(), "-n", &requests.to_string()]);
        command.args(["-r", KEYS, "--csv", "SET", "key:__rand_int__"]);
        command.arg("x".repeat(value_bytes)).args(["NX", "EX", "3600"]);
        let output = command.output()?;
        parse(&String::from_utf8(output.stdout)?)
    }
}

/// The last line's fields from the end: max, p99, p95, p50, min, average, rate.
fn parse(csv: &str) -> anyhow::Result<Reported> {
    let line = csv.lines().last().context("redis-benchmark said nothing")?;
    let fields = line.rsplit(',').take(7).map(|field| field.trim_matches('"').parse::<f64>());
    let fields = fields.collect::<Result<Vec<_>, _>>().with_context(|| csv.to_owned())?;
    let [_, p99_ms, _, p50_ms, _, _, per_second] = fields[..] else {
        anyhow::bail!("redis-benchmark said: {csv}");
    };
    Ok(Reported { per_second, p50_ms, p99_ms })
}
