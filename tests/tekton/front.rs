//! The address that Tekton sends to. Each request goes to the next replica that accepts its
//! connection, as with a Service; the answer to each event is recorded.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, Uri};
use serde_json::{Value, json};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A frozen replica delays a request by at most this. Replicas answer within a second.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// The user name that Tekton sends to replicas.
pub const USER: &str = "tekton";
pub const PASSWORD: &str = "the-password-of-the-sink";
pub const PATH_TOKEN: &str = "the-token-in-the-path-of-the-sink";

/// One attempt of Tekton to deliver an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The CloudEvent, by its id.
    pub id: String,
    /// For example `dev.tekton.event.taskrun.failed.v1`.
    pub event_type: String,
    /// Uid of its run.
    pub uid: String,
    pub status: u16,
    /// `fate` of the answer; empty without one.
    pub fate: String,
}

struct Shared {
    backends: Mutex<Vec<String>>,
    next: AtomicUsize,
    attempts: Mutex<(Vec<Attempt>, Instant)>,
    record: Mutex<Option<std::fs::File>>,
    client: reqwest::Client,
}

/// The running address.
pub struct Front {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Front {
    /// Listens on a free loopback port. Events are written to `record`, a line each.
    pub async fn start(record: Option<&Path>) -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = crate::shared::client_builder().timeout(ANSWER_MAX).build().unwrap();
        let record = record.map(|path| std::fs::File::create(path).unwrap());
        let shared = Arc::new(Shared {
            backends: Mutex::default(),
            next: AtomicUsize::new(0),
            attempts: Mutex::new((Vec::new(), Instant::now())),
            record: Mutex::new(record),
            client,
        });
        let router = Router::new().fallback(pass_on).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, shared }
    }

    /// The sink, with credentials in the two places where Tekton can send them.
    pub fn sink(&self) -> String {
        format!("http://{USER}:{PASSWORD}@{}/ingest/{PATH_TOKEN}", self.address)
    }

    /// Sends to these replicas from now on, and forgets earlier attempts.
    pub fn send_to(&self, backends: Vec<String>) {
        *lock(&self.shared.backends) = backends;
        lock(&self.shared.attempts).0.clear();
    }

    /// All attempts so far.
    pub fn attempts(&self) -> Vec<Attempt> {
        lock(&self.shared.attempts).0.clone()
    }

    /// Time since the last event.
    pub fn quiet_for(&self) -> Duration {
        lock(&self.shared.attempts).1.elapsed()
    }
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn pass_on(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    write_down(&shared, &headers, &body);
    let (status, answer) = answer_of_a_replica(&shared, uri.path(), &headers, &body).await;
    let fate = serde_json::from_slice::<Value>(&answer).unwrap_or_default();
    let fate = fate["fate"].as_str().unwrap_or_default().to_owned();
    let header = |name: &str| {
        headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let attempt = Attempt {
        id: header("ce-id"),
        event_type: header("ce-type"),
        uid: uid(&body),
        status: status.as_u16(),
        fate,
    };
    let mut attempts = lock(&shared.attempts);
    attempts.0.push(attempt);
    attempts.1 = Instant::now();
    (status, answer).into_response()
}

/// The answer of the first replica, from the next one on, that accepts the connection. A replica
/// whose answer breaks off may have accepted the event: no other one is asked.
async fn answer_of_a_replica(
    shared: &Shared,
    path: &str,
    headers: &HeaderMap,
    body: &Bytes,
) -> (StatusCode, Bytes) {
    let backends = lock(&shared.backends).clone();
    let first = shared.next.fetch_add(1, Ordering::Relaxed);
    for at in 0..backends.len() {
        let backend = &backends[(first + at) % backends.len()];
        let mut request = shared.client.post(format!("{backend}{path}")).body(body.clone());
        for (name, value) in headers {
            if is_passed_on(name.as_str()) {
                request = request.header(name, value);
            }
        }
        match request.send().await {
            Ok(answer) => {
                let status = answer.status();
                return match answer.bytes().await {
                    Ok(body) => (status, body),
                    Err(_) => (StatusCode::BAD_GATEWAY, Bytes::new()),
                };
            }
            Err(error) if error.is_connect() => {}
            Err(_) => break,
        }
    }
    (StatusCode::BAD_GATEWAY, Bytes::new())
}

fn is_passed_on(header: &str) -> bool {
    header.starts_with("ce-") || header == "content-type" || header == "authorization"
}

/// The uid of the run in the body of an event; empty if there is none.
fn uid(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let runs = body.as_object().into_iter().flat_map(|object| object.values());
    let mut uids = runs.filter_map(|run| run["metadata"]["uid"].as_str());
    uids.next().unwrap_or_default().to_owned()
}

fn write_down(shared: &Shared, headers: &HeaderMap, body: &[u8]) {
    let mut record = lock(&shared.record);
    let Some(file) = record.as_mut() else { return };
    let names = headers.iter().filter(|(name, _)| {
        let name = name.as_str();
        name.starts_with("ce-") || name == "content-type"
    });
    let headers: serde_json::Map<String, Value> = names
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()))
        .collect();
    let line = json!({"headers": headers, "body": String::from_utf8_lossy(body)});
    writeln!(file, "{line}").unwrap();
}
