//! A stand-in for GitHub that keeps the history of every check and every thread, and fails in the
//! ways of real forges.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode, Uri};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// The state of the forge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Well,
    /// Answers with this status and does nothing.
    Refuses(u16),
    /// Accepts requests and answers none before it recovers. It still executes every other one.
    Hangs,
}

/// One status that the forge accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub commit: String,
    pub check: String,
    /// As GitHub names it.
    pub state: String,
    pub description: String,
    /// The link to its run.
    pub target_url: String,
    /// Whether the caller got an answer.
    pub is_answered: bool,
}

struct Memory {
    statuses: Vec<Status>,
    /// By id: (pull request, text).
    comments: BTreeMap<u64, (String, String)>,
    requests: u64,
    refused: u64,
    hung: u64,
}

#[derive(Clone)]
struct Shared {
    memory: Arc<Mutex<Memory>>,
    mood: watch::Receiver<Mood>,
}

/// A running forge.
pub struct Forge {
    address: SocketAddr,
    shared: Shared,
    mood: watch::Sender<Mood>,
}

/// Its data at one moment.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub statuses: Vec<Status>,
    /// Comments in their current form: (pull request, text).
    pub comments: Vec<(String, String)>,
    pub requests: u64,
    pub refused: u64,
    pub hung: u64,
}

impl Forge {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mood, moods) = watch::channel(Mood::Well);
        let memory = Memory {
            statuses: Vec::new(),
            comments: BTreeMap::new(),
            requests: 0,
            refused: 0,
            hung: 0,
        };
        let shared = Shared { memory: Arc::new(Mutex::new(memory)), mood: moods };
        let router = Router::new().fallback(take).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, shared, mood }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn turn(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    pub fn seen(&self) -> Seen {
        let memory = lock(&self.shared.memory);
        Seen {
            statuses: memory.statuses.clone(),
            comments: memory.comments.values().cloned().collect(),
            requests: memory.requests,
            refused: memory.refused,
            hung: memory.hung,
        }
    }
}

fn lock(memory: &Mutex<Memory>) -> std::sync::MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn take(State(shared): State<Shared>, method: Method, uri: Uri, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mood = *shared.mood.borrow();
    let (status, answer) = {
        let mut memory = lock(&shared.memory);
        memory.requests += 1;
        match mood {
            Mood::Refuses(status) => {
                memory.refused += 1;
                (status, json!({"message": "out of order on purpose"}))
            }
            Mood::Hangs => {
                memory.hung += 1;
                if memory.hung.is_multiple_of(2) {
                    memory.answer(&method, uri.path(), &body, false);
                }
                (504, Value::Null)
            }
            Mood::Well => memory.answer(&method, uri.path(), &body, true),
        }
    };
    if mood == Mood::Hangs {
        let _ = shared.mood.clone().wait_for(|mood| *mood != Mood::Hangs).await;
    }
    let status = StatusCode::from_u16(status).unwrap();
    let mut response = (status, answer.to_string()).into_response();
    if status == StatusCode::TOO_MANY_REQUESTS {
        response.headers_mut().insert("retry-after", http::HeaderValue::from_static("1"));
    }
    response
}

impl Memory {
    fn answer(
        &mut self,
        method: &Method,
        path: &str,
        body: &Value,
        is_answered: bool,
    ) -> (u16, Value) {
        let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match (method.as_str(), parts.as_slice()) {
            ("GET", ["user"]) => (200, author()),
            ("POST", ["repos", _, _, "statuses", commit]) => {
                self.statuses.push(Status {
                    commit: (*commit).to_owned(),
                    check: text("context"),
                    state: text("state"),
                    description: text("description"),
                    target_url: text("target_url"),
                    is_answered,
                });
                (201, json!({"id": self.statuses.len(), "state": text("state")}))
            }
            ("GET", ["repos", _, _, "issues", pr, "comments"]) => {
                let thread = self.comments.iter().filter(|(_, (on, _))| on == pr);
                (200, thread.map(|(id, (_, text))| comment(*id, text)).collect())
            }
            ("POST", ["repos", _, _, "issues", pr, "comments"]) => {
                let id = self.comments.len() as u64 + 1;
                self.comments.insert(id, ((*pr).to_owned(), text("body")));
                (201, comment(id, &text("body")))
            }
            ("PATCH", ["repos", _, _, "issues", "comments", id]) => {
                let id = id.parse().unwrap_or_default();
                match self.comments.get_mut(&id) {
                    Some(known) => {
                        known.1 = text("body");
                        (200, comment(id, &text("body")))
                    }
                    None => (404, json!({"message": "Not Found"})),
                }
            }
            ("DELETE", ["repos", _, _, "issues", "comments", id]) => {
                let removed = self.comments.remove(&id.parse().unwrap_or_default());
                (if removed.is_some() { 204 } else { 404 }, Value::Null)
            }
            _ => (404, json!({"message": "Not Found"})),
        }
    }
}

fn author() -> Value {
    json!({"login": "relay", "id": 1, "type": "User"})
}

fn comment(id: u64, text: &str) -> Value {
    json!({"id": id, "body": text, "user": author()})
}
