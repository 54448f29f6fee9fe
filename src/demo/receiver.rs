//! A receiver in place of GitHub, Slack and a webhook that remembers what arrived. Like real
//! services it fails sometimes: every few calls it answers 503, once.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Every call with this number is answered with 503 first.
const UNWELL_EVERY: u64 = 4;
/// Time between accepting a call and answering it: shorter than that of real services, and long
/// enough that a killed process may have calls in progress.
const ANSWERS_AFTER: Duration = Duration::from_millis(100);

/// One accepted call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    Status { sha: String, context: String, state: String, description: String },
    CommentCreated { id: u64, pr: u64 },
    CommentEdited { id: u64 },
    Slack { text: String },
    Webhook { id: String, run_uid: String, state: String },
}

/// Everything that arrived, in order.
#[derive(Clone, Debug, Default)]
pub struct Arrived {
    pub arrivals: Vec<Arrival>,
    /// Comments in their current form, by (pull request, id).
    pub comments: BTreeMap<(u64, u64), String>,
    /// Calls answered with 503.
    pub refused: u64,
}

#[derive(Default)]
struct Memory {
    arrived: Arrived,
    calls: u64,
    next_comment: u64,
}

type Shared = Arc<Mutex<Memory>>;

/// A running receiver.
pub struct Receiver {
    address: SocketAddr,
    memory: Shared,
}

impl Receiver {
    /// Listens on a free port of the loopback interface until the process ends.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start() -> std::io::Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let memory = Shared::default();
        let router = router(Arc::clone(&memory));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, memory })
    }

    /// The URL of the receiver.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What has arrived so far.
    #[must_use]
    pub fn arrived(&self) -> Arrived {
        self.memory.lock().arrived.clone()
    }
}

fn router(memory: Shared) -> Router {
    Router::new()
        .route("/repos/{owner}/{repo}/statuses/{sha}", post(status))
        .route("/repos/{owner}/{repo}/issues/{pr}/comments", get(comments).post(comment))
        .route("/repos/{owner}/{repo}/issues/comments/{id}", patch(edit))
        .route("/slack", post(slack))
        .route("/webhook", post(webhook))
        .with_state(memory)
}

/// Runs `take` on the memory, unless this call has to fail.
async fn answer(
    memory: &Shared,
    take: impl FnOnce(&mut Memory) -> (StatusCode, Value),
) -> Response {
    let taken = {
        let mut memory = memory.lock();
        memory.calls += 1;
        if memory.calls.is_multiple_of(UNWELL_EVERY) {
            memory.arrived.refused += 1;
            None
        } else {
            Some(take(&mut memory))
        }
    };
    tokio::time::sleep(ANSWERS_AFTER).await;
    match taken {
        Some((status, body)) => (status, body.to_string()).into_response(),
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

fn text(body: &Value, field: &str) -> String {
    body[field].as_str().unwrap_or_default().to_owned()
}

fn parsed(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_default()
}

async fn status(
    State(memory): State<Shared>,
    Path((_, _, sha)): Path<(String, String, String)>,
    body: String,
) -> Response {
    let body = parsed(&body);
    answer(&memory, |memory| {
        memory.arrived.arrivals.push(Arrival::Status {
            sha,
            context: text(&body, "context"),
            state: text(&body, "state"),
            description: text(&body, "description"),
        });
        (StatusCode::CREATED, json!({"id": 1, "state": body["state"]}))
    })
    .await
}

async fn comments(
    State(memory): State<Shared>,
    Path((_, _, pr)): Path<(String, String, u64)>,
) -> Response {
    answer(&memory, |memory| {
        let found = memory.arrived.comments.iter().filter(|((on, _), _)| *on == pr);
        let found: Vec<Value> =
            found.map(|((_, id), body)| json!({"id": id, "body": body})).collect();
        (StatusCode::OK, Value::from(found))
    })
    .await
}

async fn comment(
    State(memory): State<Shared>,
    Path((_, _, pr)): Path<(String, String, u64)>,
    body: String,
) -> Response {
    let body = parsed(&body);
    answer(&memory, |memory| {
        memory.next_comment += 1;
        let id = memory.next_comment;
        memory.arrived.comments.insert((pr, id), text(&body, "body"));
        memory.arrived.arrivals.push(Arrival::CommentCreated { id, pr });
        (StatusCode::CREATED, json!({"id": id}))
    })
    .await
}

async fn edit(
    State(memory): State<Shared>,
    Path((_, _, id)): Path<(String, String, u64)>,
    body: String,
) -> Response {
    let body = parsed(&body);
    answer(&memory, |memory| {
        let known = memory.arrived.comments.iter_mut().find(|((_, known), _)| *known == id);
        let Some((_, comment)) = known else {
            return (StatusCode::NOT_FOUND, json!({"message": "Not Found"}));
        };
        *comment = text(&body, "body");
        memory.arrived.arrivals.push(Arrival::CommentEdited { id });
        (StatusCode::OK, json!({"id": id}))
    })
    .await
}

async fn slack(State(memory): State<Shared>, body: String) -> Response {
    let body = parsed(&body);
    answer(&memory, |memory| {
        let attachment = body.pointer("/attachments/0/text").and_then(Value::as_str);
        let line = attachment.or_else(|| body["text"].as_str()).unwrap_or_default();
        memory.arrived.arrivals.push(Arrival::Slack { text: line.to_owned() });
        (StatusCode::OK, Value::Null)
    })
    .await
}

async fn webhook(State(memory): State<Shared>, headers: HeaderMap, body: String) -> Response {
    let body = parsed(&body);
    let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    answer(&memory, |memory| {
        memory.arrived.arrivals.push(Arrival::Webhook {
            id: id.to_owned(),
            run_uid: text(&body, "run_id"),
            state: text(&body, "state"),
        });
        (StatusCode::OK, json!({}))
    })
    .await
}
