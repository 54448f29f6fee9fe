//! The load generator: HTTP/1.1 over plain sockets, on one thread, so that it uses as little as
//! possible of the processor that it shares with the measured process.

use super::recorded::HttpTemplate;
use anyhow::{Context as _, bail};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Bytes of an answer's head and body; they have a few hundred.
const ANSWER_BYTES_MAX: usize = 4096;

/// What to send.
#[derive(Clone)]
pub struct Load {
    /// Connections are spread over these.
    pub addresses: Vec<SocketAddr>,
    pub template: HttpTemplate,
    /// Every answer must contain this.
    pub expected: &'static str,
    pub keeps_connections: bool,
    pub connections: usize,
    /// Number of the first request.
    pub first: u64,
    pub requests: u64,
    pub time_max: Duration,
}

/// The result.
#[derive(Clone, Copy)]
pub struct Measured {
    /// Accepted requests; refused ones do not count.
    pub answered: u64,
    pub refused: u64,
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

impl Measured {
    /// Requests that were all accepted within `elapsed`, each after one of these times.
    pub fn of(mut latencies: Vec<Duration>, elapsed: Duration) -> anyhow::Result<Self> {
        if latencies.is_empty() {
            bail!("nothing was answered");
        }
        latencies.sort_unstable();
        let at = |percent: usize| {
            let latency = latencies.get(latencies.len() * percent / 100);
            latency.map_or(0.0, |latency| latency.as_secs_f64() * 1000.0)
        };
        Ok(Self {
            answered: u64::try_from(latencies.len())?,
            refused: 0,
            per_second: latencies.len() as f64 / elapsed.as_secs_f64(),
            p50_ms: at(50),
            p99_ms: at(99),
        })
    }
}

/// Sends until all requests are answered or the time is over.
pub fn send(load: &Load) -> anyhow::Result<Measured> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(send_all(load))
}

/// Sends until all requests are answered or the time is over. Works best on a runtime of one
/// thread.
pub async fn send_all(load: &Load) -> anyhow::Result<Measured> {
    let next = Arc::new(AtomicU64::new(load.first));
    let started = Instant::now();
    let until = started + load.time_max;
    let mut tasks = JoinSet::new();
    for address in load.addresses.iter().cycle().take(load.connections) {
        let (load, next) = (load.clone(), Arc::clone(&next));
        tasks.spawn(send_some(load, *address, next, until));
    }
    let (mut latencies, mut refused) = (Vec::new(), 0);
    while let Some(task) = tasks.join_next().await {
        let (answered, turned_away) = task??;
        latencies.extend(answered);
        refused += turned_away;
    }
    Ok(Measured { refused, ..Measured::of(latencies, started.elapsed())? })
}

async fn send_some(
    mut load: Load,
    address: SocketAddr,
    next: Arc<AtomicU64>,
    until: Instant,
) -> anyhow::Result<(Vec<Duration>, u64)> {
    let end = load.first + load.requests;
    let (mut latencies, mut refused) = (Vec::new(), 0);
    let mut kept = None;
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= end || Instant::now() >= until {
            return Ok((latencies, refused));
        }
        let request = load.template.numbered(number);
        let started = Instant::now();
        let mut stream = match kept.take() {
            Some(stream) => stream,
            None => connect(address).await?,
        };
        stream.write_all(request).await.context("the request was cut")?;
        match read_answer(&mut stream, load.expected).await? {
            Taken::Yes => latencies.push(started.elapsed()),
            Taken::NotNow => refused += 1,
        }
        if load.keeps_connections {
            kept = Some(stream);
        }
    }
}

async fn connect(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(address).await.context("not connected")?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Whether a request was accepted.
enum Taken {
    Yes,
    /// 503: a sender would retry.
    NotNow,
}

async fn read_answer(stream: &mut TcpStream, expected: &str) -> anyhow::Result<Taken> {
    let mut bytes = Vec::with_capacity(ANSWER_BYTES_MAX);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            bail!("the answer was cut: {}", String::from_utf8_lossy(&bytes));
        }
        let answer = std::str::from_utf8(&bytes)?;
        let Some((head, body)) = answer.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.context("an answer without length")?.parse()?;
        if body.len() < length {
            continue;
        }
        if head.starts_with("HTTP/1.1 503") {
            return Ok(Taken::NotNow);
        }
        if !head.starts_with("HTTP/1.1 202") || !body.contains(expected) {
            bail!("unexpected answer: {answer}");
        }
        return Ok(Taken::Yes);
    }
}
