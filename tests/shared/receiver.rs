//! A receiver in place of GitHub, Slack and a webhook. It records every call in the order of
//! arrival, and answers by the scenario's script, or else as the real services do when healthy.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, Method, StatusCode, Uri};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// One call with its answer.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Value,
    pub status: u16,
}

/// An answer that a scenario gives instead of the receiver's own.
#[derive(Clone, Debug, Default)]
pub struct Scripted {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Value,
}

/// The answer to a call; `None` accepts it.
type Script = Box<dyn FnMut(&Call) -> Option<Scripted> + Send>;

struct Memory {
    calls: Vec<Call>,
    /// Comments in their current form, by id: (pull request, text).
    comments: BTreeMap<u64, (u64, String)>,
    script: Script,
}

#[derive(Clone)]
struct Shared {
    memory: Arc<Mutex<Memory>>,
    /// True while calls wait for their answers.
    held: watch::Receiver<bool>,
}

/// A running receiver; it ends with the runtime of its test.
pub struct Receiver {
    address: SocketAddr,
    shared: Shared,
    hold: watch::Sender<bool>,
}

impl Receiver {
    /// Listens on a free loopback port and accepts everything.
    pub async fn start() -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST).await
    }

    /// The same on another address of this machine.
    pub async fn start_at(host: Ipv4Addr) -> Self {
        let listener = tokio::net::TcpListener::bind((host, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let memory =
            Memory { calls: Vec::new(), comments: BTreeMap::new(), script: Box::new(|_| None) };
        let (hold, held) = watch::channel(false);
        let shared = Shared { memory: Arc::new(Mutex::new(memory)), held };
        let router = Router::new().fallback(take).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, shared, hold }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Refuses the calls for which `script` gives a status.
    pub fn refuse(&self, mut script: impl FnMut(&Call) -> Option<u16> + Send + 'static) {
        self.answer(move |call| {
            script(call).map(|status| Scripted { status, ..Scripted::default() })
        });
    }

    /// Answers the calls for which `script` gives an answer.
    pub fn answer(&self, script: impl FnMut(&Call) -> Option<Scripted> + Send + 'static) {
        lock(&self.shared.memory).script = Box::new(script);
    }

    /// Accepts everything again.
    pub fn recover(&self) {
        self.refuse(|_| None);
    }

    /// Accepts calls, but delays their answers until [`Self::release`].
    pub fn hold(&self) {
        self.hold.send_replace(true);
    }

    /// Sends the delayed answers, and answers all others at once.
    pub fn release(&self) {
        self.hold.send_replace(false);
    }

    /// What arrived so far.
    pub fn seen(&self) -> Seen {
        let memory = lock(&self.shared.memory);
        Seen { calls: memory.calls.clone(), comments: memory.comments.clone() }
    }
}

fn lock(memory: &Mutex<Memory>) -> std::sync::MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn take(
    State(shared): State<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let mut call = Call { method, path: uri.path().to_owned(), headers, body, status: 0 };
    let answer = {
        let mut memory = lock(&shared.memory);
        let answer = (memory.script)(&call).unwrap_or_else(|| {
            let (status, body) = memory.take(&call);
            Scripted { status, body, ..Scripted::default() }
        });
        call.status = answer.status;
        memory.calls.push(call);
        answer
    };
    let mut held = shared.held.clone();
    let _ = held.wait_for(|is_held| !is_held).await;
    let status = StatusCode::from_u16(answer.status).unwrap();
    let headers = answer.headers.into_iter().map(|(name, value)| (name, value.parse().unwrap()));
    let headers = headers.map(|(name, value)| (HeaderName::from_static(name), value));
    (status, headers.collect::<HeaderMap>(), answer.body.to_string()).into_response()
}

impl Memory {
    fn take(&mut self, call: &Call) -> (u16, Value) {
        let parts: Vec<&str> = call.path.trim_matches('/').split('/').collect();
        let text = call.body["body"].as_str().unwrap_or_default().to_owned();
        match (call.method.as_str(), parts.as_slice()) {
            ("POST", ["repos", _, _, "statuses", _] | ["repositories", _, "statuses", _]) => {
                (201, json!({"id": 1, "state": call.body["state"]}))
            }
            ("GET", ["repos", _, _, "issues", pr, "comments"]) => (200, self.thread(pr)),
            ("POST", ["repos", _, _, "issues", pr, "comments"]) => {
                let id = self.comments.last_key_value().map_or(0, |(id, _)| *id) + 1;
                self.comments.insert(id, (pr.parse().unwrap(), text));
                (201, json!({"id": id}))
            }
            ("PATCH", ["repos", _, _, "issues", "comments", id]) => {
                match self.comments.get_mut(&id.parse().unwrap()) {
                    Some(comment) => {
                        comment.1 = text;
                        (200, json!({"id": id.parse::<u64>().unwrap()}))
                    }
                    None => (404, json!({"message": "Not Found"})),
                }
            }
            ("DELETE", ["repos", _, _, "issues", "comments", id]) => {
                match self.comments.remove(&id.parse().unwrap()) {
                    Some(_) => (204, Value::Null),
                    None => (404, json!({"message": "Not Found"})),
                }
            }
            ("POST", ["slack" | "webhook"]) => (200, json!("ok")),
            _ => (404, json!({"message": "Not Found"})),
        }
    }

    fn thread(&self, pr: &str) -> Value {
        let pr: u64 = pr.parse().unwrap();
        let found = self.comments.iter().filter(|(_, (on, _))| *on == pr);
        found.map(|(id, (_, text))| json!({"id": id, "body": text})).collect()
    }
}

/// Everything that arrived up to a moment.
#[derive(Clone, Debug)]
pub struct Seen {
    pub calls: Vec<Call>,
    /// By id: (pull request, text).
    pub comments: BTreeMap<u64, (u64, String)>,
}

impl Seen {
    /// Accepted calls, in order.
    pub fn taken(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(|call| call.status < 300)
    }

    /// Calls that were refused.
    pub fn refused(&self) -> usize {
        self.calls.iter().filter(|call| call.status >= 300).count()
    }

    /// Accepted commit statuses, in order: ((commit, check name), state, description).
    pub fn statuses(&self) -> Vec<((String, String), String, String)> {
        let status = |call: &Call| {
            let sha = call.path.split("/statuses/").nth(1)?.to_owned();
            let text = |field: &str| call.body[field].as_str().unwrap_or_default().to_owned();
            Some(((sha, text("context")), text("state"), text("description")))
        };
        self.taken().filter_map(status).collect()
    }

    /// The last state of each check.
    pub fn checks(&self) -> BTreeMap<(String, String), String> {
        self.statuses().into_iter().map(|(check, state, _)| (check, state)).collect()
    }

    /// Accepted webhook calls, in order.
    pub fn webhooks(&self) -> Vec<&Call> {
        self.taken().filter(|call| call.path == "/webhook").collect()
    }

    /// Accepted webhook calls that repeat the id of an earlier one.
    pub fn repeated_webhooks(&self) -> usize {
        let webhooks = self.webhooks();
        let ids: BTreeSet<&str> =
            webhooks.iter().map(|call| call.headers["webhook-id"].to_str().unwrap()).collect();
        webhooks.len() - ids.len()
    }

    /// (run uid, state, reason) of each accepted webhook call, in order.
    pub fn transitions(&self) -> Vec<(String, String, String)> {
        let text = |call: &Call, field: &str| call.body[field].as_str().unwrap().to_owned();
        let webhooks = self.webhooks().into_iter();
        webhooks
            .map(|call| (text(call, "run_id"), text(call, "state"), text(call, "reason")))
            .collect()
    }

    /// Texts of the comments on each pull request.
    pub fn threads(&self) -> BTreeMap<u64, Vec<String>> {
        let mut threads: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        for (pr, text) in self.comments.values() {
            threads.entry(*pr).or_default().push(text.clone());
        }
        threads
    }
}
