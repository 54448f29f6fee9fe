//! Stands for GitHub and a webhook receiver: answers after a fixed time, and notes when the final
//! status of each PipelineRun arrived.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What the name of a PipelineRun's check holds, and those of its tasks do not: a second slash.
const PIPELINE_CHECK_SLASHES: usize = 1;

/// What the pages share.
struct Shared {
    delay: Duration,
    /// Commits whose run's final status is there, and since when.
    finals: Mutex<BTreeMap<String, Instant>>,
    next_id: AtomicU64,
}

/// A forge on loopback. It ends when dropped.
pub struct Forge {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

impl Forge {
    pub async fn start(delay: Duration) -> anyhow::Result<Self> {
        let next_id = AtomicU64::new(1);
        let shared = Arc::new(Shared { delay, finals: Mutex::default(), next_id });
        let router = Router::new()
            .route("/repos/{owner}/{repo}/statuses/{sha}", post(status))
            .route("/repos/{owner}/{repo}/issues/{number}/comments", get(no_comments).post(object))
            .route("/repos/{owner}/{repo}/issues/comments/{id}", patch(object))
            .route("/user", get(user))
            .route("/hook", post(object))
            .with_state(Arc::clone(&shared));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let server = tokio::spawn(async move {
            // It serves until it is aborted.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, shared, server })
    }

    /// When the final status of each commit arrived.
    pub fn finals(&self) -> BTreeMap<String, Instant> {
        self.shared.finals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Forge {
    fn drop(&mut self) {
        self.server.abort();
    }
}

type Answer = (StatusCode, Json<Value>);

async fn status(
    State(shared): State<Arc<Shared>>,
    Path((_, _, sha)): Path<(String, String, String)>,
    Json(body): Json<Value>,
) -> Answer {
    tokio::time::sleep(shared.delay).await;
    let check = body["context"].as_str().unwrap_or_default();
    let is_of_pipeline = check.matches('/').count() == PIPELINE_CHECK_SLASHES;
    if is_of_pipeline && body["state"] != "pending" {
        let mut finals = shared.finals.lock().unwrap_or_else(PoisonError::into_inner);
        finals.entry(sha).or_insert_with(Instant::now);
    }
    made(&shared)
}

async fn no_comments(State(shared): State<Arc<Shared>>) -> Json<Value> {
    tokio::time::sleep(shared.delay).await;
    Json(json!([]))
}

async fn object(State(shared): State<Arc<Shared>>) -> Answer {
    tokio::time::sleep(shared.delay).await;
    made(&shared)
}

async fn user() -> Json<Value> {
    Json(json!({ "login": "relay", "type": "User", "id": 1 }))
}

fn made(shared: &Shared) -> Answer {
    let id = shared.next_id.fetch_add(1, Ordering::Relaxed);
    (StatusCode::CREATED, Json(json!({ "id": id })))
}
