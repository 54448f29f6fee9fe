//! Senders that behave like Tekton: one connection for each attempt, and retries after 20 ms, 40
//! ms, ... on the statuses and errors that its client retries. They keep a history.

use super::history::{Answer, History, Sent, Try};
use crate::shared::{Seeded, copy_of_the_recording, named};
use futures_util::future::join_all;
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tekton_events_relay::demo::Recorded;
use tokio_util::sync::CancellationToken;

/// Total attempts, measured on a real controller.
const ATTEMPTS_MAX: u32 = 11;
/// Wait before the first retry; doubles with each one.
const FIRST_WAIT: Duration = Duration::from_millis(20);
/// Between two events of one scenario. A node that spools acknowledges at once: senders that only
/// waited for answers would pile up minutes of deliveries in a short outage.
const PACE: Duration = Duration::from_millis(5);
/// Answers that Tekton's client retries; any other one is final.
const REPEATED: [u16; 7] = [404, 413, 425, 429, 502, 503, 504];
/// Runs of the recording without a parent; their tasks go with them.
const ROOTS: [&str; 6] = ["ok", "bad", "cancelme", "timeme", "solo", "cr1"];

/// The node that an attempt goes to.
#[derive(Clone, Debug)]
pub enum To {
    /// Always this one.
    Node(usize),
    /// A random one of these at each attempt, as with a Kubernetes Service.
    AnyOf(Vec<usize>),
}

impl To {
    /// A random one of the first `count` nodes at each attempt.
    pub fn any(count: usize) -> Self {
        Self::AnyOf((0..count).collect())
    }
}

/// Senders of one scenario. Clones share the history.
#[derive(Clone)]
pub struct Load {
    urls: Arc<Vec<String>>,
    client: reqwest::Client,
    history: Arc<Mutex<History>>,
    random: Arc<Mutex<Seeded>>,
    /// When the next event may be sent.
    next: Arc<Mutex<Instant>>,
    started: Instant,
}

impl Load {
    /// Sends to nodes by number; the seed decides everything random, and times count from
    /// `started`.
    pub fn new(
        urls: Vec<String>,
        client: reqwest::Client,
        (seed, started): (u64, Instant),
    ) -> Self {
        Self {
            urls: Arc::new(urls),
            client,
            history: Arc::default(),
            random: Arc::new(Mutex::new(Seeded::new(seed))),
            next: Arc::new(Mutex::new(started)),
            started,
        }
    }

    /// What has been sent so far.
    pub fn history(&self) -> History {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many events have been acknowledged so far.
    pub fn acknowledged(&self) -> usize {
        let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        history.sent.iter().filter(|sent| sent.is_acknowledged()).count()
    }

    /// Sends one event after the other, each with Tekton's retries.
    pub async fn play(&self, requests: &[Recorded], to: &To) {
        for request in requests {
            self.send(request, to).await;
        }
    }

    /// Sends one PipelineRun of a copy of the recording, with its tasks.
    pub async fn play_run(&self, copy: usize, to: &To) {
        self.play(&named(&copy_of_the_recording(copy).0, ROOTS[0]), to).await;
    }

    /// Sends all runs of a copy of the recording in parallel, and returns when all are answered.
    pub async fn play_copy(&self, copy: usize, to: &To) {
        let (requests, _) = copy_of_the_recording(copy);
        let streams = ROOTS.map(|root| named(&requests, root));
        join_all(streams.iter().map(|stream| self.play(stream, to))).await;
    }

    /// Sends copies of the recording, one after the other, from `first` on until stopped.
    pub fn keep_sending(&self, first: usize, to: To) -> Traffic {
        let (load, stop) = (self.clone(), CancellationToken::new());
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            let mut copy = first;
            while !stopped.is_cancelled() {
                load.play_copy(copy, &to).await;
                copy += 1;
            }
            copy - first
        });
        Traffic { stop, task }
    }

    /// Sends one event, and returns the result.
    pub async fn send(&self, request: &Recorded, to: &To) -> Sent {
        self.keep_pace().await;
        let mut sent = Sent::new(request);
        let mut wait = FIRST_WAIT;
        loop {
            let attempt = self.attempt(request, self.pick(to)).await;
            let status = attempt.answer.as_ref().map(|answer| answer.status);
            sent.tries.push(attempt);
            let is_final = status.is_some_and(|status| !REPEATED.contains(&status));
            if is_final || sent.tries.len() >= ATTEMPTS_MAX as usize {
                break;
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
        self.history.lock().unwrap_or_else(PoisonError::into_inner).sent.push(sent.clone());
        sent
    }

    async fn keep_pace(&self) {
        let turn = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = (*next).max(Instant::now());
            *next = turn + PACE;
            turn
        };
        tokio::time::sleep_until(turn.into()).await;
    }

    fn pick(&self, to: &To) -> usize {
        match to {
            To::Node(node) => *node,
            To::AnyOf(nodes) => {
                let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
                nodes[usize::try_from(random.below(nodes.len() as u64)).unwrap()]
            }
        }
    }

    async fn attempt(&self, request: &Recorded, node: usize) -> Try {
        let started = self.started.elapsed();
        let answer = post(&self.client, &self.urls[node], request).await;
        Try { node, started, ended: self.started.elapsed(), answer }
    }
}

async fn post(client: &reqwest::Client, url: &str, request: &Recorded) -> Option<Answer> {
    let mut post = client.post(url).header("connection", "close");
    for (name, value) in &request.headers {
        if name.starts_with("ce-") || name == "content-type" {
            post = post.header(name, value);
        }
    }
    let response = post.body(request.body.clone()).send().await.ok()?;
    let status = response.status().as_u16();
    let body: Value = serde_json::from_str(&response.text().await.ok()?).unwrap_or_default();
    let text = |field: &str| body[field].as_str().map(str::to_owned);
    let (fate, owner) = (text("fate").unwrap_or_default(), text("owner"));
    Some(Answer { status, fate, slot: body["slot"].as_u64(), owner })
}

/// Events that are being sent.
pub struct Traffic {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<usize>,
}

impl Traffic {
    /// Stops after the copies in progress; returns how many were sent.
    pub async fn finish(self) -> usize {
        self.stop.cancel();
        self.task.await.unwrap()
    }
}
