//! Senders that behave like Tekton's controller: a connection for each attempt, and retries after
//! 20 ms, 40 ms and so on, each at the next address, as behind a Service.

use crate::shared::recorded::{HttpTemplate, Recorded};
use anyhow::Context as _;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Events that are sent at the same time.
const SENDERS: usize = 8;
/// Total attempts, and the wait before the first retry, which doubles with each one: measured on a
/// real controller.
const ATTEMPTS_MAX: u32 = 11;
const FIRST_WAIT: Duration = Duration::from_millis(20);
/// Answers that Tekton's client retries; any other one is final.
const REPEATED: [u16; 7] = [404, 413, 425, 429, 502, 503, 504];
/// Deadline of an attempt, well beyond the relay's own.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// What to send.
pub struct Plan {
    pub addresses: Vec<SocketAddr>,
    /// Number of the first event.
    pub first: u64,
    /// Maximum number of events.
    pub count: u64,
    /// Between two events of one sender.
    pub pace: Duration,
}

/// An event that was acknowledged.
#[derive(Clone)]
pub struct Taken {
    pub number: u64,
    pub at: Instant,
    /// Id of the node that will send its effects, if the answer named one.
    pub owner: String,
    pub attempts: u32,
    /// Kept on a quorum, not on one disk alone.
    pub is_replicated: bool,
}

/// The results so far.
#[derive(Clone, Default)]
pub struct Sent {
    pub taken: Vec<Taken>,
    /// Given up after the last attempt, or refused for good.
    pub refused: u64,
}

impl Sent {
    /// The longest time without an answer of a quorum that ended after `from`; `to` also ends one.
    pub fn longest_gap(&self, from: Instant, to: Instant) -> Duration {
        let replicated = self.taken.iter().filter(|taken| taken.is_replicated);
        let mut times: Vec<Instant> = replicated.map(|taken| taken.at).collect();
        times.push(to);
        times.sort_unstable();
        let gaps = times.windows(2).filter(|pair| pair[1] > from && pair[1] <= to);
        gaps.map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }
}

/// Running senders.
pub struct Senders {
    tasks: JoinSet<()>,
    sent: Arc<Mutex<Sent>>,
    stop: CancellationToken,
}

struct Sender {
    addresses: Vec<SocketAddr>,
    template: HttpTemplate,
    next: Arc<AtomicU64>,
    end: u64,
    pace: Duration,
    sent: Arc<Mutex<Sent>>,
    stop: CancellationToken,
}

impl Senders {
    /// Starts to send.
    pub fn start(recorded: &Recorded, plan: &Plan) -> Self {
        let (sent, stop) = (Arc::default(), CancellationToken::new());
        let next = Arc::new(AtomicU64::new(plan.first));
        let mut tasks = JoinSet::new();
        for _ in 0..SENDERS {
            let sender = Sender {
                addresses: plan.addresses.clone(),
                template: recorded.http("close"),
                next: Arc::clone(&next),
                end: plan.first + plan.count,
                pace: plan.pace,
                sent: Arc::clone(&sent),
                stop: stop.clone(),
            };
            tasks.spawn(sender.run());
        }
        Self { tasks, sent, stop }
    }

    /// What was sent so far.
    pub fn so_far(&self) -> Sent {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until all events are acknowledged or given up.
    pub async fn finished(mut self) -> Sent {
        while self.tasks.join_next().await.is_some() {}
        self.so_far()
    }

    /// Starts no more events, and waits for those in flight.
    pub async fn stop(self) -> Sent {
        self.stop.cancel();
        self.finished().await
    }
}

impl Sender {
    async fn run(mut self) {
        let mut beat = tokio::time::interval(self.pace.max(Duration::from_millis(1)));
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            beat.tick().await;
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.end || self.stop.is_cancelled() {
                return;
            }
            let taken = self.send(number).await;
            let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
            match taken {
                Some(taken) => sent.taken.push(taken),
                None => sent.refused += 1,
            }
        }
    }

    async fn send(&mut self, number: u64) -> Option<Taken> {
        let request = self.template.numbered(number).to_vec();
        let mut wait = FIRST_WAIT;
        let first = usize::try_from(number).unwrap_or_default();
        for (attempt, address) in
            (1..=ATTEMPTS_MAX).zip(self.addresses.iter().cycle().skip(first % self.addresses.len()))
        {
            let answer = tokio::time::timeout(ANSWER_WITHIN, exchange(*address, &request)).await;
            if let Ok(Ok((status, body))) = answer {
                if (200..300).contains(&status) {
                    return Some(taken(number, attempt, &body));
                }
                if !REPEATED.contains(&status) {
                    return None;
                }
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
        None
    }
}

fn taken(number: u64, attempts: u32, body: &str) -> Taken {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    Taken {
        number,
        at: Instant::now(),
        owner: body["owner"].as_str().unwrap_or_default().to_owned(),
        attempts,
        is_replicated: body["fate"] != "spooled",
    }
}

/// Sends a request and returns status and body.
async fn exchange(address: SocketAddr, request: &[u8]) -> anyhow::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer was cut")?;
    Ok((head.split(' ').nth(1).context("no status")?.parse()?, body.to_owned()))
}
