//! The receiver of webhooks: records when each event's call arrives and is answered. Behind a
//! closed gate calls wait for their answer, so that the test knows which are on the wire.

use crate::shared::process::free_address;
use crate::shared::recorded::number_of;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use http::{HeaderMap, StatusCode};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// One call.
#[derive(Clone)]
pub struct Call {
    /// Number of the event.
    pub number: u64,
    /// The same at every attempt.
    pub id: String,
    /// `None` while it waits.
    pub end: Option<End>,
}

/// How a call ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    Answered(Instant),
    CallerGone,
}

impl Call {
    /// When it was answered, if it was.
    pub fn answered(&self) -> Option<Instant> {
        match self.end? {
            End::Answered(at) => Some(at),
            End::CallerGone => None,
        }
    }
}

#[derive(Clone)]
struct Shared {
    calls: Arc<Mutex<Vec<Call>>>,
    is_open: watch::Receiver<bool>,
}

/// A running receiver; ends with the runtime.
pub struct Sink {
    url: String,
    calls: Arc<Mutex<Vec<Call>>>,
    gate: watch::Sender<bool>,
}

impl Sink {
    /// Listens on loopback, with an open gate.
    pub async fn start() -> anyhow::Result<Self> {
        let address = free_address()?;
        let listener = TcpListener::bind(address).await?;
        let (gate, is_open) = watch::channel(true);
        let calls = Arc::new(Mutex::new(Vec::new()));
        let shared = Shared { calls: Arc::clone(&calls), is_open };
        let router = Router::new().fallback(take).with_state(shared);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url: format!("http://{address}/"), calls, gate })
    }

    /// A configuration that sends every event here. Writes the file that it names into `folder`.
    pub fn config(&self, folder: &Path, concurrency: usize) -> anyhow::Result<String> {
        let url_file = folder.join("webhook-url");
        std::fs::write(&url_file, &self.url)?;
        let url_file = url_file.display();
        Ok(format!(
            "max_concurrency: {concurrency}\n\
             notifiers: {{webhook: [{{name: sink, url_file: \"{url_file}\"}}]}}\n"
        ))
    }

    /// Answers calls at once, including waiting ones; or keeps them waiting.
    pub fn set_open(&self, is_open: bool) {
        self.gate.send_replace(is_open);
    }

    /// What arrived so far.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.calls).clone()
    }

    /// How many calls arrived so far.
    pub fn arrived(&self) -> usize {
        lock(&self.calls).len()
    }

    /// How many calls lost their caller before their answer.
    pub fn callers_gone(&self) -> usize {
        lock(&self.calls).iter().filter(|call| call.end == Some(End::CallerGone)).count()
    }

    /// Numbers of the events that were accepted at least once.
    pub fn delivered(&self) -> BTreeSet<u64> {
        let calls = lock(&self.calls);
        calls.iter().filter(|call| call.answered().is_some()).map(|call| call.number).collect()
    }
}

fn lock(calls: &Mutex<Vec<Call>>) -> MutexGuard<'_, Vec<Call>> {
    calls.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn take(State(mut shared): State<Shared>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let number = body["run_id"].as_str().and_then(number_of);
    let id = headers.get("webhook-id").and_then(|id| id.to_str().ok());
    let (Some(number), Some(id)) = (number, id) else { return StatusCode::BAD_REQUEST };
    let waiting = Waiting::note(&shared.calls, number, id.to_owned());
    // Dropped here when the caller is gone.
    let _ = shared.is_open.wait_for(|is_open| *is_open).await;
    waiting.end(End::Answered(Instant::now()));
    StatusCode::OK
}

/// A call that waits for its answer. Dropping it means that its caller is gone.
struct Waiting {
    calls: Arc<Mutex<Vec<Call>>>,
    at: usize,
}

impl Waiting {
    fn note(calls: &Arc<Mutex<Vec<Call>>>, number: u64, id: String) -> Self {
        let mut noted = lock(calls);
        noted.push(Call { number, id, end: None });
        Self { calls: Arc::clone(calls), at: noted.len() - 1 }
    }

    fn end(&self, end: End) {
        lock(&self.calls)[self.at].end.get_or_insert(end);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.end(End::CallerGone);
    }
}
